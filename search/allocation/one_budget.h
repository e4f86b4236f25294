#ifndef BITPLAN_SEARCH_ALLOCATION_ONE_BUDGET_H_
#define BITPLAN_SEARCH_ALLOCATION_ONE_BUDGET_H_

#include "absl/status/statusor.h"
#include "search/allocation/instance.h"
#include "search/allocation/solver_options.h"
#include "search/base/run_context.h"

namespace bitplan::allocation {

// Exact solver for at most one budget: reductions (knapsack.h), linear relaxation and a greedy choice
// (knapsack_bound.h), then list dynamic programming over what the two leave open (knapsack_dp.h).
//
// Everything that decides is integer arithmetic: kOptimal and kInfeasible are proofs. optimality_tolerance is what
// rounding the objectives to 128-bit fixed point may have lost, 0 for objectives within a factor of 2^60 of their sum.
// Multiplier: slope of the linear relaxation at the limit. Errors: none. Polls context.
absl::StatusOr<InstanceSolution> SolveOneBudget(const Instance& instance, const SolverOptions& options,
                                                const RunContext& context);

// The same, with the value of the choice as an integer. `value` and `bound` are in units of 2^-instance.shift.
struct ExactSolution {
  Termination termination = Termination::kCancelled;
  std::vector<int> option;  // of each group; empty for kInfeasible
  Int128 value = 0;
  Int128 bound = 0;
  double multiplier = 0;  // objective units per base unit of the budget
  int64_t nodes = 0;
};
ExactSolution SolveExactly(const Instance& instance, const SolverOptions& options, const RunContext& context);

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_ONE_BUDGET_H_
