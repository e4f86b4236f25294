#ifndef BITPLAN_SEARCH_ALLOCATION_DIAGNOSIS_H_
#define BITPLAN_SEARCH_ALLOCATION_DIAGNOSIS_H_

#include <optional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "search/allocation/problem.h"
#include "search/allocation/solution.h"
#include "search/allocation/solver_options.h"
#include "search/base/run_context.h"

namespace bitplan::allocation {

// Fills in least_achievable (of lower budgets most_achievable, too) of `usage`, the entries of Solution::budgets.
// False: no choice keeps the rules (ties, class ties, allowed options, forbidden pairs), whatever the budgets are.
// Exact: the least sum of a resource is the sum over the groups of ties of their cheapest option; with class ties or
// pairs it is the optimum of that resource as the objective. With pairs those questions follow `options` (node
// limit) and `context`: if one is cut short, the least sum without class ties and pairs stands in, which is no more
// than the true one.
absl::StatusOr<bool> FillInRanges(const Problem& problem, std::span<const std::vector<int>> groups,
                                  const SolverOptions& options, const RunContext& context,
                                  std::span<BudgetUsage> usage);

// The budgets that no choice keeps even when looked at alone; nullopt if there are none.
std::optional<Infeasibility> DiagnoseAlone(std::span<const BudgetUsage> usage);

// Why the budgets cannot be kept together.
struct JointDiagnosis {
  Infeasibility why;
  std::vector<int>
      counterexample;  // not empty: they can; option index of each layer of a choice that keeps all of them
};

// For a problem whose budgets and steps a solver found to conflict although each budget can be kept alone: for each
// constraint of `binding` (see Instance::rows) the least sum of its resource while the others are kept, found by the
// solvers of this folder with that resource as the objective. With two budgets that is a proof in integers; with more
// the sums are exact and least up to the tolerance of several_budgets.h. Either way a counterexample shows that the
// solver was wrong.
absl::StatusOr<JointDiagnosis> DiagnoseTogether(const Problem& problem, std::span<const std::vector<int>> groups,
                                                std::span<const int> binding, const SolverOptions& options,
                                                const RunContext& context);

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_DIAGNOSIS_H_
