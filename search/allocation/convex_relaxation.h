#ifndef BITPLAN_SEARCH_ALLOCATION_CONVEX_RELAXATION_H_
#define BITPLAN_SEARCH_ALLOCATION_CONVEX_RELAXATION_H_

#include <cstdint>
#include <span>
#include <vector>

#include "search/allocation/convex_instance.h"
#include "search/base/run_context.h"

namespace bitplan::allocation {

// Least value of F(y) = f(y) + diag(D)'y / 2 - y'Dy / 2 over mixtures y that keep the budgets: at most f of every
// choice, as F = f on choices. D is a split (diagonal_split.h) of f's curvature floor, so F is convex.
//
// Method:  steps between two options of one group along a quadratic model of F, whose curvature is `metric` - D,
//          budgets by an augmented Lagrangian; where f is no quadratic, the model is renewed at its minimum (Newton's
//          method with one matrix and a line search).
// Proof:   at any mixture y, with any prices u >= 0 of the budgets,
//            F(c) >= F(y) - dF(y)'y - u b + sum_g min_k (dF(y) + A'u)_gk    for every choice c of open options,
//          less a bound on the rounding of that sum. How y was found does not matter, nor whether it keeps a budget.
// Source:  Frank and Wolfe (1956) for the bound; Hestenes (1969), Powell (1969) for the multipliers.
// Cost:    a pass over the groups is 2 n G additions; some tens of passes, fewer from a parent's y.
class ConvexRelaxation {
 public:
  // A mixture and what is known there.
  struct Point {
    std::vector<double> y;
    std::vector<double> price;  // of each row, scaled
  };

  // `metric`: n x n by rows, curvature of f, exact for quadratics; `split`: D, or empty. Kept by
  // reference: `instance`. For quadratics f(y) = constant + linear'y + y' metric y / 2 is taken instead of f's own
  // functions.
  ConvexRelaxation(const ConvexInstance& instance, std::span<const double> metric, std::span<const double> split);

  // From `point` over the entries with open[entry]; leaves its last mixture and prices there. Ends when the bound is at
  // least `cutoff`, when it is as good as it gets, or when the context says so. Returns the bound.
  double Solve(std::span<const uint8_t> open, double cutoff, const RunContext& context, Point& point);

  // Of the last Solve: dF + A'u less its group's least, of each entry; bound + this bounds every choice with the entry.
  std::span<const double> reduced_costs() const { return reduced_; }
  // How much of f - F the group has at y.
  double Slack(int group, std::span<const double> y) const;
  // Objective units per base unit of the row's budget.
  double Price(const Point& point, int row) const { return point.price[row] / scale_[row]; }
  // For quadratics: constant, linear and curvature of f.
  double constant() const { return constant_; }
  const std::vector<double>& linear() const { return linear_; }
  const std::vector<double>& metric() const { return metric_; }
  // Mixture with equal shares of all open options, and prices 0.
  Point Start(std::span<const uint8_t> open) const;

 private:
  double TrueValueAndGradient(std::span<const double> y);
  double TrueValue(std::span<const double> y) const;
  double Quadratic(std::span<const double> y) const;
  double Correction(std::span<const double> y, std::span<double> gradient) const;
  void Descend(std::span<const uint8_t> open, const RunContext& context, int passes, Point& point);
  void StepInGroup(int group, std::span<const uint8_t> open, std::vector<double>& y);
  void UpdatePrices(Point& point);
  double Bound(std::span<const uint8_t> open, double value, double cutoff, Point& point);
  double Dual(std::span<const uint8_t> open, std::span<const double> price, int row, double* slope) const;
  void MaximiseDual(std::span<const uint8_t> open, double cutoff, int row, std::vector<double>& price) const;
  double SolveQuadratic(std::span<const uint8_t> open, double cutoff, const RunContext& context, Point& point);
  double SolveGeneral(std::span<const uint8_t> open, double cutoff, const RunContext& context, Point& point);

  const ConvexInstance* instance_;
  bool is_quadratic_ = false;
  double constant_ = 0;
  std::vector<double> linear_;     // of quadratics
  std::vector<double> metric_;     // n x n
  std::vector<double> split_;      // D; empty: none
  std::vector<double> curvature_;  // metric - D
  std::vector<double> cost_;       // [row][entry], less the group's least, divided by scale_; limits are then 1
  std::vector<double> scale_;      // of each row
  std::vector<double> penalty_;    // of each row
  // Of the point at work:
  std::vector<double> gradient_;        // dF, or of the model
  std::vector<double> used_, pressed_;  // of each row: A y, and max(0, price + penalty (A y - 1))
  std::vector<double> price_;
  std::vector<double> reduced_;
};

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_CONVEX_RELAXATION_H_
