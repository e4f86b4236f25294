#include "client/forecast_output.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "client/units.h"

namespace bitplan::client {

std::string RenderForecast(const CostForecast& forecast) {
  std::string text = fmt::format("network       {} layers, {} weights, {} options\nsamples       {}\n",
                                 FormatCount(forecast.num_layers), FormatCount(forecast.num_weights),
                                 FormatCount(forecast.num_options), FormatCount(forecast.num_samples));
  text += fmt::format("one gradient  {}\n", FormatSeconds(forecast.gradient_seconds));
  if (forecast.expected_seconds) text += fmt::format("expected      {}\n", FormatSeconds(*forecast.expected_seconds));
  text += fmt::format("at least      {}\nat most       {}\n", FormatSeconds(forecast.least_seconds),
                      FormatSeconds(forecast.most_seconds));
  if (forecast.perturbation_bytes > 0) {
    text += fmt::format("memory        {} for the options' perturbations, besides the passes\n",
                        FormatBytes(forecast.perturbation_bytes));
  }
  return text;
}

std::string ForecastJson(const CostForecast& forecast) {
  nlohmann::ordered_json document = {{"num_samples", forecast.num_samples},
                                     {"num_layers", forecast.num_layers},
                                     {"num_weights", forecast.num_weights},
                                     {"num_options", forecast.num_options},
                                     {"perturbation_bytes", forecast.perturbation_bytes},
                                     {"gradient_seconds", forecast.gradient_seconds},
                                     {"least_seconds", forecast.least_seconds},
                                     {"most_seconds", forecast.most_seconds}};
  if (forecast.expected_seconds) document["expected_seconds"] = *forecast.expected_seconds;
  return document.dump(2) + "\n";
}

}  // namespace bitplan::client
