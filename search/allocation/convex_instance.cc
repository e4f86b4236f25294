#include "search/allocation/convex_instance.h"

#include <algorithm>

#include "search/allocation/audit.h"
#include "search/allocation/instance.h"

namespace bitplan::allocation {

ConvexInstance::ConvexInstance(const Problem& problem, const ConvexObjective& objective)
    : problem_(problem),
      objective_(objective),
      groups_(TieGroups(problem)),
      budgets_(BindingBudgets(problem, groups_)) {
  // Costs of pairs are left out, which lowers sums: a bound for upper budgets only.
  const bool has_costs = std::ranges::any_of(problem.pairs, [](const ProblemPair& pair) { return !pair.cost.empty(); });
  std::erase_if(budgets_, [&](int b) { return has_costs && problem.budgets[b].sense == BudgetSense::kAtLeast; });
  std::vector<int> group_of_layer(problem.layers.size());
  for (int g = 0; g < num_groups(); ++g) {
    for (const int l : groups_[g]) group_of_layer[l] = g;
    const int options = static_cast<int>(problem.layers[groups_[g].front()].options.size());
    first_.push_back(first_.back() + options);
    group_of_.insert(group_of_.end(), options, g);
  }
  for (const int b : budgets_) limit_.push_back(problem.budgets[b].limit);
  cost_.resize(static_cast<size_t>(size()) * budgets_.size());
  for (size_t l = 0; l < problem.layers.size(); ++l) {
    for (int k = 0; k < std::ssize(problem.layers[l].options); ++k) {
      const int entry = first_[group_of_layer[l]] + k;
      entry_of_.push_back(entry);
      for (size_t r = 0; r < budgets_.size(); ++r) {
        cost_[entry * budgets_.size() + r] += problem.layers[l].options[k].cost[problem.budgets[budgets_[r]].resource];
      }
    }
  }
  TurnLowerBudgets();
}

// Rows of lower budgets: sum >= limit becomes sum (largest - cost) <= sum of largest - limit.
void ConvexInstance::TurnLowerBudgets() {
  for (int r = 0; r < num_rows(); ++r) {
    if (problem_.budgets[budgets_[r]].sense == BudgetSense::kAtMost) continue;
    limit_[r] = -limit_[r];
    for (int g = 0; g < num_groups(); ++g) {
      int64_t largest = 0;
      for (int j = first_[g]; j < first_[g + 1]; ++j) largest = std::max(largest, cost(j, r));
      for (int j = first_[g]; j < first_[g + 1]; ++j) {
        int64_t& of_entry = cost_[static_cast<int64_t>(j) * num_rows() + r];
        of_entry = largest - of_entry;
      }
      limit_[r] += largest;
    }
  }
}

std::vector<uint8_t> ConvexInstance::Allowed() const {
  std::vector<uint8_t> allowed(size(), 1);
  for (int g = 0; g < num_groups(); ++g) {
    for (const int l : groups_[g]) {
      for (int k = 0; k < std::ssize(problem_.layers[l].options); ++k) {
        if (!problem_.layers[l].options[k].allowed) allowed[first_[g] + k] = 0;
      }
    }
  }
  return allowed;
}

std::vector<double> ConvexInstance::Spread(std::span<const double> y) const {
  std::vector<double> x;
  x.reserve(entry_of_.size());
  for (const int entry : entry_of_) x.push_back(y[entry]);
  return x;
}

double ConvexInstance::Value(std::span<const double> y) const { return objective_.Value(Spread(y)); }

double ConvexInstance::ValueAndGradient(std::span<const double> y, std::span<double> gradient) const {
  std::vector<double> of_layers(entry_of_.size());
  const double value = objective_.ValueAndGradient(Spread(y), of_layers);
  std::fill(gradient.begin(), gradient.end(), 0.0);
  for (size_t i = 0; i < entry_of_.size(); ++i) gradient[entry_of_[i]] += of_layers[i];
  return value;
}

std::vector<double> ConvexInstance::Merge(std::span<const double> of_layers) const {
  std::vector<double> merged(static_cast<size_t>(size()) * size(), 0.0);
  for (size_t i = 0; i < entry_of_.size(); ++i) {
    for (size_t j = 0; j < entry_of_.size(); ++j) {
      merged[static_cast<size_t>(entry_of_[i]) * size() + entry_of_[j]] += of_layers[i * entry_of_.size() + j];
    }
  }
  return merged;
}

std::vector<int> ConvexInstance::OfLayers(std::span<const int> option) const {
  std::vector<int> choice(problem_.layers.size());
  for (int g = 0; g < num_groups(); ++g) {
    for (const int l : groups_[g]) choice[l] = option[g];
  }
  return choice;
}

std::vector<int> ConvexInstance::OfGroups(std::span<const int> choice) const {
  std::vector<int> option;
  option.reserve(groups_.size());
  for (const std::vector<int>& group : groups_) option.push_back(choice[group.front()]);
  return option;
}

std::vector<double> ConvexInstance::OneHot(std::span<const int> option) const {
  std::vector<double> y(size(), 0.0);
  for (int g = 0; g < num_groups(); ++g) y[first_[g] + option[g]] = 1;
  return y;
}

bool ConvexInstance::Keeps(std::span<const int> option) const {
  for (int r = 0; r < num_rows(); ++r) {
    int64_t used = 0;
    for (int g = 0; g < num_groups(); ++g) used += cost(first_[g] + option[g], r);
    if (used > limit_[r]) return false;
  }
  Solution candidate{.choice = OfLayers(option)};
  candidate.budgets.resize(problem_.budgets.size());
  return Audit(problem_, candidate).ok();
}

}  // namespace bitplan::allocation
