#ifndef BITPLAN_SEARCH_OPS_LANES_H_
#define BITPLAN_SEARCH_OPS_LANES_H_

#include <cstdint>

#include "search/tensor/tensor.h"

namespace bitplan::ops {

// The lines of a tensor along one axis: `outer` blocks of `size` rows of `inner` entries.
struct AxisLanes {
  int64_t outer = 1;
  int64_t size = 1;
  int64_t inner = 1;

  AxisLanes(const Shape& shape, int64_t axis)
      : outer(NumElements(Shape(shape.begin(), shape.begin() + axis))),
        size(shape[axis]),
        inner(NumElements(Shape(shape.begin() + axis + 1, shape.end()))) {}

  // Calls fn(lane, first): entries of the lane are first, first + inner, ..; lanes are numbered from 0.
  template <typename Fn>
  void ForEach(Fn fn) const {
    for (int64_t o = 0; o < outer; ++o) {
      for (int64_t i = 0; i < inner; ++i) fn(o * inner + i, o * size * inner + i);
    }
  }
};

}  // namespace bitplan::ops

#endif  // BITPLAN_SEARCH_OPS_LANES_H_
