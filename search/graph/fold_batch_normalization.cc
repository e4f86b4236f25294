#include "search/graph/fold_batch_normalization.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "search/base/status.h"

namespace bitplan {
namespace {

// Default of the ONNX attribute.
constexpr float kDefaultEpsilon = 1e-5F;

// Inputs by position in the ONNX operators.
enum ConvInput { kConvWeight = 1, kConvBias = 2 };
enum NormInput { kNormData = 0, kGamma = 1, kBeta = 2, kMean = 3, kVariance = 4, kNumNormInputs = 5 };

// y = s x + t for each channel.
struct Affine {
  std::vector<double> scale;
  std::vector<double> shift;
};

class Folder {
 public:
  explicit Folder(Graph graph) : graph_(std::move(graph)), readers_(graph_.values.size(), 0) {
    producer_.assign(graph_.values.size(), -1);
    for (int i = 0; i < static_cast<int>(graph_.nodes.size()); ++i) {
      for (const ValueId id : graph_.nodes[i].inputs) CountReader(id);
      for (const ValueId id : graph_.nodes[i].outputs) {
        if (id != kNoValue) producer_[id] = i;
      }
    }
    for (const ValueId id : graph_.outputs) CountReader(id);
  }

  absl::StatusOr<Graph> Run() {
    std::vector<bool> removed(graph_.nodes.size(), false);
    for (int i = 0; i < static_cast<int>(graph_.nodes.size()); ++i) {
      const std::optional<int> conv = FindFoldableConv(i);
      if (!conv.has_value()) continue;
      const absl::Status folded = Fold(*conv, i);
      if (!folded.ok()) return WithContext(folded, fmt::format("node '{}'", graph_.nodes[i].name));
      removed[i] = true;
    }
    RemoveNodes(removed);
    return std::move(graph_);
  }

 private:
  void CountReader(ValueId id) {
    if (id != kNoValue) ++readers_[id];
  }

  const Tensor* ConstantAt(const Node& node, size_t input) const {
    if (input >= node.inputs.size() || node.inputs[input] == kNoValue) return nullptr;
    return std::get_if<Tensor>(&graph_.values[node.inputs[input]].constant);
  }

  // The Conv that a BatchNormalization can be folded into.
  std::optional<int> FindFoldableConv(int index) const {
    const Node& norm = graph_.nodes[index];
    if (norm.op_type != "BatchNormalization" || norm.inputs.size() != kNumNormInputs) return std::nullopt;
    for (size_t i = kGamma; i < kNumNormInputs; ++i) {
      if (ConstantAt(norm, i) == nullptr) return std::nullopt;
    }
    const ValueId data = norm.inputs[kNormData];
    if (producer_[data] < 0 || readers_[data] != 1) return std::nullopt;
    const Node& conv = graph_.nodes[producer_[data]];
    const Tensor* weight = ConstantAt(conv, kConvWeight);
    const bool bias_is_known =
        conv.inputs.size() <= kConvBias || conv.inputs[kConvBias] == kNoValue || ConstantAt(conv, kConvBias) != nullptr;
    if (conv.op_type != "Conv" || weight == nullptr || weight->shape.empty() || !bias_is_known) return std::nullopt;
    return readers_[conv.inputs[kConvWeight]] == 1 ? std::optional(producer_[data]) : std::nullopt;
  }

  absl::StatusOr<Affine> ReadAffine(const Node& norm, int64_t channels) const {
    BITPLAN_ASSIGN_OR_RETURN(const float epsilon, FloatAttribute(norm, "epsilon", kDefaultEpsilon));
    std::array<const Tensor*, kNumNormInputs> inputs = {};
    for (size_t i = kGamma; i < kNumNormInputs; ++i) {
      inputs[i] = ConstantAt(norm, i);
      if (static_cast<int64_t>(inputs[i]->data.size()) != channels) {
        return InvalidArgument("input {} has {} elements, want {}", i, inputs[i]->data.size(), channels);
      }
    }
    Affine affine{.scale = std::vector<double>(channels), .shift = std::vector<double>(channels)};
    for (int64_t c = 0; c < channels; ++c) {
      const double variance = static_cast<double>(inputs[kVariance]->data[c]) + epsilon;
      if (!(variance > 0)) return InvalidArgument("variance + epsilon of channel {} is {}, want above 0", c, variance);
      affine.scale[c] = inputs[kGamma]->data[c] / std::sqrt(variance);
      affine.shift[c] = inputs[kBeta]->data[c] - inputs[kMean]->data[c] * affine.scale[c];
    }
    return affine;
  }

  absl::Status Fold(int conv_index, int norm_index) {
    Node& conv = graph_.nodes[conv_index];
    const Node& norm = graph_.nodes[norm_index];
    auto& weight = std::get<Tensor>(graph_.values[conv.inputs[kConvWeight]].constant);
    const int64_t channels = weight.shape[0];
    BITPLAN_ASSIGN_OR_RETURN(const Affine affine, ReadAffine(norm, channels));
    const auto per_channel = static_cast<int64_t>(weight.data.size()) / channels;
    for (size_t i = 0; i < weight.data.size(); ++i) {
      weight.data[i] = static_cast<float>(weight.data[i] * affine.scale[i / per_channel]);
    }
    Tensor bias = Tensor::Zeros({channels});
    const Tensor* old_bias = ConstantAt(conv, kConvBias);
    for (int64_t c = 0; c < channels; ++c) {
      const double before = old_bias == nullptr ? 0.0 : old_bias->data[c];
      bias.data[c] = static_cast<float>(before * affine.scale[c] + affine.shift[c]);
    }
    const auto finite = [](float value) { return std::isfinite(value); };
    if (!std::ranges::all_of(weight.data, finite) || !std::ranges::all_of(bias.data, finite)) {
      return InvalidArgument("folded into '{}': the weights are not finite", conv.name);
    }
    conv.inputs.resize(kConvBias + 1, kNoValue);
    conv.inputs[kConvBias] = static_cast<ValueId>(graph_.values.size());
    graph_.values.push_back({.name = fmt::format("{}.folded_bias", conv.name), .constant = std::move(bias)});
    conv.outputs = {norm.outputs[0]};
    return absl::OkStatus();
  }

  void RemoveNodes(const std::vector<bool>& removed) {
    std::vector<int> new_index(graph_.nodes.size(), -1);
    std::vector<Node> kept;
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      if (removed[i]) continue;
      new_index[i] = static_cast<int>(kept.size());
      kept.push_back(std::move(graph_.nodes[i]));
    }
    graph_.nodes = std::move(kept);
    for (LayerWeight& weight : graph_.layer_weights) weight.node = new_index[weight.node];
  }

  Graph graph_;
  std::vector<int> readers_;   // by value: nodes that read it, and 1 for an output of the graph
  std::vector<int> producer_;  // by value: the node that computes it, or -1
};

}  // namespace

absl::StatusOr<Graph> FoldBatchNormalization(Graph graph) { return Folder(std::move(graph)).Run(); }

}  // namespace bitplan
