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
#include "search/allocation/schedule_steps.h"
#include "search/allocation/solve_instance.h"
#include "search/allocation/tie_break.h"
#include "search/base/status.h"

namespace bitplan::allocation {
namespace {

std::vector<BudgetUsage> DescribeBudgets(const Problem& problem) {
  std::vector<BudgetUsage> budgets;
  budgets.reserve(problem.budgets.size());
  for (const ProblemBudget& budget : problem.budgets) {
    budgets.push_back({.resource = problem.resources[budget.resource], .limit = budget.limit, .sense = budget.sense});
  }
  return budgets;
}

// Smallest sum of values without any budget.
double UnlimitedBound(const Instance& instance) {
  Int128 sum = 0;
  for (const InstanceGroup& group : instance.groups) sum += *std::min_element(group.value.begin(), group.value.end());
  for (const InstanceLink& link : instance.links) {
    const Int128 least = *std::min_element(link.value.begin(), link.value.end());
    if (least != kInfiniteValue) sum += least;
  }
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

// Option of each group from that of each layer; a group without layers gets 0.
std::vector<int> OptionsOfGroups(const Instance& instance, const std::vector<int>& choice) {
  std::vector<int> option(instance.groups.size(), 0);
  for (size_t g = 0; g < option.size(); ++g) {
    const InstanceGroup& group = instance.groups[g];
    if (group.layers.empty()) continue;
    while (group.OptionOf(option[g], 0) != choice[group.layers[0]]) ++option[g];
  }
  return option;
}

// Groups that links join change together or not at all.
void PolishChoice(const Instance& instance, std::vector<int>& choice) {
  const std::vector<int> before = OptionsOfGroups(instance, choice);
  std::vector<int> after = before;
  Polish(instance, after);
  for (const InstanceLink& link : instance.links) {
    after[link.a] = before[link.a];
    after[link.b] = before[link.b];
  }
  choice = ChoiceOfLayers(instance, after, choice.size());
}

// Options in terms of all budgets and steps of the problem, also those that cannot bind: the polish must not raise
// those either.
Instance InstanceOfAllRows(const Problem& problem, std::span<const std::vector<int>> groups) {
  if (problem.tie_break) {
    Problem with_tie = WithTieBudget(problem);
    with_tie.tie_break.reset();
    return InstanceOfAllRows(with_tie, groups);
  }
  std::vector<int> rows(problem.budgets.size() + problem.steps.size());
  for (int c = 0; c < std::ssize(rows); ++c) rows[c] = c;
  return BuildInstance(problem, groups, std::move(rows), std::nullopt);
}

// The parts of one call of Solve that its steps share.
struct Search {
  const Problem& problem;
  const SolverOptions& options;
  const RunContext& context;
  std::vector<std::vector<int>> groups;
  std::vector<int> rows;  // constraints at hand: budgets that can bind, then the steps found to be broken
};

Solution Infeasible(Solution solution, Infeasibility why) {
  solution.termination = Termination::kInfeasible;
  solution.infeasibility = std::move(why);
  return solution;
}

// The solver says that the budgets conflict: ask why, and believe a counterexample rather than the solver.
absl::Status CheckConflict(const Search& search, InstanceAnswer& answer, Solution& solution) {
  if (search.rows.empty()) {
    solution = Infeasible(std::move(solution), {.rules_conflict = true});
    return absl::OkStatus();
  }
  BITPLAN_ASSIGN_OR_RETURN(JointDiagnosis joint, DiagnoseTogether(search.problem, search.groups, search.rows,
                                                                  search.options, search.context));
  if (joint.counterexample.empty()) {
    solution = Infeasible(std::move(solution), std::move(joint.why));
    return absl::OkStatus();
  }
  answer.found.termination = Termination::kFeasible;
  answer.choice = std::move(joint.counterexample);
  answer.found.bound = solution.bound;
  return absl::OkStatus();
}

void Adopt(const Search& search, const InstanceAnswer& answer, Solution& solution) {
  const InstanceSolution& found = answer.found;
  solution.termination = found.termination;
  solution.bound = std::max(found.bound, solution.bound);
  solution.optimality_tolerance = found.optimality_tolerance;
  solution.gap = std::numeric_limits<double>::infinity();
  for (size_t r = 0; r < found.multipliers.size(); ++r) {
    const int constraint = search.rows[r];
    if (constraint < std::ssize(solution.budgets)) solution.budgets[constraint].multiplier = found.multipliers[r];
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

// Rows that the instance at hand does not have, or no links to mind: then it is good enough to polish with.
bool HasAllRows(const Search& search) {
  return search.rows.size() == search.problem.budgets.size() + search.problem.steps.size();
}

// Only the solver for one budget compares values to the last digit.
std::optional<TieBrokenInstance> TieBroken(const Search& search, const Instance& instance) {
  const bool exact =
      instance.num_rows() <= 1 && (search.options.solver == "auto" || search.options.solver == "one_budget");
  if (!search.problem.tie_break || !exact || instance.no_choice) return std::nullopt;
  return WithTieBreak(instance, search.problem);
}

// What of several best choices is wanted, if the search has not seen to it already.
absl::Status WantLeast(const Search& search, const Instance& instance, const Solution& solution,
                       std::vector<int>& choice) {
  if (!search.problem.tie_break || solution.termination != Termination::kOptimal) return absl::OkStatus();
  if (TieBroken(search, instance).has_value()) return absl::OkStatus();
  // Once more as many nodes as the proof took, with a floor for those that took next to none.
  constexpr int64_t kFewestNodes = 1000;
  BITPLAN_ASSIGN_OR_RETURN(choice, BreakTies(search.problem, search.groups, search.rows, std::move(choice),
                                             std::max(solution.nodes, kFewestNodes), search.context));
  return absl::OkStatus();
}

// One round: the problem with the rows of `search`. kOptimal for the whole problem only if the choice breaks no step.
absl::StatusOr<InstanceAnswer> RunRound(const Search& search, const Instance& instance, Solution& solution) {
  const std::optional<TieBrokenInstance> broken = TieBroken(search, instance);
  BITPLAN_ASSIGN_OR_RETURN(InstanceAnswer answer,
                           SolveInstance(broken.has_value() ? broken->instance : instance, search.problem.layers.size(),
                                         search.options, search.context));
  if (broken.has_value()) answer.found.bound -= FromFixedPoint(broken->most_added, instance.shift);
  solution.solver = answer.solver;
  solution.nodes += answer.found.nodes;
  if (answer.found.termination == Termination::kInfeasible) {
    BITPLAN_RETURN_IF_ERROR(CheckConflict(search, answer, solution));
  }
  return answer;
}

absl::StatusOr<Solution> RunSolver(Search& search, Solution solution) {
  solution.gap = std::numeric_limits<double>::infinity();
  solution.bound = -std::numeric_limits<double>::infinity();
  for (;;) {
    const Instance instance = BuildInstance(search.problem, search.groups, search.rows, std::nullopt);
    solution.bound = std::max(solution.bound, UnlimitedBound(instance));
    if (search.context.stop.stop_requested()) {
      solution.termination = Termination::kCancelled;
      return solution;
    }
    BITPLAN_ASSIGN_OR_RETURN(InstanceAnswer answer, RunRound(search, instance, solution));
    if (solution.termination == Termination::kInfeasible) return solution;
    Adopt(search, answer, solution);
    if (answer.choice.empty()) return solution;
    const std::vector<int> broken = BrokenSteps(search.problem, answer.choice, search.rows);
    if (broken.empty()) {
      BITPLAN_RETURN_IF_ERROR(WantLeast(search, instance, solution, answer.choice));
      if (HasAllRows(search) && !search.problem.tie_break) {
        PolishChoice(instance, answer.choice);
      } else {
        PolishChoice(InstanceOfAllRows(search.problem, search.groups), answer.choice);
      }
      solution.choice = std::move(answer.choice);
      BITPLAN_RETURN_IF_ERROR(FinishChoice(search.problem, solution));
      return solution;
    }
    search.rows.insert(search.rows.end(), broken.begin(), broken.end());
    if (const auto stopped = StopReason(search.context)) {
      solution.termination = *stopped;
      return solution;
    }
  }
}

}  // namespace

absl::StatusOr<Solution> Solve(const Problem& problem, const SolverOptions& options, const RunContext& context) {
  BITPLAN_RETURN_IF_ERROR(Validate(options));
  BITPLAN_RETURN_IF_ERROR(Validate(problem));
  const RunContext limited = WithTimeLimit(context, options);
  Search search{problem, options, limited, TieGroups(problem), {}};
  search.rows = BindingBudgets(problem, search.groups);
  Solution solution{.budgets = DescribeBudgets(problem)};
  BITPLAN_ASSIGN_OR_RETURN(solution.solver, PickSolver(options, static_cast<int>(search.rows.size())));
  BITPLAN_ASSIGN_OR_RETURN(const bool rules_agree,
                           FillInRanges(problem, search.groups, options, limited, solution.budgets));
  if (!rules_agree) return Infeasible(std::move(solution), {.rules_conflict = true});
  if (auto why = DiagnoseAlone(solution.budgets)) return Infeasible(std::move(solution), *std::move(why));
  return RunSolver(search, std::move(solution));
}

}  // namespace bitplan::allocation
