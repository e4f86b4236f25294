#ifndef BITPLAN_SEARCH_OPS_FIND_DATA_FLOW_H_
#define BITPLAN_SEARCH_OPS_FIND_DATA_FLOW_H_

#include "absl/status/statusor.h"
#include "search/graph/graph.h"
#include "search/layer/data_flow.h"

namespace bitplan::ops {

// What lies in memory when the graph's nodes run one after the other in their order, for one sample.
//
// Tensors:    every value that is fed in or computed; constants are not activations.
// Places:     Reshape, Flatten, Squeeze, Unsqueeze, Identity and Dropout give views of their operand. Elementwise
//             operators (ReLU and other functions of one number, BatchNormalization, Add, Sub, Mul, Div, Sum) write in
//             the place of an operand that has as many elements, is stored with the activation bits of the same layers,
//             is no graph input or output and is not read later.
// Lifetime:   from the node that writes the first tensor of the place to the node that reads the last one.
// Widths:     a tensor has the width of the activation points that come of it first (FindActivationPoints): the layers
//             that own them. What a runtime needs besides (workspace of a convolution) is not counted.
// Boundaries: (A, B) where B reads a point that is computed from what A writes, no layer in between.
// Errors: those of InferShapes.
absl::StatusOr<DataFlow> FindDataFlow(const Graph& graph);

}  // namespace bitplan::ops

#endif  // BITPLAN_SEARCH_OPS_FIND_DATA_FLOW_H_
