#include "search/quantization/options.h"

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "search/base/status.h"
#include "search/quantization/quantizer_table.h"

namespace bitplan {
namespace {

template <typename T>
absl::Status CheckList(const std::vector<T>& list, std::string_view name) {
  if (list.empty()) return InvalidArgument("quantization.{}: is empty, want at least one entry", name);
  for (size_t i = 1; i < list.size(); ++i) {
    if (std::find(list.begin(), list.begin() + i, list[i]) != list.begin() + i) {
      return InvalidArgument("quantization.{}[{}]: repeats an earlier entry", name, i);
    }
  }
  return absl::OkStatus();
}

absl::Status CheckBits(const std::vector<int>& weight_bits, const QuantizerEntry& quantizer) {
  for (size_t i = 0; i < weight_bits.size(); ++i) {
    if (weight_bits[i] < quantizer.min_bits || weight_bits[i] > quantizer.max_bits) {
      return InvalidArgument("quantization.weight_bits[{}]: got {}, want {}..{} for {}", i, weight_bits[i],
                             quantizer.min_bits, quantizer.max_bits, quantizer.name);
    }
  }
  return absl::OkStatus();
}

std::vector<Option> OptionsOf(const Layer& layer, const QuantizationOptions& wanted) {
  const bool has_per_tensor =
      std::ranges::find(wanted.granularities, Granularity::kPerTensor) != wanted.granularities.end();
  const bool per_channel_is_per_tensor = has_per_tensor && layer.num_output_channels() == 1;
  std::vector<Option> options;
  for (const int bits : wanted.weight_bits) {
    for (const std::string& scheme : wanted.schemes) {
      for (const Granularity granularity : wanted.granularities) {
        if (granularity == Granularity::kPerChannel && per_channel_is_per_tensor) continue;
        options.push_back({.weight_bits = bits,
                           .activation_bits = wanted.activation_bits,
                           .scheme = scheme,
                           .granularity = granularity});
      }
    }
  }
  return options;
}

}  // namespace

absl::Status Validate(const QuantizationOptions& options) {
  BITPLAN_RETURN_IF_ERROR(CheckList(options.weight_bits, "weight_bits"));
  BITPLAN_RETURN_IF_ERROR(CheckList(options.schemes, "schemes"));
  BITPLAN_RETURN_IF_ERROR(CheckList(options.granularities, "granularities"));
  if (options.activation_bits < 1 || options.activation_bits > 32) {
    return InvalidArgument("quantization.activation_bits: got {}, want 1..32", options.activation_bits);
  }
  for (size_t i = 0; i < options.schemes.size(); ++i) {
    const absl::StatusOr<QuantizerEntry> quantizer = quantization::FindQuantizer(options.schemes[i]);
    if (!quantizer.ok()) return WithContext(quantizer.status(), fmt::format("quantization.schemes[{}]", i));
    BITPLAN_RETURN_IF_ERROR(CheckBits(options.weight_bits, *quantizer));
  }
  return absl::OkStatus();
}

namespace quantization {

absl::StatusOr<OptionTable> ListOptions(const LayerTable& layers, const QuantizationOptions& options) {
  BITPLAN_RETURN_IF_ERROR(Validate(options));
  if (layers.layers.empty()) return InvalidArgument("layers: there is no layer with weights to quantize");
  OptionTable table;
  for (const Layer& layer : layers.layers) table.options.push_back(OptionsOf(layer, options));
  return table;
}

}  // namespace quantization
}  // namespace bitplan
