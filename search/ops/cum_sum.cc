#include <utility>

#include "search/base/status.h"
#include "search/ops/lanes.h"
#include "search/ops/make_operators.h"

namespace bitplan::ops {
namespace {

// y_k = sum of x_j over j <= k, or j < k where exclusive, along each lane; from the end where reverse. The transpose
// is the same from the other end.
class CumSumOperator final : public LinearMap {
 public:
  CumSumOperator(Shape shape, AxisLanes lanes, bool exclusive, bool reverse)
      : LinearMap(std::move(shape)), lanes_(lanes), exclusive_(exclusive), reverse_(reverse) {}

 private:
  void Apply(std::span<const float> x, std::span<float> y) const override { Accumulate(x, y, reverse_); }
  void ApplyTransposed(std::span<const float> y, std::span<float> x) const override { Accumulate(y, x, !reverse_); }

  void Accumulate(std::span<const float> in, std::span<float> out, bool reverse) const {
    lanes_.ForEach([&](int64_t, int64_t first) {
      double sum = 0;
      for (int64_t k = 0; k < lanes_.size; ++k) {
        const int64_t i = first + (reverse ? lanes_.size - 1 - k : k) * lanes_.inner;
        const double next = sum + in[i];
        out[i] = static_cast<float>(exclusive_ ? sum : next);
        sum = next;
      }
    });
  }

  AxisLanes lanes_;
  bool exclusive_;
  bool reverse_;
};

}  // namespace

// CumSum: the axis must be constant.
MadeOperator MakeCumSum(const OpRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 2, 2, 1));
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<int64_t> axes, ConstantInts(request, 1, "axis"));
  if (axes.size() != 1) return InvalidArgument("axis: got {} numbers, want one", axes.size());
  BITPLAN_ASSIGN_OR_RETURN(const int64_t axis, NormalizedAxis(axes[0], request.rank(0), "axis"));
  BITPLAN_ASSIGN_OR_RETURN(const int64_t exclusive, IntAttribute(request.node, "exclusive", 0));
  BITPLAN_ASSIGN_OR_RETURN(const int64_t reverse, IntAttribute(request.node, "reverse", 0));
  return std::make_unique<CumSumOperator>(request.shape(0), AxisLanes(request.shape(0), axis), exclusive != 0,
                                          reverse != 0);
}

}  // namespace bitplan::ops
