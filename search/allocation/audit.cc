#include "search/allocation/audit.h"

#include "search/base/status.h"

namespace bitplan::allocation {
namespace {

absl::Status CheckShape(const Problem& problem, std::span<const int> choice) {
  if (choice.size() != problem.layers.size()) {
    return Internal("audit: choice has {} entries, want one for each of the {} layers", choice.size(),
                    problem.layers.size());
  }
  for (size_t i = 0; i < choice.size(); ++i) {
    if (choice[i] < 0 || choice[i] >= std::ssize(problem.layers[i].options)) {
      return Internal("audit: choice[{}] is {}, want 0..{}", i, choice[i], problem.layers[i].options.size() - 1);
    }
  }
  return absl::OkStatus();
}

absl::Status CheckTies(const Problem& problem, std::span<const int> choice) {
  for (size_t t = 0; t < problem.ties.size(); ++t) {
    for (const int layer : problem.ties[t]) {
      if (choice[layer] == choice[problem.ties[t][0]]) continue;
      return Internal("audit: ties[{}]: layer {} takes option {}, layer {} takes {}", t, problem.ties[t][0],
                      choice[problem.ties[t][0]], layer, choice[layer]);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ChoiceTotals> AddUp(const Problem& problem, std::span<const int> choice) {
  BITPLAN_RETURN_IF_ERROR(CheckShape(problem, choice));
  BITPLAN_RETURN_IF_ERROR(CheckTies(problem, choice));
  ChoiceTotals totals;
  totals.used.resize(problem.resources.size());
  for (size_t i = 0; i < choice.size(); ++i) {
    const ProblemOption& option = problem.layers[i].options[choice[i]];
    totals.objective += option.objective;
    for (size_t r = 0; r < totals.used.size(); ++r) {
      if (__builtin_add_overflow(totals.used[r], option.cost[r], &totals.used[r])) {
        return Internal("audit: the sum of '{}' overflows at layer {}", problem.resources[r], i);
      }
    }
  }
  return totals;
}

absl::Status Audit(const Problem& problem, Solution& solution) {
  BITPLAN_ASSIGN_OR_RETURN(const ChoiceTotals totals, AddUp(problem, solution.choice));
  solution.objective = totals.objective;
  for (size_t b = 0; b < problem.budgets.size(); ++b) {
    const ProblemBudget& budget = problem.budgets[b];
    BudgetUsage& usage = solution.budgets[b];
    usage.used = totals.used[budget.resource];
    usage.slack = budget.limit - usage.used;
    if (usage.slack < 0) {
      return Internal("audit: solver '{}' uses {} of '{}', limit {}", solution.solver, usage.used, usage.resource,
                      budget.limit);
    }
  }
  return absl::OkStatus();
}

}  // namespace bitplan::allocation
