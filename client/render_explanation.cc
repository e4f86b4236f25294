#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <string>
#include <vector>

#include "client/render.h"
#include "client/table.h"
#include "client/units.h"

namespace bitplan::client {
namespace {

constexpr size_t kLongestName = 36;
constexpr double kFullPercent = 100;

// "-12.3%": how the objective changes.
std::string ChangeText(const OtherLimit& other, double objective) {
  if (!other.objective) return other.is_proven ? "none" : "?";
  if (objective == 0) return FormatLoss(*other.objective);
  const double change = (*other.objective - objective) / std::abs(objective) * kFullPercent;
  return fmt::format("{:+.1f}%{}", change, other.is_proven ? "" : " ?");
}

std::string RenderBudgets(const Plan& plan, const Explanation& explanation) {
  std::vector<Column> columns = {{.title = "budget"},
                                 {.title = "limit", .right = true},
                                 {.title = plan.has_choice() ? "slack" : "least achievable", .right = true},
                                 {.title = "price of loss", .right = true}};
  if (!explanation.budgets.empty()) {
    for (const OtherLimit& other : explanation.budgets.front().other_limits) {
      columns.push_back({.title = fmt::format("loss at {:g}x", other.factor), .right = true});
    }
  }
  Table table(std::move(columns));
  for (const auto& [budget, price, other_limits] : explanation.budgets) {
    const auto amount = [&](int64_t value) { return FormatAmount(budget.resource, value); };
    std::vector<std::string> row = {budget.spec, amount(budget.limit),
                                    amount(plan.has_choice() ? budget.slack : budget.least_achievable),
                                    price ? FormatPrice(budget.resource, *price) : "-"};
    for (const OtherLimit& other : other_limits) row.push_back(ChangeText(other, plan.objective));
    table.AddRow(std::move(row));
  }
  return table.Render();
}

std::string RegretText(const LayerExplanation& of_layer) {
  if (of_layer.is_needed) return "needed";
  if (!of_layer.regret) return "?";
  return FormatLoss(*of_layer.regret) + (of_layer.is_proven ? "" : " ?");
}

std::string RenderLayers(const Explanation& explanation) {
  std::vector<Column> columns = {{.title = "layer", .max_width = kLongestName},
                                 {.title = "has"},
                                 {.title = "next at these prices"},
                                 {.title = "margin", .right = true}};
  if (explanation.solves_again) {
    columns.push_back({.title = "regret", .right = true});
    columns.push_back({.title = "without it"});
    columns.push_back({.title = "others change", .right = true});
  }
  Table table(std::move(columns));
  for (const LayerExplanation& of_layer : explanation.layers) {
    table.AddRow({fmt::format("{}", fmt::join(of_layer.layers, " = ")), Label(of_layer.chosen),
                  of_layer.next ? Label(*of_layer.next) : "-",
                  of_layer.price_margin ? FormatLoss(*of_layer.price_margin) : "-", RegretText(of_layer),
                  of_layer.instead ? Label(*of_layer.instead) : "-", FormatCount(of_layer.num_others)});
  }
  return table.Render();
}

std::string RenderConflict(const Plan& plan, const ConflictExplanation& conflict) {
  std::vector<std::string> specs;
  specs.reserve(conflict.budgets.size());
  for (const int b : conflict.budgets) specs.push_back(plan.budgets[b].spec);
  if (specs.empty()) return "ties and rules leave no choice, whatever the budgets\n";
  std::string text =
      specs.size() == 1
          ? fmt::format("{} cannot be kept by any plan\n", specs.front())
          : fmt::format("{} cannot be kept together{}\n", fmt::join(specs, ", "),
                        conflict.is_proven ? "; without any one of them the others can"
                                           : " (a smaller set of them may clash: a question was not answered in time)");
  if (!conflict.factor) return text;
  std::vector<std::string> limits;
  for (size_t i = 0; i < conflict.limits.size(); ++i) {
    limits.push_back(FormatAmount(plan.budgets[conflict.budgets[i]].resource, conflict.limits[i]));
  }
  return text + fmt::format("the smallest relaxation that would do: {:.4f} times, that is {}\n", *conflict.factor,
                            fmt::join(limits, ", "));
}

// Every option of the layers, with what the plan's prices make of it.
std::string RenderOptions(const Plan& plan, const LayerExplanation& of_layer) {
  std::vector<Column> columns = {{.title = "option"}, {.title = "loss", .right = true}};
  for (const Resource resource : kResources) {
    if (plan.totals.contains(resource) && !plan.is_peak(resource)) {
      columns.push_back({.title = std::string(ToString(resource)), .right = true});
    }
  }
  columns.push_back({.title = "margin", .right = true});
  columns.push_back({.title = ""});
  Table table(std::move(columns));
  for (const ExplainedOption& option : of_layer.options) {
    std::vector<std::string> row = {Label(option.option), FormatLoss(option.sensitivity)};
    for (const Resource resource : kResources) {
      if (!plan.totals.contains(resource) || plan.is_peak(resource)) continue;
      const auto cost = option.costs.find(resource);
      row.push_back(cost == option.costs.end() ? "-" : FormatAmount(resource, cost->second));
    }
    row.push_back(option.margin ? FormatLoss(*option.margin) : "-");
    row.push_back(&option == &of_layer.options.front() ? "chosen" : option.why_not);
    table.AddRow(std::move(row));
  }
  return table.Render();
}

}  // namespace

std::string RenderLayerExplanation(const Plan& plan, const Explanation& explanation) {
  std::string text;
  for (const LayerExplanation& of_layer : explanation.layers) {
    text += fmt::format("{}\n", fmt::join(of_layer.layers, " = ")) + RenderOptions(plan, of_layer);
    for (const std::string& reason : of_layer.reasons) text += reason + "\n";
    if (explanation.solves_again) {
      text += of_layer.is_needed
                  ? "no other option keeps the budgets\n"
                  : fmt::format("without {} the best plan loses {} more{}\n", Label(of_layer.chosen),
                                RegretText(of_layer), of_layer.instead ? " and has " + Label(*of_layer.instead) : "");
    }
  }
  return text.empty() ? "the plan has no choice\n" : text;
}

std::string RenderExplanation(const Plan& plan, const Explanation& explanation) {
  std::string text = RenderBudgets(plan, explanation);
  if (!explanation.layers.empty()) text += "\n" + RenderLayers(explanation);
  for (const LayerExplanation& of_layer : explanation.layers) {
    for (const std::string& reason : of_layer.reasons) text += reason + "\n";
  }
  if (explanation.conflict) text += "\n" + RenderConflict(plan, *explanation.conflict);
  if (!explanation.solves_again) {
    text += fmt::format(
        "\nmargins are of each layer alone; what the whole plan would lose is a question for the measurement, since "
        "its "
        "objective is predicted by {}\n",
        plan.predictor);
  }
  return text;
}

}  // namespace bitplan::client
