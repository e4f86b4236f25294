#ifndef BITPLAN_SEARCH_OPS_BINARY_OPERATOR_H_
#define BITPLAN_SEARCH_OPS_BINARY_OPERATOR_H_

#include <cstdint>
#include <memory>
#include <type_traits>

#include "search/base/status.h"
#include "search/ops/broadcast.h"
#include "search/ops/operator.h"

namespace bitplan::ops {

// y = f(a, b) element by element with numpy broadcasting; gradients are summed back over broadcast dimensions. F has
// the static functions Value, Da, Db, Daa, Dab, Dbb of (float a, float b): f and its partial derivatives, and the
// constants kCurved, false if all second ones vanish, and kConstantSlopes, true if the first ones depend on nothing.
template <typename F>
class BinaryOperator final : public Operator {
 public:
  BinaryOperator(const Shape& out, const Shape& a, const Shape& b)
      : Operator(out), size_(NumElements(out)), plan_(out, a, b) {}

  void Forward(Reads x, Writes y) const override {
    const float* a = x[0].data();
    const float* b = x[1].data();
    MapBroadcast(plan_, y[0], [=](int64_t, int64_t i, int64_t j) { return F::Value(a[i], b[j]); });
  }

  void Jvp(const Primal& primal, Reads x_dot, Writes y_dot) const override {
    const float* a = primal.x[0].data();
    const float* b = primal.x[1].data();
    const float* da = x_dot[0].data();
    const float* db = x_dot[1].data();
    if (x_dot[1].empty()) {
      MapBroadcast(plan_, y_dot[0], [=](int64_t, int64_t i, int64_t j) { return Da(a, i, b, j) * da[i]; });
    } else if (x_dot[0].empty()) {
      MapBroadcast(plan_, y_dot[0], [=](int64_t, int64_t i, int64_t j) { return Db(a, i, b, j) * db[j]; });
    } else {
      MapBroadcast(plan_, y_dot[0],
                   [=](int64_t, int64_t i, int64_t j) { return Da(a, i, b, j) * da[i] + Db(a, i, b, j) * db[j]; });
    }
  }

  void Vjp(const Primal& primal, Reads y_bar, Writes x_bar) const override {
    const float* a = primal.x[0].data();
    const float* b = primal.x[1].data();
    const float* g = y_bar[0].data();
    if (!x_bar[0].empty()) {
      SumToA(plan_, size_, x_bar[0], [=](int64_t o, int64_t i, int64_t j) { return Da(a, i, b, j) * g[o]; });
    }
    if (!x_bar[1].empty()) {
      SumToB(plan_, size_, x_bar[1], [=](int64_t o, int64_t i, int64_t j) { return Db(a, i, b, j) * g[o]; });
    }
  }

  bool reads_x() const override { return !F::kConstantSlopes; }
  bool reads_y() const override { return false; }
  bool bends() const override { return F::kCurved; }

  void VjpTangent(const Primal& primal, Reads x_dot, Reads y_bar, Reads y_bar_dot, Writes x_bar_dot) const override {
    if constexpr (!F::kCurved) return Vjp(primal, y_bar_dot, x_bar_dot);
    const float* a = primal.x[0].data();
    const float* b = primal.x[1].data();
    const float* da = x_dot[0].data();
    const float* db = x_dot[1].data();
    const float* g = y_bar[0].data();
    const float* dg = y_bar_dot[0].data();
    // Which tangents there are is known at compile time in the loops.
    const auto with_tangents = [&](auto has_a, auto has_b) {
      if (!x_bar_dot[0].empty()) {
        SumToA(plan_, size_, x_bar_dot[0], [=](int64_t o, int64_t i, int64_t j) {
          float result = Da(a, i, b, j) * dg[o];
          if constexpr (has_a.value) result += F::Daa(a[i], b[j]) * da[i] * g[o];
          if constexpr (has_b.value) result += F::Dab(a[i], b[j]) * db[j] * g[o];
          return result;
        });
      }
      if (!x_bar_dot[1].empty()) {
        SumToB(plan_, size_, x_bar_dot[1], [=](int64_t o, int64_t i, int64_t j) {
          float result = Db(a, i, b, j) * dg[o];
          if constexpr (has_a.value) result += F::Dab(a[i], b[j]) * da[i] * g[o];
          if constexpr (has_b.value) result += F::Dbb(a[i], b[j]) * db[j] * g[o];
          return result;
        });
      }
    };
    if (x_dot[1].empty()) return with_tangents(std::true_type(), std::false_type());
    if (x_dot[0].empty()) return with_tangents(std::false_type(), std::true_type());
    with_tangents(std::true_type(), std::true_type());
  }

 private:
  // Inputs need not be there where slopes are constant.
  static float Da(const float* a, int64_t i, const float* b, int64_t j) {
    if constexpr (!F::kConstantSlopes) return F::Da(a[i], b[j]);
    return F::Da(0, 0);
  }
  static float Db(const float* a, int64_t i, const float* b, int64_t j) {
    if constexpr (!F::kConstantSlopes) return F::Db(a[i], b[j]);
    return F::Db(0, 0);
  }

  int64_t size_;
  BroadcastPlan plan_;
};

// The operator of a node with two float inputs.
template <typename F>
absl::StatusOr<std::unique_ptr<Operator>> MakeBinary(const OpRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 2, 2));
  BITPLAN_ASSIGN_OR_RETURN(const Shape out, BroadcastShape(request.shape(0), request.shape(1)));
  return std::make_unique<BinaryOperator<F>>(out, request.shape(0), request.shape(1));
}

}  // namespace bitplan::ops

#endif  // BITPLAN_SEARCH_OPS_BINARY_OPERATOR_H_
