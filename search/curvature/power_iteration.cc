#include "search/curvature/power_iteration.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "search/base/rng.h"
#include "search/base/status.h"
#include "search/curvature/checkpoint.h"

namespace bitplan {

absl::Status Validate(const PowerIterationOptions& options) {
  if (!(options.tolerance > 0 && options.tolerance < 1)) {
    return InvalidArgument("power iteration: tolerance: got {}, want above 0 and below 1", options.tolerance);
  }
  if (options.max_iterations < 1) {
    return InvalidArgument("power iteration: max_iterations: got {}, want at least 1", options.max_iterations);
  }
  return absl::OkStatus();
}

namespace curvature {
namespace {

std::string CheckpointKey(const PowerIterationOptions& options) {
  if (options.checkpoint_key.empty()) return {};
  return fmt::format("{}/power_iteration/{}/{}/{}/{}", options.checkpoint_key, options.seed, options.stream,
                     options.tolerance, options.max_iterations);
}

// Fields of an estimate, in the order in which they are kept.
constexpr size_t kNumFields = 4;

std::optional<EigenvalueEstimate> Restore(const RunContext& context, std::string_view key) {
  const std::optional<std::vector<double>> kept = LoadNumbers(context, key, kNumFields);
  if (!kept) return std::nullopt;
  const std::vector<double>& f = *kept;
  return EigenvalueEstimate{
      .value = f[0], .residual = f[1], .iterations = static_cast<int64_t>(f[2]), .converged = f[3] != 0};
}

void Keep(const RunContext& context, std::string_view key, const EigenvalueEstimate& estimate) {
  const std::array<double, kNumFields> fields = {
      estimate.value, estimate.residual, static_cast<double>(estimate.iterations), estimate.converged ? 1.0 : 0.0};
  SaveNumbers(context, key, fields);
}

// Rayleigh quotient v'Av / v'v and residual ||Av - value v|| / ||v||, given Av. Exact for v as it was rounded to float.
void Measure(std::span<const float> v, std::span<const double> Av, EigenvalueEstimate& estimate) {
  double vv = 0;
  double vAv = 0;
  for (size_t i = 0; i < v.size(); ++i) {
    vv += static_cast<double>(v[i]) * v[i];
    vAv += v[i] * Av[i];
  }
  estimate.value = vAv / vv;
  double rr = 0;
  for (size_t i = 0; i < v.size(); ++i) {
    const double r = Av[i] - estimate.value * v[i];
    rr += r * r;
  }
  estimate.residual = std::sqrt(rr / vv);
}

// v = direction / ||direction||. Scaled by the largest entry first, so that squares neither overflow nor vanish.
void Normalize(std::span<const double> direction, std::span<float> v) {
  double largest = 0;
  for (const double x : direction) largest = std::max(largest, std::abs(x));
  double squared = 0;
  for (const double x : direction) squared += (x / largest) * (x / largest);
  const double norm = std::sqrt(squared);
  for (size_t i = 0; i < v.size(); ++i) v[i] = static_cast<float>(direction[i] / largest / norm);
}

void ReportProgress(const EigenvalueEstimate& estimate, const PowerIterationOptions& options,
                    const RunContext& context) {
  const double share = static_cast<double>(estimate.iterations) / static_cast<double>(options.max_iterations);
  const double size = std::abs(estimate.value);
  context.Report({.stage = "eigenvalues",
                  .fraction = estimate.converged ? 1 : share,
                  .probes = estimate.iterations,
                  .relative_error = size > 0 ? estimate.residual / size : 0});
}

}  // namespace

absl::StatusOr<EigenvalueEstimate> PowerIteration(const LinearOperator& A, const PowerIterationOptions& options,
                                                  const RunContext& context) {
  BITPLAN_RETURN_IF_ERROR(Validate(options));
  if (A.dimension() < 1) return InvalidArgument("power iteration: the operator has dimension 0");
  const std::string key = CheckpointKey(options);
  if (const auto kept = Restore(context, key)) return *kept;

  std::vector<float> v(A.dimension());
  std::vector<double> Av(A.dimension());
  Rng(options.seed, options.stream).FillGaussian(v);
  EigenvalueEstimate estimate;
  while (!estimate.converged && estimate.iterations < options.max_iterations) {
    BITPLAN_RETURN_IF_ERROR(context.CheckStop());
    if (estimate.iterations > 0) Normalize(Av, v);
    BITPLAN_RETURN_IF_ERROR(A.Apply(v, Av, context));
    ++estimate.iterations;
    Measure(v, Av, estimate);
    if (!std::isfinite(estimate.value) || !std::isfinite(estimate.residual)) {
      return InvalidArgument("power iteration: product {} with the operator is not finite", estimate.iterations);
    }
    estimate.converged = estimate.residual <= options.tolerance * std::abs(estimate.value);
    ReportProgress(estimate, options, context);
  }
  Keep(context, key, estimate);
  return estimate;
}

}  // namespace curvature
}  // namespace bitplan
