#include "search/exporters/coremltools.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <string>
#include <vector>

#include "search/base/status.h"
#include "search/exporters/dialect.h"
#include "search/quantization/quantizer_table.h"

namespace bitplan::exporters {
namespace {

constexpr std::string_view kName = "coremltools";

const Dialect& LinearWords() {
  constexpr unsigned kScales =
      GranularitySet({Granularity::kPerTensor, Granularity::kPerChannel, Granularity::kPerGroup});
  static const auto& words =
      *new Dialect{.name = kName,
                   .weights = {{.codes = Codes::kSymmetric, .bits = {4, 8}, .granularities = kScales},
                               {.codes = Codes::kAffine, .bits = {4, 8}, .granularities = kScales}},
                   .activation_bits = {}};
  return words;
}

const Dialect& PaletteWords() {
  constexpr unsigned kTables =
      GranularitySet({Granularity::kPerTensor, Granularity::kPerChannel, Granularity::kPerChannelGroup});
  static const auto& words =
      *new Dialect{.name = kName,
                   .weights = {{.codes = Codes::kLookup, .bits = {1, 2, 3, 4, 6, 8}, .granularities = kTables}},
                   .activation_bits = {}};
  return words;
}

bool IsCodebook(const PlanLayer& layer) {
  const std::string& scheme = layer.chosen->option.scheme;
  return scheme == "kmeans" || scheme == "lloyd_max" || scheme == "hessian_kmeans";
}

std::string OpNameOf(const std::string& layer) {
  std::string name = layer + ".weight";
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
}

std::string LinearText(const WrittenWeight& weight) {
  std::string text = fmt::format(R"({{"mode": "{}", "dtype": "{}int{}", "granularity": )",
                                 weight.codes == Codes::kAffine ? "linear" : "linear_symmetric",
                                 weight.codes == Codes::kAffine ? "u" : "", weight.bits);
  if (weight.granularity == Granularity::kPerGroup) {
    text += fmt::format(R"("per_block", "block_size": {})", weight.group_size);
  } else {
    text += fmt::format("\"{}\"", ToString(weight.granularity));
  }
  return text + R"(, "weight_threshold": 0})";
}

std::string PaletteText(const WrittenWeight& weight) {
  std::string text = fmt::format(R"({{"mode": "kmeans", "nbits": {}, "granularity": )", weight.bits);
  if (weight.granularity == Granularity::kPerTensor) {
    text += "\"per_tensor\"";
  } else {
    text += fmt::format(R"("per_grouped_channel", "group_size": {})", std::max<int64_t>(weight.group_size, 1));
  }
  return text + R"(, "weight_threshold": 0})";
}

}  // namespace

absl::StatusOr<Exported> WriteCoreMl(const ExportRequest& request, const RunContext& /*context*/) {
  const std::vector<PlanLayer>& from = request.plan.layers;
  const bool has_palettes = std::ranges::all_of(from, IsCodebook);
  const std::vector<WrittenLayer> layers = WriteLayers(request.plan, has_palettes ? PaletteWords() : LinearWords());
  std::map<std::string, size_t> taken;
  std::vector<std::string> members;
  for (size_t i = 0; i < layers.size(); ++i) {
    const std::string name = OpNameOf(from[i].layer.name);
    const auto [first, is_new] = taken.try_emplace(name, i);
    if (!is_new) {
      return InvalidArgument("layers[{}] '{}' and layers[{}] '{}': both are '{}' in a Core ML model", first->second,
                             from[first->second].layer.name, i, from[i].layer.name, name);
    }
    std::string config = "null";
    if (layers[i].weight.has_value())
      config = has_palettes ? PaletteText(*layers[i].weight) : LinearText(*layers[i].weight);
    members.push_back(fmt::format("{}: {}", Quoted(name), config));
  }
  const std::string type = has_palettes ? "OpPalettizerConfig" : "OpLinearQuantizerConfig";
  return Exported{
      .bytes =
          ObjectOf({fmt::format("\"config_type\": \"{}\"", type), "\"op_name_configs\": " + ObjectOf(members, 2)}, 0) +
          "\n",
      .losses = LossesOf(request.plan, layers)};
}

}  // namespace bitplan::exporters
