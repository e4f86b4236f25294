#ifndef BITPLAN_SEARCH_ALLOCATION_KNAPSACK_BOUND_H_
#define BITPLAN_SEARCH_ALLOCATION_KNAPSACK_BOUND_H_

#include <cstdint>
#include <vector>

#include "search/allocation/knapsack.h"

namespace bitplan::allocation {

// A multiplier and the choice that is best at that price.
struct Relaxation {
  Int128 multiplier = 0;  // value units per cost unit, >= 0
  std::vector<int> base;  // of each group: index of an item with the least value + multiplier * cost
  int64_t cost = 0;       // of the base choice, <= capacity
  Int128 value = 0;       // of the base choice
};

// Solves the linear relaxation of a reduced knapsack up to the rounding of its multiplier.
//
// Formula:  L(u) = sum_g min_k (v[g][k] + u c[g][k]) - u capacity is a lower bound for every u >= 0; its maximum is the
//           value of the linear relaxation, reached where the steps of the groups' lower convex hulls, taken in the
//           order of value lost per cost, exhaust the capacity. u is that step's slope, rounded up to an integer;
//           rounding costs tightness, never validity.
// Source:   Sinha and Zoltners (1979); Dyer (1984), Zemel (1984) for not sorting the steps.
// Cost:     linear in the number of items, on average.
Relaxation Relax(const Knapsack& knapsack);

// The same where the slope at which the capacity runs out is known: gain / cost, rounded up; 0 / 1: all steps fit.
Relaxation RelaxAtSlope(const Knapsack& knapsack, Int128 gain, int64_t cost);

// L(u) - value of the base choice; <= 0.
Int128 BoundAboveBase(const Knapsack& knapsack, const Relaxation& relaxation);

// A feasible choice that starts at the base: steps along the hulls and single items that use up what is left, or one
// step too many paid back by one group. Item index of each group; never worse than the base.
std::vector<int> GreedyChoice(const Knapsack& knapsack, const Relaxation& relaxation);

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_KNAPSACK_BOUND_H_
