#ifndef BITPLAN_SEARCH_ONNX_TOPOLOGY_H_
#define BITPLAN_SEARCH_ONNX_TOPOLOGY_H_

#include <vector>

namespace bitplan::onnx {

// predecessors[i] lists the nodes whose outputs node i reads; entries may repeat.
using Predecessors = std::vector<std::vector<int>>;

struct TopologicalOrder {
  std::vector<int> order;  // every node after its predecessors; smallest index first where there is a choice
  std::vector<int> cycle;  // not empty if there is no such order: nodes of one cycle, each reads the one before it,
                           // the smallest index first
};

// Kahn's algorithm (1962) with a heap. Cost: O(edges + nodes log nodes), no recursion.
TopologicalOrder SortTopologically(const Predecessors& predecessors);

// For each node, whether one of `roots` depends on it; roots depend on themselves.
std::vector<bool> FindAncestors(const Predecessors& predecessors, const std::vector<int>& roots);

}  // namespace bitplan::onnx

#endif  // BITPLAN_SEARCH_ONNX_TOPOLOGY_H_
