#include "search/onnx/input_shape.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "search/base/status.h"
#include "search/base/text.h"
#include "search/graph/graph.h"
#include "search/onnx/onnx_wire.pb.h"
#include "search/onnx/tensor_decode.h"

namespace bitplan::onnx {
namespace {

using onnx_wire::TypeProto;

constexpr float kLargestExactInteger = 1 << 24;  // float skips integers beyond

// The model's sizes; kDynamic where it fixes none.
Shape ReadDims(const onnx_wire::TensorShapeProto& proto) {
  Shape shape;
  for (const auto& dim : proto.dim()) shape.push_back(dim.has_dim_value() ? dim.dim_value() : kDynamic);
  return shape;
}

// The wanted sizes in place of those that the model leaves open.
absl::StatusOr<Shape> Fill(Shape shape, const Shape& wanted) {
  bool fits = shape.size() == wanted.size();
  for (size_t i = 0; fits && i < shape.size(); ++i) {
    fits = shape[i] == kDynamic || wanted[i] == kDynamic || shape[i] == wanted[i];
  }
  if (!fits) return InvalidArgument("shape: got {}, but the model says {}", ToString(wanted), ToString(shape));
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == kDynamic) shape[i] = wanted[i];
  }
  return shape;
}

absl::Status CheckFixed(const Shape& shape, const onnx_wire::TensorShapeProto& proto) {
  for (int i = 1; i < static_cast<int>(shape.size()); ++i) {
    if (shape[i] != kDynamic) continue;
    const std::string name = i < proto.dim_size() ? Printable(proto.dim(i).dim_param()) : "";
    return Unimplemented("inputs whose dimension {} ('{}') is not fixed, by the model or by the data that is fed", i,
                         name);
  }
  return absl::OkStatus();
}

bool IsIntegerType(int type) { return (type >= kTypeUint8 && type <= kTypeInt64) || type == kTypeUint32; }

absl::Status CheckType(int type) {
  if (IsIntegerType(type) || type == kTypeBool || IsFloatType(type)) return absl::OkStatus();
  return Unimplemented("inputs of {}, want float, integer or bool", TypeName(type));
}

// Whole numbers that a float holds exactly.
absl::StatusOr<IntTensor> ToInts(const Tensor& floats) {
  IntTensor ints{.shape = floats.shape};
  for (const float value : floats.data) {
    if (std::trunc(value) != value || std::abs(value) > kLargestExactInteger) {
      return InvalidArgument("got {}, want integers", value);
    }
    ints.data.push_back(static_cast<int64_t>(value));
  }
  return ints;
}

absl::Status CheckConstantShape(const TypeProto::Tensor& type, const Shape& got, bool from_data) {
  if (!type.has_shape()) return absl::OkStatus();
  const Shape want = ReadDims(type.shape());
  bool fits = got.size() == want.size();
  for (size_t i = 0; fits && i < got.size(); ++i) fits = want[i] == kDynamic || want[i] == got[i];
  const bool counts_samples = from_data && !want.empty() && want[0] == kDynamic;
  if (fits && !counts_samples) return absl::OkStatus();
  if (!from_data) return InvalidArgument("constant of shape {}, but the model says {}", ToString(got), ToString(want));
  return InvalidArgument("the data has an array of shape {}, which is not one entry for each sample; the model says {}",
                         ToString(got), ToString(want));
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

absl::StatusOr<InputType> ReadInputType(const onnx_wire::ValueInfoProto& input, const Shape* wanted, const Shape& data,
                                        const ParseLimits& limits) {
  if (!input.type().has_tensor_type()) return Unimplemented("inputs that are not dense tensors");
  const TypeProto::Tensor& type = input.type().tensor_type();
  const bool integer = IsIntegerType(type.elem_type());
  BITPLAN_RETURN_IF_ERROR(CheckType(type.elem_type()));
  if (!type.has_shape() && wanted == nullptr) return Unimplemented("inputs without a shape");
  Shape shape = type.has_shape() ? ReadDims(type.shape()) : *wanted;
  if (shape.empty()) {
    return InvalidArgument(
        "a scalar, want a first dimension of samples, or its value in the data (an array of shape [] and this name)");
  }
  if (static_cast<int64_t>(shape.size()) > limits.max_rank) {
    return InvalidArgument("{} dimensions, want at most {}", shape.size(), limits.max_rank);
  }
  if (wanted != nullptr) {
    BITPLAN_ASSIGN_OR_RETURN(shape, Fill(std::move(shape), *wanted));
  }
  for (size_t i = 0; data.size() == shape.size() && i < shape.size(); ++i) {
    if (shape[i] == kDynamic) shape[i] = data[i];
  }
  BITPLAN_RETURN_IF_ERROR(CheckFixed(shape, type.shape()));
  BITPLAN_RETURN_IF_ERROR(CheckSizes(shape, shape[0] == kDynamic, limits));
  return InputType{.shape = std::move(shape), .integer = integer};
}

absl::StatusOr<Constant> FitConstant(const onnx_wire::ValueInfoProto& input, const Constant& given, bool from_data) {
  if (!input.type().has_tensor_type()) return Unimplemented("inputs that are not dense tensors");
  const TypeProto::Tensor& type = input.type().tensor_type();
  BITPLAN_RETURN_IF_ERROR(CheckType(type.elem_type()));
  const Shape& shape = std::visit([](const auto& tensor) -> const Shape& { return tensor.shape; }, given);
  BITPLAN_RETURN_IF_ERROR(CheckConstantShape(type, shape, from_data));
  const auto* floats = std::get_if<Tensor>(&given);
  if (IsFloatType(type.elem_type())) {
    if (floats != nullptr) return given;
    const IntTensor& ints = std::get<IntTensor>(given);
    return Tensor{.shape = ints.shape, .data = FloatVector(ints.data.begin(), ints.data.end())};
  }
  if (floats == nullptr) return given;
  BITPLAN_ASSIGN_OR_RETURN(IntTensor ints, ToInts(*floats));
  return ints;
}

}  // namespace bitplan::onnx
