#ifndef BITPLAN_SEARCH_ALLOCATION_FRONT_LIST_H_
#define BITPLAN_SEARCH_ALLOCATION_FRONT_LIST_H_

#include <cstdint>
#include <vector>

#include "search/allocation/knapsack.h"
#include "search/allocation/solution.h"
#include "search/base/run_context.h"

namespace bitplan::allocation {

// A point of the complete front: no choice costs at most `cost` and is worth less than `value`, or costs less and is
// worth at most that.
struct ListedPoint {
  int64_t cost = 0;
  Int128 value = 0;
};

// Every such point by rising cost, and a choice for each.
struct ListedFront {
  // The states after one group.
  struct Level {
    int group = 0;
    std::vector<uint32_t> parent;  // of each state: that before the group
    std::vector<int32_t> option;   // of each state: that the group took
  };

  Termination termination = Termination::kOptimal;  // kOptimal: all of it; else no points
  std::vector<ListedPoint> points;
  int64_t states = 0;
  std::vector<Level> levels;
  std::vector<int> base;  // options of all groups; those of the levels are replaced

  // Option of each group.
  std::vector<int> OptionsOf(size_t point) const;
};

struct FrontLimits {
  int64_t max_states = 0;  // in all lists together; below 2^31 counts
  int64_t max_points = 0;  // in one list
};

// The complete front of a knapsack without a capacity, by list dynamic programming with dominance: after each group the
// list of all (cost, value) of choices of the groups so far that none other makes superfluous. Whole numbers
// throughout. Costs within a group rise from 0 and values fall (ReducedKnapsack). kFeasible: given up at a limit; also
// kTimeLimit, kCancelled.
//
// Source: Nemhauser and Ullmann (1969).
// Cost:   sum over the groups of list length times options, 8 bytes a state. The lists grow with the number of
//         different sums of costs: thousands for layers of a few shapes, without bound for arbitrary ones.
ListedFront ListFront(const Knapsack& knapsack, const FrontLimits& limits, const RunContext& context);

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_FRONT_LIST_H_
