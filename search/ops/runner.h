#ifndef BITPLAN_SEARCH_OPS_RUNNER_H_
#define BITPLAN_SEARCH_OPS_RUNNER_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "search/ops/executor.h"

namespace bitplan::ops {

// Buffers of one run at a time.
struct Workspace {
  explicit Workspace(const Program& program, std::shared_ptr<BufferPool> pool = std::make_shared<BufferPool>())
      : primals(program, pool), tangents(program, pool) {}

  Primals primals;
  Tangents tangents;
};

// A program and the workspaces that wait for its next run, so that buffers are allocated once a thread.
class Runner {
 public:
  // `points`: values that active_with_points holds besides.
  explicit Runner(Program program, std::span<const ValueId> points = {});

  const Program& program() const { return program_; }
  const Shape& output_shape() const { return program_.shapes[program_.output]; }
  // Of layer i, or of all layers together.
  const Activity& active(std::optional<int> layer) const { return layer ? active_layers_[*layer] : active_; }
  // Of all layers together, the weights themselves left out: all gradients that Hessian products read.
  const Activity& active_inside() const { return active_inside_; }
  // The same with the weights that are read more than once; for BackwardByLayer.
  const Activity& active_by_layer() const { return active_by_layer_; }
  // The same with the points.
  const Activity& active_with_points() const { return active_with_points_; }
  const LayerReads& layer_reads() const { return layer_reads_; }
  // What cached primals of one shard take.
  int64_t num_primal_bytes() const { return program_.num_kept_elements() * static_cast<int64_t>(sizeof(float)); }

  // A workspace of the caller's own until it is given back. Thread-safe.
  std::unique_ptr<Workspace> Take();
  void Return(std::unique_ptr<Workspace> workspace);

 private:
  Program program_;
  std::vector<Activity> active_layers_;
  Activity active_;
  Activity active_inside_;
  Activity active_by_layer_;
  Activity active_with_points_;
  LayerReads layer_reads_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Workspace>> idle_;
};

}  // namespace bitplan::ops

#endif  // BITPLAN_SEARCH_OPS_RUNNER_H_
