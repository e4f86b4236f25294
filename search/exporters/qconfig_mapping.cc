#include "search/exporters/qconfig_mapping.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "search/exporters/dialect.h"
#include "search/quantization/quantizer_table.h"

namespace bitplan::exporters {
namespace {

const Dialect& Words() {
  constexpr unsigned kScales = GranularitySet({Granularity::kPerTensor, Granularity::kPerChannel});
  static const auto& words = *new Dialect{
      .name = "qconfig_mapping",
      .weights = {{.codes = Codes::kSymmetric, .bits = {2, 3, 4, 5, 6, 7, 8}, .granularities = kScales},
                  {.codes = Codes::kSymmetricFull, .bits = {2, 3, 4, 5, 6, 7, 8}, .granularities = kScales},
                  {.codes = Codes::kAffine, .bits = {2, 3, 4, 5, 6, 7, 8}, .granularities = kScales}},
      .activation_bits = {2, 3, 4, 5, 6, 7, 8}};
  return words;
}

std::string WeightObserver(const WrittenWeight& weight, const Layer& layer) {
  const int half = 1 << (weight.bits - 1);
  const bool is_affine = weight.codes == Codes::kAffine;
  const int least = weight.codes == Codes::kSymmetric ? 1 - half : -half;
  const bool is_whole = weight.granularity == Granularity::kPerTensor;
  const std::string observer = is_whole ? "MinMaxObserver" : "PerChannelMinMaxObserver";
  const std::string axis = is_whole ? "" : fmt::format(", ch_axis={}", TorchChannelAxis(layer));
  return fmt::format("{}.with_args(dtype=torch.qint8, qscheme=torch.per_{}_{}, quant_min={}, quant_max={}{})", observer,
                     is_whole ? "tensor" : "channel", is_affine ? "affine" : "symmetric", least, half - 1, axis);
}

std::string ActivationObserver(int bits) {
  if (bits == kMaxOptionBits) return "PlaceholderObserver.with_args(dtype=torch.float)";
  return fmt::format(
      "MinMaxObserver.with_args(dtype=torch.quint8, qscheme=torch.per_tensor_affine, quant_min=0, quant_max={})",
      (1 << bits) - 1);
}

std::string LayerText(const WrittenLayer& written, const Layer& layer) {
  return fmt::format("    ({}, QConfig(\n        activation={},\n        weight={})),\n", Quoted(layer.name),
                     ActivationObserver(written.activation_bits), WeightObserver(*written.weight, layer));
}

}  // namespace

absl::StatusOr<Exported> WriteQConfigMapping(const ExportRequest& request, const RunContext& /*context*/) {
  const std::vector<WrittenLayer> layers = WriteLayers(request.plan, Words());
  std::string text =
      "import torch\n"
      "from torch.ao.quantization import QConfig, QConfigMapping\n"
      "from torch.ao.quantization.observer import MinMaxObserver, PerChannelMinMaxObserver, PlaceholderObserver\n"
      "\n"
      "qconfig_mapping = QConfigMapping.from_dict({\"\": None, \"module_name\": [\n";
  for (size_t i = 0; i < layers.size(); ++i) {
    if (layers[i].weight.has_value()) text += LayerText(layers[i], request.plan.layers[i].layer);
  }
  text += "]})\n";
  return Exported{.bytes = std::move(text), .losses = LossesOf(request.plan, layers)};
}

}  // namespace bitplan::exporters
