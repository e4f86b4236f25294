#include "search/plan/diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

namespace bitplan {

bool LayerChange::changes_option() const {
  if (in_before != in_after || before.has_value() != after.has_value()) return true;
  return before.has_value() && before->option != after->option;
}

bool PlanDiff::is_empty() const {
  return layers.empty() && budgets.empty() && fields.empty() && totals_before == totals_after &&
         objective_before == objective_after;
}

namespace plan {
namespace {

using Json = nlohmann::ordered_json;

std::map<std::string, const PlanLayer*> ByName(const Plan& plan) {
  std::map<std::string, const PlanLayer*> layers;
  for (const PlanLayer& layer : plan.layers) layers.emplace(layer.layer.name, &layer);
  return layers;
}

void DiffLayers(const Plan& before, const Plan& after, PlanDiff& diff) {
  const auto old_layers = ByName(before);
  const auto new_layers = ByName(after);
  for (const PlanLayer& layer : before.layers) {
    const auto found = new_layers.find(layer.layer.name);
    const bool stays = found != new_layers.end();
    if (stays && found->second->chosen == layer.chosen) {
      ++diff.num_equal_layers;
      continue;
    }
    diff.layers.push_back({.layer = layer.layer.name,
                           .in_before = true,
                           .in_after = stays,
                           .before = layer.chosen,
                           .after = stays ? found->second->chosen : std::nullopt});
  }
  for (const PlanLayer& layer : after.layers) {
    if (old_layers.contains(layer.layer.name)) continue;
    diff.layers.push_back({.layer = layer.layer.name,
                           .in_before = false,
                           .in_after = true,
                           .before = std::nullopt,
                           .after = layer.chosen});
  }
}

void DiffBudgets(const Plan& before, const Plan& after, PlanDiff& diff) {
  std::map<std::pair<Resource, BudgetSense>, BudgetChange> budgets;
  for (const PlanBudget& budget : before.budgets) budgets[{budget.resource, budget.sense}].before = budget;
  for (const PlanBudget& budget : after.budgets) budgets[{budget.resource, budget.sense}].after = budget;
  for (auto& [unused, change] : budgets) {
    const bool is_equal = change.before.has_value() && change.after.has_value() &&
                          change.before->limit == change.after->limit && change.before->used == change.after->used;
    if (!is_equal) diff.budgets.push_back(std::move(change));
  }
}

std::string GroupsText(const std::vector<std::vector<std::string>>& groups) {
  std::vector<std::string> texts;
  texts.reserve(groups.size());
  for (const auto& group : groups) texts.push_back(fmt::format("{}", fmt::join(group, ",")));
  return fmt::format("{}", fmt::join(texts, "; "));
}

std::string RulesText(const Plan& plan) {
  std::vector<std::string> texts;
  texts.reserve(plan.rules.size());
  for (const WidthRule& rule : plan.rules) {
    texts.push_back(fmt::format("{} {}", ToString(rule.kind), FormatWidthRule(rule)));
  }
  return fmt::format("{}", fmt::join(texts, "; "));
}

void DiffFields(const Plan& before, const Plan& after, PlanDiff& diff) {
  const auto add = [&](std::string field, std::string old_value, std::string new_value) {
    if (old_value == new_value) return;
    diff.fields.push_back({std::move(field), std::move(old_value), std::move(new_value)});
  };
  const auto scored = [](const Plan& plan) {
    const std::optional<bool> is = plan.provenance.activations_scored;
    return std::string(!is.has_value() ? "not known" : *is ? "yes" : "no");
  };
  add("termination", std::string(allocation::TerminationName(before.termination)),
      std::string(allocation::TerminationName(after.termination)));
  add("ties", GroupsText(before.ties), GroupsText(after.ties));
  add("activation_ties", GroupsText(before.activation_ties), GroupsText(after.activation_ties));
  add("rules", RulesText(before), RulesText(after));
  add("predictor", before.predictor, after.predictor);
  add("solver", before.solver, after.solver);
  const PlanProvenance& from = before.provenance;
  const PlanProvenance& to = after.provenance;
  add("provenance.model_digest", from.model_digest, to.model_digest);
  add("provenance.dataset_digest", from.dataset_digest, to.dataset_digest);
  add("provenance.measurement_digest", from.measurement_digest, to.measurement_digest);
  add("provenance.method", from.method, to.method);
  add("provenance.loss", from.loss, to.loss);
  add("provenance.activations_scored", scored(before), scored(after));
  add("provenance.profile", from.profile, to.profile);
  add("provenance.profile_digest", from.profile_digest, to.profile_digest);
  add("provenance.seed", std::to_string(from.seed), std::to_string(to.seed));
}

Json OptionJson(const std::optional<PlanOption>& option) {
  if (!option.has_value()) return nullptr;
  Json costs = Json::object();
  for (const auto& [resource, cost] : option->costs) costs[std::string(ResourceKey(resource))] = cost;
  return {{"option", Label(option->option)}, {"sensitivity", option->sensitivity}, {"costs", std::move(costs)}};
}

Json BudgetJson(const std::optional<PlanBudget>& budget) {
  if (!budget.has_value()) return nullptr;
  return {{"spec", budget->spec}, {"limit", budget->limit}, {"used", budget->used}};
}

std::string_view ChangeOf(const LayerChange& change) {
  if (!change.in_before) return "added";
  if (!change.in_after) return "removed";
  return change.changes_option() ? "option" : "prices";
}

}  // namespace

PlanDiff Diff(const Plan& before, const Plan& after) {
  PlanDiff diff{.totals_before = before.totals,
                .totals_after = after.totals,
                .objective_before = before.objective,
                .objective_after = after.objective};
  DiffLayers(before, after, diff);
  DiffBudgets(before, after, diff);
  DiffFields(before, after, diff);
  return diff;
}

std::string ToJson(const PlanDiff& diff) {
  Json layers = Json::array();
  for (const LayerChange& change : diff.layers) {
    layers.push_back({{"layer", change.layer},
                      {"change", ChangeOf(change)},
                      {"before", OptionJson(change.before)},
                      {"after", OptionJson(change.after)}});
  }
  Json budgets = Json::array();
  for (const BudgetChange& change : diff.budgets) {
    const PlanBudget& any = change.before.has_value() ? *change.before : *change.after;
    budgets.push_back({{"resource", ToString(any.resource)},
                       {"at_least", any.sense == BudgetSense::kAtLeast},
                       {"before", BudgetJson(change.before)},
                       {"after", BudgetJson(change.after)}});
  }
  Json fields = Json::array();
  for (const FieldChange& change : diff.fields) {
    fields.push_back({{"field", change.field}, {"before", change.before}, {"after", change.after}});
  }
  Json totals = Json::object();
  for (const Resource resource : kResources) {
    const auto old_total = diff.totals_before.find(resource);
    const auto new_total = diff.totals_after.find(resource);
    if (old_total == diff.totals_before.end() && new_total == diff.totals_after.end()) continue;
    totals[std::string(ResourceKey(resource))] = {
        {"before", old_total == diff.totals_before.end() ? Json(nullptr) : Json(old_total->second)},
        {"after", new_total == diff.totals_after.end() ? Json(nullptr) : Json(new_total->second)}};
  }
  const Json document{{"equal", diff.is_empty()},
                      {"equal_layers", diff.num_equal_layers},
                      {"layers", std::move(layers)},
                      {"budgets", std::move(budgets)},
                      {"fields", std::move(fields)},
                      {"totals", std::move(totals)},
                      {"objective", {{"before", diff.objective_before}, {"after", diff.objective_after}}}};
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace plan
}  // namespace bitplan
