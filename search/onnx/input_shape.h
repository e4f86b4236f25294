#ifndef BITPLAN_SEARCH_ONNX_INPUT_SHAPE_H_
#define BITPLAN_SEARCH_ONNX_INPUT_SHAPE_H_

#include "absl/status/statusor.h"
#include "search/onnx/constant.h"
#include "search/onnx/parse_limits.h"
#include "search/tensor/tensor.h"

namespace bitplan::onnx_wire {
class ValueInfoProto;
}  // namespace bitplan::onnx_wire

namespace bitplan::onnx {

struct InputType {
  Shape shape;  // a first dimension without a fixed size is kDynamic
  bool integer = false;
};

// Shape and type of a graph input. `wanted` (may be null) fills in what the model leaves open, then
// `data`, where it has as many sizes.
//
// Errors (without the input's name): kInvalidArgument: a scalar, a size below 1, over a limit, a wanted shape that
// contradicts the model's; kUnimplemented: no dense tensor of floats, integers or booleans; no shape, or another
// dimension than the first open, and nothing wanted.
absl::StatusOr<InputType> ReadInputType(const onnx_wire::ValueInfoProto& input, const Shape* wanted, const Shape& data,
                                        const ParseLimits& limits);

// The value that an input gets for good, as the model's type: floats, or integers (whole floats become them).
// `from_data`: it is the data's array of the input's name that does not have one entry a sample.
//
// Errors (without the input's name): kInvalidArgument: other sizes than the model fixes, a number that is not whole for
// an input of integers, from_data for an input whose first dimension counts samples; kUnimplemented: as ReadInputType.
absl::StatusOr<Constant> FitConstant(const onnx_wire::ValueInfoProto& input, const Constant& given, bool from_data);

}  // namespace bitplan::onnx

#endif  // BITPLAN_SEARCH_ONNX_INPUT_SHAPE_H_
