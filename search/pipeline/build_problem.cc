#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "search/base/status.h"
#include "search/layer/ties.h"
#include "search/pipeline/run_search.h"

namespace bitplan::pipeline {
namespace {

std::string NameOf(const Measurement& measured, int layer) { return measured.layers.layers[layer].name; }

int IndexOf(const Measurement& measured, const std::string& name) {
  return static_cast<int>(std::ranges::find(measured.layers.layers, name, &Layer::name) -
                          measured.layers.layers.begin());
}

std::vector<std::string> LabelsOf(const std::vector<Option>& options) {
  std::vector<std::string> labels;
  labels.reserve(options.size());
  for (const Option& option : options) labels.push_back(Label(option));
  std::ranges::sort(labels);
  return labels;
}

// Tied layers take the same option, so they must offer the same ones.
absl::Status CheckSameOptions(const Measurement& measured, const std::vector<int>& group) {
  const std::vector<std::string> wanted = LabelsOf(measured.options.options[group.front()]);
  for (const int i : group) {
    const std::vector<std::string> labels = LabelsOf(measured.options.options[i]);
    if (labels == wanted) continue;
    std::vector<std::string> different;
    std::ranges::set_symmetric_difference(wanted, labels, std::back_inserter(different));
    return InvalidArgument("ties: layers '{}' and '{}' have different options, only one of them has {}",
                           NameOf(measured, group.front()), NameOf(measured, i), fmt::join(different, ", "));
  }
  return absl::OkStatus();
}

// Budgets on sums; the others are on a maximum over the execution.
std::vector<BudgetSpec> SumBudgets(const CostTable& costs, const std::vector<BudgetSpec>& budgets) {
  std::vector<BudgetSpec> sums = budgets;
  std::erase_if(sums, [&](const BudgetSpec& budget) { return IsPeak(costs, budget.resource); });
  return sums;
}

// Costs that the budgets need: of their resources; weights that lie in memory need a size.
bool IsPriced(const CostTable& costs, const Costs& option, const std::vector<BudgetSpec>& budgets) {
  return std::ranges::all_of(budgets, [&](const BudgetSpec& budget) {
    if (!IsPeak(costs, budget.resource)) return option.contains(budget.resource);
    return !costs.peak_memory->weights_resident || option.contains(Resource::kSize);
  });
}

// "'conv1': w4a8/..., w4a8/...; 'fc': all 6 options"
std::string DescribeUnpriced(const Measurement& measured, const CostTable& costs,
                             const std::vector<BudgetSpec>& budgets, const std::vector<WidthRule>& rules) {
  std::vector<std::string> layers;
  for (size_t i = 0; i < costs.costs.size(); ++i) {
    std::vector<std::string> labels;
    for (size_t k = 0; k < costs.costs[i].size(); ++k) {
      const Option& option = measured.options.options[i][k];
      const bool plays = IsAllowed(rules, measured.layers.layers[i].name, option);
      const bool runs = costs.unsupported[i][k].empty();
      if (plays && runs && !IsPriced(costs, costs.costs[i][k], budgets)) labels.push_back(Label(option));
    }
    if (labels.empty()) continue;
    const std::string all = fmt::format("all {} options", labels.size());
    layers.push_back(
        fmt::format("'{}': {}", measured.layers.layers[i].name,
                    labels.size() == costs.costs[i].size() ? all : fmt::format("{}", fmt::join(labels, ", "))));
  }
  return fmt::format("{}", fmt::join(layers, "; "));
}

std::string DescribeResources(const std::vector<BudgetSpec>& budgets) {
  std::vector<std::string_view> names;
  names.reserve(budgets.size());
  for (const BudgetSpec& budget : budgets) names.push_back(ToString(budget.resource));
  return fmt::format("{}", fmt::join(names, ", "));
}

absl::Status CheckAllPriced(const Measurement& measured, const CostTable& costs, const SearchRequest& request) {
  const std::vector<BudgetSpec>& budgets = request.budgets;
  const std::string unpriced = DescribeUnpriced(measured, costs, budgets, request.rules);
  if (unpriced.empty()) return absl::OkStatus();
  return InvalidArgument(
      "profile '{}' does not price all options ({}). It knows {}. Leave unpriced options out (leave_out_unpriced), "
      "measure fewer widths, use another profile, or give costs with the sensitivities. Unpriced: {}",
      costs.profile, DescribeResources(budgets), costs.coverage, unpriced);
}

// Labels that the rules leave to every layer of the group.
std::set<std::string> AllowedLabels(const Measurement& measured, const std::vector<WidthRule>& rules,
                                    const std::vector<int>& group) {
  std::set<std::string> labels;
  for (const Option& option : measured.options.options[group.front()]) labels.insert(Label(option));
  for (const int i : group) {
    for (const Option& option : measured.options.options[i]) {
      if (!IsAllowed(rules, NameOf(measured, i), option)) labels.erase(Label(option));
    }
  }
  return labels;
}

// ", tied by vllm's rule qkv" where a runtime ties layers of the group.
std::string TiedByRuntime(const Measurement& measured, const SearchRequest& request,
                          const std::set<std::string>& names) {
  std::set<std::string> rules;
  for (const RuntimeGroup& group : RuntimeGroupsOf(measured, request).groups) {
    if (group.is_whole_option() && names.contains(group.layers.front())) rules.insert(group.rule);
  }
  if (rules.empty()) return "";
  return fmt::format(", tied by {}'s rule{} {}", request.runtime->name, rules.size() == 1 ? "" : "s",
                     fmt::join(rules, ", "));
}

absl::Status NothingAllowed(const Measurement& measured, const SearchRequest& request, const std::vector<int>& group) {
  const std::vector<WidthRule>& rules = request.rules;
  std::set<std::string> names;
  std::set<std::string> widths;
  for (const int i : group) {
    names.insert(NameOf(measured, i));
    for (const Option& option : measured.options.options[i]) {
      widths.insert(fmt::format("w{}a{}", option.weight_bits, option.activation_bits));
    }
  }
  std::vector<std::string> on_group;
  for (const WidthRule& rule : rules) {
    if (names.contains(rule.layer))
      on_group.push_back(fmt::format("{} {}", ToString(rule.kind), FormatWidthRule(rule)));
  }
  return InvalidArgument("rules: {} leave{} no option to {} '{}'{}, which {} {}", fmt::join(on_group, ", "),
                         on_group.size() == 1 ? "s" : "", names.size() == 1 ? "layer" : "the tied layers",
                         fmt::join(names, "', '"), TiedByRuntime(measured, request, names),
                         names.size() == 1 ? "has" : "have", fmt::join(widths, ", "));
}

// Those that every layer of the group has with all costs that the budgets need.
void DropUnpriced(const Measurement& measured, const CostTable& costs, const std::vector<BudgetSpec>& budgets,
                  const std::vector<int>& group, std::set<std::string>& labels) {
  for (const int i : group) {
    for (size_t k = 0; k < costs.costs[i].size(); ++k) {
      if (!IsPriced(costs, costs.costs[i][k], budgets)) labels.erase(Label(measured.options.options[i][k]));
    }
  }
}

// Options of layer i with these labels: in the order of the table, or by label for tied layers, whose options must
// stand in the same order.
std::vector<int> KeptOptions(const std::vector<Option>& options, const std::set<std::string>& labels, bool tied) {
  std::vector<std::pair<std::string, int>> kept;
  for (size_t k = 0; k < options.size(); ++k) {
    const std::string label = Label(options[k]);
    if (labels.contains(label)) kept.emplace_back(tied ? label : "", static_cast<int>(k));
  }
  std::ranges::sort(kept);
  std::vector<int> indices;
  indices.reserve(kept.size());
  for (const auto& [unused, k] : kept) indices.push_back(k);
  return indices;
}

absl::StatusOr<std::vector<std::vector<int>>> ChooseKept(const Measurement& measured, const CostTable& costs,
                                                         const SearchRequest& request,
                                                         const std::vector<std::vector<int>>& groups) {
  std::vector<std::vector<int>> kept(costs.costs.size());
  std::vector<std::string> empty;
  for (const std::vector<int>& group : groups) {
    std::set<std::string> labels = AllowedLabels(measured, request.rules, group);
    if (labels.empty()) return NothingAllowed(measured, request, group);
    DropUnpriced(measured, costs, request.budgets, group, labels);
    for (const int i : group) {
      kept[i] = KeptOptions(measured.options.options[i], labels, group.size() > 1);
      if (kept[i].empty()) empty.push_back(fmt::format("'{}'", NameOf(measured, i)));
    }
  }
  if (empty.empty()) return kept;
  return InvalidArgument(
      "profile '{}' leaves no option with a known cost ({}) in layers {}. It knows {}. Use another profile or give "
      "costs "
      "with the sensitivities",
      costs.profile, DescribeResources(request.budgets), fmt::join(empty, ", "), costs.coverage);
}

ProblemLayer BuildLayer(const Measurement& measured, const CostTable& costs, const std::vector<Resource>& resources,
                        int i, const std::vector<int>& kept) {
  ProblemLayer layer{.name = NameOf(measured, i), .options = {}};
  for (const int k : kept) {
    ProblemOption option{.objective = measured.sensitivity.score[i][k], .cost = {}};
    for (const Resource resource : resources) option.cost.push_back(costs.costs[i][k].at(resource));
    layer.options.push_back(std::move(option));
  }
  return layer;
}

// Budgeted resources in the order of their first budgets.
std::vector<Resource> ResourcesOf(const std::vector<BudgetSpec>& budgets) {
  std::vector<Resource> resources;
  for (const BudgetSpec& budget : budgets) {
    if (std::ranges::find(resources, budget.resource) == resources.end()) resources.push_back(budget.resource);
  }
  return resources;
}

absl::Status AddBudgets(const Measurement& measured, const CostTable& costs, const std::vector<BudgetSpec>& budgets,
                        BuiltProblem& built) {
  Problem& problem = built.problem;
  const std::vector<Resource> resources = ResourcesOf(SumBudgets(costs, budgets));
  for (const Resource resource : resources) problem.resources.emplace_back(ResourceKey(resource));
  for (const BudgetSpec& budget : budgets) {
    BITPLAN_ASSIGN_OR_RETURN(const int64_t limit, ResolveBudget(budget, measured.layers, measured.options, costs));
    built.limits.push_back(limit);
    built.rows.push_back(kPeakRow);
    if (IsPeak(costs, budget.resource)) {
      if (budget.sense == BudgetSense::kAtMost) continue;
      return InvalidArgument("budget '{}': memory is a maximum over the execution, want an upper limit",
                             FormatBudget(budget));
    }
    built.rows.back() = static_cast<int>(problem.budgets.size());
    const auto column = std::ranges::find(resources, budget.resource) - resources.begin();
    problem.budgets.push_back({.resource = static_cast<int>(column), .limit = limit, .sense = budget.sense});
  }
  return absl::OkStatus();
}

// What the kept options of each layer that a step counts take there.
ProblemStep StepOf(const Measurement& measured, const CostTable& costs, const std::vector<std::vector<int>>& kept,
                   const MemoryStep& step) {
  ProblemStep row{.name = step.name, .layers = {}, .amounts = {}};
  for (int i = 0; i < std::ssize(kept); ++i) {
    std::vector<int64_t> amounts;
    for (const int k : kept[i]) {
      const Costs& option = costs.costs[i][k];
      const auto size = option.find(Resource::kSize);
      amounts.push_back(BytesInStep(*costs.peak_memory, step, NameOf(measured, i), measured.options.options[i][k],
                                    size == option.end() ? std::nullopt : std::optional(size->second))
                            .value_or(0));  // known: IsPriced
    }
    if (std::ranges::all_of(amounts, [](int64_t amount) { return amount == 0; })) continue;
    row.layers.push_back(i);
    row.amounts.push_back(std::move(amounts));
  }
  return row;
}

// A step for each moment that a limit on the peak of memory is about.
void AddPeakSteps(const Measurement& measured, const CostTable& costs, const std::vector<BudgetSpec>& budgets,
                  BuiltProblem& built) {
  for (size_t b = 0; b < budgets.size(); ++b) {
    if (built.rows[b] != kPeakRow) continue;
    for (const MemoryStep& step : costs.peak_memory->steps) {
      ProblemStep row = StepOf(measured, costs, built.kept, step);
      // fixed_bytes count with the first layer, so that a limit never is negative.
      if (row.layers.empty() || row.layers.front() != 0) {
        row.layers.insert(row.layers.begin(), 0);
        row.amounts.insert(row.amounts.begin(), std::vector<int64_t>(built.kept[0].size(), 0));
      }
      for (int64_t& amount : row.amounts.front()) amount += step.fixed_bytes;
      row.limit = built.limits[b];
      built.problem.steps.push_back(std::move(row));
    }
  }
}

// A pair for every two kept options whose activations have to be converted.
void AddBoundaryPairs(const Measurement& measured, const BoundaryCost& boundary, const std::vector<Resource>& resources,
                      BuiltProblem& built) {
  const int from = IndexOf(measured, boundary.from);
  const int to = IndexOf(measured, boundary.to);
  for (int a = 0; a < std::ssize(built.kept[from]); ++a) {
    const int from_bits = measured.options.options[from][built.kept[from][a]].activation_bits;
    for (int b = 0; b < std::ssize(built.kept[to]); ++b) {
      const int to_bits = measured.options.options[to][built.kept[to][b]].activation_bits;
      ProblemPair pair{.layer_a = from, .option_a = a, .layer_b = to, .option_b = b, .cost = {}};
      for (const Resource resource : resources) {
        pair.cost.push_back(CostOfBoundary(boundary, from_bits, to_bits, resource));
      }
      const bool is_free = std::ranges::all_of(pair.cost, [](int64_t cost) { return cost == 0; });
      if (!is_free) built.problem.pairs.push_back(std::move(pair));
    }
  }
}

absl::Status AddBoundaries(const Measurement& measured, const CostTable& costs, const SearchRequest& request,
                           BuiltProblem& built) {
  for (const BudgetSpec& budget : request.budgets) {
    if (budget.sense == BudgetSense::kAtMost || !HasBoundaryCosts(costs.boundaries, budget.resource)) continue;
    return InvalidArgument("budget '{}': {} counts conversions between layers here, want an upper limit",
                           FormatBudget(budget), ToString(budget.resource));
  }
  const std::vector<Resource> resources = ResourcesOf(SumBudgets(costs, request.budgets));
  for (const BoundaryCost& boundary : costs.boundaries) AddBoundaryPairs(measured, boundary, resources, built);
  return absl::OkStatus();
}

absl::Status CheckRules(const Measurement& measured, const std::vector<WidthRule>& rules) {
  for (const WidthRule& rule : rules) {
    if (std::ranges::find(measured.layers.layers, rule.layer, &Layer::name) != measured.layers.layers.end()) continue;
    constexpr size_t kNamedLayers = 20;
    std::vector<std::string> known;
    for (const Layer& layer : measured.layers.layers) {
      if (known.size() < kNamedLayers) known.push_back(layer.name);
    }
    return NotFound("{} '{}': there is no layer '{}', only {}{}", ToString(rule.kind), FormatWidthRule(rule),
                    rule.layer, fmt::join(known, ", "), known.size() < measured.layers.layers.size() ? ", ..." : "");
  }
  return absl::OkStatus();
}

absl::Status AddActivationTies(const Measurement& measured, const SearchRequest& request, BuiltProblem& built) {
  for (const std::vector<std::string>& names : ActivationTiesOf(measured, request)) {
    ClassTie tie;
    for (const std::string& name : names) {
      const auto layer = std::ranges::find(measured.layers.layers, name, &Layer::name);
      if (layer == measured.layers.layers.end()) {
        return InvalidArgument("measurement.activation_ties: there is no layer '{}'", name);
      }
      const auto i = static_cast<int>(layer - measured.layers.layers.begin());
      tie.layers.push_back(i);
      std::vector<int>& widths = tie.classes.emplace_back();
      for (const int k : built.kept[i]) widths.push_back(measured.options.options[i][k].activation_bits);
    }
    built.problem.class_ties.push_back(std::move(tie));
  }
  return absl::OkStatus();
}

std::vector<std::string_view> NamesOf(const Measurement& measured) {
  std::vector<std::string_view> names;
  names.reserve(measured.layers.layers.size());
  for (const Layer& layer : measured.layers.layers) names.push_back(layer.name);
  return names;
}

// Layers that a runtime's rule wants to have equal options must offer equal ones.
absl::Status CheckRuntime(const Measurement& measured, const SearchRequest& request) {
  for (const RuntimeGroup& group : RuntimeGroupsOf(measured, request).groups) {
    if (!group.is_whole_option()) continue;
    std::vector<int> layers;
    layers.reserve(group.layers.size());
    for (const std::string& name : group.layers) layers.push_back(IndexOf(measured, name));
    if (const absl::Status status = CheckSameOptions(measured, layers); !status.ok()) {
      return WithContext(status, fmt::format("runtime '{}', rule '{}'", request.runtime->name, group.rule));
    }
  }
  return absl::OkStatus();
}

// Class ties of what rules want to agree in parts of the options.
void AddRuntimeTies(const Measurement& measured, const SearchRequest& request, BuiltProblem& built) {
  for (const RuntimeGroup& group : RuntimeGroupsOf(measured, request).groups) {
    if (group.is_whole_option()) continue;
    ClassTie tie;
    std::map<std::string, int> class_of;  // by key, in the order of their first appearance
    for (const std::string& name : group.layers) {
      const int i = IndexOf(measured, name);
      tie.layers.push_back(i);
      std::vector<int>& classes = tie.classes.emplace_back();
      for (const int k : built.kept[i]) {
        const std::string key = AgreementKey(measured.options.options[i][k], group.agree);
        classes.push_back(class_of.try_emplace(key, static_cast<int>(class_of.size())).first->second);
      }
    }
    if (class_of.size() > 1) built.problem.class_ties.push_back(std::move(tie));
  }
}

absl::StatusOr<std::vector<std::vector<int>>> GroupLayers(const Measurement& measured, const SearchRequest& request) {
  const std::vector<std::string_view> names = NamesOf(measured);
  BITPLAN_RETURN_IF_ERROR(CheckRuntime(measured, request));
  // First alone: an error then counts the request's ties as the request does.
  BITPLAN_RETURN_IF_ERROR(GroupByTies(names, request.ties).status());
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<std::vector<int>> groups, GroupByTies(names, AllTies(measured, request)));
  for (const std::vector<int>& group : groups) BITPLAN_RETURN_IF_ERROR(CheckSameOptions(measured, group));
  return groups;
}

// Of several best choices that of the least size is wanted, where sizes are known. A column more if size has no budget.
// Not for predictions of whole plans, whose solver asks for many sums.
void AddTieBreak(const Measurement& measured, const CostTable& costs, BuiltProblem& built) {
  Problem& problem = built.problem;
  if (measured.sensitivity.responses) return;
  const auto column = std::ranges::find(problem.resources, ResourceKey(Resource::kSize));
  if (column != problem.resources.end()) {
    problem.tie_break = static_cast<int>(column - problem.resources.begin());
    return;
  }
  std::vector<int64_t> most(built.kept.size(), 0);  // so that no sum overflows
  for (size_t i = 0; i < built.kept.size(); ++i) {
    for (const int k : built.kept[i]) {
      const auto size = costs.costs[i][k].find(Resource::kSize);
      if (size == costs.costs[i][k].end()) return;
      most[i] = std::max(most[i], size->second);
    }
  }
  if (!hardware::CheckedSum(most)) return;
  problem.tie_break = static_cast<int>(problem.resources.size());
  problem.resources.emplace_back(ResourceKey(Resource::kSize));
  for (ProblemPair& pair : problem.pairs) pair.cost.push_back(0);
  for (size_t i = 0; i < built.kept.size(); ++i) {
    for (size_t k = 0; k < built.kept[i].size(); ++k) {
      problem.layers[i].options[k].cost.push_back(costs.costs[i][built.kept[i][k]].at(Resource::kSize));
    }
  }
}

}  // namespace

RuntimeGrouping RuntimeGroupsOf(const Measurement& measured, const SearchRequest& request) {
  if (!request.runtime) return {};
  return hardware::GroupLayers(*request.runtime, NamesOf(measured), measured.structure);
}

Ties AllTies(const Measurement& measured, const SearchRequest& request) {
  Ties ties = measured.ties;
  ties.insert(ties.end(), request.ties.begin(), request.ties.end());
  for (RuntimeGroup& group : RuntimeGroupsOf(measured, request).groups) {
    if (group.is_whole_option()) ties.push_back(std::move(group.layers));
  }
  return ties;
}

Ties ActivationTiesOf(const Measurement& measured, const SearchRequest& request) {
  Ties ties;
  if (request.untie_activations) return ties;
  for (const std::vector<std::string>& tie : measured.activation_ties) {
    std::set<int> widths;
    for (size_t i = 0; i < measured.layers.layers.size(); ++i) {
      if (std::ranges::find(tie, NameOf(measured, static_cast<int>(i))) == tie.end()) continue;
      for (const Option& option : measured.options.options[i]) widths.insert(option.activation_bits);
    }
    if (widths.size() > 1) ties.push_back(tie);
  }
  return ties;
}

absl::StatusOr<BuiltProblem> BuildProblem(const Measurement& measured, const CostTable& costs,
                                          const SearchRequest& request) {
  BuiltProblem built;
  BITPLAN_RETURN_IF_ERROR(AddBudgets(measured, costs, request.budgets, built));
  BITPLAN_RETURN_IF_ERROR(CheckRules(measured, request.rules));
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<std::vector<int>> groups, GroupLayers(measured, request));
  if (!request.leave_out_unpriced) BITPLAN_RETURN_IF_ERROR(CheckAllPriced(measured, costs, request));
  BITPLAN_ASSIGN_OR_RETURN(built.kept, ChooseKept(measured, costs, request, groups));
  for (int i = 0; i < std::ssize(built.kept); ++i) {
    built.problem.layers.push_back(
        BuildLayer(measured, costs, ResourcesOf(SumBudgets(costs, request.budgets)), i, built.kept[i]));
  }
  for (const std::vector<int>& group : groups) {
    if (group.size() > 1) built.problem.ties.push_back(group);
  }
  BITPLAN_RETURN_IF_ERROR(AddActivationTies(measured, request, built));
  AddRuntimeTies(measured, request, built);
  AddPeakSteps(measured, costs, request.budgets, built);
  BITPLAN_RETURN_IF_ERROR(AddBoundaries(measured, costs, request, built));
  AddTieBreak(measured, costs, built);
  return built;
}

}  // namespace bitplan::pipeline
