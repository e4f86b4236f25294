#include "search/base/status.h"
#include "search/ops/broadcast.h"
#include "search/ops/dnnl_support.h"
#include "search/ops/gram.h"
#include "search/ops/make_operators.h"
#include "search/ops/mat_mul_kind.h"

namespace bitplan::ops {
namespace {

// numpy.matmul: matrices in the last two dimensions, the others broadcast. A vector on the left is a row, on the right
// a column.
struct MatMulShape {
  int64_t m = 0;
  int64_t n = 0;
  int64_t k = 0;
  Shape a_batch;
  Shape b_batch;
  Shape batch;  // their broadcast
};

class MatMulOperator final : public BilinearMap {
 public:
  MatMulOperator(Shape out, MatMulShape s, std::optional<WeightUse> weight_use)
      : BilinearMap(std::move(out)),
        s_(std::move(s)),
        plan_(s_.batch, s_.a_batch, s_.b_batch),
        weight_use_(weight_use) {
    if (NumElements(s_.b_batch) != 1) return;
    // One matrix on the right: the batch of the left one is more rows.
    s_.m *= NumElements(s_.batch);
    plan_ = BroadcastPlan({}, {}, {});
  }

  std::optional<WeightUse> weight_use() const override { return weight_use_; }

  std::optional<double> WeightGradientSquaredNorm(Reads x, Reads y_bar, int input) const override {
    if (input != 1 || NumElements(s_.b_batch) != 1 || !GramIsCheaper(s_.m, s_.k, s_.n)) return std::nullopt;
    return SquaredNormByGram(s_.m, x[0].data(), s_.k, y_bar[0].data(), s_.n, false);
  }

 private:
  void Product(In a, In b, In /*bias*/, Out y, bool accumulate) const override {
    ForEachMatrix([&](int64_t o, int64_t i, int64_t j) {
      Multiply({s_.m, s_.n, s_.k, false, false, 1, accumulate}, &a[i * s_.m * s_.k], &b[j * s_.k * s_.n],
               &y[o * s_.m * s_.n]);
    });
  }

  void LeftGradient(In y, In b, Out a, bool accumulate) const override {
    if (!accumulate) std::fill(a.begin(), a.end(), 0.0F);
    ForEachMatrix([&](int64_t o, int64_t i, int64_t j) {
      Multiply({s_.m, s_.k, s_.n, false, true, 1, true}, &y[o * s_.m * s_.n], &b[j * s_.k * s_.n], &a[i * s_.m * s_.k]);
    });
  }

  void RightGradient(In a, In y, Out b, bool accumulate) const override {
    if (!accumulate) std::fill(b.begin(), b.end(), 0.0F);
    ForEachMatrix([&](int64_t o, int64_t i, int64_t j) {
      Multiply({s_.k, s_.n, s_.m, true, false, 1, true}, &a[i * s_.m * s_.k], &y[o * s_.m * s_.n], &b[j * s_.k * s_.n]);
    });
  }

  void AddBias(In /*bias*/, Out /*y*/) const override {}       // MatMul has no third input
  void BiasGradient(In /*y*/, Out /*bias*/) const override {}  // MatMul has no third input

  // Calls fn with the indices of the matrices of y, a and b that belong together.
  template <typename Fn>
  void ForEachMatrix(Fn fn) const {
    plan_.ForEachRun([&](int64_t o, int64_t a, int64_t b, int64_t count, auto a_step, auto b_step) {
      for (int64_t i = 0; i < count; ++i) fn(o + i, a + i * a_step, b + i * b_step);
    });
  }

  MatMulShape s_;
  BroadcastPlan plan_;
  std::optional<WeightUse> weight_use_;
};

absl::StatusOr<MatMulShape> ParseMatMul(Shape a, Shape b) {
  if (a.empty() || b.empty()) return InvalidArgument("inputs: a scalar, want at least one dimension");
  if (a.size() == 1) a.insert(a.begin(), 1);
  if (b.size() == 1) b.push_back(1);
  MatMulShape s{.m = a[a.size() - 2], .n = b.back(), .k = a.back()};
  s.a_batch.assign(a.begin(), a.end() - 2);
  s.b_batch.assign(b.begin(), b.end() - 2);
  if (b[b.size() - 2] != s.k) {
    return InvalidArgument("inputs: shapes {} and {} do not multiply", ToString(a), ToString(b));
  }
  BITPLAN_ASSIGN_OR_RETURN(s.batch, BroadcastShape(s.a_batch, s.b_batch));
  return s;
}

// A constant on the right is stored [.., in, out], one on the left [.., out, in].
absl::StatusOr<std::optional<WeightUse>> MatMulWeight(const OpRequest& request, const MatMulShape& s) {
  BITPLAN_ASSIGN_OR_RETURN(const std::string name, StringAttribute(request.node, kLayerKindAttribute, "matmul"));
  BITPLAN_ASSIGN_OR_RETURN(const LayerKind kind, ParseLayerKind(name));
  BITPLAN_ASSIGN_OR_RETURN(const int64_t rows, IntAttribute(request.node, kLayerRowsAttribute, s.m));
  if (rows < 1 || rows > s.m) return InvalidArgument("{}: got {}, want 1..{}", kLayerRowsAttribute, rows, s.m);
  const int input = kind == LayerKind::kMatMul && request.inputs[1]->is_constant() ? 1 : 0;
  const int rank = static_cast<int>(request.rank(input));
  if (!request.inputs[input]->is_constant() || rank < 2) return std::optional<WeightUse>();
  return WeightUse{.input = input,
                   .kind = kind,
                   .output_channel_axis = input == 1 ? rank - 1 : rank - 2,
                   .macs = NumElements(s.batch) * rows * s.n * s.k};
}

}  // namespace

MadeOperator MakeMatMul(const OpRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 2, 2));
  BITPLAN_ASSIGN_OR_RETURN(MatMulShape s, ParseMatMul(request.shape(0), request.shape(1)));
  Shape out = s.batch;
  if (request.rank(0) > 1) out.push_back(s.m);
  if (request.rank(1) > 1) out.push_back(s.n);
  BITPLAN_ASSIGN_OR_RETURN(const std::optional<WeightUse> weight_use, MatMulWeight(request, s));
  return std::make_unique<MatMulOperator>(std::move(out), std::move(s), weight_use);
}

}  // namespace bitplan::ops
