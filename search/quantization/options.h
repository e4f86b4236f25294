#ifndef BITPLAN_SEARCH_QUANTIZATION_OPTIONS_H_
#define BITPLAN_SEARCH_QUANTIZATION_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "search/layer/layer.h"

namespace bitplan {

// Among QuantizationOptions::activation_bits: as many as the option's weight bits.
inline constexpr int kSameAsWeights = 0;

// Which options each layer gets: the product of these lists as far as a scheme allows.
//
// A scheme takes the widths, granularities and range rules of the lists that it knows. A format of one width (fp8_e4m3,
// binary) gives options of that width whether it is listed or not, and one with blocks of its own (mxfp4) those blocks.
// A scheme without a range (kmeans) stands once beside all range rules, one without choice of rounding likewise.
struct QuantizationOptions {
  std::vector<int> weight_bits = {2, 3, 4, 5, 6, 8};
  // 1..32, or kSameAsWeights; they price BOPs and latency, and scores count them where a measurement quantizes
  // activations.
  std::vector<int> activation_bits = {8};
  std::vector<std::string> schemes = {"symmetric", "affine"};
  std::vector<Granularity> granularities = {Granularity::kPerTensor, Granularity::kPerChannel};
  std::vector<int64_t> group_sizes = {64};          // weights, for per_group
  std::vector<int64_t> channel_group_sizes = {16};  // output channels, for per_channel_group
  std::vector<std::string> range_rules = {"minmax"};
  std::vector<Rounding> roundings = {Rounding::kNearest};
};
// kInvalidArgument (empty or repeating list, a width or granularity that no scheme has, a scheme that has none of the
// widths or granularities, a group size below 1), kNotFound (scheme, range rule).
absl::Status Validate(const QuantizationOptions& options);

namespace quantization {

// The widths that options can have, those of the list first: what a hardware profile must support.
std::vector<int> WidthsOf(const QuantizationOptions& options);
// And the activation widths that options of so many weight bits have: those of the list, each once.
std::vector<int> ActivationWidthsOf(const QuantizationOptions& options, int weight_bits);

// All combinations for every layer, ordered by weight bits, then activation bits, scheme, granularity (and group size),
// range rule and rounding as the lists stand; formats of a width that is not listed come last. A layer with one output
// channel (or of unknown shape) does not get per_channel next to per_tensor: both would be the same.
//
// per_group falls back to per_channel in layers whose channels have a number of weights that the group size does not
// divide, and is left out where that option is there already. notes say so, one for each group size.
// Errors: as Validate; kInvalidArgument for a table without layers.
absl::StatusOr<OptionTable> ListOptions(const LayerTable& layers, const QuantizationOptions& options);

}  // namespace quantization
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_QUANTIZATION_OPTIONS_H_
