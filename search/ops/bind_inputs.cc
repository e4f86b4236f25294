#include "search/ops/bind_inputs.h"

#include <string>
#include <string_view>

#include "search/base/status.h"
#include "search/ops/embedding.h"

namespace bitplan::ops {
namespace {

bool FeedsOnlyInput(std::string_view name) { return name == "images" || name == "inputs"; }

absl::StatusOr<const Tensor*> FindInput(const Graph& graph, size_t index, const Dataset& data) {
  const std::string& wanted = graph.values[graph.inputs[index].value].name;
  std::string names;
  for (const DatasetInput& input : data.inputs) {
    if (input.name == wanted) return &input.values;
    names += fmt::format("{}'{}'", names.empty() ? "" : ", ", input.name);
  }
  for (const DatasetInput& input : data.inputs) {
    if (graph.inputs.size() == 1 && FeedsOnlyInput(input.name)) return &input.values;
  }
  return InvalidArgument("dataset.inputs: no array for network input '{}'; the dataset has {}", wanted,
                         names.empty() ? "none" : names);
}

absl::Status CheckInput(const GraphInput& input, const std::string& name, const Tensor& values, int64_t num_samples) {
  if (input.shape.empty()) return InvalidArgument("input '{}': a scalar, want a first dimension of samples", name);
  Shape wanted = input.shape;
  wanted[0] = num_samples;
  if (values.shape == wanted) return absl::OkStatus();
  return InvalidArgument("dataset.inputs['{}'].shape: got {}, want {}", name, ToString(values.shape), ToString(wanted));
}

}  // namespace

absl::StatusOr<std::vector<const Tensor*>> BindInputs(const Graph& graph, const Dataset& data) {
  if (graph.inputs.empty()) return InvalidArgument("the network has no input");
  if (data.num_samples < 1) return InvalidArgument("dataset: no samples");
  std::vector<const Tensor*> bound;
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    BITPLAN_ASSIGN_OR_RETURN(const Tensor* values, FindInput(graph, i, data));
    const std::string& name = graph.values[graph.inputs[i].value].name;
    BITPLAN_RETURN_IF_ERROR(CheckInput(graph.inputs[i], name, *values, data.num_samples));
    BITPLAN_RETURN_IF_ERROR(CheckIntegerInput(graph, i, *values));
    bound.push_back(values);
  }
  return bound;
}

}  // namespace bitplan::ops
