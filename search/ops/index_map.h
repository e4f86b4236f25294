#ifndef BITPLAN_SEARCH_OPS_INDEX_MAP_H_
#define BITPLAN_SEARCH_OPS_INDEX_MAP_H_

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "search/ops/operator.h"

namespace bitplan::ops {

// The offsets in x that the indices of one dimension of y add: first, first + step, .. or those of a list. Progressions
// take no memory, however long they are.
struct AxisOffsets {
  int64_t size = 1;
  int64_t first = 0;
  int64_t step = 0;
  std::vector<int64_t> list;  // of `size` entries; empty: the progression

  explicit AxisOffsets(std::vector<int64_t> offsets)
      : size(static_cast<int64_t>(offsets.size())), list(std::move(offsets)) {}
  AxisOffsets(int64_t size, int64_t step, int64_t first = 0) : size(size), first(first), step(step) {}

  int64_t at(int64_t i) const { return list.empty() ? first + i * step : list[i]; }
};

// By dimension of y.
using Offsets = std::vector<AxisOffsets>;

// Every element of x in its place.
Offsets WholeTensor(const Shape& x);

// Rearranges, repeats and leaves out elements:  y[i_0, i_1, ..] = x[offsets[0].at(i_0) + offsets[1].at(i_1) + ..].
// Slice, Gather, Tile, Expand and the like are such maps. Runs of neighbours are copied at once.
class IndexMap {
 public:
  explicit IndexMap(const Offsets& offsets);

  // y = A x
  void Apply(std::span<const float> x, std::span<float> y) const;
  // x = A' y: each x_i becomes the sum of the y it was copied to, 0 if there is none. Sums are double.
  void ApplyTransposed(std::span<const float> y, std::span<float> x) const;

 private:
  // Calls fn(x offset, y offset) for every run of `run_` elements, in the order of y.
  template <typename Fn>
  void ForEachRun(Fn fn) const;

  Offsets outer_;  // dimensions that were not merged into runs
  int64_t base_ = 0;
  int64_t run_ = 1;
  bool repeats_ = false;  // whether an x_i may be copied more than once
};

// The operator of an IndexMap with the sizes of `offsets`, or the same elements in another shape.
std::unique_ptr<Operator> MakeIndexMapOperator(Shape out, const Offsets& offsets);
std::unique_ptr<Operator> MakeIndexMapOperator(const Offsets& offsets);

}  // namespace bitplan::ops

#endif  // BITPLAN_SEARCH_OPS_INDEX_MAP_H_
