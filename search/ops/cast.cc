#include <algorithm>
#include <utility>

#include "search/base/status.h"
#include "search/ops/float_operands.h"
#include "search/ops/make_operators.h"
#include "search/ops/piecewise_constant.h"

namespace bitplan::ops {
namespace {

// ONNX's numbers for tensor element types.
constexpr int64_t kFloat = 1;
constexpr int64_t kBool = 9;
constexpr int64_t kFloat16 = 10;
constexpr int64_t kDouble = 11;
constexpr int64_t kBfloat16 = 16;

class NonZeroOperator final : public PiecewiseConstant {
 public:
  explicit NonZeroOperator(Shape shape) : PiecewiseConstant(std::move(shape)) {}
  void Forward(Reads x, Writes y) const override {
    for (size_t i = 0; i < x[0].size(); ++i) y[0][i] = x[0][i] != 0 ? 1.0F : 0.0F;
  }
};

MadeOperator MakeNonZero(const OpRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 1, 1));
  return std::make_unique<NonZeroOperator>(request.shape(0));
}

}  // namespace

// To a floating-point type: the identity, since all such values are floats here; narrower types do not round. To bool:
// 0 and 1. Integers exist as constants only.
MadeOperator MakeCast(const OpRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const int64_t to, IntAttribute(request.node, "to", 0));
  if (to == kBool) return MakeWithFloatOperands(request, &MakeNonZero);
  if (to == kFloat || to == kFloat16 || to == kDouble || to == kBfloat16) {
    return MakeWithFloatOperands(request, &MakeIdentity);
  }
  return Unimplemented("to: type {} at run time, only floating-point types and bool are computed", to);
}

}  // namespace bitplan::ops
