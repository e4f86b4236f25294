#include "search/ops/find_data_flow.h"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <set>
#include <string_view>
#include <utility>

#include "search/base/status.h"
#include "search/graph/activation_points.h"
#include "search/ops/infer_shapes.h"

namespace bitplan::ops {
namespace {

constexpr std::array<std::string_view, 6> kViews = {"Reshape",   "Flatten",  "Squeeze",
                                                    "Unsqueeze", "Identity", "Dropout"};
constexpr std::array<std::string_view, 27> kElementwise = {
    "Relu",     "LeakyRelu", "PRelu", "Clip", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Elu",
    "Selu",     "Softplus",  "Gelu",  "Erf",  "Exp",     "Log",         "Sqrt",      "Abs",  "Neg",
    "Softsign", "Pow",       "Cast",  "Add",  "Sub",     "Mul",         "Div",       "Sum",  "BatchNormalization"};

template <size_t n>
bool IsOneOf(const std::array<std::string_view, n>& names, std::string_view op_type) {
  return std::ranges::find(names, op_type) != names.end();
}

// Puts the places of one graph together, node by node.
class FlowFinder {
 public:
  FlowFinder(const Graph& graph, const std::vector<Shape>& shapes, int64_t samples)
      : graph_(graph), shapes_(shapes), samples_(samples), points_(FindActivationPoints(graph)) {
    place_.assign(graph.values.size(), -1);
    SetReads();
    SetReaders();
  }

  DataFlow Run() {
    DataFlow flow;
    for (const Node& node : graph_.nodes) flow.steps.push_back(node.name);
    for (const GraphInput& input : graph_.inputs) {
      Place(input.value, 0, flow);
      kept_.insert(place_[input.value]);
    }
    for (int n = 0; n < std::ssize(graph_.nodes); ++n) AddNode(n, flow);
    for (ActivationBuffer& buffer : flow.buffers) buffer.last_step = std::max(buffer.last_step, buffer.first_step);
    flow.boundaries = FindBoundaries();
    return flow;
  }

 private:
  bool IsComputed(ValueId id) const { return id != kNoValue && !graph_.values[id].is_constant(); }
  int64_t ElementsOf(ValueId id) const { return NumElements(shapes_[id]) / samples_; }

  // last_read_: the last node that reads each value; graph outputs are read at the end.
  void SetReads() {
    last_read_.assign(graph_.values.size(), -1);
    for (int n = 0; n < std::ssize(graph_.nodes); ++n) {
      for (const ValueId id : graph_.nodes[n].inputs) {
        if (id != kNoValue) last_read_[id] = n;
      }
    }
    const int end = static_cast<int>(graph_.nodes.size());
    for (const ValueId id : graph_.outputs) last_read_[id] = end;
  }

  // readers_: of each value the layers that own the points which come of it first.
  void SetReaders() {
    readers_.resize(graph_.values.size());
    std::map<ValueId, int> owner;
    for (const ActivationPoint& point : points_) owner[point.value] = point.layers.front();
    for (ValueId id = 0; id < std::ssize(graph_.values); ++id) {
      if (owner.contains(id)) readers_[id] = {owner.at(id)};
    }
    for (auto node = graph_.nodes.rbegin(); node != graph_.nodes.rend(); ++node) {
      std::set<int> of_outputs;
      for (const ValueId id : node->outputs) {
        if (id != kNoValue) of_outputs.insert(readers_[id].begin(), readers_[id].end());
      }
      for (const ValueId id : node->inputs) {
        const bool has_width = IsComputed(id) && !graph_.values[id].integer;
        if (has_width && !owner.contains(id)) readers_[id].insert(of_outputs.begin(), of_outputs.end());
      }
    }
  }

  void Place(ValueId id, int step, DataFlow& flow) {
    place_[id] = static_cast<int>(flow.buffers.size());
    flow.buffers.push_back({.name = graph_.values[id].name,
                            .elements = ElementsOf(id),
                            .layers = {readers_[id].begin(), readers_[id].end()},
                            .first_step = step,
                            .last_step = LastStep(id)});
    if (IsOutput(id)) kept_.insert(place_[id]);
  }

  bool IsOutput(ValueId id) const { return last_read_[id] == std::ssize(graph_.nodes); }

  int LastStep(ValueId id) const { return std::min<int>(last_read_[id], static_cast<int>(graph_.nodes.size()) - 1); }

  // The operand whose place the node's output takes, or kNoValue.
  ValueId Shared(int n, const DataFlow& flow) const {
    const Node& node = graph_.nodes[n];
    if (IsOneOf(kViews, node.op_type)) return IsComputed(node.inputs[0]) ? node.inputs[0] : kNoValue;
    if (!IsOneOf(kElementwise, node.op_type)) return kNoValue;
    for (const ValueId id : node.inputs) {
      if (IsComputed(id) && CanOverwrite(id, node.outputs[0], n, flow)) return id;
    }
    return kNoValue;
  }

  bool CanOverwrite(ValueId id, ValueId output, int n, const DataFlow& flow) const {
    const ActivationBuffer& buffer = flow.buffers[place_[id]];
    const bool is_last = buffer.last_step == n && last_read_[id] == n;
    return is_last && !kept_.contains(place_[id]) && buffer.elements == ElementsOf(output) &&
           std::ranges::equal(buffer.layers, readers_[output]);
  }

  void AddNode(int n, DataFlow& flow) {
    const Node& node = graph_.nodes[n];
    const ValueId shared = node.outputs.empty() || node.outputs[0] == kNoValue ? kNoValue : Shared(n, flow);
    for (size_t o = 0; o < node.outputs.size(); ++o) {
      const ValueId id = node.outputs[o];
      if (id == kNoValue) continue;
      if (o > 0 || shared == kNoValue) {
        Place(id, n, flow);
        continue;
      }
      place_[id] = place_[shared];
      if (IsOutput(id)) kept_.insert(place_[id]);
      ActivationBuffer& buffer = flow.buffers[place_[id]];
      buffer.last_step = std::max(buffer.last_step, LastStep(id));
      // A view may be read by others than what it is a view of.
      std::set<int> layers(buffer.layers.begin(), buffer.layers.end());
      layers.insert(readers_[id].begin(), readers_[id].end());
      buffer.layers.assign(layers.begin(), layers.end());
    }
  }

  std::vector<PrecisionBoundary> FindBoundaries() const {
    // By value: layers that it is computed from, none in between.
    std::vector<std::set<int>> writers(graph_.values.size());
    std::map<ValueId, int> layer_of;
    std::set<int> reads_points;  // layers that have an activation width
    for (size_t l = 0; l < graph_.layer_weights.size(); ++l) {
      layer_of[graph_.layer_weights[l].weight] = static_cast<int>(l);
    }
    for (const ActivationPoint& point : points_) reads_points.insert(point.layers.begin(), point.layers.end());
    for (const Node& node : graph_.nodes) {
      std::set<int> from;
      for (const ValueId id : node.inputs) {
        if (id != kNoValue) from.insert(writers[id].begin(), writers[id].end());
      }
      for (const ValueId id : node.inputs) {
        if (const auto layer = layer_of.find(id); layer != layer_of.end()) from = {layer->second};
      }
      for (const ValueId id : node.outputs) {
        if (id != kNoValue) writers[id] = from;
      }
    }
    std::map<std::pair<int, int>, int64_t> elements;
    for (const ActivationPoint& point : points_) {
      for (const int from : writers[point.value]) {
        const int to = point.layers.front();
        if (from != to && reads_points.contains(from)) elements[{from, to}] += ElementsOf(point.value);
      }
    }
    std::vector<PrecisionBoundary> boundaries;
    boundaries.reserve(elements.size());
    for (const auto& [pair, count] : elements) {
      boundaries.push_back({.from = pair.first, .to = pair.second, .elements = count});
    }
    return boundaries;
  }

  const Graph& graph_;
  const std::vector<Shape>& shapes_;
  int64_t samples_;
  std::vector<ActivationPoint> points_;
  std::vector<int> place_;  // of each value: index into buffers; -1: none (yet)
  std::vector<int> last_read_;
  std::set<int> kept_;  // places that hold graph inputs or outputs
  std::vector<std::set<int>> readers_;
};

}  // namespace

absl::StatusOr<DataFlow> FindDataFlow(const Graph& graph) {
  if (graph.nodes.empty()) return DataFlow{};
  BITPLAN_ASSIGN_OR_RETURN(const int64_t fixed_batch, FixedBatch(graph));
  const int64_t samples = std::max<int64_t>(fixed_batch, 1);
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<Shape> shapes, InferShapes(graph, samples));
  return FlowFinder(graph, shapes, samples).Run();
}

}  // namespace bitplan::ops
