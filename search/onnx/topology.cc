#include "search/onnx/topology.h"

#include <algorithm>
#include <functional>
#include <queue>

namespace bitplan::onnx {
namespace {

// Nodes that were never ready each wait for another such node, so walking back over them must come around.
std::vector<int> FindCycle(const Predecessors& predecessors, const std::vector<int>& waiting) {
  const auto blocked = [&](int node) { return waiting[node] > 0; };
  int node = static_cast<int>(std::ranges::find_if(waiting, [](int count) { return count > 0; }) - waiting.begin());
  std::vector<int> step(predecessors.size(), -1);
  std::vector<int> path;
  while (step[node] < 0) {
    step[node] = static_cast<int>(path.size());
    path.push_back(node);
    node = *std::ranges::find_if(predecessors[node], blocked);
  }
  path.erase(path.begin(), path.begin() + step[node]);
  std::ranges::reverse(path);
  std::ranges::rotate(path, std::ranges::min_element(path));
  return path;
}

}  // namespace

TopologicalOrder SortTopologically(const Predecessors& predecessors) {
  const int count = static_cast<int>(predecessors.size());
  std::vector<std::vector<int>> readers(count);
  std::vector<int> waiting(count, 0);
  std::priority_queue<int, std::vector<int>, std::greater<>> ready;
  for (int node = 0; node < count; ++node) {
    waiting[node] = static_cast<int>(predecessors[node].size());
    for (const int from : predecessors[node]) readers[from].push_back(node);
    if (waiting[node] == 0) ready.push(node);
  }
  TopologicalOrder result;
  while (!ready.empty()) {
    const int node = ready.top();
    ready.pop();
    result.order.push_back(node);
    for (const int reader : readers[node]) {
      if (--waiting[reader] == 0) ready.push(reader);
    }
  }
  if (static_cast<int>(result.order.size()) < count) result.cycle = FindCycle(predecessors, waiting);
  return result;
}

std::vector<bool> FindAncestors(const Predecessors& predecessors, const std::vector<int>& roots) {
  std::vector<bool> found(predecessors.size(), false);
  std::vector<int> todo;
  const auto visit = [&](int node) {
    if (found[node]) return;
    found[node] = true;
    todo.push_back(node);
  };
  std::ranges::for_each(roots, visit);
  while (!todo.empty()) {
    const int node = todo.back();
    todo.pop_back();
    std::ranges::for_each(predecessors[node], visit);
  }
  return found;
}

}  // namespace bitplan::onnx
