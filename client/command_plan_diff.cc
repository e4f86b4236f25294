#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "client/commands.h"
#include "client/plan_source.h"
#include "client/table.h"
#include "client/units.h"
#include "search/base/status.h"
#include "search/plan/diff.h"

namespace bitplan::client {
namespace {

constexpr size_t kNameWidth = 40;
constexpr size_t kValueWidth = 24;

std::string OptionText(bool is_there, const std::optional<PlanOption>& option) {
  if (!is_there) return "(no such layer)";
  return option.has_value() ? Label(option->option) : "(no choice)";
}

// "0.5 -> 0.25", or one number where both are equal.
std::string Change(const std::string& before, const std::string& after) {
  return before == after ? before : fmt::format("{} -> {}", before, after);
}

std::string LossOf(const std::optional<PlanOption>& option) {
  return option.has_value() ? FormatLoss(option->sensitivity) : "-";
}

std::string CostOf(const Costs& costs, Resource resource) {
  const auto cost = costs.find(resource);
  return cost == costs.end() ? "-" : FormatAmount(resource, cost->second);
}

std::string SizeOf(const std::optional<PlanOption>& option) {
  return option.has_value() ? CostOf(option->costs, Resource::kSize) : "-";
}

std::string RenderLayers(const PlanDiff& diff) {
  if (diff.layers.empty()) return "";
  Table table({{.title = "layer", .max_width = kNameWidth},
               {.title = "before"},
               {.title = "after"},
               {.title = "predicted loss", .right = true},
               {.title = "size", .right = true}});
  for (const LayerChange& change : diff.layers) {
    table.AddRow({change.layer, OptionText(change.in_before, change.before), OptionText(change.in_after, change.after),
                  Change(LossOf(change.before), LossOf(change.after)),
                  Change(SizeOf(change.before), SizeOf(change.after))});
  }
  return table.Render() + "\n";
}

std::string BudgetText(const std::optional<PlanBudget>& budget) {
  if (!budget.has_value()) return "(none)";
  return fmt::format("{} of {}", FormatAmount(budget->resource, budget->used),
                     FormatAmount(budget->resource, budget->limit));
}

std::string RenderTotals(const PlanDiff& diff) {
  Table table({{.title = ""}, {.title = "before", .right = true}, {.title = "after", .right = true}});
  table.AddRow({"predicted loss", FormatLoss(diff.objective_before), FormatLoss(diff.objective_after)});
  for (const Resource resource : kResources) {
    const std::string before = CostOf(diff.totals_before, resource);
    const std::string after = CostOf(diff.totals_after, resource);
    if (before != "-" || after != "-") table.AddRow({std::string(ToString(resource)), before, after});
  }
  for (const BudgetChange& change : diff.budgets) {
    const PlanBudget& any = change.before.has_value() ? *change.before : *change.after;
    table.AddRow({fmt::format("budget {}{}", ToString(any.resource), any.sense == BudgetSense::kAtLeast ? " >=" : ""),
                  BudgetText(change.before), BudgetText(change.after)});
  }
  return table.Render();
}

std::string RenderFields(const PlanDiff& diff) {
  if (diff.fields.empty()) return "";
  Table table({{.title = "field"},
               {.title = "before", .max_width = kValueWidth},
               {.title = "after", .max_width = kValueWidth}});
  for (const FieldChange& change : diff.fields) {
    table.AddRow(
        {change.field, change.before.empty() ? "-" : change.before, change.after.empty() ? "-" : change.after});
  }
  return "\n" + table.Render();
}

std::string Render(const PlanDiff& diff) {
  if (diff.is_empty()) return fmt::format("equal: {} layers\n", diff.num_equal_layers);
  return RenderLayers(diff) + RenderTotals(diff) + RenderFields(diff) +
         fmt::format("\n{} layers are equal\n", diff.num_equal_layers);
}

}  // namespace

Action DeclarePlanDiff(CLI::App& app) {
  struct Arguments {
    std::string before;
    std::string after;
  };
  auto arguments = std::make_shared<Arguments>();
  app.add_option("before", arguments->before, kPlanHelp)->required();
  app.add_option("after", arguments->after, "Likewise")->required();
  return [arguments](Session& session) -> absl::StatusOr<ExitCode> {
    BITPLAN_ASSIGN_OR_RETURN(const Plan before, ReadPlan(session, arguments->before));
    BITPLAN_ASSIGN_OR_RETURN(const Plan after, ReadPlan(session, arguments->after));
    const PlanDiff diff = plan::Diff(before, after);
    session.console.Answer(session.globals.is_json() ? plan::ToJson(diff) : Render(diff));
    return ExitCode::kOk;
  };
}

}  // namespace bitplan::client
