#ifndef BITPLAN_SEARCH_ALLOCATION_INSTANCE_H_
#define BITPLAN_SEARCH_ALLOCATION_INSTANCE_H_

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "search/allocation/int128.h"
#include "search/allocation/problem.h"
#include "search/allocation/solution.h"

namespace bitplan::allocation {

// Layers that take the same option index, as one.
struct InstanceGroup {
  std::vector<int> layers;    // ascending
  std::vector<Int128> value;  // of each option: objective in units of 2^-shift, summed over the layers
  std::vector<int64_t> cost;  // [option * num_rows + row]: cost summed over the layers
};

// The canonical form every solver works on: ties merged, objectives as integers, only the budgets that can bind.
struct Instance {
  std::vector<InstanceGroup> groups;  // in the order of their first layers
  std::vector<int> rows;              // indices into Problem::budgets
  std::vector<int64_t> limits;        // of each row
  int shift = 0;                      // value = objective * 2^shift
  double rounding = 0;  // objective units: an upper bound on what rounding to integers can change in a sum

  int num_rows() const { return static_cast<int>(rows.size()); }
};

// What a solver hands back: an answer in terms of groups and rows.
struct InstanceSolution {
  Termination termination = Termination::kCancelled;
  std::vector<int> option;          // of each group; empty: none
  double bound = 0;                 // objective units; kOptimal from an exact solver: the value of the choice
  double optimality_tolerance = 0;  // objective units
  std::vector<double> multipliers;  // of each row, objective units per base unit; empty: the solver has none
  int64_t nodes = 0;
};

// Groups of tied layers, each ascending, ordered by first layer; a layer without ties is a group of its own. Groups of
// problem.ties that share a layer become one.
std::vector<std::vector<int>> TieGroups(const Problem& problem);

// Smallest and largest sum of a resource over all choices that respect the ties.
struct CostRange {
  int64_t least = 0;
  int64_t most = 0;
};
// Of each resource, in one pass.
std::vector<CostRange> RangesOfResources(const Problem& problem, std::span<const std::vector<int>> groups);

// Indices of the budgets that some choice breaks; of several budgets on one resource only the first of the tightest.
std::vector<int> BindingBudgets(const Problem& problem, std::span<const std::vector<int>> groups);

// The instance that minimises the objective of `problem`, or the sum of resource `minimised` if given, subject to the
// budgets in `rows`. The shift is the largest that keeps sums below 2^kValueBits: objectives whose largest sum is S
// lose nothing as long as their lowest set bit is worth 2^-117 S or more. `problem` must be valid
// (allocation::Validate).
Instance BuildInstance(const Problem& problem, std::span<const std::vector<int>> groups, std::vector<int> rows,
                       std::optional<int> minimised);

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_INSTANCE_H_
