#include "search/plan/plan_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "search/base/resource.h"
#include "search/base/status.h"
#include "search/layer/ties.h"
#include "search/layer/width_rule.h"

namespace bitplan::plan {
namespace {

std::vector<const PlanOption*> PointersOf(const PlanLayer& layer) {
  std::vector<const PlanOption*> options;
  if (layer.chosen) options.push_back(&*layer.chosen);
  for (const PlanOption& option : layer.alternatives) options.push_back(&option);
  return options;
}

// Appends what `option` adds to the rows of a budget; false if that is not known.
bool AddCosts(const Plan& plan, const PlanBudget& budget, const PlanLayer& layer, const PlanOption& option,
              std::vector<int64_t>& costs) {
  const auto cost_of = [&](Resource resource) {
    const auto cost = option.costs.find(resource);
    return cost == option.costs.end() ? std::nullopt : std::optional(cost->second);
  };
  if (!plan.is_peak(budget.resource)) {
    const std::optional<int64_t> cost = cost_of(budget.resource);
    if (cost) costs.push_back(*cost);
    return cost.has_value();
  }
  for (const MemoryStep& step : plan.peak_memory->steps) {
    const std::optional<int64_t> bytes =
        BytesInStep(*plan.peak_memory, step, layer.layer.name, option.option, cost_of(Resource::kSize));
    if (!bytes) return false;
    costs.push_back(*bytes);
  }
  return true;
}

// What `option` adds to each row; nullopt without a cost of one.
std::optional<std::vector<int64_t>> CostsOf(const Plan& plan, const PlanLayer& layer, const PlanOption& option) {
  std::vector<int64_t> costs;
  for (const PlanBudget& budget : plan.budgets) {
    if (!AddCosts(plan, budget, layer, option, costs)) return std::nullopt;
  }
  return costs;
}

void AddRows(const Plan& plan, PlanTable& table) {
  for (int b = 0; b < std::ssize(plan.budgets); ++b) {
    if (!plan.is_peak(plan.budgets[b].resource)) {
      table.budget_of.push_back(b);
      table.offsets.push_back(0);
      continue;
    }
    for (const MemoryStep& step : plan.peak_memory->steps) {
      table.budget_of.push_back(b);
      table.offsets.push_back(step.fixed_bytes);
    }
  }
}

// Adds the layer's option of that label to the item; false if it has none that takes part.
// Costs are the options' own; rows of lower budgets are turned afterwards.
bool AddOption(const Plan& plan, const PlanLayer& layer, PlanTableItem& item) {
  for (const PlanOption* option : PointersOf(layer)) {
    if (Label(option->option) != item.label) continue;
    if (!IsAllowed(plan.rules, layer.layer.name, option->option)) return false;
    const std::optional<std::vector<int64_t>> costs = CostsOf(plan, layer, *option);
    if (!costs) return false;
    item.value += option->sensitivity;
    item.cost.resize(costs->size());
    for (size_t r = 0; r < costs->size(); ++r) item.cost[r] += (*costs)[r];
    return true;
  }
  return false;
}

PlanTableGroup GroupOf(const Plan& plan, const std::vector<int>& layers) {
  const PlanLayer& first = plan.layers[layers.front()];
  PlanTableGroup group{.name = first.layer.name, .layers = layers};
  for (const PlanOption* option : PointersOf(first)) {
    PlanTableItem item{.option = option->option, .label = Label(option->option)};
    const bool has_all =
        std::ranges::all_of(layers, [&](int layer) { return AddOption(plan, plan.layers[layer], item); });
    if (!has_all) continue;
    if (first.chosen && item.label == Label(first.chosen->option)) group.chosen = static_cast<int>(group.items.size());
    group.items.push_back(std::move(item));
  }
  return group;
}

// Likewise with the dearest conversions on top of the layers' largest sum.
absl::Status CheckBoundarySums(const Plan& plan, int64_t largest) {
  std::map<Resource, int64_t> sums;
  for (const BoundaryCost& boundary : plan.boundaries) {
    std::map<Resource, int64_t> dearest;
    for (const auto& [unused, costs] : boundary.costs) {
      for (const auto& [resource, amount] : costs) dearest[resource] = std::max(dearest[resource], amount);
    }
    for (const auto& [resource, amount] : dearest) {
      int64_t& sum = sums.try_emplace(resource, largest).first->second;
      const std::optional<int64_t> next = CheckedAdd(sum, amount);
      if (!next) return DataLoss("boundaries: costs do not add up in 64 bits");
      sum = *next;
    }
  }
  return absl::OkStatus();
}

// The dearest choice must fit into 64 bits, so that no sum overflows.
absl::Status CheckSums(const Plan& plan) {
  std::optional<std::vector<int64_t>> sums;  // of each row
  for (const PlanLayer& layer : plan.layers) {
    std::vector<int64_t> dearest;
    for (const PlanOption* option : PointersOf(layer)) {
      const std::optional<std::vector<int64_t>> costs = CostsOf(plan, layer, *option);
      if (!costs) continue;
      dearest.resize(costs->size());
      for (size_t r = 0; r < costs->size(); ++r) dearest[r] = std::max(dearest[r], (*costs)[r]);
    }
    if (!sums) sums.emplace(dearest.size());
    sums->resize(std::max(sums->size(), dearest.size()));
    for (size_t r = 0; r < dearest.size(); ++r) {
      const std::optional<int64_t> next = CheckedAdd((*sums)[r], dearest[r]);
      if (!next) return DataLoss("budgets: costs do not add up in 64 bits");
      (*sums)[r] = *next;
    }
  }
  return CheckBoundarySums(plan, sums ? *std::ranges::max_element(*sums) : 0);
}

// Rows of lower budgets: sum >= limit becomes sum (largest - cost) <= sum of largest - limit.
void TurnLowerBudgets(const Plan& plan, PlanTable& table) {
  for (size_t r = 0; r < table.budget_of.size(); ++r) {
    const PlanBudget& budget = plan.budgets[table.budget_of[r]];
    for (PlanTableGroup& group : table.groups) {
      if (budget.sense == BudgetSense::kAtMost) break;
      int64_t largest = 0;
      for (const PlanTableItem& item : group.items) largest = std::max(largest, item.cost[r]);
      for (PlanTableItem& item : group.items) item.cost[r] = largest - item.cost[r];
      table.offsets[r] += largest;
    }
    table.limits.push_back(RowLimit(plan, table, r, budget.limit));
  }
}

// What two items cost in each row.
std::vector<int64_t> CostOfPair(const Plan& plan, const PlanTable& table, const BoundaryCost& boundary, int from_bits,
                                int to_bits) {
  std::vector<int64_t> cost;
  for (const int b : table.budget_of) {
    const Resource resource = plan.budgets[b].resource;
    cost.push_back(plan.is_peak(resource) ? 0 : CostOfBoundary(boundary, from_bits, to_bits, resource));
  }
  return cost;
}

void AddPairs(const Plan& plan, const BoundaryCost& boundary, int from, int to, PlanTable& table) {
  if (from == to) return;  // one option, one width
  for (int a = 0; a < std::ssize(table.groups[from].items); ++a) {
    for (int b = 0; b < std::ssize(table.groups[to].items); ++b) {
      PlanTablePair pair{.group_a = from, .item_a = a, .group_b = to, .item_b = b};
      pair.cost = CostOfPair(plan, table, boundary, table.groups[from].items[a].option.activation_bits,
                             table.groups[to].items[b].option.activation_bits);
      if (std::ranges::any_of(pair.cost, [](int64_t cost) { return cost > 0; })) table.pairs.push_back(std::move(pair));
    }
  }
}

using GroupNames = std::map<std::string, int>;  // group of each layer

// The groups of these layers, each once.
absl::StatusOr<std::vector<int>> GroupsOf(std::string_view what, const std::vector<std::string>& layers,
                                          const GroupNames& group_of) {
  std::set<int> groups;
  for (const std::string& name : layers) {
    const auto found = group_of.find(name);
    if (found == group_of.end()) return DataLoss("{}: there is no layer '{}'", what, name);
    groups.insert(found->second);
  }
  return std::vector<int>(groups.begin(), groups.end());
}

absl::StatusOr<int> GroupOfLayer(const Plan& plan, const std::vector<std::vector<int>>& groups,
                                 const std::string& name) {
  for (size_t g = 0; g < groups.size(); ++g) {
    for (const int i : groups[g]) {
      if (plan.layers[i].layer.name == name) return static_cast<int>(g);
    }
  }
  return DataLoss("boundaries: there is no layer '{}'", name);
}

// Sets of groups joined by these lists, ascending, ordered by their first groups.
std::vector<std::vector<int>> Joined(size_t num_groups, const std::vector<std::vector<int>>& lists) {
  std::vector<std::string> ids;
  for (size_t g = 0; g < num_groups; ++g) ids.push_back(fmt::format("{}", g));
  Ties ties;
  for (const std::vector<int>& list : lists) {
    if (list.size() < 2) continue;
    std::vector<std::string>& tie = ties.emplace_back();
    for (const int g : list) tie.push_back(ids[g]);
  }
  const std::vector<std::string_view> names(ids.begin(), ids.end());
  return GroupByTies(names, ties).value();  // lists of known groups, each once
}

// Lists of groups by what they agree on.
absl::StatusOr<std::map<std::vector<Agreement>, std::vector<std::vector<int>>>> ListsOf(const Plan& plan,
                                                                                        const GroupNames& group_of) {
  std::map<std::vector<Agreement>, std::vector<std::vector<int>>> lists;
  for (const std::vector<std::string>& tie : plan.activation_ties) {
    BITPLAN_ASSIGN_OR_RETURN(std::vector<int> groups, GroupsOf("activation_ties", tie, group_of));
    lists[{Agreement::kActivationBits}].push_back(std::move(groups));
  }
  if (!plan.runtime) return lists;
  for (const RuntimeGroup& group : plan.runtime->groups) {
    BITPLAN_ASSIGN_OR_RETURN(std::vector<int> groups, GroupsOf("runtime.groups", group.layers, group_of));
    std::vector<Agreement> agree = group.agree;
    std::ranges::sort(agree);
    lists[std::move(agree)].push_back(std::move(groups));
  }
  return lists;
}

}  // namespace

absl::StatusOr<std::vector<PlanLinkedSet>> LinkedSets(const Plan& plan, const std::vector<std::vector<int>>& groups) {
  GroupNames group_of;
  for (size_t g = 0; g < groups.size(); ++g) {
    for (const int i : groups[g]) group_of[plan.layers[i].layer.name] = static_cast<int>(g);
  }
  BITPLAN_ASSIGN_OR_RETURN(const auto lists, ListsOf(plan, group_of));
  std::vector<PlanLink> links;
  std::vector<std::vector<int>> all;
  for (const auto& [agree, of_agree] : lists) {
    for (std::vector<int>& joined : Joined(groups.size(), of_agree)) {
      if (joined.size() < 2) continue;
      all.push_back(joined);
      links.push_back({.groups = std::move(joined), .agree = agree});
    }
  }
  std::vector<PlanLinkedSet> sets;
  std::vector<size_t> set_of(groups.size(), 0);
  for (std::vector<int>& joined : Joined(groups.size(), all)) {
    for (const int g : joined) set_of[g] = sets.size();
    sets.push_back({.groups = std::move(joined), .links = {}});
  }
  for (PlanLink& link : links) {
    PlanLinkedSet& set = sets[set_of[link.groups.front()]];
    set.links.push_back(std::move(link));
  }
  return sets;
}

LinkKeys KeysOf(const PlanLinkedSet& set, int group, const Option& option) {
  LinkKeys keys;
  for (const PlanLink& link : set.links) {
    const bool is_in = std::ranges::find(link.groups, group) != link.groups.end();
    keys.push_back(is_in ? AgreementKey(option, link.agree) : "");
  }
  return keys;
}

std::optional<LinkKeys> AgreedKeys(const PlanLinkedSet& set, int group, const LinkKeys& a, const LinkKeys& b) {
  LinkKeys both;
  for (size_t l = 0; l < set.links.size(); ++l) {
    if (!a[l].empty() && !b[l].empty() && a[l] != b[l]) return std::nullopt;
    const std::string& key = a[l].empty() ? b[l] : a[l];
    both.push_back(set.links[l].groups.back() == group ? "" : key);
  }
  return both;
}

int64_t RowLimit(const Plan& plan, const PlanTable& table, size_t row, int64_t budget_limit) {
  const bool is_upper = plan.budgets[table.budget_of[row]].sense == BudgetSense::kAtMost;
  return is_upper ? budget_limit - table.offsets[row] : table.offsets[row] - budget_limit;
}

absl::StatusOr<PlanTable> TableOf(const Plan& plan) {
  BITPLAN_RETURN_IF_ERROR(CheckSums(plan));
  std::vector<std::string_view> names;
  names.reserve(plan.layers.size());
  for (const PlanLayer& layer : plan.layers) names.push_back(layer.layer.name);
  const auto groups = GroupByTies(names, plan.ties);
  if (!groups.ok()) return DataLoss("{}", MessageOf(groups.status()));
  PlanTable table;
  for (const std::vector<int>& layers : *groups) {
    PlanTableGroup group = GroupOf(plan, layers);
    if (plan.has_choice() && group.chosen < 0) {
      return DataLoss(
          "layer '{}': the chosen option has no cost of a budget, is not allowed, or is not one of every tied layer",
          group.name);
    }
    table.groups.push_back(std::move(group));
  }
  AddRows(plan, table);
  TurnLowerBudgets(plan, table);
  for (const BoundaryCost& boundary : plan.boundaries) {
    BITPLAN_ASSIGN_OR_RETURN(const int from, GroupOfLayer(plan, *groups, boundary.from));
    BITPLAN_ASSIGN_OR_RETURN(const int to, GroupOfLayer(plan, *groups, boundary.to));
    AddPairs(plan, boundary, from, to, table);
  }
  BITPLAN_ASSIGN_OR_RETURN(table.linked_sets, LinkedSets(plan, *groups));
  std::erase_if(table.linked_sets, [](const PlanLinkedSet& set) { return set.groups.size() < 2; });
  return table;
}

}  // namespace bitplan::plan
