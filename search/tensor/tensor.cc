#include "search/tensor/tensor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

namespace bitplan {

int64_t NumElements(const Shape& shape) {
  int64_t count = 1;
  for (const int64_t size : shape) count *= size;
  return count;
}

int64_t CheckedNumElements(const Shape& shape, int64_t limit) {
  int64_t count = 1;
  for (const int64_t size : shape) {
    if (size < 0 || __builtin_mul_overflow(count, size, &count)) return -1;
  }
  return count <= limit ? count : -1;
}

std::string ToString(const Shape& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

Tensor Tensor::Zeros(Shape shape) {
  const int64_t count = NumElements(shape);
  return Tensor{.shape = std::move(shape), .data = FloatVector(count, 0.0F)};
}

}  // namespace bitplan
