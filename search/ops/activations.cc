// Activation functions: value, first and second derivative. Comparisons are written so that NaN passes
// through Value: a network that overflows must not look healthy.

#include <cmath>
#include <limits>
#include <numbers>

#include "search/base/status.h"
#include "search/ops/elementwise.h"
#include "search/ops/make_operators.h"
#include "search/ops/vector_math.h"

namespace bitplan::ops {
namespace {

struct Relu {
  static constexpr bool kPiecewiseLinear = true;
  static constexpr bool kSlopeOfOutput = true;
  float Value(float x) const { return x < 0 ? 0 : x; }
  float Slope(float /*x*/, float y) const { return y > 0 ? 1 : 0; }
  float Bend(float /*x*/, float /*y*/) const { return 0; }
};

struct LeakyRelu {
  static constexpr bool kPiecewiseLinear = true;
  float alpha;
  float Value(float x) const { return x < 0 ? alpha * x : x; }
  float Slope(float x, float /*y*/) const { return x > 0 ? 1 : alpha; }
  float Bend(float /*x*/, float /*y*/) const { return 0; }
};

struct Clip {
  static constexpr bool kPiecewiseLinear = true;
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
  static constexpr bool kPiecewiseLinear = true;
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
  float Value(float x) const { return VectorSigmoid(x); }
  float Slope(float /*x*/, float y) const { return y * (1 - y); }
  float Bend(float /*x*/, float y) const { return y * (1 - y) * (1 - 2 * y); }
};

struct Tanh {
  float Value(float x) const { return VectorTanh(x); }
  float Slope(float /*x*/, float y) const { return 1 - y * y; }
  float Bend(float /*x*/, float y) const { return -2 * y * (1 - y * y); }
};

// log(1 + e^x), as max(x, 0) + log1p(e^-|x|) so that nothing overflows.
struct Softplus {
  float Value(float x) const { return (x < 0 ? 0 : x) + VectorLog1p(VectorExp(-std::abs(x))); }
  float Slope(float x, float /*y*/) const { return VectorSigmoid(x); }
  float Bend(float x, float /*y*/) const {
    const float s = VectorSigmoid(x);
    return s * (1 - s);
  }
};

// x / (1 + |x|)
struct Softsign {
  float Value(float x) const { return x / (1 + std::abs(x)); }
  float Slope(float x, float /*y*/) const {
    const float r = 1 / (1 + std::abs(x));
    return r * r;
  }
  float Bend(float x, float /*y*/) const {
    const float r = 1 / (1 + std::abs(x));
    return (x < 0 ? 2 : -2) * r * r * r;
  }
};

// scale * (x where x >= 0, alpha (e^(rate x) - 1) below): Elu, Selu and Celu.
struct ExponentialLinear {
  float scale = 1;
  float alpha = 1;
  float rate = 1;
  float Value(float x) const { return x < 0 ? scale * alpha * (VectorExp(rate * x) - 1) : scale * x; }
  float Slope(float x, float y) const { return x < 0 ? rate * (y + scale * alpha) : scale; }
  float Bend(float x, float y) const { return x < 0 ? rate * rate * (y + scale * alpha) : 0; }
};

// x where x > alpha, else 0
struct ThresholdedRelu {
  float alpha;
  float Value(float x) const { return x <= alpha ? 0 : x; }
  float Slope(float x, float /*y*/) const { return x > alpha ? 1 : 0; }
  float Bend(float /*x*/, float /*y*/) const { return 0; }
};

// x P(x) with P the normal distribution function: y' = P + x p, y'' = p (2 - x^2).
struct Gelu {
  static float Distribution(float x) { return 0.5F * (1 + VectorErf(x * (std::numbers::sqrt2_v<float> / 2))); }
  static float Density(float x) {
    constexpr float kPeak = std::numbers::inv_sqrtpi_v<float> * std::numbers::sqrt2_v<float> / 2;
    return kPeak * VectorExp(-0.5F * x * x);
  }
  float Value(float x) const { return x * Distribution(x); }
  float Slope(float x, float /*y*/) const { return Distribution(x) + x * Density(x); }
  float Bend(float x, float /*y*/) const { return Density(x) * (2 - x * x); }
};

// x (1 + t) / 2 with t = tanh(u), u = sqrt(2/pi) (x + 0.044715 x^3)
struct GeluTanh {
  static constexpr float kFactor = std::numbers::inv_sqrtpi_v<float> * std::numbers::sqrt2_v<float>;
  static constexpr float kCubic = 0.044715F;
  static float Inner(float x) { return VectorTanh(kFactor * (x + kCubic * x * x * x)); }
  float Value(float x) const { return 0.5F * x * (1 + Inner(x)); }
  float Slope(float x, float /*y*/) const {
    const float t = Inner(x);
    const float u1 = kFactor * (1 + 3 * kCubic * x * x);
    return 0.5F * (1 + t) + 0.5F * x * (1 - t * t) * u1;
  }
  float Bend(float x, float /*y*/) const {
    const float t = Inner(x);
    const float u1 = kFactor * (1 + 3 * kCubic * x * x);
    const float u2 = kFactor * 6 * kCubic * x;
    return (1 - t * t) * (u1 + 0.5F * x * (u2 - 2 * t * u1 * u1));
  }
};

// x t with t = tanh(log(1 + e^x)) = n / (n + 2), n = e^x (e^x + 2). With s = sigmoid(x): t' = (1 - t^2) s.
struct Mish {
  static constexpr float kLinear = 20;  // from here on t is 1 in float, and e^x squared is far from overflow
  static float Inner(float x) {
    const float e = VectorExp(x > kLinear ? kLinear : x);
    const float n = e * (e + 2);
    return n / (n + 2);
  }
  float Value(float x) const { return x * Inner(x); }
  float Slope(float x, float /*y*/) const {
    const float t = Inner(x);
    return t + x * (1 - t * t) * VectorSigmoid(x);
  }
  float Bend(float x, float /*y*/) const {
    const float t = Inner(x);
    const float s = VectorSigmoid(x);
    const float t1 = (1 - t * t) * s;
    return 2 * t1 + x * t1 * (1 - s - 2 * t * s);
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

// Celu, Elu, Selu: one curve.
MadeOperator MakeCelu(const OpRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const float alpha, FloatAttribute(request.node, "alpha", 1));
  if (alpha == 0) return InvalidArgument("alpha: got 0, want another number");
  return MakeElementwise(request, ExponentialLinear{.alpha = alpha, .rate = 1 / alpha});
}

MadeOperator MakeElu(const OpRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const float alpha, FloatAttribute(request.node, "alpha", 1));
  return MakeElementwise(request, ExponentialLinear{.alpha = alpha});
}

MadeOperator MakeSelu(const OpRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const float alpha, FloatAttribute(request.node, "alpha", 1.67326319217681884765625F));
  BITPLAN_ASSIGN_OR_RETURN(const float gamma, FloatAttribute(request.node, "gamma", 1.05070102214813232421875F));
  return MakeElementwise(request, ExponentialLinear{.scale = gamma, .alpha = alpha});
}

MadeOperator MakeGelu(const OpRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const std::string approximate, StringAttribute(request.node, "approximate", "none"));
  if (approximate == "tanh") return MakeElementwise(request, GeluTanh());
  if (approximate == "none") return MakeElementwise(request, Gelu());
  return InvalidArgument("approximate: got '{}', want none or tanh", approximate);
}

MadeOperator MakeThresholdedRelu(const OpRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const float alpha, FloatAttribute(request.node, "alpha", 1));
  return MakeElementwise(request, ThresholdedRelu{alpha});
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

MadeOperator MakeHardSwish(const OpRequest& request) { return MakeElementwise(request, HardSwish()); }
MadeOperator MakeMish(const OpRequest& request) { return MakeElementwise(request, Mish()); }
MadeOperator MakeRelu(const OpRequest& request) { return MakeElementwise(request, Relu()); }
MadeOperator MakeSigmoid(const OpRequest& request) { return MakeElementwise(request, Sigmoid()); }
MadeOperator MakeSoftplus(const OpRequest& request) { return MakeElementwise(request, Softplus()); }
MadeOperator MakeSoftsign(const OpRequest& request) { return MakeElementwise(request, Softsign()); }
MadeOperator MakeTanh(const OpRequest& request) { return MakeElementwise(request, Tanh()); }

}  // namespace bitplan::ops
