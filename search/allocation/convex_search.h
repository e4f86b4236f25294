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
// Bound:   up to 800 options (of tied groups), branch and bound on the convex relaxation (convex_branch.h), made
//          stronger by what is linear on choices (diagonal_split.h) where the objective tells its curvature. Beyond,
//          conditional gradients (Frank, Wolfe 1956) over the convex hull of all choices that keep the budgets: at a
//          mixture x of choices, convexity gives f(c) >= f(x) + df(x)'(c - x) for every choice c, and Solve with
//          df(x) as objectives finds the least of the right-hand side exactly. objective.least() bounds as well.
// Choice:  the best of the sum's choice, of `starts` (choices that break a budget or a tie are passed over), of sums of
//          f's rises from those, plain and disturbed, of rounded mixtures, and, from them, of local search: layers
//          (tied groups) change their option alone or in pairs, as long as f falls.
// Answer:  as of Solve, with f in place of the sum: kOptimal where no choice is better by more than
//          optimality_tolerance, the larger of objective.tolerance() and 1e-9 of the value; else kFeasible with bound
//          and gap. Multipliers are those of the relaxation or round that gave the largest bound at the root. `nodes`
//          adds up the solves and the nodes. One node counts 500 (10,000 where f is no quadratic) against node_limit,
//          and from 150 options on more by the square of their number.
// Errors:  as Solve. A time limit, deadline or stop request ends the search with what it has, not an error.
// Same bits for any number of threads, unless a limit of time ended the search.
absl::StatusOr<Solution> SolveConvex(const Problem& problem, const ConvexObjective& objective,
                                     std::span<const std::vector<int>> starts, const SolverOptions& options,
                                     const RunContext& context);

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_CONVEX_SEARCH_H_
