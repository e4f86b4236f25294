#include "tests/testing/brute_force_allocation.h"

#include <algorithm>
#include <limits>

namespace bitplan::testing {
namespace {

bool KeepsTies(const Problem& problem, std::span<const int> choice) {
  for (const std::vector<int>& tied : problem.ties) {
    for (const int layer : tied) {
      if (choice[layer] != choice[tied[0]]) return false;
    }
  }
  return true;
}

bool Meet(const ProblemPair& pair, std::span<const int> choice) {
  return choice[pair.layer_a] == pair.option_a && choice[pair.layer_b] == pair.option_b;
}

bool KeepsRules(const Problem& problem, std::span<const int> choice) {
  for (size_t i = 0; i < choice.size(); ++i) {
    if (!problem.layers[i].options[choice[i]].allowed) return false;
  }
  for (const ClassTie& tie : problem.class_ties) {
    for (size_t j = 1; j < tie.layers.size(); ++j) {
      if (tie.classes[j][choice[tie.layers[j]]] != tie.classes[0][choice[tie.layers[0]]]) return false;
    }
  }
  for (const ProblemPair& pair : problem.pairs) {
    if (pair.forbidden && Meet(pair, choice)) return false;
  }
  return KeepsTies(problem, choice);
}

int64_t SumOf(const Problem& problem, std::span<const int> choice, int resource) {
  int64_t sum = 0;
  for (size_t i = 0; i < choice.size(); ++i) sum += problem.layers[i].options[choice[i]].cost[resource];
  for (const ProblemPair& pair : problem.pairs) {
    if (Meet(pair, choice) && !pair.cost.empty()) sum += pair.cost[resource];
  }
  return sum;
}

int64_t SumOf(std::span<const int> choice, const ProblemStep& step) {
  int64_t sum = 0;
  for (size_t j = 0; j < step.layers.size(); ++j) sum += step.amounts[j][choice[step.layers[j]]];
  return sum;
}

bool IsBroken(const ProblemBudget& budget, int64_t used) {
  return budget.sense == BudgetSense::kAtMost ? used > budget.limit : used < budget.limit;
}

int64_t Better(const ProblemBudget& budget, int64_t a, int64_t b) {
  return budget.sense == BudgetSense::kAtMost ? std::min(a, b) : std::max(a, b);
}

double ObjectiveOf(const Problem& problem, std::span<const int> choice) {
  double sum = 0;
  for (size_t i = 0; i < choice.size(); ++i) sum += problem.layers[i].options[choice[i]].objective;
  for (const ProblemPair& pair : problem.pairs) sum += Meet(pair, choice) ? pair.objective : 0;
  return sum;
}

// The next choice in counting order; false after the last.
bool Advance(const Problem& problem, std::vector<int>& choice) {
  for (size_t i = 0; i < choice.size(); ++i) {
    if (++choice[i] < std::ssize(problem.layers[i].options)) return true;
    choice[i] = 0;
  }
  return false;
}

void Look(const Problem& problem, const std::vector<int>& choice, BruteForceAnswer& answer) {
  std::vector<int64_t> used;
  int broken = 0;
  for (const ProblemBudget& budget : problem.budgets) {
    used.push_back(SumOf(problem, choice, budget.resource));
    broken += IsBroken(budget, used.back()) ? 1 : 0;
  }
  std::vector<int64_t> used_in_step;
  for (const ProblemStep& step : problem.steps) {
    used_in_step.push_back(SumOf(choice, step));
    broken += used_in_step.back() > step.limit ? 1 : 0;
  }
  for (size_t b = 0; b < used.size(); ++b) {
    const ProblemBudget& budget = problem.budgets[b];
    answer.least_alone[b] = answer.rules_conflict ? used[b] : Better(budget, answer.least_alone[b], used[b]);
    if (broken > (IsBroken(budget, used[b]) ? 1 : 0)) continue;
    answer.least_given_rest[b] = Better(budget, answer.least_given_rest[b].value_or(used[b]), used[b]);
  }
  answer.rules_conflict = false;
  for (size_t s = 0; s < used_in_step.size(); ++s) {
    if (broken > (used_in_step[s] > problem.steps[s].limit ? 1 : 0)) continue;
    std::optional<int64_t>& least = answer.least_of_steps_given_rest[s];
    least = std::min(least.value_or(used_in_step[s]), used_in_step[s]);
  }
  if (broken > 0) return;
  const double objective = ObjectiveOf(problem, choice);
  const int64_t tie_break = problem.tie_break ? SumOf(problem, choice, *problem.tie_break) : 0;
  if (answer.feasible && objective == answer.objective) {
    answer.least_tie_break = std::min(answer.least_tie_break, tie_break);
  }
  if (answer.feasible && objective >= answer.objective) return;
  answer.least_tie_break = tie_break;
  answer.feasible = true;
  answer.objective = objective;
  answer.choice = choice;
}

}  // namespace

BruteForceAnswer SolveByBruteForce(const Problem& problem) {
  BruteForceAnswer answer{.rules_conflict = true};
  answer.least_alone.assign(problem.budgets.size(), 0);
  answer.least_of_steps_given_rest.resize(problem.steps.size());
  answer.least_given_rest.resize(problem.budgets.size());
  std::vector<int> choice(problem.layers.size());
  do {
    if (KeepsRules(problem, choice)) Look(problem, choice, answer);
  } while (Advance(problem, choice));
  return answer;
}

bool KeepsEverything(const Problem& problem, std::span<const int> choice) {
  if (choice.size() != problem.layers.size() || !KeepsRules(problem, choice)) return false;
  for (const ProblemStep& step : problem.steps) {
    if (SumOf(choice, step) > step.limit) return false;
  }
  return std::all_of(problem.budgets.begin(), problem.budgets.end(), [&](const ProblemBudget& budget) {
    return !IsBroken(budget, SumOf(problem, choice, budget.resource));
  });
}

std::optional<double> SolveByBellman(const Problem& problem) {
  constexpr double kNone = std::numeric_limits<double>::infinity();
  const int64_t limit = problem.budgets.empty() ? 0 : problem.budgets[0].limit;
  std::vector<double> best(limit + 1, 0);
  for (const ProblemLayer& layer : problem.layers) {
    std::vector<double> next(limit + 1, kNone);
    for (const ProblemOption& option : layer.options) {
      const int64_t cost = problem.budgets.empty() ? 0 : option.cost[problem.budgets[0].resource];
      for (int64_t c = cost; c <= limit; ++c) next[c] = std::min(next[c], best[c - cost] + option.objective);
    }
    best = std::move(next);
  }
  if (best[limit] == kNone) return std::nullopt;
  return best[limit];
}

}  // namespace bitplan::testing
