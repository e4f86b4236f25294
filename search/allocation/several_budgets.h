#ifndef BITPLAN_SEARCH_ALLOCATION_SEVERAL_BUDGETS_H_
#define BITPLAN_SEARCH_ALLOCATION_SEVERAL_BUDGETS_H_

#include "absl/status/statusor.h"
#include "search/allocation/instance.h"
#include "search/allocation/solver_options.h"
#include "search/allocation/watched_choice.h"
#include "search/base/run_context.h"

namespace bitplan::allocation {

// Exact solver for any number of budgets: reductions (multi_knapsack.h), linear relaxation and reduced costs
// (gub_simplex.h), local search (exchange_search.h), branch and bound (branch_search.h) and list dynamic programming
// (staircase_search.h), in rounds: each begins by reducing again what the best choice so far leaves open.
//
// Costs are whole numbers throughout, so budgets are kept exactly and a plan that lies on one is not lost. Bounds are
// doubles less a bound on their rounding; kOptimal and kInfeasible are proofs up to optimality_tolerance, about 10^-12
// of the sum of the layers' ranges of objectives (0 is not promised, unlike one_budget.h).
// Multipliers: those of the linear relaxation. Errors: none. Polls context; reports incumbents as Progress of stage
// "solve" (fraction: nothing; relative_error: the gap).
// Deterministic: rounds end by counted nodes.
absl::StatusOr<InstanceSolution> SolveSeveralBudgets(const Instance& instance, const SolverOptions& options,
                                                     const RunContext& context);

// The same with a choice to watch; see watched_choice.h. For tests.
InstanceSolution SolveWatching(const Instance& instance, const SolverOptions& options, const RunContext& context,
                               WatchedChoice* watched);

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_SEVERAL_BUDGETS_H_
