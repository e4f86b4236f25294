#include "search/curvature/deflated_trace.h"

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

}  // namespace bitplan::curvature
