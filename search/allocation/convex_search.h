#ifndef BITPLAN_SEARCH_ALLOCATION_CONVEX_SEARCH_H_
#define BITPLAN_SEARCH_ALLOCATION_CONVEX_SEARCH_H_

#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "search/allocation/convex_objective.h"
#include "search/allocation/problem.h"
#include "search/allocation/solution.h"
#include "search/allocation/solver_options.h"
#include "search/base/run_context.h"

namespace bitplan::allocation {

// Minimises a convex objective f of the whole choice in place of the sum over layers, under the budgets and ties of
// `problem`; the sums of problem.layers[..].objective only give the first choice to start from.
//
// Bound:   conditional gradients (Frank, Wolfe 1956) over the convex hull of all choices that keep the budgets. At a
//          mixture x of choices, convexity gives f(c) >= f(x) + df(x)'(c - x) for every choice c, and Solve with
//          df(x) as objectives finds the least of the right-hand side exactly: each round gives a valid bound, a choice
//          to try and the next direction. objective.least() bounds as well.
// Choice:  the best of the sum's choice, of `starts` (choices that break a budget or a tie are passed over), all
// rounds'
//          choices and, from it, of local search: layers (tied groups) change their
//          option alone or in pairs, as long as f falls. By convexity no move improves whose slope is not negative;
//          only those are tried.
// Answer:  as of Solve, with f in place of the sum: kOptimal where the gap is closed up to objective.tolerance(), else
//          kFeasible with bound and gap: mixtures may be better than every choice, so that a gap may remain that only
//          enumeration would close. Multipliers are those of the round that gave the largest bound. `nodes` adds up the
//          solves.
// Errors:  as Solve. A time limit, deadline or stop request ends the search with what it has, not an error.
// Same bits for any number of threads, unless a limit of time ended the search.
absl::StatusOr<Solution> SolveConvex(const Problem& problem, const ConvexObjective& objective,
                                     std::span<const std::vector<int>> starts, const SolverOptions& options,
                                     const RunContext& context);

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_CONVEX_SEARCH_H_
