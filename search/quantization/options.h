#ifndef BITPLAN_SEARCH_QUANTIZATION_OPTIONS_H_
#define BITPLAN_SEARCH_QUANTIZATION_OPTIONS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "search/layer/layer.h"

namespace bitplan {

// Which options each layer gets: the product of these lists.
struct QuantizationOptions {
  std::vector<int> weight_bits = {2, 3, 4, 5, 6, 8};
  int activation_bits = 8;  // 1..32; prices BOPs and latency, changes no score
  std::vector<std::string> schemes = {"symmetric", "affine"};
  std::vector<Granularity> granularities = {Granularity::kPerTensor, Granularity::kPerChannel};
};
// kInvalidArgument (empty or repeating list, bits outside the scheme's range), kNotFound (scheme).
absl::Status Validate(const QuantizationOptions& options);

namespace quantization {

// All combinations for every layer, ordered by weight bits, then scheme, then granularity as the lists stand. A layer
// with one output channel (or of unknown shape) does not get per_channel next to per_tensor: both would be the same.
// Errors: as Validate; kInvalidArgument for a table without layers.
absl::StatusOr<OptionTable> ListOptions(const LayerTable& layers, const QuantizationOptions& options);

}  // namespace quantization
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_QUANTIZATION_OPTIONS_H_
