#include "search/allocation/problem.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include "search/base/resource.h"
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
    if (std::ranges::none_of(problem.layers[i].options, &ProblemOption::allowed)) {
      return InvalidArgument("{}.options: got {} of which none is allowed", LayerPath(problem, i), num_options);
    }
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

// The layers of a class tie or step: existing ones, each once.
absl::Status ValidateLayerList(const Problem& problem, const std::vector<int>& layers, const std::string& where) {
  if (layers.empty()) return InvalidArgument("{}: got no layers, want at least one", where);
  std::set<int> seen;
  for (size_t j = 0; j < layers.size(); ++j) {
    if (layers[j] < 0 || layers[j] >= std::ssize(problem.layers)) {
      return InvalidArgument("{}[{}]: got layer {}, want 0..{}", where, j, layers[j], problem.layers.size() - 1);
    }
    if (!seen.insert(layers[j]).second) return InvalidArgument("{}[{}]: layer {} is listed twice", where, j, layers[j]);
  }
  return absl::OkStatus();
}

absl::Status ValidateClassTie(const Problem& problem, size_t t) {
  const ClassTie& tie = problem.class_ties[t];
  BITPLAN_RETURN_IF_ERROR(ValidateLayerList(problem, tie.layers, fmt::format("class_ties[{}].layers", t)));
  if (tie.classes.size() != tie.layers.size()) {
    return InvalidArgument("class_ties[{}].classes: got {} entries, want one for each of the {} layers", t,
                           tie.classes.size(), tie.layers.size());
  }
  for (size_t j = 0; j < tie.layers.size(); ++j) {
    const size_t want = problem.layers[tie.layers[j]].options.size();
    if (tie.classes[j].size() == want) continue;
    return InvalidArgument("class_ties[{}].classes[{}]: got {} entries, want one for each of the {} options of {}", t,
                           j, tie.classes[j].size(), want, LayerPath(problem, tie.layers[j]));
  }
  return absl::OkStatus();
}

absl::Status ValidateStep(const Problem& problem, size_t s) {
  const ProblemStep& step = problem.steps[s];
  BITPLAN_RETURN_IF_ERROR(ValidateLayerList(problem, step.layers, fmt::format("steps[{}].layers", s)));
  if (step.amounts.size() != step.layers.size()) {
    return InvalidArgument("steps[{}].amounts: got {} rows, want {}", s, step.amounts.size(), step.layers.size());
  }
  std::optional<int64_t> sum = 0;
  for (size_t j = 0; j < step.layers.size(); ++j) {
    const std::vector<int64_t>& amounts = step.amounts[j];
    const size_t want = problem.layers[step.layers[j]].options.size();
    if (amounts.size() != want) {
      return InvalidArgument("steps[{}].amounts[{}]: got {}, want {}, one an option of {}", s, j, amounts.size(), want,
                             LayerPath(problem, step.layers[j]));
    }
    const auto [least, most] = std::ranges::minmax(amounts);
    if (least < 0) return InvalidArgument("steps[{}].amounts[{}]: got {}, want at least 0", s, j, least);
    sum = sum ? CheckedAdd(*sum, most) : sum;
  }
  if (!sum) return InvalidArgument("steps[{}].amounts: their sum does not fit in 63 bits", s);
  if (step.limit < 0) return InvalidArgument("steps[{}].limit: got {}, want at least 0", s, step.limit);
  return absl::OkStatus();
}

absl::Status ValidatePairEnd(const Problem& problem, int layer, int option, const std::string& where) {
  if (layer < 0 || layer >= std::ssize(problem.layers)) {
    return InvalidArgument("{}: got layer {}, want 0..{}", where, layer, problem.layers.size() - 1);
  }
  if (option >= 0 && option < std::ssize(problem.layers[layer].options)) return absl::OkStatus();
  return InvalidArgument("{}: got option {} of {}, want 0..{}", where, option, LayerPath(problem, layer),
                         problem.layers[layer].options.size() - 1);
}

absl::Status ValidatePair(const Problem& problem, size_t p) {
  const ProblemPair& pair = problem.pairs[p];
  const std::string where = fmt::format("pairs[{}]", p);
  BITPLAN_RETURN_IF_ERROR(ValidatePairEnd(problem, pair.layer_a, pair.option_a, where));
  BITPLAN_RETURN_IF_ERROR(ValidatePairEnd(problem, pair.layer_b, pair.option_b, where));
  if (pair.layer_a == pair.layer_b) return InvalidArgument("{}: got layer {} twice", where, pair.layer_a);
  if (!std::isfinite(pair.objective)) {
    return InvalidArgument("{}.objective: got {}, want a finite number", where, pair.objective);
  }
  if (!pair.cost.empty() && pair.cost.size() != problem.resources.size()) {
    return InvalidArgument("{}.cost: got {} entries, want none or one for each of the {} resources", where,
                           pair.cost.size(), problem.resources.size());
  }
  for (size_t r = 0; r < pair.cost.size(); ++r) {
    if (pair.cost[r] < 0) {
      return InvalidArgument("{}.cost[{}] '{}': got {}, want at least 0", where, r, problem.resources[r], pair.cost[r]);
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
    for (size_t p = 0; p < problem.pairs.size(); ++p) {
      const std::vector<int64_t>& cost = problem.pairs[p].cost;
      if (!cost.empty() && __builtin_add_overflow(sum, cost[r], &sum)) {
        return InvalidArgument("pairs[{}].cost[{}] '{}': the sum of the costs up to here exceeds 2^63 - 1", p, r,
                               problem.resources[r]);
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
  for (const ProblemPair& pair : problem.pairs) sum += std::abs(pair.objective);
  if (!std::isfinite(sum)) return InvalidArgument("layers: the sum of the largest objectives is not a finite number");
  return absl::OkStatus();
}

}  // namespace

bool HasRules(const Problem& problem) {
  if (!problem.class_ties.empty() || !problem.steps.empty() || !problem.pairs.empty()) return true;
  const auto is_lower = [](const ProblemBudget& budget) { return budget.sense == BudgetSense::kAtLeast; };
  if (std::ranges::any_of(problem.budgets, is_lower)) return true;
  return std::ranges::any_of(problem.layers, [](const ProblemLayer& layer) {
    return !std::ranges::all_of(layer.options, &ProblemOption::allowed);
  });
}

int64_t UsedInStep(const ProblemStep& step, std::span<const int> choice) {
  int64_t used = 0;
  for (size_t j = 0; j < step.layers.size(); ++j) used += step.amounts[j][choice[step.layers[j]]];
  return used;
}

absl::Status Validate(const Problem& problem) {
  BITPLAN_RETURN_IF_ERROR(ValidateResources(problem));
  BITPLAN_RETURN_IF_ERROR(ValidateLayers(problem));
  BITPLAN_RETURN_IF_ERROR(ValidateBudgets(problem));
  for (size_t t = 0; t < problem.ties.size(); ++t) BITPLAN_RETURN_IF_ERROR(ValidateTieGroup(problem, t));
  for (size_t t = 0; t < problem.class_ties.size(); ++t) BITPLAN_RETURN_IF_ERROR(ValidateClassTie(problem, t));
  for (size_t s = 0; s < problem.steps.size(); ++s) BITPLAN_RETURN_IF_ERROR(ValidateStep(problem, s));
  for (size_t p = 0; p < problem.pairs.size(); ++p) BITPLAN_RETURN_IF_ERROR(ValidatePair(problem, p));
  if (problem.tie_break && (*problem.tie_break < 0 || *problem.tie_break >= std::ssize(problem.resources))) {
    return InvalidArgument("tie_break: got {}, want 0..{}", *problem.tie_break, std::ssize(problem.resources) - 1);
  }
  BITPLAN_RETURN_IF_ERROR(ValidateCostSums(problem));
  return ValidateObjectiveSum(problem);
}

}  // namespace bitplan::allocation
