#ifndef BITPLAN_SEARCH_OPS_INFER_SHAPES_H_
#define BITPLAN_SEARCH_OPS_INFER_SHAPES_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "search/graph/graph.h"

namespace bitplan::ops {

// Samples one execution of the graph takes: the fixed first dimension of its inputs, or 0 if the caller picks it.
// kInvalidArgument if inputs are fixed to different numbers, or an input has no dimensions.
absl::StatusOr<int64_t> FixedBatch(const Graph& graph);

// The shape of every value, indexed by ValueId, with `batch` samples in place of kDynamic (a fixed first dimension
// stays as it is). Values that are never computed have the empty shape.
// Errors: those of MakeOperator and CheckShape.
absl::StatusOr<std::vector<Shape>> InferShapes(const Graph& graph, int64_t batch);

}  // namespace bitplan::ops

#endif  // BITPLAN_SEARCH_OPS_INFER_SHAPES_H_
