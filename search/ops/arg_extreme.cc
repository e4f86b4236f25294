// ArgMax and ArgMin: the place of the extreme, as a float. The table says that nobody may read it.

#include <utility>

#include "search/base/status.h"
#include "search/ops/lanes.h"
#include "search/ops/make_operators.h"
#include "search/ops/piecewise_constant.h"

namespace bitplan::ops {
namespace {

class ArgExtremeOperator final : public PiecewiseConstant {
 public:
  // sign: 1 for the largest, -1 for the smallest.
  ArgExtremeOperator(Shape out, AxisLanes lanes, float sign, bool last)
      : PiecewiseConstant(std::move(out)), lanes_(lanes), sign_(sign), last_(last) {}

  void Forward(Reads x, Writes y) const override {
    lanes_.ForEach([&](int64_t lane, int64_t first) {
      int64_t best = 0;
      float extreme = sign_ * x[0][first];
      for (int64_t k = 1; k < lanes_.size; ++k) {
        const float candidate = sign_ * x[0][first + k * lanes_.inner];
        if (candidate < extreme || (candidate == extreme && !last_)) continue;
        best = k;
        extreme = candidate;
      }
      y[0][lane] = static_cast<float>(best);
    });
  }

 private:
  AxisLanes lanes_;
  float sign_;
  bool last_;
};

MadeOperator MakeArgExtreme(const OpRequest& request, float sign) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 1, 1));
  BITPLAN_ASSIGN_OR_RETURN(int64_t axis, IntAttribute(request.node, "axis", 0));
  BITPLAN_ASSIGN_OR_RETURN(axis, NormalizedAxis(axis, request.rank(0), "axis"));
  BITPLAN_ASSIGN_OR_RETURN(const int64_t keep, IntAttribute(request.node, "keepdims", 1));
  BITPLAN_ASSIGN_OR_RETURN(const int64_t last, IntAttribute(request.node, "select_last_index", 0));
  Shape out = request.shape(0);
  if (keep != 0) {
    out[axis] = 1;
  } else {
    out.erase(out.begin() + axis);
  }
  return std::make_unique<ArgExtremeOperator>(std::move(out), AxisLanes(request.shape(0), axis), sign, last != 0);
}

}  // namespace

MadeOperator MakeArgMax(const OpRequest& request) { return MakeArgExtreme(request, 1); }
MadeOperator MakeArgMin(const OpRequest& request) { return MakeArgExtreme(request, -1); }

}  // namespace bitplan::ops
