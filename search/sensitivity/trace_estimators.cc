#include "search/sensitivity/trace_estimators.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <utility>

#include "search/base/status.h"
#include "search/curvature/block_hutchinson.h"
#include "search/curvature/checkpoint.h"
#include "search/curvature/estimator_table.h"
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
  return RunGaussNewton(objective, GaussNewtonDraws(objective, options), context);
}

absl::StatusOr<std::vector<TraceEstimate>> GaussNewtonExact(const Objective& objective, const TraceOptions& options,
                                                            const RunContext& context) {
  return RunGaussNewton(
      objective, {.sampling = GaussNewtonOptions::Sampling::kNever, .checkpoint_key = options.checkpoint_key}, context);
}

ProbeOptions Probes(const TraceOptions& options) {
  return {.seed = options.seed,
          .relative_error = options.relative_error,
          .min_probes = std::min(ProbeOptions{}.min_probes, options.max_probes),
          .max_probes = options.max_probes,
          .checkpoint_key = options.checkpoint_key};
}

// `context` for layer l of n, one after the other.
RunContext OfLayer(const RunContext& context, int64_t l, int64_t n) {
  RunContext of_layer = context;
  of_layer.progress = [&context, l, n](const Progress& inner) {
    Progress report = inner;
    report.stage = "traces";
    report.fraction = (static_cast<double>(l) + inner.fraction) / static_cast<double>(n);
    report.layer = l + 1;
    report.num_layers = n;
    context.Report(report);
  };
  return of_layer;
}

absl::StatusOr<std::vector<TraceEstimate>> Hutchinson(const Objective& objective, const TraceOptions& options,
                                                      const RunContext& context) {
  const HessianOperator whole = HessianOperator::OfNetwork(objective);
  std::vector<HessianOperator> blocks;
  blocks.reserve(objective.slices().size());
  for (int l = 0; l < std::ssize(objective.slices()); ++l) blocks.push_back(HessianOperator::OfLayer(objective, l));
  BlockedOperator hessian{.whole = &whole, .slices = objective.slices()};
  for (const HessianOperator& block : blocks) hessian.diagonal.push_back(&block);
  BITPLAN_ASSIGN_OR_RETURN(ScopedTraces traces,
                           curvature::HutchinsonScopedTraces(hessian, ProbeScope::kCheaper, Probes(options), context));
  return std::move(traces.traces);
}

// What the Gauss-Newton trace leaves out of layer l's, to a standard error of `error`.
absl::StatusOr<TraceEstimate> Remainder(const Objective& objective, int l, double error, const TraceOptions& options,
                                        const RunContext& context) {
  ProbeOptions probes = Probes(options);
  probes.absolute_error = error;
  probes.checkpoint_key =
      options.checkpoint_key.empty() ? "" : fmt::format("{}/remainder/{}", options.checkpoint_key, l);
  return curvature::HutchinsonTrace(HessianOperator::OfLayer(objective, l, CurvatureMatrix::kRemainder), probes,
                                    context);
}

absl::StatusOr<std::vector<TraceEstimate>> HessianSplit(const Objective& objective, const TraceOptions& options,
                                                        const RunContext& context) {
  TraceOptions half = options;  // of the variance each
  half.relative_error = options.relative_error / std::numbers::sqrt2;
  BITPLAN_ASSIGN_OR_RETURN(std::vector<TraceEstimate> traces, GaussNewton(objective, half, context));
  double largest = 0;
  for (const TraceEstimate& trace : traces) largest = std::max(largest, trace.trace);
  for (int l = 0; l < std::ssize(traces); ++l) {
    TraceEstimate& trace = traces[l];
    const double error = half.relative_error * std::max(trace.trace, ProbeOptions{}.small_block_fraction * largest);
    BITPLAN_ASSIGN_OR_RETURN(const TraceEstimate rest,
                             Remainder(objective, l, error, half, OfLayer(context, l, std::ssize(traces))));
    trace = {.trace = trace.trace + rest.trace,
             .standard_error = std::hypot(trace.standard_error, rest.standard_error),
             .num_probes = trace.num_probes + rest.num_probes,
             .converged = trace.converged && rest.converged};
  }
  return traces;
}

// Each layer's block by an estimator that knows only operators.
absl::StatusOr<std::vector<TraceEstimate>> BlockByBlock(std::string_view name, const Objective& objective,
                                                        const TraceOptions& options, const RunContext& context) {
  BITPLAN_ASSIGN_OR_RETURN(const EstimatorEntry estimator, curvature::FindEstimator(name));
  const EstimatorOptions of_block{
      .seed = options.seed, .relative_error = options.relative_error, .max_products = options.max_probes};
  std::vector<TraceEstimate> traces;
  for (int l = 0; l < std::ssize(objective.slices()); ++l) {
    const std::string key = options.checkpoint_key.empty()
                                ? ""
                                : fmt::format("{}/{}/{}/{}/{}/{}", options.checkpoint_key, name, of_block.seed,
                                              of_block.relative_error, of_block.max_products, l);
    if (const auto kept = curvature::LoadNumbers(context, key, 4)) {
      traces.push_back({.trace = (*kept)[0],
                        .standard_error = (*kept)[1],
                        .num_probes = static_cast<int64_t>((*kept)[2]),
                        .converged = (*kept)[3] != 0});
      continue;
    }
    BITPLAN_ASSIGN_OR_RETURN(const CurvatureEstimate trace,
                             estimator.estimate(HessianOperator::OfLayer(objective, l), of_block,
                                                OfLayer(context, l, std::ssize(objective.slices()))));
    traces.push_back({.trace = trace.value,
                      .standard_error = trace.error,
                      .num_probes = trace.num_products,
                      .converged = trace.converged});
    curvature::SaveNumbers(context, key,
                           std::vector<double>{trace.value, trace.error, static_cast<double>(trace.num_products),
                                               static_cast<double>(trace.converged)});
  }
  return traces;
}

absl::StatusOr<std::vector<TraceEstimate>> HutchPlusPlus(const Objective& objective, const TraceOptions& options,
                                                         const RunContext& context) {
  return BlockByBlock("hutch_plus_plus", objective, options, context);
}

absl::StatusOr<std::vector<TraceEstimate>> XTrace(const Objective& objective, const TraceOptions& options,
                                                  const RunContext& context) {
  return BlockByBlock("xtrace", objective, options, context);
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
    {.name = "hessian_split",
     .summary = "Hessian traces: Gauss-Newton and probes of one layer at a time for the rest",
     .source = "Schraudolph (2002); Hutchinson (1989)",
     .estimate = &HessianSplit},
    {.name = "hutchinson",
     .summary = "Hessian traces from random probes, as HAWQ-v2; negative curvature shows",
     .source = "Girard (1989), Hutchinson (1989)",
     .estimate = &Hutchinson},
    {.name = "hutch_plus_plus",
     .summary = "Hessian traces, the dominant subspace of each block exactly",
     .source = "Meyer, Musco, Musco, Woodruff (2021)",
     .estimate = &HutchPlusPlus},
    {.name = "xtrace",
     .summary = "Hessian traces, each test vector beside the subspace of the others",
     .source = "Epperly, Tropp, Webber (2024)",
     .estimate = &XTrace},
});

}  // namespace

GaussNewtonOptions GaussNewtonDraws(const Objective& objective, const TraceOptions& options) {
  GaussNewtonOptions draws{
      .seed = options.seed, .relative_error = options.relative_error, .checkpoint_key = options.checkpoint_key};
  constexpr int64_t kMostDraws = int64_t{1} << 52;
  const int64_t most_probes = kMostDraws / objective.num_samples();
  draws.max_draws = std::max(draws.min_draws, std::min(options.max_probes, most_probes) * objective.num_samples());
  return draws;
}

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
