#include "search/curvature/deflated_trace.h"

#include <algorithm>
#include <cmath>

namespace bitplan::curvature {

std::vector<double> ToNumbers(const DeflatedTraceEstimate& estimate) {
  return {estimate.trace,
          estimate.standard_error,
          static_cast<double>(estimate.num_samples),
          static_cast<double>(estimate.rank),
          static_cast<double>(estimate.num_products),
          estimate.converged ? 1.0 : 0.0};
}

std::optional<DeflatedTraceEstimate> ToDeflatedTrace(const std::optional<std::vector<double>>& numbers) {
  if (!numbers || numbers->size() != ToNumbers({}).size()) return std::nullopt;
  const std::vector<double>& f = *numbers;
  return DeflatedTraceEstimate{.trace = f[0],
                               .standard_error = f[1],
                               .num_samples = static_cast<int64_t>(f[2]),
                               .rank = static_cast<int64_t>(f[3]),
                               .num_products = static_cast<int64_t>(f[4]),
                               .converged = f[5] != 0};
}

void ReportDeflatedTrace(const DeflatedTraceEstimate& estimate, double target, int64_t max_products,
                         const RunContext& context) {
  const double share = static_cast<double>(estimate.num_products) / static_cast<double>(max_products);
  const double ratio = estimate.standard_error > 0 ? target / estimate.standard_error : 1;
  const double size = std::abs(estimate.trace);
  context.Report({.stage = "traces",
                  .fraction = std::clamp(ratio * ratio, std::min(share, 1.0), 1.0),
                  .probes = estimate.num_products,
                  .relative_error = size > 0 ? estimate.standard_error / size : 0});
}

}  // namespace bitplan::curvature
