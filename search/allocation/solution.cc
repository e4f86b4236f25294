#include "search/allocation/solution.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "search/base/status.h"

namespace bitplan::allocation {
namespace {

constexpr auto kTerminationNames = std::to_array<std::pair<Termination, std::string_view>>({
    {Termination::kOptimal, "optimal"},
    {Termination::kFeasible, "feasible"},
    {Termination::kInfeasible, "infeasible"},
    {Termination::kTimeLimit, "time_limit"},
    {Termination::kCancelled, "cancelled"},
});

std::string ExplainShortage(const BudgetUsage& budget, const BudgetShortage& shortage, bool joint) {
  if (shortage.others_conflict) {
    return fmt::format("{}: the other budgets cannot be kept together even without it", budget.resource);
  }
  const bool upper = budget.sense == BudgetSense::kAtMost;
  const std::string_view extreme = upper ? "least" : "most";
  if (!shortage.least_achievable.has_value()) {
    return fmt::format("{}: limit {}; the {} achievable with the other budgets kept was not worked out",
                       budget.resource, budget.limit, extreme);
  }
  return fmt::format("{}: {} {} is {} by {}; the {} achievable{} is {}", budget.resource,
                     upper ? "limit" : "lower limit", budget.limit, upper ? "short" : "too high", *shortage.short_by,
                     extreme, joint ? " with the other budgets kept" : "", *shortage.least_achievable);
}

std::string ExplainStep(const BudgetShortage& shortage, bool joint) {
  if (shortage.others_conflict) {
    return fmt::format("step {}: the rest cannot be kept together even without it", shortage.step);
  }
  if (!shortage.least_achievable.has_value()) {
    return fmt::format("step {}: the least achievable with the rest kept was not worked out", shortage.step);
  }
  return fmt::format("step {}: its limit is short by {}; the least achievable{} is {}", shortage.step,
                     *shortage.short_by, joint ? " with the rest kept" : "", *shortage.least_achievable);
}

}  // namespace

std::string_view TerminationName(Termination termination) {
  for (const auto& [value, name] : kTerminationNames) {
    if (value == termination) return name;
  }
  return "unknown";
}

std::optional<Termination> ParseTermination(std::string_view name) {
  for (const auto& [value, known] : kTerminationNames) {
    if (known == name) return value;
  }
  return std::nullopt;
}

double RelativeGap(double objective, double bound) {
  const double scale = std::max(std::abs(objective), std::abs(bound));
  return scale == 0 ? 0 : std::max(0.0, objective - bound) / scale;
}

std::string ExplainInfeasibility(const Solution& solution) {
  if (!solution.infeasibility.has_value()) return "";
  const Infeasibility& why = *solution.infeasibility;
  if (why.rules_conflict) return "no choice keeps the ties, the allowed options and the forbidden pairs together";
  std::string text = why.joint ? "each budget can be kept alone, but not all together: " : "";
  for (size_t i = 0; i < why.shortages.size(); ++i) {
    if (i > 0) text += "; ";
    const BudgetShortage& shortage = why.shortages[i];
    text += shortage.step >= 0 ? ExplainStep(shortage, why.joint)
                               : ExplainShortage(solution.budgets[shortage.budget], shortage, why.joint);
  }
  return text;
}

}  // namespace bitplan::allocation
