#include "search/ops/infer_shapes.h"

#include "search/base/status.h"
#include "search/ops/op_table.h"

namespace bitplan::ops {
namespace {

Shape ConstantShape(const Value& value) {
  if (const auto* floats = std::get_if<Tensor>(&value.constant)) return floats->shape;
  if (const auto* ints = std::get_if<IntTensor>(&value.constant)) return ints->shape;
  return {};
}

absl::Status SetInputShapes(const Graph& graph, int64_t batch, std::vector<Shape>& shapes) {
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    Shape shape = graph.inputs[i].shape;
    if (!shape.empty() && shape[0] == kDynamic) shape[0] = batch;
    const std::string where = fmt::format("inputs[{}] '{}'", i, graph.values[graph.inputs[i].value].name);
    BITPLAN_RETURN_IF_ERROR(WithContext(CheckShape(shape), where));
    shapes[graph.inputs[i].value] = std::move(shape);
  }
  return absl::OkStatus();
}

absl::Status InferNode(const Graph& graph, int index, std::vector<Shape>& shapes) {
  const Node& node = graph.nodes[index];
  BITPLAN_ASSIGN_OR_RETURN(const std::unique_ptr<Operator> op, MakeUnpreparedOperator(graph, index, shapes));
  for (size_t i = 0; i < op->output_shapes().size(); ++i) {
    if (i >= node.outputs.size() || node.outputs[i] == kNoValue) continue;
    const std::string where = fmt::format("nodes[{}] '{}' ({})", index, node.name, node.op_type);
    BITPLAN_RETURN_IF_ERROR(WithContext(CheckShape(op->output_shapes()[i]), where));
    shapes[node.outputs[i]] = op->output_shapes()[i];
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<int64_t> FixedBatch(const Graph& graph) {
  int64_t fixed = 0;
  for (const GraphInput& input : graph.inputs) {
    const std::string& name = graph.values[input.value].name;
    if (input.shape.empty()) return InvalidArgument("input '{}': a scalar, want a first dimension of samples", name);
    if (input.shape[0] == kDynamic) continue;
    if (fixed != 0 && input.shape[0] != fixed) {
      return InvalidArgument("input '{}': takes {} samples, another input {}", name, input.shape[0], fixed);
    }
    fixed = input.shape[0];
  }
  return fixed;
}

absl::StatusOr<std::vector<Shape>> InferShapes(const Graph& graph, int64_t batch) {
  std::vector<Shape> shapes(graph.values.size());
  for (size_t id = 0; id < graph.values.size(); ++id) shapes[id] = ConstantShape(graph.values[id]);
  BITPLAN_RETURN_IF_ERROR(SetInputShapes(graph, batch, shapes));
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    BITPLAN_RETURN_IF_ERROR(InferNode(graph, static_cast<int>(i), shapes));
  }
  return shapes;
}

}  // namespace bitplan::ops
