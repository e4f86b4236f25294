#ifndef BITPLAN_CLIENT_FORECAST_OUTPUT_H_
#define BITPLAN_CLIENT_FORECAST_OUTPUT_H_

#include <string>

#include "search/sensitivity/forecast.h"

namespace bitplan::client {

// What measuring would take, as lines for people or as a JSON document.
std::string RenderForecast(const CostForecast& forecast);
std::string ForecastJson(const CostForecast& forecast);

}  // namespace bitplan::client

#endif  // BITPLAN_CLIENT_FORECAST_OUTPUT_H_
