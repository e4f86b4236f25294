#ifndef BITPLAN_SEARCH_CURVATURE_PROBE_GROUPS_H_
#define BITPLAN_SEARCH_CURVATURE_PROBE_GROUPS_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "search/base/run_context.h"
#include "search/curvature/confidence.h"
#include "search/curvature/hutchinson.h"
#include "search/curvature/linear_operator.h"

namespace bitplan::curvature {

// Blocks whose traces are sampled by the same probes, and the sums so far. All of a network's layers are one group, or
// each is a group of its own with its diagonal block for an operator (block_hutchinson.h).
struct ProbeGroup {
  const LinearOperator* A = nullptr;  // must outlive the group
  std::vector<WeightSlice> blocks;    // within A
  uint64_t first_stream = 0;          // probe k is Rng(seed, first_stream + k)
  std::string checkpoint_key;         // options included; empty: sums are not kept
  int64_t num_probes = 0;
  std::vector<Moments> moments = std::vector<Moments>(blocks.size());  // one a block
};

// Blocks may not be empty and must lie in [0, dimension): else kInvalidArgument.
absl::Status CheckBlocks(std::span<const WeightSlice> blocks, int64_t dimension);

// Probes until the next check point of the options: min_probes, then every probes_per_check, at last max_probes.
// `groups` are all groups of the run, for its progress reports. Sums saved in context.checkpoints by an earlier run
// stand in for its probes; every check point's are kept, so that a resumed run sees what the first one saw.
absl::Status ProbeToNextCheck(ProbeGroup& group, std::span<const ProbeGroup> groups, const ProbeOptions& options,
                              const RunContext& context);

// The estimates of all blocks, group by group, by the sums so far (at least two probes each).
std::vector<std::vector<TraceEstimate>> Judge(std::span<const ProbeGroup> groups, const ProbeOptions& options);

// Round by round, probes each group that has a block short of its target, until there is none or max_probes is reached.
absl::StatusOr<std::vector<std::vector<TraceEstimate>>> ProbeToTarget(std::span<ProbeGroup> groups,
                                                                      const ProbeOptions& options,
                                                                      const RunContext& context);

// Wanted standard error of a trace where the largest trace of the run has the magnitude `largest`.
double TargetError(double trace, double largest, const ProbeOptions& options);

}  // namespace bitplan::curvature

#endif  // BITPLAN_SEARCH_CURVATURE_PROBE_GROUPS_H_
