#include "search/exporters/auto_round.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "search/exporters/dialect.h"
#include "search/quantization/quantizer_table.h"

namespace bitplan::exporters {
namespace {

const Dialect& Words() {
  constexpr unsigned kGroups = GranularitySet({Granularity::kPerGroup});
  constexpr unsigned kScales =
      GranularitySet({Granularity::kPerTensor, Granularity::kPerChannel, Granularity::kPerGroup});
  static const auto& words = *new Dialect{
      .name = "AutoRound",
      .weights = {{.codes = Codes::kSymmetricFull, .bits = {2, 3, 4, 5, 6, 7, 8}, .granularities = kScales},
                  {.codes = Codes::kAffine, .bits = {2, 3, 4, 5, 6, 7, 8}, .granularities = kScales},
                  {.codes = Codes::kMxfp4, .bits = {4}, .granularities = kGroups},
                  {.codes = Codes::kNvfp4, .bits = {4}, .granularities = kGroups}},
      .activation_bits = {4, 8},
      .matrices_only = true,
      .has_embeddings = false,
      .accepts = [](const WrittenWeight& weight, int bits) {
        return !IsFloat(weight.codes) || bits == kMaxOptionBits;
      }};
  return words;
}

int64_t GroupSizeOf(const WrittenWeight& weight) {
  switch (weight.granularity) {
    case Granularity::kPerTensor:
      return 0;
    case Granularity::kPerGroup:
      return weight.group_size;
    case Granularity::kPerChannel:
    case Granularity::kPerChannelGroup:
      break;
  }
  return -1;
}

std::string_view DataTypeOf(Codes codes) {
  if (codes == Codes::kMxfp4) return "mx_fp";
  return codes == Codes::kNvfp4 ? "nv_fp" : "int";
}

std::string ConfigOf(const WrittenLayer& layer) {
  if (!layer.weight.has_value()) return R"({"bits": 16, "data_type": "fp", "act_bits": 16})";
  const WrittenWeight& weight = *layer.weight;
  std::string text = fmt::format(R"({{"bits": {}, "group_size": {}, "sym": {}, "data_type": "{}")", weight.bits,
                                 GroupSizeOf(weight), weight.codes != Codes::kAffine, DataTypeOf(weight.codes));
  if (layer.activation_bits == kMaxOptionBits) return text + R"(, "act_bits": 16})";
  return text + fmt::format(R"(, "act_bits": {}, "act_group_size": 0, "act_sym": false, "act_data_type": "int", )"
                            R"("act_dynamic": false}})",
                            layer.activation_bits);
}

}  // namespace

absl::StatusOr<Exported> WriteAutoRound(const ExportRequest& request, const RunContext& /*context*/) {
  const std::vector<WrittenLayer> layers = WriteLayers(request.plan, Words());
  std::vector<std::string> members;
  for (size_t i = 0; i < layers.size(); ++i) {
    members.push_back(fmt::format("{}: {}", Quoted(request.plan.layers[i].layer.name), ConfigOf(layers[i])));
  }
  return Exported{.bytes = ObjectOf({"\"layer_config\": " + ObjectOf(members, 2)}, 0) + "\n",
                  .losses = LossesOf(request.plan, layers)};
}

}  // namespace bitplan::exporters
