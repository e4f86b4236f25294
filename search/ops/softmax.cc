#include <cmath>
#include <utility>

#include "search/base/status.h"
#include "search/ops/lane_sums.h"
#include "search/ops/make_operators.h"
#include "search/ops/softmax_lanes.h"
#include "search/ops/vector_math.h"

namespace bitplan::ops {
namespace {

// Sums along lanes are double.
struct Lanes : SoftmaxLanes {
  // Calls fn(index) with index(k), k = 0 .. size-1, the element k of one lane, for every lane.
  template <typename Fn>
  void ForEach(Fn fn) const {
    if (inner == 1) {  // neighbours: loops over a lane vectorise
      for (int64_t o = 0; o < outer; ++o) fn([base = o * size](int64_t k) { return base + k; });
      return;
    }
    for (int64_t o = 0; o < outer; ++o) {
      for (int64_t i = 0; i < inner; ++i) {
        fn([base = o * size * inner + i, stride = inner](int64_t k) { return base + k * stride; });
      }
    }
  }
};

template <typename Index>
float Max(std::span<const float> x, int64_t size, Index index) {
  float max = x[index(0)];
  for (int64_t k = 1; k < size; ++k) max = x[index(k)] > max ? x[index(k)] : max;
  return max;
}

// max and log sum_k exp(x_k - max) of a lane.
template <typename Index>
std::pair<float, double> MaxAndLogSum(std::span<const float> x, int64_t size, Index index) {
  const float max = Max(x, size, index);
  double sum = 0;
  for (int64_t k = 0; k < size; ++k) sum += std::exp(static_cast<double>(x[index(k)]) - max);
  return {max, std::log(sum)};
}

// sum_k a(k) b(k) of a lane.
template <typename Index>
double Dot(std::span<const float> a, std::span<const float> b, int64_t size, Index index) {
  return LaneSum(size, [=](int64_t k) { return static_cast<double>(a[index(k)]) * b[index(k)]; });
}

// y = softmax(x). J = diag(y) - y y' is symmetric.
class SoftmaxOperator final : public Operator {
 public:
  SoftmaxOperator(Shape shape, Lanes lanes) : Operator(std::move(shape)), lanes_(lanes) {}

  void Forward(Reads x, Writes y) const override {
    lanes_.ForEach([&](auto index) {
      const float* in = x[0].data();
      float* out = y[0].data();
      const float max = Max(x[0], lanes_.size, index);
      for (int64_t k = 0; k < lanes_.size; ++k) out[index(k)] = VectorExp(in[index(k)] - max);
      const double sum = LaneSum(lanes_.size, [=](int64_t k) { return out[index(k)]; });
      const float factor = static_cast<float>(1 / sum);
      for (int64_t k = 0; k < lanes_.size; ++k) out[index(k)] *= factor;
    });
  }

  void Jvp(const Primal& primal, Reads x_dot, Writes y_dot) const override {
    ApplyJacobian(primal.y[0], x_dot[0], y_dot[0]);
  }
  void Vjp(const Primal& primal, Reads y_bar, Writes x_bar) const override {
    ApplyJacobian(primal.y[0], y_bar[0], x_bar[0]);
  }

  // x_bar_k = y_k (g_k - y.g) differentiated along y_dot = y (x_dot - y.x_dot) and g_dot.
  void VjpTangent(const Primal& primal, Reads x_dot, Reads y_bar, Reads y_bar_dot, Writes x_bar_dot) const override {
    const std::span<const float> y = primal.y[0];
    lanes_.ForEach([&](auto index) {
      const double mean_dot = Dot(y, x_dot[0], lanes_.size, index);
      const double mean_bar = Dot(y, y_bar[0], lanes_.size, index);
      const double mean_bar_dot =
          Dot(y, y_bar_dot[0], lanes_.size, index) + LaneSum(lanes_.size, [&, dx = x_dot[0], g = y_bar[0]](int64_t k) {
            return y[index(k)] * (dx[index(k)] - mean_dot) * g[index(k)];
          });
      for (int64_t k = 0; k < lanes_.size; ++k) {
        const double y_dot = y[index(k)] * (x_dot[0][index(k)] - mean_dot);
        const double result =
            y_dot * (y_bar[0][index(k)] - mean_bar) + y[index(k)] * (y_bar_dot[0][index(k)] - mean_bar_dot);
        x_bar_dot[0][index(k)] = static_cast<float>(result);
      }
    });
  }

 private:
  void ApplyJacobian(std::span<const float> y, std::span<const float> in, std::span<float> out) const {
    lanes_.ForEach([&](auto index) {
      const double mean = Dot(y, in, lanes_.size, index);
      for (int64_t k = 0; k < lanes_.size; ++k) {
        out[index(k)] = static_cast<float>(y[index(k)] * (in[index(k)] - mean));
      }
    });
  }

  Lanes lanes_;
};

// y = x - log sum exp x. With p = exp(y): J = I - 1 p'.
class LogSoftmaxOperator final : public Operator {
 public:
  LogSoftmaxOperator(Shape shape, Lanes lanes) : Operator(std::move(shape)), lanes_(lanes) {}

  void Forward(Reads x, Writes y) const override {
    lanes_.ForEach([&](auto index) {
      const auto [max, log_sum] = MaxAndLogSum(x[0], lanes_.size, index);
      for (int64_t k = 0; k < lanes_.size; ++k) {
        y[0][index(k)] = static_cast<float>(static_cast<double>(x[0][index(k)]) - max - log_sum);
      }
    });
  }

  void Jvp(const Primal& primal, Reads x_dot, Writes y_dot) const override {
    lanes_.ForEach([&](auto index) {
      const double mean = Mean(primal.y[0], x_dot[0], index);
      for (int64_t k = 0; k < lanes_.size; ++k) y_dot[0][index(k)] = static_cast<float>(x_dot[0][index(k)] - mean);
    });
  }

  void Vjp(const Primal& primal, Reads y_bar, Writes x_bar) const override {
    lanes_.ForEach([&](auto index) {
      const double sum = Sum(y_bar[0], index);
      for (int64_t k = 0; k < lanes_.size; ++k) {
        x_bar[0][index(k)] = static_cast<float>(y_bar[0][index(k)] - Probability(primal.y[0], index(k)) * sum);
      }
    });
  }

  // x_bar_k = g_k - p_k sum(g) differentiated along p_dot = p (x_dot - p.x_dot) and g_dot.
  void VjpTangent(const Primal& primal, Reads x_dot, Reads y_bar, Reads y_bar_dot, Writes x_bar_dot) const override {
    lanes_.ForEach([&](auto index) {
      const double mean_dot = Mean(primal.y[0], x_dot[0], index);
      const double sum = Sum(y_bar[0], index);
      const double sum_dot = Sum(y_bar_dot[0], index);
      for (int64_t k = 0; k < lanes_.size; ++k) {
        const double p = Probability(primal.y[0], index(k));
        const double p_dot = p * (x_dot[0][index(k)] - mean_dot);
        x_bar_dot[0][index(k)] = static_cast<float>(y_bar_dot[0][index(k)] - p_dot * sum - p * sum_dot);
      }
    });
  }

 private:
  static double Probability(std::span<const float> y, int64_t i) { return std::exp(static_cast<double>(y[i])); }

  template <typename Index>
  double Mean(std::span<const float> y, std::span<const float> in, Index index) const {
    double mean = 0;
    for (int64_t k = 0; k < lanes_.size; ++k) mean += Probability(y, index(k)) * in[index(k)];
    return mean;
  }

  template <typename Index>
  double Sum(std::span<const float> in, Index index) const {
    double sum = 0;
    for (int64_t k = 0; k < lanes_.size; ++k) sum += in[index(k)];
    return sum;
  }

  Lanes lanes_;
};

template <typename Op>
MadeOperator MakeOverLanes(const OpRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 1, 1));
  BITPLAN_ASSIGN_OR_RETURN(const SoftmaxLanes lanes,
                           FindSoftmaxLanes(request.node, request.opset_version, request.shape(0)));
  return std::make_unique<Op>(request.shape(0), Lanes{lanes});
}

}  // namespace

absl::StatusOr<SoftmaxLanes> FindSoftmaxLanes(const Node& node, int64_t opset_version, const Shape& x) {
  const bool as_matrix = opset_version < 13;
  const auto rank = static_cast<int64_t>(x.size());
  SoftmaxLanes lanes;
  BITPLAN_ASSIGN_OR_RETURN(lanes.axis, IntAttribute(node, "axis", as_matrix ? 1 : -1));
  BITPLAN_ASSIGN_OR_RETURN(lanes.axis, NormalizedAxis(lanes.axis, rank, "axis"));
  for (int64_t d = 0; d < rank; ++d) {
    if (d < lanes.axis) {
      lanes.outer *= x[d];
    } else if (d == lanes.axis || as_matrix) {
      lanes.size *= x[d];
    } else {
      lanes.inner *= x[d];
    }
  }
  return lanes;
}

MadeOperator MakeSoftmax(const OpRequest& request) { return MakeOverLanes<SoftmaxOperator>(request); }
MadeOperator MakeLogSoftmax(const OpRequest& request) { return MakeOverLanes<LogSoftmaxOperator>(request); }

}  // namespace bitplan::ops
