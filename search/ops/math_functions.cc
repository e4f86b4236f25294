// Mathematical functions of one input, element by element: value, first and second derivative.

#include <cmath>
#include <numbers>

#include "search/base/status.h"
#include "search/ops/elementwise.h"
#include "search/ops/make_operators.h"
#include "search/ops/vector_math.h"

namespace bitplan::ops {
namespace {

struct Abs {
  float Value(float x) const { return std::abs(x); }
  float Slope(float x, float /*y*/) const { return x < 0 ? -1 : 1; }
  float Bend(float /*x*/, float /*y*/) const { return 0; }
};

struct Cos {
  float Value(float x) const { return std::cos(x); }
  float Slope(float x, float /*y*/) const { return -std::sin(x); }
  float Bend(float /*x*/, float y) const { return -y; }
};

struct Erf {
  static constexpr float kTwoOverSqrtPi = 2 * std::numbers::inv_sqrtpi_v<float>;
  float Value(float x) const { return VectorErf(x); }
  float Slope(float x, float /*y*/) const { return kTwoOverSqrtPi * VectorExp(-x * x); }
  float Bend(float x, float y) const { return -2 * x * Slope(x, y); }
};

struct Exp {
  float Value(float x) const { return VectorExp(x); }
  float Slope(float /*x*/, float y) const { return y; }
  float Bend(float /*x*/, float y) const { return y; }
};

struct Log {
  float Value(float x) const { return std::log(x); }
  float Slope(float x, float /*y*/) const { return 1 / x; }
  float Bend(float x, float /*y*/) const { return -1 / (x * x); }
};

struct Neg {
  float Value(float x) const { return -x; }
  float Slope(float /*x*/, float /*y*/) const { return -1; }
  float Bend(float /*x*/, float /*y*/) const { return 0; }
};

struct Reciprocal {
  float Value(float x) const { return 1 / x; }
  float Slope(float /*x*/, float y) const { return -y * y; }
  float Bend(float /*x*/, float y) const { return 2 * y * y * y; }
};

struct Sin {
  float Value(float x) const { return std::sin(x); }
  float Slope(float x, float /*y*/) const { return std::cos(x); }
  float Bend(float /*x*/, float y) const { return -y; }
};

struct Sqrt {
  float Value(float x) const { return std::sqrt(x); }
  float Slope(float /*x*/, float y) const { return 0.5F / y; }
  float Bend(float x, float y) const { return -0.25F / (x * y); }
};

struct Square {
  float Value(float x) const { return x * x; }
  float Slope(float x, float /*y*/) const { return 2 * x; }
  float Bend(float /*x*/, float /*y*/) const { return 2; }
};

struct Cube {
  float Value(float x) const { return x * x * x; }
  float Slope(float x, float /*y*/) const { return 3 * x * x; }
  float Bend(float x, float /*y*/) const { return 6 * x; }
};

struct Power {
  float exponent;
  float Value(float x) const { return std::pow(x, exponent); }
  float Slope(float x, float /*y*/) const { return exponent == 0 ? 0 : exponent * std::pow(x, exponent - 1); }
  float Bend(float x, float /*y*/) const {
    return exponent == 0 || exponent == 1 ? 0 : exponent * (exponent - 1) * std::pow(x, exponent - 2);
  }
};

// Constant between its jumps.
struct Step {
  float Slope(float /*x*/, float /*y*/) const { return 0; }
  float Bend(float /*x*/, float /*y*/) const { return 0; }
};

struct Ceil : Step {
  float Value(float x) const { return std::ceil(x); }
};
struct Floor : Step {
  float Value(float x) const { return std::floor(x); }
};
// Halves go to the even neighbour.
struct Round : Step {
  float Value(float x) const { return std::nearbyint(x); }
};
struct Sign : Step {
  float Value(float x) const { return x < 0 ? -1 : (x > 0 ? 1 : x); }
};

}  // namespace

MadeOperator MakeAbs(const OpRequest& request) { return MakeElementwise(request, Abs()); }
MadeOperator MakeCeil(const OpRequest& request) { return MakeElementwise(request, Ceil()); }
MadeOperator MakeCos(const OpRequest& request) { return MakeElementwise(request, Cos()); }
MadeOperator MakeErf(const OpRequest& request) { return MakeElementwise(request, Erf()); }
MadeOperator MakeExp(const OpRequest& request) { return MakeElementwise(request, Exp()); }
MadeOperator MakeFloor(const OpRequest& request) { return MakeElementwise(request, Floor()); }
MadeOperator MakeLog(const OpRequest& request) { return MakeElementwise(request, Log()); }
MadeOperator MakeNeg(const OpRequest& request) { return MakeElementwise(request, Neg()); }
MadeOperator MakeReciprocal(const OpRequest& request) { return MakeElementwise(request, Reciprocal()); }
MadeOperator MakeRound(const OpRequest& request) { return MakeElementwise(request, Round()); }
MadeOperator MakeSign(const OpRequest& request) { return MakeElementwise(request, Sign()); }
MadeOperator MakeSin(const OpRequest& request) { return MakeElementwise(request, Sin()); }
MadeOperator MakeSqrt(const OpRequest& request) { return MakeElementwise(request, Sqrt()); }

MadeOperator MakeScalarPower(const OpRequest& request, float exponent) {
  if (exponent == 2) return MakeElementwise(request, Square(), 2);
  if (exponent == 3) return MakeElementwise(request, Cube(), 2);
  if (exponent == 0.5F) return MakeElementwise(request, Sqrt(), 2);
  return MakeElementwise(request, Power{exponent}, 2);
}

}  // namespace bitplan::ops
