#include "search/ops/loss_input.h"

#include <algorithm>
#include <array>

#include "search/base/status.h"
#include "search/ops/softmax_lanes.h"

namespace bitplan::ops {
namespace {

// Operators whose output has the elements of input 0 in their order.
constexpr auto kReshapes =
    std::to_array<std::string_view>({"Dropout", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"});

// The node that computes the elements of outputs[0]; null if it is an input of the graph.
const Node* FindLastNode(const Graph& graph) {
  ValueId id = graph.outputs[0];
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    if (std::ranges::find(node->outputs, id) == node->outputs.end()) continue;
    if (std::ranges::find(kReshapes, node->op_type) == kReshapes.end()) return &*node;
    id = node->inputs[0];
  }
  return nullptr;
}

// Whether the Softmax runs over all that it has of each sample, and the reshapes behind it left the samples alone.
bool RunsOverClasses(const Graph& graph, const Node& softmax, const Shape& in, const Shape& out) {
  const absl::StatusOr<SoftmaxLanes> lanes = FindSoftmaxLanes(softmax, graph.opset_version, in);
  return lanes.ok() && lanes->axis > 0 && lanes->outer == in[0] && lanes->inner == 1 && !out.empty() && out[0] == in[0];
}

}  // namespace

LossInput FindLossInput(const Graph& graph, const std::vector<Shape>& shapes, const LossEntry& loss) {
  const LossInput as_it_is{.value = graph.outputs[0]};
  const Node* last = loss.takes_logits ? FindLastNode(graph) : nullptr;
  if (last == nullptr || (last->op_type != "Softmax" && last->op_type != "Sigmoid")) return as_it_is;
  const ValueId logits = last->inputs[0];
  if (last->op_type == "Softmax" && RunsOverClasses(graph, *last, shapes[logits], shapes[graph.outputs[0]])) {
    return {.value = logits,
            .note = fmt::format("the network ends in Softmax ('{}'); {} is taken on its input", last->name, loss.name)};
  }
  return {.value = graph.outputs[0],
          .note = fmt::format("the network ends in {} ('{}'), whose values are no logits; {} takes them as logits all "
                              "the same, which is hardly the loss it was trained with",
                              last->op_type, last->name, loss.name)};
}

}  // namespace bitplan::ops
