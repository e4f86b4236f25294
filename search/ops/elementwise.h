#ifndef BITPLAN_SEARCH_OPS_ELEMENTWISE_H_
#define BITPLAN_SEARCH_OPS_ELEMENTWISE_H_

#include <memory>
#include <utility>

#include "search/ops/operator.h"

namespace bitplan::ops {

// y_i = f(x_i). F is a small copyable struct with
//   float Value(float x), float Slope(float x, float y) = f', float Bend(float x, float y) = f'';   y is f(x).
// At a kink both derivatives are any value between those of the two sides. It may have the members kPiecewiseLinear:
// Bend is 0; kSlopeOfOutput: Slope reads y only. Then x and tangents need not be kept for the way back.
template <typename F>
class ElementwiseOperator final : public Operator {
 public:
  ElementwiseOperator(Shape shape, F f) : Operator(std::move(shape)), f_(f) {}

  void Forward(Reads x, Writes y) const override {
    const F f = f_;  // a copy of its own: stores to y could change the member, as far as the compiler knows
    const std::span<const float> in = x[0];
    float* out = y[0].data();
    for (size_t i = 0; i < in.size(); ++i) out[i] = f.Value(in[i]);
  }

  void Jvp(const Primal& primal, Reads x_dot, Writes y_dot) const override { Scale(primal, x_dot[0], y_dot[0]); }
  void Vjp(const Primal& primal, Reads y_bar, Writes x_bar) const override { Scale(primal, y_bar[0], x_bar[0]); }

  bool reads_x() const override { return !kSlopeOfOutput; }
  bool bends() const override { return !kPiecewiseLinear; }

  void VjpTangent(const Primal& primal, Reads x_dot, Reads y_bar, Reads y_bar_dot, Writes x_bar_dot) const override {
    if constexpr (kPiecewiseLinear) return Vjp(primal, y_bar_dot, x_bar_dot);
    const F f = f_;
    const float* x = primal.x[0].data();
    const float* y = primal.y[0].data();
    const float* dx = x_dot[0].data();
    const float* g = y_bar[0].data();
    const float* dg = y_bar_dot[0].data();
    const std::span<float> out = x_bar_dot[0];
    for (size_t i = 0; i < out.size(); ++i) {
      out[i] = f.Slope(x[i], y[i]) * dg[i] + f.Bend(x[i], y[i]) * dx[i] * g[i];
    }
  }

 private:
  // The bend is 0.
  static constexpr bool kPiecewiseLinear = requires { F::kPiecewiseLinear; };
  // The slope needs y only.
  static constexpr bool kSlopeOfOutput = requires { F::kSlopeOfOutput; };

  void Scale(const Primal& primal, std::span<const float> in, std::span<float> out) const {
    const F f = f_;
    const float* y = primal.y[0].data();
    const float* x = kSlopeOfOutput ? y : primal.x[0].data();
    for (size_t i = 0; i < out.size(); ++i) out[i] = f.Slope(x[i], y[i]) * in[i];
  }

  F f_;
};

// The operator of a node with one float input; further inputs are constants that were read into f.
template <typename F>
absl::StatusOr<std::unique_ptr<Operator>> MakeElementwise(const OpRequest& request, F f, size_t max_inputs = 1) {
  if (absl::Status status = CheckArity(request, 1, max_inputs, 1); !status.ok()) return status;
  return std::make_unique<ElementwiseOperator<F>>(request.shape(0), f);
}

}  // namespace bitplan::ops

#endif  // BITPLAN_SEARCH_OPS_ELEMENTWISE_H_
