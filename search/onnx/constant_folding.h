#ifndef BITPLAN_SEARCH_ONNX_CONSTANT_FOLDING_H_
#define BITPLAN_SEARCH_ONNX_CONSTANT_FOLDING_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "search/onnx/constant.h"

namespace bitplan::onnx {

// A node all of whose inputs are constants.
struct FoldRequest {
  const Node& node;
  int64_t opset_version = 13;
  std::vector<const ConstantRef*> inputs;  // null: optional input that is not given
  int64_t max_elements = 0;                // of the result
};

// Whether Fold knows the operator: Identity; Reshape, Flatten, Squeeze, Unsqueeze, Transpose, Slice, Gather, Concat for
// float and integer tensors, Expand; Cast; ConstantOfShape; on integers Range, Add, Sub, Mul, Div, Mod, Neg, Min and
// Max of two, comparisons, And, Or, Not, Where. That is the shape arithmetic which exporters write, and every change of
// layout that they put between a weight and its use.
bool CanFold(std::string_view op_type);

// The output of the node, computed.
//
// Errors: kInvalidArgument: inputs that do not fit, overflow, division by 0, more than max_elements;
//         kUnimplemented: floating-point arithmetic (the operator table computes that) and mixed types.
absl::StatusOr<Constant> Fold(const FoldRequest& request);

}  // namespace bitplan::onnx

#endif  // BITPLAN_SEARCH_ONNX_CONSTANT_FOLDING_H_
