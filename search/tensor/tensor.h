#ifndef BITPLAN_SEARCH_TENSOR_TENSOR_H_
#define BITPLAN_SEARCH_TENSOR_TENSOR_H_

#include <Eigen/Core>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace bitplan {

// Sizes of a tensor, outermost first; row-major storage. A scalar has no dimension and one element.
using Shape = std::vector<int64_t>;

// Product of the sizes; 1 for a scalar. Sizes must be checked before (see CheckedNumElements).
int64_t NumElements(const Shape& shape);

// Product of the sizes, or -1 if a size is negative or the product exceeds `limit`. Use it for shapes from outside.
int64_t CheckedNumElements(const Shape& shape, int64_t limit);

// "[2, 3, 4]"; "[]" for a scalar.
std::string ToString(const Shape& shape);

// Elements are aligned for the widest vector registers and never value-initialised twice.
using FloatVector = std::vector<float, Eigen::aligned_allocator<float>>;

// Owned dense float tensor, row-major. data.size() == NumElements(shape).
struct Tensor {
  Shape shape;
  FloatVector data;

  static Tensor Zeros(Shape shape);
};

// Reads of a tensor somebody else owns; must not outlive it.
struct TensorView {
  std::span<const float> data;
  const Shape* shape = nullptr;

  TensorView() = default;
  TensorView(std::span<const float> data, const Shape& shape) : data(data), shape(&shape) {}
  TensorView(const Tensor& tensor) : data(tensor.data), shape(&tensor.shape) {}  // NOLINT(google-explicit-constructor)
};

}  // namespace bitplan

#endif  // BITPLAN_SEARCH_TENSOR_TENSOR_H_
