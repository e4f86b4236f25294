#ifndef BITPLAN_SEARCH_SENSITIVITY_PLAN_PREDICTOR_H_
#define BITPLAN_SEARCH_SENSITIVITY_PLAN_PREDICTOR_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "search/base/run_context.h"
#include "search/data/dataset.h"
#include "search/ops/sample_loss.h"
#include "search/sensitivity/paired_difference.h"
#include "search/sensitivity/plan_responses.h"
#include "search/tensor/tensor.h"

namespace bitplan {

// Predicts the loss increase of whole plans from V, cross-layer effects included. A plan is a vector x with one entry a
// change j, one-hot in each layer; v_n = V_n x is what it does to the outputs of sample n.
//
//   kQuadratic       (1/N) sum_n [ l_n'v_n + v_n'F_n v_n / 2 ]        l_n, F_n: gradient and curvature of the loss in
//                                                                     the outputs, at z_n
//   kSuperposition   (1/N) sum_n [ loss(z_n + v_n) - loss(z_n) ]
//
// Both are convex in x: x may be any point of the layers' simplices, not only a plan. Exact for one layer alone if V
// was measured and the form is kSuperposition; exact for all plans if the outputs were linear in the changes together.
//
// Error: standard error over samples of what is averaged; it knows nothing of what superposition leaves out.
// Cost:  Predict: N C L additions and N losses. Gradient: N C J. Memory: V once more, in another order.
// Same bits for any number of threads.
class PlanPredictor {
 public:
  // `plan` is consistent (CheckPlanResponses). kInvalidArgument: targets that do not fit the outputs. kUnimplemented:
  // no such loss.
  static absl::StatusOr<PlanPredictor> Create(const PlanResponses& plan);
  // The same errors, without copying the changes.
  static absl::Status CheckTargets(const PlanResponses& plan);

  int64_t num_layers() const { return std::ssize(first_); }
  int64_t num_changes() const { return num_changes_; }
  // Change j of option `option` of a layer.
  int64_t change(int layer, int option) const { return first_[layer] + option; }

  // Of the plan that takes option choice[l] in layer l. -1: the layer stays float.
  SampleMean Predict(std::span<const int> choice) const;

  // The mean at x, num_changes() entries, and its gradient by x.
  double Value(std::span<const double> x) const;
  double ValueAndGradient(std::span<const double> x, std::span<double> gradient) const;
  // Fills `floor`, by rows over `changes`, with a matrix that the second derivative of Value never falls
  // below while x is a mixture of these changes in each layer: for kQuadratic and squared errors the second derivative
  // itself, (1/N) sum_n V_n'F_n V_n; for cross-entropies sample n counts exp(-R_n), as no probability (of a class, or
  // of yes and no) falls below exp(-R_n) times what it is at z_n. R_n: largest less smallest change of an output that
  // any mixture makes. False: it would take too long, or the context says stop.
  bool CurvatureFloor(std::span<const int64_t> changes, const RunContext& context, std::span<double> floor) const;
  bool is_quadratic() const { return form_ == PlanForm::kQuadratic; }
  // No plan is predicted below it: 0 for label-free losses, which are least at the network's own outputs.
  double least() const;
  // About how far rounding of the outputs to float may move a value.
  double tolerance() const { return tolerance_; }

 private:
  PlanPredictor(std::unique_ptr<const Dataset> targets, ops::SampleLoss loss)
      : targets_(std::move(targets)), loss_(std::move(loss)) {}

  std::vector<double> WeightsOfFloor(std::span<const int64_t> changes) const;
  std::vector<float> ChangeAt(std::span<const double> x) const;
  // What is averaged, of each sample, where the outputs change by v.
  std::vector<double> Increases(std::span<const float> v) const;

  PlanForm form_ = PlanForm::kSuperposition;
  std::unique_ptr<const Dataset> targets_;  // nothing but targets; the loss reads them
  ops::SampleLoss loss_;
  int64_t num_samples_ = 0;
  int64_t num_outputs_ = 0;  // C
  int64_t num_changes_ = 0;  // J
  std::vector<int64_t> first_;
  FloatVector outputs_;              // [N, C]
  FloatVector changes_;              // [J, N, C]
  std::vector<double> own_losses_;   // [N]
  std::vector<float> own_gradient_;  // [N, C]
  double tolerance_ = 0;
};

}  // namespace bitplan

#endif  // BITPLAN_SEARCH_SENSITIVITY_PLAN_PREDICTOR_H_
