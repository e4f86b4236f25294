// Elementwise functions of one input: value, first and second derivative. Comparisons are written so that NaN passes
// through Value: a network that overflows must not look healthy.

#include <cmath>
#include <limits>
#include <numbers>

#include "search/base/status.h"
#include "search/ops/elementwise.h"
#include "search/ops/make_operators.h"

namespace bitplan::ops {
namespace {

struct Relu {
  float Value(float x) const { return x < 0 ? 0 : x; }
  float Slope(float x, float /*y*/) const { return x > 0 ? 1 : 0; }
  float Bend(float /*x*/, float /*y*/) const { return 0; }
};

struct LeakyRelu {
  float alpha;
  float Value(float x) const { return x < 0 ? alpha * x : x; }
  float Slope(float x, float /*y*/) const { return x > 0 ? 1 : alpha; }
  float Bend(float /*x*/, float /*y*/) const { return 0; }
};

struct Clip {
  float low;
  float high;
  float Value(float x) const {
    const float raised = x < low ? low : x;
    return raised > high ? high : raised;
  }
  float Slope(float x, float /*y*/) const { return x > low && x < high ? 1 : 0; }
  float Bend(float /*x*/, float /*y*/) const { return 0; }
};

struct HardSigmoid {
  float alpha;
  float beta;
  float Value(float x) const { return Clip{0, 1}.Value(alpha * x + beta); }
  float Slope(float x, float /*y*/) const { return alpha * Clip{0, 1}.Slope(alpha * x + beta, 0); }
  float Bend(float /*x*/, float /*y*/) const { return 0; }
};

// x max(0, min(1, x/6 + 1/2))
struct HardSwish {
  float Value(float x) const { return x * Clip{0, 1}.Value(x / 6 + 0.5F); }
  float Slope(float x, float /*y*/) const { return x <= -3 ? 0 : (x >= 3 ? 1 : x / 3 + 0.5F); }
  float Bend(float x, float /*y*/) const { return x > -3 && x < 3 ? 1.0F / 3 : 0; }
};

struct Sigmoid {
  float Value(float x) const { return 1 / (1 + std::exp(-x)); }
  float Slope(float /*x*/, float y) const { return y * (1 - y); }
  float Bend(float /*x*/, float y) const { return y * (1 - y) * (1 - 2 * y); }
};

struct Tanh {
  float Value(float x) const { return std::tanh(x); }
  float Slope(float /*x*/, float y) const { return 1 - y * y; }
  float Bend(float /*x*/, float y) const { return -2 * y * (1 - y * y); }
};

// log(1 + e^x), as max(x, 0) + log1p(e^-|x|) so that nothing overflows.
struct Softplus {
  float Value(float x) const { return (x < 0 ? 0 : x) + std::log1p(std::exp(-std::abs(x))); }
  float Slope(float x, float /*y*/) const { return Sigmoid().Value(x); }
  float Bend(float x, float /*y*/) const { return Sigmoid().Slope(0, Sigmoid().Value(x)); }
};

struct Erf {
  static constexpr float kTwoOverSqrtPi = 2 * std::numbers::inv_sqrtpi_v<float>;
  float Value(float x) const { return std::erf(x); }
  float Slope(float x, float /*y*/) const { return kTwoOverSqrtPi * std::exp(-x * x); }
  float Bend(float x, float y) const { return -2 * x * Slope(x, y); }
};

struct Exp {
  float Value(float x) const { return std::exp(x); }
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

struct Pow {
  float exponent;
  float Value(float x) const { return std::pow(x, exponent); }
  float Slope(float x, float /*y*/) const { return exponent == 0 ? 0 : exponent * std::pow(x, exponent - 1); }
  float Bend(float x, float /*y*/) const {
    return exponent == 0 || exponent == 1 ? 0 : exponent * (exponent - 1) * std::pow(x, exponent - 2);
  }
};

// One bound of Clip: an attribute before opset 11, an optional constant input from then on.
absl::StatusOr<float> ClipBound(const OpRequest& request, std::string_view name, size_t input, float unbounded) {
  if (request.opset_version < 11) return FloatAttribute(request.node, name, unbounded);
  return request.has_input(input) ? ConstantScalar(request, input, name) : unbounded;
}

}  // namespace

// Clip: the bounds must be constants.
MadeOperator MakeClip(const OpRequest& request) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 1, request.opset_version < 11 ? 1 : 3, 1));
  BITPLAN_ASSIGN_OR_RETURN(const float low, ClipBound(request, "min", 1, -kLargest));
  BITPLAN_ASSIGN_OR_RETURN(const float high, ClipBound(request, "max", 2, kLargest));
  return MakeElementwise(request, Clip{low, high}, 3);
}

// Pow: the exponent must be a constant with one element.
MadeOperator MakePow(const OpRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 2, 2, 1));
  BITPLAN_ASSIGN_OR_RETURN(const float exponent, ConstantScalar(request, 1, "exponent"));
  if (request.rank(0) < request.rank(1)) return Unimplemented("exponent: more dimensions than the base");
  if (exponent == 2) return MakeElementwise(request, Square(), 2);
  return MakeElementwise(request, Pow{exponent}, 2);
}

MadeOperator MakeHardSigmoid(const OpRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const float alpha, FloatAttribute(request.node, "alpha", 0.2F));
  BITPLAN_ASSIGN_OR_RETURN(const float beta, FloatAttribute(request.node, "beta", 0.5F));
  return MakeElementwise(request, HardSigmoid{alpha, beta});
}

MadeOperator MakeLeakyRelu(const OpRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const float alpha, FloatAttribute(request.node, "alpha", 0.01F));
  return MakeElementwise(request, LeakyRelu{alpha});
}

MadeOperator MakeErf(const OpRequest& request) { return MakeElementwise(request, Erf()); }
MadeOperator MakeExp(const OpRequest& request) { return MakeElementwise(request, Exp()); }
MadeOperator MakeHardSwish(const OpRequest& request) { return MakeElementwise(request, HardSwish()); }
MadeOperator MakeLog(const OpRequest& request) { return MakeElementwise(request, Log()); }
MadeOperator MakeNeg(const OpRequest& request) { return MakeElementwise(request, Neg()); }
MadeOperator MakeRelu(const OpRequest& request) { return MakeElementwise(request, Relu()); }
MadeOperator MakeSigmoid(const OpRequest& request) { return MakeElementwise(request, Sigmoid()); }
MadeOperator MakeSoftplus(const OpRequest& request) { return MakeElementwise(request, Softplus()); }
MadeOperator MakeSqrt(const OpRequest& request) { return MakeElementwise(request, Sqrt()); }
MadeOperator MakeTanh(const OpRequest& request) { return MakeElementwise(request, Tanh()); }

}  // namespace bitplan::ops
