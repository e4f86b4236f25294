#ifndef BITPLAN_SEARCH_CURVATURE_BLOCK_HUTCHINSON_H_
#define BITPLAN_SEARCH_CURVATURE_BLOCK_HUTCHINSON_H_

#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "search/base/run_context.h"
#include "search/curvature/hutchinson.h"
#include "search/curvature/linear_operator.h"
#include "search/ops/objective.h"

namespace bitplan {

// Which entries of a probe are not zero. With m probes of all blocks, or m_l of block l alone, the variances of t_l are
//
//   all blocks:  (2 sum_{i != j in l} A_ij^2  +  sum_{i in l, j not in l} A_ij^2) / m      a product with A a probe
//   one block:    2 sum_{i != j in l} A_ij^2 / m_l                                         a product with A_ll a probe
//
// Probes of all blocks measure every block at the price of one product, but the other blocks' curvature gets into each
// through the off-diagonal blocks, and all blocks go on until the slowest is done. Probes of one block are free of
// both: each block stops at its own target. On the two trained networks of tests/data, one at a time was 8 to 10 times
// cheaper for 10 % a layer (docs/benchmarks.md): the cross terms dominate. Many weakly coupled blocks of like size
// favour all at once.
enum class ProbeScope {
  kAllBlocks,
  kOneBlock,
  // Makes min_probes probes of either kind, whose spread predicts the cost of the rest, and goes on with the cheaper
  // one.
  kCheaper,
};

// A symmetric matrix with its diagonal blocks, each known by its products.
struct BlockedOperator {
  const LinearOperator* whole = nullptr;        // must outlive the struct, as must the blocks
  std::vector<WeightSlice> slices;              // where the blocks lie in it
  std::vector<const LinearOperator*> diagonal;  // A_ll, of slices[l].size; may be empty for kAllBlocks
  // Price of a product with A_ll in products with A, > 0; empty: 1 each, which for a Hessian is an upper bound.
  std::vector<double> block_costs;
};

struct ScopedTraces {
  std::vector<TraceEstimate> traces;          // one a block; num_probes counts the block's own probes
  ProbeScope scope = ProbeScope::kAllBlocks;  // which was used; never kCheaper
  double cost = 0;                            // in products with A, of both kinds together

  bool operator==(const ScopedTraces&) const = default;
};

namespace curvature {

// HutchinsonBlockTraces with a choice of probes. Targets, floors and stops as in ProbeOptions; with probes of one block
// the limits min_probes and max_probes hold for each block.
//
// Source:   Girard (1989), Hutchinson (1989), on A and on A_ll.
// Cost:     see ProbeScope; kCheaper adds min_probes products of the kind that is dropped. Memory 3 n.
// Errors:   kInvalidArgument (options, blocks, costs, a product that is not finite); kCancelled, kDeadlineExceeded.
// Progress: stage "traces", fraction the mean over blocks for probes of one block.
// Same seed, same bits, for any number of threads, and also when resumed from a checkpoint.
absl::StatusOr<ScopedTraces> HutchinsonScopedTraces(const BlockedOperator& A, ProbeScope scope,
                                                    const ProbeOptions& options, const RunContext& context);

}  // namespace curvature
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_CURVATURE_BLOCK_HUTCHINSON_H_
