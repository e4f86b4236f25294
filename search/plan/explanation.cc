#include "search/plan/explanation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "search/allocation/solve.h"
#include "search/base/status.h"
#include "search/plan/plan_table.h"

namespace bitplan::plan {
namespace {

using Json = nlohmann::json;

constexpr double kFactors[] = {0.9, 0.95, 1.05, 1.1};
constexpr double kFactorPrecision = 0x1p-20;
constexpr double kLargestFactor = 0x1p20;

ClassTie TieOf(const PlanTable& table, const PlanLink& link) {
  ClassTie tie{.layers = link.groups};
  std::map<std::string, int> class_of;  // by key, in the order of their first appearance
  for (const int g : link.groups) {
    std::vector<int>& classes = tie.classes.emplace_back();
    for (const PlanTableItem& item : table.groups[g].items) {
      classes.push_back(
          class_of.try_emplace(AgreementKey(item.option, link.agree), static_cast<int>(class_of.size())).first->second);
    }
  }
  return tie;
}

// The plan's choice as a problem of one layer a group.
Problem ProblemOf(const Plan& plan, const PlanTable& table) {
  Problem problem;
  for (size_t r = 0; r < table.num_rows(); ++r) {
    const PlanBudget& budget = plan.budgets[table.budget_of[r]];
    problem.resources.push_back(fmt::format("{}{} row {}", ToString(budget.resource),
                                            budget.sense == BudgetSense::kAtMost ? "" : " at least", r));
    // An infeasible plan's may be below 0; its limits are not asked for as they are.
    problem.budgets.push_back({.resource = static_cast<int>(r), .limit = std::max<int64_t>(table.limits[r], 0)});
  }
  for (const PlanTableGroup& group : table.groups) {
    ProblemLayer layer{.name = group.name};
    for (const PlanTableItem& item : group.items) {
      layer.options.push_back({.objective = static_cast<double>(item.value), .cost = item.cost});
    }
    problem.layers.push_back(std::move(layer));
  }
  for (const PlanTablePair& pair : table.pairs) {
    problem.pairs.push_back({.layer_a = pair.group_a,
                             .option_a = pair.item_a,
                             .layer_b = pair.group_b,
                             .option_b = pair.item_b,
                             .cost = pair.cost});
  }
  for (const PlanLinkedSet& set : table.linked_sets) {
    for (const PlanLink& link : set.links) problem.class_ties.push_back(TieOf(table, link));
  }
  return problem;
}

bool IsProof(const Solution& solution) {
  return solution.termination == Termination::kOptimal || solution.termination == Termination::kInfeasible;
}

// A solve that a stop request ends is an error; one that a limit of time or states ends is an answer without proof.
absl::StatusOr<Solution> SolveAgain(const Problem& problem, const SolverOptions& options, const RunContext& context) {
  BITPLAN_RETURN_IF_ERROR(context.CheckStop());
  BITPLAN_ASSIGN_OR_RETURN(Solution solution, allocation::Solve(problem, options, context));
  BITPLAN_RETURN_IF_ERROR(context.CheckStop());
  return solution;
}

// "agrees with k, v in option by vllm's rule qkv": each rule that one of these layers stands in.
std::vector<std::string> TiesByRules(const Plan& plan, const std::vector<std::string>& layers) {
  std::vector<std::string> reasons;
  if (!plan.runtime) return reasons;
  for (const RuntimeGroup& group : plan.runtime->groups) {
    std::vector<std::string> tied;
    std::vector<std::string> others;
    for (const std::string& name : group.layers) {
      (std::ranges::find(layers, name) == layers.end() ? others : tied).push_back(name);
    }
    if (tied.empty()) continue;
    std::vector<std::string_view> parts;
    parts.reserve(group.agree.size());
    for (const Agreement agreement : group.agree) parts.push_back(ToString(agreement));
    if (others.empty()) {
      reasons.push_back(fmt::format("{} are tied in {} by {}'s rule {}", fmt::join(tied, ", "), fmt::join(parts, ", "),
                                    plan.runtime->name, group.rule));
    } else {
      reasons.push_back(fmt::format("{} tied to {} in {} by {}'s rule {}", fmt::join(tied, ", "),
                                    fmt::join(others, ", "), fmt::join(parts, ", "), plan.runtime->name, group.rule));
    }
  }
  return reasons;
}

// " (last layer)": a rule's reason, if it has one.
std::string ReasonText(const WidthRule& rule) { return rule.reason.empty() ? "" : fmt::format(" ({})", rule.reason); }

// Those of a tie that are not among `layers`, if some of the tie are; else empty.
std::vector<std::string> OthersOf(const std::vector<std::string>& tie, const std::vector<std::string>& layers) {
  std::vector<std::string> others;
  for (const std::string& name : tie) {
    if (std::ranges::find(layers, name) == layers.end()) others.push_back(name);
  }
  return others.size() == tie.size() ? std::vector<std::string>() : others;
}

// What limits the options of these layers, which take one option together.
std::vector<std::string> ReasonsOf(const Plan& plan, const std::vector<std::string>& layers) {
  std::vector<std::string> reasons;
  for (const WidthRule& rule : plan.rules) {
    if (std::ranges::find(layers, rule.layer) == layers.end()) continue;
    reasons.push_back(fmt::format("{} {}{}", ToString(rule.kind), FormatWidthRule(rule), ReasonText(rule)));
  }
  if (layers.size() > 1) reasons.push_back(fmt::format("{} take one option", fmt::join(layers, ", ")));
  for (const std::vector<std::string>& tie : plan.activation_ties) {
    const std::vector<std::string> others = OthersOf(tie, layers);
    if (others.empty()) continue;
    reasons.push_back(
        fmt::format("{} shares its activation bits with {}", fmt::join(layers, ", "), fmt::join(others, ", ")));
  }
  for (std::string& reason : TiesByRules(plan, layers)) reasons.push_back(std::move(reason));
  return reasons;
}

const PlanOption* FindOption(const PlanLayer& layer, const std::string& label) {
  if (layer.chosen && Label(layer.chosen->option) == label) return &*layer.chosen;
  const auto found =
      std::ranges::find_if(layer.alternatives, [&](const PlanOption& option) { return Label(option.option) == label; });
  return found == layer.alternatives.end() ? nullptr : &*found;
}

// Why an option of a layer takes no part in the search; empty: it does.
std::string WhyNot(const Plan& plan, const PlanLayer& layer, const PlanOption& option) {
  for (const WidthRule& rule : plan.rules) {
    if (IsAllowed({&rule, 1}, layer.layer.name, option.option)) continue;
    return fmt::format("{} {}{}", ToString(rule.kind), FormatWidthRule(rule), ReasonText(rule));
  }
  for (const PlanBudget& budget : plan.budgets) {
    const bool is_peak = plan.is_peak(budget.resource);
    if (is_peak && !plan.peak_memory->weights_resident) continue;
    const Resource resource = is_peak ? Resource::kSize : budget.resource;
    if (!option.costs.contains(resource)) return fmt::format("its {} is not known", ToString(resource));
  }
  return "";
}

// The option of this label of all layers together.
ExplainedOption Together(const Plan& plan, const std::vector<int>& layers, const Option& option) {
  ExplainedOption explained{.option = option};
  const std::string label = Label(option);
  for (const int i : layers) {
    const PlanLayer& layer = plan.layers[i];
    const PlanOption* of_layer = FindOption(layer, label);
    if (of_layer == nullptr) {
      explained.why_not = fmt::format("'{}' has no such option", layer.layer.name);
      return explained;
    }
    explained.sensitivity += of_layer->sensitivity;
    if (i == layers.front()) explained.costs = of_layer->costs;
    std::erase_if(explained.costs, [&](const auto& entry) { return !of_layer->costs.contains(entry.first); });
    for (auto& [resource, amount] : explained.costs) {
      if (i != layers.front()) amount += of_layer->costs.at(resource);
    }
    if (explained.why_not.empty()) explained.why_not = WhyNot(plan, layer, *of_layer);
  }
  return explained;
}

class Explainer {
 public:
  Explainer(const Plan& plan, const PlanTable& table, const ExplainRequest& request, const RunContext& context)
      : plan_(plan), table_(table), problem_(ProblemOf(plan, table)), request_(request), context_(context) {}

  absl::StatusOr<Explanation> Run() {
    Explanation explanation{.solves_again = plan_.predictor.empty()};
    for (size_t b = 0; b < plan_.budgets.size(); ++b) {
      BudgetExplanation of_budget{.budget = plan_.budgets[b], .price = plan_.budgets[b].multiplier};
      if (plan_.has_choice() && explanation.solves_again) {
        BITPLAN_ASSIGN_OR_RETURN(of_budget.other_limits, OtherLimits(static_cast<int>(b)));
      }
      explanation.budgets.push_back(std::move(of_budget));
    }
    if (!request_.layer.empty() && std::ranges::none_of(table_.groups, [&](const auto& g) { return IsAsked(g); })) {
      return NotFound("layer: there is no layer '{}' in the plan", request_.layer);
    }
    if (plan_.has_choice()) {
      for (size_t g = 0; g < table_.groups.size(); ++g) {
        if (!IsAsked(table_.groups[g])) continue;
        context_.Report({.stage = "explain",
                         .fraction = static_cast<double>(g) / static_cast<double>(table_.groups.size()),
                         .layer = static_cast<int64_t>(g) + 1,
                         .num_layers = std::ssize(table_.groups)});
        LayerExplanation of_layer = OfPrices(table_.groups[g]);
        if (explanation.solves_again) BITPLAN_RETURN_IF_ERROR(SetRegret(g, of_layer));
        explanation.layers.push_back(std::move(of_layer));
      }
    }
    if (plan_.termination == Termination::kInfeasible) {
      BITPLAN_ASSIGN_OR_RETURN(explanation.conflict, Conflict());
    }
    return explanation;
  }

 private:
  bool IsAsked(const PlanTableGroup& group) const {
    return request_.layer.empty() || std::ranges::any_of(group.layers, [&](int layer) {
             return plan_.layers[layer].layer.name == request_.layer;
           });
  }

  absl::StatusOr<std::vector<OtherLimit>> OtherLimits(int budget) const {
    std::vector<OtherLimit> others;
    for (const double factor : kFactors) {
      Problem changed = problem_;
      OtherLimit other{.factor = factor, .limit = Scaled(plan_.budgets[budget].limit, factor)};
      int64_t least = 0;
      for (size_t r = 0; r < table_.num_rows(); ++r) {
        if (table_.budget_of[r] != budget) continue;
        changed.budgets[r].limit = RowLimit(plan_, table_, r, other.limit);
        least = std::min(least, changed.budgets[r].limit);
      }
      if (least < 0) {  // more than all layers' largest costs, or less than what no option changes
        other.is_proven = true;
        others.push_back(other);
        continue;
      }
      BITPLAN_ASSIGN_OR_RETURN(const Solution solution, SolveAgain(changed, request_.solver, context_));
      if (!solution.choice.empty()) other.objective = solution.objective;
      other.is_proven = IsProof(solution);
      others.push_back(other);
    }
    return others;
  }

  static int64_t Scaled(int64_t limit, double factor) {
    const double scaled = std::floor(static_cast<double>(limit) * factor);
    return scaled < 0x1p62 ? static_cast<int64_t>(scaled) : std::numeric_limits<int64_t>::max() / 2;
  }

  long double Priced(const PlanTableItem& item) const {
    long double sum = item.value;
    for (size_t r = 0; r < table_.num_rows(); ++r) {
      const double price = std::abs(plan_.budgets[table_.budget_of[r]].multiplier.value_or(0));
      sum += price * static_cast<long double>(item.cost[r]);
    }
    return sum;
  }

  LayerExplanation OfPrices(const PlanTableGroup& group) const {
    const PlanTableItem& chosen = group.items[group.chosen];
    LayerExplanation explanation{.chosen = chosen.option};
    for (const int layer : group.layers) explanation.layers.push_back(plan_.layers[layer].layer.name);
    explanation.reasons = ReasonsOf(plan_, explanation.layers);
    for (int k = 0; k < std::ssize(group.items); ++k) {
      if (k == group.chosen) continue;
      const auto margin = static_cast<double>(Priced(group.items[k]) - Priced(chosen));
      if (explanation.price_margin && margin >= *explanation.price_margin) continue;
      explanation.price_margin = margin;
      explanation.next = group.items[k].option;
    }
    AddOptions(group, explanation);
    return explanation;
  }

  void AddOptions(const PlanTableGroup& group, LayerExplanation& explanation) const {
    const PlanTableItem& chosen = group.items[group.chosen];
    std::vector<Option> options = {chosen.option};
    for (const PlanOption& option : plan_.layers[group.layers.front()].alternatives) options.push_back(option.option);
    for (const Option& option : options) {
      ExplainedOption explained = Together(plan_, group.layers, option);
      const auto item = std::ranges::find(group.items, Label(option), &PlanTableItem::label);
      if (item != group.items.end()) explained.margin = static_cast<double>(Priced(*item) - Priced(chosen));
      explanation.options.push_back(std::move(explained));
    }
  }

  absl::Status SetRegret(size_t g, LayerExplanation& explanation) const {
    const PlanTableGroup& group = table_.groups[g];
    if (group.items.size() == 1) {
      explanation.is_needed = true;
      explanation.is_proven = true;
      return absl::OkStatus();
    }
    Problem changed = problem_;
    changed.layers[g].options[group.chosen].allowed = false;
    BITPLAN_ASSIGN_OR_RETURN(const Solution solution, SolveAgain(changed, request_.solver, context_));
    explanation.is_proven = IsProof(solution);
    explanation.is_needed = solution.termination == Termination::kInfeasible;
    if (solution.choice.empty()) return absl::OkStatus();
    explanation.regret = solution.objective - plan_.objective;
    explanation.instead = group.items[solution.choice[g]].option;
    for (size_t other = 0; other < table_.groups.size(); ++other) {
      if (other != g && solution.choice[other] != table_.groups[other].chosen) ++explanation.num_others;
    }
    return absl::OkStatus();
  }

  // A budget's limit relaxed by a factor: an upper one times, a lower one divided by it.
  int64_t Relaxed(int budget, double factor) const {
    const PlanBudget& of_plan = plan_.budgets[budget];
    return Scaled(of_plan.limit, of_plan.sense == BudgetSense::kAtMost ? factor : 1 / factor);
  }

  // Whether the budgets of these indices can be kept, relaxed by `factor`; nullopt: not answered in time.
  absl::StatusOr<std::optional<bool>> CanBeKept(const std::vector<int>& budgets, double factor) const {
    Problem asked = problem_;
    asked.budgets.clear();
    for (int r = 0; r < std::ssize(table_.budget_of); ++r) {
      const int b = table_.budget_of[r];
      if (std::ranges::find(budgets, b) == budgets.end()) continue;
      const int64_t limit = RowLimit(plan_, table_, r, Relaxed(b, factor));
      if (limit < 0) return false;  // more than all layers' largest costs, or less than what no option changes
      asked.budgets.push_back({.resource = r, .limit = limit});
    }
    // Least sum of the first resource: any choice will do, and this objective is whole numbers.
    for (ProblemLayer& layer : asked.layers) {
      for (ProblemOption& option : layer.options) {
        option.objective = asked.budgets.empty() ? 0 : static_cast<double>(option.cost[asked.budgets.front().resource]);
      }
    }
    BITPLAN_ASSIGN_OR_RETURN(const Solution solution, SolveAgain(asked, request_.solver, context_));
    if (!solution.choice.empty()) return true;
    if (solution.termination == Termination::kInfeasible) return false;
    return std::nullopt;
  }

  absl::StatusOr<ConflictExplanation> Conflict() const {
    ConflictExplanation conflict{.is_proven = true};
    const bool has_empty = std::ranges::any_of(table_.groups, [](const auto& group) { return group.items.empty(); });
    if (has_empty || (plan_.infeasibility && plan_.infeasibility->rules_conflict)) return conflict;
    for (int b = 0; b < std::ssize(plan_.budgets); ++b) conflict.budgets.push_back(b);
    // A budget goes if the others still clash.
    for (int b = 0; b < std::ssize(plan_.budgets); ++b) {
      std::vector<int> rest = conflict.budgets;
      std::erase(rest, b);
      if (rest.empty()) break;
      BITPLAN_ASSIGN_OR_RETURN(const std::optional<bool> can_be_kept, CanBeKept(rest, 1));
      conflict.is_proven = conflict.is_proven && can_be_kept.has_value();
      if (can_be_kept == false) conflict.budgets = rest;
    }
    BITPLAN_RETURN_IF_ERROR(SetFactor(conflict));
    return conflict;
  }

  absl::Status SetFactor(ConflictExplanation& conflict) const {
    double low = 1;
    double high = 2;
    for (; high < kLargestFactor; high *= 2) {
      BITPLAN_ASSIGN_OR_RETURN(const std::optional<bool> kept, CanBeKept(conflict.budgets, high));
      if (!kept) return absl::OkStatus();
      if (*kept) break;
      low = high;
    }
    if (high >= kLargestFactor) return absl::OkStatus();
    while (high - low > kFactorPrecision * low) {
      const double middle = (low + high) / 2;
      BITPLAN_ASSIGN_OR_RETURN(const std::optional<bool> kept, CanBeKept(conflict.budgets, middle));
      if (!kept) return absl::OkStatus();
      (*kept ? high : low) = middle;
    }
    conflict.factor = high;
    for (const int b : conflict.budgets) conflict.limits.push_back(Relaxed(b, high));
    return absl::OkStatus();
  }

  const Plan& plan_;
  const PlanTable& table_;
  const Problem problem_;
  const ExplainRequest& request_;
  const RunContext& context_;
};

Json ToJson(const std::optional<double>& number) { return number ? Json(*number) : Json(); }
Json ToJson(const std::optional<Option>& option) { return option ? Json(Label(*option)) : Json(); }

Json ToJson(const BudgetExplanation& of_budget) {
  Json json = {{"resource", ToString(of_budget.budget.resource)},
               {"spec", of_budget.budget.spec},
               {"limit", of_budget.budget.limit},
               {"used", of_budget.budget.used},
               {"slack", of_budget.budget.slack},
               {"price", ToJson(of_budget.price)},
               {"other_limits", Json::array()}};
  for (const OtherLimit& other : of_budget.other_limits) {
    json["other_limits"].push_back({{"factor", other.factor},
                                    {"limit", other.limit},
                                    {"objective", ToJson(other.objective)},
                                    {"is_proven", other.is_proven}});
  }
  return json;
}

Json ToJson(const ExplainedOption& explained) {
  Json json = {{"option", Label(explained.option)},
               {"sensitivity", explained.sensitivity},
               {"costs", Json::object()},
               {"margin", ToJson(explained.margin)}};
  for (const auto& [resource, amount] : explained.costs) json["costs"][std::string(ResourceKey(resource))] = amount;
  if (!explained.why_not.empty()) json["why_not"] = explained.why_not;
  return json;
}

Json ToJson(const LayerExplanation& of_layer, bool solves_again) {
  Json json = {{"layers", of_layer.layers},
               {"chosen", Label(of_layer.chosen)},
               {"price_margin", ToJson(of_layer.price_margin)},
               {"next", ToJson(of_layer.next)}};
  json["reasons"] = of_layer.reasons;
  for (const ExplainedOption& option : of_layer.options) json["options"].push_back(ToJson(option));
  if (!solves_again) return json;
  json["regret"] = ToJson(of_layer.regret);
  json["is_proven"] = of_layer.is_proven;
  json["is_needed"] = of_layer.is_needed;
  json["instead"] = ToJson(of_layer.instead);
  json["num_others"] = of_layer.num_others;
  return json;
}

}  // namespace

absl::StatusOr<Explanation> Explain(const Plan& plan, const ExplainRequest& request, const RunContext& context) {
  BITPLAN_ASSIGN_OR_RETURN(const PlanTable table, TableOf(plan));
  return Explainer(plan, table, request, context).Run();
}

std::string ToJson(const Explanation& explanation) {
  Json json = {{"format", "bitplan.explanation/1"}, {"budgets", Json::array()}, {"layers", Json::array()}};
  for (const BudgetExplanation& of_budget : explanation.budgets) json["budgets"].push_back(ToJson(of_budget));
  for (const LayerExplanation& of_layer : explanation.layers) {
    json["layers"].push_back(ToJson(of_layer, explanation.solves_again));
  }
  if (explanation.conflict) {
    Json budgets = Json::array();
    for (const int b : explanation.conflict->budgets) {
      budgets.push_back(ToString(explanation.budgets[b].budget.resource));
    }
    json["conflict"] = {{"budgets", std::move(budgets)},
                        {"factor", ToJson(explanation.conflict->factor)},
                        {"limits", explanation.conflict->limits},
                        {"is_proven", explanation.conflict->is_proven}};
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace bitplan::plan
