#ifndef BITPLAN_SEARCH_OPS_SUBSTITUTION_H_
#define BITPLAN_SEARCH_OPS_SUBSTITUTION_H_

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <vector>

#include "search/graph/graph.h"
#include "search/ops/executor.h"

namespace bitplan {

// What a simulated run changes of a network: some layers' weights, and some tensors right after they are computed (or
// fed in). Whoever reads a changed tensor sees the change.
struct Substitution {
  // Works on a tensor in place: `values` belongs to samples first_sample .. first_sample + num_samples - 1. Called from
  // several threads for different samples. What it gives may not depend on how samples are grouped, else results depend
  // on samples_per_shard.
  using Transform = std::function<void(std::span<float> values, int64_t first_sample, int64_t num_samples)>;

  std::map<int, std::span<const float>> weights;  // by layer, as many as the layer has; must outlive the run
  std::map<ValueId, Transform> transforms;        // of float graph inputs or computed values
};

namespace ops {

// How to run a program under each of several substitutions with as little work as possible: values that no change
// reaches are computed once (RunShared) and each substitution computes only what depends on its own changes (Run). For
// single layers of a chain of equal layers this halves the work, for the last layers it leaves almost none.
//
// The results have the bits of a whole run: the same operators run on the same values.
class SubstitutedRuns {
 public:
  // `program` and `substitutions` must outlive the result.
  SubstitutedRuns(const Program& program, std::span<const Substitution> substitutions);

  // Computes what the substitutions read of the unchanged network.
  void RunShared(const Feed& feed, TensorSet& shared) const;
  // The program's output under substitution k, valid until `own` changes. `shared` is from RunShared, `first` the
  // number of the first sample.
  std::span<const float> Run(int k, const TensorSet& shared, int64_t first, TensorSet& own) const;

  // Steps that Run(k) computes, and RunShared.
  int64_t num_own_steps(int k) const { return static_cast<int64_t>(runs_[k].steps.size()); }
  int64_t num_shared_steps() const { return static_cast<int64_t>(shared_steps_.size()); }

 private:
  struct OwnRun {
    std::vector<int> steps;      // that a change reaches, in execution order
    std::vector<ValueId> reads;  // of shared values
    // Shared values that are transformed; their copies are this run's own.
    std::vector<ValueId> copies;
  };
  OwnRun FindOwnRun(const Substitution& substitution) const;
  void FindShared();

  const Program& program_;
  std::span<const Substitution> substitutions_;
  std::vector<OwnRun> runs_;
  std::vector<int> shared_steps_;
  std::vector<bool> keeps_;  // by value: read by some run
  int64_t batch_ = 0;
};

}  // namespace ops
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_OPS_SUBSTITUTION_H_
