#include "search/evaluation/compare_methods.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <map>
#include <memory>
#include <numeric>
#include <span>
#include <utility>

#include "search/base/rng.h"
#include "search/base/status.h"
#include "search/ops/losses.h"
#include "search/ops/objective.h"
#include "search/ops/sample_loss.h"
#include "search/quantization/quantizer.h"
#include "search/sensitivity/activation_ranges.h"
#include "search/sensitivity/importance.h"
#include "search/sensitivity/method_table.h"
#include "search/sensitivity/plan_predictor.h"

namespace bitplan {

absl::Status Validate(const ComparisonOptions& options) {
  if (options.num_plans < 2) return InvalidArgument("comparison.num_plans: got {}, want at least 2", options.num_plans);
  for (const std::string& name : options.methods) {
    SensitivityOptions settings = options.sensitivity;
    settings.method = name;
    BITPLAN_RETURN_IF_ERROR(Validate(settings));
  }
  return absl::OkStatus();
}

namespace evaluation {
namespace {

using Choice = std::vector<int>;  // option of each layer

std::vector<double> RanksOf(const std::vector<double>& values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, [&](size_t a, size_t b) { return std::pair(values[a], a) < std::pair(values[b], b); });
  std::vector<double> ranks(values.size());
  for (size_t i = 0; i < order.size();) {
    size_t end = i;
    while (end < order.size() && values[order[end]] == values[order[i]]) ++end;
    for (size_t k = i; k < end; ++k) ranks[order[k]] = static_cast<double>(i + end - 1) / 2;
    i = end;
  }
  return ranks;
}

// Through the origin.
double SlopeOf(const std::vector<double>& x, const std::vector<double>& y) {
  double xy = 0;
  double xx = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xy += x[i] * y[i];
    xx += x[i] * x[i];
  }
  return xx > 0 ? xy / xx : 0;
}

// Means over samples of what plans do.
struct Measured {
  std::vector<double> loss;        // increase
  std::vector<double> divergence;  // label-free loss
};

// Runs plans on one dataset.
class PlanRunner {
 public:
  // All arguments but the last three must outlive it. `activations` null: they stay float. `importance`:
  // PerturbInputs', of all weights; may be empty.
  static absl::StatusOr<PlanRunner> Create(const Graph& graph, const Dataset& data, const OptionTable& options,
                                           const ActivationCalibration* activations, std::span<const float> importance,
                                           const SensitivityOptions& settings, const RunContext& context) {
    BITPLAN_ASSIGN_OR_RETURN(std::unique_ptr<Objective> objective,
                             Objective::Create(graph, data,
                                               {.loss = settings.loss,
                                                .label_smoothing = settings.label_smoothing,
                                                .max_samples = settings.max_samples,
                                                .max_memory_bytes = settings.max_memory_bytes}));
    BITPLAN_ASSIGN_OR_RETURN(const Tensor outputs, objective->Outputs({}, context));
    const std::string& loss = objective->loss_name();
    BITPLAN_ASSIGN_OR_RETURN(ops::SampleLoss divergence,
                             ops::SampleLoss::Create({.loss = ops::LabelFreeLoss(loss)}, data, objective->num_samples(),
                                                     outputs.shape, objective->num_samples()));
    divergence.SetOwnOutputs(outputs.data);
    PlanRunner runner(graph, options, activations, std::move(objective), std::move(divergence));
    BITPLAN_ASSIGN_OR_RETURN(runner.own_loss_, runner.objective_->Loss({}, context));
    BITPLAN_RETURN_IF_ERROR(runner.Quantize(importance, settings.seed));
    return runner;
  }

  absl::StatusOr<Measured> Run(const std::vector<Choice>& plans, const RunContext& context) const {
    Measured measured;
    for (size_t p = 0; p < plans.size(); ++p) {
      RunContext of_plan = context;
      of_plan.progress = nullptr;
      BITPLAN_RETURN_IF_ERROR(RunOne(plans[p], of_plan, measured));
      context.Report({.stage = "plans", .fraction = static_cast<double>(p + 1) / static_cast<double>(plans.size())});
    }
    return measured;
  }

  const Objective& objective() const { return *objective_; }

 private:
  PlanRunner(const Graph& graph, const OptionTable& options, const ActivationCalibration* activations,
             std::unique_ptr<Objective> objective, ops::SampleLoss divergence)
      : graph_(graph),
        options_(options),
        activations_(activations),
        objective_(std::move(objective)),
        divergence_(std::move(divergence)) {}

  absl::Status Quantize(std::span<const float> importance, uint64_t seed) {
    for (size_t l = 0; l < options_.options.size(); ++l) {
      const auto [offset, size] = objective_->slices()[l];
      const std::span<const float> own = objective_->weights().subspan(offset, size);
      const Layer& layer = graph_.layers.layers[l];
      auto& of_layer = weights_.emplace_back();
      PerturbInputs inputs{.seed = seed, .stream = l};
      if (!importance.empty()) inputs.importance = importance.subspan(offset, size);
      for (const Option& option : options_.options[l]) {
        BITPLAN_ASSIGN_OR_RETURN(
            Perturbation perturbation,
            quantization::Perturb(TensorView(own, layer.weight_shape), layer.output_channel_axis, option, inputs));
        for (int64_t i = 0; i < size; ++i) perturbation.delta[i] += own[i];
        of_layer.push_back(std::move(perturbation.delta));
      }
    }
    return absl::OkStatus();
  }

  absl::Status RunOne(const Choice& plan, const RunContext& context, Measured& measured) const {
    Substitution substitution;
    std::vector<const Option*> chosen;
    for (size_t l = 0; l < plan.size(); ++l) {
      substitution.weights[static_cast<int>(l)] = weights_[l][plan[l]];
      chosen.push_back(&options_.options[l][plan[l]]);
    }
    if (activations_ != nullptr) {
      BITPLAN_ASSIGN_OR_RETURN(
          substitution.transforms,
          sensitivity::ActivationTransforms(*activations_, sensitivity::WidthsOfPoints(*activations_, chosen)));
    }
    std::vector<double> losses(objective_->num_samples());
    std::vector<double> divergences(losses.size());
    const auto visit = [&](int, int64_t first, std::span<const float> outputs, std::span<const double> of_samples) {
      std::ranges::copy(of_samples, losses.begin() + first);
      divergence_.Values(first, outputs, std::span(divergences).subspan(first, of_samples.size()));
    };
    BITPLAN_RETURN_IF_ERROR(objective_->RunSubstituted(std::span(&substitution, 1), visit, context));
    measured.loss.push_back(sensitivity::MeanOf(losses).mean - own_loss_);
    measured.divergence.push_back(sensitivity::MeanOf(divergences).mean);
    return absl::OkStatus();
  }

  const Graph& graph_;
  const OptionTable& options_;
  const ActivationCalibration* activations_;
  std::unique_ptr<Objective> objective_;
  ops::SampleLoss divergence_;
  double own_loss_ = 0;
  std::vector<std::vector<std::vector<float>>> weights_;  // [layer][option]
};

std::vector<Choice> RandomPlans(const OptionTable& options, int num_plans, uint64_t seed) {
  constexpr uint64_t kStream = uint64_t{1} << 33;  // its own: layers and estimators draw from lower ones
  Rng rng(seed, kStream);
  std::vector<Choice> plans(num_plans);
  for (Choice& plan : plans) {
    for (const auto& of_layer : options.options) plan.push_back(static_cast<int>(rng.NextBelow(of_layer.size())));
  }
  return plans;
}

absl::StatusOr<std::vector<double>> PredictionsOf(const SensitivityTable& table, const std::vector<Choice>& plans) {
  std::vector<double> predictions;
  if (table.responses) {
    BITPLAN_ASSIGN_OR_RETURN(const PlanPredictor predictor, PlanPredictor::Create(*table.responses));
    for (const Choice& plan : plans) predictions.push_back(predictor.Predict(plan).mean);
    return predictions;
  }
  for (const Choice& plan : plans) {
    double sum = 0;
    for (size_t l = 0; l < plan.size(); ++l) sum += table.score[l][plan[l]];
    predictions.push_back(sum);
  }
  return predictions;
}

PlanAgreement AgreementWith(const std::vector<double>& predictions, const Measured& measured) {
  return {.loss = RankCorrelation(predictions, measured.loss),
          .divergence = RankCorrelation(predictions, measured.divergence)};
}

absl::StatusOr<std::vector<std::string>> MethodsFor(const ComparisonOptions& options) {
  if (!options.methods.empty()) return options.methods;
  std::vector<std::string> names;
  for (const MethodEntry& method : sensitivity::Methods()) {
    if (method.score == nullptr) continue;
    if (options.sensitivity.quantize_activations && !method.scores_activations) continue;
    names.emplace_back(method.name);
  }
  return names;
}

double CpuSeconds(std::clock_t start) { return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC; }

absl::StatusOr<double> GradientSeconds(const Objective& objective, const RunContext& context) {
  BITPLAN_RETURN_IF_ERROR(objective.Gradient({}, context).status());  // the first one also sets up
  const std::clock_t start = std::clock();
  BITPLAN_RETURN_IF_ERROR(objective.Gradient({}, context).status());
  return CpuSeconds(start);
}

// Everything that methods are compared with.
struct Evidence {
  std::vector<Choice> plans;
  Measured calibration;
  std::optional<Measured> held_out;
  double gradient_seconds = 0;
};

absl::StatusOr<MethodAgreement> Judge(const std::string& name, const Graph& graph, const Dataset& calibration,
                                      const OptionTable& option_table, const ComparisonOptions& options,
                                      const Evidence& evidence, const RunContext& context) {
  SensitivityOptions settings = options.sensitivity;
  settings.method = name;
  const std::clock_t start = std::clock();
  BITPLAN_ASSIGN_OR_RETURN(const SensitivityTable table,
                           sensitivity::Estimate(graph, calibration, option_table, settings, context));
  MethodAgreement agreement{
      .method = name, .loss = table.loss, .cost_in_gradients = CpuSeconds(start) / evidence.gradient_seconds};
  for (const auto& of_layer : table.score) {
    agreement.scores.insert(agreement.scores.end(), of_layer.begin(), of_layer.end());
  }
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<double> predictions, PredictionsOf(table, evidence.plans));
  agreement.calibration = AgreementWith(predictions, evidence.calibration);
  if (evidence.held_out) agreement.held_out = AgreementWith(predictions, *evidence.held_out);
  const bool label_free = ops::IsLabelFree(table.loss);
  agreement.slope = SlopeOf(predictions, label_free ? evidence.calibration.divergence : evidence.calibration.loss);
  return agreement;
}

}  // namespace

std::optional<double> RankCorrelation(const std::vector<double>& a, const std::vector<double>& b) {
  const std::vector<double> x = RanksOf(a);
  const std::vector<double> y = RanksOf(b);
  const double mean = (static_cast<double>(a.size()) - 1) / 2;
  double xy = 0;
  double xx = 0;
  double yy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - mean) * (y[i] - mean);
    xx += (x[i] - mean) * (x[i] - mean);
    yy += (y[i] - mean) * (y[i] - mean);
  }
  if (xx == 0 || yy == 0) return std::nullopt;
  return xy / std::sqrt(xx * yy);
}

absl::StatusOr<MethodComparison> CompareMethods(const Graph& graph, const Dataset& calibration, const Dataset* held_out,
                                                const OptionTable& option_table, const ComparisonOptions& options,
                                                const RunContext& context) {
  BITPLAN_RETURN_IF_ERROR(Validate(options));
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<std::string> methods, MethodsFor(options));
  const SensitivityOptions& settings = options.sensitivity;
  BITPLAN_ASSIGN_OR_RETURN(
      const std::unique_ptr<Objective> objective,
      Objective::Create(graph, calibration, {.loss = settings.loss, .max_samples = settings.max_samples}));
  std::vector<float> importance;
  if (sensitivity::WantsImportance(option_table)) {
    BITPLAN_ASSIGN_OR_RETURN(importance, sensitivity::WeightImportance(*objective, settings.seed, context));
  }
  std::optional<ActivationCalibration> activations;
  if (settings.quantize_activations) {
    BITPLAN_ASSIGN_OR_RETURN(activations,
                             sensitivity::CalibrateActivations(graph, *objective, settings.activation_range, context));
  }
  const ActivationCalibration* ranges = activations ? &*activations : nullptr;
  Evidence evidence{.plans = RandomPlans(option_table, options.num_plans, settings.seed)};
  BITPLAN_ASSIGN_OR_RETURN(const PlanRunner on_calibration,
                           PlanRunner::Create(graph, calibration, option_table, ranges, importance, settings, context));
  BITPLAN_ASSIGN_OR_RETURN(evidence.calibration, on_calibration.Run(evidence.plans, context));
  BITPLAN_ASSIGN_OR_RETURN(evidence.gradient_seconds, GradientSeconds(on_calibration.objective(), context));
  MethodComparison comparison{.num_samples = on_calibration.objective().num_samples(), .num_plans = options.num_plans};
  if (held_out != nullptr) {
    SensitivityOptions of_held_out = settings;
    of_held_out.max_samples = 0;
    BITPLAN_ASSIGN_OR_RETURN(const PlanRunner runner, PlanRunner::Create(graph, *held_out, option_table, ranges,
                                                                         importance, of_held_out, context));
    BITPLAN_ASSIGN_OR_RETURN(evidence.held_out, runner.Run(evidence.plans, context));
    comparison.num_held_out_samples = held_out->num_samples;
    comparison.measured_on_both = RankCorrelation(evidence.calibration.loss, evidence.held_out->loss);
  }
  for (const std::string& method : methods) {
    BITPLAN_ASSIGN_OR_RETURN(MethodAgreement agreement,
                             Judge(method, graph, calibration, option_table, options, evidence, context));
    comparison.methods.push_back(std::move(agreement));
  }
  for (const MethodAgreement& a : comparison.methods) {
    std::vector<double>& row = comparison.between.emplace_back();
    for (const MethodAgreement& b : comparison.methods) {
      row.push_back(RankCorrelation(a.scores, b.scores).value_or(0));
    }
  }
  return comparison;
}

}  // namespace evaluation
}  // namespace bitplan
