#include "search/allocation/problem.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include "search/base/status.h"

namespace bitplan::allocation {
namespace {

std::string LayerPath(const Problem& problem, size_t i) {
  const std::string& name = problem.layers[i].name;
  return name.empty() ? fmt::format("layers[{}]", i) : fmt::format("layers[{}] '{}'", i, name);
}

absl::Status ValidateResources(const Problem& problem) {
  std::set<std::string> seen;
  for (size_t r = 0; r < problem.resources.size(); ++r) {
    const std::string& name = problem.resources[r];
    if (name.empty()) return InvalidArgument("resources[{}]: got an empty name", r);
    if (!seen.insert(name).second) return InvalidArgument("resources[{}]: '{}' is listed twice", r, name);
  }
  return absl::OkStatus();
}

absl::Status ValidateOption(const Problem& problem, size_t i, size_t k) {
  const ProblemOption& option = problem.layers[i].options[k];
  const auto path = [&] { return fmt::format("{}.options[{}]", LayerPath(problem, i), k); };
  if (!std::isfinite(option.objective)) {
    return InvalidArgument("{}.objective: got {}, want a finite number", path(), option.objective);
  }
  if (option.cost.size() != problem.resources.size()) {
    return InvalidArgument("{}.cost: got {} entries, want one for each of the {} resources", path(), option.cost.size(),
                           problem.resources.size());
  }
  for (size_t r = 0; r < option.cost.size(); ++r) {
    if (option.cost[r] < 0) {
      return InvalidArgument("{}.cost[{}] '{}': got {}, want at least 0", path(), r, problem.resources[r],
                             option.cost[r]);
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateLayers(const Problem& problem) {
  if (problem.layers.empty()) return InvalidArgument("layers: got none, want at least one");
  for (size_t i = 0; i < problem.layers.size(); ++i) {
    const size_t num_options = problem.layers[i].options.size();
    if (num_options == 0) return InvalidArgument("{}.options: got none, want at least one", LayerPath(problem, i));
    for (size_t k = 0; k < num_options; ++k) BITPLAN_RETURN_IF_ERROR(ValidateOption(problem, i, k));
  }
  return absl::OkStatus();
}

absl::Status ValidateBudgets(const Problem& problem) {
  for (size_t b = 0; b < problem.budgets.size(); ++b) {
    const ProblemBudget& budget = problem.budgets[b];
    if (budget.resource < 0 || budget.resource >= std::ssize(problem.resources)) {
      return InvalidArgument("budgets[{}].resource: got {}, want 0..{}", b, budget.resource,
                             std::ssize(problem.resources) - 1);
    }
    if (budget.limit < 0) {
      return InvalidArgument("budgets[{}].limit '{}': got {}, want at least 0", b, problem.resources[budget.resource],
                             budget.limit);
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateTieGroup(const Problem& problem, size_t t) {
  const std::vector<int>& group = problem.ties[t];
  if (group.empty()) return InvalidArgument("ties[{}]: got no layers, want at least one", t);
  std::set<int> seen;
  for (size_t j = 0; j < group.size(); ++j) {
    if (group[j] < 0 || group[j] >= std::ssize(problem.layers)) {
      return InvalidArgument("ties[{}][{}]: got layer {}, want 0..{}", t, j, group[j], problem.layers.size() - 1);
    }
    if (!seen.insert(group[j]).second) return InvalidArgument("ties[{}][{}]: layer {} is listed twice", t, j, group[j]);
    const size_t want = problem.layers[group[0]].options.size();
    const size_t got = problem.layers[group[j]].options.size();
    if (got != want) {
      return InvalidArgument("ties[{}][{}]: {} has {} options, {} has {}; tied layers need the same number", t, j,
                             LayerPath(problem, group[j]), got, LayerPath(problem, group[0]), want);
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateCostSums(const Problem& problem) {
  for (size_t r = 0; r < problem.resources.size(); ++r) {
    int64_t sum = 0;
    for (size_t i = 0; i < problem.layers.size(); ++i) {
      int64_t largest = 0;
      for (const ProblemOption& option : problem.layers[i].options) largest = std::max(largest, option.cost[r]);
      if (__builtin_add_overflow(sum, largest, &sum)) {
        return InvalidArgument(
            "{}.cost[{}] '{}': the sum of the largest costs of the layers up to here exceeds 2^63 - 1",
            LayerPath(problem, i), r, problem.resources[r]);
      }
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateObjectiveSum(const Problem& problem) {
  double sum = 0;
  for (const ProblemLayer& layer : problem.layers) {
    double largest = 0;
    for (const ProblemOption& option : layer.options) largest = std::max(largest, std::abs(option.objective));
    sum += largest;
  }
  if (!std::isfinite(sum)) return InvalidArgument("layers: the sum of the largest objectives is not a finite number");
  return absl::OkStatus();
}

}  // namespace

absl::Status Validate(const Problem& problem) {
  BITPLAN_RETURN_IF_ERROR(ValidateResources(problem));
  BITPLAN_RETURN_IF_ERROR(ValidateLayers(problem));
  BITPLAN_RETURN_IF_ERROR(ValidateBudgets(problem));
  for (size_t t = 0; t < problem.ties.size(); ++t) BITPLAN_RETURN_IF_ERROR(ValidateTieGroup(problem, t));
  BITPLAN_RETURN_IF_ERROR(ValidateCostSums(problem));
  return ValidateObjectiveSum(problem);
}

}  // namespace bitplan::allocation
