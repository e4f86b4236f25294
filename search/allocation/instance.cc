#include "search/allocation/instance.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace bitplan::allocation {
namespace {

// Representative of i's set in a union-find forest whose roots are the smallest members.
int FindRoot(std::vector<int>& parent, int i) {
  while (parent[i] != i) {
    parent[i] = parent[parent[i]];
    i = parent[i];
  }
  return i;
}

// Shift for objectives: the sum over the layers of the largest magnitude becomes less than 2^kValueBits.
int ShiftOfObjectives(const Problem& problem) {
  double sum = 0;
  for (const ProblemLayer& layer : problem.layers) {
    double largest = 0;
    for (const ProblemOption& option : layer.options) largest = std::max(largest, std::abs(option.objective));
    sum += largest;
  }
  int exponent = 0;
  if (sum > 0) std::frexp(sum, &exponent);
  return kValueBits - 1 - exponent;
}

// Costs are below 2^63 in sum.
constexpr int kShiftOfCosts = kValueBits - 63;

struct ValueOf {
  std::optional<int> minimised;
  int shift;

  Int128 operator()(const ProblemOption& option) const {
    if (minimised.has_value()) return Int128{option.cost[*minimised]} * (Int128{1} << shift);
    return ToFixedPoint(option.objective, shift);
  }
};

void AddLayer(const ProblemLayer& layer, const Problem& problem, const std::vector<int>& rows, const ValueOf& value_of,
              InstanceGroup& group) {
  for (size_t k = 0; k < layer.options.size(); ++k) {
    const ProblemOption& option = layer.options[k];
    group.value[k] += value_of(option);
    for (size_t r = 0; r < rows.size(); ++r) {
      group.cost[k * rows.size() + r] += option.cost[problem.budgets[rows[r]].resource];
    }
  }
}

bool HasLostBits(const Problem& problem, int shift) {
  for (const ProblemLayer& layer : problem.layers) {
    for (const ProblemOption& option : layer.options) {
      const Int128 fixed = ToFixedPoint(option.objective, shift);
      if (FromFixedPoint(fixed, shift) != option.objective) return true;
    }
  }
  return false;
}

}  // namespace

std::vector<std::vector<int>> TieGroups(const Problem& problem) {
  std::vector<int> parent(problem.layers.size());
  std::iota(parent.begin(), parent.end(), 0);
  for (const std::vector<int>& tied : problem.ties) {
    for (const int layer : tied) {
      const auto [low, high] = std::minmax({FindRoot(parent, tied[0]), FindRoot(parent, layer)});
      parent[high] = low;
    }
  }
  std::vector<std::vector<int>> groups;
  std::vector<int> group_of(parent.size(), -1);
  for (int i = 0; i < std::ssize(parent); ++i) {
    int& group = group_of[FindRoot(parent, i)];
    if (group < 0) {
      group = static_cast<int>(groups.size());
      groups.emplace_back();
    }
    groups[group].push_back(i);
  }
  return groups;
}

std::vector<CostRange> RangesOfResources(const Problem& problem, std::span<const std::vector<int>> groups) {
  const size_t num_resources = problem.resources.size();
  std::vector<CostRange> ranges(num_resources);
  std::vector<CostRange> of_group(num_resources);
  for (const std::vector<int>& layers : groups) {
    std::fill(of_group.begin(), of_group.end(), CostRange{INT64_MAX, 0});
    for (size_t k = 0; k < problem.layers[layers[0]].options.size(); ++k) {
      for (size_t r = 0; r < num_resources; ++r) {
        int64_t cost = 0;
        for (const int layer : layers) cost += problem.layers[layer].options[k].cost[r];
        of_group[r] = {std::min(of_group[r].least, cost), std::max(of_group[r].most, cost)};
      }
    }
    for (size_t r = 0; r < num_resources; ++r) {
      ranges[r] = {ranges[r].least + of_group[r].least, ranges[r].most + of_group[r].most};
    }
  }
  return ranges;
}

std::vector<int> BindingBudgets(const Problem& problem, std::span<const std::vector<int>> groups) {
  std::vector<int> tightest(problem.resources.size(), -1);
  for (int b = 0; b < std::ssize(problem.budgets); ++b) {
    int& best = tightest[problem.budgets[b].resource];
    if (best < 0 || problem.budgets[b].limit < problem.budgets[best].limit) best = b;
  }
  const std::vector<CostRange> ranges = RangesOfResources(problem, groups);
  std::vector<int> binding;
  for (int b = 0; b < std::ssize(problem.budgets); ++b) {
    const ProblemBudget& budget = problem.budgets[b];
    if (tightest[budget.resource] != b) continue;
    if (ranges[budget.resource].most > budget.limit) binding.push_back(b);
  }
  return binding;
}

Instance BuildInstance(const Problem& problem, std::span<const std::vector<int>> groups, std::vector<int> rows,
                       std::optional<int> minimised) {
  Instance instance;
  instance.shift = minimised.has_value() ? kShiftOfCosts : ShiftOfObjectives(problem);
  const ValueOf value_of{minimised, instance.shift};
  for (const std::vector<int>& layers : groups) {
    const size_t num_options = problem.layers[layers[0]].options.size();
    InstanceGroup group{layers, std::vector<Int128>(num_options), std::vector<int64_t>(num_options * rows.size())};
    for (const int layer : layers) AddLayer(problem.layers[layer], problem, rows, value_of, group);
    instance.groups.push_back(std::move(group));
  }
  for (const int row : rows) instance.limits.push_back(problem.budgets[row].limit);
  instance.rows = std::move(rows);
  // Each objective moves by half a unit at most, so a sum by half a unit a layer and a difference of sums by a unit.
  if (!minimised.has_value() && HasLostBits(problem, instance.shift)) {
    instance.rounding = std::ldexp(static_cast<double>(problem.layers.size()), -instance.shift);
  }
  return instance;
}

}  // namespace bitplan::allocation
