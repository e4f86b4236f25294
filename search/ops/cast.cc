#include <algorithm>
#include <cmath>
#include <utility>

#include "search/base/status.h"
#include "search/ops/float_operands.h"
#include "search/ops/make_operators.h"
#include "search/ops/piecewise_constant.h"

namespace bitplan::ops {
namespace {

// ONNX's numbers for tensor element types.
constexpr int64_t kFloat = 1;
constexpr int64_t kInt32 = 6;
constexpr int64_t kInt64 = 7;
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

// Towards zero, as ONNX converts to integers.
class TruncateOperator final : public PiecewiseConstant {
 public:
  explicit TruncateOperator(Shape shape) : PiecewiseConstant(std::move(shape)) {}
  void Forward(Reads x, Writes y) const override {
    for (size_t i = 0; i < x[0].size(); ++i) y[0][i] = std::trunc(x[0][i]);
  }
};

MadeOperator MakeTruncate(const OpRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 1, 1));
  return std::make_unique<TruncateOperator>(request.shape(0));
}

MadeOperator MakeNonZero(const OpRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 1, 1));
  return std::make_unique<NonZeroOperator>(request.shape(0));
}

}  // namespace

bool IsCastToInteger(const Node& node) {
  const absl::StatusOr<int64_t> to = IntAttribute(node, "to", 0);
  return to.ok() && (*to == kInt32 || *to == kInt64);
}

// To a floating-point type: the identity, since all such values are floats here; narrower types do not round. To bool:
// 0 and 1. To int32 and int64: what is behind the point is cut off.
MadeOperator MakeCast(const OpRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const int64_t to, IntAttribute(request.node, "to", 0));
  if (to == kBool) return MakeWithFloatOperands(request, &MakeNonZero);
  if (IsCastToInteger(request.node)) return MakeWithFloatOperands(request, &MakeTruncate);
  if (to == kFloat || to == kFloat16 || to == kDouble || to == kBfloat16) {
    return MakeWithFloatOperands(request, &MakeIdentity);
  }
  return Unimplemented("to: type {} at run time, only floating-point types, int32, int64 and bool are computed", to);
}

}  // namespace bitplan::ops
