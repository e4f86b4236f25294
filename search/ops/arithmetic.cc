// Elementwise functions of two inputs.

#include <cmath>

#include "search/base/status.h"
#include "search/ops/binary_operator.h"
#include "search/ops/float_operands.h"
#include "search/ops/make_operators.h"

namespace bitplan::ops {
namespace {

struct Add {
  static constexpr bool kCurved = false;
  static constexpr bool kConstantSlopes = true;
  static float Value(float a, float b) { return a + b; }
  static float Da(float, float) { return 1; }
  static float Db(float, float) { return 1; }
  static float Daa(float, float) { return 0; }
  static float Dab(float, float) { return 0; }
  static float Dbb(float, float) { return 0; }
};

struct Sub : Add {
  static float Value(float a, float b) { return a - b; }
  static float Db(float, float) { return -1; }
};

struct Mul : Add {
  static constexpr bool kCurved = true;
  static constexpr bool kConstantSlopes = false;
  static float Value(float a, float b) { return a * b; }
  static float Da(float, float b) { return b; }
  static float Db(float a, float) { return a; }
  static float Dab(float, float) { return 1; }
};

struct Div : Add {
  static constexpr bool kCurved = true;
  static constexpr bool kConstantSlopes = false;
  static float Value(float a, float b) { return a / b; }
  static float Da(float, float b) { return 1 / b; }
  static float Db(float a, float b) { return -a / (b * b); }
  static float Dab(float, float b) { return -1 / (b * b); }
  static float Dbb(float a, float b) { return 2 * a / (b * b * b); }
};

// a^b. The derivative with respect to b is 0 at a = 0, where a^b does not depend on b > 0, and NaN for a < 0.
struct Power {
  static constexpr bool kCurved = true;
  static constexpr bool kConstantSlopes = false;
  static float Value(float a, float b) { return std::pow(a, b); }
  static float Da(float a, float b) { return b == 0 ? 0 : b * std::pow(a, b - 1); }
  static float Db(float a, float b) { return a == 0 ? 0 : std::pow(a, b) * std::log(a); }
  static float Daa(float a, float b) { return b == 0 || b == 1 ? 0 : b * (b - 1) * std::pow(a, b - 2); }
  static float Dab(float a, float b) { return a == 0 ? 0 : std::pow(a, b - 1) * (1 + b * std::log(a)); }
  static float Dbb(float a, float b) { return Db(a, b) * (a == 0 ? 0 : std::log(a)); }
};

// a where a >= 0, else b a
struct PRelu : Add {
  static constexpr bool kCurved = true;
  static constexpr bool kConstantSlopes = false;
  static float Value(float a, float b) { return a < 0 ? b * a : a; }
  static float Da(float a, float b) { return a < 0 ? b : 1; }
  static float Db(float a, float) { return a < 0 ? a : 0; }
  static float Dab(float a, float) { return a < 0 ? 1 : 0; }
};

}  // namespace

MadeOperator MakeAdd(const OpRequest& request) { return MakeBinary<Add>(request); }
MadeOperator MakeDiv(const OpRequest& request) { return MakeBinary<Div>(request); }
MadeOperator MakeMul(const OpRequest& request) { return MakeBinary<Mul>(request); }
MadeOperator MakeSub(const OpRequest& request) { return MakeBinary<Sub>(request); }

// Pow: a constant exponent with one element makes it a function of one input; an exponent of integers must be constant.
MadeOperator MakePow(const OpRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 2, 2, 1));
  const bool one_exponent = request.inputs[1]->is_constant() && NumElements(request.shape(1)) == 1;
  if (one_exponent && request.rank(1) <= request.rank(0)) {
    BITPLAN_ASSIGN_OR_RETURN(const float exponent, ConstantScalar(request, 1, "exponent"));
    return MakeScalarPower(request, exponent);
  }
  return MakeWithFloatOperands(request, &MakeBinary<Power>);
}

// PRelu: the slope broadcasts to x, not the other way round.
MadeOperator MakePRelu(const OpRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 2, 2));
  const absl::StatusOr<Shape> out = BroadcastShape(request.shape(0), request.shape(1));
  if (!out.ok() || *out != request.shape(0)) {
    return InvalidArgument("slope: shape {} does not broadcast to {}", ToString(request.shape(1)),
                           ToString(request.shape(0)));
  }
  return MakeBinary<PRelu>(request);
}

}  // namespace bitplan::ops
