#ifndef BITPLAN_SEARCH_LAYER_LAYER_H_
#define BITPLAN_SEARCH_LAYER_LAYER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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

  // Slices along output_channel_axis; 1 where the shape is not known.
  int64_t num_output_channels() const;
};

// The layers of one network in execution order.
struct LayerTable {
  std::vector<Layer> layers;
};

// Which weights share a scale.
enum class Granularity { kPerTensor, kPerChannel };
std::string_view ToString(Granularity granularity);  // "per_tensor", "per_channel"
absl::StatusOr<Granularity> ParseGranularity(std::string_view name);

// One way to quantize one layer.
struct Option {
  int weight_bits = 8;               // 1..32
  int activation_bits = 8;           // 1..32; what BOPs and latency are priced with
  std::string scheme = "symmetric";  // a name of the quantizer table, or "given" where the scores came from outside
  Granularity granularity = Granularity::kPerChannel;

  bool operator==(const Option&) const = default;
};

// "w4a8/symmetric/per_channel": unique within a layer; ties match options by it.
std::string Label(const Option& option);

// options[i] are the choices for layers[i], at least one each.
struct OptionTable {
  std::vector<std::vector<Option>> options;
};

}  // namespace bitplan

#endif  // BITPLAN_SEARCH_LAYER_LAYER_H_
