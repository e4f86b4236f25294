#ifndef BITPLAN_SEARCH_ONNX_TENSOR_DECODE_H_
#define BITPLAN_SEARCH_ONNX_TENSOR_DECODE_H_

#include "absl/status/statusor.h"
#include "search/onnx/constant.h"
#include "search/onnx/parse_limits.h"

namespace bitplan::onnx_wire {
class TensorProto;
}  // namespace bitplan::onnx_wire

namespace bitplan::onnx {

// Element types of TensorProto.data_type (and of value infos) that the importer tells apart.
inline constexpr int kTypeFloat = 1;
inline constexpr int kTypeUint8 = 2;
inline constexpr int kTypeInt8 = 3;
inline constexpr int kTypeUint16 = 4;
inline constexpr int kTypeInt16 = 5;
inline constexpr int kTypeInt32 = 6;
inline constexpr int kTypeInt64 = 7;
inline constexpr int kTypeString = 8;
inline constexpr int kTypeBool = 9;
inline constexpr int kTypeFloat16 = 10;
inline constexpr int kTypeDouble = 11;
inline constexpr int kTypeUint32 = 12;
inline constexpr int kTypeUint64 = 13;
inline constexpr int kTypeBFloat16 = 16;

// "float16"; "type 99" where the importer has no name.
std::string TypeName(int data_type);
// float, double, float16, bfloat16: what becomes a Tensor.
bool IsFloatType(int data_type);

// Decodes a weight or constant from any of the encodings of ONNX: raw bytes (little endian) or typed fields.
//
// Errors (without the tensor's name, which the caller knows): kInvalidArgument: no data, two encodings, another number
// of elements than the shape says, over a limit, a size below 1 (0 is allowed for vectors), a NaN (with its
// index; infinities stand for what a mask hides, weights are checked later), an integer outside its type or int64.
// kUnimplemented: data in another file
// (external_data.h puts it inside), segments, strings, complex and 8-bit float types.
absl::StatusOr<Constant> DecodeTensor(const onnx_wire::TensorProto& tensor, const ParseLimits& limits);

// kInvalidArgument naming index and value of the first element that is NaN; or NaN or infinite.
absl::Status CheckNoNan(const Tensor& tensor);
absl::Status CheckFinite(const Tensor& tensor);

}  // namespace bitplan::onnx

#endif  // BITPLAN_SEARCH_ONNX_TENSOR_DECODE_H_
