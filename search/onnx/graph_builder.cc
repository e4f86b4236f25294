#include "search/onnx/graph_builder.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "search/base/status.h"
#include "search/base/text.h"
#include "search/onnx/attributes.h"
#include "search/onnx/constant.h"
#include "search/onnx/constant_folding.h"
#include "search/onnx/input_shape.h"
#include "search/onnx/onnx_wire.pb.h"
#include "search/onnx/tensor_decode.h"
#include "search/onnx/unsupported.h"
#include "search/onnx/wiring.h"
#include "search/ops/find_layers.h"
#include "search/ops/infer_shapes.h"
#include "search/ops/op_table.h"

namespace bitplan::onnx {
namespace {

using onnx_wire::GraphProto;
using onnx_wire::NodeProto;

// Where the caller picks the number of samples, shapes are inferred for two numbers: a size that differs between them
// depends on the number of samples, all others are fixed. Any two numbers that no layer has as its width will do; these
// stay different when halved or divided by 4.
constexpr std::array<int64_t, 2> kProbeBatches = {16, 24};
constexpr int kNumProbes = 2;

// What is known of a value that follows from something unsupported: whether its like would be computed at run time or
// at import (shapes). Everything else about it is unknown.
enum class Unknown { kNo, kRunTime, kImport };

// Integers that depend on the number of samples: their value at each of kProbeBatches.
using BatchInts = std::array<IntTensor, kNumProbes>;

// From this version on Shape can take a part of the shape.
constexpr int64_t kShapeHasRange = 15;

// Operators of linear cost that are evaluated at import if all their inputs are constants. Products, convolutions and
// pooling stay in the graph: a small file could make them take hours.
constexpr auto kCheapOperators = std::to_array<std::string_view>({"Abs",
                                                                  "Add",
                                                                  "And",
                                                                  "BatchNormalization",
                                                                  "Cast",
                                                                  "Ceil",
                                                                  "Clip",
                                                                  "Cos",
                                                                  "CumSum",
                                                                  "Div",
                                                                  "Equal",
                                                                  "Erf",
                                                                  "Exp",
                                                                  "Expand",
                                                                  "Floor",
                                                                  "Greater",
                                                                  "GreaterOrEqual",
                                                                  "HardSigmoid",
                                                                  "HardSwish",
                                                                  "LeakyRelu",
                                                                  "Less",
                                                                  "LessOrEqual",
                                                                  "Log",
                                                                  "Max",
                                                                  "Mean",
                                                                  "Min",
                                                                  "Mul",
                                                                  "Neg",
                                                                  "Not",
                                                                  "Or",
                                                                  "Pad",
                                                                  "Pow",
                                                                  "Reciprocal",
                                                                  "ReduceL1",
                                                                  "ReduceL2",
                                                                  "ReduceMax",
                                                                  "ReduceMean",
                                                                  "ReduceMin",
                                                                  "ReduceSum",
                                                                  "ReduceSumSquare",
                                                                  "Relu",
                                                                  "Round",
                                                                  "Sigmoid",
                                                                  "Sign",
                                                                  "Sin",
                                                                  "Softmax",
                                                                  "Softplus",
                                                                  "Sqrt",
                                                                  "Sub",
                                                                  "Sum",
                                                                  "Tanh",
                                                                  "Tile",
                                                                  "Trilu",
                                                                  "Where",
                                                                  "Xor"});

bool IsCheap(std::string_view op_type) { return std::ranges::find(kCheapOperators, op_type) != kCheapOperators.end(); }

bool IsDefaultDomain(std::string_view domain) { return domain.empty() || domain == "ai.onnx"; }

// Operators that exist at import only.
bool IsImportOnly(std::string_view op_type) { return op_type == "Constant" || op_type == "Shape"; }

// "shape: got ..." of "nodes[3] 'conv1' (Conv): shape: got ..."; attribute reads put the node in front once more.
std::string WithoutNode(std::string message) {
  while (message.starts_with("node")) {
    const size_t end = message.find("): ");
    if (end == std::string::npos) break;
    message.erase(0, end + 3);
  }
  return message;
}

Shape VectorShape(size_t size) { return {static_cast<int64_t>(size)}; }

// Moves the value out of a Constant node's attribute.
absl::StatusOr<Constant> TakeConstant(Node& node) {
  if (node.attributes.size() != 1) return InvalidArgument("want one attribute, got {}", node.attributes.size());
  auto& [name, value] = *node.attributes.begin();
  if (name == "value" && std::holds_alternative<Tensor>(value)) return std::get<Tensor>(std::move(value));
  if (name == "value" && std::holds_alternative<IntTensor>(value)) return std::get<IntTensor>(std::move(value));
  if (const auto* number = std::get_if<float>(&value); number && name == "value_float") {
    return Tensor{.data = {*number}};
  }
  if (const auto* integer = std::get_if<int64_t>(&value); integer && name == "value_int") {
    return IntTensor{.data = {*integer}};
  }
  if (const auto* floats = std::get_if<std::vector<float>>(&value); floats && name == "value_floats") {
    if (floats->empty()) return InvalidArgument("attribute 'value_floats' is empty");
    return Tensor{.shape = VectorShape(floats->size()), .data = {floats->begin(), floats->end()}};
  }
  if (auto* ints = std::get_if<std::vector<int64_t>>(&value); ints && name == "value_ints") {
    return IntTensor{.shape = VectorShape(ints->size()), .data = std::move(*ints)};
  }
  return Unimplemented("attribute '{}'", Printable(name));
}

template <typename Visit>
void ForEachUse(Graph& graph, const Visit& visit) {
  for (GraphInput& input : graph.inputs) visit(input.value);
  for (ValueId& id : graph.outputs) visit(id);
  for (Node& node : graph.nodes) {
    for (ValueId& id : node.inputs) visit(id);
    for (ValueId& id : node.outputs) visit(id);
  }
}

// Folding leaves constants behind that nobody reads any more.
void DropUnusedValues(Graph& graph) {
  std::vector<ValueId> renumbered(graph.values.size(), kNoValue);
  std::vector<Value> kept;
  ForEachUse(graph, [&](ValueId& id) {
    if (id == kNoValue) return;
    if (renumbered[id] == kNoValue) {
      renumbered[id] = static_cast<ValueId>(kept.size());
      kept.push_back(std::move(graph.values[id]));
    }
    id = renumbered[id];
  });
  graph.values = std::move(kept);
}

class GraphBuilder {
 public:
  GraphBuilder(GraphProto& proto, int64_t opset_version, const ParseLimits& limits) : proto_(proto), limits_(limits) {
    graph_.name = IsPlainText(proto.name()) ? proto.name() : Printable(proto.name());
    graph_.opset_version = opset_version;
  }

  absl::StatusOr<Graph> Build() {
    BITPLAN_ASSIGN_OR_RETURN(wiring_, Wire(proto_, limits_));
    for (const std::string& name : wiring_.value_names) AddValue(name);
    BITPLAN_RETURN_IF_ERROR(DecodeInitializers());
    BITPLAN_RETURN_IF_ERROR(AddInputs());
    for (const int index : wiring_.order) BITPLAN_RETURN_IF_ERROR(AddNode(index));
    BITPLAN_RETURN_IF_ERROR(unsupported_.ToStatus());
    BITPLAN_RETURN_IF_ERROR(AddOutputs());
    DropUnusedValues(graph_);
    BITPLAN_RETURN_IF_ERROR(WithContext(ops::FindLayers(graph_), "onnx"));
    if (graph_.layers.layers.empty()) {
      return InvalidArgument("onnx: no layer: want a Conv, Gemm or MatMul whose weight is a constant");
    }
    BITPLAN_RETURN_IF_ERROR(CheckInvariants(graph_));
    return std::move(graph_);
  }

 private:
  // --- values ---

  ValueId AddValue(std::string name) {
    const auto id = static_cast<ValueId>(graph_.values.size());
    graph_.values.push_back({.name = std::move(name)});
    for (std::vector<Shape>& shapes : shapes_) shapes.emplace_back();
    alias_.push_back(id);
    unknown_.push_back(Unknown::kNo);
    return id;
  }

  void SetConstant(ValueId id, Constant constant) {
    const Shape shape = std::visit([](const auto& tensor) { return tensor.shape; }, constant);
    for (std::vector<Shape>& shapes : shapes_) shapes[id] = shape;
    std::visit([&](auto& tensor) { graph_.values[id].constant = std::move(tensor); }, constant);
  }

  bool IsConstant(ValueId id) const { return graph_.values[id].is_constant(); }
  bool IsBatchInts(ValueId id) const { return batch_ints_.contains(id); }

  // Whether the node's inputs are all known at import, for each number of samples.
  bool AllKnown(const Node& node) const {
    const auto known = [this](ValueId id) { return id == kNoValue || IsConstant(id) || IsBatchInts(id); };
    return std::ranges::all_of(node.inputs, known);
  }

  absl::Status DecodeInitializers() {
    for (int i = 0; i < proto_.initializer_size(); ++i) {
      onnx_wire::TensorProto& tensor = *proto_.mutable_initializer(i);
      const std::string where = fmt::format("initializer[{}] '{}'", i, tensor.name());
      absl::StatusOr<Constant> constant = DecodeTensor(tensor, limits_);
      if (absl::IsUnimplemented(constant.status())) {
        unsupported_.Add(MessageOf(constant.status()), where);
        unknown_[wiring_.initializers[i]] = Unknown::kImport;
        continue;
      }
      if (!constant.ok()) return WithContext(constant.status(), fmt::format("onnx: {}", where));
      SetConstant(wiring_.initializers[i], *std::move(constant));
      const std::unique_ptr<std::string> freed(tensor.release_raw_data());
    }
    return absl::OkStatus();
  }

  // --- inputs and outputs ---

  absl::Status AddInputs() {
    if (wiring_.inputs.empty()) return InvalidArgument("onnx: the graph has no input");
    for (size_t i = 0; i < wiring_.inputs.size(); ++i) {
      const onnx_wire::ValueInfoProto& input = proto_.input(wiring_.inputs[i]);
      const ValueId id = wiring_.input_values[i];
      absl::StatusOr<Shape> shape = ReadInputShape(input, limits_);
      if (absl::IsUnimplemented(shape.status())) {
        unsupported_.Add(MessageOf(shape.status()), fmt::format("input '{}'", input.name()));
        unknown_[id] = Unknown::kRunTime;
        continue;
      }
      if (!shape.ok()) return WithContext(shape.status(), fmt::format("onnx: input '{}'", input.name()));
      graph_.inputs.push_back({.value = id, .shape = *std::move(shape)});
    }
    return SetInputShapes();
  }

  absl::Status SetInputShapes() {
    const absl::StatusOr<int64_t> fixed_batch = ops::FixedBatch(graph_);
    if (!fixed_batch.ok()) return WithContext(fixed_batch.status(), "onnx");
    for (int probe = 0; probe < kNumProbes; ++probe) {
      batches_[probe] = *fixed_batch > 0 ? *fixed_batch : kProbeBatches[probe];
      for (const GraphInput& input : graph_.inputs) {
        Shape shape = input.shape;
        if (shape[0] == kDynamic) shape[0] = batches_[probe];
        shapes_[probe][input.value] = std::move(shape);
      }
    }
    return absl::OkStatus();
  }

  absl::Status AddOutputs() {
    for (size_t i = 0; i < wiring_.outputs.size(); ++i) {
      const ValueId id = alias_[wiring_.outputs[i]];
      if (IsConstant(id) || IsBatchInts(id)) {
        return InvalidArgument("onnx: output[{}] '{}' does not depend on the values of any input", i,
                               graph_.values[wiring_.outputs[i]].name);
      }
      graph_.outputs.push_back(id);
    }
    return absl::OkStatus();
  }

  // --- nodes ---

  absl::Status AddNode(int index) {
    NodeProto& proto = *proto_.mutable_node(index);
    const std::string where = fmt::format("node '{}'", wiring_.nodes[index].name);
    if (!IsDefaultDomain(proto.domain())) {
      return NotSupported(index, fmt::format("operator {}.{}", Printable(proto.domain()), Printable(proto.op_type())));
    }
    if (ops::FindOp(proto.op_type()) == nullptr && !CanFold(proto.op_type()) && !IsImportOnly(proto.op_type())) {
      return NotSupported(index, fmt::format("operator {}", Printable(proto.op_type())));
    }
    absl::StatusOr<Attributes> attributes = DecodeAttributes(proto, limits_);
    if (absl::IsUnimplemented(attributes.status())) {
      return NotSupported(index, fmt::format("{}: {}", proto.op_type(), MessageOf(attributes.status())));
    }
    if (!attributes.ok()) return WithContext(attributes.status(), fmt::format("onnx: {}", where));
    proto.clear_attribute();  // weights may be stored in them
    Node node{.name = wiring_.nodes[index].name,
              .op_type = proto.op_type(),
              .outputs = ReadOutputs(index),
              .attributes = *std::move(attributes)};
    for (const ValueId id : wiring_.nodes[index].inputs) node.inputs.push_back(id == kNoValue ? id : alias_[id]);
    if (ReadsUnknown(node)) return PlaceUnknown(index, node);
    return WithContext(Place(index, std::move(node)), fmt::format("onnx: {} ({})", where, proto.op_type()));
  }

  // The node's outputs without those that nobody reads, such as the mask of a Dropout; output 0 stays.
  std::vector<ValueId> ReadOutputs(int index) const {
    std::vector<ValueId> outputs = wiring_.nodes[index].outputs;
    for (size_t i = 1; i < outputs.size(); ++i) {
      if (outputs[i] != kNoValue && !wiring_.is_read[outputs[i]]) outputs[i] = kNoValue;
    }
    if (proto_.node(index).op_type() == "Split") return outputs;  // equal parts: as many as outputs
    while (outputs.size() > 1 && outputs.back() == kNoValue) outputs.pop_back();
    return outputs;
  }

  bool ReadsUnknown(const Node& node) const {
    return std::ranges::any_of(node.inputs,
                               [this](ValueId id) { return id != kNoValue && unknown_[id] != Unknown::kNo; });
  }

  bool IsRunTime(ValueId id) const {
    if (id == kNoValue || IsConstant(id) || IsBatchInts(id)) return false;
    return unknown_[id] != Unknown::kImport;
  }

  absl::Status NotSupported(int index, const std::string& what) {
    unsupported_.Add(what, fmt::format("node '{}'", Printable(wiring_.nodes[index].name)));
    MarkUnknown(index);
    return absl::OkStatus();
  }

  void MarkUnknown(int index) {
    const bool at_run_time = std::ranges::any_of(
        wiring_.nodes[index].inputs, [this](ValueId id) { return id != kNoValue && IsRunTime(alias_[id]); });
    const bool is_shape = proto_.node(index).op_type() == "Shape";
    for (const ValueId id : wiring_.nodes[index].outputs) {
      if (id != kNoValue) unknown_[id] = at_run_time && !is_shape ? Unknown::kRunTime : Unknown::kImport;
    }
  }

  // A node whose inputs are not known: what is wrong with it beyond that is reported, what follows from them is not.
  absl::Status PlaceUnknown(int index, const Node& node) {
    MarkUnknown(index);
    const bool at_run_time =
        node.op_type != "Shape" && std::ranges::any_of(node.inputs, [this](ValueId id) { return IsRunTime(id); });
    if (!at_run_time || ops::FindOp(node.op_type) != nullptr) return absl::OkStatus();
    return NotSupported(index, RunTimeMessage(node));
  }

  static std::string RunTimeMessage(const Node& node) {
    return fmt::format("operator {} on values computed at run time", node.op_type);
  }

  // The one output that a node evaluated at import has.
  static absl::StatusOr<ValueId> OnlyOutput(const Node& node) {
    if (node.outputs.empty() || node.outputs[0] == kNoValue) return InvalidArgument("output 0 is missing");
    return node.outputs[0];
  }

  // Evaluates the node or puts it into the graph.
  absl::Status Place(int index, Node node) {
    BITPLAN_ASSIGN_OR_RETURN(const ValueId output, OnlyOutput(node));
    if (node.op_type == "Constant") return PlaceConstant(index, node, output);
    if (node.inputs.empty()) return InvalidArgument("no inputs");
    if (node.op_type == "Shape") return PlaceShape(node, output);
    if (!AllKnown(node)) return PlaceAtRunTime(index, std::move(node));
    if (node.op_type == "Identity") {
      alias_[output] = node.inputs[0];
      return absl::OkStatus();
    }
    if (CanFold(node.op_type)) {
      absl::Status folded = PlaceFolded(index, node, output);
      if (!absl::IsUnimplemented(folded)) return folded;
      if (ops::FindOp(node.op_type) == nullptr) {
        return NotSupported(index, fmt::format("{}: {}", node.op_type, MessageOf(folded)));
      }
    }
    return PlaceAtRunTime(index, std::move(node));
  }

  absl::Status PlaceConstant(int index, Node& node, ValueId output) {
    absl::StatusOr<Constant> constant = TakeConstant(node);
    if (absl::IsUnimplemented(constant.status())) {
      return NotSupported(index, fmt::format("Constant: {}", MessageOf(constant.status())));
    }
    if (!constant.ok()) return constant.status();
    SetConstant(output, *std::move(constant));
    return absl::OkStatus();
  }

  // --- evaluation at import ---

  absl::Status PlaceShape(const Node& node, ValueId output) {
    BatchInts result;
    for (int probe = 0; probe < kNumProbes; ++probe) {
      const ValueId input = node.inputs[0];
      const Shape& shape = IsBatchInts(input) ? batch_ints_.at(input)[probe].shape : shapes_[probe][input];
      BITPLAN_ASSIGN_OR_RETURN(result[probe].data, ShapePart(node, shape));
      result[probe].shape = {static_cast<int64_t>(result[probe].data.size())};
    }
    SetBatchInts(output, std::move(result));
    return absl::OkStatus();
  }

  absl::StatusOr<Shape> ShapePart(const Node& node, const Shape& shape) const {
    if (graph_.opset_version < kShapeHasRange) return shape;
    const auto rank = static_cast<int64_t>(shape.size());
    BITPLAN_ASSIGN_OR_RETURN(int64_t start, IntAttribute(node, "start", 0));
    BITPLAN_ASSIGN_OR_RETURN(int64_t end, IntAttribute(node, "end", rank));
    start = std::clamp<int64_t>(start < 0 ? start + rank : start, 0, rank);
    end = std::clamp<int64_t>(end < 0 ? end + rank : end, start, rank);
    return Shape(shape.begin() + start, shape.begin() + end);
  }

  void SetBatchInts(ValueId id, BatchInts ints) {
    if (ints[0].shape == ints[1].shape && ints[0].data == ints[1].data) {
      SetConstant(id, std::move(ints[0]));
    } else {
      batch_ints_[id] = std::move(ints);
    }
  }

  ConstantRef Ref(ValueId id, int probe) const {
    if (const auto found = batch_ints_.find(id); found != batch_ints_.end()) return found->second[probe];
    if (const auto* floats = std::get_if<Tensor>(&graph_.values[id].constant)) return *floats;
    return std::get<IntTensor>(graph_.values[id].constant);
  }

  absl::StatusOr<Constant> FoldAt(const Node& node, int probe) {
    std::vector<ConstantRef> refs;
    refs.reserve(node.inputs.size());
    FoldRequest request{.node = node,
                        .opset_version = graph_.opset_version,
                        .max_elements = limits_.max_folded_elements - folded_elements_};
    for (const ValueId id : node.inputs) {
      if (id != kNoValue) refs.push_back(Ref(id, probe));
      request.inputs.push_back(id == kNoValue ? nullptr : &refs.back());
    }
    BITPLAN_ASSIGN_OR_RETURN(Constant constant, Fold(request));
    BITPLAN_RETURN_IF_ERROR(CheckFolded(constant));
    return constant;
  }

  absl::Status CheckFolded(const Constant& constant) {
    const Shape& shape = std::visit([](const auto& tensor) -> const Shape& { return tensor.shape; }, constant);
    if (static_cast<int64_t>(shape.size()) > limits_.max_rank) {
      return InvalidArgument("a constant of {} dimensions, want at most {}", shape.size(), limits_.max_rank);
    }
    folded_elements_ += NumElements(shape);
    if (folded_elements_ > limits_.max_folded_elements) {
      return InvalidArgument("constants computed at import have more than {} elements", limits_.max_folded_elements);
    }
    const auto* floats = std::get_if<Tensor>(&constant);
    if (floats == nullptr) return absl::OkStatus();
    if (floats->data.empty()) return InvalidArgument("a constant of shape {} has no elements", ToString(shape));
    return CheckFinite(*floats);
  }

  absl::Status PlaceFolded(int index, const Node& node, ValueId output) {
    BITPLAN_ASSIGN_OR_RETURN(Constant first, FoldAt(node, 0));
    if (std::ranges::none_of(node.inputs, [this](ValueId id) { return id != kNoValue && IsBatchInts(id); })) {
      SetConstant(output, std::move(first));
      return absl::OkStatus();
    }
    BITPLAN_ASSIGN_OR_RETURN(Constant second, FoldAt(node, 1));
    if (!std::holds_alternative<IntTensor>(first) || !std::holds_alternative<IntTensor>(second)) {
      return NotSupported(index, fmt::format("{}: floating point from the number of samples", node.op_type));
    }
    SetBatchInts(output, {std::get<IntTensor>(std::move(first)), std::get<IntTensor>(std::move(second))});
    return absl::OkStatus();
  }

  // --- nodes that run ---

  // The target of a Reshape can say "as in the input" (0) and, once, "whatever is left" (-1); with these a size that
  // depends on the number of samples needs no number. No other operator can take such a size.
  absl::StatusOr<ValueId> AsConstant(const Node& node, size_t input) {
    const BatchInts& ints = batch_ints_.at(node.inputs[input]);
    BITPLAN_ASSIGN_OR_RETURN(const int64_t allow_zero, IntAttribute(node, "allowzero", 0));
    if (node.op_type != "Reshape" || input != 1 || ints[0].shape != ints[1].shape) {
      return Unimplemented("input {} depends on the number of samples", input);
    }
    IntTensor target = ints[0];
    for (size_t i = 0; i < target.data.size(); ++i) {
      if (ints[0].data[i] == ints[1].data[i]) continue;
      target.data[i] = allow_zero == 0 && IsInputSize(node.inputs[0], i, ints) ? 0 : -1;
    }
    if (std::ranges::count(target.data, -1) > 1) {
      return Unimplemented("more than one size depends on the number of samples");
    }
    const ValueId id = AddValue(fmt::format("{}#{}", graph_.values[node.inputs[input]].name, graph_.values.size()));
    SetConstant(id, std::move(target));
    return id;
  }

  // Whether entry i of `ints` is size i of the value, for each number of samples.
  bool IsInputSize(ValueId value, size_t i, const BatchInts& ints) const {
    for (int probe = 0; probe < kNumProbes; ++probe) {
      const Shape& shape = shapes_[probe][value];
      if (i >= shape.size() || shape[i] != ints[probe].data[i]) return false;
    }
    return true;
  }

  absl::Status PlaceAtRunTime(int index, Node node) {
    if (ops::FindOp(node.op_type) == nullptr) {
      return NotSupported(index, RunTimeMessage(node));
    }
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] == kNoValue || !IsBatchInts(node.inputs[i])) continue;
      const absl::StatusOr<ValueId> id = AsConstant(node, i);
      if (!id.ok()) return NotSupported(index, fmt::format("{}: {}", node.op_type, MessageOf(id.status())));
      node.inputs[i] = *id;
    }
    graph_.nodes.push_back(std::move(node));
    const absl::Status inferred = InferNode();
    if (inferred.ok()) return absl::OkStatus();
    const std::string reason = WithoutNode(MessageOf(inferred));
    const std::string op_type = graph_.nodes.back().op_type;
    graph_.nodes.pop_back();
    if (absl::IsUnimplemented(inferred)) return NotSupported(index, fmt::format("{}: {}", op_type, reason));
    return {inferred.code(), reason};
  }

  // Finds the shapes of the newest node's outputs, or its output itself if nothing in it depends on an input.
  absl::Status InferNode() {
    const int last = static_cast<int>(graph_.nodes.size()) - 1;
    for (int probe = 0; probe < kNumProbes; ++probe) {
      BITPLAN_ASSIGN_OR_RETURN(const std::unique_ptr<ops::Operator> op,
                               ops::MakeUnpreparedOperator(graph_, last, shapes_[probe]));
      BITPLAN_RETURN_IF_ERROR(TakeOutputShapes(*op, probe));
    }
    const Node& node = graph_.nodes.back();
    const bool constant =
        std::ranges::all_of(node.inputs, [&](ValueId id) { return id == kNoValue || IsConstant(id); });
    return constant && IsCheap(node.op_type) ? EvaluateLast() : absl::OkStatus();
  }

  absl::Status TakeOutputShapes(const ops::Operator& op, int probe) {
    const Node& node = graph_.nodes.back();
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] == kNoValue) continue;
      if (i >= op.output_shapes().size()) return Unimplemented("output {}", i);
      BITPLAN_RETURN_IF_ERROR(CheckComputedShape(op.output_shapes()[i], probe));
      if (probe == 0) BITPLAN_RETURN_IF_ERROR(CountActivations(op.output_shapes()[i]));
      shapes_[probe][node.outputs[i]] = op.output_shapes()[i];
    }
    return absl::OkStatus();
  }

  absl::Status CheckComputedShape(const Shape& shape, int probe) const {
    if (static_cast<int64_t>(shape.size()) > limits_.max_rank) {
      return InvalidArgument("an output of {} dimensions, want at most {}", shape.size(), limits_.max_rank);
    }
    if (std::ranges::any_of(shape, [](int64_t size) { return size < 1; })) {
      return InvalidArgument("an output of shape {}: sizes must be at least 1", ToString(shape));
    }
    if (CheckedNumElements(shape, limits_.max_activation_elements * batches_[probe]) < 0) {
      return InvalidArgument("an output of shape {}: more than {} elements a sample", ToString(shape),
                             limits_.max_activation_elements);
    }
    return absl::OkStatus();
  }

  absl::Status CountActivations(const Shape& shape) {
    activation_elements_ += NumElements(shape) / batches_[0];
    if (activation_elements_ <= limits_.max_total_activation_elements) return absl::OkStatus();
    return InvalidArgument("all outputs up to here have more than {} elements a sample",
                           limits_.max_total_activation_elements);
  }

  absl::Status CountReads(const std::vector<std::span<const float>>& reads) {
    for (const std::span<const float> read : reads) folded_reads_ += static_cast<int64_t>(read.size());
    if (folded_reads_ <= limits_.max_folded_reads) return absl::OkStatus();
    return InvalidArgument("constants computed at import read more than {} elements", limits_.max_folded_reads);
  }

  // Runs the newest node, all of whose inputs are constants, and takes it out of the graph again.
  absl::Status EvaluateLast() {
    const Node& node = graph_.nodes.back();
    const auto takes_floats = [&](ValueId id) {
      return id != kNoValue && std::holds_alternative<Tensor>(graph_.values[id].constant);
    };
    const ValueId output = node.outputs[0];
    const int64_t count = NumElements(shapes_[0][output]);
    if (node.outputs.size() != 1 || count > limits_.max_folded_elements - folded_elements_) return absl::OkStatus();
    std::vector<std::span<const float>> reads;
    reads.reserve(node.inputs.size());
    for (const ValueId id : node.inputs) {
      reads.push_back(takes_floats(id) ? std::span<const float>(std::get<Tensor>(graph_.values[id].constant).data)
                                       : std::span<const float>());
    }
    BITPLAN_RETURN_IF_ERROR(CountReads(reads));
    BITPLAN_ASSIGN_OR_RETURN(const std::unique_ptr<ops::Operator> op,
                             ops::MakeOperator(graph_, static_cast<int>(graph_.nodes.size()) - 1, shapes_[0]));
    Tensor result = Tensor::Zeros(shapes_[0][output]);
    const std::array<std::span<float>, 1> writes = {std::span<float>(result.data)};
    op->Forward(reads, writes);
    Constant constant(std::move(result));
    BITPLAN_RETURN_IF_ERROR(CheckFolded(constant));
    SetConstant(output, std::move(constant));
    graph_.nodes.pop_back();
    return absl::OkStatus();
  }

  GraphProto& proto_;
  const ParseLimits& limits_;
  Wiring wiring_;
  Graph graph_;
  UnsupportedReport unsupported_;
  std::array<int64_t, kNumProbes> batches_ = kProbeBatches;
  std::array<std::vector<Shape>, kNumProbes> shapes_;  // by ValueId
  std::vector<ValueId> alias_;                         // value behind Identity nodes; itself elsewhere
  std::vector<Unknown> unknown_;                       // what follows from something unsupported
  std::map<ValueId, BatchInts> batch_ints_;
  int64_t folded_elements_ = 0;
  int64_t folded_reads_ = 0;
  int64_t activation_elements_ = 0;  // of one sample
};

}  // namespace

absl::StatusOr<Graph> BuildGraph(GraphProto& proto, int64_t opset_version, const ParseLimits& limits) {
  return GraphBuilder(proto, opset_version, limits).Build();
}

}  // namespace bitplan::onnx
