#include "search/ops/find_layers.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "search/base/status.h"
#include "search/ops/infer_shapes.h"
#include "search/ops/op_table.h"

namespace bitplan::ops {
namespace {

bool SaysSomething(std::string_view name) {
  const bool has_letter = std::any_of(name.begin(), name.end(), [](unsigned char c) { return std::isalpha(c) != 0; });
  return has_letter && name.find("::") == std::string_view::npos && name != "weight";
}

std::string LayerName(const Graph& graph, ValueId weight, const Node& node) {
  constexpr std::string_view kSuffix = ".weight";
  std::string_view name = graph.values[weight].name;
  if (name.ends_with(kSuffix)) name.remove_suffix(kSuffix.size());
  return SaysSomething(name) ? std::string(name) : node.name;
}

std::string UniqueName(const std::string& name, std::set<std::string>& taken) {
  std::string unique = name;
  for (int i = 2; !taken.insert(unique).second; ++i) unique = fmt::format("{}_{}", name, i);
  return unique;
}

const Tensor* WeightTensor(const Graph& graph, ValueId id) {
  const Tensor* tensor = id == kNoValue ? nullptr : std::get_if<Tensor>(&graph.values[id].constant);
  return tensor != nullptr && tensor->shape.size() >= 2 ? tensor : nullptr;
}

// Finds the layers of one graph, node by node.
struct LayerFinder {
  Graph& graph;
  int64_t samples;
  const std::vector<Shape>& shapes;
  std::map<ValueId, size_t> layer_of;  // by weight
  std::set<std::string> names;

  void Add(int index, const WeightUse& use) {
    const Node& node = graph.nodes[index];
    const ValueId id = node.inputs[use.input];
    const Tensor* weight = WeightTensor(graph, id);
    if (weight == nullptr) return;
    std::vector<Layer>& layers = graph.layers.layers;
    const auto [found, is_new] = layer_of.try_emplace(id, layers.size());
    if (is_new) {
      layers.push_back(Layer{.name = UniqueName(LayerName(graph, id, node), names),
                             .kind = use.kind,
                             .weight_shape = weight->shape,
                             .output_channel_axis = use.output_channel_axis,
                             .num_weights = static_cast<int64_t>(weight->data.size())});
      graph.layer_weights.push_back(LayerWeight{.weight = id, .node = index});
    }
    Layer& layer = layers[found->second];
    layer.macs += use.macs / samples;
    layer.input_elements += ElementsOf(node.inputs) / samples;
    layer.output_elements += ElementsOf(node.outputs) / samples;
  }

  // Of the values that are computed when the network runs.
  int64_t ElementsOf(const std::vector<ValueId>& values) const {
    int64_t elements = 0;
    for (const ValueId id : values) {
      if (id != kNoValue && !graph.values[id].is_constant()) elements += NumElements(shapes[id]);
    }
    return elements;
  }
};

}  // namespace

absl::Status FindLayers(Graph& graph) {
  graph.layers.layers.clear();
  graph.layer_weights.clear();
  MarkIntegers(graph);
  BITPLAN_ASSIGN_OR_RETURN(const int64_t fixed_batch, FixedBatch(graph));
  const int64_t samples = std::max<int64_t>(fixed_batch, 1);
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<Shape> shapes, InferShapes(graph, samples));
  LayerFinder finder{.graph = graph, .samples = samples, .shapes = shapes};
  for (int i = 0; i < static_cast<int>(graph.nodes.size()); ++i) {
    BITPLAN_ASSIGN_OR_RETURN(const std::unique_ptr<Operator> op, MakeUnpreparedOperator(graph, i, shapes));
    if (const std::optional<WeightUse> use = op->weight_use()) finder.Add(i, *use);
  }
  return absl::OkStatus();
}

}  // namespace bitplan::ops
