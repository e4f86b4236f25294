#include "search/exporters/modelopt.h"

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

#include "search/exporters/dialect.h"
#include "search/quantization/quantizer_table.h"

namespace bitplan::exporters {
namespace {

const Dialect& Words() {
  constexpr unsigned kGroups = GranularitySet({Granularity::kPerGroup});
  constexpr unsigned kAxes = GranularitySet({Granularity::kPerTensor, Granularity::kPerChannel});
  static const auto& words = *new Dialect{
      .name = "ModelOpt",
      .weights = {{.codes = Codes::kSymmetric, .bits = {2, 3, 4, 5, 6, 7, 8}, .granularities = kAxes | kGroups},
                  {.codes = Codes::kSymmetricFull, .bits = {2, 3, 4, 5, 6, 7, 8}, .granularities = kAxes | kGroups},
                  {.codes = Codes::kFp8E4M3, .bits = {8}, .granularities = kAxes},
                  {.codes = Codes::kMxfp4, .bits = {4}, .granularities = kGroups},
                  {.codes = Codes::kNvfp4, .bits = {4}, .granularities = kGroups}},
      .activation_bits = {2, 3, 4, 5, 6, 7, 8},
      .activation_scheme = "symmetric",
      .has_embeddings = false};
  return words;
}

// Keys are patterns of file names: brackets around what has a meaning there.
std::string PatternOf(std::string_view name, std::string_view quantizer) {
  std::string pattern;
  for (const char c : name) {
    const bool is_special = c == '*' || c == '?' || c == '[';
    pattern += is_special ? fmt::format("[{}]", c) : std::string(1, c);
  }
  return Quoted(fmt::format("{}.{}", pattern, quantizer));
}

std::string ScalesText(const WrittenWeight& weight, const Layer& layer) {
  switch (weight.codes) {
    case Codes::kMxfp4:
      return R"("block_sizes": {-1: 32, "type": "dynamic", "scale_bits": (8, 0)})";
    case Codes::kNvfp4:
      return R"("block_sizes": {-1: 16, "type": "dynamic", "scale_bits": (4, 3)})";
    case Codes::kSymmetric:
    case Codes::kSymmetricFull:
    case Codes::kAffine:
    case Codes::kFp8E4M3:
    case Codes::kFp8E5M2:
    case Codes::kLookup:
      break;
  }
  if (weight.granularity == Granularity::kPerGroup) {
    return fmt::format(R"("block_sizes": {{-1: {}, "type": "static"}})", weight.group_size);
  }
  if (weight.granularity == Granularity::kPerTensor) return R"("axis": None)";
  return fmt::format(R"("axis": {})", TorchChannelAxis(layer));
}

std::string BitsText(const WrittenWeight& weight) {
  if (weight.codes == Codes::kFp8E4M3) return "(4, 3)";
  if (IsFloat(weight.codes)) return "(2, 1)";
  return std::to_string(weight.bits);
}

std::string LayerText(const WrittenLayer& written, const Layer& layer) {
  const WrittenWeight& weight = *written.weight;
  std::string text = fmt::format(R"(        {}: {{"num_bits": {}, {})", PatternOf(layer.name, "weight_quantizer"),
                                 BitsText(weight), ScalesText(weight, layer));
  if (weight.codes == Codes::kSymmetric) text += R"(, "narrow_range": True)";
  text += ", \"enable\": True},\n";
  if (written.activation_bits == kMaxOptionBits) return text;
  return text +
         fmt::format(R"(        {}: {{"num_bits": {}, "axis": None, "enable": True}},)",
                     PatternOf(layer.name, "input_quantizer"),
                     IsFloat(weight.codes) ? "(4, 3)" : std::to_string(written.activation_bits)) +
         "\n";
}

}  // namespace

absl::StatusOr<Exported> WriteModelOpt(const ExportRequest& request, const RunContext& /*context*/) {
  const std::vector<WrittenLayer> layers = WriteLayers(request.plan, Words());
  std::string text =
      "# modelopt.torch.quantization.quantize(model, QUANT_CFG, forward_loop)\n"
      "QUANT_CFG = {\n"
      "    \"quant_cfg\": {\n"
      "        \"default\": {\"enable\": False},\n";
  for (size_t i = 0; i < layers.size(); ++i) {
    if (layers[i].weight.has_value()) text += LayerText(layers[i], request.plan.layers[i].layer);
  }
  text +=
      "    },\n"
      "    \"algorithm\": \"max\",\n"
      "}\n";
  return Exported{.bytes = std::move(text), .losses = LossesOf(request.plan, layers)};
}

}  // namespace bitplan::exporters
