#ifndef BITPLAN_SEARCH_ALLOCATION_KNAPSACK_H_
#define BITPLAN_SEARCH_ALLOCATION_KNAPSACK_H_

#include <cstdint>
#include <vector>

#include "search/allocation/int128.h"

namespace bitplan::allocation {

struct KnapsackItem {
  int64_t cost = 0;  // >= 0
  Int128 value = 0;  // to be minimised
  int option = 0;    // the caller's index
};

// The multiple-choice knapsack problem: take one item of each group, minimise the sum of values, keep the sum of costs
// within the capacity.
struct Knapsack {
  std::vector<std::vector<KnapsackItem>> groups;
  int64_t capacity = 0;
};

// The same problem with what cannot matter taken away; see ReduceKnapsack.
struct ReducedKnapsack {
  // Within a group costs rise from 0 and values fall, both strictly, and every cost is at most `capacity`.
  Knapsack knapsack;
  int64_t cost_unit = 1;    // a reduced cost of 1 is this many of the original
  Int128 value_unit = 1;    // every difference between two choices' values is a multiple of this
  bool infeasible = false;  // even the cheapest items exceed the capacity; nothing else is set then
};

// Items by rising cost with strictly falling values: those that no other item of the group makes superfluous; of equal
// ones the first option.
std::vector<KnapsackItem> UndominatedItems(std::vector<KnapsackItem> items);

// Exact reductions, all in integers:
//   dominance  an item goes if another one of its group costs no more and is worth no less (of equal ones the first
//   stays); offset     each group's least cost is paid in advance, so costs start at 0; fit        an item goes if it
//   exceeds what is left then; lattice    costs are divided by their greatest common divisor, the capacity rounded down
//   to a multiple of it.
// Values are kept as they are, so the value of a choice is the same in both problems.
ReducedKnapsack ReduceKnapsack(const Knapsack& knapsack);

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_KNAPSACK_H_
