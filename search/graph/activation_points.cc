#include "search/graph/activation_points.h"

#include <algorithm>
#include <map>

#include "search/graph/layer_products.h"

namespace bitplan {
namespace {

using graph::AddsUpRows;
using graph::FeedsLayer;
using graph::FindSources;
using graph::ForEachProduct;
using graph::Groups;
using graph::IsComputedFloat;
using graph::JoinedTensors;
using graph::LayerProduct;

void InsertSorted(std::vector<int>& sorted, int value) {
  const auto at = std::ranges::lower_bound(sorted, value);
  if (at == sorted.end() || *at != value) sorted.insert(at, value);
}

// Whether a view's result has the rows of its operand.
bool KeepsRows(const Node& view, const Shape& from, const Shape& to) {
  if (from.empty() || to.empty()) return false;
  if (view.op_type != "Transpose") return from.back() == to.back();
  const absl::StatusOr<std::vector<int64_t>> order = IntsAttribute(view, "perm", {});
  return order.ok() && !order->empty() && order->back() + 1 == std::ssize(from);
}

}  // namespace

std::vector<ActivationPoint> FindActivationPoints(const Graph& graph) {
  const std::vector<ValueId> source = FindSources(graph);
  std::vector<ActivationPoint> points;
  std::map<ValueId, size_t> point_of;
  ForEachProduct(graph, [&](const LayerProduct& product) {
    if (!IsComputedFloat(graph, product.data())) return;
    const ValueId point = source[product.data()];
    const auto [found, is_new] = point_of.try_emplace(point, points.size());
    if (is_new) points.push_back({.value = point});
    InsertSorted(points[found->second].layers, product.layer);
  });
  return points;
}

std::vector<bool> ReadByRows(const Graph& graph, std::span<const ActivationPoint> points,
                             std::span<const Shape> shapes) {
  const std::vector<ValueId> source = FindSources(graph);
  std::vector<bool> has_rows(graph.values.size(), true);  // those of its source
  for (const Node& node : graph.nodes) {
    if (node.outputs.empty() || node.outputs[0] == kNoValue || source[node.outputs[0]] == node.outputs[0]) continue;
    const ValueId from = node.inputs[0];
    has_rows[node.outputs[0]] = has_rows[from] && KeepsRows(node, shapes[from], shapes[node.outputs[0]]);
  }
  std::vector<bool> read_by_rows(graph.values.size(), true);
  ForEachProduct(graph, [&](const LayerProduct& product) {
    const ValueId data = product.data();
    if (data != kNoValue && !(has_rows[data] && AddsUpRows(product))) read_by_rows[source[data]] = false;
  });
  std::vector<bool> of_points;
  for (const ActivationPoint& point : points) of_points.push_back(read_by_rows[point.value]);
  return of_points;
}

std::vector<std::vector<int>> ActivationTies(const Graph& graph, std::span<const ActivationPoint> points) {
  const std::vector<ValueId> source = FindSources(graph);
  const std::vector<bool> feeds_layer = FeedsLayer(graph);
  // A join's result and its operands are one group of values; a join that reads another's result brings its own.
  Groups values(static_cast<int>(graph.values.size()));
  for (const Node& node : graph.nodes) {
    const std::vector<ValueId> joined = JoinedTensors(graph, node, source, graph::kJoins);
    if (joined.size() < 2 || node.outputs.empty() || !feeds_layer[node.outputs[0]]) continue;
    for (const ValueId id : joined) values.Unite(node.outputs[0], id);
  }
  Groups layers(static_cast<int>(graph.layers.layers.size()));
  std::map<int, int> layer_of;  // by group of values
  for (const ActivationPoint& point : points) {
    for (const int layer : point.layers) layers.Unite(point.layers[0], layer);
    const auto [found, is_new] = layer_of.try_emplace(values.Find(point.value), point.layers[0]);
    if (!is_new) layers.Unite(found->second, point.layers[0]);
  }
  std::map<int, std::vector<int>> groups;  // by first layer
  for (int l = 0; l < static_cast<int>(graph.layers.layers.size()); ++l) groups[layers.Find(l)].push_back(l);
  std::vector<std::vector<int>> ties;
  for (auto& [first, group] : groups) {
    if (group.size() > 1) ties.push_back(std::move(group));
  }
  return ties;
}

}  // namespace bitplan
