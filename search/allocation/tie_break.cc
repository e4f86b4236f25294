#include "search/allocation/tie_break.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include "search/allocation/audit.h"
#include "search/allocation/run_limits.h"
#include "search/allocation/schedule_steps.h"
#include "search/allocation/solve_instance.h"
#include "search/base/status.h"

namespace bitplan::allocation {
namespace {

// The most that a row of values may hold in sum, so that no sum of it overflows.
constexpr Int128 kMostOfRow = Int128{1} << 61;

Int128 LeastOf(const std::vector<Int128>& values) { return *std::ranges::min_element(values); }

// The common unit of all differences of values within groups and links; 0: all are equal.
Int128 UnitOf(const Instance& instance) {
  Int128 unit = 0;
  const auto note = [&](const std::vector<Int128>& values) {
    const Int128 least = LeastOf(values);
    for (const Int128 value : values) {
      if (value != kInfiniteValue && unit != 1) unit = Gcd(unit, value - least);
    }
  };
  for (const InstanceGroup& group : instance.groups) note(group.value);
  for (const InstanceLink& link : instance.links) note(link.value);
  return unit;
}

Int128 TieCost(const Problem& problem, const InstanceGroup& group, int option) {
  Int128 sum = 0;
  for (size_t j = 0; j < group.layers.size(); ++j) {
    sum += problem.layers[group.layers[j]].options[group.OptionOf(option, j)].cost[*problem.tie_break];
  }
  return sum;
}

// Value of a choice above the sum of the least values, in integers of the instance.
Int128 ValueAboveLeast(const Instance& instance, const Problem& problem, const std::vector<int>& choice) {
  Int128 value = 0;
  std::vector<int> option(instance.groups.size(), 0);
  for (size_t g = 0; g < option.size(); ++g) {
    const InstanceGroup& group = instance.groups[g];
    if (group.layers.empty()) continue;  // stands for a class: worth nothing
    while (group.OptionOf(option[g], 0) != choice[group.layers[0]]) ++option[g];
    value += group.value[option[g]] - LeastOf(group.value);
  }
  for (const InstanceLink& link : instance.links) {
    const InstanceGroup& a = instance.groups[link.a];
    const InstanceGroup& b = instance.groups[link.b];
    if (a.layers.empty() || b.layers.empty()) continue;  // links to classes are worth nothing
    value += link.value[option[link.a] * b.value.size() + option[link.b]] - LeastOf(link.value);
  }
  return problem.layers.empty() ? 0 : value;
}

// A row more: values above the least, in `unit`s rounded down.
class ValueRow {
 public:
  ValueRow(Instance& instance, Int128 unit, Int128 limit) : instance_(instance), unit_(unit), limit_(limit) {}

  void Add() {
    const size_t num_rows = instance_.rows.size();
    for (InstanceGroup& group : instance_.groups) AddTo(group.cost, group.value, num_rows);
    for (InstanceLink& link : instance_.links) {
      if (link.cost.empty()) link.cost.resize(link.value.size() * num_rows);
      AddTo(link.cost, link.value, num_rows);
    }
    instance_.rows.push_back(std::numeric_limits<int>::max());  // no constraint of the problem
    instance_.limits.push_back(static_cast<int64_t>(limit_ / unit_));
  }

 private:
  void AddTo(std::vector<int64_t>& cost, const std::vector<Int128>& values, size_t num_rows) const {
    const Int128 least = LeastOf(values);
    std::vector<int64_t> wider;
    wider.reserve(values.size() * (num_rows + 1));
    for (size_t k = 0; k < values.size(); ++k) {
      for (size_t r = 0; r < num_rows; ++r) wider.push_back(cost[k * num_rows + r]);
      // What is above the limit is out, however far above.
      const Int128 above = values[k] == kInfiniteValue ? 0 : std::min(values[k] - least, limit_ + unit_);
      wider.push_back(static_cast<int64_t>(above / unit_));
    }
    cost = std::move(wider);
  }

  Instance& instance_;
  Int128 unit_;
  Int128 limit_;
};

}  // namespace

Problem WithTieBudget(Problem problem) {
  problem.budgets.push_back({.resource = *problem.tie_break, .limit = std::numeric_limits<int64_t>::max()});
  return problem;
}

std::optional<TieBrokenInstance> WithTieBreak(const Instance& instance, const Problem& problem) {
  if (!instance.links.empty() || !problem.pairs.empty()) return std::nullopt;
  const Int128 unit = UnitOf(instance);
  TieBrokenInstance broken{.instance = instance};
  for (InstanceGroup& group : broken.instance.groups) {
    std::vector<Int128> costs;
    costs.reserve(group.value.size());
    for (int k = 0; k < group.num_options(); ++k) costs.push_back(TieCost(problem, group, k));
    const auto [least, most] = std::ranges::minmax(costs);
    for (int k = 0; k < group.num_options(); ++k) group.value[k] += costs[k] - least;
    broken.most_added += most - least;
  }
  if (unit != 0 && broken.most_added >= unit) return std::nullopt;
  return broken;
}

absl::StatusOr<std::vector<int>> BreakTies(const Problem& problem, std::span<const std::vector<int>> groups,
                                           std::span<const int> rows, std::vector<int> choice, int64_t node_limit,
                                           const RunContext& context) {
  const Problem probe = WithTieBudget(problem);
  const auto tie_row = static_cast<int>(problem.budgets.size());
  std::vector<int> with_tie;
  for (const int row : rows) with_tie.push_back(row >= tie_row ? row + 1 : row);  // steps come behind the budgets
  for (;;) {
    std::vector<int> all = with_tie;
    all.push_back(tie_row);
    Instance instance = BuildInstance(probe, groups, std::move(all), std::nullopt);
    const Int128 limit = ValueAboveLeast(instance, problem, choice);
    const auto parts = static_cast<int64_t>(instance.groups.size() + instance.links.size() + 1);
    Int128 unit = std::max<Int128>(UnitOf(instance), 1);
    while (limit / unit >= kMostOfRow / parts) unit *= 2;
    ValueRow(instance, unit, limit).Add();
    const Instance minimised = MinimiseRow(std::move(instance), static_cast<int>(with_tie.size()));
    BITPLAN_ASSIGN_OR_RETURN(
        InstanceAnswer answer,
        SolveInstance(minimised, problem.layers.size(), {.node_limit = node_limit}, WithoutProgress(context)));
    if (answer.choice.empty()) return choice;
    const std::vector<int> broken = BrokenSteps(probe, answer.choice, with_tie);
    if (broken.empty()) {
      const Instance values = BuildInstance(problem, groups, {}, std::nullopt);
      const bool no_worse = ValueAboveLeast(values, problem, answer.choice) <= ValueAboveLeast(values, problem, choice);
      const absl::StatusOr<ChoiceTotals> before = AddUp(problem, choice);
      const absl::StatusOr<ChoiceTotals> after = AddUp(problem, answer.choice);
      const bool less = before.ok() && after.ok() && after->used[*problem.tie_break] < before->used[*problem.tie_break];
      return no_worse && less && Keeps(problem, answer.choice) ? std::move(answer.choice) : std::move(choice);
    }
    with_tie.insert(with_tie.end(), broken.begin(), broken.end());
  }
}

}  // namespace bitplan::allocation
