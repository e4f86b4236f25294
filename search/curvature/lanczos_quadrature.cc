#include "search/curvature/lanczos_quadrature.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "search/base/rng.h"
#include "search/base/status.h"
#include "search/curvature/checkpoint.h"
#include "search/curvature/krylov.h"
#include "search/curvature/products.h"

namespace bitplan {

absl::Status Validate(const LanczosQuadratureOptions& options) {
  if (options.num_steps < 1) {
    return InvalidArgument("spectral density: num_steps: got {}, want at least 1", options.num_steps);
  }
  if (!(options.error > 0) || !std::isfinite(options.error)) {
    return InvalidArgument("spectral density: error: got {}, want above 0", options.error);
  }
  if (!(options.smoothing > 0) || !std::isfinite(options.smoothing)) {
    return InvalidArgument("spectral density: smoothing: got {}, want above 0", options.smoothing);
  }
  if (options.min_probes < 2) {
    return InvalidArgument("spectral density: min_probes: got {}, want at least 2 (one probe has no standard error)",
                           options.min_probes);
  }
  if (options.max_probes < options.min_probes) {
    return InvalidArgument("spectral density: max_probes: got {}, want at least min_probes, {}", options.max_probes,
                           options.min_probes);
  }
  return absl::OkStatus();
}

namespace curvature {
namespace {

// A rule's nodes do not depend on error target and smoothing, so neither does the name under which it is kept.
std::string CheckpointKey(const LanczosQuadratureOptions& options, int64_t probe) {
  if (options.checkpoint_key.empty()) return {};
  return fmt::format("{}/lanczos_quadrature/{}/{}/{}", options.checkpoint_key, options.seed, options.num_steps, probe);
}

// A probe's rule, and the one by three quarters of its steps.
struct ProbeRules {
  SpectralDensity::Rule rule;
  SpectralDensity::Rule shorter;
  int64_t num_products = 0;
};

SpectralDensity::Rule RuleOf(const KrylovSpace& space, int64_t size) {
  const RitzPairs ritz = FindRitzPairs(space, size);
  SpectralDensity::Rule rule{.nodes = ritz.values, .weights = {}};
  for (const std::vector<double>& vector : ritz.vectors) rule.weights.push_back(vector.front() * vector.front());
  return rule;
}

absl::StatusOr<ProbeRules> MakeRules(const LinearOperator& A, const LanczosQuadratureOptions& options, int64_t probe,
                                     const RunContext& context) {
  std::vector<float> v(A.dimension());
  Rng(options.seed, probe).FillRademacher(v);
  Products products(A, {.estimator = fmt::format("spectral density: probe {}", probe), .checkpoint_key = {}});
  KrylovSpace space = KrylovSpace::From(v);
  const int64_t num_steps = std::min(options.num_steps, A.dimension());
  while (space.size() < num_steps && !space.IsInvariant()) {
    BITPLAN_RETURN_IF_ERROR(Extend(space, products, context));
  }
  // An invariant space's rule is exact: there is nothing that more steps could change.
  const int64_t shorter = space.IsInvariant() ? space.size() : std::max<int64_t>(1, space.size() * 3 / 4);
  return ProbeRules{
      .rule = RuleOf(space, space.size()), .shorter = RuleOf(space, shorter), .num_products = products.count()};
}

std::vector<double> ToNumbers(const ProbeRules& rules) {
  std::vector<double> numbers = {static_cast<double>(rules.num_products), static_cast<double>(rules.rule.nodes.size())};
  for (const SpectralDensity::Rule* rule : {&rules.rule, &rules.shorter}) {
    numbers.insert(numbers.end(), rule->nodes.begin(), rule->nodes.end());
    numbers.insert(numbers.end(), rule->weights.begin(), rule->weights.end());
  }
  return numbers;
}

SpectralDensity::Rule ToRule(std::span<const double> numbers) {
  const auto nodes = numbers.first(numbers.size() / 2);
  const auto weights = numbers.subspan(numbers.size() / 2);
  return {.nodes = {nodes.begin(), nodes.end()}, .weights = {weights.begin(), weights.end()}};
}

std::optional<ProbeRules> FromNumbers(const std::optional<std::vector<double>>& kept) {
  constexpr size_t kHead = 2;
  if (!kept || kept->size() <= kHead || kept->size() % 2 != 0) return std::nullopt;
  const auto body = std::span<const double>(*kept).subspan(kHead);
  const auto size = static_cast<size_t>((*kept)[1]);
  if (size < 1 || 2 * size >= body.size()) return std::nullopt;
  return ProbeRules{.rule = ToRule(body.first(2 * size)),
                    .shorter = ToRule(body.subspan(2 * size)),
                    .num_products = static_cast<int64_t>(kept->front())};
}

double L1Distance(const SpectralDensity::Rule& a, const SpectralDensity::Rule& b, double width) {
  const SpectralDensity of_a{.dimension = 1, .rules = {a}};
  const SpectralDensity of_b{.dimension = 1, .rules = {b}};
  std::vector<DensityPoint> difference = PlotDensity({.dimension = 1, .rules = {a, b}}, {.width = width});
  for (DensityPoint& point : difference) {
    point.density =
        std::abs(SmoothedDensity(of_a, point.x, width).density - SmoothedDensity(of_b, point.x, width).density);
  }
  return IntegrateDensity(difference);
}

void Judge(SpectralDensityEstimate& estimate, const LanczosQuadratureOptions& options) {
  estimate.width = SmoothingWidth(estimate.density, options.smoothing);
  estimate.error = IntegrateStandardError(PlotDensity(estimate.density, {.width = estimate.width}));
  estimate.converged = estimate.error <= options.error;
}

double QuadratureError(const SpectralDensityEstimate& estimate, std::span<const SpectralDensity::Rule> shorter) {
  double sum = 0;
  for (size_t k = 0; k < shorter.size(); ++k) {
    sum += L1Distance(estimate.density.rules[k], shorter[k], estimate.width);
  }
  return sum / static_cast<double>(shorter.size());
}

void ReportProgress(int64_t num_probes, double error, const LanczosQuadratureOptions& options,
                    const RunContext& context) {
  const double share = static_cast<double>(num_probes) / static_cast<double>(options.max_probes);
  const double to_target = error > 0 ? std::pow(options.error / error, 2) : 0;
  context.Report({.stage = "density",
                  .fraction = std::clamp(to_target, share, 1.0),
                  .probes = num_probes,
                  .relative_error = error});
}

}  // namespace

absl::StatusOr<SpectralDensityEstimate> StochasticLanczosQuadrature(const LinearOperator& A,
                                                                    const LanczosQuadratureOptions& options,
                                                                    const RunContext& context) {
  BITPLAN_RETURN_IF_ERROR(Validate(options));
  if (A.dimension() < 1) return InvalidArgument("spectral density: the operator has dimension 0");
  SpectralDensityEstimate estimate{.density = {.dimension = A.dimension(), .rules = {}}};
  std::vector<SpectralDensity::Rule> shorter;
  int64_t next_look = options.min_probes;
  for (int64_t probe = 0; probe < options.max_probes && !estimate.converged; ++probe) {
    BITPLAN_RETURN_IF_ERROR(context.CheckStop());
    const std::string key = CheckpointKey(options, probe);
    std::optional<ProbeRules> rules = FromNumbers(LoadNumbers(context, key));
    if (!rules) {
      BITPLAN_ASSIGN_OR_RETURN(rules, MakeRules(A, options, probe, context));
      SaveNumbers(context, key, ToNumbers(*rules));
    }
    estimate.num_products += rules->num_products;
    estimate.density.rules.push_back(std::move(rules->rule));
    shorter.push_back(std::move(rules->shorter));
    if (probe + 1 == std::min(next_look, options.max_probes)) {
      Judge(estimate, options);
      next_look += std::max<int64_t>(1, next_look / 4);
    }
    ReportProgress(probe + 1, estimate.error, options, context);
  }
  estimate.quadrature_error = QuadratureError(estimate, shorter);
  return estimate;
}

}  // namespace curvature
}  // namespace bitplan
