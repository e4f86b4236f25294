#ifndef BITPLAN_SEARCH_PLAN_DIFF_H_
#define BITPLAN_SEARCH_PLAN_DIFF_H_

#include <optional>
#include <string>
#include <vector>

#include "search/plan/plan.h"

namespace bitplan {

// A layer that two plans treat differently. Absent: the plan has no such layer, or no choice.
struct LayerChange {
  std::string layer;
  bool in_before = false;
  bool in_after = false;
  std::optional<PlanOption> before;
  std::optional<PlanOption> after;

  bool changes_option() const;  // or the layer itself comes or goes; else only its prices differ
  bool operator==(const LayerChange&) const = default;
};

struct BudgetChange {
  std::optional<PlanBudget> before;
  std::optional<PlanBudget> after;

  bool operator==(const BudgetChange&) const = default;
};

// Something else that differs: "provenance.method", "hawq_v2", "quadratic".
struct FieldChange {
  std::string field;
  std::string before;
  std::string after;

  bool operator==(const FieldChange&) const = default;
};

// What differs between two plans. Layers are the same if their names are.
struct PlanDiff {
  std::vector<LayerChange> layers;  // in the order of `before`, those that only `after` has behind
  int64_t num_equal_layers = 0;
  std::vector<BudgetChange> budgets;  // those that differ in limit or use, by resource and sense
  std::vector<FieldChange> fields;    // termination, solver, provenance, ties and rules
  Costs totals_before;
  Costs totals_after;
  double objective_before = 0;  // of plans without a choice 0
  double objective_after = 0;

  // Nothing differs, but for when the plans were made and by which version.
  bool is_empty() const;
};

namespace plan {

PlanDiff Diff(const Plan& before, const Plan& after);

// {"equal": .., "layers": [..], "budgets": [..], "fields": [..], "totals": {..}, "objective": {..}}
std::string ToJson(const PlanDiff& diff);

}  // namespace plan
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_PLAN_DIFF_H_
