// Operators that repeat elements: Expand, Tile.

#include <algorithm>
#include <utility>

#include "search/base/status.h"
#include "search/ops/broadcast.h"
#include "search/ops/make_operators.h"

namespace bitplan::ops {
namespace {

// Spreads x over the output; the transpose sums it up again.
class ExpandOperator final : public LinearMap {
 public:
  // `x_view` broadcasts to `out_view`, which has the elements of `out`.
  ExpandOperator(Shape out, const Shape& out_view, const Shape& x_view)
      : LinearMap(std::move(out)), size_(NumElements(out_view)), plan_(out_view, out_view, x_view) {}

 private:
  void Apply(std::span<const float> x, std::span<float> y) const override {
    MapBroadcast(plan_, y, [in = x.data()](int64_t, int64_t, int64_t j) { return in[j]; });
  }
  void ApplyTransposed(std::span<const float> y, std::span<float> x) const override {
    SumToB(plan_, size_, x, [in = y.data()](int64_t o, int64_t, int64_t) { return in[o]; });
  }

  int64_t size_;
  BroadcastPlan plan_;
};

}  // namespace

// Expand: the shape must be constant, an entry -k is k times the number of samples; like x it may have sizes of 1 that
// the other one fills.
MadeOperator MakeExpand(const OpRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 2, 2, 1));
  BITPLAN_ASSIGN_OR_RETURN(Shape shape, ConstantInts(request, 1, "shape"));
  for (int64_t& size : shape) {
    if (size < 0 && __builtin_mul_overflow(-size, request.num_samples, &size)) {
      return InvalidArgument("shape: got {} for each of {} samples", size, request.num_samples);
    }
  }
  BITPLAN_RETURN_IF_ERROR(CheckShape(shape));
  BITPLAN_ASSIGN_OR_RETURN(const Shape out, BroadcastShape(request.shape(0), shape));
  BITPLAN_RETURN_IF_ERROR(CheckShape(out));
  return std::make_unique<ExpandOperator>(out, out, request.shape(0));
}

// Tile: the repeats must be constant. Each size becomes two: [repeat, size].
MadeOperator MakeTile(const OpRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 2, 2, 1));
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<int64_t> repeats, ConstantInts(request, 1, "repeats"));
  const Shape& x = request.shape(0);
  if (repeats.size() != x.size()) {
    return InvalidArgument("repeats: got {} entries, want {}", repeats.size(), x.size());
  }
  BITPLAN_RETURN_IF_ERROR(CheckShape(repeats));
  Shape out;
  Shape out_view;
  Shape x_view;
  for (size_t d = 0; d < x.size(); ++d) {
    out_view.insert(out_view.end(), {repeats[d], x[d]});
    x_view.insert(x_view.end(), {1, x[d]});
  }
  BITPLAN_RETURN_IF_ERROR(CheckShape(out_view));
  for (size_t d = 0; d < x.size(); ++d) out.push_back(repeats[d] * x[d]);
  return std::make_unique<ExpandOperator>(std::move(out), out_view, x_view);
}

}  // namespace bitplan::ops
