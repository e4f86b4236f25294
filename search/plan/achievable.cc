#include "search/plan/achievable.h"

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <string_view>

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

// By activation width: range of the sum over a group whose members all take the same option.
std::map<int, SumRange> RangesOfGroup(const Plan& plan, const std::vector<int>& group, const AmountOf& amount_of) {
  struct Entry {
    std::optional<int64_t> sum = 0;
    size_t members = 0;  // layers that have the option
    int activation_bits = 0;
  };
  std::map<std::string, Entry> sums;  // by label
  for (const int i : group) {
    for (const PlanOption& option : OptionsOf(plan.layers[i])) {
      if (!TakesPart(plan, plan.layers[i], option)) continue;
      Entry& entry = sums[Label(option.option)];
      const std::optional<int64_t> amount = amount_of(plan.layers[i], option);
      entry.sum = entry.sum && amount ? CheckedAdd(*entry.sum, *amount) : std::nullopt;
      entry.activation_bits = option.option.activation_bits;
      ++entry.members;
    }
  }
  std::map<int, SumRange> ranges;
  for (const auto& [unused, entry] : sums) {
    if (entry.members != group.size() || !entry.sum) continue;
    SumRange& range = ranges.emplace(entry.activation_bits, SumRange{*entry.sum, *entry.sum}).first->second;
    range = {std::min(range.least, *entry.sum), std::max(range.most, *entry.sum)};
  }
  return ranges;
}

// nullopt: no choice keeps ties and rules, or a sum does not fit.
std::optional<SumRange> RangeOfSet(const Plan& plan, const std::vector<std::vector<int>>& groups,
                                   const std::vector<int>& set, const AmountOf& amount_of) {
  std::map<int, SumRange> shared;  // by activation width
  std::optional<SumRange> any;     // for a set of one group
  for (size_t s = 0; s < set.size(); ++s) {
    const std::map<int, SumRange> ranges = RangesOfGroup(plan, groups[set[s]], amount_of);
    if (s == 0) shared = ranges;
    for (auto entry = shared.begin(); s > 0 && entry != shared.end();) {
      const auto found = ranges.find(entry->first);
      const auto least = found == ranges.end() ? std::nullopt : CheckedAdd(entry->second.least, found->second.least);
      const auto most = found == ranges.end() ? std::nullopt : CheckedAdd(entry->second.most, found->second.most);
      if (least && most) entry->second = {*least, *most};
      entry = least && most ? std::next(entry) : shared.erase(entry);
    }
  }
  for (const auto& [unused, range] : shared) {
    if (!any) any = range;
    any = SumRange{std::min(any->least, range.least), std::max(any->most, range.most)};
  }
  return any;
}

std::optional<SumRange> RangeOfSums(const Plan& plan, const std::vector<std::vector<int>>& groups,
                                    const std::vector<std::vector<int>>& sets, const AmountOf& amount_of) {
  SumRange sum;
  for (const std::vector<int>& set : sets) {
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
                                        const std::vector<std::vector<int>>& sets, Resource resource) {
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
  for (const PlanLayer& layer : plan.layers) names.push_back(layer.layer.name);
  const auto groups = GroupByTies(names, plan.ties);
  if (!groups.ok()) return DataLoss("{}", MessageOf(groups.status()));
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<std::vector<int>> sets, WidthSets(plan, *groups));
  const std::optional<SumRange> range = AchievableRange(plan, *groups, sets, resource);
  if (!range) return DataLoss("no choice keeps ties and rules, or a sum does not fit");
  return range->least;
}

}  // namespace bitplan::plan
