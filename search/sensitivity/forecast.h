#ifndef BITPLAN_SEARCH_SENSITIVITY_FORECAST_H_
#define BITPLAN_SEARCH_SENSITIVITY_FORECAST_H_

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "search/base/run_context.h"
#include "search/data/dataset.h"
#include "search/graph/graph.h"
#include "search/layer/layer.h"
#include "search/sensitivity/estimate.h"

namespace bitplan {

// What measuring would take, in seconds by the clock on context.num_threads threads.
struct CostForecast {
  int64_t num_samples = 0;
  int64_t num_layers = 0;
  int64_t num_weights = 0;
  int64_t num_options = 0;                 // of all layers together
  int64_t perturbation_bytes = 0;          // kept at once; 0 for methods that need only their norms
  double gradient_seconds = 0;             // loss and gradient over all samples
  double least_seconds = 0;                // if every estimate stops as soon as it may
  double most_seconds = 0;                 // if every estimate takes its limit
  std::optional<double> expected_seconds;  // where a pilot tells how many draws the error target takes
};

namespace sensitivity {

// Times a gradient, and what the method does besides (draws, products with the Hessian), on the first samples and
// scales that up. The draws' spread in the pilot says how many the error target takes: 32 draws, so expect a factor of
// two.
//
// Cost:   a few seconds of passes over 16 samples. Errors: those of Estimate's arguments.
// Not a pure function: it reads the clock.
absl::StatusOr<CostForecast> Forecast(const Graph& graph, const Dataset& data, const OptionTable& option_table,
                                      const SensitivityOptions& options, const RunContext& context);

}  // namespace sensitivity
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_SENSITIVITY_FORECAST_H_
