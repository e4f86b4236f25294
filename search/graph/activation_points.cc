#include "search/graph/activation_points.h"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <string_view>

namespace bitplan {
namespace {

constexpr std::array<std::string_view, 4> kProducts = {"Conv", "ConvTranspose", "Gemm", "MatMul"};
constexpr std::array<std::string_view, 7> kViews = {"Reshape",   "Flatten",  "Transpose", "Squeeze",
                                                    "Unsqueeze", "Identity", "Dropout"};
constexpr std::array<std::string_view, 3> kJoins = {"Add", "Sum", "Concat"};

template <size_t n>
bool IsOneOf(const std::array<std::string_view, n>& names, std::string_view op_type) {
  return std::ranges::find(names, op_type) != names.end();
}

bool IsComputedFloat(const Graph& graph, ValueId id) {
  return id != kNoValue && !graph.values[id].is_constant() && !graph.values[id].integer;
}

// By value: the tensor before the views that lead to it, or itself.
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

void InsertSorted(std::vector<int>& sorted, int value) {
  const auto at = std::ranges::lower_bound(sorted, value);
  if (at == sorted.end() || *at != value) sorted.insert(at, value);
}

// A layer's weight times something else.
struct LayerProduct {
  int layer = 0;
  const Node& node;
  int data_input = 0;  // the something else: which input of the node

  ValueId data() const { return node.inputs[data_input]; }
};

// Calls fn(product) for every layer weight that a node multiplies with something else, in node order.
template <typename Fn>
void ForEachProduct(const Graph& graph, Fn fn) {
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

// Sets that grow together.
class Groups {
 public:
  explicit Groups(int count) : parent_(count) { std::iota(parent_.begin(), parent_.end(), 0); }

  int Find(int i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  // The smaller representative stays.
  void Unite(int i, int j) {
    i = Find(i);
    j = Find(j);
    parent_[std::max(i, j)] = std::min(i, j);
  }

 private:
  std::vector<int> parent_;
};

// By value: whether some layer's data depends on it.
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

// Tensors before views that a node adds or concatenates; fewer than two: it joins nothing.
std::vector<ValueId> JoinedTensors(const Graph& graph, const Node& node, const std::vector<ValueId>& source) {
  std::vector<ValueId> joined;
  if (!IsOneOf(kJoins, node.op_type)) return joined;
  for (const ValueId id : node.inputs) {
    if (IsComputedFloat(graph, id)) joined.push_back(source[id]);
  }
  return joined;
}

// Whether a view's result has the rows of its operand.
bool KeepsRows(const Node& view, const Shape& from, const Shape& to) {
  if (from.empty() || to.empty()) return false;
  if (view.op_type != "Transpose") return from.back() == to.back();
  const absl::StatusOr<std::vector<int64_t>> order = IntsAttribute(view, "perm", {});
  return order.ok() && !order->empty() && order->back() + 1 == std::ssize(from);
}

// Whether the sums of a product run along rows of its data operand.
bool AddsUpRows(const LayerProduct& product) {
  const Node& node = product.node;
  if (node.op_type == "MatMul") return product.data_input == 0;
  if (node.op_type != "Gemm" || product.data_input != 0) return false;
  const absl::StatusOr<int64_t> transposed = IntAttribute(node, "transA", 0);
  return transposed.ok() && *transposed == 0;
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
    const std::vector<ValueId> joined = JoinedTensors(graph, node, source);
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
