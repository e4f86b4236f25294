#include "search/curvature/estimator_table.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "search/base/status.h"
#include "search/curvature/hutch_plus_plus.h"
#include "search/curvature/hutchinson.h"
#include "search/curvature/lanczos.h"
#include "search/curvature/lanczos_quadrature.h"
#include "search/curvature/power_iteration.h"
#include "search/curvature/subspace_iteration.h"
#include "search/curvature/xtrace.h"

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

CurvatureEstimate FromDeflated(const DeflatedTraceEstimate& trace) {
  return {.value = trace.trace,
          .error = trace.standard_error,
          .num_products = trace.num_products,
          .converged = trace.converged};
}

absl::StatusOr<CurvatureEstimate> TraceByHutchPlusPlus(const LinearOperator& A, const EstimatorOptions& options,
                                                       const RunContext& context) {
  const HutchPlusPlusOptions of_estimator{
      .seed = options.seed,
      .relative_error = options.relative_error,
      .min_probes = std::min(HutchPlusPlusOptions{}.min_probes, options.max_products),
      .max_products = options.max_products};
  BITPLAN_ASSIGN_OR_RETURN(const DeflatedTraceEstimate trace, HutchPlusPlus(A, of_estimator, context));
  return FromDeflated(trace);
}

absl::StatusOr<CurvatureEstimate> TraceByXTrace(const LinearOperator& A, const EstimatorOptions& options,
                                                const RunContext& context) {
  const XTraceOptions of_estimator{.seed = options.seed,
                                   .relative_error = options.relative_error,
                                   .min_samples = std::min(XTraceOptions{}.min_samples, options.max_products / 2),
                                   .max_products = options.max_products};
  BITPLAN_ASSIGN_OR_RETURN(const DeflatedTraceEstimate trace, XTrace(A, of_estimator, context));
  return FromDeflated(trace);
}

CurvatureEstimate FromEigenvalue(const EigenvalueBound& top, int64_t num_products, bool converged) {
  return {.value = top.value, .error = top.residual, .num_products = num_products, .converged = converged};
}

absl::StatusOr<CurvatureEstimate> TopEigenvalues(const LinearOperator& A, const EstimatorOptions& options,
                                                 const RunContext& context) {
  const SubspaceIterationOptions iteration{.seed = options.seed,
                                           .num_eigenpairs = options.num_eigenvalues,
                                           .tolerance = options.relative_error,
                                           .max_products = options.max_products};
  BITPLAN_ASSIGN_OR_RETURN(EigenpairsEstimate pairs, SubspaceIteration(A, iteration, context));
  CurvatureEstimate estimate = FromEigenvalue(pairs.eigenvalues.front(), pairs.num_products, pairs.converged);
  estimate.eigenvalues = std::move(pairs.eigenvalues);
  return estimate;
}

absl::StatusOr<CurvatureEstimate> ExtremeEigenvalues(const LinearOperator& A, const EstimatorOptions& options,
                                                     const RunContext& context) {
  const LanczosOptions lanczos{
      .seed = options.seed, .tolerance = options.relative_error, .max_products = options.max_products};
  BITPLAN_ASSIGN_OR_RETURN(const LanczosEstimate ends, Lanczos(A, lanczos, context));
  CurvatureEstimate estimate = FromEigenvalue(ends.Dominant(), ends.num_products, ends.converged);
  estimate.eigenvalues = {ends.bottom.front(), ends.top.front()};
  return estimate;
}

absl::StatusOr<CurvatureEstimate> Density(const LinearOperator& A, const EstimatorOptions& options,
                                          const RunContext& context) {
  const LanczosQuadratureOptions defaults;
  const int64_t num_steps = std::clamp<int64_t>(options.max_products / defaults.min_probes, 1, defaults.num_steps);
  const int64_t max_probes = options.max_products / num_steps;
  const LanczosQuadratureOptions quadrature{.seed = options.seed,
                                            .num_steps = num_steps,
                                            .error = options.relative_error,
                                            .min_probes = std::min(defaults.min_probes, max_probes),
                                            .max_probes = max_probes};
  BITPLAN_ASSIGN_OR_RETURN(SpectralDensityEstimate density, StochasticLanczosQuadrature(A, quadrature, context));
  const ProbeAverage mean = SpectralMoment(density.density, 1);
  const auto dimension = static_cast<double>(A.dimension());
  return CurvatureEstimate{.value = dimension * mean.mean,
                           .error = dimension * mean.standard_error,
                           .num_products = density.num_products,
                           .converged = density.converged,
                           .eigenvalues = {},
                           .density = std::move(density.density)};
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
    {.name = "hutch_plus_plus",
     .quantity = CurvatureQuantity::kTrace,
     .summary = "trace, a dominant subspace exactly and the rest by Rademacher probes",
     .source = "Meyer, Musco, Musco, Woodruff (2021)",
     .estimate = &TraceByHutchPlusPlus},
    {.name = "xtrace",
     .quantity = CurvatureQuantity::kTrace,
     .summary = "trace, each test vector beside the subspace of the others",
     .source = "Epperly, Tropp, Webber (2024)",
     .estimate = &TraceByXTrace},
    {.name = "subspace_iteration",
     .quantity = CurvatureQuantity::kTopEigenvalues,
     .summary = "eigenvalues of largest magnitude, by power iteration on a block",
     .source = "Bauer (1957); Rutishauser (1970)",
     .estimate = &TopEigenvalues},
    {.name = "lanczos",
     .quantity = CurvatureQuantity::kExtremeEigenvalues,
     .summary = "smallest and largest eigenvalue, stops on their residuals",
     .source = "Lanczos (1950); Wu and Simon (2000)",
     .estimate = &ExtremeEigenvalues},
    {.name = "lanczos_quadrature",
     .quantity = CurvatureQuantity::kSpectralDensity,
     .summary = "density of the eigenvalues, by Lanczos from Rademacher probes",
     .source = "Ubaru, Chen, Saad (2017); Ghorbani, Krishnan, Xiao (2019)",
     .estimate = &Density},
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
