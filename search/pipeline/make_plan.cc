#include "search/pipeline/make_plan.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "search/base/status.h"
#include "search/pipeline/budget.h"
#include "search/pipeline/settings.h"
#include "search/pipeline/version.h"
#include "search/plan/achievable.h"
#include "search/plan/verifier.h"

namespace bitplan::pipeline {
namespace {

double ErrorOf(const SensitivityTable& sensitivity, int i, int k) {
  return sensitivity.standard_error.empty() ? 0 : sensitivity.standard_error[i][k];
}

// `chosen` is an index into the layer's options, or -1.
PlanLayer MakeLayer(const Measurement& measured, const CostTable& costs, int i, int chosen) {
  PlanLayer layer{.layer = measured.layers.layers[i]};
  for (int k = 0; k < std::ssize(measured.options.options[i]); ++k) {
    PlanOption option{.option = measured.options.options[i][k],
                      .sensitivity = measured.sensitivity.score[i][k],
                      .standard_error = ErrorOf(measured.sensitivity, i, k),
                      .costs = costs.costs[i][k]};
    if (k == chosen) {
      option.cost_sources = costs.sources[i][k];
      std::erase_if(option.cost_sources, [](const auto& entry) { return entry.second == CostSource::kModel; });
      layer.chosen = std::move(option);
    } else {
      layer.alternatives.push_back(std::move(option));
    }
  }
  return layer;
}

std::optional<int64_t> PeakOf(const std::vector<PlanLayer>& layers, const PeakMemory& peak) {
  std::vector<MemoryCandidates> chosen;
  for (const PlanLayer& layer : layers) {
    if (!layer.chosen) return std::nullopt;
    const auto size = layer.chosen->costs.find(Resource::kSize);
    chosen.push_back({.layer = layer.layer.name,
                      .options = {layer.chosen->option},
                      .size_bits = {size == layer.chosen->costs.end() ? std::nullopt : std::optional(size->second)}});
  }
  return PeakBytes(peak, chosen);
}

const std::string& NameOfLayer(const PlanLayer& layer) { return layer.layer.name; }

std::optional<int64_t> TotalOf(const std::vector<PlanLayer>& layers, const CostTable& costs, Resource resource) {
  if (IsPeak(costs, resource)) return PeakOf(layers, *costs.peak_memory);
  std::optional<int64_t> sum = 0;
  for (const PlanLayer& layer : layers) {
    if (!sum || !layer.chosen || !layer.chosen->costs.contains(resource)) return std::nullopt;
    sum = CheckedAdd(*sum, layer.chosen->costs.at(resource));
  }
  const std::optional<int64_t> boundaries = BoundaryTotal(costs.boundaries, resource, [&](const std::string& name) {
    return std::ranges::find(layers, name, NameOfLayer)->chosen->option.activation_bits;
  });
  return sum && boundaries ? CheckedAdd(*sum, *boundaries) : std::nullopt;
}

// Of the choice. A resource without a budget was not checked for overflow before: it is left out if it does not fit.
Costs TotalsOf(const std::vector<PlanLayer>& layers, const CostTable& costs) {
  Costs totals;
  for (const PricedResource& priced : costs.resources) {
    if (const std::optional<int64_t> sum = TotalOf(layers, costs, priced.resource)) totals[priced.resource] = *sum;
  }
  return totals;
}

std::map<int, Costs> UniformOf(const Measurement& measured, const CostTable& costs) {
  std::map<int, Costs> uniform;
  for (const int bits : {4, 8}) {
    for (const PricedResource& priced : costs.resources) {
      const absl::StatusOr<int64_t> total =
          UniformTotal(measured.layers, measured.options, costs, priced.resource, bits);
      if (total.ok()) uniform[bits][priced.resource] = *total;
    }
  }
  return uniform;
}

// `plan`: with layers, totals, ties and rules.
PlanBudget PeakBudget(const Plan& plan, const BudgetSpec& spec, int64_t limit) {
  PlanBudget budget{.resource = spec.resource, .spec = FormatBudget(spec), .limit = limit};
  if (const absl::StatusOr<int64_t> least = plan::LeastAchievable(plan, spec.resource); least.ok()) {
    budget.least_achievable = *least;
  }
  if (!plan.has_choice()) return budget;
  budget.used = plan.totals.at(spec.resource);
  budget.slack = limit - budget.used;
  return budget;
}

void SetBudgets(const BuiltProblem& built, const SearchRequest& request, const Solution& solution, Plan& plan) {
  // Without a cost of every budget options take no part: so all budgets are there before an answer rests on them.
  for (const BudgetSpec& spec : request.budgets)
    plan.budgets.push_back({.resource = spec.resource, .sense = spec.sense});
  for (size_t b = 0; b < request.budgets.size(); ++b) {
    if (built.rows[b] == kPeakRow) {
      plan.budgets[b] = PeakBudget(plan, request.budgets[b], built.limits[b]);
      continue;
    }
    const BudgetUsage& usage = solution.budgets[built.rows[b]];
    plan.budgets[b] = {.resource = request.budgets[b].resource,
                       .spec = FormatBudget(request.budgets[b]),
                       .limit = usage.limit,
                       .least_achievable = usage.least_achievable,
                       .used = usage.used,
                       .slack = usage.slack,
                       .multiplier = usage.multiplier,
                       .sense = usage.sense,
                       .most_achievable = usage.most_achievable};
  }
}

// The budget that a shortage of the solution is about: an index into the request's.
size_t BudgetOf(const BuiltProblem& built, const BudgetShortage& shortage) {
  return std::ranges::find(built.rows, shortage.step >= 0 ? kPeakRow : shortage.budget) - built.rows.begin();
}

// Several steps of one maximum are one budget: that which is short by most counts.
void AddShortage(const PlanShortage& shortage, PlanInfeasibility& why) {
  const auto same = std::ranges::find_if(why.shortages, [&](const PlanShortage& known) {
    return known.resource == shortage.resource && known.sense == shortage.sense;
  });
  if (same == why.shortages.end()) {
    why.shortages.push_back(shortage);
  } else if (shortage.short_by.value_or(0) > same->short_by.value_or(0)) {
    *same = shortage;
  }
}

std::optional<PlanInfeasibility> InfeasibilityOf(const BuiltProblem& built, const Solution& solution,
                                                 const Plan& plan) {
  if (!solution.infeasibility) return std::nullopt;
  PlanInfeasibility why{.joint = solution.infeasibility->joint,
                        .shortages = {},
                        .rules_conflict = solution.infeasibility->rules_conflict};
  // A maximum that no choice keeps is short alone; the solver knows only its steps.
  for (const PlanBudget& budget : plan.budgets) {
    if (!why.joint || !plan.is_peak(budget.resource) || budget.least_achievable <= budget.limit) continue;
    why.joint = false;
    why.shortages.push_back({.resource = budget.resource,
                             .least_achievable = budget.least_achievable,
                             .short_by = budget.least_achievable - budget.limit});
    return why;
  }
  for (const BudgetShortage& shortage : solution.infeasibility->shortages) {
    const PlanBudget& budget = plan.budgets[BudgetOf(built, shortage)];
    AddShortage({.resource = budget.resource,
                 .least_achievable = shortage.least_achievable,
                 .short_by = shortage.short_by,
                 .sense = budget.sense},
                why);
  }
  return why;
}

// "memory: the peak of 4,096 bytes at least ...": what the solver says of steps, in words of the plan.
std::string ExplainInfeasible(const Solution& solution, const Plan& plan) {
  for (const PlanBudget& budget : plan.budgets) {
    if (!plan.is_peak(budget.resource) || budget.least_achievable <= budget.limit) continue;
    return fmt::format("{}: limit {} is short by {}; the least achievable peak is {}", ResourceKey(budget.resource),
                       budget.limit, budget.least_achievable - budget.limit, budget.least_achievable);
  }
  return allocation::ExplainInfeasibility(solution);
}

std::string DiagnosisOf(const Solution& solution, const Plan& plan, bool predicted) {
  const std::string_view why = allocation::TerminationName(solution.termination);
  switch (solution.termination) {
    case Termination::kOptimal:
      return "";
    case Termination::kInfeasible:
      return ExplainInfeasible(solution, plan);
    case Termination::kFeasible:
    case Termination::kTimeLimit:
    case Termination::kCancelled:
      break;
  }
  if (predicted && solution.termination == Termination::kFeasible) {
    return fmt::format(
        "Stopped at the node limit or at the gap asked for: no plan within the budgets is better than {:.4g}, "
        "the gap is {:.3g} %; the bound is of mixtures of plans, which predictions of whole plans favour, and more "
        "nodes "
        "raise it.",
        solution.bound, 100 * solution.gap);
  }
  if (solution.choice.empty()) return fmt::format("Stopped ({}) before any plan within the budgets was found.", why);
  return fmt::format(
      "Stopped ({}) before the proof: no plan within the budgets is better than {:.4g}, the gap is {:.3g} %.", why,
      solution.bound, 100 * solution.gap);
}

// "3 of 10 traces missed the wanted error ..." if any estimate of this kind did; `is_met` tells of one layer, nullopt
// where it was not estimated.
template <typename IsMet>
void WarnOfMissedTargets(const Measurement& measured, std::string_view what, std::string_view remedy, IsMet is_met,
                         std::vector<std::string>& warnings) {
  std::vector<std::string_view> missed;
  for (size_t i = 0; i < measured.sensitivity.curvature.size(); ++i) {
    if (!is_met(measured.sensitivity.curvature[i])) missed.push_back(measured.layers.layers[i].name);
  }
  if (missed.empty()) return;
  constexpr size_t kMostNames = 4;
  const bool cut = missed.size() > kMostNames;
  warnings.push_back(fmt::format("{} of {} {} missed the wanted error ({}{}); {} would make the scores surer",
                                 missed.size(), measured.layers.layers.size(), what,
                                 fmt::join(missed.begin(), missed.begin() + std::min(missed.size(), kMostNames), ", "),
                                 cut ? ", ..." : "", remedy));
}

// Options that take no part because the device does not run them, by reason.
void WarnOfUnsupported(const CostTable& costs, std::vector<std::string>& warnings) {
  std::map<std::string, int> counts;
  for (size_t i = 0; i < costs.unsupported.size(); ++i) {
    for (size_t k = 0; k < costs.unsupported[i].size(); ++k) {
      if (!costs.unsupported[i][k].empty() && costs.costs[i][k].empty()) ++counts[costs.unsupported[i][k]];
    }
  }
  for (const auto& [why, count] : counts) {
    warnings.push_back(fmt::format("{} option{} left out, as {} does not run {}: {}", count, count == 1 ? "" : "s",
                                   costs.profile, count == 1 ? "it" : "them", why));
  }
}

// Activation widths to choose from that are priced and whose effect on the loss nobody has measured.
void WarnOfUnscoredActivations(const Measurement& measured, const CostTable& costs,
                               std::vector<std::string>& warnings) {
  if (ActivationsScored(measured.settings).value_or(true)) return;
  std::set<int> widths;
  for (size_t i = 0; i < measured.options.options.size(); ++i) {
    for (size_t k = 0; k < measured.options.options[i].size(); ++k) {
      if (costs.unsupported[i][k].empty()) widths.insert(measured.options.options[i][k].activation_bits);
    }
  }
  if (widths.size() < 2) return;
  warnings.push_back(fmt::format(
      "activations of {} bits are priced, but what they do to the loss is not counted: measure with quantized "
      "activations (--quantize-activations)",
      fmt::join(widths, ", ")));
}

std::vector<std::string> WarningsOf(const Measurement& measured, const CostTable& costs) {
  std::vector<std::string> warnings = measured.sensitivity.notes;
  WarnOfUnscoredActivations(measured, costs, warnings);
  WarnOfUnsupported(costs, warnings);
  WarnOfMissedTargets(
      measured, "traces", "more probes",
      [](const LayerCurvature& layer) { return !layer.trace || layer.trace->converged; }, warnings);
  WarnOfMissedTargets(
      measured, "top eigenvalues", "more iterations",
      [](const LayerCurvature& layer) { return !layer.top_eigenvalue || layer.top_eigenvalue->converged; }, warnings);
  return warnings;
}

PlanProvenance ProvenanceOf(const Measurement& measured, const CostTable& costs, const SearchRequest& request) {
  PlanProvenance provenance{.model_digest = measured.model_digest,
                            .dataset_digest = measured.dataset_digest,
                            .measurement_digest = measured.digest,
                            .method = measured.sensitivity.method,
                            .loss = measured.sensitivity.loss,
                            .activations_scored = ActivationsScored(measured.settings),
                            .profile = request.profile.name,
                            .profile_digest = request.profile.digest,
                            .seed = measured.sensitivity.seed,
                            .bitplan_version = std::string(BitplanVersion()),
                            .versions = SolveVersions(),
                            .origin = measured.origin};
  provenance.versions.insert(measured.versions.begin(), measured.versions.end());
  for (const PricedResource& priced : costs.resources) provenance.cost_sources[priced.resource] = priced.source;
  return provenance;
}

std::optional<PlanRuntime> RuntimeOf(const Measurement& measured, const SearchRequest& request) {
  if (!request.runtime) return std::nullopt;
  RuntimeGrouping grouping = RuntimeGroupsOf(measured, request);
  return PlanRuntime{.name = request.runtime->name,
                     .version = request.runtime->version,
                     .digest = request.runtime->digest,
                     .groups = std::move(grouping.groups),
                     .unseen = std::move(grouping.unseen)};
}

void WarnOfUnseenRules(const Plan& plan, std::vector<std::string>& warnings) {
  if (!plan.runtime || plan.runtime->unseen.empty()) return;
  warnings.push_back(fmt::format(
      "runtime '{}': rule{} {} look{} at the network's graph, of which this measurement says nothing; layers were "
      "grouped by their names alone",
      plan.runtime->name, plan.runtime->unseen.size() == 1 ? "" : "s", fmt::join(plan.runtime->unseen, ", "),
      plan.runtime->unseen.size() == 1 ? "s" : ""));
}

// An infeasible problem has no objective; the numbers of the solver mean nothing there.
void SetProof(const Solution& solution, Plan& plan) {
  plan.solver = solution.solver;
  plan.solver_nodes = solution.nodes;
  plan.optimality_tolerance = solution.optimality_tolerance;
  if (solution.termination == Termination::kInfeasible) return;
  plan.objective = solution.choice.empty() ? 0 : solution.objective;
  plan.bound = solution.bound;
  plan.gap = solution.gap;
}

}  // namespace

absl::StatusOr<Plan> MakePlan(const Measurement& measured, const CostTable& costs, const BuiltProblem& built,
                              const PredictedSolution& found, const SearchRequest& request) {
  const Solution& solution = found.solution;
  Plan plan{.termination = solution.termination};
  for (int i = 0; i < std::ssize(measured.layers.layers); ++i) {
    const int chosen = solution.choice.empty() ? -1 : built.kept[i][solution.choice[i]];
    plan.layers.push_back(MakeLayer(measured, costs, i, chosen));
  }
  plan.peak_memory = costs.peak_memory;
  plan.boundaries = costs.boundaries;
  plan.totals = TotalsOf(plan.layers, costs);
  plan.uniform = UniformOf(measured, costs);
  plan.ties = AllTies(measured, request);
  plan.activation_ties = ActivationTiesOf(measured, request);
  plan.runtime = RuntimeOf(measured, request);
  plan.rules = request.rules;
  SetBudgets(built, request, solution, plan);
  SetProof(solution, plan);
  if (found.prediction) {
    plan.predictor = ToString(measured.sensitivity.responses->form);
    plan.objective_standard_error = found.prediction->standard_error;
  }
  if (found.robustness) {
    plan.mean_regret = found.robustness->mean_regret;
    for (size_t i = 0; i < plan.layers.size(); ++i) {
      plan.layers[i].keep_probability = found.robustness->layers[i].keep_probability;
      plan.layers[i].value_of_information = found.robustness->layers[i].value_of_information;
    }
  }
  plan.infeasibility = InfeasibilityOf(built, solution, plan);
  plan.diagnosis =
      found.diagnosis.empty() ? DiagnosisOf(solution, plan, found.prediction.has_value()) : found.diagnosis;
  plan.warnings = WarningsOf(measured, costs);
  WarnOfUnseenRules(plan, plan.warnings);
  plan.provenance = ProvenanceOf(measured, costs, request);
  plan.created = request.created;
  plan.fingerprint = plan::Fingerprint(plan);
  if (const absl::Status status = plan::Verify(plan); !status.ok()) {
    return Internal("the plan does not verify: {}", MessageOf(status));
  }
  return plan;
}

}  // namespace bitplan::pipeline
