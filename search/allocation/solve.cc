#include "search/allocation/solve.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "search/allocation/audit.h"
#include "search/allocation/diagnosis.h"
#include "search/allocation/instance.h"
#include "search/allocation/run_limits.h"
#include "search/allocation/solver_table.h"
#include "search/base/status.h"

namespace bitplan::allocation {
namespace {

absl::StatusOr<SolverEntry> PickSolver(const SolverOptions& options, int num_binding) {
  const std::string_view automatic = num_binding <= 1 ? "one_budget" : "several_budgets";
  BITPLAN_ASSIGN_OR_RETURN(const SolverEntry entry, FindSolver(options.solver == "auto" ? automatic : options.solver));
  if (num_binding > entry.max_budgets) {
    return Unimplemented(
        "solver: '{}' takes at most {} budgets, the problem has {} that can bind; 'several_budgets' and 'cbc' take any "
        "number",
        entry.name, entry.max_budgets, num_binding);
  }
  return entry;
}

std::vector<BudgetUsage> DescribeBudgets(const Problem& problem, std::span<const std::vector<int>> groups) {
  const std::vector<CostRange> ranges = RangesOfResources(problem, groups);
  std::vector<BudgetUsage> budgets;
  budgets.reserve(problem.budgets.size());
  for (const ProblemBudget& budget : problem.budgets) {
    budgets.push_back({.resource = problem.resources[budget.resource],
                       .limit = budget.limit,
                       .least_achievable = ranges[budget.resource].least});
  }
  return budgets;
}

// Smallest sum of values without any budget.
double UnlimitedBound(const Instance& instance) {
  Int128 sum = 0;
  for (const InstanceGroup& group : instance.groups) sum += *std::min_element(group.value.begin(), group.value.end());
  return FromFixedPoint(sum, instance.shift);
}

// Is option a nowhere worse than b?
bool Covers(const InstanceGroup& group, int num_rows, int a, int b) {
  if (group.value[a] > group.value[b]) return false;
  for (int r = 0; r < num_rows; ++r) {
    if (group.cost[a * num_rows + r] > group.cost[b * num_rows + r]) return false;
  }
  return true;
}

bool ComesBefore(const InstanceGroup& group, int num_rows, int a, int b) {
  if (group.value[a] != group.value[b]) return group.value[a] < group.value[b];
  for (int r = 0; r < num_rows; ++r) {
    const int64_t cost_a = group.cost[a * num_rows + r];
    const int64_t cost_b = group.cost[b * num_rows + r];
    if (cost_a != cost_b) return cost_a < cost_b;
  }
  return a < b;
}

// Replaces each group's option by the first one that is nowhere worse; the promise about equal objectives in solve.h.
void Polish(const Instance& instance, std::vector<int>& option) {
  for (size_t g = 0; g < option.size(); ++g) {
    const InstanceGroup& group = instance.groups[g];
    const int taken = option[g];
    for (int k = 0; k < std::ssize(group.value); ++k) {
      if (Covers(group, instance.num_rows(), k, taken) && ComesBefore(group, instance.num_rows(), k, option[g])) {
        option[g] = k;
      }
    }
  }
}

std::vector<int> ChoiceOfLayers(const Instance& instance, const std::vector<int>& option, size_t num_layers) {
  std::vector<int> choice(num_layers);
  for (size_t g = 0; g < option.size(); ++g) {
    for (const int layer : instance.groups[g].layers) choice[layer] = option[g];
  }
  return choice;
}

// Options in terms of all budgets of the problem, also those that cannot bind: the polish must not raise those either.
Instance InstanceOfAllBudgets(const Problem& problem, std::span<const std::vector<int>> groups) {
  std::vector<int> rows(problem.budgets.size());
  for (int b = 0; b < std::ssize(rows); ++b) rows[b] = b;
  return BuildInstance(problem, groups, std::move(rows), std::nullopt);
}

// The parts of one call of Solve that its steps share.
struct Search {
  const Problem& problem;
  const SolverOptions& options;
  const RunContext& context;
  std::vector<std::vector<int>> groups;
  std::vector<int> binding;
};

Solution Infeasible(Solution solution, Infeasibility why) {
  solution.termination = Termination::kInfeasible;
  solution.infeasibility = std::move(why);
  return solution;
}

// The solver says that the budgets conflict: ask why, and believe a counterexample rather than the solver.
absl::Status CheckConflict(const Search& search, InstanceSolution& found, Solution& solution) {
  BITPLAN_ASSIGN_OR_RETURN(JointDiagnosis joint, DiagnoseTogether(search.problem, search.groups, search.binding,
                                                                  search.options, search.context));
  if (joint.counterexample.empty()) {
    solution = Infeasible(std::move(solution), std::move(joint.why));
    return absl::OkStatus();
  }
  found.termination = Termination::kFeasible;
  found.option = std::move(joint.counterexample);
  found.bound = solution.bound;
  return absl::OkStatus();
}

void Adopt(const InstanceSolution& found, const Instance& instance, Solution& solution) {
  solution.termination = found.termination;
  solution.bound = std::max(found.bound, solution.bound);
  solution.optimality_tolerance = found.optimality_tolerance;
  solution.gap = std::numeric_limits<double>::infinity();
  for (size_t r = 0; r < found.multipliers.size(); ++r) {
    solution.budgets[instance.rows[r]].multiplier = found.multipliers[r];
  }
}

// Objective, usage, bound and gap of the choice, from an audit.
absl::Status FinishChoice(const Problem& problem, Solution& solution) {
  BITPLAN_RETURN_IF_ERROR(Audit(problem, solution));
  if (solution.termination == Termination::kOptimal) solution.bound = solution.objective;
  solution.bound = std::min(solution.bound, solution.objective);
  solution.gap = RelativeGap(solution.objective, solution.bound);
  return absl::OkStatus();
}

absl::StatusOr<Solution> RunSolver(const Search& search, const SolverEntry& solver, Solution solution) {
  const Instance instance = BuildInstance(search.problem, search.groups, search.binding, std::nullopt);
  solution.bound = UnlimitedBound(instance);
  solution.gap = std::numeric_limits<double>::infinity();
  if (search.context.stop.stop_requested()) return solution;  // as initialised: kCancelled
  BITPLAN_ASSIGN_OR_RETURN(InstanceSolution found, solver.solve(instance, search.options, search.context));
  solution.nodes = found.nodes;
  if (found.termination == Termination::kInfeasible) {
    BITPLAN_RETURN_IF_ERROR(CheckConflict(search, found, solution));
    if (solution.termination == Termination::kInfeasible) return solution;
  }
  Adopt(found, instance, solution);
  if (found.option.empty()) return solution;
  if (search.binding.size() == search.problem.budgets.size()) {
    Polish(instance, found.option);
  } else {
    Polish(InstanceOfAllBudgets(search.problem, search.groups), found.option);
  }
  solution.choice = ChoiceOfLayers(instance, found.option, search.problem.layers.size());
  BITPLAN_RETURN_IF_ERROR(FinishChoice(search.problem, solution));
  return solution;
}

}  // namespace

absl::StatusOr<Solution> Solve(const Problem& problem, const SolverOptions& options, const RunContext& context) {
  BITPLAN_RETURN_IF_ERROR(Validate(options));
  BITPLAN_RETURN_IF_ERROR(Validate(problem));
  const RunContext limited = WithTimeLimit(context, options);
  Search search{problem, options, limited, TieGroups(problem), {}};
  search.binding = BindingBudgets(problem, search.groups);
  BITPLAN_ASSIGN_OR_RETURN(const SolverEntry solver, PickSolver(options, static_cast<int>(search.binding.size())));
  Solution solution{.budgets = DescribeBudgets(problem, search.groups), .solver = std::string(solver.name)};
  if (auto why = DiagnoseAlone(solution.budgets)) return Infeasible(std::move(solution), *std::move(why));
  return RunSolver(search, solver, std::move(solution));
}

}  // namespace bitplan::allocation
