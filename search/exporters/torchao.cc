#include "search/exporters/torchao.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "search/exporters/dialect.h"
#include "search/quantization/quantizer_table.h"

namespace bitplan::exporters {
namespace {

const Dialect& Words() {
  constexpr unsigned kScales = GranularitySet({Granularity::kPerChannel, Granularity::kPerGroup});
  static const auto& words = *new Dialect{
      .name = "torchao",
      .weights = {{.codes = Codes::kSymmetricFull, .bits = {2, 3, 4, 5, 6, 7, 8}, .granularities = kScales},
                  {.codes = Codes::kAffine, .bits = {2, 3, 4, 5, 6, 7, 8}, .granularities = kScales}},
      .activation_bits = {8},
      .activation_scheme = "affine, a range for each token at run time",
      .matrices_only = true};
  return words;
}

std::string Tagged(std::string_view type, std::string_view data) {
  return fmt::format(R"({{"_type": "{}", "_data": {}}})", type, data);
}
std::string Versioned(std::string_view type, std::string_view data) {
  return fmt::format(R"({{"_type": "{}", "_version": 1, "_data": {}}})", type, data);
}

std::string GranularityOf(const WrittenWeight& weight) {
  if (weight.granularity != Granularity::kPerGroup) return Versioned("PerAxis", R"({"axis": 0})");
  return Versioned("PerGroup", fmt::format(R"({{"group_size": {}}})", weight.group_size));
}

std::string ConfigOf(const WrittenLayer& layer) {
  const WrittenWeight& weight = *layer.weight;
  const bool is_weight_only = layer.activation_bits == kMaxOptionBits;
  const std::string prefix = is_weight_only ? "" : "weight_";  // the two classes name their fields differently
  std::string data =
      fmt::format(R"({{"weight_dtype": {}, "{}granularity": {}, "{}mapping_type": {})",
                  Tagged("torch.dtype", fmt::format("\"int{}\"", weight.bits)), prefix, GranularityOf(weight), prefix,
                  Tagged("MappingType", weight.codes == Codes::kAffine ? "\"ASYMMETRIC\"" : "\"SYMMETRIC\""));
  if (is_weight_only) return Versioned("IntxWeightOnlyConfig", data + R"(, "version": 2})");
  data += fmt::format(R"(, "act_mapping_type": {}, "version": 2}})", Tagged("MappingType", "\"ASYMMETRIC\""));
  return Versioned("Int8DynamicActivationIntxWeightConfig", data);
}

}  // namespace

absl::StatusOr<Exported> WriteTorchAo(const ExportRequest& request, const RunContext& /*context*/) {
  const std::vector<WrittenLayer> layers = WriteLayers(request.plan, Words());
  std::vector<std::string> members;
  for (size_t i = 0; i < layers.size(); ++i) {
    const std::string config = layers[i].weight.has_value() ? ConfigOf(layers[i]) : "null";
    members.push_back(fmt::format("{}: {}", Quoted(request.plan.layers[i].layer.name), config));
  }
  const std::string data =
      ObjectOf({"\"fqn_to_config\": " + ObjectOf(members, 4), R"("module_fqn_to_config": {})", R"("version": 1)"}, 2);
  return Exported{.bytes = ObjectOf({R"("_type": "FqnToConfig")", R"("_version": 1)", "\"_data\": " + data}, 0) + "\n",
                  .losses = LossesOf(request.plan, layers)};
}

}  // namespace bitplan::exporters
