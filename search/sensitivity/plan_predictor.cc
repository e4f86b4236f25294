#include "search/sensitivity/plan_predictor.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "search/base/status.h"

namespace bitplan {
namespace {

// V[n, c, j] as [j, n, c]: a plan adds whole rows.
FloatVector ByChange(const OutputResponses& responses) {
  const int64_t outputs = responses.num_samples * responses.num_outputs;
  FloatVector changes(responses.values.size());
  for (int64_t i = 0; i < outputs; ++i) {
    for (int64_t j = 0; j < responses.num_perturbations; ++j) {
      changes[j * outputs + i] = responses.values[i * responses.num_perturbations + j];
    }
  }
  return changes;
}

void AddTimes(double factor, std::span<const float> x, std::span<float> sum) {
  const auto scale = static_cast<float>(factor);
  for (size_t i = 0; i < sum.size(); ++i) sum[i] += scale * x[i];
}

double Dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

// Cross-entropies change by at most twice what an output changes by; outputs are rounded to half a unit in the last
// place of the largest.
double ToleranceFor(std::span<const float> outputs) {
  float largest = 1;
  for (const float z : outputs) largest = std::max(largest, std::abs(z));
  return 2 * static_cast<double>(largest) * std::numeric_limits<float>::epsilon();
}

// Nothing but the targets.
Dataset TargetsOf(const PlanResponses& plan) {
  Dataset data;
  data.targets = plan.targets;
  data.num_samples = plan.responses.num_samples;
  return data;
}

// `targets` must outlive the result.
absl::StatusOr<ops::SampleLoss> LossOf(const PlanResponses& plan, const Dataset& targets) {
  return ops::SampleLoss::Create({.loss = plan.loss, .label_smoothing = plan.label_smoothing}, targets,
                                 targets.num_samples, plan.output_shape, targets.num_samples);
}

}  // namespace

absl::Status PlanPredictor::CheckTargets(const PlanResponses& plan) {
  const Dataset targets = TargetsOf(plan);
  return LossOf(plan, targets).status();
}

absl::StatusOr<PlanPredictor> PlanPredictor::Create(const PlanResponses& plan) {
  auto targets = std::make_unique<Dataset>(TargetsOf(plan));
  BITPLAN_ASSIGN_OR_RETURN(ops::SampleLoss loss, LossOf(plan, *targets));
  PlanPredictor predictor(std::move(targets), std::move(loss));
  predictor.form_ = plan.form;
  predictor.num_samples_ = plan.responses.num_samples;
  predictor.num_outputs_ = plan.responses.num_outputs;
  predictor.num_changes_ = plan.responses.num_perturbations;
  predictor.first_ = plan.responses.first;
  predictor.outputs_ = plan.outputs;
  predictor.changes_ = ByChange(plan.responses);
  if (predictor.loss_.label_free()) predictor.loss_.SetOwnOutputs(predictor.outputs_);
  predictor.own_losses_.resize(predictor.num_samples_);
  predictor.loss_.Values(0, predictor.outputs_, predictor.own_losses_);
  predictor.own_gradient_.resize(predictor.outputs_.size());
  predictor.loss_.Gradient(0, predictor.outputs_, 1, predictor.own_gradient_);
  predictor.tolerance_ = ToleranceFor(predictor.outputs_);
  return predictor;
}

std::vector<float> PlanPredictor::ChangeAt(std::span<const double> x) const {
  const int64_t outputs = std::ssize(outputs_);
  std::vector<float> change(outputs, 0.0F);
  for (int64_t j = 0; j < num_changes_; ++j) {
    if (x[j] != 0) AddTimes(x[j], std::span(changes_).subspan(j * outputs, outputs), change);
  }
  return change;
}

std::vector<double> PlanPredictor::Increases(std::span<const float> v) const {
  std::vector<double> increases(num_samples_);
  if (form_ == PlanForm::kSuperposition) {
    std::vector<float> moved(outputs_.begin(), outputs_.end());
    AddTimes(1, v, moved);
    loss_.Values(0, moved, increases);
    for (int64_t n = 0; n < num_samples_; ++n) increases[n] -= own_losses_[n];
    return increases;
  }
  std::vector<float> curved(v.size());
  loss_.Curvature(0, outputs_, v, 1, curved);
  for (int64_t n = 0; n < num_samples_; ++n) {
    const auto of_sample = [&](std::span<const float> all) { return all.subspan(n * num_outputs_, num_outputs_); };
    increases[n] = Dot(of_sample(own_gradient_), of_sample(v)) + Dot(of_sample(v), of_sample(curved)) / 2;
  }
  return increases;
}

SampleMean PlanPredictor::Predict(std::span<const int> choice) const {
  std::vector<double> x(num_changes_, 0.0);
  for (size_t l = 0; l < choice.size(); ++l) {
    if (choice[l] >= 0) x[change(static_cast<int>(l), choice[l])] = 1;
  }
  return sensitivity::MeanOf(Increases(ChangeAt(x)));
}

double PlanPredictor::Value(std::span<const double> x) const {
  return sensitivity::MeanOf(Increases(ChangeAt(x))).mean;
}

double PlanPredictor::ValueAndGradient(std::span<const double> x, std::span<double> gradient) const {
  const std::vector<float> v = ChangeAt(x);
  std::vector<float> slope(v.size());
  if (form_ == PlanForm::kSuperposition) {
    std::vector<float> moved(outputs_.begin(), outputs_.end());
    AddTimes(1, v, moved);
    loss_.Gradient(0, moved, 1, slope);
  } else {
    loss_.Curvature(0, outputs_, v, 1, slope);
    AddTimes(1, own_gradient_, slope);
  }
  for (int64_t j = 0; j < num_changes_; ++j) {
    gradient[j] =
        Dot(slope, std::span(changes_).subspan(j * std::ssize(v), v.size())) / static_cast<double>(num_samples_);
  }
  return sensitivity::MeanOf(Increases(v)).mean;
}

double PlanPredictor::least() const { return loss_.label_free() ? 0 : -std::numeric_limits<double>::infinity(); }

}  // namespace bitplan
