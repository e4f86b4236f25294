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

// Whether the node makes the loss's probabilities of the loss's logits.
bool IsLinkOf(const SampleLoss& loss, const Graph& graph, const Node& node, const Shape& in) {
  if (node.op_type != loss.entry().link) return false;
  if (node.op_type == "Sigmoid") return true;
  const absl::StatusOr<SoftmaxLanes> lanes = FindSoftmaxLanes(node, graph.opset_version, in);
  return lanes.ok() && lanes->axis > 0 && lanes->size == loss.width() && lanes->inner == loss.entry_stride();
}

}  // namespace

LossInput FindLossInput(const Graph& graph, const std::vector<Shape>& shapes, const SampleLoss& loss) {
  const LossInput as_it_is{.value = graph.outputs[0]};
  const Node* last = loss.entry().link.empty() ? nullptr : FindLastNode(graph);
  if (last == nullptr || (last->op_type != "Softmax" && last->op_type != "Sigmoid")) return as_it_is;
  const ValueId logits = last->inputs[0];
  const Shape& in = shapes[logits];
  const Shape& out = shapes[graph.outputs[0]];
  if (!in.empty() && !out.empty() && in[0] == out[0] && IsLinkOf(loss, graph, *last, in)) {
    return {.value = logits,
            .note = fmt::format("the network ends in {} ('{}'); {} is taken on its input", last->op_type, last->name,
                                loss.name())};
  }
  return {.value = graph.outputs[0],
          .note = fmt::format("the network ends in {} ('{}'), whose values are no logits; {} takes them as logits all "
                              "the same, which is hardly the loss it was trained with",
                              last->op_type, last->name, loss.name())};
}

}  // namespace bitplan::ops
