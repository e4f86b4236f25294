#ifndef BITPLAN_SEARCH_OPS_BIND_INPUTS_H_
#define BITPLAN_SEARCH_OPS_BIND_INPUTS_H_

#include <vector>

#include "absl/status/statusor.h"
#include "search/data/dataset.h"
#include "search/graph/graph.h"

namespace bitplan::ops {

// The dataset's arrays in the order of Graph::inputs: by the input's name, or 'images' or 'inputs' for the only input.
// Errors: kInvalidArgument for a missing array or a shape that does not fit.
absl::StatusOr<std::vector<const Tensor*>> BindInputs(const Graph& graph, const Dataset& data);

}  // namespace bitplan::ops

#endif  // BITPLAN_SEARCH_OPS_BIND_INPUTS_H_
