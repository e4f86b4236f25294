#ifndef BITPLAN_SEARCH_OPS_PIECEWISE_CONSTANT_H_
#define BITPLAN_SEARCH_OPS_PIECEWISE_CONSTANT_H_

#include <algorithm>

#include "search/ops/operator.h"

namespace bitplan::ops {

// An operator whose outputs are constant between jumps: all derivatives are zero.
class PiecewiseConstant : public Operator {
 public:
  void Jvp(const Primal& /*primal*/, Reads /*x_dot*/, Writes y_dot) const final { FillZero(y_dot); }
  void Vjp(const Primal& /*primal*/, Reads /*y_bar*/, Writes x_bar) const final { FillZero(x_bar); }

 protected:
  using Operator::Operator;

 private:
  static void FillZero(Writes writes) {
    for (const std::span<float> out : writes) std::fill(out.begin(), out.end(), 0.0F);
  }
};

}  // namespace bitplan::ops

#endif  // BITPLAN_SEARCH_OPS_PIECEWISE_CONSTANT_H_
