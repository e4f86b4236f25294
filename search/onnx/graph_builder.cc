#include "search/onnx/graph_builder.h"

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <numeric>
#include <set>
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
bool IsImportOnly(std::string_view op_type) { return op_type == "Constant" || op_type == "Shape" || op_type == "Size"; }

bool IsShape(std::string_view op_type) { return op_type == "Shape" || op_type == "Size"; }

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
  GraphBuilder(GraphProto& proto, int64_t opset_version, const ParseOptions& options)
      : root_{.proto = &proto}, options_(options), limits_(options.limits) {
    graph_.name = IsPlainText(proto.name()) ? proto.name() : Printable(proto.name());
    graph_.opset_version = opset_version;
  }

  absl::StatusOr<Graph> Build() {
    BITPLAN_RETURN_IF_ERROR(Enter(root_));
    BITPLAN_RETURN_IF_ERROR(AddInputs());
    BITPLAN_RETURN_IF_ERROR(AddNodes());
    BITPLAN_RETURN_IF_ERROR(unsupported_.ToStatus());
    BITPLAN_RETURN_IF_ERROR(AddOutputs());
    DropUnusedValues(graph_);
    BITPLAN_RETURN_IF_ERROR(WithContext(ops::FindLayers(graph_), "onnx"));
    if (graph_.layers.layers.empty()) {
      return InvalidArgument("onnx: no layer: want a Conv, Gemm, MatMul or the like whose weight is a constant");
    }
    BITPLAN_RETURN_IF_ERROR(CheckWeights());
    BITPLAN_RETURN_IF_ERROR(CheckInvariants(graph_));
    return std::move(graph_);
  }

 private:
  // A graph of the file: the model's, or a branch inside it.
  struct Scope {
    GraphProto* proto = nullptr;
    Wiring wiring;
    Scope* outer = nullptr;
  };

  GraphProto& proto() { return *scope_->proto; }
  const Wiring& wiring() const { return scope_->wiring; }

  // Makes the graph of `scope` the one that is read; Leave goes back.
  absl::Status Enter(Scope& scope) {
    scope.outer = scope_;
    const WireScope place{.first_id = static_cast<ValueId>(graph_.values.size()),
                          .outer = scope_ == nullptr ? nullptr : &scope_->wiring};
    BITPLAN_ASSIGN_OR_RETURN(scope.wiring, Wire(*scope.proto, place, names_, limits_));
    scope_ = &scope;
    for (const std::string& name : wiring().value_names) AddValue(name);
    return DecodeInitializers();
  }
  void Leave() { scope_ = scope_->outer; }

  absl::Status AddNodes() {  // NOLINT(misc-no-recursion): a branch of If is a graph; max_graph_depth
    for (const int index : wiring().order) BITPLAN_RETURN_IF_ERROR(AddNode(index));
    return absl::OkStatus();
  }

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
    for (int i = 0; i < proto().initializer_size(); ++i) {
      onnx_wire::TensorProto& tensor = *proto().mutable_initializer(i);
      const std::string where = fmt::format("initializer[{}] '{}'", i, tensor.name());
      absl::StatusOr<Constant> constant = DecodeTensor(tensor, limits_);
      if (absl::IsUnimplemented(constant.status())) {
        unsupported_.Add(MessageOf(constant.status()), where);
        unknown_[wiring().initializers[i]] = Unknown::kImport;
        continue;
      }
      if (!constant.ok()) return WithContext(constant.status(), fmt::format("onnx: {}", where));
      SetConstant(wiring().initializers[i], *std::move(constant));
      const std::unique_ptr<std::string> freed(tensor.release_raw_data());
    }
    return absl::OkStatus();
  }

  // --- inputs and outputs ---

  absl::Status AddInputs() {
    if (wiring().inputs.empty()) return InvalidArgument("onnx: the graph has no input");
    BITPLAN_RETURN_IF_ERROR(CheckGivenNames());
    for (size_t i = 0; i < wiring().inputs.size(); ++i) {
      const onnx_wire::ValueInfoProto& input = proto().input(wiring().inputs[i]);
      const std::string where = fmt::format("input '{}'", input.name());
      const absl::Status added = AddInput(input, wiring().input_values[i]);
      if (absl::IsUnimplemented(added)) {
        unsupported_.Add(MessageOf(added), where);
        unknown_[wiring().input_values[i]] = Unknown::kRunTime;
      } else if (!added.ok()) {
        return WithContext(added, fmt::format("onnx: {}", where));
      }
    }
    return SetInputShapes();
  }

  absl::Status AddInput(const onnx_wire::ValueInfoProto& input, ValueId id) {
    if (const Constant* given = FindConstant(input.name())) {
      BITPLAN_ASSIGN_OR_RETURN(Constant constant,
                               FitConstant(input, *given, !options_.constants.contains(input.name())));
      SetConstant(id, std::move(constant));
      return absl::OkStatus();
    }
    const auto wanted = options_.input_shapes.find(input.name());
    const Shape* shape = wanted == options_.input_shapes.end() ? nullptr : &wanted->second;
    BITPLAN_ASSIGN_OR_RETURN(InputType type, ReadInputType(input, shape, FindDataShape(input.name()), limits_));
    graph_.values[id].integer = type.integer;
    graph_.inputs.push_back({.value = id, .shape = std::move(type.shape)});
    return absl::OkStatus();
  }

  // What an input is given for good; null: it stays an input.
  const Constant* FindConstant(std::string_view name) const {
    for (const auto* constants : {&options_.constants, &options_.data_constants}) {
      if (const auto given = constants->find(name); given != constants->end()) return &given->second;
    }
    return nullptr;
  }

  // The shape of the data that will be fed to an input; empty if not known.
  Shape FindDataShape(std::string_view name) {
    const bool alone = std::ranges::count_if(wiring().inputs, [this](int index) {
                         return FindConstant(proto().input(index).name()) == nullptr;
                       }) == 1;
    for (const std::string_view key : {name, std::string_view("images"), std::string_view("inputs")}) {
      const auto found = options_.data_shapes.find(key);
      if (found == options_.data_shapes.end() || (key != name && !alone)) continue;
      Shape shape = found->second;
      if (!shape.empty()) shape[0] = kDynamic;
      return shape;
    }
    return {};
  }

  absl::Status CheckGivenNames() {
    std::set<std::string_view> names;
    for (const int index : wiring().inputs) names.insert(proto().input(index).name());
    const auto check = [&](const auto& given) -> absl::Status {
      for (const auto& [name, value] : given) {
        if (!names.contains(name)) return InvalidArgument("onnx: the model has no input '{}'", Printable(name));
      }
      return absl::OkStatus();
    };
    BITPLAN_RETURN_IF_ERROR(check(options_.input_shapes));
    BITPLAN_RETURN_IF_ERROR(check(options_.data_constants));
    return check(options_.constants);
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
    for (size_t i = 0; i < wiring().outputs.size(); ++i) {
      const ValueId id = alias_[wiring().outputs[i]];
      if (IsConstant(id) || IsBatchInts(id)) {
        return InvalidArgument("onnx: output[{}] '{}' does not depend on the values of any input", i,
                               graph_.values[wiring().outputs[i]].name);
      }
      graph_.outputs.push_back(id);
    }
    return absl::OkStatus();
  }

  // Other constants may hold infinities: masks that are added to scores do.
  absl::Status CheckWeights() const {
    for (const LayerWeight& layer : graph_.layer_weights) {
      const Value& weight = graph_.values[layer.weight];
      BITPLAN_RETURN_IF_ERROR(
          WithContext(CheckFinite(std::get<Tensor>(weight.constant)), fmt::format("onnx: weight '{}'", weight.name)));
    }
    return absl::OkStatus();
  }

  // --- nodes ---

  absl::Status AddNode(int index) {  // NOLINT(misc-no-recursion): see AddNodes
    NodeProto& proto = *this->proto().mutable_node(index);
    const std::string where = fmt::format("node '{}'", wiring().nodes[index].name);
    if (!IsDefaultDomain(proto.domain())) {
      return NotSupported(index, fmt::format("operator {}.{}", Printable(proto.domain()), Printable(proto.op_type())));
    }
    if (proto.op_type() == "If") return PlaceIf(index);
    if (ops::FindOp(proto.op_type()) == nullptr && !CanFold(proto.op_type()) && !IsImportOnly(proto.op_type())) {
      return NotSupported(index, fmt::format("operator {}", Printable(proto.op_type())));
    }
    absl::StatusOr<Attributes> attributes = DecodeAttributes(proto, limits_);
    if (absl::IsUnimplemented(attributes.status())) {
      return NotSupported(index, fmt::format("{}: {}", proto.op_type(), MessageOf(attributes.status())));
    }
    if (!attributes.ok()) return WithContext(attributes.status(), fmt::format("onnx: {}", where));
    proto.clear_attribute();  // weights may be stored in them
    Node node{.name = wiring().nodes[index].name,
              .op_type = proto.op_type(),
              .outputs = ReadOutputs(index),
              .attributes = *std::move(attributes)};
    for (const ValueId id : wiring().nodes[index].inputs) node.inputs.push_back(Given(id));
    if (ReadsUnknown(node)) return PlaceUnknown(index, node);
    const absl::Status placed = Place(std::move(node));
    if (absl::IsUnimplemented(placed)) return NotSupported(index, MessageOf(placed));
    return WithContext(placed, fmt::format("onnx: {} ({})", where, proto.op_type()));
  }

  // What stands for an input of a node. An empty vector of floats says that an optional input is not given.
  ValueId Given(ValueId id) const {
    if (id == kNoValue) return id;
    const auto* floats = std::get_if<Tensor>(&graph_.values[alias_[id]].constant);
    return floats != nullptr && floats->data.empty() ? kNoValue : alias_[id];
  }

  // The node's outputs without those that nobody reads, such as the mask of a Dropout; output 0 stays.
  std::vector<ValueId> ReadOutputs(int index) const {
    std::vector<ValueId> outputs = wiring().nodes[index].outputs;
    for (size_t i = 1; i < outputs.size(); ++i) {
      if (outputs[i] != kNoValue && !wiring().IsRead(outputs[i])) outputs[i] = kNoValue;
    }
    if (scope_->proto->node(index).op_type() == "Split") return outputs;  // equal parts: as many as outputs
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
    unsupported_.Add(what, fmt::format("node '{}'", Printable(wiring().nodes[index].name)));
    MarkUnknown(index);
    return absl::OkStatus();
  }

  void MarkUnknown(int index) {
    const bool at_run_time = std::ranges::any_of(
        wiring().nodes[index].inputs, [this](ValueId id) { return id != kNoValue && IsRunTime(alias_[id]); });
    const bool is_shape = IsShape(proto().node(index).op_type());
    for (const ValueId id : wiring().nodes[index].outputs) {
      if (id != kNoValue) unknown_[id] = at_run_time && !is_shape ? Unknown::kRunTime : Unknown::kImport;
    }
  }

  // A node whose inputs are not known: what is wrong with it beyond that is reported, what follows from them is not.
  absl::Status PlaceUnknown(int index, const Node& node) {
    MarkUnknown(index);
    const bool at_run_time =
        !IsShape(node.op_type) && std::ranges::any_of(node.inputs, [this](ValueId id) { return IsRunTime(id); });
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

  // Evaluates the node or puts it into the graph. kUnimplemented says what of it is not supported.
  absl::Status Place(Node node) {  // NOLINT(misc-no-recursion): lowered nodes are not lowered again
    const ops::OpEntry* entry = ops::FindOp(node.op_type);
    if (entry != nullptr && entry->lower != nullptr) return PlaceAtRunTime(std::move(node));
    BITPLAN_ASSIGN_OR_RETURN(const ValueId output, OnlyOutput(node));
    if (node.op_type == "Constant") return PlaceConstant(node, output);
    if (std::ranges::all_of(node.inputs, [](ValueId id) { return id == kNoValue; })) {
      return InvalidArgument("no inputs");
    }
    if (IsShape(node.op_type)) return PlaceShape(node, output);
    if (!AllKnown(node)) return PlaceAtRunTime(std::move(node));
    if (node.op_type == "Identity") {
      alias_[output] = node.inputs[0];
      return absl::OkStatus();
    }
    if (node.op_type == "ConstantOfShape" && IsBatchInts(node.inputs[0]) && IsFloatFill(node)) {
      return PlaceFill(std::move(node));
    }
    if (node.op_type == "Split") return PlaceSplit(std::move(node));
    if (CanFold(node.op_type)) {
      absl::Status folded = PlaceFolded(node, output);
      if (!absl::IsUnimplemented(folded)) return folded;
      if (ops::FindOp(node.op_type) == nullptr) return Unimplemented("{}: {}", node.op_type, MessageOf(folded));
    }
    return PlaceAtRunTime(std::move(node));
  }

  // A constant in parts: each is a Slice, of which folding knows. Sizes: attribute or, from opset 13 on, input 1.
  absl::Status PlaceSplit(Node node) {  // NOLINT(misc-no-recursion)
    const Value& value = graph_.values[node.inputs[0]];
    const auto* ints = std::get_if<IntTensor>(&value.constant);
    if (ints == nullptr) return PlaceAtRunTime(std::move(node));
    BITPLAN_ASSIGN_OR_RETURN(int64_t axis, IntAttribute(node, "axis", 0));
    BITPLAN_ASSIGN_OR_RETURN(axis, ops::NormalizedAxis(axis, static_cast<int64_t>(ints->shape.size()), "axis"));
    BITPLAN_ASSIGN_OR_RETURN(std::vector<int64_t> sizes, IntsAttribute(node, "split", {}));
    if (node.inputs.size() > 1 && node.inputs[1] != kNoValue) {
      const auto* given = std::get_if<IntTensor>(&graph_.values[node.inputs[1]].constant);
      if (given == nullptr) return Unimplemented("Split: sizes that depend on the number of samples");
      sizes = given->data;
    }
    const auto parts = static_cast<int64_t>(node.outputs.size());
    const int64_t whole = ints->shape[axis];
    if (sizes.empty()) sizes.assign(parts, (whole + parts - 1) / parts);
    if (static_cast<int64_t>(sizes.size()) != parts) return InvalidArgument("split: want {} sizes", parts);
    Writer writer(*this, node.name);
    int64_t begin = 0;
    for (int64_t i = 0; i < parts; ++i) {
      const int64_t end = std::min(begin + sizes[i], whole);
      if (sizes[i] < 0 || end <= begin) return InvalidArgument("split: part {} of {} is empty", i, whole);
      std::vector<int64_t> indices(end - begin);
      std::iota(indices.begin(), indices.end(), begin);
      begin = end;
      if (node.outputs[i] == kNoValue) continue;
      BITPLAN_ASSIGN_OR_RETURN(alias_[node.outputs[i]], writer.Pick(node.inputs[0], axis, std::move(indices)));
    }
    return absl::OkStatus();
  }

  absl::Status PlaceConstant(Node& node, ValueId output) {
    absl::StatusOr<Constant> constant = TakeConstant(node);
    if (absl::IsUnimplemented(constant.status())) return Unimplemented("Constant: {}", MessageOf(constant.status()));
    if (!constant.ok()) return constant.status();
    SetConstant(output, *std::move(constant));
    return absl::OkStatus();
  }

  // A float tensor whose size depends on the number of samples: its one number, spread.
  static bool IsFloatFill(const Node& node) {
    const auto value = node.attributes.find("value");
    if (value == node.attributes.end()) return true;
    const auto* floats = std::get_if<Tensor>(&value->second);
    return floats != nullptr && floats->data.size() == 1;
  }
  absl::Status PlaceFill(Node node) {  // NOLINT(misc-no-recursion)
    const auto value = node.attributes.find("value");
    const float fill = value == node.attributes.end() ? 0.0F : std::get<Tensor>(value->second).data[0];
    const ValueId scalar = AddValue(fmt::format("{}#{}", node.name, graph_.values.size()));
    SetConstant(scalar, Tensor{.shape = {}, .data = {fill}});
    node.op_type = "Expand";
    node.inputs = {scalar, node.inputs[0]};
    node.attributes.clear();
    return PlaceAtRunTime(std::move(node));
  }

  // --- branches ---

  // The nodes of the branch that the condition picks, in place of the node. What the other branch holds is not read.
  absl::Status PlaceIf(int index) {  // NOLINT(misc-no-recursion): see AddNodes
    const Wiring::NodeEnds& ends = wiring().nodes[index];
    const std::string where = fmt::format("onnx: node '{}' (If)", ends.name);
    if (ends.inputs.size() != 1 || ends.inputs[0] == kNoValue) return InvalidArgument("{}: want one input", where);
    const ValueId condition = alias_[ends.inputs[0]];
    if (unknown_[condition] == Unknown::kImport) {
      MarkUnknown(index);
      return absl::OkStatus();
    }
    if (IsBatchInts(condition)) return NotSupported(index, "If: its condition depends on the number of samples");
    if (!IsConstant(condition)) return NotSupported(index, "If: its condition is computed at run time");
    absl::StatusOr<bool> taken = Truth(condition);
    if (!taken.ok()) return WithContext(taken.status(), where);
    GraphProto* branch = FindBranch(*proto().mutable_node(index), *taken ? "then_branch" : "else_branch");
    if (branch == nullptr) return InvalidArgument("{}: the branch it takes is missing", where);
    if (branch->input_size() > 0 || branch->output_size() != static_cast<int>(ends.outputs.size())) {
      return InvalidArgument("{}: a branch of {} inputs and {} outputs, want none and {}", where, branch->input_size(),
                             branch->output_size(), ends.outputs.size());
    }
    if (branch->sparse_initializer_size() > 0) return NotSupported(index, "If: sparse initializers in a branch");
    const std::vector<ValueId> outputs = ends.outputs;
    Scope scope{.proto = branch};
    BITPLAN_RETURN_IF_ERROR(WithContext(Enter(scope), where));
    BITPLAN_RETURN_IF_ERROR(AddNodes());
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i] != kNoValue) alias_[outputs[i]] = alias_[wiring().outputs[i]];
    }
    Leave();
    return absl::OkStatus();
  }

  absl::StatusOr<bool> Truth(ValueId condition) const {
    const Value& value = graph_.values[condition];
    const auto* floats = std::get_if<Tensor>(&value.constant);
    const auto* ints = std::get_if<IntTensor>(&value.constant);
    if ((floats != nullptr ? floats->data.size() : ints->data.size()) != 1) {
      return InvalidArgument("the condition has not one element");
    }
    return floats != nullptr ? floats->data[0] != 0 : ints->data[0] != 0;
  }

  static GraphProto* FindBranch(NodeProto& node, std::string_view name) {
    for (auto& attribute : *node.mutable_attribute()) {
      if (attribute.name() == name && attribute.has_g()) return attribute.mutable_g();
    }
    return nullptr;
  }

  // --- evaluation at import ---

  absl::Status PlaceShape(const Node& node, ValueId output) {
    BatchInts result;
    for (int probe = 0; probe < kNumProbes; ++probe) {
      const ValueId input = node.inputs[0];
      const Shape& shape = IsBatchInts(input) ? batch_ints_.at(input)[probe].shape : shapes_[probe][input];
      if (node.op_type == "Size") {
        result[probe].data = {NumElements(shape)};
        continue;
      }
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
    return CheckNoNan(*floats);
  }

  absl::Status PlaceFolded(const Node& node, ValueId output) {
    BITPLAN_ASSIGN_OR_RETURN(Constant first, FoldAt(node, 0));
    if (std::ranges::none_of(node.inputs, [this](ValueId id) { return id != kNoValue && IsBatchInts(id); })) {
      SetConstant(output, std::move(first));
      return absl::OkStatus();
    }
    BITPLAN_ASSIGN_OR_RETURN(Constant second, FoldAt(node, 1));
    if (!std::holds_alternative<IntTensor>(first) || !std::holds_alternative<IntTensor>(second)) {
      return Unimplemented("floating point from the number of samples");
    }
    SetBatchInts(output, {std::get<IntTensor>(std::move(first)), std::get<IntTensor>(std::move(second))});
    return absl::OkStatus();
  }

  // --- nodes that run ---

  // Sizes that depend on the number of samples need no number where the operator can say them otherwise. kUnimplemented
  // where it cannot.
  absl::StatusOr<ValueId> AsConstant(const Node& node, size_t input) {
    const BatchInts& ints = batch_ints_.at(node.inputs[input]);
    if (ints[0].shape != ints[1].shape) return Unimplemented("input {} depends on the number of samples", input);
    IntTensor target = ints[0];
    if (node.op_type == "Reshape" && input == 1) {
      BITPLAN_RETURN_IF_ERROR(WriteReshapeTarget(node, ints, target));
    } else if (node.op_type == "Expand" && input == 1) {
      BITPLAN_RETURN_IF_ERROR(WriteExpandTarget(ints, target));
    } else if (node.op_type == "Resize" && input == 3) {
      BITPLAN_RETURN_IF_ERROR(WriteSizes(node, ints, target));
    } else {
      return Unimplemented("input {} depends on the number of samples", input);
    }
    const ValueId id = AddValue(fmt::format("{}#{}", graph_.values[node.inputs[input]].name, graph_.values.size()));
    SetConstant(id, std::move(target));
    return id;
  }

  // "As in the input" (0) and, once, "whatever is left" (-1).
  absl::Status WriteReshapeTarget(const Node& node, const BatchInts& ints, IntTensor& target) const {
    BITPLAN_ASSIGN_OR_RETURN(const int64_t allow_zero, IntAttribute(node, "allowzero", 0));
    for (size_t i = 0; i < target.data.size(); ++i) {
      if (ints[0].data[i] == ints[1].data[i]) continue;
      target.data[i] = allow_zero == 0 && IsInputSize(node.inputs[0], i, ints) ? 0 : -1;
    }
    if (std::ranges::count(target.data, -1) <= 1) return absl::OkStatus();
    return Unimplemented("more than one size depends on the number of samples");
  }

  // -k: k times the number of samples (IntTensor).
  absl::Status WriteExpandTarget(const BatchInts& ints, IntTensor& target) const {
    for (size_t i = 0; i < target.data.size(); ++i) {
      if (ints[0].data[i] == ints[1].data[i]) continue;
      const int64_t factor = ints[0].data[i] / batches_[0];
      if (factor < 1 || factor * batches_[0] != ints[0].data[i] || factor * batches_[1] != ints[1].data[i]) {
        return Unimplemented("a size that is no multiple of the number of samples");
      }
      target.data[i] = -factor;
    }
    return absl::OkStatus();
  }

  // 0: as in the input.
  absl::Status WriteSizes(const Node& node, const BatchInts& ints, IntTensor& target) const {
    for (size_t i = 0; i < target.data.size(); ++i) {
      if (ints[0].data[i] == ints[1].data[i]) continue;
      if (!IsInputSize(node.inputs[0], i, ints)) return Unimplemented("a size that depends on the number of samples");
      target.data[i] = 0;
    }
    return absl::OkStatus();
  }

  // Whether entry i of `ints` is size i of the value, for each number of samples.
  bool IsInputSize(ValueId value, size_t i, const BatchInts& ints) const {
    for (int probe = 0; probe < kNumProbes; ++probe) {
      const Shape& shape = shapes_[probe][value];
      if (i >= shape.size() || shape[i] != ints[probe].data[i]) return false;
    }
    return true;
  }

  absl::Status PlaceAtRunTime(Node node) {  // NOLINT(misc-no-recursion)
    const ops::OpEntry* entry = ops::FindOp(node.op_type);
    if (entry == nullptr) return Unimplemented("{}", RunTimeMessage(node));
    if (static_cast<int64_t>(graph_.nodes.size()) >= limits_.max_nodes) {
      return InvalidArgument("more than {} nodes", limits_.max_nodes);
    }
    if (entry->lower != nullptr) return Lower(*entry, node);
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] == kNoValue || !IsBatchInts(node.inputs[i])) continue;
      const absl::StatusOr<ValueId> id = AsConstant(node, i);
      if (!id.ok()) return WithContext(id.status(), node.op_type);
      node.inputs[i] = *id;
    }
    graph_.nodes.push_back(std::move(node));
    const absl::Status inferred = InferNode();
    if (inferred.ok()) return absl::OkStatus();
    const std::string reason = WithoutNode(MessageOf(inferred));
    const std::string op_type = graph_.nodes.back().op_type;
    graph_.nodes.pop_back();
    if (absl::IsUnimplemented(inferred)) return Unimplemented("{}: {}", op_type, reason);
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
    const bool integer = ops::HasIntegerResult(graph_, node);
    for (const ValueId id : node.outputs) {
      if (id != kNoValue) graph_.values[id].integer = integer;
    }
    const bool constant =
        std::ranges::all_of(node.inputs, [&](ValueId id) { return id == kNoValue || IsConstant(id); }) &&
        shapes_[0][node.outputs[0]] == shapes_[1][node.outputs[0]];
    return constant && IsCheap(node.op_type) ? EvaluateLast() : absl::OkStatus();
  }

  // --- nodes that simpler ones stand for ---

  class Writer final : public ops::NodeWriter {
   public:
    Writer(GraphBuilder& builder, std::string name)
        : NodeWriter(builder.graph_.opset_version), builder_(builder), name_(std::move(name)) {}

    Shape shape(ValueId id) const override {
      Shape shape = builder_.shapes_[0][id];
      for (size_t i = 0; i < shape.size(); ++i) {
        if (shape[i] != builder_.shapes_[1][id][i]) shape[i] = kDynamic;
      }
      return shape;
    }
    const Value& value(ValueId id) const override { return builder_.graph_.values[id]; }
    ValueId AddConstant(std::variant<Tensor, IntTensor> constant) override {
      const ValueId id = builder_.AddValue(fmt::format("{}#{}", name_, builder_.graph_.values.size()));
      builder_.SetConstant(id, std::move(constant));
      return id;
    }
    absl::StatusOr<ValueId> AddNode(  // NOLINT(misc-no-recursion)
        const std::string& op_type, std::vector<ValueId> inputs, Attributes attributes) override {
      const ValueId id = builder_.AddValue(fmt::format("{}#{}", name_, builder_.graph_.values.size()));
      BITPLAN_RETURN_IF_ERROR(builder_.Place(Node{.name = builder_.names_.Unique(name_ + "/" + op_type),
                                                  .op_type = op_type,
                                                  .inputs = std::move(inputs),
                                                  .outputs = {id},
                                                  .attributes = std::move(attributes)}));
      return builder_.alias_[id];
    }

   private:
    GraphBuilder& builder_;
    std::string name_;
  };

  absl::Status Lower(const ops::OpEntry& entry, const Node& node) {  // NOLINT(misc-no-recursion)
    if (graph_.opset_version < entry.min_opset || graph_.opset_version > entry.max_opset) {
      return Unimplemented("{}: opset {} is not supported, want {}..{}", node.op_type, graph_.opset_version,
                           entry.min_opset, entry.max_opset);
    }
    if (std::ranges::any_of(node.inputs, [this](ValueId id) { return id != kNoValue && IsBatchInts(id); })) {
      return Unimplemented("{}: an input depends on the number of samples", node.op_type);
    }
    Writer writer(*this, node.name);
    const absl::StatusOr<std::vector<ValueId>> outputs = entry.lower(node, writer);
    if (!outputs.ok()) return WithContext(outputs.status(), node.op_type);
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] == kNoValue) continue;
      if (i >= outputs->size() || (*outputs)[i] == kNoValue) return Unimplemented("{}: output {}", node.op_type, i);
      alias_[node.outputs[i]] = (*outputs)[i];
    }
    return absl::OkStatus();
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

  Scope root_;
  Scope* scope_ = nullptr;
  NodeNames names_;
  const ParseOptions& options_;
  const ParseLimits& limits_;
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

absl::StatusOr<Graph> BuildGraph(GraphProto& proto, int64_t opset_version, const ParseOptions& options) {
  return GraphBuilder(proto, opset_version, options).Build();
}

}  // namespace bitplan::onnx
