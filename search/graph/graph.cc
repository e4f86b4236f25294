#include "search/graph/graph.h"

#include <set>
#include <utility>

#include "search/base/status.h"

namespace bitplan {
namespace {

bool IsValueId(const Graph& graph, ValueId id) { return id >= 0 && id < static_cast<int>(graph.values.size()); }

// Marks what a node reads and writes; `defined` holds the values that exist before the node runs.
absl::Status CheckNode(const Graph& graph, int index, std::vector<bool>& defined) {
  const Node& node = graph.nodes[index];
  for (const ValueId id : node.inputs) {
    if (id == kNoValue) continue;
    if (!IsValueId(graph, id)) return Internal("nodes[{}] '{}': input id {} is out of range", index, node.name, id);
    if (!defined[id]) {
      return Internal("nodes[{}] '{}': reads value '{}' before it is computed", index, node.name,
                      graph.values[id].name);
    }
  }
  for (const ValueId id : node.outputs) {
    if (id == kNoValue) continue;
    if (!IsValueId(graph, id)) return Internal("nodes[{}] '{}': output id {} is out of range", index, node.name, id);
    if (defined[id]) {
      return Internal("nodes[{}] '{}': value '{}' has a second source", index, node.name, graph.values[id].name);
    }
    defined[id] = true;
  }
  return absl::OkStatus();
}

absl::Status CheckConstants(const Graph& graph, std::vector<bool>& defined) {
  for (size_t id = 0; id < graph.values.size(); ++id) {
    const Value& value = graph.values[id];
    defined[id] = value.is_constant();
    const auto* floats = std::get_if<Tensor>(&value.constant);
    const auto* ints = std::get_if<IntTensor>(&value.constant);
    if ((floats && static_cast<int64_t>(floats->data.size()) != NumElements(floats->shape)) ||
        (ints && static_cast<int64_t>(ints->data.size()) != NumElements(ints->shape))) {
      return Internal("values[{}] '{}': the number of elements does not match the shape", id, value.name);
    }
  }
  return absl::OkStatus();
}

absl::Status CheckNodes(const Graph& graph, std::vector<bool>& defined) {
  std::set<std::string_view> names;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (!names.insert(graph.nodes[i].name).second) {
      return Internal("nodes[{}]: name '{}' is not unique", i, graph.nodes[i].name);
    }
    BITPLAN_RETURN_IF_ERROR(CheckNode(graph, static_cast<int>(i), defined));
  }
  return absl::OkStatus();
}

absl::Status CheckLayers(const Graph& graph) {
  const std::vector<Layer>& layers = graph.layers.layers;
  if (layers.size() != graph.layer_weights.size()) {
    return Internal("layer_weights: got {} entries, want {}", graph.layer_weights.size(), layers.size());
  }
  std::set<std::string_view> names;
  for (size_t i = 0; i < layers.size(); ++i) {
    const LayerWeight& weight = graph.layer_weights[i];
    if (!names.insert(layers[i].name).second) return Internal("layers[{}]: name '{}' is not unique", i, layers[i].name);
    if (!IsValueId(graph, weight.weight) || weight.node < 0 || weight.node >= static_cast<int>(graph.nodes.size())) {
      return Internal("layer_weights[{}] '{}': ids are out of range", i, layers[i].name);
    }
    const auto* tensor = std::get_if<Tensor>(&graph.values[weight.weight].constant);
    if (tensor == nullptr || tensor->shape != layers[i].weight_shape) {
      return Internal("layer_weights[{}] '{}': the weight is not a constant of shape {}", i, layers[i].name,
                      ToString(layers[i].weight_shape));
    }
  }
  return absl::OkStatus();
}

template <typename T>
absl::StatusOr<T> ReadAttribute(const Node& node, std::string_view name, T fallback, std::string_view wanted) {
  const auto found = node.attributes.find(name);
  if (found == node.attributes.end()) return fallback;
  if (const T* value = std::get_if<T>(&found->second)) return *value;
  return InvalidArgument("node '{}' ({}): attribute '{}' has the wrong type, want {}", node.name, node.op_type, name,
                         wanted);
}

}  // namespace

absl::Status CheckInvariants(const Graph& graph) {
  std::vector<bool> defined(graph.values.size(), false);
  BITPLAN_RETURN_IF_ERROR(CheckConstants(graph, defined));
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const ValueId id = graph.inputs[i].value;
    if (!IsValueId(graph, id) || defined[id]) return Internal("inputs[{}]: id {} is no free value", i, id);
    defined[id] = true;
  }
  BITPLAN_RETURN_IF_ERROR(CheckNodes(graph, defined));
  for (size_t i = 0; i < graph.outputs.size(); ++i) {
    const ValueId id = graph.outputs[i];
    if (!IsValueId(graph, id) || !defined[id]) return Internal("outputs[{}]: id {} is never computed", i, id);
  }
  return CheckLayers(graph);
}

absl::StatusOr<int64_t> IntAttribute(const Node& node, std::string_view name, int64_t fallback) {
  return ReadAttribute<int64_t>(node, name, fallback, "an integer");
}

absl::StatusOr<float> FloatAttribute(const Node& node, std::string_view name, float fallback) {
  return ReadAttribute<float>(node, name, fallback, "a float");
}

absl::StatusOr<std::string> StringAttribute(const Node& node, std::string_view name, std::string fallback) {
  return ReadAttribute<std::string>(node, name, std::move(fallback), "a string");
}

absl::StatusOr<std::vector<int64_t>> IntsAttribute(const Node& node, std::string_view name,
                                                   std::vector<int64_t> fallback) {
  return ReadAttribute<std::vector<int64_t>>(node, name, std::move(fallback), "a list of integers");
}

absl::StatusOr<std::vector<std::string>> StringsAttribute(const Node& node, std::string_view name,
                                                          std::vector<std::string> fallback) {
  return ReadAttribute<std::vector<std::string>>(node, name, std::move(fallback), "a list of strings");
}

}  // namespace bitplan
