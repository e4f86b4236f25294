#include "proto/convert/model.h"

#include "proto/convert/options.h"

namespace bitplan::convert {
namespace {

void AddArray(std::string_view name, std::string_view dtype, const Shape& shape, v1::Dataset* message) {
  auto* array = message->add_arrays();
  array->set_name(std::string(name));
  array->set_dtype(std::string(dtype));
  array->mutable_shape()->Add(shape.begin(), shape.end());
}

}  // namespace

v1::Model FromGraph(const Graph& graph) {
  v1::Model message;
  for (const Layer& layer : graph.layers.layers) *message.add_layers() = FromLayer(layer);
  for (const GraphInput& input : graph.inputs) {
    auto* tensor = message.add_inputs();
    tensor->set_name(graph.values[input.value].name);
    tensor->mutable_shape()->Add(input.shape.begin(), input.shape.end());
  }
  for (const ValueId output : graph.outputs) message.add_outputs(graph.values[output].name);
  return message;
}

v1::Dataset FromDataset(const Dataset& dataset) {
  v1::Dataset message;
  for (const DatasetInput& input : dataset.inputs) AddArray(input.name, "f4", input.values.shape, &message);
  for (const DatasetConstant& constant : dataset.constants) {
    AddArray(constant.name, std::holds_alternative<FloatVector>(constant.data) ? "f4" : "i8", constant.shape, &message);
  }
  if (const auto* targets = std::get_if<Tensor>(&dataset.targets)) {
    AddArray("targets", "f4", targets->shape, &message);
  } else if (std::holds_alternative<ClassLabels>(dataset.targets)) {
    AddArray("labels", "i8", {dataset.num_samples}, &message);
  }
  message.set_num_samples(dataset.num_samples);
  return message;
}

v1::Profile FromProfile(const HardwareProfile& profile) {
  v1::Profile message;
  message.set_description(profile.description);
  message.set_digest(profile.digest);
  for (const Resource resource : hardware::PricedResources(profile)) {
    message.add_resources(std::string(ToString(resource)));
  }
  const ProfileProvenance& from = profile.provenance;
  message.set_provenance(from.source);
  for (const std::string* part : {&from.date, &from.citation, &from.notes}) {
    if (!part->empty()) *message.mutable_provenance() += "; " + *part;
  }
  return message;
}

}  // namespace bitplan::convert
