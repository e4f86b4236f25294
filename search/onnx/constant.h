#ifndef BITPLAN_SEARCH_ONNX_CONSTANT_H_
#define BITPLAN_SEARCH_ONNX_CONSTANT_H_

#include <variant>

#include "search/graph/graph.h"

namespace bitplan::onnx {

// A tensor known at import: float, or integer (bool is 0 and 1).
using Constant = std::variant<Tensor, IntTensor>;

// Reads a constant that somebody else owns; exactly one pointer is set.
struct ConstantRef {
  const Tensor* floats = nullptr;
  const IntTensor* ints = nullptr;

  ConstantRef(const Tensor& tensor) : floats(&tensor) {}   // NOLINT(google-explicit-constructor)
  ConstantRef(const IntTensor& tensor) : ints(&tensor) {}  // NOLINT(google-explicit-constructor)

  const Shape& shape() const { return floats != nullptr ? floats->shape : ints->shape; }
};

}  // namespace bitplan::onnx

#endif  // BITPLAN_SEARCH_ONNX_CONSTANT_H_
