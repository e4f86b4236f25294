#include <utility>

#include "search/base/status.h"
#include "search/ops/broadcast.h"
#include "search/ops/float_operands.h"
#include "search/ops/make_operators.h"

namespace bitplan::ops {
namespace {

// y = a where the condition is not 0, else b; the three broadcast. The condition has no derivative.
class WhereOperator final : public Operator {
 public:
  WhereOperator(const Shape& out, const std::vector<Shape>& inputs)
      : Operator(out), size_(NumElements(out)), first_(out, inputs[0], inputs[1]), second_(out, inputs[0], inputs[2]) {}

  void Forward(Reads x, Writes y) const override { Select(x[0].data(), x[1], x[2], y[0]); }
  void Jvp(const Primal& primal, Reads x_dot, Writes y_dot) const override {
    Select(primal.x[0].data(), x_dot[1], x_dot[2], y_dot[0]);
  }

  void Vjp(const Primal& primal, Reads y_bar, Writes x_bar) const override {
    const float* c = primal.x[0].data();
    const float* g = y_bar[0].data();
    std::fill(x_bar[0].begin(), x_bar[0].end(), 0.0F);
    if (!x_bar[1].empty()) {
      SumToB(first_, size_, x_bar[1], [=](int64_t o, int64_t i, int64_t) { return Choose(c[i], g[o], 0); });
    }
    if (!x_bar[2].empty()) {
      SumToB(second_, size_, x_bar[2], [=](int64_t o, int64_t i, int64_t) { return Choose(c[i], 0, g[o]); });
    }
  }

 private:
  // By value: both are read whatever the condition, so that loops have no branches.
  static float Choose(float condition, float a, float b) { return condition != 0 ? a : b; }

  // An absent operand counts as zero.
  void Select(const float* c, std::span<const float> a, std::span<const float> b, std::span<float> y) const {
    float* out = y.data();
    if (a.empty()) {
      std::fill(y.begin(), y.end(), 0.0F);
    } else {
      const float* in = a.data();
      MapBroadcast(first_, y, [=](int64_t, int64_t i, int64_t j) { return Choose(c[i], in[j], 0); });
    }
    if (b.empty()) return;
    const float* in = b.data();
    MapBroadcast(second_, y, [=](int64_t o, int64_t i, int64_t j) { return Choose(c[i], out[o], in[j]); });
  }

  int64_t size_;
  BroadcastPlan first_;
  BroadcastPlan second_;
};

MadeOperator MakeWhereOfFloats(const OpRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 3, 3));
  BITPLAN_ASSIGN_OR_RETURN(Shape out, BroadcastShape(request.shape(0), request.shape(1)));
  BITPLAN_ASSIGN_OR_RETURN(out, BroadcastShape(out, request.shape(2)));
  return std::make_unique<WhereOperator>(out, request.input_shapes);
}

}  // namespace

// The condition is a constant of booleans, or 0 and 1 as floats, computed or not.
MadeOperator MakeWhere(const OpRequest& request) {
  if (request.has_input(1) && request.has_input(2) && std::holds_alternative<IntTensor>(request.inputs[1]->constant) &&
      std::holds_alternative<IntTensor>(request.inputs[2]->constant)) {
    return Unimplemented("inputs: a choice between integers at run time");
  }
  return MakeWithFloatOperands(request, &MakeWhereOfFloats);
}

}  // namespace bitplan::ops
