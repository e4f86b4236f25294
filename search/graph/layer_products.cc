#include "search/graph/layer_products.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace bitplan::graph {
namespace {

constexpr std::array<std::string_view, 4> kProducts = {"Conv", "ConvTranspose", "Gemm", "MatMul"};
constexpr std::array<std::string_view, 7> kViews = {"Reshape",   "Flatten",  "Transpose", "Squeeze",
                                                    "Unsqueeze", "Identity", "Dropout"};

bool IsOneOf(std::span<const std::string_view> names, std::string_view op_type) {
  return std::ranges::find(names, op_type) != names.end();
}

}  // namespace

Groups::Groups(int count) : parent_(count) { std::iota(parent_.begin(), parent_.end(), 0); }

int Groups::Find(int i) {
  while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
  return i;
}

void Groups::Unite(int i, int j) {
  i = Find(i);
  j = Find(j);
  parent_[std::max(i, j)] = std::min(i, j);
}

bool IsComputedFloat(const Graph& graph, ValueId id) {
  return id != kNoValue && !graph.values[id].is_constant() && !graph.values[id].integer;
}

std::vector<ValueId> FindSources(const Graph& graph) {
  std::vector<ValueId> source(graph.values.size());
  std::iota(source.begin(), source.end(), 0);
  for (const Node& node : graph.nodes) {
    if (!IsOneOf(kViews, node.op_type) || node.inputs.empty() || node.outputs.empty()) continue;
    if (!IsComputedFloat(graph, node.inputs[0]) || node.outputs[0] == kNoValue) continue;
    source[node.outputs[0]] = source[node.inputs[0]];
  }
  return source;
}

void ForEachProduct(const Graph& graph, const std::function<void(const LayerProduct&)>& fn) {
  std::map<ValueId, int> layer_of;
  for (size_t l = 0; l < graph.layer_weights.size(); ++l) layer_of[graph.layer_weights[l].weight] = static_cast<int>(l);
  for (const Node& node : graph.nodes) {
    if (!IsOneOf(kProducts, node.op_type) || node.inputs.size() < 2) continue;
    for (int i = 0; i < 2; ++i) {
      const auto found = layer_of.find(node.inputs[i]);
      if (found != layer_of.end()) fn(LayerProduct{.layer = found->second, .node = node, .data_input = 1 - i});
    }
  }
}

std::vector<bool> FeedsLayer(const Graph& graph) {
  std::vector<bool> feeds(graph.values.size(), false);
  ForEachProduct(graph, [&](const LayerProduct& product) {
    if (product.data() != kNoValue) feeds[product.data()] = true;
  });
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    if (std::ranges::none_of(node->outputs, [&](ValueId id) { return id != kNoValue && feeds[id]; })) continue;
    for (const ValueId id : node->inputs) {
      if (id != kNoValue) feeds[id] = true;
    }
  }
  return feeds;
}

std::vector<ValueId> JoinedTensors(const Graph& graph, const Node& node, const std::vector<ValueId>& source,
                                   std::span<const std::string_view> op_types) {
  std::vector<ValueId> joined;
  if (!IsOneOf(op_types, node.op_type)) return joined;
  for (const ValueId id : node.inputs) {
    if (IsComputedFloat(graph, id)) joined.push_back(source[id]);
  }
  return joined;
}

bool AddsUpRows(const LayerProduct& product) {
  const Node& node = product.node;
  if (node.op_type == "MatMul") return product.data_input == 0;
  if (node.op_type != "Gemm" || product.data_input != 0) return false;
  const absl::StatusOr<int64_t> transposed = IntAttribute(node, "transA", 0);
  return transposed.ok() && *transposed == 0;
}

}  // namespace bitplan::graph
