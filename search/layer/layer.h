#ifndef BITPLAN_SEARCH_LAYER_LAYER_H_
#define BITPLAN_SEARCH_LAYER_LAYER_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace bitplan {

// What computes with the weight. Names ("conv", "conv_transpose", "gemm", "matmul", "embedding", "recurrent", "other")
// are the spelling in files and on the wire.
enum class LayerKind { kConv, kConvTranspose, kGemm, kMatMul, kEmbedding, kRecurrent, kOther };
std::string_view ToString(LayerKind kind);
absl::StatusOr<LayerKind> ParseLayerKind(std::string_view name);

// A graph node with a weight tensor that gets its own bits: all that later stages know of it.
struct Layer {
  std::string name;  // stable and unique in its table
  LayerKind kind = LayerKind::kOther;
  std::vector<int64_t> weight_shape;  // as stored in the model; empty if only the count is known (given sensitivities)
  int output_channel_axis = 0;        // axis of weight_shape whose slices get a scale each under per_channel
  int64_t num_weights = 0;            // product of weight_shape where that is known
  int64_t macs = 0;                   // multiply-accumulates for one sample
  // Activation elements of one sample that the layer reads and writes, over all nodes that use the weight; constants
  // (weights, biases) are not activations. 0: not known (given sensitivities, older files).
  int64_t input_elements = 0;
  int64_t output_elements = 0;

  // Slices along output_channel_axis; 1 where the shape is not known.
  int64_t num_output_channels() const;
};

// The layers of one network in execution order.
struct LayerTable {
  std::vector<Layer> layers;
};

// Which weights share a scale: all; one output channel; group_size consecutive weights of one output channel
// (sub-channel), in storage order; group_size neighbouring output channels.
enum class Granularity { kPerTensor, kPerChannel, kPerGroup, kPerChannelGroup };
inline constexpr std::array kGranularities = {Granularity::kPerTensor, Granularity::kPerChannel, Granularity::kPerGroup,
                                              Granularity::kPerChannelGroup};
// "per_tensor", "per_channel", "per_group", "per_channel_group"
std::string_view ToString(Granularity granularity);
absl::StatusOr<Granularity> ParseGranularity(std::string_view name);

// How a weight between two codes is rounded: to the nearer, or up with the probability that keeps its mean.
enum class Rounding { kNearest, kStochastic };
inline constexpr std::array kRoundings = {Rounding::kNearest, Rounding::kStochastic};
std::string_view ToString(Rounding rounding);  // "nearest", "stochastic"
absl::StatusOr<Rounding> ParseRounding(std::string_view name);

// One way to quantize one layer.
struct Option {
  int weight_bits = 8;               // 1..32
  int activation_bits = 8;           // 1..32; what BOPs and latency are priced with
  std::string scheme = "symmetric";  // a name of the quantizer table, or "given" where the scores came from outside
  Granularity granularity = Granularity::kPerChannel;
  int64_t group_size = 0;        // weights (per_group) or channels (per_channel_group) of a group; 0 for the others
  std::string range = "minmax";  // a name of the range rule table
  Rounding rounding = Rounding::kNearest;

  bool operator==(const Option&) const = default;
};

inline constexpr int kMaxOptionBits = 32;
inline constexpr int64_t kMaxGroupSize = int64_t{1} << 31;

// What an option says by itself; names are not looked up. kInvalidArgument with the field: bits outside 1..32, a group
// size where the granularity has none, or none (or more than kMaxGroupSize) where it has one, an empty range.
absl::Status ValidateOption(const Option& option);

// "per_channel", "per_group(64)", "per_tensor/mse/stochastic": the last part of the label, which tables show.
std::string DescribeGranularity(const Option& option);

// "w4a8/symmetric/per_channel": unique within a layer; ties match options by it. A group size stands behind its
// granularity, and what is not the default behind that: "w4a8/symmetric/per_group(64)/mse/stochastic".
std::string Label(const Option& option);

// options[i] are the choices for layers[i], at least one each.
struct OptionTable {
  std::vector<std::vector<Option>> options;
  std::vector<std::string> notes = {};  // one sentence each on options that are not what was asked for
};

}  // namespace bitplan

#endif  // BITPLAN_SEARCH_LAYER_LAYER_H_
