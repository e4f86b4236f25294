#include "search/onnx/input_shape.h"

#include <algorithm>

#include "search/base/status.h"
#include "search/base/text.h"
#include "search/graph/graph.h"
#include "search/onnx/onnx_wire.pb.h"
#include "search/onnx/tensor_decode.h"

namespace bitplan::onnx {
namespace {

using onnx_wire::TypeProto;

absl::StatusOr<Shape> ReadDims(const onnx_wire::TensorShapeProto& proto) {
  Shape shape;
  for (const auto& dim : proto.dim()) {
    if (!dim.has_dim_value() && !shape.empty()) {
      return Unimplemented("inputs whose dimension {} ('{}') is not fixed; only the first may be", shape.size(),
                           Printable(dim.dim_param()));
    }
    shape.push_back(dim.has_dim_value() ? dim.dim_value() : kDynamic);
  }
  return shape;
}

absl::Status CheckSizes(const Shape& shape, bool first_is_free, const ParseLimits& limits) {
  Shape fixed = shape;
  if (first_is_free) fixed[0] = 1;
  if (std::ranges::any_of(fixed, [](int64_t size) { return size < 1; })) {
    return InvalidArgument("shape {}: sizes must be at least 1", ToString(shape));
  }
  if (CheckedNumElements(fixed, limits.max_activation_elements) < 0) {
    return InvalidArgument("shape {}: more than {} elements", ToString(shape), limits.max_activation_elements);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Shape> ReadInputShape(const onnx_wire::ValueInfoProto& input, const ParseLimits& limits) {
  if (!input.type().has_tensor_type()) return Unimplemented("inputs that are not dense tensors");
  const TypeProto::Tensor& type = input.type().tensor_type();
  if (!IsFloatType(type.elem_type())) return Unimplemented("inputs of {}, want float", TypeName(type.elem_type()));
  if (!type.has_shape()) return Unimplemented("inputs without a shape");
  const auto& dims = type.shape().dim();
  if (dims.empty()) return InvalidArgument("a scalar, want a first dimension of samples");
  if (dims.size() > limits.max_rank) {
    return InvalidArgument("{} dimensions, want at most {}", dims.size(), limits.max_rank);
  }
  BITPLAN_ASSIGN_OR_RETURN(Shape shape, ReadDims(type.shape()));
  BITPLAN_RETURN_IF_ERROR(CheckSizes(shape, !dims[0].has_dim_value(), limits));
  return shape;
}

}  // namespace bitplan::onnx
