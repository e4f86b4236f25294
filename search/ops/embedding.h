#ifndef BITPLAN_SEARCH_OPS_EMBEDDING_H_
#define BITPLAN_SEARCH_OPS_EMBEDDING_H_

#include <cstdint>

#include "absl/status/status.h"
#include "search/data/dataset.h"
#include "search/ops/operator.h"

namespace bitplan::ops {

// Gather by indices that are computed or fed at run time: y[.., i, ..] = table[.., indices[i], ..] along `axis`, linear
// in the table. Indices are integers carried as floats; negative ones count from the end. An index outside the table
// gives NaN, so that a loss that depends on it is refused. A constant table of rank 2 or more is a layer of kind
// embedding; its output channels are the table's rows, and it has no multiply-accumulates.
absl::StatusOr<std::unique_ptr<Operator>> MakeLookup(const OpRequest& request, int64_t axis);

// Integer inputs of the graph hold integers, and those that some Gather takes as they are lie inside its table.
// `input` is an index into Graph::inputs, `values` what is fed there.
// Errors: kInvalidArgument naming the input, the position and what came.
absl::Status CheckIntegerInput(const Graph& graph, size_t input, const Tensor& values);

}  // namespace bitplan::ops

#endif  // BITPLAN_SEARCH_OPS_EMBEDDING_H_
