#include "search/ops/op_table.h"

#include <algorithm>
#include <array>

#include "search/base/status.h"
#include "search/ops/make_operators.h"

namespace bitplan::ops {
namespace {

// min_opset is the first version whose attributes and inputs mean what the Make function reads: before 7 arithmetic had
// an explicit broadcast axis and BatchNormalization and Dropout a training switch.
constexpr auto kOpTable = std::to_array<OpEntry>({
    {.name = "Add", .min_opset = 7, .make = &MakeAdd},
    {.name = "AveragePool", .make = &MakeAveragePool},
    {.name = "BatchNormalization", .min_opset = 7, .make = &MakeBatchNormalization},
    {.name = "Clip", .min_opset = 6, .make = &MakeClip},
    {.name = "Concat", .min_opset = 4, .make = &MakeConcat},
    {.name = "Constant", .make = &MakeConstant},
    {.name = "Conv", .make = &MakeConv},
    {.name = "Div", .min_opset = 7, .make = &MakeDiv},
    {.name = "Dropout", .min_opset = 7, .make = &MakeDropout},
    {.name = "Erf", .min_opset = 9, .make = &MakeErf},
    {.name = "Exp", .min_opset = 6, .make = &MakeExp},
    {.name = "Flatten", .make = &MakeFlatten},
    {.name = "Gemm", .min_opset = 7, .make = &MakeGemm},
    {.name = "GlobalAveragePool", .make = &MakeGlobalAveragePool},
    {.name = "GlobalMaxPool", .make = &MakeGlobalMaxPool},
    {.name = "HardSigmoid", .min_opset = 6, .make = &MakeHardSigmoid},
    {.name = "HardSwish", .min_opset = 14, .make = &MakeHardSwish},
    {.name = "Identity", .make = &MakeIdentity},
    {.name = "LeakyRelu", .min_opset = 6, .make = &MakeLeakyRelu},
    {.name = "Log", .min_opset = 6, .make = &MakeLog},
    {.name = "LogSoftmax", .make = &MakeLogSoftmax},
    {.name = "MatMul", .make = &MakeMatMul},
    {.name = "MaxPool", .make = &MakeMaxPool},
    {.name = "Mul", .min_opset = 7, .make = &MakeMul},
    {.name = "Neg", .min_opset = 6, .make = &MakeNeg},
    {.name = "Pad", .min_opset = 2, .make = &MakePad},
    {.name = "Pow", .min_opset = 7, .make = &MakePow},
    {.name = "ReduceMean", .make = &MakeReduceMean},
    {.name = "Relu", .min_opset = 6, .make = &MakeRelu},
    {.name = "Reshape", .min_opset = 5, .make = &MakeReshape},
    {.name = "Sigmoid", .min_opset = 6, .make = &MakeSigmoid},
    {.name = "Softmax", .make = &MakeSoftmax},
    {.name = "Softplus", .make = &MakeSoftplus},
    {.name = "Sqrt", .min_opset = 6, .make = &MakeSqrt},
    {.name = "Squeeze", .make = &MakeSqueeze},
    {.name = "Sub", .min_opset = 7, .make = &MakeSub},
    {.name = "Tanh", .min_opset = 6, .make = &MakeTanh},
    {.name = "Transpose", .make = &MakeTranspose},
    {.name = "Unsqueeze", .make = &MakeUnsqueeze},
});
static_assert(std::ranges::adjacent_find(kOpTable, std::ranges::greater_equal(), &OpEntry::name) == kOpTable.end(),
              "rows are sorted by name, no name twice");

OpRequest MakeRequest(const Graph& graph, const Node& node, const std::vector<Shape>& shapes) {
  OpRequest request{.node = node, .opset_version = graph.opset_version};
  for (const ValueId id : node.inputs) {
    request.inputs.push_back(id == kNoValue ? nullptr : &graph.values[id]);
    request.input_shapes.push_back(id == kNoValue ? Shape() : shapes[id]);
  }
  return request;
}

}  // namespace

std::span<const OpEntry> OpTable() { return kOpTable; }

const OpEntry* FindOp(std::string_view name) {
  const auto found = std::ranges::lower_bound(kOpTable, name, {}, &OpEntry::name);
  return found != kOpTable.end() && found->name == name ? &*found : nullptr;
}

absl::StatusOr<std::unique_ptr<Operator>> MakeUnpreparedOperator(const Graph& graph, int node_index,
                                                                 const std::vector<Shape>& shapes) {
  const Node& node = graph.nodes[node_index];
  const std::string where = fmt::format("nodes[{}] '{}' ({})", node_index, node.name, node.op_type);
  const OpEntry* entry = FindOp(node.op_type);
  if (entry == nullptr) return Unimplemented("{}: the operator is not supported", where);
  if (graph.opset_version < entry->min_opset || graph.opset_version > entry->max_opset) {
    return Unimplemented("{}: opset {} is not supported, want {}..{}", where, graph.opset_version, entry->min_opset,
                         entry->max_opset);
  }
  auto made = entry->make(MakeRequest(graph, node, shapes));
  if (!made.ok()) return WithContext(made.status(), where);
  for (size_t i = (*made)->output_shapes().size(); i < node.outputs.size(); ++i) {
    if (node.outputs[i] != kNoValue) return InvalidArgument("{}: outputs[{}]: there is no such output", where, i);
  }
  return made;
}

absl::StatusOr<std::unique_ptr<Operator>> MakeOperator(const Graph& graph, int node_index,
                                                       const std::vector<Shape>& shapes) {
  BITPLAN_ASSIGN_OR_RETURN(std::unique_ptr<Operator> made, MakeUnpreparedOperator(graph, node_index, shapes));
  const Node& node = graph.nodes[node_index];
  BITPLAN_RETURN_IF_ERROR(
      WithContext(made->Prepare(), fmt::format("nodes[{}] '{}' ({})", node_index, node.name, node.op_type)));
  return made;
}

}  // namespace bitplan::ops
