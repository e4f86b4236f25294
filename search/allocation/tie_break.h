#ifndef BITPLAN_SEARCH_ALLOCATION_TIE_BREAK_H_
#define BITPLAN_SEARCH_ALLOCATION_TIE_BREAK_H_

#include <optional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "search/allocation/instance.h"
#include "search/allocation/problem.h"
#include "search/allocation/solver_options.h"
#include "search/base/run_context.h"

namespace bitplan::allocation {

// Among choices of equal objective that with the least sum of Problem::tie_break.

// The problem with the resource of the tie-break as one more budget, which nothing breaks.
Problem WithTieBudget(Problem problem);

// The instance with the tie-break as the low digits of its values. All values of choices differ by multiples of a unit;
// where the largest sum of the resource (above each group's least) is below it, value + sum orders choices by value,
// then by sum, exactly and at no cost. nullopt: no room (scores of many digits, whose sums are equal by accident only),
// or links.
struct TieBrokenInstance {
  Instance instance;
  Int128 most_added = 0;  // to the value of any choice
};
std::optional<TieBrokenInstance> WithTieBreak(const Instance& instance, const Problem& problem);

// For a best choice of the problem with the constraints `rows` (Instance::rows) that keeps everything: one whose
// objective, in the integers of an instance, is no larger, with the least sum; the same if it is that already. A second
// solve with the resource as the objective and the value as one more row, exact where all values fit into 62 bits in
// their common unit; else values count in coarser units and the answer is checked. It may look at `node_limit` nodes
// and stops with the best choice found.
absl::StatusOr<std::vector<int>> BreakTies(const Problem& problem, std::span<const std::vector<int>> groups,
                                           std::span<const int> rows, std::vector<int> choice, int64_t node_limit,
                                           const RunContext& context);

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_TIE_BREAK_H_
