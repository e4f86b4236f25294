#ifndef BITPLAN_SEARCH_GRAPH_LAYER_STRUCTURE_H_
#define BITPLAN_SEARCH_GRAPH_LAYER_STRUCTURE_H_

#include "search/graph/graph.h"
#include "search/layer/structure.h"

namespace bitplan {

// Groups of layers that stand in one of the relations of StructureKind, read off the graph alone, whatever the layers
// are called:
//
//   shared_input   layers that read one activation point (FindActivationPoints: views are looked through)
//   parallel       of those, layers of one kind whose weights have equal shapes but for the output channels
//   attention      of parallel layers, {q, k, v}: results of q and k (through anything but layers and products of two
//                  computed tensors) are the two factors of a computed MatMul, and its result (softmax and all) and
//                  that of v are the factors of a later one. Keys and values of another tensor (cross attention) are
//                  not seen.
//   gated          of parallel layers, {g, u}: their results, likewise, are the two factors of a Mul
//   added_inputs, concatenated_inputs
//                  layers that read points of which at least two enter one chain of Add and Sum, or of Concat, nodes on
//                  which some layer depends; a chain is as for ActivationTies, which joins both kinds and equal points
//   added_outputs, concatenated_outputs
//                  layers whose results enter one such chain through operators of one computed operand (bias,
//                  normalisation, activation, pooling, views)
//
// Groups have two or more layers, come by kind, then by their first layers, and none is there twice. A layer may be in
// several. Cost: nodes times groups of parallel layers.
LayerStructure FindStructure(const Graph& graph);

}  // namespace bitplan

#endif  // BITPLAN_SEARCH_GRAPH_LAYER_STRUCTURE_H_
