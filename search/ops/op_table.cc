#include "search/ops/op_table.h"

#include <algorithm>
#include <array>

#include "search/base/status.h"
#include "search/ops/float_operands.h"
#include "search/ops/make_operators.h"

namespace bitplan::ops {
namespace {

// min_opset is the first version whose attributes and inputs mean what the Make function reads: before 7 arithmetic had
// an explicit broadcast axis and BatchNormalization and Dropout a training switch.
constexpr auto kOpTable = std::to_array<OpEntry>({
    {.name = "Abs", .min_opset = 6, .make = &MakeAbs, .integers = Integers::kComputed},
    {.name = "Add", .min_opset = 7, .make = &MakeAdd, .integers = Integers::kComputed},
    {.name = "And", .min_opset = 7, .make = &MakeAnd},
    {.name = "ArgMax", .make = &MakeArgMax, .integer_result = true},
    {.name = "ArgMin", .make = &MakeArgMin, .integer_result = true},
    {.name = "AveragePool", .make = &MakeAveragePool},
    {.name = "BatchNormalization", .min_opset = 7, .make = &MakeBatchNormalization},
    {.name = "Cast", .min_opset = 6, .make = &MakeCast, .integers = Integers::kRead},
    {.name = "Ceil", .min_opset = 6, .make = &MakeCeil},
    {.name = "Celu", .min_opset = 12, .make = &MakeCelu},
    {.name = "Clip", .min_opset = 6, .make = &MakeClip},
    {.name = "Concat", .min_opset = 4, .make = &MakeConcat, .integers = Integers::kComputed},
    {.name = "Constant", .make = &MakeConstant},
    {.name = "Conv", .make = &MakeConv},
    {.name = "ConvTranspose", .make = &MakeConvTranspose},
    {.name = "Cos", .min_opset = 7, .make = &MakeCos},
    {.name = "CumSum", .min_opset = 11, .make = &MakeCumSum, .integers = Integers::kComputed},
    {.name = "DepthToSpace", .make = &MakeDepthToSpace},
    {.name = "Div", .min_opset = 7, .make = &MakeDiv},
    {.name = "Dropout", .min_opset = 7, .make = &MakeDropout},
    {.name = "Einsum", .min_opset = 12, .lower = &LowerEinsum},
    {.name = "Elu", .min_opset = 6, .make = &MakeElu},
    {.name = "Equal", .min_opset = 7, .make = &MakeEqual, .integers = Integers::kRead},
    {.name = "Erf", .min_opset = 9, .make = &MakeErf},
    {.name = "Exp", .min_opset = 6, .make = &MakeExp},
    {.name = "Expand", .min_opset = 8, .make = &MakeExpand, .integers = Integers::kMoved},
    {.name = "Flatten", .make = &MakeFlatten, .integers = Integers::kMoved},
    {.name = "Floor", .min_opset = 6, .make = &MakeFloor},
    {.name = "GRU", .min_opset = 7, .lower = &LowerGru},
    {.name = "Gather", .make = &MakeGather, .integers = Integers::kMoved},
    {.name = "Gelu", .min_opset = 20, .make = &MakeGelu},
    {.name = "Gemm", .min_opset = 7, .make = &MakeGemm},
    {.name = "GlobalAveragePool", .make = &MakeGlobalAveragePool},
    {.name = "GlobalMaxPool", .make = &MakeGlobalMaxPool},
    {.name = "Greater", .min_opset = 7, .make = &MakeGreater, .integers = Integers::kRead},
    {.name = "GreaterOrEqual", .min_opset = 12, .make = &MakeGreaterOrEqual, .integers = Integers::kRead},
    {.name = "GroupNormalization", .min_opset = 18, .make = &MakeGroupNormalization},
    {.name = "HardSigmoid", .min_opset = 6, .make = &MakeHardSigmoid},
    {.name = "HardSwish", .min_opset = 14, .make = &MakeHardSwish},
    {.name = "Identity", .make = &MakeIdentity, .integers = Integers::kMoved},
    {.name = "InstanceNormalization", .min_opset = 6, .make = &MakeInstanceNormalization},
    {.name = "LRN", .make = &MakeLrn},
    {.name = "LSTM", .min_opset = 7, .lower = &LowerLstm},
    {.name = "LayerNormalization", .min_opset = 17, .make = &MakeLayerNormalization},
    {.name = "LeakyRelu", .min_opset = 6, .make = &MakeLeakyRelu},
    {.name = "Less", .min_opset = 7, .make = &MakeLess, .integers = Integers::kRead},
    {.name = "LessOrEqual", .min_opset = 12, .make = &MakeLessOrEqual, .integers = Integers::kRead},
    {.name = "Log", .min_opset = 6, .make = &MakeLog},
    {.name = "LogSoftmax", .make = &MakeLogSoftmax},
    {.name = "LpNormalization", .make = &MakeLpNormalization},
    {.name = "MatMul", .make = &MakeMatMul},
    {.name = "Max", .min_opset = 8, .make = &MakeMax, .integers = Integers::kComputed},
    {.name = "MaxPool", .make = &MakeMaxPool},
    {.name = "Mean", .min_opset = 8, .make = &MakeMean},
    {.name = "Min", .min_opset = 8, .make = &MakeMin, .integers = Integers::kComputed},
    {.name = "Mish", .min_opset = 18, .make = &MakeMish},
    {.name = "Mul", .min_opset = 7, .make = &MakeMul, .integers = Integers::kComputed},
    {.name = "Neg", .min_opset = 6, .make = &MakeNeg, .integers = Integers::kComputed},
    {.name = "Not", .make = &MakeNot},
    {.name = "Or", .min_opset = 7, .make = &MakeOr},
    {.name = "PRelu", .min_opset = 7, .make = &MakePRelu},
    {.name = "Pad", .min_opset = 2, .make = &MakePad},
    {.name = "Pow", .min_opset = 7, .make = &MakePow},
    {.name = "RMSNormalization", .min_opset = 23, .make = &MakeRmsNormalization},
    {.name = "RNN", .min_opset = 7, .lower = &LowerRnn},
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
    {.name = "Reshape", .min_opset = 5, .make = &MakeReshape, .integers = Integers::kMoved},
    {.name = "Resize", .min_opset = 10, .make = &MakeResize},
    {.name = "Round", .min_opset = 11, .make = &MakeRound},
    {.name = "Selu", .min_opset = 6, .make = &MakeSelu},
    {.name = "Sigmoid", .min_opset = 6, .make = &MakeSigmoid},
    {.name = "Sign", .min_opset = 9, .make = &MakeSign, .integers = Integers::kMoved},
    {.name = "Sin", .min_opset = 7, .make = &MakeSin},
    {.name = "Slice", .make = &MakeSlice, .integers = Integers::kMoved},
    {.name = "Softmax", .make = &MakeSoftmax},
    {.name = "Softplus", .make = &MakeSoftplus},
    {.name = "Softsign", .make = &MakeSoftsign},
    {.name = "SpaceToDepth", .make = &MakeSpaceToDepth},
    {.name = "Split", .min_opset = 2, .make = &MakeSplit, .integers = Integers::kMoved},
    {.name = "Sqrt", .min_opset = 6, .make = &MakeSqrt},
    {.name = "Squeeze", .make = &MakeSqueeze, .integers = Integers::kMoved},
    {.name = "Sub", .min_opset = 7, .make = &MakeSub, .integers = Integers::kComputed},
    {.name = "Sum", .min_opset = 8, .make = &MakeSum, .integers = Integers::kComputed},
    {.name = "Tanh", .min_opset = 6, .make = &MakeTanh},
    {.name = "ThresholdedRelu", .min_opset = 10, .make = &MakeThresholdedRelu},
    {.name = "Tile", .min_opset = 6, .make = &MakeTile, .integers = Integers::kMoved},
    {.name = "Transpose", .make = &MakeTranspose, .integers = Integers::kMoved},
    {.name = "Trilu", .min_opset = 14, .make = &MakeTrilu, .integers = Integers::kMoved},
    {.name = "Unsqueeze", .make = &MakeUnsqueeze, .integers = Integers::kMoved},
    {.name = "Upsample", .min_opset = 9, .max_opset = 9, .make = &MakeUpsample},
    {.name = "Where", .min_opset = 9, .make = &MakeWhere, .integers = Integers::kComputed},
    {.name = "Xor", .min_opset = 7, .make = &MakeXor},
});
static_assert(std::ranges::adjacent_find(kOpTable, std::ranges::greater_equal(), &OpEntry::name) == kOpTable.end(),
              "rows are sorted by name, no name twice");

OpRequest MakeRequest(const Graph& graph, const Node& node, const std::vector<Shape>& shapes) {
  OpRequest request{.node = node, .opset_version = graph.opset_version};
  if (!graph.inputs.empty() && !shapes[graph.inputs[0].value].empty()) {
    request.num_samples = shapes[graph.inputs[0].value][0];
  }
  for (const ValueId id : node.inputs) {
    request.inputs.push_back(id == kNoValue ? nullptr : &graph.values[id]);
    request.input_shapes.push_back(id == kNoValue ? Shape() : shapes[id]);
  }
  return request;
}

// Whether input i of the node is an integer computed at run time.
bool IsInteger(const Graph& graph, const Node& node, size_t i) {
  return i < node.inputs.size() && node.inputs[i] != kNoValue && graph.values[node.inputs[i]].integer;
}

bool ReadsIntegers(const Graph& graph, const Node& node) {
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (IsInteger(graph, node, i)) return true;
  }
  return false;
}

// Integers that nobody who would misread them reads.
absl::Status CheckIntegers(const Graph& graph, const Node& node, const OpEntry& entry) {
  if (!graph.outputs.empty() && HasIntegerResult(graph, node) &&
      std::ranges::find(node.outputs, graph.outputs[0]) != node.outputs.end()) {
    return Unimplemented("the network's first output is an integer, want a float for the loss");
  }
  if (entry.integers != Integers::kRefused || !ReadsIntegers(graph, node)) return absl::OkStatus();
  return Unimplemented("reads integers that are computed at run time");
}

}  // namespace

std::span<const OpEntry> OpTable() { return kOpTable; }

const OpEntry* FindOp(std::string_view name) {
  const auto found = std::ranges::lower_bound(kOpTable, name, {}, &OpEntry::name);
  return found != kOpTable.end() && found->name == name ? &*found : nullptr;
}

bool HasIntegerResult(const Graph& graph, const Node& node) {
  const OpEntry* entry = FindOp(node.op_type);
  if (entry == nullptr) return false;
  if (entry->integer_result) return true;
  if (node.op_type == "Cast") return IsCastToInteger(node);
  if (entry->integers == Integers::kMoved) return IsInteger(graph, node, 0);
  return entry->integers == Integers::kComputed && ReadsIntegers(graph, node);
}

void MarkIntegers(Graph& graph) {
  for (const Node& node : graph.nodes) {
    const bool integer = HasIntegerResult(graph, node);
    for (const ValueId id : node.outputs) {
      if (id != kNoValue) graph.values[id].integer = integer;
    }
  }
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
  if (entry->make == nullptr) return Unimplemented("{}: the importer puts simpler nodes in its place", where);
  BITPLAN_RETURN_IF_ERROR(WithContext(CheckIntegers(graph, node, *entry), where));
  const OpRequest request = MakeRequest(graph, node, shapes);
  const bool with_constants = entry->integers == Integers::kComputed && ReadsIntegers(graph, node);
  auto made = with_constants ? MakeWithFloatOperands(request, entry->make) : entry->make(request);
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
