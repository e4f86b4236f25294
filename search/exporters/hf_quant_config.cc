#include "search/exporters/hf_quant_config.h"

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

#include "search/exporters/dialect.h"
#include "search/quantization/quantizer_table.h"

namespace bitplan::exporters {
namespace {

// The algorithm of a weight with activations of 8 bits or float ones; empty: there is none.
std::string_view AlgorithmOf(const WrittenWeight& weight, int activation_bits) {
  const bool is_float = activation_bits == kMaxOptionBits;
  switch (weight.codes) {
    case Codes::kSymmetric:
      if (weight.granularity == Granularity::kPerGroup) return is_float ? "W4A16_AWQ" : "";
      return is_float ? "W8A16" : "W8A8_SQ_PER_CHANNEL";
    case Codes::kFp8E4M3:
      return is_float ? "" : "FP8";
    case Codes::kNvfp4:
      return is_float ? "W4A16_NVFP4" : "";
    case Codes::kMxfp4:
      return is_float ? "W4A16_MXFP4" : "W4A8_MXFP4_FP8";
    case Codes::kSymmetricFull:
    case Codes::kAffine:
    case Codes::kFp8E5M2:
    case Codes::kLookup:
      break;
  }
  return "";
}

bool HasAlgorithm(const WrittenWeight& weight, int activation_bits) {
  return !AlgorithmOf(weight, activation_bits).empty();
}

const Dialect& Words() {
  constexpr unsigned kGroups = GranularitySet({Granularity::kPerGroup});
  static const auto& words = *new Dialect{
      .name = "hf_quant_config",
      .weights = {{.codes = Codes::kSymmetric, .bits = {4}, .granularities = kGroups},
                  {.codes = Codes::kSymmetric,
                   .bits = {8},
                   .granularities = GranularitySet({Granularity::kPerChannel})},
                  {.codes = Codes::kFp8E4M3, .bits = {8}, .granularities = GranularitySet({Granularity::kPerTensor})},
                  {.codes = Codes::kMxfp4, .bits = {4}, .granularities = kGroups},
                  {.codes = Codes::kNvfp4, .bits = {4}, .granularities = kGroups}},
      .activation_bits = {8},
      .activation_scheme = "symmetric",
      .matrices_only = true,
      .has_embeddings = false,
      .accepts = &HasAlgorithm};
  return words;
}

std::string LayerText(const std::string& name, const WrittenLayer& layer) {
  std::string text =
      fmt::format(R"({}: {{"quant_algo": "{}")", Quoted(name), AlgorithmOf(*layer.weight, layer.activation_bits));
  if (layer.weight->group_size > 0) text += fmt::format(R"(, "group_size": {})", layer.weight->group_size);
  const bool is_awq = layer.weight->codes == Codes::kSymmetric && layer.weight->group_size > 0;
  return text + (is_awq ? R"(, "has_zero_point": false, "pre_quant_scale": false})" : "}");
}

}  // namespace

absl::StatusOr<Exported> WriteHfQuantConfig(const ExportRequest& request, const RunContext& /*context*/) {
  const std::vector<WrittenLayer> layers = WriteLayers(request.plan, Words());
  std::vector<std::string> quantized;
  std::vector<std::string> excluded;
  for (size_t i = 0; i < layers.size(); ++i) {
    const std::string& name = request.plan.layers[i].layer.name;
    if (layers[i].weight.has_value()) {
      quantized.push_back(LayerText(name, layers[i]));
    } else {
      excluded.push_back(name);
    }
  }
  const std::string version = Quoted(request.plan.provenance.bitplan_version);
  const std::string quantization =
      ObjectOf({R"("quant_algo": "MIXED_PRECISION")", R"("kv_cache_quant_algo": null)",
                "\"quantized_layers\": " + ObjectOf(quantized, 4), "\"exclude_modules\": " + ArrayOf(excluded, 4)},
               2);
  return Exported{.bytes = ObjectOf({fmt::format(R"("producer": {{"name": "bitplan", "version": {}}})", version),
                                     "\"quantization\": " + quantization},
                                    0) +
                           "\n",
                  .losses = LossesOf(request.plan, layers)};
}

}  // namespace bitplan::exporters
