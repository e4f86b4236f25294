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

// The budgets that no choice keeps even when looked at alone; nullopt if there are none. Exact: the least sum of a
// resource is the sum over the groups of ties of their cheapest option.
// `usage` has the entries of Solution::budgets with least_achievable filled in.
std::optional<Infeasibility> DiagnoseAlone(std::span<const BudgetUsage> usage);

// Why the budgets cannot be kept together.
struct JointDiagnosis {
  Infeasibility why;
  std::vector<int>
      counterexample;  // not empty: they can; option index of each group of a choice that keeps all of them
};

// For a problem whose budgets a solver found to conflict although each can be kept alone: for each budget of `binding`
// the least sum of its resource while the others are kept, found by the solvers of this folder with that resource as
// the objective. With two budgets that is a proof in integers; with more the sums are exact and least up to the
// tolerance of several_budgets.h. Either way a counterexample shows that the solver was wrong.
absl::StatusOr<JointDiagnosis> DiagnoseTogether(const Problem& problem, std::span<const std::vector<int>> groups,
                                                std::span<const int> binding, const SolverOptions& options,
                                                const RunContext& context);

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_DIAGNOSIS_H_
