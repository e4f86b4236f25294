#ifndef BITPLAN_SEARCH_ALLOCATION_MULTI_KNAPSACK_H_
#define BITPLAN_SEARCH_ALLOCATION_MULTI_KNAPSACK_H_

#include <cstdint>
#include <span>
#include <vector>

#include "search/allocation/instance.h"
#include "search/base/run_context.h"

namespace bitplan::allocation {

// How the 128-bit values of an instance become doubles near 1: a power of two, so only the 53 bits of a double round.
struct ValueScale {
  Int128 least = 0;      // sum of the groups' least values: what a scaled value of 0 stands for
  int exponent = 0;      // scaled = (value - least) * 2^-exponent; the sum of the groups' ranges is in [0.5, 1), or 0
  double tolerance = 0;  // scaled: choices nearer than this count as equally good
  double step = 0;       // scaled: values of two choices differ by a multiple of it; 0: nothing useful is known

  double Scaled(Int128 above_least) const;
};
ValueScale ScaleOfValues(const Instance& instance);

// The multiple-choice knapsack with several rows, with what cannot matter taken away: one item of each group, least sum
// of values, each row's sum of costs within its capacity. Groups left with one item are not listed.
//
// Items of group g are first[g] .. first[g + 1] - 1. Costs are whole numbers: each group's least cost of each row is
// paid in advance, the rest divided by the row's greatest common divisor and the capacity rounded down ("lattice").
struct MultiKnapsack {
  int num_rows = 0;
  std::vector<int> row;              // of each row: that of the instance
  std::vector<int> group;            // of each group: that of the instance
  std::vector<int> first = {0};      // one entry more than there are groups
  std::vector<int> option;           // of each item: that of the instance
  std::vector<int> group_of;         // of each item: index of its group here
  std::vector<double> value;         // of each item: scaled, >= 0
  std::vector<int64_t> cost;         // [item * num_rows + row], >= 0
  std::vector<int64_t> capacity;     // of each row
  std::vector<double> scaled_cost;   // [item * num_rows + row]: cost * row_factor
  std::vector<double> row_factor;    // power of two that brings the capacity near 1
  std::vector<int64_t> row_divisor;  // costs of the instance per cost here
  std::vector<int> fixed_option;     // of each group of the instance; -1: open
  double fixed_value = 0;            // scaled value of the groups that are not open
  bool infeasible = false;           // proven: no choice keeps the rows; nothing else is set then

  int num_groups() const { return static_cast<int>(group.size()); }
  int num_items() const { return static_cast<int>(option.size()); }
  std::span<const int64_t> CostOf(int item) const {
    return {cost.data() + static_cast<size_t>(item) * num_rows, static_cast<size_t>(num_rows)};
  }
  std::span<const double> ScaledCostOf(int item) const {
    return {scaled_cost.data() + static_cast<size_t>(item) * num_rows, static_cast<size_t>(num_rows)};
  }
};

// Options of each group that are still in play, ascending.
using OpenOptions = std::vector<std::vector<int>>;
OpenOptions AllOptions(const Instance& instance);

// Exact reductions of the instance restricted to `open`, all in integers, repeated until nothing changes:
//   fit        an option goes if it exceeds a capacity with every other group at its cheapest;
//   rows       a row goes if every choice that is left keeps it;
//   dominance  an option goes if another one of its group is nowhere worse (of equal ones the first stays);
// then offsets and lattice as above. Removed options are in no choice that is needed to reach the best value.
// Cost: O(items * (items of a group) * rows) at worst, near linear mostly. Told to stop it looks for no more dominated
// options; what it returns then is as valid, only larger.
MultiKnapsack Reduce(const Instance& instance, const ValueScale& scale, OpenOptions open, const RunContext& context);

// The options of the groups of the instance that `kept` (one flag an item) leaves, for another call of Reduce.
OpenOptions OptionsKept(const MultiKnapsack& knapsack, const std::vector<bool>& kept);

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_MULTI_KNAPSACK_H_
