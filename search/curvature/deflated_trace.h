#ifndef BITPLAN_SEARCH_CURVATURE_DEFLATED_TRACE_H_
#define BITPLAN_SEARCH_CURVATURE_DEFLATED_TRACE_H_

#include <cstdint>
#include <optional>
#include <vector>

namespace bitplan {

// A trace by an estimator that treats a subspace exactly and samples the rest (Hutch++, XTrace). May be negative.
struct DeflatedTraceEstimate {
  double trace = 0;
  double standard_error = 0;  // of `trace`, from the spread of the samples; curvature::HalfWidth95 makes it an interval
  int64_t num_samples = 0;
  int64_t rank = 0;  // dimension of the subspace
  int64_t num_products = 0;
  bool converged = false;  // the wanted standard error was met; false: max_products came first

  bool operator==(const DeflatedTraceEstimate&) const = default;
};

namespace curvature {

// For checkpoints.
std::vector<double> ToNumbers(const DeflatedTraceEstimate& estimate);
std::optional<DeflatedTraceEstimate> ToDeflatedTrace(const std::optional<std::vector<double>>& numbers);

}  // namespace curvature
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_CURVATURE_DEFLATED_TRACE_H_
