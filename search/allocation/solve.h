#ifndef BITPLAN_SEARCH_ALLOCATION_SOLVE_H_
#define BITPLAN_SEARCH_ALLOCATION_SOLVE_H_

#include "absl/status/statusor.h"
#include "search/allocation/problem.h"
#include "search/allocation/solution.h"
#include "search/allocation/solver_options.h"
#include "search/base/run_context.h"

namespace bitplan::allocation {

// Solves `problem` with the solver that `options` names and audits the answer: every cost of the choice is added again
// from the problem in checked int64, budgets and rules are checked, the objective is added again in layer order.
//
// Not errors: infeasible budgets, a time limit, a stop request. They are Solution::termination.
// Errors:      kInvalidArgument (problem or options, see their Validate), kNotFound (no such solver; lists the known
//              ones), kUnimplemented (the named solver does not take so many budgets or links), kInternal (the audit
//              failed: our bug, the answer is withheld).
// Class ties and pairs: layers they join are merged into one where that stays small (merge_links.h), so that every
//              solver takes them; what is too large goes to `linked`. Steps become rows as choices break them
//              (schedule_steps.h).
// Determinism: the same problem and options give the same solution on every run and thread, unless a time limit, a
//              deadline or a stop request ended the search. Which of several choices with equal objectives comes back
//              is fixed by the problem but not otherwise specified, except that no layer (or group of ties) outside
//              class ties and pairs takes an option while another is nowhere worse (objective, every budgeted cost) and
//              better somewhere, or equal everywhere and earlier.
// Threads:     one thread; safe to call from several at once.
absl::StatusOr<Solution> Solve(const Problem& problem, const SolverOptions& options, const RunContext& context);

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_SOLVE_H_
