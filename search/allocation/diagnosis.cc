#include "search/allocation/diagnosis.h"

#include <utility>

#include "search/allocation/instance.h"
#include "search/allocation/one_budget.h"
#include "search/allocation/several_budgets.h"
#include "search/base/status.h"

namespace bitplan::allocation {
namespace {

struct LeastSum {
  Termination termination = Termination::kCancelled;
  int64_t sum = 0;          // with kOptimal
  std::vector<int> option;  // of each group, with kOptimal
};

// Adds the resource of the choice up again from the problem.
int64_t SumOf(const Problem& problem, std::span<const std::vector<int>> groups, const std::vector<int>& option,
              int resource) {
  int64_t sum = 0;
  for (size_t g = 0; g < option.size(); ++g) {
    for (const int layer : groups[g]) sum += problem.layers[layer].options[option[g]].cost[resource];
  }
  return sum;
}

// min sum of `resource` subject to the budgets in `rows`, to the end or not at all.
absl::StatusOr<LeastSum> Minimise(const Problem& problem, std::span<const std::vector<int>> groups, int resource,
                                  std::vector<int> rows, const SolverOptions& options, const RunContext& context) {
  SolverOptions to_the_end = options;
  to_the_end.relative_gap = 0;
  const Instance instance = BuildInstance(problem, groups, std::move(rows), resource);
  const auto solver = instance.num_rows() <= 1 ? &SolveOneBudget : &SolveSeveralBudgets;
  BITPLAN_ASSIGN_OR_RETURN(InstanceSolution found, solver(instance, to_the_end, context));
  LeastSum least{.termination = found.termination};
  if (found.termination != Termination::kOptimal) return least;
  least.sum = SumOf(problem, groups, found.option, resource);
  least.option = std::move(found.option);
  return least;
}

std::vector<int> Without(std::span<const int> budgets, int dropped) {
  std::vector<int> rest;
  for (const int budget : budgets) {
    if (budget != dropped) rest.push_back(budget);
  }
  return rest;
}

}  // namespace

std::optional<Infeasibility> DiagnoseAlone(std::span<const BudgetUsage> usage) {
  Infeasibility why;
  for (int b = 0; b < std::ssize(usage); ++b) {
    const int64_t least = usage[b].least_achievable;
    if (least > usage[b].limit) {
      why.shortages.push_back({.budget = b, .least_achievable = least, .short_by = least - usage[b].limit});
    }
  }
  if (why.shortages.empty()) return std::nullopt;
  return why;
}

absl::StatusOr<JointDiagnosis> DiagnoseTogether(const Problem& problem, std::span<const std::vector<int>> groups,
                                                std::span<const int> binding, const SolverOptions& options,
                                                const RunContext& context) {
  JointDiagnosis diagnosis{.why = {.joint = true}};
  for (const int b : binding) {
    const ProblemBudget& budget = problem.budgets[b];
    BITPLAN_ASSIGN_OR_RETURN(LeastSum least,
                             Minimise(problem, groups, budget.resource, Without(binding, b), options, context));
    BudgetShortage shortage{.budget = b, .others_conflict = least.termination == Termination::kInfeasible};
    if (least.termination == Termination::kOptimal) {
      if (least.sum <= budget.limit) {
        diagnosis.counterexample = std::move(least.option);
        return diagnosis;
      }
      shortage.least_achievable = least.sum;
      shortage.short_by = least.sum - budget.limit;
    }
    diagnosis.why.shortages.push_back(shortage);
  }
  return diagnosis;
}

}  // namespace bitplan::allocation
