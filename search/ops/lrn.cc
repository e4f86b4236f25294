#include <algorithm>
#include <cmath>
#include <utility>

#include "search/base/status.h"
#include "search/ops/make_operators.h"

namespace bitplan::ops {
namespace {

// Local response normalisation over channels: y_c = x_c s_c^-beta, s_c = bias + factor * sum of x_j^2 over the window
// of channel c, c - before .. c + after.
//   y_dot_c = x_dot_c s_c^-beta + 2 factor t_c sum_j x_j x_dot_j     with t_c = -beta x_c s_c^(-beta-1)
//   x_bar_c = y_bar_c s_c^-beta + 2 factor x_c sum_k t_k y_bar_k     over the k whose window holds c
class LrnOperator final : public Operator {
 public:
  struct Constants {
    float factor = 0;  // alpha / size
    float beta = 0;
    float bias = 0;
    int64_t before = 0;
    int64_t after = 0;
  };

  LrnOperator(const Shape& shape, const Constants& constants)
      : Operator(shape),
        k_(constants),
        samples_(shape[0]),
        channels_(shape[1]),
        plane_(NumElements(shape) / (shape[0] * shape[1])) {}

  void Forward(Reads x, Writes y) const override {
    FloatVector s(sample_size());
    for (int64_t n = 0; n < samples_; ++n) {
      const float* in = &x[0][n * sample_size()];
      float* out = &y[0][n * sample_size()];
      Scale(in, s);
      for (int64_t i = 0; i < sample_size(); ++i) out[i] = in[i] * std::pow(s[i], -k_.beta);
    }
  }

  void Jvp(const Primal& primal, Reads x_dot, Writes y_dot) const override {
    FloatVector s(sample_size());
    FloatVector s_dot(sample_size());
    for (int64_t n = 0; n < samples_; ++n) {
      const float* x = &primal.x[0][n * sample_size()];
      const float* dx = &x_dot[0][n * sample_size()];
      float* out = &y_dot[0][n * sample_size()];
      Scale(x, s);
      ScaleTangent(x, dx, s_dot);
      for (int64_t i = 0; i < sample_size(); ++i) {
        const float power = std::pow(s[i], -k_.beta);
        out[i] = power * (dx[i] - k_.beta * x[i] * s_dot[i] / s[i]);
      }
    }
  }

  void Vjp(const Primal& primal, Reads y_bar, Writes x_bar) const override {
    FloatVector s(sample_size());
    FloatVector terms(sample_size());
    FloatVector sums(sample_size());
    for (int64_t n = 0; n < samples_; ++n) {
      const float* x = &primal.x[0][n * sample_size()];
      const float* g = &y_bar[0][n * sample_size()];
      float* out = &x_bar[0][n * sample_size()];
      Scale(x, s);
      for (int64_t i = 0; i < sample_size(); ++i) {
        const float power = std::pow(s[i], -k_.beta);
        out[i] = power * g[i];
        terms[i] = -k_.beta * x[i] * power / s[i] * g[i];
      }
      WindowSums(terms, k_.after, k_.before, sums);
      for (int64_t i = 0; i < sample_size(); ++i) out[i] += 2 * k_.factor * x[i] * sums[i];
    }
  }

  void VjpTangent(const Primal& primal, Reads x_dot, Reads y_bar, Reads y_bar_dot, Writes x_bar_dot) const override {
    FloatVector s(sample_size());
    FloatVector s_dot(sample_size());
    FloatVector terms(sample_size());
    FloatVector terms_dot(sample_size());
    FloatVector sums(sample_size());
    for (int64_t n = 0; n < samples_; ++n) {
      const float* x = &primal.x[0][n * sample_size()];
      const float* dx = &x_dot[0][n * sample_size()];
      const float* g = &y_bar[0][n * sample_size()];
      const float* dg = &y_bar_dot[0][n * sample_size()];
      float* out = &x_bar_dot[0][n * sample_size()];
      Scale(x, s);
      ScaleTangent(x, dx, s_dot);
      for (int64_t i = 0; i < sample_size(); ++i) {
        const float power = std::pow(s[i], -k_.beta);
        const float growth = s_dot[i] / s[i];
        out[i] = power * (dg[i] - k_.beta * growth * g[i]);
        const float slope = -k_.beta * power / s[i];
        terms[i] = slope * x[i] * g[i];
        terms_dot[i] = slope * (dx[i] * g[i] + x[i] * dg[i] - (k_.beta + 1) * growth * x[i] * g[i]);
      }
      WindowSums(terms, k_.after, k_.before, sums);
      for (int64_t i = 0; i < sample_size(); ++i) out[i] += 2 * k_.factor * dx[i] * sums[i];
      WindowSums(terms_dot, k_.after, k_.before, sums);
      for (int64_t i = 0; i < sample_size(); ++i) out[i] += 2 * k_.factor * x[i] * sums[i];
    }
  }

 private:
  int64_t sample_size() const { return channels_ * plane_; }

  // sums_c = sum of terms_j over c - before <= j <= c + after.
  void WindowSums(const FloatVector& terms, int64_t before, int64_t after, FloatVector& sums) const {
    std::ranges::fill(sums, 0.0F);
    for (int64_t c = 0; c < channels_; ++c) {
      const int64_t end = std::min(c + after + 1, channels_);
      for (int64_t j = std::max<int64_t>(c - before, 0); j < end; ++j) {
        for (int64_t i = 0; i < plane_; ++i) sums[c * plane_ + i] += terms[j * plane_ + i];
      }
    }
  }

  // s of one sample.
  void Scale(const float* x, FloatVector& s) const {
    FloatVector squares(sample_size());
    for (int64_t i = 0; i < sample_size(); ++i) squares[i] = x[i] * x[i];
    WindowSums(squares, k_.before, k_.after, s);
    for (float& value : s) value = k_.bias + k_.factor * value;
  }

  // s_dot of one sample.
  void ScaleTangent(const float* x, const float* x_dot, FloatVector& s_dot) const {
    FloatVector products(sample_size());
    for (int64_t i = 0; i < sample_size(); ++i) products[i] = x[i] * x_dot[i];
    WindowSums(products, k_.before, k_.after, s_dot);
    for (float& value : s_dot) value *= 2 * k_.factor;
  }

  Constants k_;
  int64_t samples_;
  int64_t channels_;
  int64_t plane_;
};

}  // namespace

MadeOperator MakeLrn(const OpRequest& request) {
  BITPLAN_RETURN_IF_ERROR(CheckArity(request, 1, 1));
  if (request.rank(0) < 2) return InvalidArgument("inputs[0]: shape {}, want [N, C, ..]", ToString(request.shape(0)));
  BITPLAN_ASSIGN_OR_RETURN(const float alpha, FloatAttribute(request.node, "alpha", 0.0001F));
  BITPLAN_ASSIGN_OR_RETURN(const float beta, FloatAttribute(request.node, "beta", 0.75F));
  BITPLAN_ASSIGN_OR_RETURN(const float bias, FloatAttribute(request.node, "bias", 1));
  BITPLAN_ASSIGN_OR_RETURN(const int64_t size, IntAttribute(request.node, "size", 0));
  constexpr int64_t kMaxSize = int64_t{1} << 31;  // far below overflow when added to a channel
  if (size < 1 || size > kMaxSize) return InvalidArgument("size: got {}, want 1..{}", size, kMaxSize);
  return std::make_unique<LrnOperator>(request.shape(0),
                                       LrnOperator::Constants{.factor = alpha / static_cast<float>(size),
                                                              .beta = beta,
                                                              .bias = bias,
                                                              .before = (size - 1) / 2,
                                                              .after = size / 2});
}

}  // namespace bitplan::ops
