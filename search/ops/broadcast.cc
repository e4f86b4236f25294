#include "search/ops/broadcast.h"

#include <algorithm>

#include "search/base/status.h"

namespace bitplan::ops {
namespace {

// Size of dimension `d` of `out` in `shape`, aligned at the end.
int64_t AlignedSize(const Shape& shape, size_t d, size_t out_rank) {
  const size_t missing = out_rank - shape.size();
  return d < missing ? 1 : shape[d - missing];
}

// Row-major strides of `shape` along the dimensions of `out`; 0 where it is broadcast.
std::vector<int64_t> AlignedStrides(const Shape& out, const Shape& shape) {
  std::vector<int64_t> strides(out.size(), 0);
  int64_t stride = 1;
  for (size_t d = out.size(); d-- > 0;) {
    const int64_t size = AlignedSize(shape, d, out.size());
    strides[d] = size == 1 ? 0 : stride;
    stride *= size;
  }
  return strides;
}

}  // namespace

absl::StatusOr<Shape> BroadcastShape(const Shape& a, const Shape& b) {
  Shape out(std::max(a.size(), b.size()));
  for (size_t d = 0; d < out.size(); ++d) {
    const int64_t size_a = AlignedSize(a, d, out.size());
    const int64_t size_b = AlignedSize(b, d, out.size());
    if (size_a != size_b && size_a != 1 && size_b != 1) {
      return InvalidArgument("shapes {} and {} do not broadcast", ToString(a), ToString(b));
    }
    out[d] = size_a == 1 ? size_b : size_a;
  }
  return out;
}

BroadcastPlan::BroadcastPlan(const Shape& out, const Shape& a, const Shape& b) : num_elements_(NumElements(out)) {
  const std::vector<int64_t> a_strides = AlignedStrides(out, a);
  const std::vector<int64_t> b_strides = AlignedStrides(out, b);
  for (size_t d = 0; d < out.size(); ++d) {
    if (out[d] == 1) continue;
    const Dimension next{.size = out[d], .a_stride = a_strides[d], .b_stride = b_strides[d]};
    Dimension* last = dimensions_.empty() ? nullptr : &dimensions_.back();
    if (last != nullptr && last->a_stride == next.a_stride * next.size && last->b_stride == next.b_stride * next.size) {
      *last = Dimension{.size = last->size * next.size, .a_stride = next.a_stride, .b_stride = next.b_stride};
    } else {
      dimensions_.push_back(next);
    }
  }
  if (dimensions_.empty()) dimensions_.emplace_back();
}

}  // namespace bitplan::ops
