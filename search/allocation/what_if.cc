#include "search/allocation/what_if.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>
#include <string>
#include <utility>

#include "search/allocation/audit.h"
#include "search/allocation/run_limits.h"
#include "search/allocation/several_budgets.h"
#include "search/allocation/solve.h"
#include "search/base/status.h"

namespace bitplan::allocation {
namespace {

absl::Status ValidateChange(const Problem& problem, const ProblemChange& change) {
  for (size_t i = 0; i < change.limits.size(); ++i) {
    const LimitChange& limit = change.limits[i];
    if (limit.budget < 0 || limit.budget >= std::ssize(problem.budgets)) {
      return InvalidArgument("limits[{}].budget: got {}, want 0..{}", i, limit.budget, std::ssize(problem.budgets) - 1);
    }
    if (limit.limit < 0) return InvalidArgument("limits[{}].limit: got {}, want at least 0", i, limit.limit);
  }
  for (size_t i = 0; i < change.layers.size(); ++i) {
    const LayerOptions& allowed = change.layers[i];
    if (allowed.layer < 0 || allowed.layer >= std::ssize(problem.layers)) {
      return InvalidArgument("layers[{}].layer: got {}, want 0..{}", i, allowed.layer, problem.layers.size() - 1);
    }
    if (allowed.options.empty()) return InvalidArgument("layers[{}].options: got none, want at least one", i);
    const auto count = std::ssize(problem.layers[allowed.layer].options);
    for (const int option : allowed.options) {
      if (option < 0 || option >= count) {
        return InvalidArgument("layers[{}].options: got {}, want 0..{}", i, option, count - 1);
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<WhatIf> WhatIf::Create(Problem problem) {
  BITPLAN_RETURN_IF_ERROR(Validate(problem));
  return WhatIf(std::move(problem));
}

WhatIf::WhatIf(Problem problem) : problem_(std::move(problem)) {
  groups_ = TieGroups(problem_);
  group_of_.resize(problem_.layers.size());
  for (size_t g = 0; g < groups_.size(); ++g) {
    for (const int layer : groups_[g]) group_of_[layer] = static_cast<int>(g);
  }
  for (const ProblemBudget& budget : problem_.budgets) limits_.push_back(budget.limit);
  if (HasRules(problem_)) return;
  std::vector<int> rows(problem_.budgets.size());
  std::iota(rows.begin(), rows.end(), 0);
  instance_ = std::make_unique<Instance>(BuildInstance(problem_, groups_, rows, std::nullopt));
  sums_.resize(rows.size());
  shared_.resize(rows.size() + 1);
  for (int g = 0; g < std::ssize(groups_); ++g) {
    std::vector<int> all(instance_->groups[g].value.size());
    std::iota(all.begin(), all.end(), 0);
    std::vector<CostRange>& ranges = ranges_.emplace_back();
    for (const int row : rows) {
      ranges.push_back(RangeOf(g, all, row));
      sums_[row] = {sums_[row].least + ranges[row].least, sums_[row].most + ranges[row].most};
    }
  }
}

CostRange WhatIf::RangeOf(int group, std::span<const int> options, int row) const {
  CostRange range{std::numeric_limits<int64_t>::max(), 0};
  for (const int k : options) {
    const int64_t cost = instance_->groups[group].cost[static_cast<size_t>(k) * instance_->num_rows() + row];
    range = {std::min(range.least, cost), std::max(range.most, cost)};
  }
  return range;
}

// What is left to each group that the change names.
absl::StatusOr<std::vector<GroupRestriction>> WhatIf::Restrictions(const ProblemChange& change) const {
  std::vector<GroupRestriction> restrictions;
  std::vector<int> at(groups_.size(), -1);
  for (const LayerOptions& allowed : change.layers) {
    const int group = group_of_[allowed.layer];
    std::vector<int> options = allowed.options;
    std::sort(options.begin(), options.end());
    options.erase(std::unique(options.begin(), options.end()), options.end());
    if (at[group] < 0) {
      at[group] = static_cast<int>(restrictions.size());
      restrictions.push_back({.group = group, .options = std::move(options)});
      continue;
    }
    std::vector<int>& left = restrictions[at[group]].options;
    std::erase_if(left, [&](int option) { return !std::ranges::binary_search(options, option); });
    if (left.empty()) {
      return InvalidArgument("layers: layer {} and those tied to it have no common option left", allowed.layer);
    }
  }
  return restrictions;
}

std::vector<CostRange> WhatIf::Ranges(std::span<const GroupRestriction> restrictions) const {
  std::vector<CostRange> sums = sums_;
  for (const GroupRestriction& restriction : restrictions) {
    for (int row = 0; row < instance_->num_rows(); ++row) {
      const CostRange range = RangeOf(restriction.group, restriction.options, row);
      const CostRange& whole = ranges_[restriction.group][row];
      sums[row].least += range.least - whole.least;
      sums[row].most += range.most - whole.most;
    }
  }
  return sums;
}

SharedKnapsack& WhatIf::Shared(int row) {
  std::unique_ptr<SharedKnapsack>& shared = row < 0 ? shared_.back() : shared_[row];
  if (shared == nullptr) shared = std::make_unique<SharedKnapsack>(*instance_, row);
  return *shared;
}

// The last answer, with the best options left where it has others.
std::vector<int> WhatIf::Start(std::span<const GroupRestriction> restrictions) const {
  std::vector<int> start = last_;
  if (start.empty()) return start;
  for (const GroupRestriction& restriction : restrictions) {
    if (std::ranges::binary_search(restriction.options, start[restriction.group])) continue;
    const std::vector<Int128>& value = instance_->groups[restriction.group].value;
    start[restriction.group] =
        *std::ranges::min_element(restriction.options, {}, [&](int option) { return value[option]; });
  }
  return start;
}

Solution WhatIf::FromOneBudget(int row, std::span<const GroupRestriction> restrictions, const SolverOptions& options,
                               const RunContext& context) {
  const int64_t limit = row < 0 ? 0 : instance_->limits[row];
  const ExactSolution found = Shared(row).Solve(limit, restrictions, Start(restrictions), options, context);
  Solution solution{.termination = found.termination,
                    .bound = FromFixedPoint(found.bound, instance_->shift),
                    .optimality_tolerance = instance_->rounding,
                    .budgets = std::vector<BudgetUsage>(problem_.budgets.size()),
                    .solver = "one_budget",
                    .nodes = found.nodes};
  if (row >= 0) solution.budgets[row].multiplier = found.multiplier;
  last_ = found.option;
  return solution;
}

Solution WhatIf::FromSeveral(std::span<const GroupRestriction> restrictions, const SolverOptions& options,
                             const RunContext& context) {
  OpenOptions open = AllOptions(*instance_);
  for (const GroupRestriction& restriction : restrictions) open[restriction.group] = restriction.options;
  const InstanceSolution found = SolveSeveralFrom(*instance_, options, context, std::move(open), Start(restrictions));
  Solution solution{.termination = found.termination,
                    .bound = found.bound,
                    .optimality_tolerance = found.optimality_tolerance,
                    .budgets = std::vector<BudgetUsage>(problem_.budgets.size()),
                    .solver = "several_budgets",
                    .nodes = found.nodes};
  for (size_t row = 0; row < found.multipliers.size(); ++row) {
    solution.budgets[row].multiplier = found.multipliers[row];
  }
  last_ = found.option;
  return solution;
}

// The changed problem as one of its own.
absl::StatusOr<Solution> WhatIf::SolveAnew(std::span<const GroupRestriction> restrictions, const SolverOptions& options,
                                           const RunContext& context) const {
  Problem changed = problem_;
  for (const GroupRestriction& restriction : restrictions) {
    for (const int layer : groups_[restriction.group]) {
      std::vector<ProblemOption>& of_layer = changed.layers[layer].options;
      for (int k = 0; k < std::ssize(of_layer); ++k) {
        if (!std::ranges::binary_search(restriction.options, k)) of_layer[k].allowed = false;
      }
      if (std::ranges::none_of(of_layer, &ProblemOption::allowed)) {
        return InvalidArgument("layers: layer {} has no allowed option left", layer);
      }
    }
  }
  return allocation::Solve(changed, options, context);
}

absl::StatusOr<Solution> WhatIf::Solve(const ProblemChange& change, const SolverOptions& options,
                                       const RunContext& context) {
  BITPLAN_RETURN_IF_ERROR(Validate(options));
  if (options.solver != "auto") return InvalidArgument("solver: got '{}', want 'auto'", options.solver);
  BITPLAN_RETURN_IF_ERROR(ValidateChange(problem_, change));
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<GroupRestriction> restrictions, Restrictions(change));
  for (size_t b = 0; b < limits_.size(); ++b) problem_.budgets[b].limit = limits_[b];
  for (const LimitChange& limit : change.limits) problem_.budgets[limit.budget].limit = limit.limit;
  if (instance_ == nullptr) return SolveAnew(restrictions, options, context);
  for (size_t b = 0; b < limits_.size(); ++b) instance_->limits[b] = problem_.budgets[b].limit;

  const std::vector<CostRange> ranges = Ranges(restrictions);
  std::vector<int> binding;
  for (int row = 0; row < std::ssize(ranges); ++row) {
    if (ranges[row].least > instance_->limits[row]) return SolveAnew(restrictions, options, context);
    if (ranges[row].most > instance_->limits[row]) binding.push_back(row);
  }
  const RunContext limited = WithTimeLimit(context, options);
  Solution solution = binding.size() <= 1
                          ? FromOneBudget(binding.empty() ? -1 : binding[0], restrictions, options, limited)
                          : FromSeveral(restrictions, options, limited);
  if (solution.termination == Termination::kInfeasible) return SolveAnew(restrictions, options, context);
  for (size_t b = 0; b < solution.budgets.size(); ++b) {
    solution.budgets[b].resource = problem_.resources[problem_.budgets[b].resource];
    solution.budgets[b].limit = problem_.budgets[b].limit;
    solution.budgets[b].least_achievable = ranges[b].least;
  }
  solution.gap = std::numeric_limits<double>::infinity();
  if (last_.empty()) return solution;
  solution.choice.resize(problem_.layers.size());
  for (size_t i = 0; i < solution.choice.size(); ++i) solution.choice[i] = last_[group_of_[i]];
  BITPLAN_RETURN_IF_ERROR(Audit(problem_, solution));
  const bool is_proven = solution.termination == Termination::kOptimal;
  solution.bound = is_proven ? solution.objective : std::min(solution.bound, solution.objective);
  solution.gap = RelativeGap(solution.objective, solution.bound);
  return solution;
}

}  // namespace bitplan::allocation
