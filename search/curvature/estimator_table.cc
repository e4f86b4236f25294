#include "search/curvature/estimator_table.h"

#include <algorithm>
#include <array>
#include <string>

#include "search/base/status.h"
#include "search/curvature/hutchinson.h"
#include "search/curvature/power_iteration.h"

namespace bitplan::curvature {
namespace {

absl::StatusOr<CurvatureEstimate> Trace(const LinearOperator& A, const EstimatorOptions& options,
                                        const RunContext& context) {
  const ProbeOptions probes{.seed = options.seed,
                            .relative_error = options.relative_error,
                            .min_probes = std::min(ProbeOptions{}.min_probes, options.max_products),
                            .max_probes = options.max_products};
  BITPLAN_ASSIGN_OR_RETURN(const TraceEstimate trace, HutchinsonTrace(A, probes, context));
  return CurvatureEstimate{.value = trace.trace,
                           .error = trace.standard_error,
                           .num_products = trace.num_probes,
                           .converged = trace.converged};
}

absl::StatusOr<CurvatureEstimate> TopEigenvalue(const LinearOperator& A, const EstimatorOptions& options,
                                                const RunContext& context) {
  const PowerIterationOptions iteration{
      .seed = options.seed, .tolerance = options.relative_error, .max_iterations = options.max_products};
  BITPLAN_ASSIGN_OR_RETURN(const EigenvalueEstimate top, PowerIteration(A, iteration, context));
  return CurvatureEstimate{
      .value = top.value, .error = top.residual, .num_products = top.iterations, .converged = top.converged};
}

constexpr auto kEstimators = std::to_array<EstimatorEntry>({
    {.name = "hutchinson",
     .quantity = CurvatureQuantity::kTrace,
     .summary = "trace by Rademacher probes, stops on its standard error",
     .source = "Hutchinson (1989); Dong et al. (2020)",
     .estimate = &Trace},
    {.name = "power_iteration",
     .quantity = CurvatureQuantity::kTopEigenvalue,
     .summary = "eigenvalue of largest magnitude, stops on its residual",
     .source = "von Mises and Pollaczek-Geiringer (1929); Dong et al. (2019)",
     .estimate = &TopEigenvalue},
});

}  // namespace

std::span<const EstimatorEntry> Estimators() { return kEstimators; }

absl::StatusOr<EstimatorEntry> FindEstimator(std::string_view name) {
  std::string known;
  for (const EstimatorEntry& entry : kEstimators) {
    if (entry.name == name) return entry;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", entry.name);
  }
  return NotFound("estimator: got '{}', want one of {}", name, known);
}

}  // namespace bitplan::curvature
