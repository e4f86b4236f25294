#ifndef BITPLAN_SEARCH_OPS_FIND_LAYERS_H_
#define BITPLAN_SEARCH_OPS_FIND_LAYERS_H_

#include "absl/status/status.h"
#include "search/graph/graph.h"

namespace bitplan::ops {

// Fills graph.layers and graph.layer_weights: every node whose operator has a weight (Conv and ConvTranspose input 1,
// Gemm input B, MatMul with one constant operand, Gather from a constant table by computed indices) that is a constant
// tensor of rank 2 or more, in execution order. Constants must be folded before: a weight that comes through Identity
// or Constant nodes is no constant here.
//
// A weight read by several nodes is one layer: kind and axis of its first reader, MACs summed over all readers.
// Name: the weight's name without a trailing ".weight"; the name of the first reading node where the weight's name
// tells nothing ("onnx::MatMul_214", "137", "weight"); "_2", "_3", .. is added to the later of equal names.
// MACs are for one sample.
// Errors: those of InferShapes.
absl::Status FindLayers(Graph& graph);

}  // namespace bitplan::ops

#endif  // BITPLAN_SEARCH_OPS_FIND_LAYERS_H_
