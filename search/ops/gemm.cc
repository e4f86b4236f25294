#include "search/base/status.h"
#include "search/ops/broadcast.h"
#include "search/ops/dnnl_support.h"
#include "search/ops/gram.h"
#include "search/ops/make_operators.h"

namespace bitplan::ops {
namespace {

struct GemmShape {
  int64_t m = 0;
  int64_t n = 0;
  int64_t k = 0;
  bool transpose_a = false;
  bool transpose_b = false;
  float alpha = 1;
  float beta = 1;
};

// y = alpha op(a) op(b) + beta c. The layer weight is b.
class GemmOperator final : public BilinearMap {
 public:
  GemmOperator(const GemmShape& s, const Shape& c)
      : BilinearMap(Shape{s.m, s.n}), s_(s), bias_plan_(Shape{s.m, s.n}, Shape{s.m, s.n}, c) {}

  std::optional<WeightUse> weight_use() const override {
    return WeightUse{.input = 1,
                     .kind = LayerKind::kGemm,
                     .output_channel_axis = s_.transpose_b ? 0 : 1,
                     .macs = s_.m * s_.n * s_.k};
  }

  std::optional<double> WeightGradientSquaredNorm(Reads x, Reads y_bar, int input) const override {
    if (input != 1 || s_.transpose_a || !GramIsCheaper(s_.m, s_.k, s_.n)) return std::nullopt;
    return s_.alpha * s_.alpha * SquaredNormByGram(s_.m, x[0].data(), s_.k, y_bar[0].data(), s_.n, false);
  }

 private:
  void Product(In a, In b, In bias, Out y, bool accumulate) const override {
    if (!bias.empty()) {
      const float beta = s_.beta;
      const float* c = bias.data();
      MapBroadcast(bias_plan_, y, [=](int64_t, int64_t, int64_t j) { return beta * c[j]; });
    }
    Multiply({s_.m, s_.n, s_.k, s_.transpose_a, s_.transpose_b, s_.alpha, accumulate || !bias.empty()}, a.data(),
             b.data(), y.data());
  }

  // op(a)_bar = alpha y_bar op(b)'; transposed once more where a is stored transposed.
  void LeftGradient(In y, In b, Out a, bool accumulate) const override {
    if (s_.transpose_a) {
      Multiply({s_.k, s_.m, s_.n, s_.transpose_b, true, s_.alpha, accumulate}, b.data(), y.data(), a.data());
    } else {
      Multiply({s_.m, s_.k, s_.n, false, !s_.transpose_b, s_.alpha, accumulate}, y.data(), b.data(), a.data());
    }
  }

  void RightGradient(In a, In y, Out b, bool accumulate) const override {
    if (s_.transpose_b) {
      Multiply({s_.n, s_.k, s_.m, true, s_.transpose_a, s_.alpha, accumulate}, y.data(), a.data(), b.data());
    } else {
      Multiply({s_.k, s_.n, s_.m, !s_.transpose_a, false, s_.alpha, accumulate}, a.data(), y.data(), b.data());
    }
  }

  void AddBias(In bias, Out y) const override {
    const float beta = s_.beta;
    const float* c = bias.data();
    const float* sum = y.data();
    MapBroadcast(bias_plan_, y, [=](int64_t o, int64_t, int64_t j) { return sum[o] + beta * c[j]; });
  }

  void BiasGradient(In y, Out bias) const override {
    const float beta = s_.beta;
    const float* g = y.data();
    SumToB(bias_plan_, s_.m * s_.n, bias, [=](int64_t o, int64_t, int64_t) { return beta * g[o]; });
  }

  GemmShape s_;
  BroadcastPlan bias_plan_;
};

absl::StatusOr<GemmShape> ParseGemm(const OpRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 2, 3));
  if (request.rank(0) != 2 || request.rank(1) != 2) {
    return InvalidArgument("inputs: got shapes {} and {}, want two matrices", ToString(request.shape(0)),
                           ToString(request.shape(1)));
  }
  BITPLAN_ASSIGN_OR_RETURN(const int64_t transpose_a, IntAttribute(request.node, "transA", 0));
  BITPLAN_ASSIGN_OR_RETURN(const int64_t transpose_b, IntAttribute(request.node, "transB", 0));
  GemmShape s{.transpose_a = transpose_a != 0, .transpose_b = transpose_b != 0};
  BITPLAN_ASSIGN_OR_RETURN(s.alpha, FloatAttribute(request.node, "alpha", 1));
  BITPLAN_ASSIGN_OR_RETURN(s.beta, FloatAttribute(request.node, "beta", 1));
  const Shape& a = request.shape(0);
  const Shape& b = request.shape(1);
  s.m = a[s.transpose_a ? 1 : 0];
  s.k = a[s.transpose_a ? 0 : 1];
  s.n = b[s.transpose_b ? 0 : 1];
  if (b[s.transpose_b ? 1 : 0] != s.k) {
    return InvalidArgument("inputs: shapes {} (transA={}) and {} (transB={}) do not multiply", ToString(a), transpose_a,
                           ToString(b), transpose_b);
  }
  return s;
}

}  // namespace

MadeOperator MakeGemm(const OpRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const GemmShape s, ParseGemm(request));
  const Shape out = {s.m, s.n};
  const Shape c = request.has_input(2) ? request.shape(2) : Shape{};
  const absl::StatusOr<Shape> broadcast = BroadcastShape(out, c);
  if (!broadcast.ok() || *broadcast != out) {
    return InvalidArgument("inputs[2]: shape {} does not broadcast to {}", ToString(c), ToString(out));
  }
  return std::make_unique<GemmOperator>(s, c);
}

}  // namespace bitplan::ops
