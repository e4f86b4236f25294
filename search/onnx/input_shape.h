#ifndef BITPLAN_SEARCH_ONNX_INPUT_SHAPE_H_
#define BITPLAN_SEARCH_ONNX_INPUT_SHAPE_H_

#include "absl/status/statusor.h"
#include "search/onnx/parse_limits.h"
#include "search/tensor/tensor.h"

namespace bitplan::onnx_wire {
class ValueInfoProto;
}  // namespace bitplan::onnx_wire

namespace bitplan::onnx {

// The shape of a graph input; a first dimension without a fixed size is kDynamic.
//
// Errors (without the input's name): kInvalidArgument: a scalar, a size below 1, over a limit; kUnimplemented: no dense
// float tensor, no shape, another dimension that is not fixed.
absl::StatusOr<Shape> ReadInputShape(const onnx_wire::ValueInfoProto& input, const ParseLimits& limits);

}  // namespace bitplan::onnx

#endif  // BITPLAN_SEARCH_ONNX_INPUT_SHAPE_H_
