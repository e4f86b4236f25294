#include "search/allocation/schedule_steps.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace bitplan::allocation {

std::vector<int> BrokenSteps(const Problem& problem, std::span<const int> choice, std::span<const int> known) {
  std::vector<std::pair<double, int>> broken;  // less excess, constraint
  for (int s = 0; s < std::ssize(problem.steps); ++s) {
    const ProblemStep& step = problem.steps[s];
    const int constraint = static_cast<int>(problem.budgets.size()) + s;
    const int64_t used = UsedInStep(step, choice);
    if (used <= step.limit || std::ranges::find(known, constraint) != known.end()) continue;
    broken.emplace_back(-static_cast<double>(used - step.limit) / (static_cast<double>(step.limit) + 1), constraint);
  }
  std::ranges::sort(broken);
  if (broken.size() > kMostStepsAtOnce) broken.resize(kMostStepsAtOnce);
  std::vector<int> steps;
  steps.reserve(broken.size());
  for (const auto& [unused, constraint] : broken) steps.push_back(constraint);
  std::ranges::sort(steps);
  return steps;
}

}  // namespace bitplan::allocation
