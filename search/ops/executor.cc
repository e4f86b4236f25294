#include "search/ops/executor.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "search/base/status.h"
#include "search/ops/infer_shapes.h"
#include "search/ops/op_table.h"

namespace bitplan::ops {
namespace {

// By node: whether `output` depends on it.
std::vector<bool> FindNeeded(const Graph& graph, ValueId output) {
  std::vector<bool> value_needed(graph.values.size(), false);
  std::vector<bool> node_needed(graph.nodes.size(), false);
  value_needed[output] = true;
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

// Nodes have few tensors: no allocation for them.
template <typename T>
using Few = absl::InlinedVector<T, 8>;

// Tensors of a node by position, as operators take them.
Few<std::span<const float>> Gather(const TensorSet& set, const std::vector<ValueId>& ids) {
  Few<std::span<const float>> views;
  for (const ValueId id : ids) views.push_back(set.view(id));
  return views;
}

void Mark(const std::vector<ValueId>& ids, bool Program::Lifetime::*what, std::vector<Program::Lifetime>& lifetimes) {
  for (const ValueId id : ids) {
    if (id != kNoValue) lifetimes[id].*what = true;
  }
}

std::vector<Program::Lifetime> FindLifetimes(const Program& program) {
  std::vector<Program::Lifetime> lifetimes(program.shapes.size());
  for (const Program::Step& step : program.steps) {
    const Node& node = program.graph->nodes[step.node];
    if (step.op->reads_x()) Mark(node.inputs, &Program::Lifetime::value, lifetimes);
    if (step.op->reads_y()) Mark(node.outputs, &Program::Lifetime::value, lifetimes);
    if (!step.op->bends()) continue;
    Mark(node.inputs, &Program::Lifetime::tangent, lifetimes);
    Mark(node.outputs, &Program::Lifetime::gradient, lifetimes);
  }
  return lifetimes;
}

// By step: computed values but the output that no later step reads.
std::vector<std::vector<ValueId>> FindLastReads(const Program& program) {
  std::map<ValueId, size_t> last;
  for (size_t s = 0; s < program.steps.size(); ++s) {
    const Node& node = program.graph->nodes[program.steps[s].node];
    for (const ValueId id : node.outputs) last[id] = s;
    for (const ValueId id : node.inputs) {
      if (const auto found = last.find(id); found != last.end()) found->second = s;
    }
  }
  std::vector<std::vector<ValueId>> reads(program.steps.size());
  for (const auto& [id, step] : last) {
    if (id != kNoValue && id != program.output) reads[step].push_back(id);
  }
  return reads;
}

bool AnyActive(const Activity& active, const std::vector<ValueId>& ids) {
  return std::ranges::any_of(ids, [&](ValueId id) { return id != kNoValue && active[id]; });
}

// A value's first gradient goes into its buffer, later ones (other readers, or the same node reading it twice) go
// through scratch and are added by Merge.
class GradientSink {
 public:
  explicit GradientSink(TensorSet& set) : set_(set) {}

  // Buffers for the active inputs of a node, by position; empty for the others.
  Writes Open(const std::vector<ValueId>& ids, const Activity& active) {
    ids_ = &ids;
    spans_.assign(ids.size(), {});
    for (size_t i = 0; i < ids.size(); ++i) {
      if (ids[i] == kNoValue || !active[ids[i]]) continue;
      if (set_.has(ids[i])) {
        to_add_.push_back({.input = i, .buffer = set_.pool().Take(static_cast<int64_t>(set_.view(ids[i]).size()))});
        spans_[i] = to_add_.back().buffer;
      } else {
        spans_[i] = set_.Claim(ids[i]);
      }
    }
    return spans_;
  }

  void Merge() {
    for (Addend& addend : to_add_) {
      const std::span<float> sum = set_.Claim((*ids_)[addend.input]);
      for (size_t k = 0; k < sum.size(); ++k) sum[k] += addend.buffer[k];
      set_.pool().Give(std::move(addend.buffer));
    }
    to_add_.clear();
  }

 private:
  struct Addend {
    size_t input = 0;
    FloatVector buffer;
  };

  TensorSet& set_;
  const std::vector<ValueId>* ids_ = nullptr;
  Few<std::span<float>> spans_;
  Few<Addend> to_add_;
};

double SquaredNorm(std::span<const float> v) {
  double sum = 0;
  for (const float entry : v) sum += static_cast<double>(entry) * entry;
  return sum;
}

// Gradients of all active values. Those of a node's outputs are done with when its turn is over: done(outputs).
template <typename Done>
void RunBackward(const Program& program, const Activity& active, const TensorSet& values, TensorSet& gradients,
                 Done done) {
  const Graph& graph = *program.graph;
  gradients.Clear(program.output);
  GradientSink sink(gradients);
  for (auto step = program.steps.rbegin(); step != program.steps.rend(); ++step) {
    const Node& node = graph.nodes[step->node];
    if (AnyActive(active, node.outputs) && AnyActive(active, node.inputs)) {
      const auto x = Gather(values, node.inputs);
      const auto y = Gather(values, node.outputs);
      step->op->Vjp({x, y}, Gather(gradients, node.outputs), sink.Open(node.inputs, active));
      sink.Merge();
    }
    done(node.outputs);
  }
}

void Release(const std::vector<ValueId>& ids, TensorSet& set) {
  for (const ValueId id : ids) {
    if (id != kNoValue) set.Release(id);
  }
}

}  // namespace

absl::StatusOr<Program> Program::Compile(const Graph& graph, int64_t batch, ValueId output) {
  if (graph.outputs.empty()) return InvalidArgument("the network has no output");
  Program program{.graph = &graph, .output = output == kNoValue ? graph.outputs[0] : output};
  BITPLAN_ASSIGN_OR_RETURN(program.shapes, InferShapes(graph, batch));
  const std::vector<bool> needed = FindNeeded(graph, program.output);
  for (int i = 0; i < static_cast<int>(graph.nodes.size()); ++i) {
    if (!needed[i]) continue;
    BITPLAN_ASSIGN_OR_RETURN(std::unique_ptr<Operator> op, MakeOperator(graph, i, program.shapes));
    program.steps.push_back(Step{.node = i, .op = std::move(op)});
  }
  program.lifetimes = FindLifetimes(program);
  program.last_reads = FindLastReads(program);
  if (program.steps.empty()) {
    return InvalidArgument("output '{}' is not computed by any node", graph.values[program.output].name);
  }
  return program;
}

int64_t Program::num_kept_elements() const {
  int64_t sum = 0;
  for (const Step& step : steps) {
    for (const ValueId id : graph->nodes[step.node].outputs) {
      if (id != kNoValue) sum += (lifetimes[id].value + lifetimes[id].gradient) * NumElements(shapes[id]);
    }
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

FloatVector BufferPool::Take(int64_t size) {
  std::vector<FloatVector>& waiting = waiting_[size];
  if (waiting.empty()) return FloatVector(size);
  FloatVector buffer = std::move(waiting.back());
  waiting.pop_back();
  return buffer;
}

void BufferPool::Give(FloatVector buffer) {
  std::vector<FloatVector>& waiting = waiting_[static_cast<int64_t>(buffer.size())];
  waiting.push_back(std::move(buffer));
}

void TensorSet::Clear(ValueId kept) {
  for (size_t id = 0; id < storage_.size(); ++id) {
    if (static_cast<ValueId>(id) != kept) Release(static_cast<ValueId>(id));
  }
}

void TensorSet::Release(ValueId id) {
  views_[id] = {};
  if (!storage_[id].empty()) pool_->Give(std::exchange(storage_[id], {}));
}

std::span<float> TensorSet::Claim(ValueId id) {
  FloatVector& buffer = storage_[id];
  if (buffer.empty()) buffer = pool_->Take(NumElements(program_->shapes[id]));
  views_[id] = buffer;
  return buffer;
}

void BindFeed(const Program& program, const Feed& feed, TensorSet& values) {
  const Graph& graph = *program.graph;
  for (size_t id = 0; id < graph.values.size(); ++id) {
    if (const auto* tensor = std::get_if<Tensor>(&graph.values[id].constant)) {
      values.Bind(static_cast<ValueId>(id), tensor->data);
    }
  }
  for (size_t i = 0; i < feed.inputs.size(); ++i) values.Bind(graph.inputs[i].value, feed.inputs[i]);
  for (size_t i = 0; i < feed.weights.size(); ++i) values.Bind(graph.layer_weights[i].weight, feed.weights[i]);
}

void RunStep(const Program& program, int s, TensorSet& values) {
  const Node& node = program.graph->nodes[program.steps[s].node];
  Few<std::span<float>> y;
  for (const ValueId id : node.outputs) y.push_back(id == kNoValue ? std::span<float>() : values.Claim(id));
  program.steps[s].op->Forward(Gather(values, node.inputs), y);
}

void Forward(const Program& program, const Feed& feed, KeepValues keep, Primals& primals) {
  TensorSet& values = primals.values;
  values.Clear();
  BindFeed(program, feed, values);
  for (int s = 0; s < static_cast<int>(program.steps.size()); ++s) {
    RunStep(program, s, values);
    if (keep == KeepValues::kAll) continue;
    for (const ValueId id : program.last_reads[s]) {
      if (keep == KeepValues::kNone || !program.lifetimes[id].value) values.Release(id);
    }
  }
}

void Backward(const Program& program, const Activity& active, const TensorSet& values, TensorSet& gradients) {
  RunBackward(program, active, values, gradients, [&](const std::vector<ValueId>& done) { Release(done, gradients); });
}

void BackwardForTangents(const Program& program, const Activity& active, Primals& primals) {
  RunBackward(program, active, primals.values, primals.gradients, [&](const std::vector<ValueId>& done) {
    for (const ValueId id : done) {
      if (id != kNoValue && !program.lifetimes[id].gradient) primals.gradients.Release(id);
    }
  });
}

void BackwardLast(const Program& program, const Activity& active, Primals& primals) {
  RunBackward(program, active, primals.values, primals.gradients, [&](const std::vector<ValueId>& done) {
    Release(done, primals.gradients);
    Release(done, primals.values);
  });
}

LayerReads FindLayerReads(const Program& program) {
  const Graph& graph = *program.graph;
  std::map<ValueId, int> layer_of;
  for (size_t l = 0; l < graph.layer_weights.size(); ++l) layer_of[graph.layer_weights[l].weight] = static_cast<int>(l);
  std::vector<int> num_readers(graph.layer_weights.size(), 0);
  LayerReads reads;
  reads.alone.resize(program.steps.size());
  for (size_t s = 0; s < program.steps.size(); ++s) {
    const std::vector<ValueId>& inputs = graph.nodes[program.steps[s].node].inputs;
    for (size_t i = 0; i < inputs.size(); ++i) {
      const auto found = layer_of.find(inputs[i]);
      if (found == layer_of.end()) continue;
      ++num_readers[found->second];
      reads.alone[s].push_back({.input = static_cast<int>(i), .layer = found->second});
    }
  }
  for (auto& of_step : reads.alone) {
    std::erase_if(of_step, [&](const LayerReads::Read& read) { return num_readers[read.layer] > 1; });
  }
  for (size_t l = 0; l < num_readers.size(); ++l) {
    if (num_readers[l] > 1) reads.shared.push_back(static_cast<int>(l));
  }
  return reads;
}

void BackwardByLayer(const Program& program, const Activity& active, const LayerReads& reads, const TensorSet& values,
                     TensorSet& gradients, const LayerVisits& visits) {
  const Graph& graph = *program.graph;
  const VisitLayer& visit = visits.visit_layer;
  const auto visit_value = [&](ValueId id) {
    if (id != kNoValue && gradients.has(id) && visits.visit_value) visits.visit_value(id, gradients.view(id));
  };
  gradients.Clear(program.output);
  GradientSink sink(gradients);
  for (size_t s = program.steps.size(); s-- > 0;) {
    const Operator& op = *program.steps[s].op;
    const Node& node = graph.nodes[program.steps[s].node];
    const auto y_bar = Gather(gradients, node.outputs);
    if (std::ranges::all_of(y_bar, [](std::span<const float> g) { return g.empty(); })) continue;
    std::ranges::for_each(node.outputs, visit_value);  // all readers have added theirs
    const auto x = Gather(values, node.inputs);
    const auto y = Gather(values, node.outputs);
    const Writes opened = sink.Open(node.inputs, active);
    Few<std::span<float>> x_bar(opened.begin(), opened.end());
    Few<LayerReads::Read> to_visit;
    Few<FloatVector> buffers;
    for (const LayerReads::Read& read : reads.alone[s]) {
      std::optional<double> squared_norm;
      if (!visits.wants_gradient[read.layer]) squared_norm = op.WeightGradientSquaredNorm(x, y_bar, read.input);
      if (squared_norm) {
        visit(read.layer, {}, *squared_norm);
        continue;
      }
      buffers.push_back(gradients.pool().Take(static_cast<int64_t>(x[read.input].size())));
      x_bar[read.input] = buffers.back();
      to_visit.push_back(read);
    }
    if (std::ranges::any_of(x_bar, [](std::span<float> g) { return !g.empty(); })) op.Vjp({x, y}, y_bar, x_bar);
    sink.Merge();
    for (const auto& [input, layer] : to_visit) visit(layer, x_bar[input], SquaredNorm(x_bar[input]));
    for (FloatVector& buffer : buffers) gradients.pool().Give(std::move(buffer));
    Release(node.outputs, gradients);
  }
  for (const GraphInput& input : graph.inputs) visit_value(input.value);
  for (const int layer : reads.shared) {
    const std::span<const float> gradient = gradients.view(graph.layer_weights[layer].weight);
    if (!gradient.empty()) visit(layer, gradient, SquaredNorm(gradient));
  }
}

void ForwardTangent(const Program& program, const Activity& active,
                    const std::vector<std::span<const float>>& weight_tangents, const Primals& primals,
                    Tangents& tangents) {
  const Graph& graph = *program.graph;
  tangents.values.Clear();
  for (size_t i = 0; i < weight_tangents.size(); ++i) {
    const ValueId id = graph.layer_weights[i].weight;
    if (active[id]) tangents.values.Bind(id, weight_tangents[i]);
  }
  for (size_t s = 0; s < program.steps.size(); ++s) {
    const Node& node = graph.nodes[program.steps[s].node];
    if (AnyActive(active, node.outputs)) {
      const auto x = Gather(primals.values, node.inputs);
      const auto y = Gather(primals.values, node.outputs);
      Few<std::span<float>> y_dot;
      for (const ValueId id : node.outputs) {
        y_dot.push_back(id != kNoValue && active[id] ? tangents.values.Claim(id) : std::span<float>());
      }
      program.steps[s].op->Jvp({x, y}, Gather(tangents.values, node.inputs), y_dot);
    }
    for (const ValueId id : program.last_reads[s]) {
      if (!program.lifetimes[id].tangent) tangents.values.Release(id);
    }
  }
}

void BackwardTangent(const Program& program, const Activity& active, const Primals& primals, Tangents& tangents) {
  const Graph& graph = *program.graph;
  tangents.gradients.Clear(program.output);
  GradientSink sink(tangents.gradients);
  for (auto step = program.steps.rbegin(); step != program.steps.rend(); ++step) {
    const Node& node = graph.nodes[step->node];
    Release(node.outputs, tangents.values);
    if (AnyActive(active, node.outputs)) {
      const auto x = Gather(primals.values, node.inputs);
      const auto y = Gather(primals.values, node.outputs);
      step->op->VjpTangent({x, y}, Gather(tangents.values, node.inputs), Gather(primals.gradients, node.outputs),
                           Gather(tangents.gradients, node.outputs), sink.Open(node.inputs, active));
      sink.Merge();
    }
    Release(node.outputs, tangents.gradients);
  }
}

std::optional<std::string> FirstNonFinite(const Program& program, const Primals& primals) {
  const auto is_finite = [](std::span<const float> values) {
    return std::ranges::all_of(values, [](float v) { return std::isfinite(v); });
  };
  for (const Program::Step& step : program.steps) {
    const Node& node = program.graph->nodes[step.node];
    const bool masked = !std::ranges::all_of(Gather(primals.values, node.inputs), is_finite);
    for (const ValueId id : node.outputs) {
      const std::span<const float> values = primals.values.view(id);
      const bool has_nan = std::ranges::any_of(values, [](float v) { return std::isnan(v); });
      if (has_nan || (!masked && !is_finite(values))) {
        return fmt::format("nodes[{}] '{}' ({})", step.node, node.name, node.op_type);
      }
    }
  }
  return std::nullopt;
}

}  // namespace bitplan::ops
