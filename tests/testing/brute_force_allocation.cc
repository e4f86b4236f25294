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

int64_t SumOf(const Problem& problem, std::span<const int> choice, int resource) {
  int64_t sum = 0;
  for (size_t i = 0; i < choice.size(); ++i) sum += problem.layers[i].options[choice[i]].cost[resource];
  return sum;
}

double ObjectiveOf(const Problem& problem, std::span<const int> choice) {
  double sum = 0;
  for (size_t i = 0; i < choice.size(); ++i) sum += problem.layers[i].options[choice[i]].objective;
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
    broken += used.back() > budget.limit ? 1 : 0;
  }
  for (size_t b = 0; b < used.size(); ++b) {
    answer.least_alone[b] = std::min(answer.least_alone[b], used[b]);
    const int others_broken = broken - (used[b] > problem.budgets[b].limit ? 1 : 0);
    if (others_broken > 0) continue;
    answer.least_given_rest[b] = std::min(answer.least_given_rest[b].value_or(used[b]), used[b]);
  }
  if (broken > 0) return;
  const double objective = ObjectiveOf(problem, choice);
  if (answer.feasible && objective >= answer.objective) return;
  answer.feasible = true;
  answer.objective = objective;
  answer.choice = choice;
}

}  // namespace

BruteForceAnswer SolveByBruteForce(const Problem& problem) {
  BruteForceAnswer answer;
  answer.least_alone.assign(problem.budgets.size(), std::numeric_limits<int64_t>::max());
  answer.least_given_rest.resize(problem.budgets.size());
  std::vector<int> choice(problem.layers.size());
  do {
    if (KeepsTies(problem, choice)) Look(problem, choice, answer);
  } while (Advance(problem, choice));
  return answer;
}

bool KeepsEverything(const Problem& problem, std::span<const int> choice) {
  if (choice.size() != problem.layers.size() || !KeepsTies(problem, choice)) return false;
  return std::all_of(problem.budgets.begin(), problem.budgets.end(), [&](const ProblemBudget& budget) {
    return SumOf(problem, choice, budget.resource) <= budget.limit;
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
