#include "search/plan/verifier.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "search/base/status.h"
#include "search/layer/ties.h"
#include "search/layer/uniform.h"
#include "search/plan/achievable.h"
#include "search/plan/plan_table.h"

namespace bitplan::plan {
namespace {

// Rounding when a bound is compared with an objective: both are sums of up to 10^5 doubles.
constexpr double kRoundingOfSums = 1e-10;

absl::Status VerifyOption(const PlanOption& option, const std::string& where) {
  if (!std::isfinite(option.sensitivity)) return DataLoss("{}.sensitivity: not finite", where);
  if (!(option.standard_error >= 0) || !std::isfinite(option.standard_error)) {
    return DataLoss("{}.standard_error: got {}, want a finite number >= 0", where, option.standard_error);
  }
  for (const auto& [resource, amount] : option.costs) {
    if (amount < 0) return DataLoss("{}.costs.{}: got {}, want >= 0", where, ResourceKey(resource), amount);
  }
  return absl::OkStatus();
}

absl::Status VerifyLayer(const PlanLayer& layer, const std::string& where) {
  std::set<std::string> labels;
  for (const PlanOption& option : OptionsOf(layer)) {
    BITPLAN_RETURN_IF_ERROR(VerifyOption(option, fmt::format("{} {}", where, Label(option.option))));
    if (!labels.insert(Label(option.option)).second) {
      return DataLoss("{}: option {} is there twice", where, Label(option.option));
    }
  }
  return labels.empty() ? DataLoss("{}: no option", where) : absl::OkStatus();
}

absl::Status VerifyLayers(const Plan& plan) {
  std::set<std::string> names;
  if (plan.layers.empty()) return DataLoss("layers: none");
  for (size_t i = 0; i < plan.layers.size(); ++i) {
    const PlanLayer& layer = plan.layers[i];
    const std::string where = fmt::format("layers[{}] '{}'", i, layer.layer.name);
    BITPLAN_RETURN_IF_ERROR(VerifyLayer(layer, where));
    if (!names.insert(layer.layer.name).second) return DataLoss("{}: the name is there twice", where);
    if (layer.chosen.has_value() != plan.has_choice()) {
      return DataLoss("{}: chosen is {}, unlike in layer '{}'", where, layer.chosen ? "there" : "missing",
                      plan.layers.front().layer.name);
    }
  }
  return absl::OkStatus();
}

absl::Status VerifyTermination(const Plan& plan) {
  const bool needs_choice = plan.termination == Termination::kOptimal || plan.termination == Termination::kFeasible;
  if (needs_choice && !plan.has_choice()) {
    return DataLoss("result.termination: {} without a choice", allocation::TerminationName(plan.termination));
  }
  if (plan.termination == Termination::kInfeasible && plan.has_choice()) {
    return DataLoss("result.termination: infeasible, but there is a choice");
  }
  return absl::OkStatus();
}

// Sum of `amount(layer)` over all layers; nullopt if one has none or the sum does not fit.
std::optional<int64_t> SumOverLayers(const Plan& plan,
                                     const std::function<std::optional<int64_t>(const PlanLayer&)>& amount) {
  std::optional<int64_t> sum = 0;
  for (const PlanLayer& layer : plan.layers) {
    const std::optional<int64_t> part = amount(layer);
    sum = sum && part ? CheckedAdd(*sum, *part) : std::nullopt;
  }
  return sum;
}

std::optional<int64_t> AmountOf(const Costs& costs, Resource resource) {
  const auto found = costs.find(resource);
  return found == costs.end() ? std::nullopt : std::optional(found->second);
}

Costs SumEachResource(const std::function<std::optional<int64_t>(Resource)>& sum) {
  Costs sums;
  for (const Resource resource : kResources) {
    if (const std::optional<int64_t> total = sum(resource)) sums[resource] = *total;
  }
  return sums;
}

std::string Describe(const Costs& costs) {
  std::string text;
  for (const auto& [resource, amount] : costs) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", ResourceKey(resource), amount);
  }
  return text.empty() ? "nothing" : text;
}

absl::Status VerifySums(const std::string& where, const Costs& stored, const Costs& added) {
  if (stored == added) return absl::OkStatus();
  return DataLoss("{}: got {}, the layers add up to {}", where, Describe(stored), Describe(added));
}

// The peak if every layer takes one of the options that `of_layer` gives.
std::optional<int64_t> Peak(const Plan& plan,
                            const std::function<std::vector<PlanOption>(const PlanLayer&)>& of_layer) {
  std::vector<MemoryCandidates> candidates;
  for (const PlanLayer& layer : plan.layers) {
    MemoryCandidates& taken = candidates.emplace_back();
    taken.layer = layer.layer.name;
    for (const PlanOption& option : of_layer(layer)) {
      taken.options.push_back(option.option);
      taken.size_bits.push_back(AmountOf(option.costs, Resource::kSize));
    }
  }
  return PeakBytes(*plan.peak_memory, candidates);
}

std::optional<int64_t> UniformPeak(const Plan& plan, int bits) {
  bool has_all = true;
  const std::optional<int64_t> peak = Peak(plan, [&](const PlanLayer& layer) {
    const std::vector<PlanOption> all = OptionsOf(layer);
    std::vector<Option> options;
    options.reserve(all.size());
    for (const PlanOption& option : all) options.push_back(option.option);
    std::vector<PlanOption> of_width;
    for (const int k : OptionsOfWidth(options, bits)) of_width.push_back(all[k]);
    has_all = has_all && !of_width.empty();
    return of_width;
  });
  return has_all ? peak : std::nullopt;
}

std::vector<PlanLayer>::const_iterator FindLayer(const Plan& plan, const std::string& name) {
  return std::ranges::find(plan.layers, name, [](const PlanLayer& layer) { return layer.layer.name; });
}

std::optional<int64_t> ChosenTotal(const Plan& plan, Resource resource) {
  if (plan.is_peak(resource)) {
    if (!plan.has_choice()) return std::nullopt;
    return Peak(plan, [](const PlanLayer& layer) { return std::vector<PlanOption>{*layer.chosen}; });
  }
  const std::optional<int64_t> sum = SumOverLayers(plan, [&](const PlanLayer& layer) {
    return layer.chosen ? AmountOf(layer.chosen->costs, resource) : std::nullopt;
  });
  if (!sum) return sum;
  const std::optional<int64_t> boundaries = BoundaryTotal(plan.boundaries, resource, [&](const std::string& name) {
    return FindLayer(plan, name)->chosen->option.activation_bits;
  });
  return boundaries ? CheckedAdd(*sum, *boundaries) : std::nullopt;
}

std::optional<int64_t> UniformTotal(const Plan& plan, Resource resource, int bits) {
  if (plan.is_peak(resource)) return UniformPeak(plan, bits);
  return SumOverLayers(plan, [&](const PlanLayer& layer) {
    std::vector<Option> options;
    std::vector<Costs> costs;
    for (const PlanOption& option : OptionsOf(layer)) {
      options.push_back(option.option);
      costs.push_back(option.costs);
    }
    return CheapestOfWidth(options, costs, resource, bits);
  });
}

absl::Status VerifyTotals(const Plan& plan) {
  return VerifySums("totals", plan.totals,
                    SumEachResource([&](Resource resource) { return ChosenTotal(plan, resource); }));
}

absl::Status VerifyUniform(const Plan& plan) {
  for (const int bits : {4, 8}) {
    const auto stored = plan.uniform.find(bits);
    const Costs added = SumEachResource([&](Resource resource) { return UniformTotal(plan, resource, bits); });
    BITPLAN_RETURN_IF_ERROR(
        VerifySums(fmt::format("uniform.w{}", bits), stored == plan.uniform.end() ? Costs{} : stored->second, added));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::vector<int>>> TieGroups(const Plan& plan) {
  std::vector<std::string_view> names;
  names.reserve(plan.layers.size());
  for (const PlanLayer& layer : plan.layers) names.push_back(layer.layer.name);
  absl::StatusOr<std::vector<std::vector<int>>> groups = GroupByTies(names, plan.ties);
  if (!groups.ok()) return DataLoss("{}", MessageOf(groups.status()));
  return groups;
}

absl::Status VerifyTies(const Plan& plan, const std::vector<std::vector<int>>& groups) {
  for (const std::vector<int>& group : groups) {
    const PlanLayer& first = plan.layers[group.front()];
    for (const int i : group) {
      const PlanLayer& layer = plan.layers[i];
      if (layer.chosen && layer.chosen->option != first.chosen->option) {
        return DataLoss("ties: '{}' has {}, '{}' has {}", first.layer.name, Label(first.chosen->option),
                        layer.layer.name, Label(layer.chosen->option));
      }
    }
  }
  return absl::OkStatus();
}

absl::Status VerifyActivationTies(const Plan& plan, const Ties& activation_ties) {
  for (const std::vector<std::string>& tie : activation_ties) {
    const PlanLayer* first = nullptr;
    for (const PlanLayer& layer : plan.layers) {
      if (!layer.chosen || std::ranges::find(tie, layer.layer.name) == tie.end()) continue;
      if (first == nullptr) first = &layer;
      const int bits = layer.chosen->option.activation_bits;
      const int want = first->chosen->option.activation_bits;
      if (bits != want) {
        return DataLoss("activation_ties: '{}' has {} activation bits, '{}' has {}", first->layer.name, want,
                        layer.layer.name, bits);
      }
    }
  }
  return absl::OkStatus();
}

// Of one group of a runtime's rule.
absl::Status VerifyRuntimeGroup(const Plan& plan, const RuntimeGroup& group) {
  const std::string where = fmt::format("runtime.groups '{}'", group.rule);
  if (group.layers.size() < 2) return DataLoss("{}: got {} layers, want at least 2", where, group.layers.size());
  if (const absl::Status status = ValidateAgreement(group.agree); !status.ok()) {
    return DataLoss("{}.{}", where, MessageOf(status));
  }
  const PlanLayer* first = nullptr;
  for (const std::string& name : group.layers) {
    const auto layer = std::ranges::find(plan.layers, name, [](const PlanLayer& l) { return l.layer.name; });
    if (layer == plan.layers.end()) return DataLoss("{}: there is no layer '{}'", where, name);
    if (!layer->chosen) continue;
    if (first == nullptr) first = &*layer;
    const std::string got = AgreementKey(layer->chosen->option, group.agree);
    const std::string want = AgreementKey(first->chosen->option, group.agree);
    if (got != want) return DataLoss("{}: '{}' has {}, '{}' has {}", where, first->layer.name, want, name, got);
  }
  return absl::OkStatus();
}

absl::Status VerifyRuntime(const Plan& plan) {
  if (!plan.runtime) return absl::OkStatus();
  if (plan.runtime->name.empty()) return DataLoss("runtime.name: got nothing");
  for (const RuntimeGroup& group : plan.runtime->groups) {
    BITPLAN_RETURN_IF_ERROR(VerifyRuntimeGroup(plan, group));
    // What must be equal as a whole must have taken part in the search as a tie.
    if (!group.is_whole_option()) continue;
    const bool is_tied = std::ranges::any_of(plan.ties, [&](const std::vector<std::string>& tie) {
      return std::ranges::all_of(group.layers,
                                 [&](const std::string& name) { return std::ranges::find(tie, name) != tie.end(); });
    });
    if (!is_tied) return DataLoss("runtime.groups '{}': {} is in no tie", group.rule, group.layers.front());
  }
  return absl::OkStatus();
}

// A step names layers of the plan, each once, and has bytes for every width that their options have.
absl::Status VerifyPeakMemory(const Plan& plan) {
  if (!plan.peak_memory) return absl::OkStatus();
  for (size_t t = 0; t < plan.peak_memory->steps.size(); ++t) {
    const MemoryStep& step = plan.peak_memory->steps[t];
    const std::string where = fmt::format("peak_memory.steps[{}] '{}'", t, step.name);
    if (step.fixed_bytes < 0) return DataLoss("{}.fixed_bytes: got {}, want >= 0", where, step.fixed_bytes);
    std::set<std::string> names;
    for (const MemoryTerm& term : step.terms) {
      const auto layer = std::ranges::find(plan.layers, term.layer, [](const PlanLayer& l) { return l.layer.name; });
      if (layer == plan.layers.end()) return DataLoss("{}: there is no layer '{}'", where, term.layer);
      if (!names.insert(term.layer).second) return DataLoss("{}: layer '{}' is there twice", where, term.layer);
      for (const PlanOption& option : OptionsOf(*layer)) {
        const auto bytes = term.bytes.find(option.option.activation_bits);
        if (bytes != term.bytes.end() && bytes->second >= 0) continue;
        return DataLoss("{}: layer '{}' has no bytes >= 0 of {} activation bits", where, term.layer,
                        option.option.activation_bits);
      }
    }
  }
  return absl::OkStatus();
}

// Of two layers of the plan, widths that differ, costs >= 0.
absl::Status VerifyBoundaries(const Plan& plan) {
  for (size_t b = 0; b < plan.boundaries.size(); ++b) {
    const BoundaryCost& boundary = plan.boundaries[b];
    const std::string where = fmt::format("boundaries[{}]", b);
    for (const std::string& name : {boundary.from, boundary.to}) {
      if (FindLayer(plan, name) == plan.layers.end()) return DataLoss("{}: there is no layer '{}'", where, name);
    }
    if (boundary.from == boundary.to) return DataLoss("{}: '{}' and itself", where, boundary.from);
    for (const auto& [widths, costs] : boundary.costs) {
      if (widths.first == widths.second) return DataLoss("{}: equal widths cost nothing", where);
      for (const auto& [resource, amount] : costs) {
        if (amount < 0) return DataLoss("{}.costs.{}: got {}, want >= 0", where, ResourceKey(resource), amount);
      }
    }
  }
  return absl::OkStatus();
}

absl::Status VerifyRules(const Plan& plan) {
  for (const WidthRule& rule : plan.rules) {
    const auto layer = std::ranges::find(plan.layers, rule.layer, [](const PlanLayer& l) { return l.layer.name; });
    if (layer == plan.layers.end()) return DataLoss("rules: there is no layer '{}'", rule.layer);
    if (!layer->chosen || IsAllowed({&rule, 1}, rule.layer, layer->chosen->option)) continue;
    return DataLoss("rules: {} '{}' is broken, the layer has {}", ToString(rule.kind), FormatWidthRule(rule),
                    Label(layer->chosen->option));
  }
  return absl::OkStatus();
}

absl::Status VerifyUse(const Plan& plan, const PlanBudget& budget, const std::string& where) {
  const std::optional<int64_t> used = plan.has_choice() ? ChosenTotal(plan, budget.resource) : 0;
  if (!used) return DataLoss("{}.used: not every chosen option has a cost, or the sum does not fit", where);
  if (budget.used != *used) return DataLoss("{}.used: got {}, the layers add up to {}", where, budget.used, *used);
  if (!plan.has_choice()) {
    return budget.slack == 0 ? absl::OkStatus() : DataLoss("{}.slack: got {}, want 0", where, budget.slack);
  }
  const bool upper = budget.sense == BudgetSense::kAtMost;
  const int64_t slack = upper ? budget.limit - *used : *used - budget.limit;
  if (slack < 0) {
    return DataLoss("{}: uses {}, {} than the limit {}", where, *used, upper ? "more" : "less", budget.limit);
  }
  if (budget.slack != slack) return DataLoss("{}.slack: got {}, want {}", where, budget.slack, slack);
  return absl::OkStatus();
}

bool HasRulesConflict(const Plan& plan) { return plan.infeasibility && plan.infeasibility->rules_conflict; }

absl::Status VerifyAchievable(const Plan& plan, const PlanBudget& budget, const std::vector<std::vector<int>>& groups,
                              const std::vector<PlanLinkedSet>& sets, const std::string& where) {
  if (HasRulesConflict(plan)) return absl::OkStatus();  // nothing is
  const std::optional<SumRange> range = AchievableRange(plan, groups, sets, budget.resource);
  if (range && HasBoundaryCosts(plan.boundaries, budget.resource)) {
    // What layers cost together is not in the range: it is a limit from below.
    if (budget.least_achievable >= range->least && (!plan.has_choice() || budget.least_achievable <= budget.used)) {
      return absl::OkStatus();
    }
    return DataLoss("{}.least_achievable: got {}, want {}..{}", where, budget.least_achievable, range->least,
                    budget.used);
  }
  if (!range || budget.least_achievable != range->least) {
    return DataLoss("{}.least_achievable: got {}, want {}", where, budget.least_achievable, range ? range->least : -1);
  }
  const int64_t most = budget.sense == BudgetSense::kAtLeast ? range->most : 0;
  if (budget.most_achievable == most) return absl::OkStatus();
  return DataLoss("{}.most_achievable: got {}, want {}", where, budget.most_achievable, most);
}

absl::Status VerifyBudgets(const Plan& plan, const std::vector<std::vector<int>>& groups) {
  std::set<std::pair<Resource, BudgetSense>> seen;
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<PlanLinkedSet> sets, LinkedSets(plan, groups));
  for (size_t b = 0; b < plan.budgets.size(); ++b) {
    const PlanBudget& budget = plan.budgets[b];
    const std::string where = fmt::format("budgets[{}] '{}'", b, budget.spec);
    if (!seen.emplace(budget.resource, budget.sense).second) {
      return DataLoss("{}: a second budget of this resource", where);
    }
    if (plan.is_peak(budget.resource) && budget.sense == BudgetSense::kAtLeast) {
      return DataLoss("{}: memory is a maximum over the execution, want an upper limit", where);
    }
    if (budget.sense == BudgetSense::kAtLeast && HasBoundaryCosts(plan.boundaries, budget.resource)) {
      return DataLoss("{}: {} counts conversions between layers, want an upper limit", where,
                      ToString(budget.resource));
    }
    if (budget.limit < 0) return DataLoss("{}.limit: got {}, want >= 0", where, budget.limit);
    BITPLAN_RETURN_IF_ERROR(VerifyUse(plan, budget, where));
    BITPLAN_RETURN_IF_ERROR(VerifyAchievable(plan, budget, groups, sets, where));
  }
  return absl::OkStatus();
}

// A shortage must be one: a least achievable sum above the limit of its budget.
absl::Status VerifyShortage(const Plan& plan, const PlanShortage& shortage, bool joint) {
  const std::string where = fmt::format("result.infeasibility '{}'", ToString(shortage.resource));
  const auto budget = std::ranges::find_if(
      plan.budgets, [&](const PlanBudget& b) { return b.resource == shortage.resource && b.sense == shortage.sense; });
  if (budget == plan.budgets.end()) return DataLoss("{}: there is no such budget", where);
  if (!shortage.least_achievable) return joint ? absl::OkStatus() : DataLoss("{}: no least_achievable", where);
  const bool upper = shortage.sense == BudgetSense::kAtMost;
  const int64_t alone = upper ? budget->least_achievable : budget->most_achievable;
  if (!joint && shortage.least_achievable != alone) {
    return DataLoss("{}.least_achievable: got {}, want {}", where, *shortage.least_achievable, alone);
  }
  const int64_t short_by =
      upper ? *shortage.least_achievable - budget->limit : budget->limit - *shortage.least_achievable;
  if (short_by <= 0 || shortage.short_by != short_by) {
    return DataLoss("{}.short_by: got {}, least {} and limit {} make {}", where, shortage.short_by.value_or(0),
                    *shortage.least_achievable, budget->limit, short_by);
  }
  return absl::OkStatus();
}

absl::Status VerifyInfeasibility(const Plan& plan) {
  if (plan.infeasibility.has_value() != (plan.termination == Termination::kInfeasible)) {
    return DataLoss("result.infeasibility: {} for {}", plan.infeasibility ? "there" : "missing",
                    allocation::TerminationName(plan.termination));
  }
  if (!plan.infeasibility) return absl::OkStatus();
  if (plan.infeasibility->rules_conflict && plan.infeasibility->shortages.empty()) return absl::OkStatus();
  if (plan.infeasibility->shortages.empty()) return DataLoss("result.infeasibility.shortages: none");
  for (const PlanShortage& shortage : plan.infeasibility->shortages) {
    BITPLAN_RETURN_IF_ERROR(VerifyShortage(plan, shortage, plan.infeasibility->joint));
  }
  return absl::OkStatus();
}

absl::Status VerifyProof(const Plan& plan) {
  const double rounding = kRoundingOfSums * std::max(std::abs(plan.objective), std::abs(plan.bound));
  const double allowed = plan.optimality_tolerance + rounding;
  if (plan.bound > plan.objective + allowed) {
    return DataLoss("result.bound: got {}, above the objective {}", plan.bound, plan.objective);
  }
  if (plan.termination == Termination::kOptimal && plan.objective - plan.bound > allowed) {
    return DataLoss("result.termination: optimal, but the bound {} is below the objective {} by more than {}",
                    plan.bound, plan.objective, plan.optimality_tolerance);
  }
  return absl::OkStatus();
}

absl::Status VerifyObjective(const Plan& plan) {
  if (!plan.has_choice()) return absl::OkStatus();
  double objective = 0;
  for (const PlanLayer& layer : plan.layers) objective += layer.chosen->sensitivity;
  // What a predictor says of the whole plan rests on the measurement, which the plan does not hold.
  if (plan.predictor.empty() && objective != plan.objective) {
    return DataLoss("result.objective: got {}, the layers add up to {}", plan.objective, objective);
  }
  if (!std::isfinite(plan.objective)) return DataLoss("result.objective: not finite");
  if (!(plan.objective_standard_error >= 0) || !std::isfinite(plan.objective_standard_error)) {
    return DataLoss("result.objective_standard_error: got {}, want a finite number >= 0",
                    plan.objective_standard_error);
  }
  if (const double gap = allocation::RelativeGap(plan.objective, plan.bound); gap != plan.gap) {
    return DataLoss("result.gap: got {}, want {}", plan.gap, gap);
  }
  return VerifyProof(plan);
}

// Estimates over resamples that the plan does not hold: only their ranges can be checked.
absl::Status VerifyRobustness(const Plan& plan) {
  const auto is_amount = [](double value) { return value >= 0 && std::isfinite(value); };
  if (plan.mean_regret && !is_amount(*plan.mean_regret)) {
    return DataLoss("result.mean_regret: got {}, want a finite number >= 0", *plan.mean_regret);
  }
  for (size_t i = 0; i < plan.layers.size(); ++i) {
    const PlanLayer& layer = plan.layers[i];
    if (layer.keep_probability.has_value() != plan.mean_regret.has_value() ||
        layer.value_of_information.has_value() != plan.mean_regret.has_value()) {
      return DataLoss(
          "layers[{}]: keep_probability and value_of_information want to be there in all layers, with "
          "result.mean_regret, or nowhere",
          i);
    }
    if (layer.keep_probability && !(*layer.keep_probability >= 0 && *layer.keep_probability <= 1)) {
      return DataLoss("layers[{}].keep_probability: got {}, want 0..1", i, *layer.keep_probability);
    }
    if (layer.value_of_information && !is_amount(*layer.value_of_information)) {
      return DataLoss("layers[{}].value_of_information: got {}, want a finite number >= 0", i,
                      *layer.value_of_information);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Verify(const Plan& plan) {
  BITPLAN_RETURN_IF_ERROR(VerifyLayers(plan));
  BITPLAN_RETURN_IF_ERROR(VerifyTermination(plan));
  BITPLAN_RETURN_IF_ERROR(VerifyPeakMemory(plan));
  BITPLAN_RETURN_IF_ERROR(VerifyBoundaries(plan));
  BITPLAN_RETURN_IF_ERROR(VerifyTotals(plan));
  BITPLAN_RETURN_IF_ERROR(VerifyUniform(plan));
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<std::vector<int>> groups, TieGroups(plan));
  BITPLAN_RETURN_IF_ERROR(VerifyTies(plan, groups));
  BITPLAN_RETURN_IF_ERROR(VerifyActivationTies(plan, plan.activation_ties));
  BITPLAN_RETURN_IF_ERROR(VerifyRuntime(plan));
  BITPLAN_RETURN_IF_ERROR(VerifyRules(plan));
  BITPLAN_RETURN_IF_ERROR(VerifyBudgets(plan, groups));
  BITPLAN_RETURN_IF_ERROR(VerifyInfeasibility(plan));
  BITPLAN_RETURN_IF_ERROR(VerifyObjective(plan));
  BITPLAN_RETURN_IF_ERROR(VerifyRobustness(plan));
  if (const std::string fingerprint = Fingerprint(plan); fingerprint != plan.fingerprint) {
    return DataLoss("fingerprint: got '{}', the content has '{}'", plan.fingerprint, fingerprint);
  }
  return absl::OkStatus();
}

}  // namespace bitplan::plan
