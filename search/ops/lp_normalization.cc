#include <cmath>
#include <utility>

#include "search/base/status.h"
#include "search/ops/lanes.h"
#include "search/ops/make_operators.h"

namespace bitplan::ops {
namespace {

// y = x / s along each lane, s = ||x||_p with p = 1 or 2. With n = ds/dx, which is sign(x) or y:
//   y_dot = (x_dot - y (n.x_dot)) / s,   x_bar = (y_bar - n (y.y_bar)) / s.
// A lane of zeros stays zero and has no derivative.
class LpNormalizationOperator final : public Operator {
 public:
  LpNormalizationOperator(Shape shape, AxisLanes lanes, int64_t p) : Operator(std::move(shape)), lanes_(lanes), p_(p) {}

  void Forward(Reads x, Writes y) const override {
    ForEachLane(x[0], [&](auto index, double s) {
      for (int64_t k = 0; k < lanes_.size; ++k) y[0][index(k)] = Divide(x[0][index(k)], s);
    });
  }

  void Jvp(const Primal& primal, Reads x_dot, Writes y_dot) const override {
    ForEachLane(primal.x[0], [&](auto index, double s) {
      const double s_dot = Sum([&](int64_t k) { return Gradient(primal, index(k)) * x_dot[0][index(k)]; });
      for (int64_t k = 0; k < lanes_.size; ++k) {
        y_dot[0][index(k)] = Divide(x_dot[0][index(k)] - primal.y[0][index(k)] * s_dot, s);
      }
    });
  }

  void Vjp(const Primal& primal, Reads y_bar, Writes x_bar) const override {
    ForEachLane(primal.x[0], [&](auto index, double s) {
      const double along = Sum([&](int64_t k) { return double{primal.y[0][index(k)]} * y_bar[0][index(k)]; });
      for (int64_t k = 0; k < lanes_.size; ++k) {
        x_bar[0][index(k)] = Divide(y_bar[0][index(k)] - Gradient(primal, index(k)) * along, s);
      }
    });
  }

  void VjpTangent(const Primal& primal, Reads x_dot, Reads y_bar, Reads y_bar_dot, Writes x_bar_dot) const override {
    const std::span<const float> y = primal.y[0];
    const std::span<const float> g = y_bar[0];
    const std::span<const float> dg = y_bar_dot[0];
    ForEachLane(primal.x[0], [&](auto index, double s) {
      const double s_dot = Sum([&](int64_t k) { return Gradient(primal, index(k)) * x_dot[0][index(k)]; });
      const auto y_dot = [&](int64_t i) { return (x_dot[0][i] - y[i] * s_dot) / s; };
      const double along = Sum([&](int64_t k) { return double{y[index(k)]} * g[index(k)]; });
      const double along_dot =
          Sum([&](int64_t k) { return y_dot(index(k)) * g[index(k)] + double{y[index(k)]} * dg[index(k)]; });
      for (int64_t k = 0; k < lanes_.size; ++k) {
        const int64_t i = index(k);
        const double n = Gradient(primal, i);
        const double n_dot = p_ == 2 ? y_dot(i) : 0;
        const double gradient = (g[i] - n * along) / s;
        x_bar_dot[0][i] = Divide(dg[i] - n_dot * along - n * along_dot - s_dot * gradient, s);
      }
    });
  }

 private:
  static float Divide(double value, double s) { return s == 0 ? 0 : static_cast<float>(value / s); }

  double Gradient(const Primal& primal, int64_t i) const {
    const float x = primal.x[0][i];
    return p_ == 2 ? primal.y[0][i] : (x < 0 ? -1 : (x > 0 ? 1 : 0));
  }

  template <typename Fn>
  double Sum(Fn term) const {
    double sum = 0;
    for (int64_t k = 0; k < lanes_.size; ++k) sum += term(k);
    return sum;
  }

  // Calls fn(index, s) with the place of entry k and the norm of each lane.
  template <typename Fn>
  void ForEachLane(std::span<const float> x, Fn fn) const {
    lanes_.ForEach([&](int64_t, int64_t first) {
      const auto index = [first, stride = lanes_.inner](int64_t k) { return first + k * stride; };
      const double sum = Sum([&](int64_t k) {
        const double value = x[index(k)];
        return p_ == 2 ? value * value : std::abs(value);
      });
      fn(index, p_ == 2 ? std::sqrt(sum) : sum);
    });
  }

  AxisLanes lanes_;
  int64_t p_;
};

}  // namespace

MadeOperator MakeLpNormalization(const OpRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 1, 1));
  BITPLAN_ASSIGN_OR_RETURN(int64_t axis, IntAttribute(request.node, "axis", -1));
  BITPLAN_ASSIGN_OR_RETURN(axis, NormalizedAxis(axis, request.rank(0), "axis"));
  BITPLAN_ASSIGN_OR_RETURN(const int64_t p, IntAttribute(request.node, "p", 2));
  if (p != 1 && p != 2) return InvalidArgument("p: got {}, want 1 or 2", p);
  return std::make_unique<LpNormalizationOperator>(request.shape(0), AxisLanes(request.shape(0), axis), p);
}

}  // namespace bitplan::ops
