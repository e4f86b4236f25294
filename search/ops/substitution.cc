#include "search/ops/substitution.h"

#include <algorithm>

namespace bitplan::ops {
namespace {

bool Any(const std::vector<bool>& flags, const std::vector<ValueId>& ids) {
  return std::ranges::any_of(ids, [&](ValueId id) { return id != kNoValue && flags[id]; });
}

}  // namespace

SubstitutedRuns::SubstitutedRuns(const Program& program, std::span<const Substitution> substitutions)
    : program_(program), substitutions_(substitutions), keeps_(program.shapes.size(), false) {
  if (!program.graph->inputs.empty()) batch_ = program.shapes[program.graph->inputs[0].value][0];
  for (const Substitution& substitution : substitutions) runs_.push_back(FindOwnRun(substitution));
  FindShared();
}

SubstitutedRuns::OwnRun SubstitutedRuns::FindOwnRun(const Substitution& substitution) const {
  const Graph& graph = *program_.graph;
  OwnRun run;
  std::vector<bool> changed(graph.values.size(), false);
  for (const auto& [layer, weight] : substitution.weights) changed[graph.layer_weights[layer].weight] = true;
  const auto copy_if_transformed = [&](ValueId id) {
    if (id == kNoValue || !substitution.transforms.contains(id)) return;
    run.copies.push_back(id);
    changed[id] = true;
  };
  for (const GraphInput& input : graph.inputs) copy_if_transformed(input.value);
  std::vector<bool> read(graph.values.size(), false);
  for (int s = 0; s < static_cast<int>(program_.steps.size()); ++s) {
    const Node& node = graph.nodes[program_.steps[s].node];
    if (!Any(changed, node.inputs)) {
      for (const ValueId id : node.outputs) copy_if_transformed(id);
      continue;
    }
    run.steps.push_back(s);
    for (const ValueId id : node.inputs) {
      if (id != kNoValue && !changed[id]) read[id] = true;
    }
    for (const ValueId id : node.outputs) {
      if (id != kNoValue) changed[id] = true;
    }
  }
  for (const ValueId id : run.copies) read[id] = true;
  if (!changed[program_.output]) read[program_.output] = true;
  for (ValueId id = 0; id < static_cast<ValueId>(read.size()); ++id) {
    if (read[id]) run.reads.push_back(id);
  }
  return run;
}

void SubstitutedRuns::FindShared() {
  const Graph& graph = *program_.graph;
  for (const OwnRun& run : runs_) {
    for (const ValueId id : run.reads) keeps_[id] = true;
  }
  std::vector<bool> needed = keeps_;
  for (int s = static_cast<int>(program_.steps.size()) - 1; s >= 0; --s) {
    const Node& node = graph.nodes[program_.steps[s].node];
    if (!Any(needed, node.outputs)) continue;
    shared_steps_.push_back(s);
    for (const ValueId id : node.inputs) {
      if (id != kNoValue) needed[id] = true;
    }
  }
  std::ranges::reverse(shared_steps_);
}

void SubstitutedRuns::RunShared(const Feed& feed, TensorSet& shared) const {
  shared.Clear();
  BindFeed(program_, feed, shared);
  for (const int s : shared_steps_) {
    RunStep(program_, s, shared);
    for (const ValueId id : program_.last_reads[s]) {
      if (!keeps_[id]) shared.Release(id);
    }
  }
}

std::span<const float> SubstitutedRuns::Run(int k, const TensorSet& shared, int64_t first, TensorSet& own) const {
  const Graph& graph = *program_.graph;
  const Substitution& substitution = substitutions_[k];
  const OwnRun& run = runs_[k];
  own.Clear();
  const auto transform = [&](ValueId id, std::span<float> values) {
    const auto found = substitution.transforms.find(id);
    if (found != substitution.transforms.end()) found->second(values, first, batch_);
  };
  for (const ValueId id : run.reads) own.Bind(id, shared.view(id));
  for (const auto& [layer, weight] : substitution.weights) own.Bind(graph.layer_weights[layer].weight, weight);
  for (const ValueId id : run.copies) {
    const std::span<float> copy = own.Claim(id);
    std::ranges::copy(shared.view(id), copy.begin());
    transform(id, copy);
  }
  for (const int s : run.steps) {
    RunStep(program_, s, own);
    for (const ValueId id : graph.nodes[program_.steps[s].node].outputs) {
      if (id != kNoValue && substitution.transforms.contains(id)) transform(id, own.Claim(id));
    }
    for (const ValueId id : program_.last_reads[s]) own.Release(id);
  }
  return own.view(program_.output);
}

}  // namespace bitplan::ops
