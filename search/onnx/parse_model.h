#ifndef BITPLAN_SEARCH_ONNX_PARSE_MODEL_H_
#define BITPLAN_SEARCH_ONNX_PARSE_MODEL_H_

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "search/graph/graph.h"
#include "search/onnx/parse_limits.h"
#include "search/onnx/parse_options.h"

namespace bitplan::onnx {

// Operator set versions of the default domain ("" or "ai.onnx") that are read. 9: what the oldest exporters in use
// write; 23: the newest that the operator table was written for (ops::kMaxOpset).
inline constexpr int64_t kMinOpset = 9;
inline constexpr int64_t kMaxOpset = 23;

// Reads an ONNX model from bytes that may come from a stranger: pre-scan, parse, check, fold, lay out.
//
//   values    Weights are float whatever the file holds (float, double, float16, bfloat16); integer and bool tensors
//             become IntTensor. A weight behind Identity nodes is the initializer itself. Constants that are not
//             weights of layers may hold infinities: masks do, and Softmax makes 0 of -inf. NaN is refused everywhere.
//   inputs    Graph inputs that are not initializers: float, or integers and booleans, which are carried as floats
//             (Value::integer). A first dimension that is symbolic or absent is kDynamic; others must be fixed, by the
//             model or by the caller (ParseOptions).
//   nodes     In topological order, stable with respect to the file; what does not lead to an output is dropped. Nodes
//             whose inputs are all constants are evaluated and dropped (constant_folding.h); so is shape arithmetic.
//             If takes the branch that its condition says, which must be known here; Einsum, LSTM, GRU and RNN become
//             simpler nodes (ops/lowering.h).
//   names     Unnamed nodes are called <op_type>_<index in the file>. A name that occurs twice gets a suffix "#2".
//   layers    ops::FindLayers.
//
// Shapes are inferred once from the input to the outputs, so a graph that is returned fits together.
//
// Errors:
//   kInvalidArgument  malformed or over a limit; a name dangling, defined twice or not UTF-8; a cycle (named); no
//                     input, no output, no layer; a weight that is not finite (tensor and index); shapes that do not
//                     fit.
//   kUnimplemented    valid ONNX that is not supported: one message lists every unsupported operator (domain, count,
//                     first node), subgraph, tensor type and encoding, not just the first. Also: opset or IR version.
// Memory: at most three times the file plus 125 MiB while parsing (ParseLimits::max_wire_elements).
absl::StatusOr<Graph> ParseModel(std::string_view bytes, const ParseOptions& options);
absl::StatusOr<Graph> ParseModel(std::string_view bytes, const ParseLimits& limits = {});

}  // namespace bitplan::onnx

#endif  // BITPLAN_SEARCH_ONNX_PARSE_MODEL_H_
