#ifndef BITPLAN_SEARCH_ALLOCATION_DIAGONAL_SPLIT_H_
#define BITPLAN_SEARCH_ALLOCATION_DIAGONAL_SPLIT_H_

#include <Eigen/Core>
#include <span>
#include <vector>

#include "search/base/run_context.h"

namespace bitplan::allocation {

// Splits a symmetric matrix M >= 0 over the options of groups into D + (M - D), D block diagonal (one block a group).
// On one-hot y, y'Dy is the linear function diag(D)'y, so y'My / 2 may be replaced by diag(D)'y / 2 + y'(M - D)y / 2:
// equal on choices, larger on mixtures by half of sum_g <D_g, diag(y_g) - y_g y_g'>, and still convex as long as
// M - D >= 0 on all differences of mixtures (those sum to 0 in every group).
//
// Formula:  max sum_g <W_g, D_g> + mu log det (M - D)  with W_g > 0: what a block is worth, by a barrier that keeps
//           M - D > 0 on differences. One block at a time: with P_g the block of (M - D)^-1, D_g += P_g^-1 - mu W_g^-1
//           is the exact maximum. D need not be >= 0: it may lose in directions that are worth little.
// Use:      the relaxation's least value is concave in D, and diag(y_g) - y_g y_g' at its mixture y is a supergradient
//           (times 2). Passes with falling mu, each with the worth of the latest mixtures, climb to the best D.
// Source:   Billionnet, Elloumi and Plateau (2009), quadratic convex reformulation; the blocks are ours.
// Cost:     a pass is sum_g K_g n^2 for n entries, and n^3 / 3.
class DiagonalSplit {
 public:
  // `matrix`: M, n x n by rows; `first` of each group, then n.
  DiagonalSplit(std::span<const double> matrix, std::span<const int> first);

  // M has no trace on differences, or is not finite: there is nothing to split.
  bool is_empty() const { return !(scale_ > 0); }
  // The worth of blocks: `share` of that at `mixture`, the rest as before (at first: at equal shares).
  void MixWorth(std::span<const double> mixture, double share);
  // One pass over the blocks; mu is relative to the mean of M's diagonal on differences. False: rounding or the context
  // says stop.
  bool Pass(double mu, const RunContext& context);
  // D by rows, n x n. Proven: M - D less a margin is factored by Cholesky; the margin, which covers the rounding of
  // that, is taken off D. Empty where that fails.
  std::vector<double> Certified() const;

 private:
  using Matrix = Eigen::MatrixXd;
  Matrix WorthOf(int g, std::span<const double> mixture) const;
  bool Invert(const RunContext& context);
  void Move(int g, double mu);

  std::vector<int> first_;
  std::vector<int> start_ = {0};  // of each group's differences
  std::vector<Matrix> basis_, worth_, split_;
  Matrix rest_;  // M - D on differences
  Matrix inverse_;
  double scale_ = 0;
};

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_DIAGONAL_SPLIT_H_
