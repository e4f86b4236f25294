#ifndef BITPLAN_SEARCH_CURVATURE_DEFLATED_TRACE_H_
#define BITPLAN_SEARCH_CURVATURE_DEFLATED_TRACE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "search/base/run_context.h"
#include "search/base/status.h"
#include "search/curvature/checkpoint.h"

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

// Progress of a run whose standard error is to come down to `target`.
void ReportDeflatedTrace(const DeflatedTraceEstimate& estimate, double target, int64_t max_products,
                         const RunContext& context);

// The result that an earlier run kept under `key`; else that of estimator.Run(context), which is kept in place of what
// the run itself had kept (estimator.Forget).
template <typename Estimator>
absl::StatusOr<DeflatedTraceEstimate> RunOrRecall(Estimator& estimator, const std::string& key,
                                                  const RunContext& context) {
  if (const auto kept = ToDeflatedTrace(LoadNumbers(context, key))) return *kept;
  BITPLAN_ASSIGN_OR_RETURN(const DeflatedTraceEstimate estimate, estimator.Run(context));
  SaveNumbers(context, key, ToNumbers(estimate));
  estimator.Forget(context);
  return estimate;
}

}  // namespace curvature
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_CURVATURE_DEFLATED_TRACE_H_
