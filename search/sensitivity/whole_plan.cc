#include "search/sensitivity/whole_plan.h"

#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

#include "search/base/status.h"
#include "search/ops/losses.h"
#include "search/sensitivity/activation_ranges.h"
#include "search/sensitivity/measured_loss.h"
#include "search/sensitivity/plan_predictor.h"

namespace bitplan::sensitivity {
namespace {

int64_t BytesFor(const SensitivityOptions& settings) {
  constexpr int64_t kShareOfLimit = 8;
  if (settings.max_memory_bytes == 0) return kMaxResponseBytes;
  return std::min(kMaxResponseBytes, settings.max_memory_bytes / kShareOfLimit);
}

absl::StatusOr<MeasuredChanges> FindChanges(const MethodInput& input, const RunContext& context) {
  const int64_t max_bytes = BytesFor(input.settings);
  if (input.settings.output_changes == "measured") return MeasureChanges(input, max_bytes, context);
  ActivationChanges activations;
  if (input.activations != nullptr) {
    BITPLAN_ASSIGN_OR_RETURN(activations, ActivationChangesOf(*input.activations, input.options));
  }
  MeasuredChanges changes;
  BITPLAN_ASSIGN_OR_RETURN(
      changes.responses, curvature::MeasureResponses(
                             input.objective, input.perturbations,
                             {.num_samples = curvature::SamplesWithin(input.objective, input.perturbations, max_bytes),
                              .max_bytes = max_bytes},
                             context, activations));
  return changes;
}

// Of the first samples.
Targets FirstOf(const Targets& targets, int64_t num_samples, int64_t num_all) {
  if (const auto* labels = std::get_if<ClassLabels>(&targets)) {
    const int64_t each = std::ssize(*labels) / num_all;
    return ClassLabels(labels->begin(), labels->begin() + num_samples * each);
  }
  const auto* tensor = std::get_if<Tensor>(&targets);
  if (tensor == nullptr) return {};
  Tensor first = *tensor;
  first.data.resize(first.data.size() / num_all * num_samples);
  first.shape[0] = num_samples;
  return first;
}

absl::StatusOr<PlanResponses> MakePlanResponses(const MethodInput& input, PlanForm form, OutputResponses responses,
                                                const RunContext& context) {
  BITPLAN_ASSIGN_OR_RETURN(Tensor outputs, input.objective.Outputs({}, context));
  PlanResponses plan{.form = form,
                     .loss = input.objective.loss_name(),
                     .label_smoothing = input.settings.label_smoothing,
                     .responses = std::move(responses)};
  const int64_t num_samples = plan.responses.num_samples;
  outputs.data.resize(num_samples * plan.responses.num_outputs);
  outputs.shape[0] = num_samples;
  plan.outputs = std::move(outputs.data);
  plan.output_shape = std::move(outputs.shape);
  if (ops::IsLabelFree(plan.loss)) return plan;
  if (input.data == nullptr) {
    return InvalidArgument("method '{}' wants the data's targets, or a label-free loss; the loss is '{}'",
                           input.settings.method, plan.loss);
  }
  plan.targets = FirstOf(input.data->targets, num_samples, input.data->num_samples);
  return plan;
}

// What the predictor says of each option alone.
void ScoreAlone(const PlanPredictor& predictor, const OptionTable& options, MethodScores& scores) {
  for (size_t l = 0; l < options.options.size(); ++l) {
    scores.score.emplace_back();
    scores.standard_error.emplace_back();
    for (size_t o = 0; o < options.options[l].size(); ++o) {
      std::vector<int> alone(options.options.size(), -1);
      alone[l] = static_cast<int>(o);
      const SampleMean mean = predictor.Predict(alone);
      scores.score.back().push_back(mean.mean);
      scores.standard_error.back().push_back(mean.standard_error);
    }
  }
}

absl::StatusOr<MethodScores> PredictPlans(const MethodInput& input, PlanForm form, const RunContext& context) {
  BITPLAN_ASSIGN_OR_RETURN(MeasuredChanges changes, FindChanges(input, context));
  MethodScores scores;
  const int64_t kept = changes.responses.num_samples;
  BITPLAN_ASSIGN_OR_RETURN(PlanResponses plan, MakePlanResponses(input, form, std::move(changes.responses), context));
  if (form == PlanForm::kSuperposition && !changes.scores.score.empty()) {
    scores = std::move(changes.scores);  // the same of one layer, and of all samples
  } else {
    BITPLAN_ASSIGN_OR_RETURN(const PlanPredictor predictor, PlanPredictor::Create(plan));
    ScoreAlone(predictor, input.options, scores);
  }
  if (kept < input.objective.num_samples()) {
    scores.notes.push_back(
        fmt::format("whole plans are predicted from {} of {} samples: the changes of {} outputs by all "
                    "options would take more than {} bytes",
                    kept, input.objective.num_samples(), input.objective.num_outputs(), BytesFor(input.settings)));
  }
  scores.responses = std::move(plan);
  return scores;
}

}  // namespace

absl::StatusOr<MethodScores> Quadratic(const MethodInput& input, const RunContext& context) {
  return PredictPlans(input, PlanForm::kQuadratic, context);
}

absl::StatusOr<MethodScores> LogitSuperposition(const MethodInput& input, const RunContext& context) {
  return PredictPlans(input, PlanForm::kSuperposition, context);
}

std::string LossOfMethod(const MethodEntry& method, const SensitivityOptions& options, const Targets& targets) {
  if (!method.predicts_plans || options.loss != "auto" || options.label_smoothing != 0) return options.loss;
  return ops::LabelFreeLoss(std::holds_alternative<Tensor>(targets) ? "mean_squared_error" : "cross_entropy");
}

}  // namespace bitplan::sensitivity
