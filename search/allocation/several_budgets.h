#ifndef BITPLAN_SEARCH_ALLOCATION_SEVERAL_BUDGETS_H_
#define BITPLAN_SEARCH_ALLOCATION_SEVERAL_BUDGETS_H_

#include <vector>

#include "absl/status/statusor.h"
#include "search/allocation/instance.h"
#include "search/allocation/multi_knapsack.h"
#include "search/allocation/solver_options.h"
#include "search/allocation/watched_choice.h"
#include "search/base/run_context.h"

namespace bitplan::allocation {

// Exact solver for any number of budgets: reductions (multi_knapsack.h), linear relaxation and reduced costs
// (gub_simplex.h), local search (exchange_search.h) and branch and bound (branch_search.h), in rounds. Each round
// begins by reducing again what the best choice so far leaves open, searches small cores of unsure layers for a better
// one, and has ten times the nodes of the one before. Three ways take turns: branching on layers, the same with
// rounding cuts (rounding_cuts.h), branching on counts of layers of one shape (group_shapes.h). A way that leaves much
// more of the gap open than another is dropped.
//
// Costs are whole numbers throughout, so budgets are kept exactly and a plan that lies on one is not lost. Bounds are
// doubles less a bound on their rounding; kOptimal and kInfeasible are proofs up to optimality_tolerance, about 10^-12
// of the sum of the layers' ranges of objectives (0 is not promised, unlike one_budget.h).
// Multipliers: those of the linear relaxation. Errors: none. Polls context; each round reports Progress of stage
// "solve" (probes: nodes so far; fraction: share of the root's gap that is closed). Deterministic: rounds end by
// counted nodes. Memory:   linear in the number of options, and up to BranchSearch::kMostOpenBytes for open nodes.
absl::StatusOr<InstanceSolution> SolveSeveralBudgets(const Instance& instance, const SolverOptions& options,
                                                     const RunContext& context);

// The same, beginning with a choice (option of each group) that is known to be good; it is not looked at if it breaks a
// row. Only the options in `open` are allowed. The answer is the same proof, mostly sooner.
InstanceSolution SolveSeveralFrom(const Instance& instance, const SolverOptions& options, const RunContext& context,
                                  OpenOptions open, std::vector<int> start);

// The same with a choice to watch; see watched_choice.h. For tests.
InstanceSolution SolveWatching(const Instance& instance, const SolverOptions& options, const RunContext& context,
                               WatchedChoice* watched);

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_SEVERAL_BUDGETS_H_
