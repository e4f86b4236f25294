#ifndef BITPLAN_SEARCH_ONNX_QDQ_WRITER_H_
#define BITPLAN_SEARCH_ONNX_QDQ_WRITER_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "search/graph/graph.h"
#include "search/onnx/parse_limits.h"

namespace bitplan::onnx {

// What the codes of a weight are: integers, or the bytes of an 8-bit float.
enum class CodeKind { kInteger, kFloat8E4M3, kFloat8E5M2 };

// A weight of the network, quantized:  w = scales[g] * (code - zero_points[g]).
struct QdqWeight {
  ValueId weight = kNoValue;   // a constant of the graph
  std::vector<float> values;   // what it stands for, row-major: written where codes have no form in the model's opset
  std::vector<int32_t> codes;  // row-major; empty: only `values` tell
  CodeKind kind = CodeKind::kInteger;
  // One a group; zero points of integers only. Groups: the whole tensor (one scale), the slices along channel_axis (as
  // many scales), or with block_size > 0 so many consecutive weights of each slice in storage order, the last of a
  // slice may be shorter; slice by slice.
  std::vector<float> scales;
  std::vector<int32_t> zero_points;
  int channel_axis = 0;
  int64_t block_size = 0;
};

// A tensor that is computed or fed in, rounded to  scale * (q - zero_point),  q = 0 .. max_code (at most 65535).
struct QdqActivation {
  ValueId value = kNoValue;
  float scale = 1;
  int32_t zero_point = 0;
  int32_t max_code = 255;
};

// All of it must outlive the call; `graph` is what ParseModel makes of `onnx`.
struct QdqRequest {
  std::string_view onnx;
  const Graph& graph;
  std::span<const QdqWeight> weights;
  std::span<const QdqActivation> activations;
  ParseLimits limits = {};
};

// How one tensor was written.
struct QdqStorage {
  std::string type;    // "int4", "uint8", "float8e4m3fn", ..; "float": dequantized; "": the tensor is as it was
  std::string reason;  // why not the narrowest type that the codes fit in (weights), or why not at all; else empty
};

struct QdqModel {
  std::string bytes;
  int64_t opset_version = 0;
  std::vector<QdqStorage> weights;      // as in the request
  std::vector<QdqStorage> activations;  // as in the request
};

// Edits an ONNX model so that its runtime computes with quantized tensors: DequantizeLinear behind quantized
// initializers, QuantizeLinear and DequantizeLinear behind activations. Everything else in the file stays: nodes,
// names, metadata, fields that we do not know.
//
// Weights:      codes, scales and zero points become initializers `<name>_quantized`, `<name>_scale`,
//               `<name>_zero_point`; the nodes that read the weight in `graph` read DequantizeLinear's output instead.
//               What nobody reads any more (the float initializer, a Transpose in front) is dropped. The type is the
//               narrowest of int4, uint4, int8, uint8 that holds the codes, or the 8-bit float. Blocks of 4-bit codes
//               have the attribute block_size, along an axis of the weight or of the matrix [slices, weights of a
//               slice]; blocks of 8-bit codes are rows [blocks, block_size] with a scale each. Reshape and Transpose
//               bring either into the weight's shape.
// Activations:  all readers of the tensor, and the graph's output if it is one, see the dequantized tensor: it keeps
//               the name, what the node computes is called `<name>_float`. uint8, or uint16 above 255. Where max_code
//               is neither 255 nor 65535, a Clip to the values of codes 0 and max_code stands in front, because
//               QuantizeLinear saturates at the ends of its type only.
// Opset:        10 for a scale a tensor, 13 for a scale a channel, blocks of 8-bit codes and Clip, 19 for 8-bit floats,
//               21 for 4-bit codes and uint16. The model is raised (raise_opset.h) as far as needed; where that fails,
//               4-bit codes take 8 bits, what 8 bits cannot hold becomes float weights, and uint16 activations stay as
//               they were, each with a reason. A model is never written that needs an opset it does not have. Blocks of
//               8-bit codes whose last one is shorter become float weights in every opset.
//
// Errors: kInvalidArgument: malformed bytes, as ParseModel; a tensor that does not fit the graph (sizes, axis).
//         kUnimplemented: a model whose weights or inputs are float16, bfloat16 or double. kResourceExhausted: the file
//         would be too large for protobuf (2 GiB).
// Same request, same bytes.
absl::StatusOr<QdqModel> WriteQdq(const QdqRequest& request);

}  // namespace bitplan::onnx

#endif  // BITPLAN_SEARCH_ONNX_QDQ_WRITER_H_
