#include "tests/testing/onnx_writer.h"

#include <variant>

#include "search/base/check.h"

namespace bitplan::testing {
namespace {

constexpr int kFloat = 1;
constexpr int kInt64 = 7;

template <typename Data>
void Fill(onnx_wire::TensorProto& proto, const Shape& shape, const Data& data, int type) {
  for (const int64_t size : shape) proto.add_dims(size);
  proto.set_data_type(type);
  proto.set_raw_data(reinterpret_cast<const char*>(data.data()), data.size() * sizeof(data[0]));
}

void Fill(onnx_wire::TensorProto& proto, const Tensor& tensor) { Fill(proto, tensor.shape, tensor.data, kFloat); }
void Fill(onnx_wire::TensorProto& proto, const IntTensor& tensor) { Fill(proto, tensor.shape, tensor.data, kInt64); }

// Writes one alternative of Attribute, with its type number.
struct AttributeWriter {
  onnx_wire::AttributeProto& proto;

  void operator()(float value) const {
    proto.set_type(1);
    proto.set_f(value);
  }
  void operator()(int64_t value) const {
    proto.set_type(2);
    proto.set_i(value);
  }
  void operator()(const std::string& value) const {
    proto.set_type(3);
    proto.set_s(value);
  }
  void operator()(const Tensor& value) const {
    proto.set_type(4);
    Fill(*proto.mutable_t(), value);
  }
  void operator()(const IntTensor& value) const {
    proto.set_type(4);
    Fill(*proto.mutable_t(), value);
  }
  void operator()(const std::vector<float>& values) const {
    proto.set_type(6);
    for (const float value : values) proto.add_floats(value);
  }
  void operator()(const std::vector<int64_t>& values) const {
    proto.set_type(7);
    for (const int64_t value : values) proto.add_ints(value);
  }
  void operator()(const std::vector<std::string>& values) const {
    proto.set_type(8);
    for (const std::string& value : values) proto.add_strings(value);
  }
};

// 0.1 * ((7 i) mod 11 - 5): small, of both signs, no two neighbours equal.
Tensor Pattern(Shape shape) {
  Tensor tensor = Tensor::Zeros(std::move(shape));
  for (size_t i = 0; i < tensor.data.size(); ++i) tensor.data[i] = 0.1F * static_cast<float>((7 * i) % 11) - 0.5F;
  return tensor;
}

std::string NameOf(const Graph& graph, ValueId id) { return id == kNoValue ? "" : graph.values[id].name; }

std::vector<std::string> NamesOf(const Graph& graph, const std::vector<ValueId>& ids) {
  std::vector<std::string> names;
  for (const ValueId id : ids) names.push_back(NameOf(graph, id));
  return names;
}

}  // namespace

OnnxModel::OnnxModel(int64_t opset_version) {
  proto_.set_ir_version(8);
  proto_.set_producer_name("bitplan tests");
  proto_.add_opset_import()->set_version(opset_version);
  graph().set_name("test");
}

OnnxModel& OnnxModel::Input(const std::string& name, const Shape& shape, int elem_type) {
  onnx_wire::ValueInfoProto& input = *graph().add_input();
  input.set_name(name);
  onnx_wire::TypeProto::Tensor& type = *input.mutable_type()->mutable_tensor_type();
  type.set_elem_type(elem_type);
  type.mutable_shape();
  for (const int64_t size : shape) {
    onnx_wire::TensorShapeProto::Dimension& dim = *type.mutable_shape()->add_dim();
    if (size == kDynamic) {
      dim.set_dim_param("N");
    } else {
      dim.set_dim_value(size);
    }
  }
  return *this;
}

OnnxModel& OnnxModel::Output(const std::string& name) {
  graph().add_output()->set_name(name);
  return *this;
}

OnnxModel& OnnxModel::Weight(const std::string& name, const Tensor& tensor) {
  onnx_wire::TensorProto& proto = *graph().add_initializer();
  proto.set_name(name);
  Fill(proto, tensor);
  return *this;
}

OnnxModel& OnnxModel::Weight(const std::string& name, const IntTensor& tensor) {
  onnx_wire::TensorProto& proto = *graph().add_initializer();
  proto.set_name(name);
  Fill(proto, tensor);
  return *this;
}

OnnxModel& OnnxModel::Weight(const std::string& name, const Shape& shape, float value) {
  return Weight(name, Tensor{.shape = shape, .data = FloatVector(NumElements(shape), value)});
}

onnx_wire::NodeProto& OnnxModel::Add(const std::string& op_type, const std::vector<std::string>& inputs,
                                     const std::vector<std::string>& outputs, const Attributes& attributes,
                                     const std::string& name) {
  onnx_wire::NodeProto& node = *graph().add_node();
  node.set_op_type(op_type);
  node.set_name(name.empty() ? "/" + outputs.front() + "/" + op_type : name);
  for (const std::string& input : inputs) node.add_input(input);
  for (const std::string& output : outputs) node.add_output(output);
  for (const auto& [key, value] : attributes) SetAttribute(node, key, value);
  return node;
}

void SetAttribute(onnx_wire::NodeProto& node, const std::string& name, const Attribute& value) {
  onnx_wire::AttributeProto& proto = *node.add_attribute();
  proto.set_name(name);
  std::visit(AttributeWriter{proto}, value);
}

OnnxModel TinyClassifier() {
  OnnxModel model;
  model.Input("input", {kDynamic, 1, 6, 6}).Output("logits");
  model.Weight("conv.weight", Pattern({4, 1, 3, 3})).Weight("conv.bias", Pattern({4}));
  model.Weight("fc.weight", Pattern({3, 144})).Weight("fc.bias", Pattern({3}));
  using Ints = std::vector<int64_t>;
  model.Add("Conv", {"input", "conv.weight", "conv.bias"}, {"a"},
            {{"kernel_shape", Ints{3, 3}}, {"pads", Ints{1, 1, 1, 1}}, {"strides", Ints{1, 1}}});
  model.Add("Relu", {"a"}, {"b"});
  model.Add("Flatten", {"b"}, {"c"}, {{"axis", int64_t{1}}});
  model.Add("Gemm", {"c", "fc.weight", "fc.bias"}, {"logits"}, {{"transB", int64_t{1}}});
  return model;
}

TwoFileModel MoveWeightsOut(const std::string& onnx, const std::string& location) {
  constexpr size_t kAlignment = 4096;
  onnx_wire::ModelProto model;
  BITPLAN_CHECK(model.ParseFromString(onnx));
  TwoFileModel moved;
  for (auto& tensor : *model.mutable_graph()->mutable_initializer()) {
    if (!tensor.has_raw_data()) continue;
    const auto add = [&](const std::string& key, const std::string& value) {
      auto* entry = tensor.add_external_data();
      entry->set_key(key);
      entry->set_value(value);
    };
    moved.weights.resize((moved.weights.size() + kAlignment - 1) / kAlignment * kAlignment);
    add("location", location);
    add("offset", std::to_string(moved.weights.size()));
    add("length", std::to_string(tensor.raw_data().size()));
    moved.weights += tensor.raw_data();
    tensor.clear_raw_data();
    tensor.set_data_location(1);
  }
  moved.onnx = model.SerializeAsString();
  return moved;
}

std::string WriteOnnx(const Graph& graph) {
  OnnxModel model(graph.opset_version);
  model.graph().set_name(graph.name);
  for (const GraphInput& input : graph.inputs) model.Input(NameOf(graph, input.value), input.shape);
  for (const ValueId id : graph.outputs) model.Output(NameOf(graph, id));
  for (const Value& value : graph.values) {
    if (const auto* floats = std::get_if<Tensor>(&value.constant)) model.Weight(value.name, *floats);
    if (const auto* ints = std::get_if<IntTensor>(&value.constant)) model.Weight(value.name, *ints);
  }
  for (const Node& node : graph.nodes) {
    model.Add(node.op_type, NamesOf(graph, node.inputs), NamesOf(graph, node.outputs), node.attributes, node.name);
  }
  return model.Bytes();
}

}  // namespace bitplan::testing
