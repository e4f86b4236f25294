#ifndef BITPLAN_SEARCH_GRAPH_LAYER_PRODUCTS_H_
#define BITPLAN_SEARCH_GRAPH_LAYER_PRODUCTS_H_

#include <array>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "search/graph/graph.h"

// What is read off a graph about its layers by more than one pass: products of weights, views, joins.
namespace bitplan::graph {

// Operators that add or concatenate.
inline constexpr std::array<std::string_view, 2> kAdditions = {"Add", "Sum"};
inline constexpr std::array<std::string_view, 1> kConcatenations = {"Concat"};
inline constexpr std::array<std::string_view, 3> kJoins = {"Add", "Sum", "Concat"};

// A layer's weight times something else.
struct LayerProduct {
  int layer = 0;
  const Node& node;
  int data_input = 0;  // the something else: which input of the node

  ValueId data() const { return node.inputs[data_input]; }
};

// Sets that grow together.
class Groups {
 public:
  explicit Groups(int count);

  int Find(int i);
  // The smaller representative stays.
  void Unite(int i, int j);

 private:
  std::vector<int> parent_;
};

bool IsComputedFloat(const Graph& graph, ValueId id);

// By value: the tensor before the views (Reshape, Flatten, Transpose, Squeeze, Unsqueeze, Identity, Dropout) that lead
// to it, or itself.
std::vector<ValueId> FindSources(const Graph& graph);

// Calls fn(product) for every layer weight that a node (Conv, ConvTranspose, Gemm, MatMul) multiplies with something
// else, in node order.
void ForEachProduct(const Graph& graph, const std::function<void(const LayerProduct&)>& fn);

// By value: whether some layer's data depends on it.
std::vector<bool> FeedsLayer(const Graph& graph);

// Tensors before views that a node of one of these types joins; fewer than two: it joins nothing.
std::vector<ValueId> JoinedTensors(const Graph& graph, const Node& node, const std::vector<ValueId>& source,
                                   std::span<const std::string_view> op_types);

// Whether the sums of a product run along rows of its data operand.
bool AddsUpRows(const LayerProduct& product);

}  // namespace bitplan::graph

#endif  // BITPLAN_SEARCH_GRAPH_LAYER_PRODUCTS_H_
