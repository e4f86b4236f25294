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
    {.name = "Abs", .min_opset = 6, .make = &MakeAbs},
    {.name = "Add", .min_opset = 7, .make = &MakeAdd},
    {.name = "And", .min_opset = 7, .make = &MakeAnd},
    {.name = "ArgMax", .make = &MakeArgMax, .integer_result = true},
    {.name = "ArgMin", .make = &MakeArgMin, .integer_result = true},
    {.name = "AveragePool", .make = &MakeAveragePool},
    {.name = "BatchNormalization", .min_opset = 7, .make = &MakeBatchNormalization},
    {.name = "Cast", .min_opset = 6, .make = &MakeCast},
    {.name = "Ceil", .min_opset = 6, .make = &MakeCeil},
    {.name = "Celu", .min_opset = 12, .make = &MakeCelu},
    {.name = "Clip", .min_opset = 6, .make = &MakeClip},
    {.name = "Concat", .min_opset = 4, .make = &MakeConcat},
    {.name = "Constant", .make = &MakeConstant},
    {.name = "Conv", .make = &MakeConv},
    {.name = "Cos", .min_opset = 7, .make = &MakeCos},
    {.name = "CumSum", .min_opset = 11, .make = &MakeCumSum},
    {.name = "DepthToSpace", .make = &MakeDepthToSpace},
    {.name = "Div", .min_opset = 7, .make = &MakeDiv},
    {.name = "Dropout", .min_opset = 7, .make = &MakeDropout},
    {.name = "Elu", .min_opset = 6, .make = &MakeElu},
    {.name = "Equal", .min_opset = 7, .make = &MakeEqual},
    {.name = "Erf", .min_opset = 9, .make = &MakeErf},
    {.name = "Exp", .min_opset = 6, .make = &MakeExp},
    {.name = "Expand", .min_opset = 8, .make = &MakeExpand},
    {.name = "Flatten", .make = &MakeFlatten},
    {.name = "Floor", .min_opset = 6, .make = &MakeFloor},
    {.name = "Gather", .make = &MakeGather},
    {.name = "Gelu", .min_opset = 20, .make = &MakeGelu},
    {.name = "Gemm", .min_opset = 7, .make = &MakeGemm},
    {.name = "GlobalAveragePool", .make = &MakeGlobalAveragePool},
    {.name = "GlobalMaxPool", .make = &MakeGlobalMaxPool},
    {.name = "Greater", .min_opset = 7, .make = &MakeGreater},
    {.name = "GreaterOrEqual", .min_opset = 12, .make = &MakeGreaterOrEqual},
    {.name = "GroupNormalization", .min_opset = 18, .make = &MakeGroupNormalization},
    {.name = "HardSigmoid", .min_opset = 6, .make = &MakeHardSigmoid},
    {.name = "HardSwish", .min_opset = 14, .make = &MakeHardSwish},
    {.name = "Identity", .make = &MakeIdentity},
    {.name = "InstanceNormalization", .min_opset = 6, .make = &MakeInstanceNormalization},
    {.name = "LRN", .make = &MakeLrn},
    {.name = "LayerNormalization", .min_opset = 17, .make = &MakeLayerNormalization},
    {.name = "LeakyRelu", .min_opset = 6, .make = &MakeLeakyRelu},
    {.name = "Less", .min_opset = 7, .make = &MakeLess},
    {.name = "LessOrEqual", .min_opset = 12, .make = &MakeLessOrEqual},
    {.name = "Log", .min_opset = 6, .make = &MakeLog},
    {.name = "LogSoftmax", .make = &MakeLogSoftmax},
    {.name = "LpNormalization", .make = &MakeLpNormalization},
    {.name = "MatMul", .make = &MakeMatMul},
    {.name = "Max", .min_opset = 8, .make = &MakeMax},
    {.name = "MaxPool", .make = &MakeMaxPool},
    {.name = "Mean", .min_opset = 8, .make = &MakeMean},
    {.name = "Min", .min_opset = 8, .make = &MakeMin},
    {.name = "Mish", .min_opset = 18, .make = &MakeMish},
    {.name = "Mul", .min_opset = 7, .make = &MakeMul},
    {.name = "Neg", .min_opset = 6, .make = &MakeNeg},
    {.name = "Not", .make = &MakeNot},
    {.name = "Or", .min_opset = 7, .make = &MakeOr},
    {.name = "PRelu", .min_opset = 7, .make = &MakePRelu},
    {.name = "Pad", .min_opset = 2, .make = &MakePad},
    {.name = "Pow", .min_opset = 7, .make = &MakePow},
    {.name = "RMSNormalization", .min_opset = 23, .make = &MakeRmsNormalization},
    {.name = "Reciprocal", .min_opset = 6, .make = &MakeReciprocal},
    {.name = "ReduceL1", .make = &MakeReduceL1},
    {.name = "ReduceL2", .make = &MakeReduceL2},
    {.name = "ReduceLogSum", .make = &MakeReduceLogSum},
    {.name = "ReduceLogSumExp", .make = &MakeReduceLogSumExp},
    {.name = "ReduceMax", .make = &MakeReduceMax},
    {.name = "ReduceMean", .make = &MakeReduceMean},
    {.name = "ReduceMin", .make = &MakeReduceMin},
    {.name = "ReduceSum", .make = &MakeReduceSum},
    {.name = "ReduceSumSquare", .make = &MakeReduceSumSquare},
    {.name = "Relu", .min_opset = 6, .make = &MakeRelu},
    {.name = "Reshape", .min_opset = 5, .make = &MakeReshape},
    {.name = "Round", .min_opset = 11, .make = &MakeRound},
    {.name = "Selu", .min_opset = 6, .make = &MakeSelu},
    {.name = "Sigmoid", .min_opset = 6, .make = &MakeSigmoid},
    {.name = "Sign", .min_opset = 9, .make = &MakeSign},
    {.name = "Sin", .min_opset = 7, .make = &MakeSin},
    {.name = "Slice", .make = &MakeSlice},
    {.name = "Softmax", .make = &MakeSoftmax},
    {.name = "Softplus", .make = &MakeSoftplus},
    {.name = "Softsign", .make = &MakeSoftsign},
    {.name = "SpaceToDepth", .make = &MakeSpaceToDepth},
    {.name = "Split", .min_opset = 2, .make = &MakeSplit},
    {.name = "Sqrt", .min_opset = 6, .make = &MakeSqrt},
    {.name = "Squeeze", .make = &MakeSqueeze},
    {.name = "Sub", .min_opset = 7, .make = &MakeSub},
    {.name = "Sum", .min_opset = 8, .make = &MakeSum},
    {.name = "Tanh", .min_opset = 6, .make = &MakeTanh},
    {.name = "ThresholdedRelu", .min_opset = 10, .make = &MakeThresholdedRelu},
    {.name = "Tile", .min_opset = 6, .make = &MakeTile},
    {.name = "Transpose", .make = &MakeTranspose},
    {.name = "Trilu", .min_opset = 14, .make = &MakeTrilu},
    {.name = "Unsqueeze", .make = &MakeUnsqueeze},
    {.name = "Where", .min_opset = 9, .make = &MakeWhere},
    {.name = "Xor", .min_opset = 7, .make = &MakeXor},
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

// OK unless the loss or a node reads an output of `node`.
absl::Status CheckUnread(const Graph& graph, const Node& node) {
  for (const ValueId id : node.outputs) {
    if (id == kNoValue) continue;
    if (!graph.outputs.empty() && graph.outputs[0] == id) {
      return Unimplemented("the network's first output is an integer, want a float for the loss");
    }
    for (const Node& reader : graph.nodes) {
      if (std::ranges::find(reader.inputs, id) == reader.inputs.end()) continue;
      return Unimplemented("its integers are computed at run time and read by node '{}'", reader.name);
    }
  }
  return absl::OkStatus();
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
  if (entry->integer_result) {
    BITPLAN_RETURN_IF_ERROR(WithContext(CheckUnread(graph, node), where));
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
