#include "search/onnx/tensor_decode.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "search/base/status.h"
#include "search/onnx/onnx_wire.pb.h"
#include "search/tensor/half.h"

namespace bitplan::onnx {
namespace {

static_assert(std::endian::native == std::endian::little, "raw_data is copied as it is");

using onnx_wire::TensorProto;

absl::Status CountMismatch(int64_t got, int64_t want, std::string_view unit) {
  return InvalidArgument("{} {} of data, want {} for its shape", got, unit, want);
}

template <typename Stored>
absl::StatusOr<std::vector<Stored>> ReadRaw(const std::string& raw, int64_t count) {
  const auto want = count * static_cast<int64_t>(sizeof(Stored));
  if (static_cast<int64_t>(raw.size()) != want) return CountMismatch(raw.size(), want, "bytes");
  std::vector<Stored> out(count);
  if (count > 0) std::memcpy(out.data(), raw.data(), raw.size());
  return out;
}

// The stored elements as numbers of type Stored, from raw bytes or from the typed field. Nothing is allocated before it
// is known that the data is there.
template <typename Stored, typename Field>
absl::StatusOr<std::vector<Stored>> ReadElements(const TensorProto& tensor, const Field& field, int64_t count) {
  if (tensor.has_raw_data()) return ReadRaw<Stored>(tensor.raw_data(), count);
  if (field.size() != count) return CountMismatch(field.size(), count, "elements");
  std::vector<Stored> out(count);
  for (int64_t i = 0; i < count; ++i) {
    const auto value = field.Get(static_cast<int>(i));
    if constexpr (std::is_integral_v<Stored>) {
      if (!std::in_range<Stored>(value)) return InvalidArgument("element {}: {} is outside its type", i, value);
    }
    out[i] = static_cast<Stored>(value);
  }
  return out;
}

template <typename Stored, typename Field, typename Convert>
absl::StatusOr<Constant> ReadFloats(const TensorProto& tensor, const Field& field, Shape shape, Convert convert) {
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<Stored> stored, ReadElements<Stored>(tensor, field, NumElements(shape)));
  Tensor out{.shape = std::move(shape), .data = FloatVector(stored.size())};
  std::ranges::transform(stored, out.data.begin(), convert);
  BITPLAN_RETURN_IF_ERROR(CheckNoNan(out));
  return out;
}

template <typename Stored, typename Field>
absl::StatusOr<Constant> ReadInts(const TensorProto& tensor, const Field& field, Shape shape) {
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<Stored> stored, ReadElements<Stored>(tensor, field, NumElements(shape)));
  const auto bad = std::ranges::find_if_not(stored, [](Stored value) { return std::in_range<int64_t>(value); });
  if (bad != stored.end()) return InvalidArgument("element {}: {} is beyond int64", bad - stored.begin(), *bad);
  return IntTensor{.shape = std::move(shape), .data = {stored.begin(), stored.end()}};
}

absl::StatusOr<Constant> ReadBools(const TensorProto& tensor, Shape shape) {
  BITPLAN_ASSIGN_OR_RETURN(Constant constant, ReadInts<uint8_t>(tensor, tensor.int32_data(), std::move(shape)));
  for (int64_t& value : std::get<IntTensor>(constant).data) value = value != 0 ? 1 : 0;
  return constant;
}

absl::StatusOr<Constant> ReadByType(const TensorProto& tensor, Shape shape) {
  const auto cast = [](auto value) { return static_cast<float>(value); };
  switch (tensor.data_type()) {
    case kTypeFloat:
      return ReadFloats<float>(tensor, tensor.float_data(), std::move(shape), cast);
    case kTypeDouble:
      return ReadFloats<double>(tensor, tensor.double_data(), std::move(shape), cast);
    case kTypeFloat16:
      return ReadFloats<uint16_t>(tensor, tensor.int32_data(), std::move(shape), &HalfToFloat);
    case kTypeBFloat16:
      return ReadFloats<uint16_t>(tensor, tensor.int32_data(), std::move(shape), &BFloat16ToFloat);
    case kTypeInt64:
      return ReadInts<int64_t>(tensor, tensor.int64_data(), std::move(shape));
    case kTypeInt32:
      return ReadInts<int32_t>(tensor, tensor.int32_data(), std::move(shape));
    case kTypeInt16:
      return ReadInts<int16_t>(tensor, tensor.int32_data(), std::move(shape));
    case kTypeInt8:
      return ReadInts<int8_t>(tensor, tensor.int32_data(), std::move(shape));
    case kTypeUint8:
      return ReadInts<uint8_t>(tensor, tensor.int32_data(), std::move(shape));
    case kTypeUint16:
      return ReadInts<uint16_t>(tensor, tensor.int32_data(), std::move(shape));
    case kTypeUint32:
      return ReadInts<uint32_t>(tensor, tensor.uint64_data(), std::move(shape));
    case kTypeUint64:
      return ReadInts<uint64_t>(tensor, tensor.uint64_data(), std::move(shape));
    case kTypeBool:
      return ReadBools(tensor, std::move(shape));
    default:
      return Unimplemented("tensors of {} are not supported", TypeName(tensor.data_type()));
  }
}

// An empty vector is a legal shape (that of a scalar), or says that an optional input is not given (the regions of a
// Resize); no other empty tensor has a meaning here.
bool MayBeEmpty(const TensorProto& tensor) { return tensor.dims_size() == 1; }

absl::StatusOr<Shape> ReadShape(const TensorProto& tensor, const ParseLimits& limits) {
  if (tensor.dims_size() > limits.max_rank) {
    return InvalidArgument("{} dimensions, want at most {}", tensor.dims_size(), limits.max_rank);
  }
  Shape shape(tensor.dims().begin(), tensor.dims().end());
  const int64_t smallest = MayBeEmpty(tensor) ? 0 : 1;
  if (std::ranges::any_of(shape, [smallest](int64_t size) { return size < smallest; })) {
    return InvalidArgument("shape {}: sizes must be at least {}", ToString(shape), smallest);
  }
  if (CheckedNumElements(shape, limits.max_tensor_elements) < 0) {
    return InvalidArgument("shape {}: more than {} elements", ToString(shape), limits.max_tensor_elements);
  }
  return shape;
}

absl::Status CheckEncoding(const TensorProto& tensor) {
  const int typed = (tensor.float_data_size() > 0) + (tensor.int32_data_size() > 0) + (tensor.int64_data_size() > 0) +
                    (tensor.double_data_size() > 0) + (tensor.uint64_data_size() > 0);
  if (tensor.data_location() != 0) {
    return Unimplemented("external data: the weights are in another file; save the model as one file");
  }
  if (tensor.has_segment()) return Unimplemented("segmented tensors are not supported");
  if (typed + (tensor.has_raw_data() ? 1 : 0) > 1) return InvalidArgument("data in more than one encoding");
  return absl::OkStatus();
}

}  // namespace

std::string TypeName(int data_type) {
  constexpr auto kNames = std::to_array<std::string_view>(
      {"undefined",      "float",      "uint8",          "int8",       "uint16",   "int16",
       "int32",          "int64",      "string",         "bool",       "float16",  "double",
       "uint32",         "uint64",     "complex64",      "complex128", "bfloat16", "float8e4m3fn",
       "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "uint4",      "int4"});
  const bool known = data_type >= 0 && data_type < static_cast<int>(kNames.size());
  return known ? std::string(kNames[data_type]) : fmt::format("type {}", data_type);
}

bool IsFloatType(int data_type) {
  return data_type == kTypeFloat || data_type == kTypeDouble || data_type == kTypeFloat16 || data_type == kTypeBFloat16;
}

absl::Status CheckNoNan(const Tensor& tensor) {
  const auto bad = std::ranges::find_if(tensor.data, [](float value) { return std::isnan(value); });
  if (bad == tensor.data.end()) return absl::OkStatus();
  return InvalidArgument("element {} is nan, want numbers", bad - tensor.data.begin());
}

absl::Status CheckFinite(const Tensor& tensor) {
  const auto bad = std::ranges::find_if_not(tensor.data, [](float value) { return std::isfinite(value); });
  if (bad == tensor.data.end()) return absl::OkStatus();
  return InvalidArgument("element {} is {}, want finite numbers", bad - tensor.data.begin(), *bad);
}

absl::StatusOr<Constant> DecodeTensor(const TensorProto& tensor, const ParseLimits& limits) {
  BITPLAN_RETURN_IF_ERROR(CheckEncoding(tensor));
  BITPLAN_ASSIGN_OR_RETURN(Shape shape, ReadShape(tensor, limits));
  return ReadByType(tensor, std::move(shape));
}

}  // namespace bitplan::onnx
