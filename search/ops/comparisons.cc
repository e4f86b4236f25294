// Comparisons and logic: results are 0 and 1 as floats, derivatives zero. Inputs may be constant integers or booleans.

#include <utility>

#include "search/base/status.h"
#include "search/ops/broadcast.h"
#include "search/ops/float_operands.h"
#include "search/ops/make_operators.h"
#include "search/ops/piecewise_constant.h"

namespace bitplan::ops {
namespace {

struct And {
  static bool Holds(float a, float b) { return a != 0 && b != 0; }
};
struct Equal {
  static bool Holds(float a, float b) { return a == b; }
};
struct Greater {
  static bool Holds(float a, float b) { return a > b; }
};
struct GreaterOrEqual {
  static bool Holds(float a, float b) { return a >= b; }
};
struct Less {
  static bool Holds(float a, float b) { return a < b; }
};
struct LessOrEqual {
  static bool Holds(float a, float b) { return a <= b; }
};
struct Or {
  static bool Holds(float a, float b) { return a != 0 || b != 0; }
};
struct Xor {
  static bool Holds(float a, float b) { return (a != 0) != (b != 0); }
};

template <typename F>
class PredicateOperator final : public PiecewiseConstant {
 public:
  PredicateOperator(const Shape& out, const Shape& a, const Shape& b) : PiecewiseConstant(out), plan_(out, a, b) {}

  void Forward(Reads x, Writes y) const override {
    const float* a = x[0].data();
    const float* b = x[1].data();
    MapBroadcast(plan_, y[0], [=](int64_t, int64_t i, int64_t j) { return F::Holds(a[i], b[j]) ? 1.0F : 0.0F; });
  }

 private:
  BroadcastPlan plan_;
};

// Before opset 7 broadcasting took an axis; the table leaves these versions out.
template <typename F>
MadeOperator MakePredicateOfFloats(const OpRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 2, 2));
  BITPLAN_ASSIGN_OR_RETURN(const Shape out, BroadcastShape(request.shape(0), request.shape(1)));
  return std::make_unique<PredicateOperator<F>>(out, request.shape(0), request.shape(1));
}

template <typename F>
MadeOperator MakePredicate(const OpRequest& request) {
  return MakeWithFloatOperands(request, &MakePredicateOfFloats<F>);
}

class NotOperator final : public PiecewiseConstant {
 public:
  explicit NotOperator(Shape shape) : PiecewiseConstant(std::move(shape)) {}
  void Forward(Reads x, Writes y) const override {
    for (size_t i = 0; i < x[0].size(); ++i) y[0][i] = x[0][i] == 0 ? 1.0F : 0.0F;
  }
};

MadeOperator MakeNotOfFloats(const OpRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 1, 1));
  return std::make_unique<NotOperator>(request.shape(0));
}

}  // namespace

MadeOperator MakeAnd(const OpRequest& request) { return MakePredicate<And>(request); }
MadeOperator MakeEqual(const OpRequest& request) { return MakePredicate<Equal>(request); }
MadeOperator MakeGreater(const OpRequest& request) { return MakePredicate<Greater>(request); }
MadeOperator MakeGreaterOrEqual(const OpRequest& request) { return MakePredicate<GreaterOrEqual>(request); }
MadeOperator MakeLess(const OpRequest& request) { return MakePredicate<Less>(request); }
MadeOperator MakeLessOrEqual(const OpRequest& request) { return MakePredicate<LessOrEqual>(request); }
MadeOperator MakeNot(const OpRequest& request) { return MakeWithFloatOperands(request, &MakeNotOfFloats); }
MadeOperator MakeOr(const OpRequest& request) { return MakePredicate<Or>(request); }
MadeOperator MakeXor(const OpRequest& request) { return MakePredicate<Xor>(request); }

}  // namespace bitplan::ops
