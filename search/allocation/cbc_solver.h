#ifndef BITPLAN_SEARCH_ALLOCATION_CBC_SOLVER_H_
#define BITPLAN_SEARCH_ALLOCATION_CBC_SOLVER_H_

#include "absl/status/statusor.h"
#include "search/allocation/instance.h"
#include "search/allocation/solver_options.h"
#include "search/base/run_context.h"

namespace bitplan::allocation {

// Any number of budgets, by COIN-OR's branch and cut (CBC 2.10 on Clp), called as a library.
//
// What its answers are worth. CBC works in doubles, so its proofs hold up to its tolerances:
//   choice      rounded to integers and checked against the budgets in int64. A choice that keeps a row only up to the
//               tolerance is cut off exactly (all choices at least as dear in every group break the same budget) and
//               CBC runs again, so what comes back keeps every budget.
//   kOptimal    up to optimality_tolerance = 1e-10 times the range of the objective, best options to worst options.
//   kInfeasible is CBC's word; Solve confirms it in integers where two budgets suffice for a proof.
// Rows are tightened exactly first (offsets and common divisors taken out in int64) and scaled by powers of two; the
// right-hand side is then moved up by half of the smallest possible step, so no exact fit is lost to a tolerance.
// The node limit counts CBC's nodes. relative_gap is CBC's own, on the objective less a constant, hence never looser
// than asked (the result is checked). Prints nothing. A stop request is seen at every factorization of the linear
// programs. Threads: each call has its own model; safe to call from several threads at once.
absl::StatusOr<InstanceSolution> SolveWithCbc(const Instance& instance, const SolverOptions& options,
                                              const RunContext& context);

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_CBC_SOLVER_H_
