#ifndef BITPLAN_SEARCH_ALLOCATION_LINKED_SEARCH_H_
#define BITPLAN_SEARCH_ALLOCATION_LINKED_SEARCH_H_

#include "absl/status/statusor.h"
#include "search/allocation/instance.h"
#include "search/allocation/solver_options.h"
#include "search/base/run_context.h"

namespace bitplan::allocation {

// Exact solver for groups with links (class ties, priced and forbidden pairs) and any number of rows: branch and bound
// on the Lagrangian
//
//   L(u) = min over choices of  sum_g (v[g] + u c[g]) + sum over links of (v[link] + u c[link])  -  u b,   u >= 0
//
// where the minimum is taken exactly over a spanning forest of the links by dynamic programming (O(links K^2)); a link
// outside the forest counts from its cheapest pair until one of its ends is decided, which keeps L(u) a lower bound.
// With one row the best u is found by intersecting the lines of its two sides (Kelley), with several by subgradient
// steps (Held, Wolfe and Crowder 1974). A second pass of the same recursion gives each option the least L(u) of the
// choices that take it ("min-marginals"); options above the best choice known go. Then one group is decided.
//
// Costs are kept in integers. Bounds are doubles less a bound on their rounding; kOptimal and kInfeasible are proofs up
// to optimality_tolerance, about 10^-12 of the sum of the groups' and links' ranges. An instance whose links form
// chains and stars takes milliseconds for a few hundred groups where the Lagrangian gap is small; dense links make it
// exponential (node_limit and deadline hold).
// Multipliers: the best u at the root. Errors: none. Polls context. Deterministic. Memory: linear in the number of
// options times the depth of the search.
absl::StatusOr<InstanceSolution> SolveLinked(const Instance& instance, const SolverOptions& options,
                                             const RunContext& context);

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_LINKED_SEARCH_H_
