#ifndef BITPLAN_SEARCH_ALLOCATION_SHARED_KNAPSACK_H_
#define BITPLAN_SEARCH_ALLOCATION_SHARED_KNAPSACK_H_

#include <cstdint>
#include <span>
#include <vector>

#include "search/allocation/hull_steps.h"
#include "search/allocation/instance.h"
#include "search/allocation/knapsack.h"
#include "search/allocation/one_budget.h"
#include "search/allocation/solver_options.h"
#include "search/base/run_context.h"

namespace bitplan::allocation {

// The options that are left to one group.
struct GroupRestriction {
  int group = 0;
  std::vector<int> options;  // ascending; not empty
};

// A choice that is best for some price of the budget: a vertex of the lower convex hull of all (cost, value).
struct SupportedPoint {
  int64_t cost = 0;
  Int128 value = 0;
  double slope = 0;  // value units per cost unit lost on the way to it from the point before; 0: the cheapest choice
  size_t steps = 0;  // of SharedKnapsack::steps(), from the first, taken from the cheapest choice
};

// The one-budget solver for many limits on one row of an instance, with what does not depend on the limit done once:
// dominance, offsets, common units, hulls, and their steps in order. Solve does for a limit what SolveExactly does for
// the instance with that limit, and with the options of some groups restricted; the answers are the same proofs.
//
// Cost:    options * log(options) once; then linear in the undominated options, and the list search.
// Threads: one at a time.
class SharedKnapsack {
 public:
  // Row `row` alone; < 0: no row, all costs 0. The instance must outlive this.
  SharedKnapsack(const Instance& instance, int row);

  // Least cost of a choice; kInfeasible below it.
  int64_t least_cost() const { return paid_; }
  // Cost of the cheapest choice that is worth least of all: more is no use.
  int64_t useful_cost() const;
  // By the order of ComesFirst.
  const std::vector<GroupStep>& steps() const { return steps_; }

  // `start`: option of each group, a choice to begin with; not looked at if empty, beyond the limit or restricted.
  ExactSolution Solve(int64_t limit, std::span<const GroupRestriction> restrictions, std::span<const int> start,
                      const SolverOptions& options, const RunContext& context);

  // All vertices by rising cost, by Lagrange multipliers: the sums of the first steps of all groups in order, of equal
  // slopes all or none. Exact.
  std::vector<SupportedPoint> SupportedPoints() const;

  // The reduced knapsack: costs are above least_cost(); the capacity means nothing.
  const Knapsack& knapsack() const { return reduced_.knapsack; }

 private:
  // A group as the solver takes it: costs above the group's least.
  struct Group {
    std::vector<KnapsackItem> items;
    int64_t least = 0;
  };
  class Restricted;

  Group Reduce(int group, std::span<const int> options) const;
  void NoteUnits(std::span<const KnapsackItem> items, int64_t& cost_unit, Int128& value_unit) const;
  const GroupStep* BreakStep(std::span<const GroupStep> inserted, int64_t capacity) const;
  bool StartItems(std::span<const int> start, std::vector<int>& item) const;
  ExactSolution Search(int64_t limit, std::span<const GroupStep> inserted, std::span<const int> start,
                       const SolverOptions& options, const RunContext& context);

  const Instance& instance_;
  int row_;
  ReducedKnapsack reduced_;  // costs are not divided by their unit, the capacity is set for each limit
  std::vector<int64_t> least_;
  int64_t paid_ = 0;
  int64_t cost_unit_ = 0;  // of all costs in reduced_; 0: all are 0
  std::vector<GroupStep> steps_;
  std::vector<bool> is_restricted_;  // of each group, during Solve
};

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_SHARED_KNAPSACK_H_
