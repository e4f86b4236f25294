#ifndef BITPLAN_SEARCH_GRAPH_GRAPH_H_
#define BITPLAN_SEARCH_GRAPH_GRAPH_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "search/layer/layer.h"
#include "search/tensor/tensor.h"

namespace bitplan {

// Index into Graph::values. kNoValue stands for an absent optional input or output.
using ValueId = int;
inline constexpr ValueId kNoValue = -1;

// Size of a dimension that the caller picks: the number of samples.
inline constexpr int64_t kDynamic = -1;

// Integer tensor: shapes, axes, indices. Such values are constants; they never carry derivatives. In a target shape of
// Expand an entry -k stands for k times the number of samples (the importer writes it, ONNX knows no such thing).
struct IntTensor {
  Shape shape;
  std::vector<int64_t> data;
};

// An edge of the graph.
struct Value {
  std::string name;
  std::variant<std::monostate, Tensor, IntTensor> constant;  // monostate: computed at run time
  // Computed at run time and an integer in ONNX, such as a token id. It is carried as a float, exact up to 2^24; which
  // operators may read it says the operator table.
  bool integer = false;

  bool is_constant() const { return !std::holds_alternative<std::monostate>(constant); }
};

// A decoded ONNX attribute.
using Attribute = std::variant<int64_t, float, std::string, std::vector<int64_t>, std::vector<float>,
                               std::vector<std::string>, Tensor, IntTensor>;
using Attributes = std::map<std::string, Attribute, std::less<>>;

// One operation. Meaning of inputs, outputs and attributes: the ONNX operator specification at Graph::opset_version.
struct Node {
  std::string name;     // unique in the graph; made up by the importer where the model has none
  std::string op_type;  // ONNX name: "Conv", "Relu", ...
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  Attributes attributes;
};

struct GraphInput {
  ValueId value = kNoValue;
  Shape shape;  // first dimension counts samples; it may be kDynamic, the others are fixed
};

// Ties entry i of Graph::layers to the graph.
struct LayerWeight {
  ValueId weight = kNoValue;  // a constant Tensor
  int node = -1;              // first node that reads it
};

// A network as a value: nodes in topological order, every name resolved, shapes of inputs known.
//
// Invariants (CheckInvariants): ids in range; each value is a constant, a graph input or the output of exactly one
// earlier node; names of nodes and layers unique; layer_weights.size() == layers.layers.size() and each weight is a
// constant Tensor whose shape equals weight_shape. Built by onnx::ParseModel or by hand in tests.
struct Graph {
  std::string name;
  int64_t opset_version = 13;
  std::vector<Value> values;
  std::vector<Node> nodes;
  std::vector<GraphInput> inputs;
  std::vector<ValueId> outputs;            // outputs[0] is what the loss reads: logits or predictions [N, ...]
  LayerTable layers;                       // in execution order
  std::vector<LayerWeight> layer_weights;  // layer_weights[i] belongs to layers.layers[i]
};

// kInternal, naming the broken invariant: an importer that returns such a graph has a bug.
absl::Status CheckInvariants(const Graph& graph);

// Typed attribute reads with a default; kInvalidArgument names node and attribute if the type is another one.
absl::StatusOr<int64_t> IntAttribute(const Node& node, std::string_view name, int64_t fallback);
absl::StatusOr<float> FloatAttribute(const Node& node, std::string_view name, float fallback);
absl::StatusOr<std::string> StringAttribute(const Node& node, std::string_view name, std::string fallback);
absl::StatusOr<std::vector<int64_t>> IntsAttribute(const Node& node, std::string_view name,
                                                   std::vector<int64_t> fallback);
absl::StatusOr<std::vector<std::string>> StringsAttribute(const Node& node, std::string_view name,
                                                          std::vector<std::string> fallback);

}  // namespace bitplan

#endif  // BITPLAN_SEARCH_GRAPH_GRAPH_H_
