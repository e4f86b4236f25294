#ifndef BITPLAN_SEARCH_ALLOCATION_KNAPSACK_DP_H_
#define BITPLAN_SEARCH_ALLOCATION_KNAPSACK_DP_H_

#include <cstdint>
#include <vector>

#include "search/allocation/knapsack.h"
#include "search/allocation/knapsack_bound.h"
#include "search/allocation/solution.h"
#include "search/base/run_context.h"

namespace bitplan::allocation {

struct ListSearchLimits {
  int64_t max_states = 0;
  // Stop once value - bound <= relative_gap * |value| for the best choice known; 0: only at the proof.
  double relative_gap = 0;
};

struct ListSearchResult {
  Termination termination = Termination::kOptimal;  // kOptimal, kFeasible, kTimeLimit or kCancelled
  std::vector<int> item;                            // of each group; never worse than the choice the search began with
  Int128 value = 0;                                 // of that choice
  Int128 bound = 0;                                 // no choice is below; equals `value` for kOptimal
  int64_t states = 0;                               // partial choices kept
};

// Finds the best choice of a reduced knapsack by list dynamic programming over deviations from the base choice.
//
// A state is (cost, value) of a choice in which only the groups passed so far may differ from the base. A group is
// passed by merging the lists shifted by each of its items. A state goes if another costs no more and is worth no less,
// or if its bound shows that no completion beats the best choice known:
//   under the capacity   value - u * slack,   u the least price at which no group ahead would rather take a dearer
//   item; over the capacity    value + d * excess,  d the highest price at which no group ahead would rather take a
//   cheaper one.
// Groups go in the order of how near they come to leaving the base, so u falls, d rises and the lists stay short. Items
// whose reduced cost exceeds the gap are dropped first.
// All of it is integer arithmetic, so kOptimal is a proof without tolerance.
//
// Source:   Nemhauser and Ullmann (1969) for the lists, Pisinger (1995) for the core order and the bounds.
// Cost:     exponential at worst; a few thousand states for thousands of layers with measured sensitivities.
// `start` is a feasible choice, item index of each group. Polls context.stop and the deadline.
ListSearchResult SearchLists(const ReducedKnapsack& reduced, const Relaxation& relaxation, std::vector<int> start,
                             const ListSearchLimits& limits, const RunContext& context);

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_KNAPSACK_DP_H_
