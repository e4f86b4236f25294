#include <algorithm>
#include <utility>

#include "search/base/status.h"
#include "search/ops/axes.h"
#include "search/ops/broadcast.h"
#include "search/ops/make_operators.h"

namespace bitplan::ops {
namespace {

class ReduceMeanOperator final : public LinearMap {
 public:
  // `kept` is x with the reduced sizes set to 1.
  ReduceMeanOperator(Shape out, const Shape& x, const Shape& kept)
      : LinearMap(std::move(out)),
        num_inputs_(NumElements(x)),
        factor_(static_cast<float>(NumElements(kept)) / static_cast<float>(num_inputs_)),
        plan_(x, x, kept) {}

 private:
  void Apply(std::span<const float> x, std::span<float> y) const override {
    SumToB(plan_, num_inputs_, y, [&](int64_t i, int64_t, int64_t) { return x[i]; });
    for (float& mean : y) mean *= factor_;
  }
  void ApplyTransposed(std::span<const float> y, std::span<float> x) const override {
    MapBroadcast(plan_, x, [&](int64_t, int64_t, int64_t j) { return factor_ * y[j]; });
  }

  int64_t num_inputs_;
  float factor_;
  BroadcastPlan plan_;
};

}  // namespace

// axes: an attribute before opset 18, an optional constant input from then on; none means all.
MadeOperator MakeReduceMean(const OpRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 1, request.opset_version < 18 ? 1 : 2, 1));
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<int64_t> axes, ReadAxes(request, 18, request.rank(0)));
  BITPLAN_ASSIGN_OR_RETURN(const int64_t keep, IntAttribute(request.node, "keepdims", 1));
  BITPLAN_ASSIGN_OR_RETURN(const int64_t none_is_noop, IntAttribute(request.node, "noop_with_empty_axes", 0));
  const Shape& x = request.shape(0);
  Shape kept = x;
  Shape out;
  for (int64_t d = 0; d < request.rank(0); ++d) {
    const bool listed = std::ranges::find(axes, d) != axes.end();
    const bool reduced = axes.empty() ? none_is_noop == 0 : listed;
    if (reduced) kept[d] = 1;
    if (!reduced || keep != 0) out.push_back(kept[d]);
  }
  return std::make_unique<ReduceMeanOperator>(std::move(out), x, kept);
}

}  // namespace bitplan::ops
