#ifndef BITPLAN_SEARCH_OPS_BROADCAST_H_
#define BITPLAN_SEARCH_OPS_BROADCAST_H_

#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "search/ops/lane_sums.h"
#include "search/tensor/tensor.h"

namespace bitplan::ops {

// The numpy broadcast of two shapes: aligned at the last dimension, sizes equal or one of them 1. kInvalidArgument
// names both.
absl::StatusOr<Shape> BroadcastShape(const Shape& a, const Shape& b);

// Pairs every element of an output with the elements of two operands that broadcast to it.
class BroadcastPlan {
 public:
  // `a` and `b` must broadcast to `out`.
  BroadcastPlan(const Shape& out, const Shape& a, const Shape& b);

  // Calls run(out_offset, a_offset, b_offset, count, a_step, b_step) for runs that cover the output in order; the steps
  // are std::integral_constant 0 or 1, so that the compiler sees the four kinds of inner loop apart.
  template <typename Run>
  void ForEachRun(Run run) const {
    const Dimension& inner = dimensions_.back();
    if (inner.a_stride != 0 && inner.b_stride != 0) return Walk(run, Step<1>(), Step<1>());
    if (inner.a_stride != 0) return Walk(run, Step<1>(), Step<0>());
    if (inner.b_stride != 0) return Walk(run, Step<0>(), Step<1>());
    Walk(run, Step<0>(), Step<0>());
  }

 private:
  template <int64_t kStep>
  using Step = std::integral_constant<int64_t, kStep>;

  // Neighbours that both operands walk through alike are merged, so few dimensions are left. Strides of the innermost
  // one are 0 or 1.
  struct Dimension {
    int64_t size = 1;
    int64_t a_stride = 0;
    int64_t b_stride = 0;
  };

  template <typename Run, typename StepA, typename StepB>
  void Walk(Run run, StepA a_step, StepB b_step) const {
    const int64_t count = dimensions_.back().size;
    const size_t num_outer = dimensions_.size() - 1;
    std::vector<int64_t> index(num_outer, 0);
    int64_t a = 0;
    int64_t b = 0;
    for (int64_t out = 0; out < num_elements_; out += count) {
      run(out, a, b, count, a_step, b_step);
      for (size_t d = num_outer; d-- > 0;) {
        a += dimensions_[d].a_stride;
        b += dimensions_[d].b_stride;
        if (++index[d] < dimensions_[d].size) break;
        a -= dimensions_[d].a_stride * index[d];
        b -= dimensions_[d].b_stride * index[d];
        index[d] = 0;
      }
    }
  }

  int64_t num_elements_ = 1;
  std::vector<Dimension> dimensions_;  // outermost first, at least one
};

// out[i] = value(i, a, b) for every output element i and its operand elements a and b.
template <typename Fn>
void MapBroadcast(const BroadcastPlan& plan, std::span<float> out, Fn value) {
  float* result = out.data();
  plan.ForEachRun([&](int64_t o, int64_t a, int64_t b, int64_t count, auto a_step, auto b_step) {
    for (int64_t i = 0; i < count; ++i) result[o + i] = value(o + i, a + i * a_step, b + i * b_step);
  });
}

// The transpose for operand a: out[a] = sum of value(i, a, b) over all output elements i that a was broadcast to.
// Sums are double. `num_output` is the number of output elements.
template <typename Fn>
void SumToA(const BroadcastPlan& plan, int64_t num_output, std::span<float> out, Fn value) {
  float* result = out.data();
  if (static_cast<int64_t>(out.size()) == num_output) {
    plan.ForEachRun([&](int64_t o, int64_t a, int64_t b, int64_t count, auto a_step, auto b_step) {
      for (int64_t i = 0; i < count; ++i) result[a + i * a_step] = value(o + i, a + i * a_step, b + i * b_step);
    });
    return;
  }
  std::vector<double> sums(out.size(), 0.0);
  plan.ForEachRun([&](int64_t o, int64_t a, int64_t b, int64_t count, auto a_step, auto b_step) {
    const auto term = [&](int64_t i) { return value(o + i, a + i * a_step, b + i * b_step); };
    if constexpr (decltype(a_step)::value == 0) {
      sums[a] += LaneSum(count, term);
    } else {
      for (int64_t i = 0; i < count; ++i) sums[a + i] += term(i);
    }
  });
  for (size_t i = 0; i < sums.size(); ++i) result[i] = static_cast<float>(sums[i]);
}

// The same for operand b.
template <typename Fn>
void SumToB(const BroadcastPlan& plan, int64_t num_output, std::span<float> out, Fn value) {
  float* result = out.data();
  if (static_cast<int64_t>(out.size()) == num_output) {
    plan.ForEachRun([&](int64_t o, int64_t a, int64_t b, int64_t count, auto a_step, auto b_step) {
      for (int64_t i = 0; i < count; ++i) result[b + i * b_step] = value(o + i, a + i * a_step, b + i * b_step);
    });
    return;
  }
  std::vector<double> sums(out.size(), 0.0);
  plan.ForEachRun([&](int64_t o, int64_t a, int64_t b, int64_t count, auto a_step, auto b_step) {
    const auto term = [&](int64_t i) { return value(o + i, a + i * a_step, b + i * b_step); };
    if constexpr (decltype(b_step)::value == 0) {
      sums[b] += LaneSum(count, term);
    } else {
      for (int64_t i = 0; i < count; ++i) sums[b + i] += term(i);
    }
  });
  for (size_t i = 0; i < sums.size(); ++i) result[i] = static_cast<float>(sums[i]);
}

}  // namespace bitplan::ops

#endif  // BITPLAN_SEARCH_OPS_BROADCAST_H_
