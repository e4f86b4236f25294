#include "search/ops/index_map.h"

#include <algorithm>
#include <utility>

#include "search/ops/strided_copy.h"

namespace bitplan::ops {
namespace {

bool Repeats(const AxisOffsets& axis) {
  if (axis.list.empty()) return axis.step == 0 && axis.size > 1;
  std::vector<int64_t> sorted = axis.list;
  std::ranges::sort(sorted);
  return std::ranges::adjacent_find(sorted) != sorted.end();
}

bool IsProgression(const AxisOffsets& axis, int64_t step) {
  if (axis.list.empty()) return axis.step == step || axis.size == 1;
  for (int64_t i = 1; i < axis.size; ++i) {
    if (axis.list[i] - axis.list[i - 1] != step) return false;
  }
  return true;
}

class IndexMapOperator final : public LinearMap {
 public:
  IndexMapOperator(Shape out, IndexMap map) : LinearMap(std::move(out)), map_(std::move(map)) {}

 private:
  void Apply(std::span<const float> x, std::span<float> y) const override { map_.Apply(x, y); }
  void ApplyTransposed(std::span<const float> y, std::span<float> x) const override { map_.ApplyTransposed(y, x); }

  IndexMap map_;
};

}  // namespace

IndexMap::IndexMap(const Offsets& offsets) : outer_(offsets) {
  repeats_ = std::ranges::any_of(offsets, &Repeats);
  while (!outer_.empty() && IsProgression(outer_.back(), run_)) {
    base_ += outer_.back().at(0);
    run_ *= outer_.back().size;
    outer_.pop_back();
  }
}

template <typename Fn>
void IndexMap::ForEachRun(Fn fn) const {
  if (outer_.empty()) return fn(base_, 0);
  const AxisOffsets& inner = outer_.back();
  const size_t num_outer = outer_.size() - 1;
  std::vector<int64_t> index(num_outer, 0);
  int64_t x = base_;
  for (size_t d = 0; d < num_outer; ++d) x += outer_[d].at(0);
  int64_t y = 0;
  while (true) {
    if (inner.list.empty()) {
      const int64_t start = x + inner.first;
      for (int64_t i = 0; i < inner.size; ++i) fn(start + i * inner.step, y + i * run_);
    } else {
      for (int64_t i = 0; i < inner.size; ++i) fn(x + inner.list[i], y + i * run_);
    }
    y += inner.size * run_;
    size_t d = num_outer;
    while (d > 0) {
      const AxisOffsets& axis = outer_[d - 1];
      x -= axis.at(index[d - 1]);
      index[d - 1] = index[d - 1] + 1 < axis.size ? index[d - 1] + 1 : 0;
      x += axis.at(index[d - 1]);
      if (index[d - 1] != 0) break;
      --d;
    }
    if (d == 0) return;
  }
}

void IndexMap::Apply(std::span<const float> x, std::span<float> y) const {
  const float* from = x.data();
  float* to = y.data();
  if (run_ == 1) {
    ForEachRun([=](int64_t i, int64_t o) { to[o] = from[i]; });
  } else {
    ForEachRun([=, run = run_](int64_t i, int64_t o) { std::copy_n(from + i, run, to + o); });
  }
}

void IndexMap::ApplyTransposed(std::span<const float> y, std::span<float> x) const {
  const float* from = y.data();
  if (!repeats_) {
    std::fill(x.begin(), x.end(), 0.0F);
    float* to = x.data();
    if (run_ == 1) return ForEachRun([=](int64_t i, int64_t o) { to[i] = from[o]; });
    return ForEachRun([=, run = run_](int64_t i, int64_t o) { std::copy_n(from + o, run, to + i); });
  }
  std::vector<double> sums(x.size(), 0.0);
  double* to = sums.data();
  ForEachRun([=, run = run_](int64_t i, int64_t o) {
    for (int64_t k = 0; k < run; ++k) to[i + k] += from[o + k];
  });
  std::ranges::copy(sums, x.begin());
}

std::unique_ptr<Operator> MakeIndexMapOperator(Shape out, const Offsets& offsets) {
  return std::make_unique<IndexMapOperator>(std::move(out), IndexMap(offsets));
}

std::unique_ptr<Operator> MakeIndexMapOperator(const Offsets& offsets) {
  Shape out;
  for (const AxisOffsets& axis : offsets) out.push_back(axis.size);
  return MakeIndexMapOperator(std::move(out), offsets);
}

Offsets WholeTensor(const Shape& x) {
  const std::vector<int64_t> strides = RowMajorStrides(x);
  Offsets offsets;
  for (size_t d = 0; d < x.size(); ++d) offsets.emplace_back(x[d], strides[d]);
  return offsets;
}

}  // namespace bitplan::ops
