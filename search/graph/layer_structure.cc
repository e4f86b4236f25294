#include "search/graph/layer_structure.h"

#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "search/graph/activation_points.h"
#include "search/graph/layer_products.h"

namespace bitplan {
namespace {

using graph::LayerProduct;
using LayerSet = std::set<int>;
using LayerGroups = std::set<std::vector<int>>;  // by first layer

void AddGroup(const LayerSet& layers, LayerGroups& groups) {
  if (layers.size() > 1) groups.emplace(layers.begin(), layers.end());
}

LayerGroups SharedInputs(std::span<const ActivationPoint> points) {
  LayerGroups groups;
  for (const ActivationPoint& point : points) AddGroup({point.layers.begin(), point.layers.end()}, groups);
  return groups;
}

// A weight's sizes but for the output channels.
std::vector<int64_t> InputShape(const Layer& layer) {
  std::vector<int64_t> shape = layer.weight_shape;
  if (!shape.empty()) shape.erase(shape.begin() + layer.output_channel_axis);
  return shape;
}

// Layers that read one point, of one kind and with equal input shapes.
struct Parallel {
  ValueId point = kNoValue;
  LayerSet layers;
};

std::vector<Parallel> FindParallel(const Graph& graph, std::span<const ActivationPoint> points) {
  std::vector<Parallel> all;
  for (const ActivationPoint& point : points) {
    std::map<std::pair<LayerKind, std::vector<int64_t>>, LayerSet> alike;
    for (const int l : point.layers) {
      const Layer& layer = graph.layers.layers[l];
      alike[{layer.kind, InputShape(layer)}].insert(l);
    }
    for (auto& [unused, layers] : alike) {
      if (layers.size() > 1) all.push_back({.point = point.value, .layers = std::move(layers)});
    }
  }
  return all;
}

// By node output: the layer's product that makes it, where one does.
std::map<ValueId, LayerProduct> ProductsByResult(const Graph& graph) {
  std::map<ValueId, LayerProduct> products;
  graph::ForEachProduct(graph, [&](const LayerProduct& product) {
    if (!product.node.outputs.empty()) products.emplace(product.node.outputs[0], product);
  });
  return products;
}

// Follows the results of parallel layers to the products that they meet in.
class Tracer {
 public:
  Tracer(const Graph& graph, const std::vector<ValueId>& source, const std::map<ValueId, LayerProduct>& products)
      : graph_(graph), source_(source), products_(products) {}

  void Trace(const Parallel& parallel) {
    reached_.assign(graph_.values.size(), {});
    scores_.clear();
    for (const Node& node : graph_.nodes) Pass(parallel, node);
  }

  const LayerGroups& attention() const { return attention_; }
  const LayerGroups& gated() const { return gated_; }

 private:
  // What a tensor is made of.
  struct Reached {
    LayerSet layers;       // of the parallel ones, without a computed product between
    std::set<int> scores;  // indices into scores_
  };

  void Pass(const Parallel& parallel, const Node& node) {
    if (node.outputs.empty() || !graph::IsComputedFloat(graph_, node.outputs[0])) return;
    if (const auto product = products_.find(node.outputs[0]); product != products_.end()) {
      const auto& [unused, of_layer] = *product;
      const bool is_one = parallel.layers.contains(of_layer.layer) && of_layer.data() != kNoValue &&
                          source_[of_layer.data()] == parallel.point;
      if (is_one) reached_[node.outputs[0]].layers = {of_layer.layer};
      return;
    }
    std::vector<ValueId> operands;
    for (const ValueId id : node.inputs) {
      if (graph::IsComputedFloat(graph_, id)) operands.push_back(id);
    }
    if (node.op_type == "MatMul" && operands.size() == 2) {
      Meet(reached_[operands[0]], reached_[operands[1]], reached_[node.outputs[0]]);
      return;
    }
    if (node.op_type == "Mul" && operands.size() == 2) MeetInMul(reached_[operands[0]], reached_[operands[1]]);
    Reached all;
    for (const ValueId id : operands) {
      all.layers.insert(reached_[id].layers.begin(), reached_[id].layers.end());
      all.scores.insert(reached_[id].scores.begin(), reached_[id].scores.end());
    }
    for (const ValueId id : node.outputs) {
      if (id != kNoValue) reached_[id] = all;
    }
  }

  // A product of computed tensors: queries and keys, or scores and values.
  void Meet(const Reached& a, const Reached& b, Reached& result) {
    if (a.layers.size() == 1 && b.layers.size() == 1 && a.layers != b.layers) {
      result.scores = {static_cast<int>(scores_.size())};
      scores_.emplace_back(*a.layers.begin(), *b.layers.begin());
    }
    for (const auto& [weights, values] : {std::pair(&a, &b), std::pair(&b, &a)}) {
      if (values->layers.size() != 1 || !weights->layers.empty()) continue;
      for (const int s : weights->scores) {
        AddGroup({scores_[s].first, scores_[s].second, *values->layers.begin()}, attention_);
      }
    }
  }

  void MeetInMul(const Reached& a, const Reached& b) {
    if (a.layers.size() != 1 || b.layers.size() != 1 || a.layers == b.layers) return;
    AddGroup({*a.layers.begin(), *b.layers.begin()}, gated_);
  }

  const Graph& graph_;
  const std::vector<ValueId>& source_;
  const std::map<ValueId, LayerProduct>& products_;
  std::vector<Reached> reached_;
  std::vector<std::pair<int, int>> scores_;  // queries and keys
  LayerGroups attention_;
  LayerGroups gated_;
};

// Groups of values that chains of these operators join.
graph::Groups Chains(const Graph& graph, const std::vector<ValueId>& source,
                     std::span<const std::string_view> op_types) {
  const std::vector<bool> feeds_layer = graph::FeedsLayer(graph);
  graph::Groups values(static_cast<int>(graph.values.size()));
  for (const Node& node : graph.nodes) {
    const std::vector<ValueId> joined = graph::JoinedTensors(graph, node, source, op_types);
    if (joined.size() < 2 || node.outputs.empty() || !feeds_layer[node.outputs[0]]) continue;
    for (const ValueId id : joined) values.Unite(node.outputs[0], id);
  }
  return values;
}

LayerGroups JoinedInputs(graph::Groups& chains, std::span<const ActivationPoint> points) {
  std::map<int, std::pair<int, LayerSet>> of_chain;  // number of points, their layers
  for (const ActivationPoint& point : points) {
    auto& [num_points, layers] = of_chain[chains.Find(point.value)];
    ++num_points;
    layers.insert(point.layers.begin(), point.layers.end());
  }
  LayerGroups groups;
  for (const auto& [unused, chain] : of_chain) {
    if (chain.first > 1) AddGroup(chain.second, groups);
  }
  return groups;
}

// By value: the layer whose result it is, through operators of one computed operand; -1: none.
std::vector<int> ResultOf(const Graph& graph, const std::map<ValueId, LayerProduct>& products) {
  std::vector<int> layer_of(graph.values.size(), -1);
  for (const Node& node : graph.nodes) {
    if (node.outputs.empty() || node.outputs[0] == kNoValue) continue;
    if (const auto product = products.find(node.outputs[0]); product != products.end()) {
      layer_of[node.outputs[0]] = product->second.layer;
      continue;
    }
    std::vector<ValueId> operands;
    for (const ValueId id : node.inputs) {
      if (graph::IsComputedFloat(graph, id)) operands.push_back(id);
    }
    if (operands.size() == 1) layer_of[node.outputs[0]] = layer_of[operands[0]];
  }
  return layer_of;
}

LayerGroups JoinedOutputs(const Graph& graph, graph::Groups& chains, const std::vector<ValueId>& source,
                          const std::vector<int>& layer_of, std::span<const std::string_view> op_types) {
  std::map<int, LayerSet> of_chain;
  for (const Node& node : graph.nodes) {
    const std::vector<ValueId> joined = graph::JoinedTensors(graph, node, source, op_types);
    if (joined.size() < 2 || node.outputs.empty()) continue;
    for (const ValueId id : joined) {
      // A join that no layer depends on is a chain of its own.
      if (layer_of[id] >= 0) of_chain[chains.Find(node.outputs[0])].insert(layer_of[id]);
    }
  }
  LayerGroups groups;
  for (const auto& [unused, layers] : of_chain) AddGroup(layers, groups);
  return groups;
}

void Append(const Graph& graph, StructureKind kind, const LayerGroups& groups, LayerStructure& structure) {
  for (const std::vector<int>& layers : groups) {
    StructureGroup& group = structure.emplace_back(StructureGroup{.kind = kind, .layers = {}});
    for (const int l : layers) group.layers.push_back(graph.layers.layers[l].name);
  }
}

}  // namespace

LayerStructure FindStructure(const Graph& graph) {
  const std::vector<ActivationPoint> points = FindActivationPoints(graph);
  const std::vector<ValueId> source = graph::FindSources(graph);
  const std::map<ValueId, LayerProduct> products = ProductsByResult(graph);
  const std::vector<int> layer_of = ResultOf(graph, products);
  LayerGroups parallel_groups;
  Tracer tracer(graph, source, products);
  for (const Parallel& parallel : FindParallel(graph, points)) {
    AddGroup(parallel.layers, parallel_groups);
    tracer.Trace(parallel);
  }
  graph::Groups added = Chains(graph, source, graph::kAdditions);
  graph::Groups concatenated = Chains(graph, source, graph::kConcatenations);
  LayerStructure structure;
  Append(graph, StructureKind::kSharedInput, SharedInputs(points), structure);
  Append(graph, StructureKind::kParallel, parallel_groups, structure);
  Append(graph, StructureKind::kAttention, tracer.attention(), structure);
  Append(graph, StructureKind::kGated, tracer.gated(), structure);
  Append(graph, StructureKind::kAddedInputs, JoinedInputs(added, points), structure);
  Append(graph, StructureKind::kConcatenatedInputs, JoinedInputs(concatenated, points), structure);
  Append(graph, StructureKind::kAddedOutputs, JoinedOutputs(graph, added, source, layer_of, graph::kAdditions),
         structure);
  Append(graph, StructureKind::kConcatenatedOutputs,
         JoinedOutputs(graph, concatenated, source, layer_of, graph::kConcatenations), structure);
  return structure;
}

}  // namespace bitplan
