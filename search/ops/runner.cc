#include "search/ops/runner.h"

#include <utility>

namespace bitplan::ops {

Runner::Runner(Program program, std::span<const ValueId> points) : program_(std::move(program)) {
  std::vector<ValueId> weights;
  for (const LayerWeight& layer : program_.graph->layer_weights) {
    weights.push_back(layer.weight);
    active_layers_.push_back(FindActive(program_, {&weights.back(), 1}));
  }
  active_ = FindActive(program_, weights);
  active_inside_ = active_;
  for (const ValueId weight : weights) active_inside_[weight] = false;
  layer_reads_ = FindLayerReads(program_);
  active_by_layer_ = active_inside_;
  for (const int layer : layer_reads_.shared) active_by_layer_[weights[layer]] = active_[weights[layer]];
  active_with_points_ = FindActive(program_, points);
  for (size_t id = 0; id < active_.size(); ++id)
    active_with_points_[id] = active_with_points_[id] || active_by_layer_[id];
  for (const ValueId point : points) program_.lifetimes[point].value = true;  // for whoever takes its gradient
}

std::unique_ptr<Workspace> Runner::Take() {
  const std::lock_guard lock(mutex_);
  if (idle_.empty()) return std::make_unique<Workspace>(program_);
  std::unique_ptr<Workspace> workspace = std::move(idle_.back());
  idle_.pop_back();
  return workspace;
}

void Runner::Return(std::unique_ptr<Workspace> workspace) {
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(workspace));
}

}  // namespace bitplan::ops
