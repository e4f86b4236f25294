#include "search/sensitivity/trace_estimators.h"

#include <algorithm>
#include <array>

#include "search/base/status.h"
#include "search/curvature/gauss_newton.h"
#include "search/curvature/hessian.h"

namespace bitplan::sensitivity {
namespace {

absl::StatusOr<std::vector<TraceEstimate>> RunGaussNewton(const Objective& objective, const GaussNewtonOptions& options,
                                                          const RunContext& context) {
  BITPLAN_ASSIGN_OR_RETURN(GaussNewtonEstimate estimate,
                           curvature::EstimateGaussNewton(objective, {}, options, context));
  return std::move(estimate.traces);
}

absl::StatusOr<std::vector<TraceEstimate>> GaussNewton(const Objective& objective, const TraceOptions& options,
                                                       const RunContext& context) {
  GaussNewtonOptions draws{
      .seed = options.seed, .relative_error = options.relative_error, .checkpoint_key = options.checkpoint_key};
  constexpr int64_t kMostDraws = int64_t{1} << 52;
  const int64_t most_probes = kMostDraws / objective.num_samples();
  draws.max_draws = std::max(draws.min_draws, std::min(options.max_probes, most_probes) * objective.num_samples());
  return RunGaussNewton(objective, draws, context);
}

absl::StatusOr<std::vector<TraceEstimate>> GaussNewtonExact(const Objective& objective, const TraceOptions& options,
                                                            const RunContext& context) {
  return RunGaussNewton(
      objective, {.sampling = GaussNewtonOptions::Sampling::kNever, .checkpoint_key = options.checkpoint_key}, context);
}

absl::StatusOr<std::vector<TraceEstimate>> Hutchinson(const Objective& objective, const TraceOptions& options,
                                                      const RunContext& context) {
  const ProbeOptions probes{.seed = options.seed,
                            .relative_error = options.relative_error,
                            .min_probes = std::min(ProbeOptions{}.min_probes, options.max_probes),
                            .max_probes = options.max_probes,
                            .checkpoint_key = options.checkpoint_key};
  return curvature::HutchinsonBlockTraces(HessianOperator::OfNetwork(objective), objective.slices(), probes, context);
}

constexpr auto kTraceEstimators = std::to_array<TraceEstimatorEntry>({
    {.name = "gauss_newton",
     .summary = "Gauss-Newton traces from sampled output factors; far the cheapest",
     .source = "Schraudolph (2002); Dangel, Kunstner, Hennig: BackPACK (2020)",
     .estimate = &GaussNewton},
    {.name = "gauss_newton_exact",
     .summary = "Gauss-Newton traces from all output factors of all samples; no sampling error",
     .source = "Schraudolph (2002); Dangel, Kunstner, Hennig: BackPACK (2020)",
     .estimate = &GaussNewtonExact},
    {.name = "hutchinson",
     .summary = "Hessian traces from random probes over all layers, as HAWQ-v2; negative curvature shows",
     .source = "Girard (1989), Hutchinson (1989)",
     .estimate = &Hutchinson},
});

}  // namespace

std::span<const TraceEstimatorEntry> TraceEstimators() { return kTraceEstimators; }

absl::StatusOr<TraceEstimatorEntry> FindTraceEstimator(std::string_view name) {
  std::string known;
  for (const TraceEstimatorEntry& entry : kTraceEstimators) {
    if (entry.name == name) return entry;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", entry.name);
  }
  return NotFound("trace_estimator: got '{}', want one of {}", name, known);
}

}  // namespace bitplan::sensitivity
