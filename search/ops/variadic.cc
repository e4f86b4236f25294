// Max, Min, Mean and Sum of any number of inputs with numpy broadcasting.

#include <algorithm>
#include <utility>

#include "search/base/status.h"
#include "search/ops/binary_operator.h"
#include "search/ops/make_operators.h"

namespace bitplan::ops {
namespace {

// How each input broadcasts to the output.
std::vector<BroadcastPlan> MakePlans(const Shape& out, const std::vector<Shape>& inputs) {
  std::vector<BroadcastPlan> plans;
  plans.reserve(inputs.size());
  for (const Shape& input : inputs) plans.emplace_back(out, out, input);
  return plans;
}

// y = factor * (x_0 + x_1 + ..)
class SumOperator final : public Operator {
 public:
  SumOperator(const Shape& out, const std::vector<Shape>& inputs, float factor)
      : Operator(out), size_(NumElements(out)), plans_(MakePlans(out, inputs)), factor_(factor) {}

  void Forward(Reads x, Writes y) const override { Add(x, y[0]); }
  void Jvp(const Primal& /*primal*/, Reads x_dot, Writes y_dot) const override { Add(x_dot, y_dot[0]); }
  void Vjp(const Primal& /*primal*/, Reads y_bar, Writes x_bar) const override {
    const float* g = y_bar[0].data();
    for (size_t i = 0; i < plans_.size(); ++i) {
      if (x_bar[i].empty()) continue;
      SumToB(plans_[i], size_, x_bar[i], [g, f = factor_](int64_t o, int64_t, int64_t) { return f * g[o]; });
    }
  }

  bool reads_x() const override { return false; }
  bool reads_y() const override { return false; }
  bool bends() const override { return false; }

 private:
  // An absent input counts as zero.
  void Add(Reads x, std::span<float> y) const {
    std::fill(y.begin(), y.end(), 0.0F);
    float* sum = y.data();
    for (size_t i = 0; i < plans_.size(); ++i) {
      if (x[i].empty()) continue;
      const float* in = x[i].data();
      MapBroadcast(plans_[i], y, [sum, in](int64_t o, int64_t, int64_t j) { return sum[o] + in[j]; });
    }
    if (factor_ == 1) return;
    for (float& value : y) value *= factor_;
  }

  int64_t size_;
  std::vector<BroadcastPlan> plans_;
  float factor_;
};

// The larger of two; the first where they are equal. NaN wins.
struct Larger {
  static constexpr bool kCurved = false;
  static constexpr bool kConstantSlopes = false;
  static bool TakesFirst(float a, float b) { return a >= b || a != a; }
  static float Value(float a, float b) { return TakesFirst(a, b) ? a : b; }
  static float Da(float a, float b) { return TakesFirst(a, b) ? 1 : 0; }
  static float Db(float a, float b) { return TakesFirst(a, b) ? 0 : 1; }
  static float Daa(float, float) { return 0; }
  static float Dab(float, float) { return 0; }
  static float Dbb(float, float) { return 0; }
};

struct Smaller : Larger {
  static bool TakesFirst(float a, float b) { return a <= b || a != a; }
  static float Value(float a, float b) { return TakesFirst(a, b) ? a : b; }
  static float Da(float a, float b) { return TakesFirst(a, b) ? 1 : 0; }
  static float Db(float a, float b) { return TakesFirst(a, b) ? 0 : 1; }
};

// The extreme of one input or of three and more: the first one that equals it has the derivative.
template <typename F>
class ExtremeOperator final : public Operator {
 public:
  ExtremeOperator(const Shape& out, const std::vector<Shape>& inputs)
      : Operator(out), size_(NumElements(out)), plans_(MakePlans(out, inputs)) {}

  void Forward(Reads x, Writes y) const override {
    float* best = y[0].data();
    for (size_t i = 0; i < plans_.size(); ++i) {
      const float* in = x[i].data();
      if (i == 0) {
        MapBroadcast(plans_[0], y[0], [in](int64_t, int64_t, int64_t j) { return in[j]; });
      } else {
        MapBroadcast(plans_[i], y[0], [=](int64_t o, int64_t, int64_t j) { return F::Value(best[o], in[j]); });
      }
    }
  }

  void Jvp(const Primal& primal, Reads x_dot, Writes y_dot) const override {
    std::fill(y_dot[0].begin(), y_dot[0].end(), 0.0F);
    const FloatVector winner = Winners(primal);
    float* out = y_dot[0].data();
    for (size_t i = 0; i < plans_.size(); ++i) {
      if (x_dot[i].empty()) continue;
      const float* in = x_dot[i].data();
      MapBroadcast(plans_[i], y_dot[0],
                   [out, in, w = winner.data(), id = static_cast<float>(i)](int64_t o, int64_t, int64_t j) {
                     return w[o] == id ? in[j] : out[o];
                   });
    }
  }

  void Vjp(const Primal& primal, Reads y_bar, Writes x_bar) const override {
    const FloatVector winner = Winners(primal);
    for (size_t i = 0; i < plans_.size(); ++i) {
      if (x_bar[i].empty()) continue;
      SumToB(plans_[i], size_, x_bar[i],
             [g = y_bar[0].data(), w = winner.data(), id = static_cast<float>(i)](int64_t o, int64_t, int64_t) {
               return w[o] == id ? g[o] : 0;
             });
    }
  }

 private:
  // For each element of y the number of the first input that equals it.
  FloatVector Winners(const Primal& primal) const {
    FloatVector winner(size_, 0.0F);
    const float* y = primal.y[0].data();
    float* w = winner.data();
    for (size_t i = plans_.size(); i-- > 1;) {  // the first comes last and overwrites
      const float* in = primal.x[i].data();
      MapBroadcast(plans_[i], winner, [=, id = static_cast<float>(i)](int64_t o, int64_t, int64_t j) {
        return in[j] == y[o] ? id : w[o];
      });
    }
    const float* first = primal.x[0].data();
    MapBroadcast(plans_[0], winner, [=](int64_t o, int64_t, int64_t j) { return first[j] == y[o] ? 0.0F : w[o]; });
    return winner;
  }

  int64_t size_;
  std::vector<BroadcastPlan> plans_;
};

absl::StatusOr<Shape> ParseVariadic(const OpRequest& request) {
  const size_t count = request.inputs.size();
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, std::max<size_t>(count, 1), count));
  Shape out = request.shape(0);
  for (size_t i = 1; i < count; ++i) {
    BITPLAN_ASSIGN_OR_RETURN(out, BroadcastShape(out, request.shape(i)));
  }
  return out;
}

template <typename F>
MadeOperator MakeExtreme(const OpRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const Shape out, ParseVariadic(request));
  if (request.inputs.size() == 2) return MakeBinary<F>(request);
  return std::make_unique<ExtremeOperator<F>>(out, request.input_shapes);
}

}  // namespace

MadeOperator MakeMax(const OpRequest& request) { return MakeExtreme<Larger>(request); }
MadeOperator MakeMin(const OpRequest& request) { return MakeExtreme<Smaller>(request); }

MadeOperator MakeMean(const OpRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const Shape out, ParseVariadic(request));
  return std::make_unique<SumOperator>(out, request.input_shapes, 1 / static_cast<float>(request.inputs.size()));
}

MadeOperator MakeSum(const OpRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const Shape out, ParseVariadic(request));
  return std::make_unique<SumOperator>(out, request.input_shapes, 1.0F);
}

}  // namespace bitplan::ops
