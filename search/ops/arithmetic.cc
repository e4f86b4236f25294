// Elementwise functions of two inputs with numpy broadcasting; gradients are summed back over broadcast dimensions.

#include "search/base/status.h"
#include "search/ops/broadcast.h"
#include "search/ops/make_operators.h"

namespace bitplan::ops {
namespace {

// First and second partial derivatives of f(a, b). kCurved is false if all second ones vanish.
struct Add {
  static constexpr bool kCurved = false;
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
  static float Value(float a, float b) { return a * b; }
  static float Da(float, float b) { return b; }
  static float Db(float a, float) { return a; }
  static float Dab(float, float) { return 1; }
};

struct Div : Add {
  static constexpr bool kCurved = true;
  static float Value(float a, float b) { return a / b; }
  static float Da(float, float b) { return 1 / b; }
  static float Db(float a, float b) { return -a / (b * b); }
  static float Dab(float, float b) { return -1 / (b * b); }
  static float Dbb(float a, float b) { return 2 * a / (b * b * b); }
};

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
      MapBroadcast(plan_, y_dot[0], [=](int64_t, int64_t i, int64_t j) { return F::Da(a[i], b[j]) * da[i]; });
    } else if (x_dot[0].empty()) {
      MapBroadcast(plan_, y_dot[0], [=](int64_t, int64_t i, int64_t j) { return F::Db(a[i], b[j]) * db[j]; });
    } else {
      MapBroadcast(plan_, y_dot[0], [=](int64_t, int64_t i, int64_t j) {
        return F::Da(a[i], b[j]) * da[i] + F::Db(a[i], b[j]) * db[j];
      });
    }
  }

  void Vjp(const Primal& primal, Reads y_bar, Writes x_bar) const override {
    const float* a = primal.x[0].data();
    const float* b = primal.x[1].data();
    const float* g = y_bar[0].data();
    if (!x_bar[0].empty()) {
      SumToA(plan_, size_, x_bar[0], [=](int64_t o, int64_t i, int64_t j) { return F::Da(a[i], b[j]) * g[o]; });
    }
    if (!x_bar[1].empty()) {
      SumToB(plan_, size_, x_bar[1], [=](int64_t o, int64_t i, int64_t j) { return F::Db(a[i], b[j]) * g[o]; });
    }
  }

  void VjpTangent(const Primal& primal, Reads x_dot, Reads y_bar, Reads y_bar_dot, Writes x_bar_dot) const override {
    if constexpr (!F::kCurved) return Vjp(primal, y_bar_dot, x_bar_dot);
    const float* a = primal.x[0].data();
    const float* b = primal.x[1].data();
    const float* da = x_dot[0].empty() ? nullptr : x_dot[0].data();
    const float* db = x_dot[1].empty() ? nullptr : x_dot[1].data();
    const float* g = y_bar[0].data();
    const float* dg = y_bar_dot[0].data();
    if (!x_bar_dot[0].empty()) {
      SumToA(plan_, size_, x_bar_dot[0], [=](int64_t o, int64_t i, int64_t j) {
        const float bend = (da ? F::Daa(a[i], b[j]) * da[i] : 0) + (db ? F::Dab(a[i], b[j]) * db[j] : 0);
        return F::Da(a[i], b[j]) * dg[o] + bend * g[o];
      });
    }
    if (!x_bar_dot[1].empty()) {
      SumToB(plan_, size_, x_bar_dot[1], [=](int64_t o, int64_t i, int64_t j) {
        const float bend = (da ? F::Dab(a[i], b[j]) * da[i] : 0) + (db ? F::Dbb(a[i], b[j]) * db[j] : 0);
        return F::Db(a[i], b[j]) * dg[o] + bend * g[o];
      });
    }
  }

 private:
  int64_t size_;
  BroadcastPlan plan_;
};

template <typename F>
MadeOperator MakeBinary(const OpRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 2, 2));
  BITPLAN_ASSIGN_OR_RETURN(const Shape out, BroadcastShape(request.shape(0), request.shape(1)));
  return std::make_unique<BinaryOperator<F>>(out, request.shape(0), request.shape(1));
}

}  // namespace

MadeOperator MakeAdd(const OpRequest& request) { return MakeBinary<Add>(request); }
MadeOperator MakeDiv(const OpRequest& request) { return MakeBinary<Div>(request); }
MadeOperator MakeMul(const OpRequest& request) { return MakeBinary<Mul>(request); }
MadeOperator MakeSub(const OpRequest& request) { return MakeBinary<Sub>(request); }

}  // namespace bitplan::ops
