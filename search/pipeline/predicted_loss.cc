#include "search/pipeline/predicted_loss.h"

namespace bitplan::pipeline {

PredictedLoss::PredictedLoss(const PlanPredictor& predictor, const BuiltProblem& built) : predictor_(predictor) {
  for (int l = 0; l < std::ssize(built.kept); ++l) {
    for (const int option : built.kept[l]) change_of_.push_back(predictor.change(l, option));
  }
}

std::vector<double> PredictedLoss::OfAllOptions(std::span<const double> x) const {
  std::vector<double> all(predictor_.num_changes(), 0.0);
  for (size_t i = 0; i < change_of_.size(); ++i) all[change_of_[i]] = x[i];
  return all;
}

double PredictedLoss::Value(std::span<const double> x) const { return predictor_.Value(OfAllOptions(x)); }

double PredictedLoss::ValueAndGradient(std::span<const double> x, std::span<double> gradient) const {
  std::vector<double> of_all(predictor_.num_changes());
  const double value = predictor_.ValueAndGradient(OfAllOptions(x), of_all);
  for (size_t i = 0; i < change_of_.size(); ++i) gradient[i] = of_all[change_of_[i]];
  return value;
}

}  // namespace bitplan::pipeline
