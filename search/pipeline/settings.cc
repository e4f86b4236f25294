#include "search/pipeline/settings.h"

#include <nlohmann/json.hpp>

#include "search/base/digest.h"
#include "search/pipeline/measurement.h"

namespace bitplan::pipeline {
namespace {

using Json = nlohmann::ordered_json;

// The bindings name every field: a new one does not compile until it is part of the digest.
Json ToJson(const QuantizationOptions& options) {
  const auto& [weight_bits, activation_bits, schemes, granularities, group_sizes, channel_group_sizes, range_rules,
               roundings] = options;
  Json names = Json::array();
  for (const Granularity granularity : granularities) names.push_back(ToString(granularity));
  // A single one as a number, as measurements from before there could be several have it.
  Json json = {{"weight_bits", weight_bits},
               {"activation_bits", activation_bits.size() == 1 ? Json(activation_bits[0]) : Json(activation_bits)},
               {"schemes", schemes},
               {"granularities", names}};
  // Only what is not the default, so that measurements from before these settings keep their digests.
  const QuantizationOptions usual;
  if (group_sizes != usual.group_sizes) json["group_sizes"] = group_sizes;
  if (channel_group_sizes != usual.channel_group_sizes) json["channel_group_sizes"] = channel_group_sizes;
  if (range_rules != usual.range_rules) json["range_rules"] = range_rules;
  if (roundings != usual.roundings) {
    json["roundings"] = Json::array();
    for (const Rounding rounding : roundings) json["roundings"].push_back(ToString(rounding));
  }
  return json;
}

Json ToJson(const SensitivityOptions& options) {
  const auto& [method, loss, label_smoothing, max_samples, seed, trace_estimator, trace_relative_error, max_probes,
               eigenvalue_tolerance, max_iterations, max_memory_bytes, all_curvature, quantize_activations,
               activation_range, output_changes] = options;
  Json json = {{"method", method},
               {"loss", loss},
               {"label_smoothing", label_smoothing},
               {"max_samples", max_samples},
               {"seed", seed},
               {"trace_estimator", trace_estimator},
               {"trace_relative_error", trace_relative_error},
               {"max_probes", max_probes},
               {"eigenvalue_tolerance", eigenvalue_tolerance},
               {"max_iterations", max_iterations},
               {"max_memory_bytes", max_memory_bytes},
               {"all_curvature", all_curvature},
               {"quantize_activations", quantize_activations},
               {"activation_range", activation_range}};
  if (output_changes != SensitivityOptions{}.output_changes) json["output_changes"] = output_changes;
  return json;
}

// Names come from tables by now (validated), but a digest must not throw on any bytes.
std::string Dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace

std::string SettingsJson(const QuantizationOptions& quantization, const SensitivityOptions& sensitivity) {
  return Dump({{"quantization", ToJson(quantization)}, {"sensitivity", ToJson(sensitivity)}});
}

std::optional<bool> ActivationsScored(std::string_view settings) {
  const Json json = Json::parse(settings, nullptr, /*allow_exceptions=*/false);
  const Json::json_pointer path("/sensitivity/quantize_activations");
  if (!json.is_object() || !json.contains(path) || !json.at(path).is_boolean()) return std::nullopt;
  return json.at(path).get<bool>();
}

std::string DigestOfMeasurement(std::string_view model_digest, std::string_view dataset_digest,
                                std::string_view settings, const std::map<std::string, std::string>& versions) {
  return Sha256Hex(Dump({{"format", kMeasurementFormat},
                         {"model_digest", model_digest},
                         {"dataset_digest", dataset_digest},
                         {"settings", settings},
                         {"versions", versions}}));
}

}  // namespace bitplan::pipeline
