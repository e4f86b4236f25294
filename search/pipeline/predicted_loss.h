#ifndef BITPLAN_SEARCH_PIPELINE_PREDICTED_LOSS_H_
#define BITPLAN_SEARCH_PIPELINE_PREDICTED_LOSS_H_

#include <span>
#include <vector>

#include "search/allocation/convex_objective.h"
#include "search/pipeline/run_search.h"
#include "search/sensitivity/plan_predictor.h"

namespace bitplan::pipeline {

// What a PlanPredictor says of mixtures of a problem's options. All arguments must outlive it.
class PredictedLoss final : public ConvexObjective {
 public:
  PredictedLoss(const PlanPredictor& predictor, const BuiltProblem& built);

  double Value(std::span<const double> x) const override;
  double ValueAndGradient(std::span<const double> x, std::span<double> gradient) const override;
  bool CurvatureFloor(std::span<double> floor, const RunContext& context) const override {
    return predictor_.CurvatureFloor(change_of_, context, floor);
  }
  bool is_quadratic() const override { return predictor_.is_quadratic(); }
  double least() const override { return predictor_.least(); }
  double tolerance() const override { return predictor_.tolerance(); }

 private:
  std::vector<double> OfAllOptions(std::span<const double> x) const;

  const PlanPredictor& predictor_;
  std::vector<int64_t> change_of_;  // of each entry of x
};

// The uniform choices of every width that all layers of the problem have: option index of each layer.
std::vector<std::vector<int>> UniformChoices(const Measurement& measured, const BuiltProblem& built);

}  // namespace bitplan::pipeline

#endif  // BITPLAN_SEARCH_PIPELINE_PREDICTED_LOSS_H_
