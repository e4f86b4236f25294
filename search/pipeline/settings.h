#ifndef BITPLAN_SEARCH_PIPELINE_SETTINGS_H_
#define BITPLAN_SEARCH_PIPELINE_SETTINGS_H_

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "search/quantization/options.h"
#include "search/sensitivity/estimate.h"

namespace bitplan::pipeline {

// Canonical JSON of everything a measurement is made with besides model and data: keys in a fixed order, no spaces,
// doubles as the shortest text that reads back.
std::string SettingsJson(const QuantizationOptions& quantization, const SensitivityOptions& sensitivity);

// Whether settings as SettingsJson writes them ask for sensitivities that count the quantization of activations;
// nullopt for an empty text, which given sensitivities have, and any other that does not say so.
std::optional<bool> ActivationsScored(std::string_view settings);

// What measurement digests are: SHA-256 of the canonical JSON of format, digests, settings and versions.
std::string DigestOfMeasurement(std::string_view model_digest, std::string_view dataset_digest,
                                std::string_view settings, const std::map<std::string, std::string>& versions);

}  // namespace bitplan::pipeline

#endif  // BITPLAN_SEARCH_PIPELINE_SETTINGS_H_
