#include "search/onnx/qdq_writer.h"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

#include "search/base/status.h"
#include "search/base/text.h"
#include "search/onnx/onnx_wire.pb.h"
#include "search/onnx/raise_opset.h"
#include "search/onnx/tensor_decode.h"
#include "search/onnx/wire_build.h"
#include "search/onnx/wire_scan.h"
#include "search/ops/infer_shapes.h"

namespace bitplan::onnx {
namespace {

using onnx_wire::GraphProto;
using onnx_wire::ModelProto;
using onnx_wire::NodeProto;

// The first opset that has a form of DequantizeLinear.
constexpr int64_t kTensorOpset = 10;
constexpr int64_t kChannelOpset = 13;  // axis; Clip with inputs is older
constexpr int64_t kFloat8Opset = 19;
constexpr int64_t kBlockOpset = 21;  // also 4-bit and 16-bit types

constexpr int kByteBits = 8;
constexpr int32_t kMaxUint8 = 255;
constexpr int32_t kMaxUint16 = 65535;

// How codes are stored.
struct StorageType {
  std::string_view name;
  int data_type = 0;  // TensorProto.DataType
  int bits = 8;
  int32_t min_code = 0;
  int32_t max_code = 0;
};
// Of integers, the narrowest first.
constexpr auto kIntegerTypes = std::to_array<StorageType>({
    {.name = "int4", .data_type = 22, .bits = 4, .min_code = -8, .max_code = 7},
    {.name = "uint4", .data_type = 21, .bits = 4, .min_code = 0, .max_code = 15},
    {.name = "int8", .data_type = kTypeInt8, .bits = 8, .min_code = -128, .max_code = 127},
    {.name = "uint8", .data_type = kTypeUint8, .bits = 8, .min_code = 0, .max_code = kMaxUint8},
});
constexpr StorageType kUint16 = {
    .name = "uint16", .data_type = kTypeUint16, .bits = 16, .min_code = 0, .max_code = kMaxUint16};
constexpr StorageType kFloat8E4M3 = {
    .name = "float8e4m3fn", .data_type = 17, .bits = 8, .min_code = 0, .max_code = kMaxUint8};
constexpr StorageType kFloat8E5M2 = {
    .name = "float8e5m2", .data_type = 19, .bits = 8, .min_code = 0, .max_code = kMaxUint8};

constexpr std::string_view kInDequantizedForm = "float";

// A weight's slices: [outer, channels, inner] in storage order.
struct Slices {
  int64_t outer = 1;
  int64_t channels = 1;
  int64_t inner = 1;

  int64_t length() const { return outer * inner; }
};

Slices SlicesOf(const Shape& shape, int axis) {
  Slices slices{.outer = 1, .channels = shape[axis], .inner = 1};
  for (int i = 0; i < std::ssize(shape); ++i) {
    if (i < axis) slices.outer *= shape[i];
    if (i > axis) slices.inner *= shape[i];
  }
  return slices;
}

const Tensor* WeightOf(const Graph& graph, ValueId id) {
  if (id < 0 || id >= std::ssize(graph.values)) return nullptr;
  return std::get_if<Tensor>(&graph.values[id].constant);
}

int64_t NumGroups(const QdqWeight& weight, const Shape& shape) {
  if (weight.block_size == 0) return weight.scales.size() == 1 ? 1 : shape[weight.channel_axis];
  const Slices slices = SlicesOf(shape, weight.channel_axis);
  return slices.channels * ((slices.length() + weight.block_size - 1) / weight.block_size);
}

absl::Status CheckCodes(const QdqWeight& weight, const Shape& shape) {
  if (weight.codes.empty()) return absl::OkStatus();
  const StorageType& widest = weight.kind == CodeKind::kInteger ? kIntegerTypes.back() : kFloat8E4M3;
  const auto [low, high] = std::ranges::minmax(weight.codes);
  if (low < -widest.max_code / 2 - 1 || high > widest.max_code || (low < 0 && high > widest.max_code / 2)) {
    return InvalidArgument("codes {}..{}: want 8 bits", low, high);
  }
  if (weight.codes.size() != weight.values.size()) {
    return InvalidArgument("{} codes for {} values", weight.codes.size(), weight.values.size());
  }
  if (weight.block_size < 0 || weight.channel_axis < 0 || weight.channel_axis >= std::ssize(shape)) {
    return InvalidArgument("channel_axis {}, block_size {}: shape is {}", weight.channel_axis, weight.block_size,
                           ToString(shape));
  }
  const int64_t groups = NumGroups(weight, shape);
  const int64_t zero_points = weight.kind == CodeKind::kInteger ? groups : 0;
  if (std::ssize(weight.scales) == groups && std::ssize(weight.zero_points) == zero_points) return absl::OkStatus();
  return InvalidArgument("{} scales and {} zero points for {} groups", weight.scales.size(), weight.zero_points.size(),
                         groups);
}

absl::Status CheckRequest(const QdqRequest& request) {
  for (size_t i = 0; i < request.weights.size(); ++i) {
    const QdqWeight& weight = request.weights[i];
    const Tensor* tensor = WeightOf(request.graph, weight.weight);
    if (tensor == nullptr || tensor->data.size() != weight.values.size()) {
      return InvalidArgument("weights[{}]: is no constant of the graph of {} elements", i, weight.values.size());
    }
    BITPLAN_RETURN_IF_ERROR(WithContext(CheckCodes(weight, tensor->shape), fmt::format("weights[{}]", i)));
  }
  for (size_t i = 0; i < request.activations.size(); ++i) {
    const QdqActivation& activation = request.activations[i];
    const bool known = activation.value >= 0 && activation.value < std::ssize(request.graph.values);
    if (!known || activation.max_code < 1 || activation.max_code > kMaxUint16 || activation.zero_point < 0 ||
        activation.zero_point > activation.max_code) {
      return InvalidArgument("activations[{}]: codes 0..{} with zero point {}, want at most 0..{} and one of them", i,
                             activation.max_code, activation.zero_point, kMaxUint16);
    }
  }
  return absl::OkStatus();
}

// Whether no block is shorter than the others: then they may be stored as rows.
bool HasWholeBlocks(const QdqWeight& weight) {
  return std::ssize(weight.scales) * weight.block_size == std::ssize(weight.codes);
}

// The least opset in which a weight can be stored in the type; 0: in none.
int64_t LeastOpset(const QdqWeight& weight, const StorageType& type) {
  if (type.bits < kByteBits) return kBlockOpset;
  if (weight.block_size > 0 && !HasWholeBlocks(weight)) return 0;
  if (weight.kind != CodeKind::kInteger) return kFloat8Opset;
  return weight.block_size == 0 && weight.scales.size() == 1 ? kTensorOpset : kChannelOpset;
}

// The narrowest type that holds the codes and zero points and that `opset` has; null: none, or no codes.
const StorageType* TypeOf(const QdqWeight& weight, int64_t opset) {
  if (weight.codes.empty()) return nullptr;
  const auto fits = [&](const StorageType& type) {
    const int64_t least = LeastOpset(weight, type);
    return least > 0 && least <= opset;
  };
  if (weight.kind != CodeKind::kInteger) {
    const StorageType& type = weight.kind == CodeKind::kFloat8E4M3 ? kFloat8E4M3 : kFloat8E5M2;
    return fits(type) ? &type : nullptr;
  }
  auto [low, high] = std::ranges::minmax(weight.codes);
  const auto [low_zero, high_zero] = std::ranges::minmax(weight.zero_points);
  low = std::min(low, low_zero);
  high = std::max(high, high_zero);
  for (const StorageType& type : kIntegerTypes) {
    if (fits(type) && low >= type.min_code && high <= type.max_code) return &type;
  }
  return nullptr;
}

bool NeedsClip(const QdqActivation& activation) {
  return activation.max_code != kMaxUint8 && activation.max_code != kMaxUint16;
}

// The least opset that can hold the activation.
int64_t OpsetFor(const QdqActivation& activation) {
  if (activation.max_code > kMaxUint8) return kBlockOpset;
  return NeedsClip(activation) ? kChannelOpset : kTensorOpset;
}

// The least opset in which a weight has the best type that it can have up to opset `ceiling`; 0: none.
int64_t OpsetFor(const QdqWeight& weight, int64_t ceiling = kBlockOpset) {
  const StorageType* best = TypeOf(weight, ceiling);
  return best == nullptr ? 0 : LeastOpset(weight, *best);
}

// Calls visit(node) for all nodes of the graph and of the graphs in them.
template <typename Visit>
void ForEachNode(GraphProto& graph, const Visit& visit) {  // NOLINT(misc-no-recursion): max_graph_depth
  for (NodeProto& node : *graph.mutable_node()) {
    visit(node);
    for (auto& attribute : *node.mutable_attribute()) {
      if (attribute.has_g()) ForEachNode(*attribute.mutable_g(), visit);
    }
  }
}

// Outputs of nested graphs may be values of outer ones.
void ForEachRead(GraphProto& graph, bool is_outermost,  // NOLINT(misc-no-recursion): max_graph_depth
                 std::map<std::string, int, std::less<>>& reads) {
  for (NodeProto& node : *graph.mutable_node()) {
    for (const std::string& input : node.input()) ++reads[input];
    for (auto& attribute : *node.mutable_attribute()) {
      if (attribute.has_g()) ForEachRead(*attribute.mutable_g(), false, reads);
    }
  }
  if (!is_outermost) {
    for (const auto& output : graph.output()) ++reads[output.name()];
  }
}

absl::Status CheckFloat32(const ModelProto& model) {
  const auto is_other = [](int type) { return IsFloatType(type) && type != kTypeFloat; };
  const auto refuse = [](const std::string& name, int type) {
    return Unimplemented("onnx: '{}' is {}: want a model of float32 to write quantized tensors into", Printable(name),
                         TypeName(type));
  };
  for (const auto& tensor : model.graph().initializer()) {
    if (tensor.dims_size() >= 2 && is_other(tensor.data_type())) return refuse(tensor.name(), tensor.data_type());
  }
  for (const auto& input : model.graph().input()) {
    const int type = input.type().tensor_type().elem_type();
    if (is_other(type)) return refuse(input.name(), type);
  }
  for (const NodeProto& node : model.graph().node()) {
    for (const auto& attribute : node.attribute()) {
      if (attribute.t().dims_size() >= 2 && is_other(attribute.t().data_type())) {
        return refuse(node.name(), attribute.t().data_type());
      }
    }
  }
  return absl::OkStatus();
}

std::map<std::string, int> RanksOf(const Graph& graph) {
  std::map<std::string, int> ranks;
  const absl::StatusOr<int64_t> fixed = ops::FixedBatch(graph);
  if (!fixed.ok()) return ranks;
  const absl::StatusOr<std::vector<Shape>> shapes = ops::InferShapes(graph, std::max<int64_t>(*fixed, 1));
  if (!shapes.ok()) return ranks;
  for (size_t i = 0; i < shapes->size(); ++i) ranks[graph.values[i].name] = static_cast<int>((*shapes)[i].size());
  return ranks;
}

class Editor {
 public:
  Editor(ModelProto& model, const QdqRequest& request) : model_(model), request_(request) {}

  absl::StatusOr<QdqModel> Run() {
    QdqModel result;
    RaiseAsNeeded();
    opset_ = OpsetOf(model_);
    result.opset_version = opset_;
    names_.Add(graph());
    FindNodes();
    before_.resize(graph().node_size() + 1);
    for (const QdqWeight& weight : request_.weights) result.weights.push_back(WriteWeight(weight));
    DropUnread();
    for (const QdqActivation& activation : request_.activations) {
      result.activations.push_back(WriteActivation(activation));
    }
    InsertNodes();
    for (onnx_wire::TensorProto& tensor : tensors_) *graph().add_initializer() = std::move(tensor);
    const size_t size = model_.ByteSizeLong();
    if (std::cmp_greater(size, std::numeric_limits<int>::max()) || !model_.SerializeToString(&result.bytes)) {
      return ResourceExhausted("onnx: the quantized model would have {} bytes, more than a file can have", size);
    }
    return result;
  }

 private:
  GraphProto& graph() { return *model_.mutable_graph(); }
  const Value& value(ValueId id) const { return request_.graph.values[id]; }

  // --- opset ---

  void RaiseAsNeeded() {
    const std::map<std::string, int> ranks = RanksOf(request_.graph);
    for (int64_t wanted = WantedOpset(kBlockOpset); wanted > 0; wanted = WantedOpset(wanted - 1)) {
      const absl::Status raised = RaiseOpset(model_, wanted, ranks);
      if (raised.ok()) return;
      if (not_raised_.empty()) not_raised_ = MessageOf(raised);
    }
  }

  int64_t WantedOpset(int64_t ceiling) const {
    int64_t wanted = 0;
    for (const QdqWeight& weight : request_.weights) wanted = std::max(wanted, OpsetFor(weight, ceiling));
    for (const QdqActivation& activation : request_.activations) {
      if (OpsetFor(activation) <= ceiling) wanted = std::max(wanted, OpsetFor(activation));
    }
    return wanted;
  }

  std::string WhyOpset(int64_t wanted) const {
    return fmt::format("it takes opset {}, the model has {} ({})", wanted, opset_, not_raised_);
  }

  // --- where the graph's nodes and values are in the file ---

  void FindNodes() {
    for (int i = 0; i < graph().node_size(); ++i) {
      for (int k = 0; k < graph().node(i).output_size(); ++k) {
        producer_.try_emplace(graph().node(i).output(k), std::pair(i, k));
      }
    }
  }

  // The node of the file that a node of the network stands for; null where it was made by the importer or stands in a
  // graph inside a node.
  NodeProto* FindNode(const Node& node) {
    if (node.outputs.empty() || node.outputs[0] == kNoValue) return nullptr;
    const auto found = producer_.find(value(node.outputs[0]).name);
    if (found == producer_.end()) return nullptr;
    NodeProto* proto = graph().mutable_node(found->second.first);
    return proto->op_type() == node.op_type ? proto : nullptr;
  }

  struct Read {
    NodeProto* node = nullptr;
    int input = 0;
  };

  // Who reads a constant; empty where a reader is not in the file.
  std::vector<Read> FindReads(ValueId id) {
    std::vector<Read> reads;
    for (const Node& node : request_.graph.nodes) {
      for (int i = 0; i < std::ssize(node.inputs); ++i) {
        if (node.inputs[i] != id) continue;
        NodeProto* proto = FindNode(node);
        if (proto == nullptr || i >= proto->input_size()) return {};
        reads.push_back({.node = proto, .input = i});
      }
    }
    return reads;
  }

  // --- weights ---

  QdqStorage WriteWeight(const QdqWeight& weight) {
    const std::vector<Read> reads = FindReads(weight.weight);
    if (reads.empty()) {
      return {.type = "", .reason = "the importer rewrote the operator that reads it, the file has no such operand"};
    }
    const StorageType* type = TypeOf(weight, opset_);
    const std::string& name = value(weight.weight).name;
    const std::string read = type == nullptr ? AddFloats(weight, name) : AddCodes(weight, *type, name);
    for (const Read& place : reads) {
      maybe_unread_.insert(place.node->input(place.input));
      place.node->set_input(place.input, read);
    }
    QdqStorage storage{.type = std::string(type == nullptr ? kInDequantizedForm : type->name), .reason = {}};
    const int64_t wanted = OpsetFor(weight);
    if (wanted > opset_) storage.reason = WhyOpset(wanted);
    return storage;
  }

  const Shape& ShapeOf(const QdqWeight& weight) const { return std::get<Tensor>(value(weight.weight).constant).shape; }

  std::string AddFloats(const QdqWeight& weight, const std::string& name) {
    std::string fresh = names_.Fresh(name + "_dequantized");
    tensors_.push_back(FloatTensor(fresh, ShapeOf(weight), weight.values));
    return fresh;
  }

  std::string AddCodes(const QdqWeight& weight, const StorageType& type, const std::string& name) {
    if (weight.block_size > 0) return AddBlocks(weight, type, name);
    const Shape& shape = ShapeOf(weight);
    const bool per_tensor = weight.scales.size() == 1;
    const Shape scale_shape = per_tensor ? Shape{} : Shape{shape[weight.channel_axis]};
    NodeProto node =
        Dequantize({.name = name, .type = type}, shape, weight.codes, scale_shape, weight.scales, weight.zero_points);
    if (!per_tensor) SetIntAttribute(node, "axis", weight.channel_axis);
    std::string output = node.output(0);
    before_[0].push_back(std::move(node));
    return output;
  }

  struct Stored {
    const std::string& name;
    const StorageType& type;
  };

  // Initializers and the node; no zero points: all are zero.
  NodeProto Dequantize(const Stored& stored, const Shape& shape, std::span<const int32_t> codes,
                       const Shape& scale_shape, std::span<const float> scales, std::span<const int32_t> zero_points) {
    const std::string quantized = names_.Fresh(stored.name + "_quantized");
    const std::string scale = names_.Fresh(stored.name + "_scale");
    const std::string zero_point = names_.Fresh(stored.name + "_zero_point");
    const std::vector<int32_t> zeros(scales.size(), 0);
    const StorageType& type = stored.type;
    tensors_.push_back(CodeTensor(quantized, shape, codes, type.data_type, type.bits));
    tensors_.push_back(FloatTensor(scale, scale_shape, scales));
    tensors_.push_back(CodeTensor(zero_point, scale_shape, zero_points.empty() ? std::span(zeros) : zero_points,
                                  type.data_type, type.bits));
    return MakeNode({.op_type = "DequantizeLinear",
                     .name = names_.Fresh(stored.name + "_DequantizeLinear"),
                     .inputs = {quantized, scale, zero_point},
                     .output = names_.Fresh(stored.name + "_dequantized")});
  }

  std::string AddBlocks(const QdqWeight& weight, const StorageType& type, const std::string& name) {
    const Slices slices = SlicesOf(ShapeOf(weight), weight.channel_axis);
    const Stored stored{.name = name, .type = type};
    return type.bits == kByteBits ? AddRows(weight, stored, slices) : AddNibbleBlocks(weight, stored, slices);
  }

  // A row a block, each with its scale. Not blocked, which runtimes have fast paths for where codes have 4 bits, and
  // take for a scale a channel where they have 8 (ONNX Runtime 1.20, MatMulIntegerToFloat).
  std::string AddRows(const QdqWeight& weight, const Stored& stored, const Slices& slices) {
    const int64_t rows = std::ssize(weight.scales);
    NodeProto node = Dequantize(stored, {rows, weight.block_size}, CodesBySlice(weight.codes, slices), {rows},
                                weight.scales, weight.zero_points);
    SetIntAttribute(node, "axis", 0);
    const std::string output = node.output(0);
    before_[0].push_back(std::move(node));
    return AddLayout(output, stored.name, ShapeOf(weight), weight.channel_axis);
  }

  // Blocks along one axis where the slices of the weight lie along one; else of a matrix of slices.
  std::string AddNibbleBlocks(const QdqWeight& weight, const Stored& stored, const Slices& slices) {
    const Shape& shape = ShapeOf(weight);
    const int64_t blocks = std::ssize(weight.scales) / slices.channels;
    if (shape.size() == 2 && weight.channel_axis == 1) {
      const auto transposed = [&](const auto& by_slice) {
        std::decay_t<decltype(by_slice)> result(by_slice.size());
        for (size_t i = 0; i < by_slice.size(); ++i) {
          result[i % blocks * slices.channels + i / blocks] = by_slice[i];
        }
        return result;
      };
      NodeProto node = Dequantize(stored, shape, weight.codes, {blocks, slices.channels}, transposed(weight.scales),
                                  transposed(weight.zero_points));
      return FinishBlocks(std::move(node), 0, weight.block_size);
    }
    const std::vector<int32_t> rows = CodesBySlice(weight.codes, slices);
    NodeProto node = Dequantize(stored, {slices.channels, slices.length()}, rows, {slices.channels, blocks},
                                weight.scales, weight.zero_points);
    std::string matrix = FinishBlocks(std::move(node), 1, weight.block_size);
    if (shape.size() == 2) return matrix;
    return AddLayout(matrix, stored.name, shape, weight.channel_axis);
  }

  std::string FinishBlocks(NodeProto node, int64_t axis, int64_t block_size) {
    SetIntAttribute(node, "axis", axis);
    SetIntAttribute(node, "block_size", block_size);
    std::string output = node.output(0);
    before_[0].push_back(std::move(node));
    return output;
  }

  static std::vector<int32_t> CodesBySlice(const std::vector<int32_t>& codes, const Slices& slices) {
    std::vector<int32_t> rows;
    rows.reserve(codes.size());
    for (int64_t c = 0; c < slices.channels; ++c) {
      for (int64_t o = 0; o < slices.outer; ++o) {
        const auto first = codes.begin() + (o * slices.channels + c) * slices.inner;
        rows.insert(rows.end(), first, first + slices.inner);
      }
    }
    return rows;
  }

  // What holds the weight slice by slice, in the weight's shape.
  std::string AddLayout(const std::string& matrix, const std::string& name, const Shape& shape, int axis) {
    Shape sliced = {shape[axis]};
    std::vector<int64_t> perm(shape.size());  // from the sliced shape to the weight's
    for (int i = 0; i < std::ssize(shape); ++i) {
      if (i != axis) sliced.push_back(shape[i]);
      perm[i] = i == axis ? 0 : (i < axis ? i + 1 : i);
    }
    const std::string target = names_.Fresh(name + "_shape");
    tensors_.push_back(Int64Tensor(target, {std::ssize(sliced)}, sliced));
    before_[0].push_back(MakeNode({.op_type = "Reshape",
                                   .name = names_.Fresh(name + "_Reshape"),
                                   .inputs = {matrix, target},
                                   .output = names_.Fresh(name + "_reshaped")}));
    std::string reshaped = before_[0].back().output(0);
    if (axis == 0) return reshaped;
    NodeProto transpose = MakeNode({.op_type = "Transpose",
                                    .name = names_.Fresh(name + "_Transpose"),
                                    .inputs = {reshaped},
                                    .output = names_.Fresh(name + "_transposed")});
    SetIntsAttribute(transpose, "perm", perm);
    std::string output = transpose.output(0);
    before_[0].push_back(std::move(transpose));
    return output;
  }

  // --- what weights leave behind ---

  void DropUnread() {
    std::map<std::string, int, std::less<>> reads;
    ForEachRead(graph(), true, reads);
    for (const auto& output : graph().output()) ++reads[output.name()];
    while (!maybe_unread_.empty()) {
      const std::string name = *maybe_unread_.begin();
      maybe_unread_.erase(maybe_unread_.begin());
      if (reads[name] > 0) continue;
      dropped_values_.insert(name);
      const auto found = producer_.find(name);
      if (found == producer_.end() || dropped_nodes_.contains(found->second.first)) continue;
      const NodeProto& node = graph().node(found->second.first);
      const bool is_unread =
          std::ranges::none_of(node.output(), [&](const std::string& output) { return reads[output] > 0; });
      if (!is_unread) continue;
      dropped_nodes_.insert(found->second.first);
      for (const std::string& input : node.input()) {
        --reads[input];
        maybe_unread_.insert(input);
      }
    }
    const auto is_dropped = [&](const auto& named) { return dropped_values_.contains(named.name()); };
    std::set<std::string> initializers;
    for (const auto& tensor : graph().initializer()) {
      if (is_dropped(tensor)) initializers.insert(tensor.name());
    }
    auto& tensors = *graph().mutable_initializer();
    tensors.erase(std::remove_if(tensors.begin(), tensors.end(), is_dropped), tensors.end());
    // Before IR version 4 initializers were inputs as well.
    auto& inputs = *graph().mutable_input();
    inputs.erase(std::remove_if(inputs.begin(), inputs.end(),
                                [&](const auto& input) { return initializers.contains(input.name()); }),
                 inputs.end());
  }

  // --- activations ---

  QdqStorage WriteActivation(const QdqActivation& activation) {
    if (OpsetFor(activation) > opset_) return {.type = "", .reason = WhyOpset(OpsetFor(activation))};
    const std::string name = value(activation.value).name;
    const auto produced = producer_.find(name);
    const StorageType& type = activation.max_code > kMaxUint8 ? kUint16 : kIntegerTypes.back();
    if (produced != producer_.end()) {
      const auto [index, output] = produced->second;
      const std::string computed = names_.Fresh(name + "_float");
      graph().mutable_node(index)->set_output(output, computed);
      AddRounding(activation, type, {.from = computed, .to = name, .base = name}, before_[index + 1]);
      return {.type = std::string(type.name), .reason = {}};
    }
    const bool is_input = std::ranges::any_of(graph().input(), [&](const auto& in) { return in.name() == name; });
    if (!is_input) {
      return {.type = "", .reason = "the importer rewrote the operator that computes it, the file has no such tensor"};
    }
    const std::string rounded = names_.Fresh(name + "_dequantized");
    ForEachNode(graph(), [&](NodeProto& node) {
      for (std::string& input : *node.mutable_input()) {
        if (input == name) input = rounded;
      }
    });
    AddRounding(activation, type, {.from = name, .to = rounded, .base = name}, before_[0]);
    return {.type = std::string(type.name), .reason = {}};
  }

  struct Route {
    std::string from, to, base;
  };

  void AddRounding(const QdqActivation& activation, const StorageType& type, const Route& route,
                   std::vector<NodeProto>& nodes) {
    const std::string scale = names_.Fresh(route.base + "_scale");
    const std::string zero_point = names_.Fresh(route.base + "_zero_point");
    tensors_.push_back(FloatTensor(scale, {}, {&activation.scale, 1}));
    tensors_.push_back(CodeTensor(zero_point, {}, {&activation.zero_point, 1}, type.data_type, type.bits));
    std::string from = route.from;
    if (NeedsClip(activation)) {
      from = names_.Fresh(route.base + "_clipped");
      nodes.push_back(MakeNode({.op_type = "Clip",
                                .name = names_.Fresh(route.base + "_Clip"),
                                .inputs = {route.from, AddBound(activation, 0, route.base + "_min"),
                                           AddBound(activation, activation.max_code, route.base + "_max")},
                                .output = from}));
    }
    const std::string quantized = names_.Fresh(route.base + "_quantized");
    nodes.push_back(MakeNode({.op_type = "QuantizeLinear",
                              .name = names_.Fresh(route.base + "_QuantizeLinear"),
                              .inputs = {from, scale, zero_point},
                              .output = quantized}));
    nodes.push_back(MakeNode({.op_type = "DequantizeLinear",
                              .name = names_.Fresh(route.base + "_DequantizeLinear"),
                              .inputs = {quantized, scale, zero_point},
                              .output = route.to}));
  }

  // The value of a code.
  std::string AddBound(const QdqActivation& activation, int32_t code, const std::string& wanted) {
    const float bound = activation.scale * static_cast<float>(code - activation.zero_point);
    std::string name = names_.Fresh(wanted);
    tensors_.push_back(FloatTensor(name, {}, {&bound, 1}));
    return name;
  }

  // --- the new list of nodes ---

  void InsertNodes() {
    google::protobuf::RepeatedPtrField<NodeProto> nodes;
    for (int i = 0; i <= graph().node_size(); ++i) {
      for (NodeProto& node : before_[i]) *nodes.Add() = std::move(node);
      if (i < graph().node_size() && !dropped_nodes_.contains(i)) *nodes.Add() = std::move(*graph().mutable_node(i));
    }
    graph().mutable_node()->Swap(&nodes);
  }

  ModelProto& model_;
  const QdqRequest& request_;
  int64_t opset_ = 0;
  std::string not_raised_;
  FreshNames names_;
  std::map<std::string, std::pair<int, int>, std::less<>> producer_;  // by value: node and output
  std::vector<onnx_wire::TensorProto> tensors_;                       // new initializers
  std::vector<std::vector<NodeProto>> before_;  // new nodes before each node of the file, and behind the last
  std::set<std::string> maybe_unread_;          // what a weight was read from before
  std::set<std::string> dropped_values_;
  std::set<int> dropped_nodes_;
};

}  // namespace

absl::StatusOr<QdqModel> WriteQdq(const QdqRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckRequest(request));
  BITPLAN_RETURN_IF_ERROR(ScanWire(request.onnx, request.limits).status());
  ModelProto model;
  if (std::cmp_greater(request.onnx.size(), std::numeric_limits<int>::max()) ||
      !model.ParseFromArray(request.onnx.data(), static_cast<int>(request.onnx.size())) || !model.has_graph()) {
    return InvalidArgument("onnx: malformed file: not an encoded ModelProto");
  }
  BITPLAN_RETURN_IF_ERROR(CheckFloat32(model));
  return Editor(model, request).Run();
}

}  // namespace bitplan::onnx
