#include "search/pipeline/predicted_loss.h"

#include <algorithm>
#include <set>
#include <utility>

#include "search/layer/uniform.h"

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

std::vector<std::vector<int>> UniformChoices(const Measurement& measured, const BuiltProblem& built) {
  std::set<int> widths;
  for (const int k : built.kept.front()) widths.insert(measured.options.options.front()[k].weight_bits);
  std::vector<std::vector<int>> choices;
  for (const int bits : widths) {
    std::vector<int> choice;
    for (size_t l = 0; l < built.kept.size(); ++l) {
      std::vector<Option> options;
      for (const int k : built.kept[l]) options.push_back(measured.options.options[l][k]);
      choice.push_back(UniformOption(options, bits));
    }
    if (std::ranges::all_of(choice, [](int option) { return option >= 0; })) choices.push_back(std::move(choice));
  }
  return choices;
}

}  // namespace bitplan::pipeline
