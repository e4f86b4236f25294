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
    if (!problem.layers[i].options[choice[i]].allowed) {
      return Internal("audit: choice[{}] is {}, which is not allowed", i, choice[i]);
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

absl::Status CheckClassTies(const Problem& problem, std::span<const int> choice) {
  for (size_t t = 0; t < problem.class_ties.size(); ++t) {
    const ClassTie& tie = problem.class_ties[t];
    for (size_t j = 0; j < tie.layers.size(); ++j) {
      const int got = tie.classes[j][choice[tie.layers[j]]];
      const int want = tie.classes[0][choice[tie.layers[0]]];
      if (got == want) continue;
      return Internal("audit: class_ties[{}]: layer {} takes class {}, layer {} takes {}", t, tie.layers[0], want,
                      tie.layers[j], got);
    }
  }
  return absl::OkStatus();
}

bool Meet(const ProblemPair& pair, std::span<const int> choice) {
  return choice[pair.layer_a] == pair.option_a && choice[pair.layer_b] == pair.option_b;
}

absl::Status AddPairs(const Problem& problem, std::span<const int> choice, ChoiceTotals& totals) {
  for (size_t p = 0; p < problem.pairs.size(); ++p) {
    const ProblemPair& pair = problem.pairs[p];
    if (!Meet(pair, choice)) continue;
    if (pair.forbidden) return Internal("audit: pairs[{}] is forbidden, and the choice has it", p);
    totals.objective += pair.objective;
    for (size_t r = 0; r < pair.cost.size(); ++r) {
      if (__builtin_add_overflow(totals.used[r], pair.cost[r], &totals.used[r])) {
        return Internal("audit: the sum of '{}' overflows at pairs[{}]", problem.resources[r], p);
      }
    }
  }
  return absl::OkStatus();
}

int64_t SlackOf(const ProblemBudget& budget, int64_t used) {
  return budget.sense == BudgetSense::kAtMost ? budget.limit - used : used - budget.limit;
}

}  // namespace

absl::StatusOr<ChoiceTotals> AddUp(const Problem& problem, std::span<const int> choice) {
  BITPLAN_RETURN_IF_ERROR(CheckShape(problem, choice));
  BITPLAN_RETURN_IF_ERROR(CheckTies(problem, choice));
  BITPLAN_RETURN_IF_ERROR(CheckClassTies(problem, choice));
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
  BITPLAN_RETURN_IF_ERROR(AddPairs(problem, choice, totals));
  for (const ProblemStep& step : problem.steps) totals.used_in_step.push_back(UsedInStep(step, choice));
  return totals;
}

bool Keeps(const Problem& problem, std::span<const int> choice) {
  const absl::StatusOr<ChoiceTotals> totals = AddUp(problem, choice);
  if (!totals.ok()) return false;
  for (const ProblemBudget& budget : problem.budgets) {
    if (SlackOf(budget, totals->used[budget.resource]) < 0) return false;
  }
  for (size_t s = 0; s < problem.steps.size(); ++s) {
    if (totals->used_in_step[s] > problem.steps[s].limit) return false;
  }
  return true;
}

absl::Status Audit(const Problem& problem, Solution& solution) {
  BITPLAN_ASSIGN_OR_RETURN(const ChoiceTotals totals, AddUp(problem, solution.choice));
  solution.objective = totals.objective;
  for (size_t b = 0; b < problem.budgets.size(); ++b) {
    const ProblemBudget& budget = problem.budgets[b];
    BudgetUsage& usage = solution.budgets[b];
    usage.used = totals.used[budget.resource];
    usage.slack = SlackOf(budget, usage.used);
    if (usage.slack < 0) {
      return Internal("audit: solver '{}' uses {} of '{}', limit {}", solution.solver, usage.used, usage.resource,
                      budget.limit);
    }
  }
  solution.steps.resize(problem.steps.size());
  for (size_t s = 0; s < problem.steps.size(); ++s) {
    const int64_t used = totals.used_in_step[s];
    solution.steps[s] = {.used = used, .slack = problem.steps[s].limit - used};
    if (solution.steps[s].slack < 0) {
      return Internal("audit: solver '{}' uses {} in steps[{}], limit {}", solution.solver, used, s,
                      problem.steps[s].limit);
    }
  }
  return absl::OkStatus();
}

}  // namespace bitplan::allocation
