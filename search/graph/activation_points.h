#ifndef BITPLAN_SEARCH_GRAPH_ACTIVATION_POINTS_H_
#define BITPLAN_SEARCH_GRAPH_ACTIVATION_POINTS_H_

#include <span>
#include <vector>

#include "search/graph/graph.h"

namespace bitplan {

// A tensor that layers read as data and that activation bits are spent on.
struct ActivationPoint {
  ValueId value = kNoValue;
  std::vector<int> layers;  // that read it, ascending; layers[0] owns it: its option says how the tensor is quantized

  bool operator==(const ActivationPoint&) const = default;
};

// Where the activations of a network are quantized: every float tensor that is computed at run time or fed in and that
// a layer (Conv, ConvTranspose, Gemm, MatMul; not the constant operand) multiplies its weight with. Where a layer reads
// it through operators that only rearrange or pass on (Reshape, Flatten, Transpose, Squeeze, Unsqueeze, Identity,
// Dropout), the point is the tensor before them, so that layers behind one LayerNormalization share one point.
//
// The tensor is quantized once, right after it is computed, and whoever reads it sees the quantized one: layers, and a
// residual Add too. Operators between two layers (batch normalisation, ReLU, pooling) run on what the first layer gives
// without rounding; so Conv, BatchNormalization, ReLU count once.
//
// A layer without such an operand (embedding: integer ids) is in no point. A layer whose weight is read by several
// nodes may be in several points. Points come in the order of the nodes that read them first.
std::vector<ActivationPoint> FindActivationPoints(const Graph& graph);

// By point: whether every product that a layer makes of it adds up along rows, the values along the tensor's last axis,
// so that each row may have a scale of its own. True for what MatMul and Gemm read as it is or through operators that
// keep rows (a Transpose that leaves the last axis last; Reshape and the like that keep its length); false for a tensor
// that a convolution reads, that is flattened, or whose columns are added up. `shapes` are those of all values.
std::vector<bool> ReadByRows(const Graph& graph, std::span<const ActivationPoint> points,
                             std::span<const Shape> shapes);

// Layers whose activations must have equal widths on integer hardware: groups of two or more, ascending, each layer in
// one group at most, ordered by their first layers. Layers are in one group if they are joined by a chain of:
//
//   consumers of one point (the tensor has one width), which includes all points of one layer;
//   points that are added or concatenated: all that enter one chain of Add, Sum and Concat nodes on which some layer
//   depends. A chain is nodes of these kinds with two or more computed float operands that read each other's results
//   or a tensor in common, directly or through the rearranging operators above; a point inside the chain (the sum that
//   the next block reads) belongs to it. An Add of a constant, a ReLU or a layer ends the chain: what comes behind is
//   rescaled anyway.
std::vector<std::vector<int>> ActivationTies(const Graph& graph, std::span<const ActivationPoint> points);

}  // namespace bitplan

#endif  // BITPLAN_SEARCH_GRAPH_ACTIVATION_POINTS_H_
