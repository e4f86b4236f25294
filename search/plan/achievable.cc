#include "search/plan/achievable.h"

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "search/base/status.h"
#include "search/layer/ties.h"
#include "search/layer/width_rule.h"
#include "search/plan/plan_table.h"

namespace bitplan::plan {
namespace {

// An option takes part in the search if the rules allow it and every budgeted resource has a cost.
bool TakesPart(const Plan& plan, const PlanLayer& layer, const PlanOption& option) {
  for (const PlanBudget& budget : plan.budgets) {
    const bool is_peak = plan.is_peak(budget.resource);
    if (is_peak && !plan.peak_memory->weights_resident) continue;
    if (!option.costs.contains(is_peak ? Resource::kSize : budget.resource)) return false;
  }
  return IsAllowed(plan.rules, layer.layer.name, option.option);
}

// What an option adds to a sum; nullopt: not known.
using AmountOf = std::function<std::optional<int64_t>(const PlanLayer& layer, const PlanOption& option)>;

using Ranges = std::map<LinkKeys, SumRange>;

void Include(const LinkKeys& keys, const SumRange& range, Ranges& ranges) {
  SumRange& of_keys = ranges.emplace(keys, range).first->second;
  of_keys = {std::min(of_keys.least, range.least), std::max(of_keys.most, range.most)};
}

// By keys: range of the sum over a group whose members all take the same option.
Ranges RangesOfGroup(const Plan& plan, const std::vector<int>& members, const PlanLinkedSet& set, int group,
                     const AmountOf& amount_of) {
  struct Entry {
    std::optional<int64_t> sum = 0;
    size_t members = 0;  // layers that have the option
    LinkKeys keys;
  };
  std::map<std::string, Entry> sums;  // by label
  for (const int i : members) {
    for (const PlanOption& option : OptionsOf(plan.layers[i])) {
      if (!TakesPart(plan, plan.layers[i], option)) continue;
      Entry& entry = sums[Label(option.option)];
      const std::optional<int64_t> amount = amount_of(plan.layers[i], option);
      entry.sum = entry.sum && amount ? CheckedAdd(*entry.sum, *amount) : std::nullopt;
      entry.keys = KeysOf(set, group, option.option);
      ++entry.members;
    }
  }
  Ranges ranges;
  for (const auto& [unused, entry] : sums) {
    if (entry.members == members.size() && entry.sum) Include(entry.keys, {*entry.sum, *entry.sum}, ranges);
  }
  return ranges;
}

// Group by group, with what is open on the links as the state. nullopt: no choice keeps ties and rules, or a sum does
// not fit.
std::optional<SumRange> RangeOfSet(const Plan& plan, const std::vector<std::vector<int>>& groups,
                                   const PlanLinkedSet& set, const AmountOf& amount_of) {
  Ranges open = {{LinkKeys(set.links.size()), SumRange{}}};
  for (const int group : set.groups) {
    const Ranges of_group = RangesOfGroup(plan, groups[group], set, group, amount_of);
    Ranges next;
    for (const auto& [before, sum] : open) {
      for (const auto& [keys, range] : of_group) {
        const std::optional<LinkKeys> agreed = AgreedKeys(set, group, before, keys);
        const auto least = CheckedAdd(sum.least, range.least);
        const auto most = CheckedAdd(sum.most, range.most);
        if (agreed && least && most) Include(*agreed, {*least, *most}, next);
      }
    }
    open = std::move(next);
  }
  // All links have ended.
  return open.empty() ? std::nullopt : std::optional(open.begin()->second);
}

std::optional<SumRange> RangeOfSums(const Plan& plan, const std::vector<std::vector<int>>& groups,
                                    const std::vector<PlanLinkedSet>& sets, const AmountOf& amount_of) {
  SumRange sum;
  for (const PlanLinkedSet& set : sets) {
    const std::optional<SumRange> range = RangeOfSet(plan, groups, set, amount_of);
    const auto least = range ? CheckedAdd(sum.least, range->least) : std::nullopt;
    const auto most = range ? CheckedAdd(sum.most, range->most) : std::nullopt;
    if (!least || !most) return std::nullopt;
    sum = {*least, *most};
  }
  return sum;
}

std::optional<int64_t> CostOf(const PlanOption& option, Resource resource) {
  const auto found = option.costs.find(resource);
  return found == option.costs.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace

// A layer's options, the chosen one first if there is one.
std::vector<PlanOption> OptionsOf(const PlanLayer& layer) {
  std::vector<PlanOption> options;
  if (layer.chosen) options.push_back(*layer.chosen);
  options.insert(options.end(), layer.alternatives.begin(), layer.alternatives.end());
  return options;
}

std::optional<SumRange> AchievableRange(const Plan& plan, const std::vector<std::vector<int>>& groups,
                                        const std::vector<PlanLinkedSet>& sets, Resource resource) {
  if (!plan.is_peak(resource)) {
    return RangeOfSums(plan, groups, sets,
                       [&](const PlanLayer&, const PlanOption& option) { return CostOf(option, resource); });
  }
  SumRange peak;
  for (const MemoryStep& step : plan.peak_memory->steps) {
    const std::optional<SumRange> range =
        RangeOfSums(plan, groups, sets, [&](const PlanLayer& layer, const PlanOption& option) {
          return BytesInStep(*plan.peak_memory, step, layer.layer.name, option.option, CostOf(option, Resource::kSize));
        });
    const std::optional<int64_t> least = range ? CheckedAdd(range->least, step.fixed_bytes) : std::nullopt;
    if (!least) return std::nullopt;
    peak.least = std::max(peak.least, *least);
  }
  return peak;
}

absl::StatusOr<int64_t> LeastAchievable(const Plan& plan, Resource resource) {
  std::vector<std::string_view> names;
  names.reserve(plan.layers.size());
  for (const PlanLayer& layer : plan.layers) names.push_back(layer.layer.name);
  const auto groups = GroupByTies(names, plan.ties);
  if (!groups.ok()) return DataLoss("{}", MessageOf(groups.status()));
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<PlanLinkedSet> sets, LinkedSets(plan, *groups));
  const std::optional<SumRange> range = AchievableRange(plan, *groups, sets, resource);
  if (!range) return DataLoss("no choice keeps ties and rules, or a sum does not fit");
  return range->least;
}

}  // namespace bitplan::plan
