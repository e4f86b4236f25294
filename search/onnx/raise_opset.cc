#include "search/onnx/raise_opset.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "search/base/status.h"
#include "search/base/text.h"
#include "search/onnx/onnx_wire.pb.h"
#include "search/onnx/wire_build.h"

namespace bitplan::onnx {
namespace {

using onnx_wire::AttributeProto;
using onnx_wire::ModelProto;
using onnx_wire::NodeProto;
using onnx_wire::TensorProto;

// What conversions need beside the node, and where they put the constants that they make.
struct Raise {
  FreshNames names;
  const std::map<std::string, int>& ranks;
  std::vector<TensorProto> constants;
};

bool IsDefaultDomain(std::string_view domain) { return domain.empty() || domain == "ai.onnx"; }

std::optional<AttributeProto> TakeAttribute(NodeProto& node, std::string_view name) {
  for (int i = 0; i < node.attribute_size(); ++i) {
    if (node.attribute(i).name() != name) continue;
    AttributeProto taken = node.attribute(i);
    node.mutable_attribute()->DeleteSubrange(i, 1);
    return taken;
  }
  return std::nullopt;
}

void SetInput(NodeProto& node, int position, const std::string& name) {
  while (node.input_size() <= position) node.add_input("");
  node.set_input(position, name);
}

// An attribute that became an input.
struct MovedAttribute {
  std::string_view name;
  int input = 1;
};

std::string OutputOf(const NodeProto& node) { return node.output_size() > 0 ? node.output(0) : node.op_type(); }

void MoveInts(NodeProto& node, const MovedAttribute& moved, Raise& raise) {
  const std::optional<AttributeProto> taken = TakeAttribute(node, moved.name);
  if (!taken.has_value()) return;
  const std::vector<int64_t> values(taken->ints().begin(), taken->ints().end());
  const std::string name = raise.names.Fresh(fmt::format("{}_{}", OutputOf(node), moved.name));
  raise.constants.push_back(Int64Tensor(name, {static_cast<int64_t>(values.size())}, values));
  SetInput(node, moved.input, name);
}

void MoveFloat(NodeProto& node, const MovedAttribute& moved, Raise& raise) {
  const std::optional<AttributeProto> taken = TakeAttribute(node, moved.name);
  if (!taken.has_value()) return;
  const float value = taken->f();
  const std::string name = raise.names.Fresh(fmt::format("{}_{}", OutputOf(node), moved.name));
  raise.constants.push_back(FloatTensor(name, {}, {&value, 1}));
  SetInput(node, moved.input, name);
}

absl::Status RaiseAxes(NodeProto& node, Raise& raise) {
  MoveInts(node, {.name = "axes"}, raise);
  return absl::OkStatus();
}

absl::Status RaiseSplit(NodeProto& node, Raise& raise) {
  MoveInts(node, {.name = "split"}, raise);
  return absl::OkStatus();
}

absl::Status CountParts(NodeProto& node, Raise& /*raise*/) {
  if (node.input_size() < 2 || node.input(1).empty()) SetIntAttribute(node, "num_outputs", node.output_size());
  return absl::OkStatus();
}

absl::Status RaiseClip(NodeProto& node, Raise& raise) {
  MoveFloat(node, {.name = "min", .input = 1}, raise);
  MoveFloat(node, {.name = "max", .input = 2}, raise);
  return absl::OkStatus();
}

absl::Status RaisePad(NodeProto& node, Raise& raise) {
  MoveInts(node, {.name = "pads", .input = 1}, raise);
  MoveFloat(node, {.name = "value", .input = 2}, raise);
  return absl::OkStatus();
}

absl::Status RaiseSlice(NodeProto& node, Raise& raise) {
  MoveInts(node, {.name = "starts", .input = 1}, raise);
  MoveInts(node, {.name = "ends", .input = 2}, raise);
  MoveInts(node, {.name = "axes", .input = 3}, raise);
  return absl::OkStatus();
}

// At inference the ratio is not looked at.
absl::Status RaiseDropout(NodeProto& node, Raise& /*raise*/) {
  TakeAttribute(node, "ratio");
  return absl::OkStatus();
}

// Up to opset 12 over all axes from `axis` (default 1) on, later over `axis` alone.
absl::Status RaiseSoftmax(NodeProto& node, Raise& raise) {
  const std::optional<AttributeProto> taken = TakeAttribute(node, "axis");
  const int64_t axis = taken.has_value() ? taken->i() : 1;
  const auto rank = raise.ranks.find(OutputOf(node));
  const bool is_last = axis == -1 || (rank != raise.ranks.end() && axis == rank->second - 1);
  if (!is_last) return Unimplemented("axis {} is not known to be the last one", axis);
  SetIntAttribute(node, "axis", -1);
  return absl::OkStatus();
}

absl::Status WantOneOutput(NodeProto& node, Raise& /*raise*/) {
  if (node.output_size() == 1) return absl::OkStatus();
  return Unimplemented("{} outputs, want 1", node.output_size());
}

absl::Status Refuse(NodeProto& /*node*/, Raise& /*raise*/) { return Unimplemented("its definition changed"); }

// Where an operator's definition changed: opset `since` reads what `convert` makes of a node of the opset before.
struct Change {
  std::string_view op_type;
  int64_t since = 0;
  absl::Status (*convert)(NodeProto& node, Raise& raise) = nullptr;
};

// Source: https://github.com/onnx/onnx/blob/main/docs/Changelog.md. By operator, ascending versions.
constexpr auto kChanges = std::to_array<Change>({
    {.op_type = "BatchNormalization", .since = 14, .convert = &WantOneOutput},
    {.op_type = "Clip", .since = 11, .convert = &RaiseClip},
    {.op_type = "Dropout", .since = 12, .convert = &RaiseDropout},
    {.op_type = "GroupNormalization", .since = 21, .convert = &Refuse},
    {.op_type = "LogSoftmax", .since = 13, .convert = &RaiseSoftmax},
    {.op_type = "Pad", .since = 11, .convert = &RaisePad},
    {.op_type = "ReduceL1", .since = 18, .convert = &RaiseAxes},
    {.op_type = "ReduceL2", .since = 18, .convert = &RaiseAxes},
    {.op_type = "ReduceLogSum", .since = 18, .convert = &RaiseAxes},
    {.op_type = "ReduceLogSumExp", .since = 18, .convert = &RaiseAxes},
    {.op_type = "ReduceMax", .since = 18, .convert = &RaiseAxes},
    {.op_type = "ReduceMean", .since = 18, .convert = &RaiseAxes},
    {.op_type = "ReduceMin", .since = 18, .convert = &RaiseAxes},
    {.op_type = "ReduceSum", .since = 13, .convert = &RaiseAxes},
    {.op_type = "ReduceSumSquare", .since = 18, .convert = &RaiseAxes},
    {.op_type = "Resize", .since = 11, .convert = &Refuse},
    {.op_type = "Slice", .since = 10, .convert = &RaiseSlice},
    {.op_type = "Softmax", .since = 13, .convert = &RaiseSoftmax},
    {.op_type = "Split", .since = 13, .convert = &RaiseSplit},
    {.op_type = "Split", .since = 18, .convert = &CountParts},
    {.op_type = "Squeeze", .since = 13, .convert = &RaiseAxes},
    {.op_type = "Unsqueeze", .since = 13, .convert = &RaiseAxes},
    {.op_type = "Upsample", .since = 10, .convert = &Refuse},
});

// Operators that mean the same in every opset from 9 to 21 up to what kChanges says: between these versions they got
// types, optional inputs, and attributes whose defaults are what was before.
constexpr auto kKnown = std::to_array<std::string_view>({"Abs",
                                                         "Add",
                                                         "And",
                                                         "ArgMax",
                                                         "ArgMin",
                                                         "AveragePool",
                                                         "BatchNormalization",
                                                         "Cast",
                                                         "Ceil",
                                                         "Celu",
                                                         "Clip",
                                                         "Concat",
                                                         "Constant",
                                                         "ConstantOfShape",
                                                         "Conv",
                                                         "ConvTranspose",
                                                         "Cos",
                                                         "CumSum",
                                                         "DepthToSpace",
                                                         "Div",
                                                         "Dropout",
                                                         "Einsum",
                                                         "Elu",
                                                         "Equal",
                                                         "Erf",
                                                         "Exp",
                                                         "Expand",
                                                         "Flatten",
                                                         "Floor",
                                                         "GRU",
                                                         "Gather",
                                                         "Gelu",
                                                         "Gemm",
                                                         "GlobalAveragePool",
                                                         "GlobalMaxPool",
                                                         "Greater",
                                                         "GreaterOrEqual",
                                                         "GroupNormalization",
                                                         "HardSigmoid",
                                                         "HardSwish",
                                                         "Identity",
                                                         "InstanceNormalization",
                                                         "LRN",
                                                         "LSTM",
                                                         "LayerNormalization",
                                                         "LeakyRelu",
                                                         "Less",
                                                         "LessOrEqual",
                                                         "Log",
                                                         "LogSoftmax",
                                                         "LpNormalization",
                                                         "MatMul",
                                                         "Max",
                                                         "MaxPool",
                                                         "Mean",
                                                         "Min",
                                                         "Mish",
                                                         "Mod",
                                                         "Mul",
                                                         "Neg",
                                                         "Not",
                                                         "Or",
                                                         "PRelu",
                                                         "Pad",
                                                         "Pow",
                                                         "RNN",
                                                         "Range",
                                                         "Reciprocal",
                                                         "ReduceL1",
                                                         "ReduceL2",
                                                         "ReduceLogSum",
                                                         "ReduceLogSumExp",
                                                         "ReduceMax",
                                                         "ReduceMean",
                                                         "ReduceMin",
                                                         "ReduceSum",
                                                         "ReduceSumSquare",
                                                         "Relu",
                                                         "Reshape",
                                                         "Resize",
                                                         "Round",
                                                         "Selu",
                                                         "Shape",
                                                         "Sigmoid",
                                                         "Sign",
                                                         "Sin",
                                                         "Size",
                                                         "Slice",
                                                         "Softmax",
                                                         "Softplus",
                                                         "Softsign",
                                                         "SpaceToDepth",
                                                         "Split",
                                                         "Sqrt",
                                                         "Squeeze",
                                                         "Sub",
                                                         "Sum",
                                                         "Tanh",
                                                         "ThresholdedRelu",
                                                         "Tile",
                                                         "Transpose",
                                                         "Trilu",
                                                         "Unsqueeze",
                                                         "Upsample",
                                                         "Where",
                                                         "Xor"});
static_assert(std::ranges::is_sorted(kKnown));

// The first IR version that goes with an opset (onnx/docs/Versioning.md), of the opsets that are raised to.
int64_t LeastIrVersion(int64_t opset) {
  struct Row {
    int64_t opset, ir_version;
  };
  constexpr auto kRows = std::to_array<Row>({{.opset = 21, .ir_version = 10},
                                             {.opset = 19, .ir_version = 9},
                                             {.opset = 15, .ir_version = 8},
                                             {.opset = 12, .ir_version = 7},
                                             {.opset = 11, .ir_version = 6},
                                             {.opset = 10, .ir_version = 5}});
  for (const Row& row : kRows) {
    if (opset >= row.opset) return row.ir_version;
  }
  return 4;
}

absl::Status ConvertNode(NodeProto& node, int64_t from, int64_t target, Raise& raise) {
  if (!std::ranges::binary_search(kKnown, std::string_view(node.op_type()))) return Unimplemented("not known");
  for (const AttributeProto& attribute : node.attribute()) {
    if (attribute.has_g() || attribute.graphs_size() > 0) return Unimplemented("a graph inside it");
  }
  for (const Change& change : kChanges) {
    if (change.op_type != node.op_type() || change.since <= from || change.since > target) continue;
    BITPLAN_RETURN_IF_ERROR(change.convert(node, raise));
  }
  return absl::OkStatus();
}

bool MayChange(const NodeProto& node) {
  return std::ranges::any_of(kChanges, [&](const Change& change) { return change.op_type == node.op_type(); });
}

void SetOpset(ModelProto& model, int64_t target) {
  for (auto& opset : *model.mutable_opset_import()) {
    if (IsDefaultDomain(opset.domain())) opset.set_version(target);
  }
  model.set_ir_version(std::max<int64_t>(model.ir_version(), LeastIrVersion(target)));
}

}  // namespace

int64_t OpsetOf(const ModelProto& model) {
  for (const auto& opset : model.opset_import()) {
    if (IsDefaultDomain(opset.domain())) return opset.version();
  }
  return 0;
}

absl::Status RaiseOpset(ModelProto& model, int64_t target, const std::map<std::string, int>& ranks) {
  const int64_t from = OpsetOf(model);
  if (from >= target) return absl::OkStatus();
  if (target > kMaxRaisedOpset) return Unimplemented("opset {}: want at most {}", target, kMaxRaisedOpset);
  Raise raise{.names = {}, .ranks = ranks, .constants = {}};
  raise.names.Add(model.graph());
  std::vector<std::pair<int, NodeProto>> converted;
  for (int i = 0; i < model.graph().node_size(); ++i) {
    const NodeProto& node = model.graph().node(i);
    if (!IsDefaultDomain(node.domain())) continue;
    // Nodes that stay as they are may hold weights: they are not copied.
    NodeProto copy;
    if (MayChange(node)) {
      copy = node;
    } else {
      copy.set_op_type(node.op_type());
      for (const AttributeProto& attribute : node.attribute()) {
        if (attribute.has_g() || attribute.graphs_size() > 0) *copy.add_attribute() = attribute;
      }
    }
    const absl::Status status = ConvertNode(copy, from, target, raise);
    if (!status.ok()) {
      return WithContext(status, fmt::format("opset {} to {}: node '{}' ({})", from, target, Printable(node.name()),
                                             Printable(node.op_type())));
    }
    if (MayChange(node)) converted.emplace_back(i, std::move(copy));
  }
  for (auto& [index, node] : converted) *model.mutable_graph()->mutable_node(index) = std::move(node);
  for (TensorProto& constant : raise.constants) *model.mutable_graph()->add_initializer() = std::move(constant);
  SetOpset(model, target);
  return absl::OkStatus();
}

}  // namespace bitplan::onnx
