#include "search/exporters/compressed_tensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "search/exporters/dialect.h"
#include "search/quantization/quantizer_table.h"

namespace bitplan::exporters {
namespace {

using Json = nlohmann::ordered_json;

const Dialect& Words() {
  constexpr unsigned kScales =
      GranularitySet({Granularity::kPerTensor, Granularity::kPerChannel, Granularity::kPerGroup});
  constexpr unsigned kFloatScales = GranularitySet({Granularity::kPerTensor, Granularity::kPerChannel});
  static const auto& words = *new Dialect{
      .name = "compressed-tensors",
      .weights = {{.codes = Codes::kSymmetricFull, .bits = {2, 3, 4, 5, 6, 7, 8}, .granularities = kScales},
                  {.codes = Codes::kAffine, .bits = {2, 3, 4, 5, 6, 7, 8}, .granularities = kScales},
                  {.codes = Codes::kFp8E4M3, .bits = {8}, .granularities = kFloatScales},
                  {.codes = Codes::kMxfp4, .bits = {4}, .granularities = GranularitySet({Granularity::kPerGroup})},
                  {.codes = Codes::kNvfp4, .bits = {4}, .granularities = GranularitySet({Granularity::kPerGroup})}},
      .activation_bits = {4, 8},
      .ranges = {"minmax", "mse"}};
  return words;
}

std::string_view StrategyOf(const WrittenWeight& weight) {
  if (weight.codes == Codes::kNvfp4) return "tensor_group";  // a scale for each group and one for the tensor
  switch (weight.granularity) {
    case Granularity::kPerTensor:
      return "tensor";
    case Granularity::kPerGroup:
      return "group";
    case Granularity::kPerChannel:
    case Granularity::kPerChannelGroup:
      break;
  }
  return "channel";
}

Json WeightArgs(const WrittenWeight& weight) {
  Json args{{"num_bits", weight.bits},
            {"type", IsFloat(weight.codes) ? "float" : "int"},
            {"symmetric", weight.codes != Codes::kAffine},
            {"strategy", StrategyOf(weight)},
            {"dynamic", false}};
  if (weight.group_size > 0) args["group_size"] = weight.group_size;
  if (weight.codes == Codes::kMxfp4) args["scale_dtype"] = "torch.uint8";
  if (weight.codes == Codes::kNvfp4) args["scale_dtype"] = "torch.float8_e4m3fn";
  if (weight.range == "mse") args["observer"] = "mse";
  return args;
}

Json ActivationArgs(const WrittenLayer& layer) {
  if (layer.activation_bits == kMaxOptionBits) return nullptr;
  const bool is_float = IsFloat(layer.weight->codes);
  return {{"num_bits", layer.activation_bits},
          {"type", is_float ? "float" : "int"},
          {"symmetric", is_float},
          {"strategy", "tensor"},
          {"dynamic", false}};
}

// A target that begins with "re:" is a regular expression.
std::string TargetOf(const std::string& name) {
  if (!name.starts_with("re:")) return name;
  std::string target = "re:^";
  for (const char c : name) {
    if (std::string_view(R"(\^$.|?*+()[]{})").find(c) != std::string_view::npos) target += '\\';
    target += c;
  }
  return target + "$";
}

struct Group {
  WrittenWeight weight;
  int activation_bits = kMaxOptionBits;
  Json scheme;
};

}  // namespace

absl::StatusOr<Exported> WriteCompressedTensors(const ExportRequest& request, const RunContext& /*context*/) {
  const std::vector<WrittenLayer> layers = WriteLayers(request.plan, Words());
  std::vector<Group> groups;
  Json ignore = Json::array();
  for (size_t i = 0; i < layers.size(); ++i) {
    const WrittenLayer& layer = layers[i];
    const std::string target = TargetOf(request.plan.layers[i].layer.name);
    if (!layer.weight.has_value()) {
      ignore.push_back(target);
      continue;
    }
    auto group = std::ranges::find_if(groups, [&](const Group& known) {
      return known.weight == *layer.weight && known.activation_bits == layer.activation_bits;
    });
    if (group == groups.end()) {
      Json scheme{{"targets", Json::array()},
                  {"weights", WeightArgs(*layer.weight)},
                  {"input_activations", ActivationArgs(layer)},
                  {"output_activations", nullptr}};
      group = groups.insert(
          groups.end(),
          {.weight = *layer.weight, .activation_bits = layer.activation_bits, .scheme = std::move(scheme)});
    }
    group->scheme["targets"].push_back(target);
  }
  Json config_groups = Json::object();
  for (size_t i = 0; i < groups.size(); ++i) config_groups[fmt::format("group_{}", i)] = std::move(groups[i].scheme);
  const Json config{{"quant_method", "compressed-tensors"},
                    {"format", "fakequant"},
                    {"quantization_status", "initialized"},
                    {"config_groups", std::move(config_groups)},
                    {"ignore", std::move(ignore)}};
  return Exported{.bytes = config.dump(2, ' ', false, Json::error_handler_t::replace) + "\n",
                  .losses = LossesOf(request.plan, layers)};
}

}  // namespace bitplan::exporters
