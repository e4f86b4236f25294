#ifndef BITPLAN_SEARCH_OPS_STRIDED_COPY_H_
#define BITPLAN_SEARCH_OPS_STRIDED_COPY_H_

#include <cstdint>
#include <vector>

#include "search/tensor/tensor.h"

namespace bitplan::ops {

inline std::vector<int64_t> RowMajorStrides(const Shape& shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t d = shape.size(); d-- > 1;) strides[d - 1] = strides[d] * shape[d];
  return strides;
}

// A box of elements that x and y share: entry (i_0, ..) is element x_offset + sum_d i_d x_strides[d] of x and likewise
// of y. Transpose, Pad and Concat are such boxes.
struct StridedRegion {
  Shape sizes;  // all at least 1, else the region is empty
  std::vector<int64_t> x_strides;
  std::vector<int64_t> y_strides;
  int64_t x_offset = 0;
  int64_t y_offset = 0;

  // Calls fn(x index, y index) for every element, row-major.
  template <typename Fn>
  void ForEach(Fn fn) const {
    const int64_t rank = static_cast<int64_t>(sizes.size());
    if (rank == 0) return fn(x_offset, y_offset);
    for (const int64_t size : sizes) {
      if (size < 1) return;
    }
    const int64_t last = rank - 1;
    std::vector<int64_t> index(rank, 0);
    int64_t x = x_offset;
    int64_t y = y_offset;
    while (true) {
      for (int64_t i = 0; i < sizes[last]; ++i) fn(x + i * x_strides[last], y + i * y_strides[last]);
      int64_t d = last - 1;
      for (; d >= 0; --d) {
        x += x_strides[d];
        y += y_strides[d];
        if (++index[d] < sizes[d]) break;
        x -= x_strides[d] * index[d];
        y -= y_strides[d] * index[d];
        index[d] = 0;
      }
      if (d < 0) return;
    }
  }
};

}  // namespace bitplan::ops

#endif  // BITPLAN_SEARCH_OPS_STRIDED_COPY_H_
