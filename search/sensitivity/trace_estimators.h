#ifndef BITPLAN_SEARCH_SENSITIVITY_TRACE_ESTIMATORS_H_
#define BITPLAN_SEARCH_SENSITIVITY_TRACE_ESTIMATORS_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "search/base/run_context.h"
#include "search/curvature/gauss_newton.h"
#include "search/curvature/hutchinson.h"
#include "search/ops/objective.h"

namespace bitplan {

struct TraceOptions {
  uint64_t seed = 0;
  double relative_error = 0.05;  // wanted standard error of each layer's trace, in the estimator's own sense
  int64_t max_probes = 512;  // most work, in passes over all samples (for each layer where one is done at a time); >= 2
  std::string checkpoint_key;  // must name the objective; empty: nothing is kept
};

// One way to the traces of all layers' diagonal blocks.
struct TraceEstimatorEntry {
  std::string_view name;
  std::string_view summary;  // one line for help texts
  std::string_view source;
  absl::StatusOr<std::vector<TraceEstimate>> (*estimate)(const Objective& objective, const TraceOptions& options,
                                                         const RunContext& context) = nullptr;
};

namespace sensitivity {

// The only list; help texts and capability lists read it. The first is the default.
//   gauss_newton        sampled output factors: the trace of the Gauss-Newton block, which is the Hessian's for
//   networks
//                       that are piecewise linear in a layer's weights. Far the cheapest; see curvature/gauss_newton.h
//   gauss_newton_exact  the same without sampling: as many backward passes a sample as there are outputs
//   hessian_split       the Hessian's own trace: the Gauss-Newton trace and Hutchinson's probes, layer by layer, for
//   what
//                       is left of the Hessian, which is zero for piecewise linear networks and small for many others
//   hutchinson          the Hessian's own trace by random probes, of all layers at once or one at a time by what is
//                       cheaper
//   hutch_plus_plus     the Hessian's own trace, layer by layer; for blocks with few large eigenvalues
//   xtrace              likewise
std::span<const TraceEstimatorEntry> TraceEstimators();

// What gauss_newton makes of the options: a probe is a draw for each sample.
GaussNewtonOptions GaussNewtonDraws(const Objective& objective, const TraceOptions& options);

// kNotFound, listing the known names.
absl::StatusOr<TraceEstimatorEntry> FindTraceEstimator(std::string_view name);

}  // namespace sensitivity
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_SENSITIVITY_TRACE_ESTIMATORS_H_
