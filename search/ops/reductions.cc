// Reductions over axes: y_j = the sum, norm, extreme, .. of all x_i that fall on j.

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "search/base/status.h"
#include "search/ops/axes.h"
#include "search/ops/broadcast.h"
#include "search/ops/make_operators.h"
#include "search/ops/vector_math.h"

namespace bitplan::ops {
namespace {

struct Reduction {
  Shape kept;  // x with the reduced sizes set to 1
  Shape out;   // the same without them, if keepdims is 0
  bool none_is_noop = false;
};

// axes: an attribute before opset `input_since`, an optional constant input from then on; none means all.
absl::StatusOr<Reduction> ParseReduction(const OpRequest& request, int64_t input_since) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 1, request.opset_version < input_since ? 1 : 2, 1));
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<int64_t> axes, ReadAxes(request, input_since, request.rank(0)));
  BITPLAN_ASSIGN_OR_RETURN(const int64_t keep, IntAttribute(request.node, "keepdims", 1));
  BITPLAN_ASSIGN_OR_RETURN(const int64_t none_is_noop, IntAttribute(request.node, "noop_with_empty_axes", 0));
  Reduction reduction{.kept = request.shape(0), .none_is_noop = axes.empty() && none_is_noop != 0};
  for (int64_t d = 0; d < request.rank(0); ++d) {
    const bool listed = std::ranges::find(axes, d) != axes.end();
    const bool reduced = axes.empty() ? none_is_noop == 0 : listed;
    if (reduced) reduction.kept[d] = 1;
    if (!reduced || keep != 0) reduction.out.push_back(reduction.kept[d]);
  }
  return reduction;
}

// y_j = factor * sum of x_i.
class LinearReduction final : public LinearMap {
 public:
  LinearReduction(const Reduction& reduction, const Shape& x, float factor)
      : LinearMap(reduction.out), num_inputs_(NumElements(x)), factor_(factor), plan_(x, x, reduction.kept) {}

 private:
  void Apply(std::span<const float> x, std::span<float> y) const override {
    SumToB(plan_, num_inputs_, y, [in = x.data()](int64_t i, int64_t, int64_t) { return in[i]; });
    for (float& sum : y) sum *= factor_;
  }
  void ApplyTransposed(std::span<const float> y, std::span<float> x) const override {
    MapBroadcast(plan_, x, [in = y.data(), f = factor_](int64_t, int64_t, int64_t j) { return f * in[j]; });
  }

  int64_t num_inputs_;
  float factor_;
  BroadcastPlan plan_;
};

// y_j = finish(sum of Term(x_i)), written by its slopes dy_j/dx_i = Slope(x_i, y_j) and their derivatives SlopeDx (with
// y fixed) and SlopeDy. kNeedsResult: whether SlopeDy is not 0 throughout.
struct L1 {
  static constexpr bool kNeedsResult = false;
  static float Term(float x) { return std::abs(x); }
  static float Finish(float sum) { return sum; }
  static float Slope(float x, float) { return x < 0 ? -1 : (x > 0 ? 1 : 0); }
  static float SlopeDx(float, float) { return 0; }
  static float SlopeDy(float, float) { return 0; }
};

// At x = 0 the derivative is taken as 0.
struct L2 {
  static constexpr bool kNeedsResult = true;
  static float Term(float x) { return x * x; }
  static float Finish(float sum) { return std::sqrt(sum); }
  static float Slope(float x, float y) { return y > 0 ? x / y : 0; }
  static float SlopeDx(float, float y) { return y > 0 ? 1 / y : 0; }
  static float SlopeDy(float x, float y) { return y > 0 ? -x / (y * y) : 0; }
};

struct SumSquare {
  static constexpr bool kNeedsResult = false;
  static float Term(float x) { return x * x; }
  static float Finish(float sum) { return sum; }
  static float Slope(float x, float) { return 2 * x; }
  static float SlopeDx(float, float) { return 2; }
  static float SlopeDy(float, float) { return 0; }
};

struct LogSum {
  static constexpr bool kNeedsResult = true;
  static float Term(float x) { return x; }
  static float Finish(float sum) { return std::log(sum); }
  static float Slope(float, float y) { return VectorExp(-y); }
  static float SlopeDx(float, float) { return 0; }
  static float SlopeDy(float, float y) { return -VectorExp(-y); }
};

// Terms are e^(x - largest x): see Forward.
struct LogSumExp {
  static constexpr bool kNeedsResult = true;
  static float Slope(float x, float y) { return VectorExp(x - y); }
  static float SlopeDx(float x, float y) { return VectorExp(x - y); }
  static float SlopeDy(float x, float y) { return -VectorExp(x - y); }
};

template <typename F>
class SmoothReduction final : public Operator {
 public:
  SmoothReduction(const Reduction& reduction, const Shape& x)
      : Operator(reduction.out), num_inputs_(NumElements(x)), plan_(x, x, reduction.kept) {}

  void Forward(Reads x, Writes y) const override {
    const float* in = x[0].data();
    if constexpr (std::is_same_v<F, LogSumExp>) {
      ForwardLogSumExp(in, y[0]);
    } else {
      SumToB(plan_, num_inputs_, y[0], [in](int64_t i, int64_t, int64_t) { return F::Term(in[i]); });
      for (float& value : y[0]) value = F::Finish(value);
    }
  }

  void Jvp(const Primal& primal, Reads x_dot, Writes y_dot) const override {
    const float* x = primal.x[0].data();
    const float* y = primal.y[0].data();
    const float* dx = x_dot[0].data();
    SumToB(plan_, num_inputs_, y_dot[0], [=](int64_t i, int64_t, int64_t j) { return F::Slope(x[i], y[j]) * dx[i]; });
  }

  void Vjp(const Primal& primal, Reads y_bar, Writes x_bar) const override {
    const float* x = primal.x[0].data();
    const float* y = primal.y[0].data();
    const float* g = y_bar[0].data();
    MapBroadcast(plan_, x_bar[0], [=](int64_t i, int64_t, int64_t j) { return F::Slope(x[i], y[j]) * g[j]; });
  }

  void VjpTangent(const Primal& primal, Reads x_dot, Reads y_bar, Reads y_bar_dot, Writes x_bar_dot) const override {
    const float* x = primal.x[0].data();
    const float* y = primal.y[0].data();
    const float* dx = x_dot[0].data();
    const float* g = y_bar[0].data();
    const float* dg = y_bar_dot[0].data();
    FloatVector result_dot(F::kNeedsResult ? primal.y[0].size() : 0);
    if constexpr (F::kNeedsResult) {
      const std::span<float> out = result_dot;
      Jvp(primal, x_dot, {&out, 1});
    }
    MapBroadcast(plan_, x_bar_dot[0], [=, dy = result_dot.data()](int64_t i, int64_t, int64_t j) {
      float bend = F::SlopeDx(x[i], y[j]) * dx[i];
      if constexpr (F::kNeedsResult) bend += F::SlopeDy(x[i], y[j]) * dy[j];
      return F::Slope(x[i], y[j]) * dg[j] + bend * g[j];
    });
  }

 private:
  void ForwardLogSumExp(const float* in, std::span<float> y) const {
    FloatVector largest(y.size(), -std::numeric_limits<float>::infinity());
    plan_.ForEachRun([&](int64_t o, int64_t, int64_t b, int64_t count, auto, auto b_step) {
      for (int64_t i = 0; i < count; ++i) {
        float& max = largest[b + i * b_step];
        max = in[o + i] > max ? in[o + i] : max;
      }
    });
    SumToB(plan_, num_inputs_, y,
           [in, max = largest.data()](int64_t i, int64_t, int64_t j) { return VectorExp(in[i] - max[j]); });
    for (size_t j = 0; j < y.size(); ++j) y[j] = largest[j] + std::log(y[j]);
  }

  int64_t num_inputs_;
  BroadcastPlan plan_;
};

// y_j = the largest (sign 1) or smallest (sign -1) x_i; the first one in order has the derivative. NaN wins.
class ExtremeReduction final : public Operator {
 public:
  ExtremeReduction(const Reduction& reduction, const Shape& x, float sign)
      : Operator(reduction.out), sign_(sign), plan_(x, x, reduction.kept) {}

  void Forward(Reads x, Writes y) const override {
    const std::vector<int64_t> winners = Winners(x[0], y[0].size());
    for (size_t j = 0; j < winners.size(); ++j) y[0][j] = x[0][winners[j]];
  }

  void Jvp(const Primal& primal, Reads x_dot, Writes y_dot) const override {
    const std::vector<int64_t> winners = Winners(primal.x[0], y_dot[0].size());
    for (size_t j = 0; j < winners.size(); ++j) y_dot[0][j] = x_dot[0][winners[j]];
  }

  void Vjp(const Primal& primal, Reads y_bar, Writes x_bar) const override {
    const std::vector<int64_t> winners = Winners(primal.x[0], y_bar[0].size());
    std::fill(x_bar[0].begin(), x_bar[0].end(), 0.0F);
    for (size_t j = 0; j < winners.size(); ++j) x_bar[0][winners[j]] = y_bar[0][j];
  }

 private:
  // For each y_j the i of its x_i.
  std::vector<int64_t> Winners(std::span<const float> x, size_t num_outputs) const {
    std::vector<int64_t> winners(num_outputs, -1);
    plan_.ForEachRun([&](int64_t o, int64_t, int64_t b, int64_t count, auto, auto b_step) {
      for (int64_t i = o; i < o + count; ++i) {
        int64_t& best = winners[b + (i - o) * b_step];
        const bool better = best < 0 || sign_ * x[i] > sign_ * x[best] || (x[i] != x[i] && x[best] == x[best]);
        best = better ? i : best;
      }
    });
    return winners;
  }

  float sign_;
  BroadcastPlan plan_;
};

MadeOperator MakeLinear(const OpRequest& request, int64_t input_since, bool mean) {
  BITPLAN_ASSIGN_OR_RETURN(const Reduction reduction, ParseReduction(request, input_since));
  const Shape& x = request.shape(0);
  const double share = static_cast<double>(NumElements(reduction.kept)) / static_cast<double>(NumElements(x));
  return std::make_unique<LinearReduction>(reduction, x, mean ? static_cast<float>(share) : 1.0F);
}

// Specifications disagree on whether noop_with_empty_axes leaves out the function of each element too.
template <typename F>
MadeOperator MakeSmooth(const OpRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const Reduction reduction, ParseReduction(request, 18));
  if (reduction.none_is_noop) return Unimplemented("noop_with_empty_axes: without axes its meaning is not settled");
  return std::make_unique<SmoothReduction<F>>(reduction, request.shape(0));
}

MadeOperator MakeExtreme(const OpRequest& request, float sign) {
  BITPLAN_ASSIGN_OR_RETURN(const Reduction reduction, ParseReduction(request, 18));
  return std::make_unique<ExtremeReduction>(reduction, request.shape(0), sign);
}

}  // namespace

MadeOperator MakeReduceL1(const OpRequest& request) { return MakeSmooth<L1>(request); }
MadeOperator MakeReduceL2(const OpRequest& request) { return MakeSmooth<L2>(request); }
MadeOperator MakeReduceLogSum(const OpRequest& request) { return MakeSmooth<LogSum>(request); }
MadeOperator MakeReduceLogSumExp(const OpRequest& request) { return MakeSmooth<LogSumExp>(request); }
MadeOperator MakeReduceMax(const OpRequest& request) { return MakeExtreme(request, 1); }
MadeOperator MakeReduceMean(const OpRequest& request) { return MakeLinear(request, 18, /*mean=*/true); }
MadeOperator MakeReduceMin(const OpRequest& request) { return MakeExtreme(request, -1); }
MadeOperator MakeReduceSum(const OpRequest& request) { return MakeLinear(request, 13, /*mean=*/false); }
MadeOperator MakeReduceSumSquare(const OpRequest& request) { return MakeSmooth<SumSquare>(request); }

}  // namespace bitplan::ops
