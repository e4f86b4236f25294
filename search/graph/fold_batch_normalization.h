#ifndef BITPLAN_SEARCH_GRAPH_FOLD_BATCH_NORMALIZATION_H_
#define BITPLAN_SEARCH_GRAPH_FOLD_BATCH_NORMALIZATION_H_

#include "absl/status/statusor.h"
#include "search/graph/graph.h"

namespace bitplan {

// The same network with each BatchNormalization behind a Conv worked into its weights, as runtimes do before they
// quantize:
//
//   W'[c, ...] = W[c, ...] s_c,   b'[c] = (b[c] - mean[c]) s_c + beta[c],   s_c = gamma[c] / sqrt(variance[c] +
//   epsilon)
//
// for each output channel c; computed in double, stored as float. The loss of the network does not change; its
// curvature by weight does (the block of W' is that of W divided by s_c s_c').
//
// Only where nothing else sees the change: the Conv's output is read by the BatchNormalization alone and is no output
// of the graph, its weight is read by the Conv alone, and all parameters are constants. Layers keep their names and
// order; folded nodes keep the Conv's name.
//
// Errors: kInvalidArgument names the node: parameters that do not have one element a channel, variance + epsilon not
// above 0, a folded weight that is not finite.
absl::StatusOr<Graph> FoldBatchNormalization(Graph graph);

}  // namespace bitplan

#endif  // BITPLAN_SEARCH_GRAPH_FOLD_BATCH_NORMALIZATION_H_
