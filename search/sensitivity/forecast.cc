#include "search/sensitivity/forecast.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <vector>

#include "search/base/rng.h"
#include "search/base/status.h"
#include "search/curvature/gauss_newton.h"
#include "search/ops/infer_shapes.h"
#include "search/ops/objective.h"
#include "search/quantization/quantizer.h"
#include "search/sensitivity/importance.h"
#include "search/sensitivity/method_table.h"
#include "search/sensitivity/trace_estimators.h"

namespace bitplan::sensitivity {
namespace {

constexpr int64_t kPilotSamples = 16;
constexpr int64_t kPilotDraws = 32;
// Iterations that the top eigenvalue of a block takes at least: two to see a residual.
constexpr int64_t kLeastIterations = 2;

// Least, most and, where known, expected units of work.
struct Range {
  double least = 0;
  double most = 0;
  std::optional<double> expected;
};

// Seconds of the second of two runs: the first one warms caches up.
template <typename Work>
absl::StatusOr<double> TimeOf(Work work) {
  BITPLAN_RETURN_IF_ERROR(work());
  const auto begin = std::chrono::steady_clock::now();
  BITPLAN_RETURN_IF_ERROR(work());
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// The first samples, as many as the graph takes at a time where that is fixed.
absl::StatusOr<std::unique_ptr<Objective>> PilotObjective(const Graph& graph, const Dataset& data,
                                                          const SensitivityOptions& options, int64_t num_samples) {
  BITPLAN_ASSIGN_OR_RETURN(const int64_t fixed, ops::FixedBatch(graph));
  const int64_t batch = std::max<int64_t>(fixed, 1);
  const int64_t samples = std::min(num_samples, std::max(batch, kPilotSamples / batch * batch));
  return Objective::Create(graph, data,
                           {.loss = options.loss,
                            .label_smoothing = options.label_smoothing,
                            .max_samples = samples,
                            .max_memory_bytes = options.max_memory_bytes});
}

// A forecast in the making: adds stages up.
class Forecaster {
 public:
  Forecaster(const Objective& pilot, const SensitivityOptions& options, CostForecast& forecast,
             const RunContext& context)
      : pilot_(pilot),
        options_(options),
        forecast_(forecast),
        context_{.stop = context.stop, .deadline = context.deadline, .num_threads = context.num_threads},
        scale_(static_cast<double>(forecast.num_samples) / static_cast<double>(pilot.num_samples())) {
    forecast_.expected_seconds = 0;
  }

  absl::Status AddGradient() {
    BITPLAN_ASSIGN_OR_RETURN(const double seconds, TimeOf([&] { return pilot_.Gradient({}, context_).status(); }));
    forecast_.gradient_seconds = seconds * scale_;
    constexpr double kForwardsToo = 5.0 / 3;  // a forward pass for the checkpoint key, one for the samples' weights
    const double whole = forecast_.gradient_seconds * kForwardsToo;
    Add(1, {.least = whole, .most = whole, .expected = whole});
    return absl::OkStatus();
  }

  // Draws of single samples, until traces and the forms of `perturbations` are known. `exact`: all columns of all
  // samples.
  absl::Status AddDraws(bool exact, const curvature::Perturbations& perturbations = {}) {
    GaussNewtonOptions draws{.seed = options_.seed,
                             .relative_error = options_.trace_relative_error,
                             .min_draws = kPilotDraws,
                             .max_draws = kPilotDraws,
                             .sampling = GaussNewtonOptions::Sampling::kAlways};
    int64_t wanted = 0;
    BITPLAN_ASSIGN_OR_RETURN(const double seconds, TimeOf([&]() -> absl::Status {
                               BITPLAN_ASSIGN_OR_RETURN(
                                   const GaussNewtonEstimate estimate,
                                   curvature::EstimateGaussNewton(pilot_, perturbations, draws, context_));
                               wanted = estimate.wanted_draws;
                               return absl::OkStatus();
                             }));
    const auto columns = static_cast<double>(forecast_.num_samples * pilot_.num_outputs());
    const auto least = static_cast<double>(GaussNewtonOptions{}.min_draws);
    const double limit = static_cast<double>(options_.max_probes * forecast_.num_samples);
    Range range{.least = least, .most = std::max(least, std::min(limit, 2 * columns))};
    range.expected = std::clamp(static_cast<double>(wanted), range.least, range.most);
    if (exact) range = {.least = columns, .most = columns, .expected = columns};
    Add(seconds / kPilotDraws, range);
    return absl::OkStatus();
  }

  // The draws of an importance. Their passes are those of other draws.
  absl::Status AddImportance() {
    GaussNewtonOptions draws{.seed = options_.seed,
                             .min_draws = kPilotDraws,
                             .max_draws = kPilotDraws,
                             .sampling = GaussNewtonOptions::Sampling::kAlways,
                             .diagonal = true};
    BITPLAN_ASSIGN_OR_RETURN(const double seconds, TimeOf([&] {
                               return curvature::EstimateGaussNewton(pilot_, {}, draws, context_).status();
                             }));
    const auto columns = static_cast<double>(forecast_.num_samples * pilot_.num_outputs());
    const double passes = std::min(columns, static_cast<double>(kImportanceDraws));
    Add(seconds / kPilotDraws, {.least = passes, .most = passes, .expected = passes});
    return absl::OkStatus();
  }

  // A forward pass for each option, less what comes before its layer: timed with one option a layer. How much it takes
  // does not depend on what comes out.
  absl::Status AddForwards(const curvature::Perturbations& one_a_layer) {
    std::vector<Substitution> substitutions;
    for (size_t l = 0; l < one_a_layer.size(); ++l) {
      substitutions.push_back({.weights = {{static_cast<int>(l), one_a_layer[l][0]}}, .transforms = {}});
    }
    const auto ignore = [](int, int64_t, std::span<const float>, std::span<const double>) {};
    BITPLAN_ASSIGN_OR_RETURN(const double seconds,
                             TimeOf([&] { return pilot_.RunSubstituted(substitutions, ignore, context_); }));
    const double options = static_cast<double>(forecast_.num_options) / static_cast<double>(forecast_.num_layers);
    Add(seconds * scale_, {.least = options, .most = options, .expected = options});
    return absl::OkStatus();
  }

  // Products with the whole Hessian; those with a block cost less.
  absl::Status AddProducts(Range products) {
    std::vector<float> v(pilot_.num_weights());
    Rng(options_.seed, 0).FillRademacher(v);
    std::vector<double> out(v.size());
    BITPLAN_ASSIGN_OR_RETURN(const double seconds,
                             TimeOf([&] { return pilot_.HessianVectorProduct(v, std::nullopt, out, context_); }));
    Add(seconds * scale_, products);
    return absl::OkStatus();
  }

 private:
  void Add(double unit_seconds, const Range& units) {
    forecast_.least_seconds += unit_seconds * units.least;
    forecast_.most_seconds += unit_seconds * units.most;
    if (forecast_.expected_seconds && units.expected) {
      *forecast_.expected_seconds += unit_seconds * *units.expected;
    } else {
      forecast_.expected_seconds.reset();
    }
  }

  const Objective& pilot_;
  const SensitivityOptions& options_;
  CostForecast& forecast_;
  RunContext context_;  // without progress: the pilot's own stages would look like the measurement's
  double scale_;
};

// One perturbation a layer: forms spread more than traces do, and about alike for all options. All weights are as
// important: how long passes take does not depend on it.
absl::StatusOr<curvature::Perturbations> FirstOptions(const Objective& objective, const LayerTable& layers,
                                                      const OptionTable& options) {
  curvature::Perturbations perturbations;
  for (size_t l = 0; l < layers.layers.size(); ++l) {
    const auto [offset, size] = objective.slices()[l];
    const TensorView weight(objective.weights().subspan(offset, size), layers.layers[l].weight_shape);
    const std::vector<float> importance(size, 1.0F);
    absl::StatusOr<Perturbation> perturbation = quantization::Perturb(
        weight, layers.layers[l].output_channel_axis, options.options[l].at(0), {.importance = importance});
    if (!perturbation.ok()) return WithContext(perturbation.status(), fmt::format("layers[{}]", l));
    perturbations.push_back({std::move(perturbation->delta)});
  }
  return perturbations;
}

absl::Status AddTraces(const SensitivityOptions& options, int64_t num_layers, Forecaster& forecaster) {
  if (options.trace_estimator == "gauss_newton") return forecaster.AddDraws(/*exact=*/false);
  if (options.trace_estimator == "gauss_newton_exact") return forecaster.AddDraws(/*exact=*/true);
  if (options.trace_estimator == "hessian_split") BITPLAN_RETURN_IF_ERROR(forecaster.AddDraws(/*exact=*/false));
  // Probes of all layers at once are one product each, those of one layer are products with its block.
  return forecaster.AddProducts(
      {.least = 2, .most = static_cast<double>(options.max_probes) * static_cast<double>(num_layers)});
}

}  // namespace

absl::StatusOr<CostForecast> Forecast(const Graph& graph, const Dataset& data, const OptionTable& option_table,
                                      const SensitivityOptions& options, const RunContext& context) {
  BITPLAN_RETURN_IF_ERROR(Validate(options));
  BITPLAN_ASSIGN_OR_RETURN(const MethodEntry method, FindMethod(options.method));
  CostForecast forecast{.num_samples = data.num_samples, .num_layers = std::ssize(graph.layers.layers)};
  if (options.max_samples > 0) forecast.num_samples = std::min(forecast.num_samples, options.max_samples);
  for (size_t l = 0; l < graph.layers.layers.size(); ++l) {
    forecast.num_weights += graph.layers.layers[l].num_weights;
    forecast.num_options += std::ssize(option_table.options[l]);
  }
  forecast.perturbation_bytes = KeptPerturbationBytes(method, graph.layers, option_table);
  BITPLAN_ASSIGN_OR_RETURN(const std::unique_ptr<Objective> pilot,
                           PilotObjective(graph, data, options, forecast.num_samples));
  Forecaster forecaster(*pilot, options, forecast, context);
  BITPLAN_RETURN_IF_ERROR(forecaster.AddGradient());
  if (WantsImportance(option_table)) BITPLAN_RETURN_IF_ERROR(forecaster.AddImportance());
  if (method.needs_perturbations) {
    BITPLAN_ASSIGN_OR_RETURN(const curvature::Perturbations first, FirstOptions(*pilot, graph.layers, option_table));
    BITPLAN_RETURN_IF_ERROR(method.runs_options ? forecaster.AddForwards(first)
                                                : forecaster.AddDraws(/*exact=*/false, first));
  }
  if (method.needs_traces) BITPLAN_RETURN_IF_ERROR(AddTraces(options, forecast.num_layers, forecaster));
  if (method.needs_top_eigenvalues) {
    const auto layers = static_cast<double>(forecast.num_layers);
    BITPLAN_RETURN_IF_ERROR(forecaster.AddProducts(
        {.least = layers * kLeastIterations, .most = layers * static_cast<double>(options.max_iterations)}));
  }
  return forecast;
}

}  // namespace bitplan::sensitivity
