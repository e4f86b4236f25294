#include "search/ops/executor.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "search/base/status.h"
#include "search/ops/infer_shapes.h"
#include "search/ops/op_table.h"

namespace bitplan::ops {
namespace {

// By node: whether outputs[0] depends on it.
std::vector<bool> FindNeeded(const Graph& graph) {
  std::vector<bool> value_needed(graph.values.size(), false);
  std::vector<bool> node_needed(graph.nodes.size(), false);
  value_needed[graph.outputs[0]] = true;
  for (size_t i = graph.nodes.size(); i-- > 0;) {
    const Node& node = graph.nodes[i];
    node_needed[i] = std::ranges::any_of(node.outputs, [&](ValueId id) { return id != kNoValue && value_needed[id]; });
    if (!node_needed[i]) continue;
    for (const ValueId id : node.inputs) {
      if (id != kNoValue) value_needed[id] = true;
    }
  }
  return node_needed;
}

// Tensors of a node by position, as operators take them.
template <typename Set>
std::vector<std::span<const float>> Gather(const Set& set, const std::vector<ValueId>& ids) {
  std::vector<std::span<const float>> views;
  views.reserve(ids.size());
  for (const ValueId id : ids) views.push_back(set.view(id));
  return views;
}

bool AnyActive(const Activity& active, const std::vector<ValueId>& ids) {
  return std::ranges::any_of(ids, [&](ValueId id) { return id != kNoValue && active[id]; });
}

}  // namespace

absl::StatusOr<Program> Program::Compile(const Graph& graph, int64_t batch) {
  if (graph.outputs.empty()) return InvalidArgument("the network has no output");
  Program program{.graph = &graph, .output = graph.outputs[0]};
  BITPLAN_ASSIGN_OR_RETURN(program.shapes, InferShapes(graph, batch));
  const std::vector<bool> needed = FindNeeded(graph);
  for (int i = 0; i < static_cast<int>(graph.nodes.size()); ++i) {
    if (!needed[i]) continue;
    BITPLAN_ASSIGN_OR_RETURN(std::unique_ptr<Operator> op, MakeOperator(graph, i, program.shapes));
    program.steps.push_back(Step{.node = i, .op = std::move(op)});
  }
  if (program.steps.empty()) {
    return InvalidArgument("output '{}' is not computed by any node", graph.values[program.output].name);
  }
  return program;
}

int64_t Program::num_elements() const {
  int64_t sum = 0;
  for (const Step& step : steps) {
    for (const Shape& shape : step.op->output_shapes()) sum += NumElements(shape);
  }
  return sum;
}

Activity FindActive(const Program& program, std::span<const ValueId> weights) {
  const std::vector<Node>& nodes = program.graph->nodes;
  Activity depends(program.shapes.size(), false);  // on a weight
  for (const ValueId id : weights) depends[id] = true;
  for (const Program::Step& step : program.steps) {
    if (!AnyActive(depends, nodes[step.node].inputs)) continue;
    for (const ValueId id : nodes[step.node].outputs) {
      if (id != kNoValue) depends[id] = true;
    }
  }
  Activity active(program.shapes.size(), false);
  active[program.output] = depends[program.output];
  for (auto step = program.steps.rbegin(); step != program.steps.rend(); ++step) {
    if (!AnyActive(active, nodes[step->node].outputs)) continue;
    for (const ValueId id : nodes[step->node].inputs) {
      if (id != kNoValue && depends[id]) active[id] = true;
    }
  }
  return active;
}

std::span<float> Executor::TensorSet::Claim(ValueId id) {
  FloatVector& buffer = storage_[id];
  if (buffer.empty()) buffer = FloatVector(NumElements(program_->shapes[id]));
  views_[id] = buffer;
  return buffer;
}

// A value's first gradient goes into its buffer, later ones (other readers, or the same node reading it twice) go
// through scratch and are added by Merge.
class Executor::GradientSink {
 public:
  template <typename Wanted>
  GradientSink(TensorSet& set, std::vector<FloatVector>& scratch, const Node& node, Wanted wanted)
      : set_(set), ids_(node.inputs), spans_(node.inputs.size()) {
    if (scratch.size() < ids_.size()) scratch.resize(ids_.size());
    for (size_t i = 0; i < ids_.size(); ++i) {
      if (ids_[i] == kNoValue || !wanted(ids_[i])) continue;
      is_wanted_ = true;
      if (set_.has(ids_[i])) {
        const size_t size = set_.view(ids_[i]).size();
        if (scratch[i].size() < size) scratch[i] = FloatVector(size);
        spans_[i] = std::span<float>(scratch[i]).first(size);
        to_add_.push_back(i);
      } else {
        spans_[i] = set_.Claim(ids_[i]);
      }
    }
  }

  bool is_wanted() const { return is_wanted_; }
  Writes spans() const { return spans_; }
  void Merge() {
    for (const size_t i : to_add_) {
      const std::span<float> sum = set_.Claim(ids_[i]);
      for (size_t k = 0; k < sum.size(); ++k) sum[k] += spans_[i][k];
    }
  }

 private:
  TensorSet& set_;
  const std::vector<ValueId>& ids_;
  std::vector<std::span<float>> spans_;
  std::vector<size_t> to_add_;
  bool is_wanted_ = false;
};

Executor::Executor(const Program& program)
    : program_(&program),
      is_weight_(program.shapes.size(), false),
      values_(program),
      tangents_(program),
      gradients_(program),
      gradient_tangents_(program) {
  for (const LayerWeight& weight : program.graph->layer_weights) is_weight_[weight.weight] = true;
}

void Executor::Forward(const Feed& feed) {
  const Graph& graph = *program_->graph;
  values_.Clear();
  for (size_t id = 0; id < graph.values.size(); ++id) {
    if (const auto* tensor = std::get_if<Tensor>(&graph.values[id].constant)) {
      values_.Bind(static_cast<ValueId>(id), tensor->data);
    }
  }
  for (size_t i = 0; i < feed.inputs.size(); ++i) values_.Bind(graph.inputs[i].value, feed.inputs[i]);
  for (size_t i = 0; i < feed.weights.size(); ++i) values_.Bind(graph.layer_weights[i].weight, feed.weights[i]);
  for (const Program::Step& step : program_->steps) {
    const Node& node = graph.nodes[step.node];
    std::vector<std::span<float>> y;
    for (const ValueId id : node.outputs) y.push_back(id == kNoValue ? std::span<float>() : values_.Claim(id));
    step.op->Forward(Gather(values_, node.inputs), y);
  }
}

void Executor::ForwardTangent(const Activity& active, const std::vector<std::span<const float>>& weight_tangents) {
  const Graph& graph = *program_->graph;
  tangents_.Clear();
  for (size_t i = 0; i < weight_tangents.size(); ++i) {
    const ValueId id = graph.layer_weights[i].weight;
    if (active[id]) tangents_.Bind(id, weight_tangents[i]);
  }
  for (const Program::Step& step : program_->steps) {
    const Node& node = graph.nodes[step.node];
    if (!AnyActive(active, node.outputs)) continue;
    const auto x = Gather(values_, node.inputs);
    const auto y = Gather(values_, node.outputs);
    std::vector<std::span<float>> y_dot;
    for (const ValueId id : node.outputs) {
      y_dot.push_back(id != kNoValue && active[id] ? tangents_.Claim(id) : std::span<float>());
    }
    step.op->Jvp({x, y}, Gather(tangents_, node.inputs), y_dot);
  }
}

void Executor::Backward(const Activity& active, std::span<const float> output_gradient) {
  const Graph& graph = *program_->graph;
  gradients_.Clear();
  if (active[program_->output]) gradients_.Bind(program_->output, output_gradient);
  for (auto step = program_->steps.rbegin(); step != program_->steps.rend(); ++step) {
    const Node& node = graph.nodes[step->node];
    if (!AnyActive(active, node.outputs)) continue;
    GradientSink sink(gradients_, scratch_, node, [&](ValueId id) { return active[id]; });
    const auto x = Gather(values_, node.inputs);
    const auto y = Gather(values_, node.outputs);
    step->op->Vjp({x, y}, Gather(gradients_, node.outputs), sink.spans());
    sink.Merge();
  }
}

void Executor::BackwardTangent(const Activity& active, std::span<const float> output_gradient,
                               std::span<const float> output_gradient_tangent) {
  const Graph& graph = *program_->graph;
  gradients_.Clear();
  gradient_tangents_.Clear();
  if (active[program_->output]) {
    gradients_.Bind(program_->output, output_gradient);
    gradient_tangents_.Bind(program_->output, output_gradient_tangent);
  }
  for (auto step = program_->steps.rbegin(); step != program_->steps.rend(); ++step) {
    const Node& node = graph.nodes[step->node];
    if (!AnyActive(active, node.outputs)) continue;
    const auto x = Gather(values_, node.inputs);
    const auto y = Gather(values_, node.outputs);
    const auto y_bar = Gather(gradients_, node.outputs);
    GradientSink sink(gradients_, scratch_, node, [&](ValueId id) { return active[id] && !is_weight_[id]; });
    if (sink.is_wanted()) step->op->Vjp({x, y}, y_bar, sink.spans());
    sink.Merge();
    GradientSink tangent_sink(gradient_tangents_, scratch_, node, [&](ValueId id) { return active[id]; });
    step->op->VjpTangent({x, y}, Gather(tangents_, node.inputs), y_bar, Gather(gradient_tangents_, node.outputs),
                         tangent_sink.spans());
    tangent_sink.Merge();
  }
}

std::optional<std::string> Executor::FirstNonFinite() const {
  const Graph& graph = *program_->graph;
  for (const Program::Step& step : program_->steps) {
    const Node& node = graph.nodes[step.node];
    for (const ValueId id : node.outputs) {
      if (!std::ranges::all_of(values_.view(id), [](float v) { return std::isfinite(v); })) {
        return fmt::format("nodes[{}] '{}' ({})", step.node, node.name, node.op_type);
      }
    }
  }
  return std::nullopt;
}

}  // namespace bitplan::ops
