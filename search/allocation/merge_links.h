#ifndef BITPLAN_SEARCH_ALLOCATION_MERGE_LINKS_H_
#define BITPLAN_SEARCH_ALLOCATION_MERGE_LINKS_H_

#include <cstdint>

#include "search/allocation/instance.h"

namespace bitplan::allocation {

struct MergeLimits {
  // Options of a merged group, and partial choices kept on the way to it. 0: as many as the solvers that follow take
  // well (kMostOptions with at most one row, kMostOptionsOfRows with more, whose reductions compare each with each).
  int64_t most_options = 0;
  // Partial choices looked at for one merged group.
  int64_t most_looked_at = 300'000;
};

inline constexpr int64_t kMostOptions = 1 << 12;
inline constexpr int64_t kMostOptionsOfRows = 1 << 10;

// Groups that links join, directly or through others, as one group, wherever that stays within the limits. Exact: the
// best value of the instance and every choice that attains it in a way that no other covers are kept.
//
// Each set of joined groups is passed in an order that keeps few groups with links ahead ("frontier"), as in dynamic
// programming over a path decomposition. Partial choices are kept that no other one with the same options on the
// frontier covers (value and every cost) and that can be completed within every row; at the end the frontier is empty
// and what is left are the options of the merged group, in the order of its first appearance. A chain of n groups with
// K options is n K^2 times the length of the Pareto lists.
//
// Sets that exceed the limits keep their links. no_choice of the result: no choice keeps the links and rows.
// Deterministic.
Instance MergeLinks(Instance instance, const MergeLimits& limits);

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_MERGE_LINKS_H_
