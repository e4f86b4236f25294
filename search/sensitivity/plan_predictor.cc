#include "search/sensitivity/plan_predictor.h"

#include <algorithm>
#include <cmath>
#include <iterator>
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

// Of each sample; see the header.
std::vector<double> PlanPredictor::WeightsOfFloor(std::span<const int64_t> changes) const {
  std::vector<double> weights(num_samples_, 1.0);
  const bool is_constant = form_ == PlanForm::kQuadratic || loss_.name().ends_with("mean_squared_error");
  if (is_constant) return weights;
  const int64_t outputs = std::ssize(outputs_);
  std::vector<double> low(outputs, 0.0);
  std::vector<double> high(outputs, 0.0);
  for (size_t layer = 0; layer < first_.size(); ++layer) {
    const int64_t end = layer + 1 < first_.size() ? first_[layer + 1] : num_changes_;
    std::vector<int64_t> own;
    std::ranges::copy_if(changes, std::back_inserter(own), [&](int64_t j) { return j >= first_[layer] && j < end; });
    if (own.empty()) continue;
    for (int64_t i = 0; i < outputs; ++i) {
      float least = changes_[own.front() * outputs + i];
      float most = least;
      for (const int64_t j : own) {
        least = std::min(least, changes_[j * outputs + i]);
        most = std::max(most, changes_[j * outputs + i]);
      }
      low[i] += least;
      high[i] += most;
    }
  }
  for (int64_t n = 0; n < num_samples_; ++n) {
    // An output that does not change counts too: binary cross-entropies compare with 0.
    double least = 0;
    double most = 0;
    for (int64_t i = n * num_outputs_; i < (n + 1) * num_outputs_; ++i) {
      least = std::min(least, low[i]);
      most = std::max(most, high[i]);
    }
    // Rounding of the outputs to float moves them a little; see ToleranceFor.
    weights[n] = std::exp(-(most - least) - tolerance_) * (1 - 1e-6);
  }
  return weights;
}

bool PlanPredictor::CurvatureFloor(std::span<const int64_t> changes, const RunContext& context,
                                   std::span<double> floor) const {
  constexpr double kMostProducts = 4e9;  // a second or two
  const int64_t outputs = std::ssize(outputs_);
  const auto count = static_cast<int64_t>(changes.size());
  if (static_cast<double>(outputs) * static_cast<double>(count) * static_cast<double>(count) > kMostProducts) {
    return false;
  }
  const std::vector<double> weights = WeightsOfFloor(changes);
  std::vector<float> curved(outputs);
  std::vector<float> weighted(outputs);
  for (int64_t a = 0; a < count; ++a) {
    if (!context.CheckStop().ok()) return false;
    loss_.Curvature(0, outputs_, std::span(changes_).subspan(changes[a] * outputs, outputs), 1, curved);
    for (int64_t i = 0; i < outputs; ++i) {
      weighted[i] = static_cast<float>(weights[i / num_outputs_] / static_cast<double>(num_samples_)) * curved[i];
    }
    for (int64_t b = 0; b <= a; ++b) {
      const double product = Dot(weighted, std::span(changes_).subspan(changes[b] * outputs, outputs));
      floor[a * count + b] = product;
      floor[b * count + a] = product;
    }
  }
  return true;
}

double PlanPredictor::least() const { return loss_.label_free() ? 0 : -std::numeric_limits<double>::infinity(); }

}  // namespace bitplan
