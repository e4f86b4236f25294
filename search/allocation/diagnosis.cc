#include "search/allocation/diagnosis.h"

#include <algorithm>
#include <utility>

#include "search/allocation/run_limits.h"
#include "search/allocation/schedule_steps.h"
#include "search/allocation/solve_instance.h"
#include "search/base/status.h"

namespace bitplan::allocation {
namespace {

struct LeastSum {
  Termination termination = Termination::kCancelled;
  int64_t sum = 0;          // with kOptimal; of a lower budget the most
  std::vector<int> choice;  // of each layer, with kOptimal
};

// Adds up from the problem what a choice uses of a constraint.
int64_t SumOf(const Problem& problem, const std::vector<int>& choice, int constraint) {
  if (constraint >= std::ssize(problem.budgets)) {
    return UsedInStep(problem.steps[constraint - problem.budgets.size()], choice);
  }
  const int resource = problem.budgets[constraint].resource;
  int64_t sum = 0;
  for (size_t i = 0; i < choice.size(); ++i) sum += problem.layers[i].options[choice[i]].cost[resource];
  for (const ProblemPair& pair : problem.pairs) {
    const bool meet = choice[pair.layer_a] == pair.option_a && choice[pair.layer_b] == pair.option_b;
    if (meet && !pair.cost.empty()) sum += pair.cost[resource];
  }
  return sum;
}

// The best sum of `constraint` (least, of a lower budget most) subject to those in `others` and all other steps, to the
// end or not at all.
absl::StatusOr<LeastSum> Best(const Problem& problem, std::span<const std::vector<int>> groups, int constraint,
                              std::vector<int> others, const SolverOptions& options, const RunContext& context) {
  SolverOptions to_the_end = options;
  to_the_end.relative_gap = 0;
  to_the_end.solver = "auto";
  for (;;) {
    std::vector<int> rows = others;
    rows.push_back(constraint);
    const Instance instance =
        MinimiseRow(BuildInstance(problem, groups, std::move(rows), std::nullopt), static_cast<int>(others.size()));
    BITPLAN_ASSIGN_OR_RETURN(InstanceAnswer answer,
                             SolveInstance(instance, problem.layers.size(), to_the_end, WithoutProgress(context)));
    LeastSum least{.termination = answer.found.termination};
    if (least.termination != Termination::kOptimal) return least;
    others.push_back(constraint);  // whether it is kept is not asked
    const std::vector<int> broken = BrokenSteps(problem, answer.choice, others);
    others.pop_back();
    if (broken.empty()) {
      least.sum = SumOf(problem, answer.choice, constraint);
      least.choice = std::move(answer.choice);
      return least;
    }
    others.insert(others.end(), broken.begin(), broken.end());
  }
}

std::vector<int> Without(std::span<const int> budgets, int dropped) {
  std::vector<int> rest;
  for (const int budget : budgets) {
    if (budget != dropped) rest.push_back(budget);
  }
  return rest;
}

bool IsLower(const Problem& problem, int constraint) {
  return constraint < std::ssize(problem.budgets) && problem.budgets[constraint].sense == BudgetSense::kAtLeast;
}

int64_t LimitOf(const Problem& problem, int constraint) {
  const int64_t num_budgets = std::ssize(problem.budgets);
  return constraint < num_budgets ? problem.budgets[constraint].limit : problem.steps[constraint - num_budgets].limit;
}

// How far a sum is beyond the limit; <= 0: kept.
int64_t ShortBy(const Problem& problem, int constraint, int64_t sum) {
  const int64_t over = sum - LimitOf(problem, constraint);
  return IsLower(problem, constraint) ? -over : over;
}

// Budgets on one resource in one direction have one answer.
absl::StatusOr<bool> FillInLinked(const Problem& problem, std::span<const std::vector<int>> groups,
                                  const SolverOptions& options, const RunContext& context,
                                  std::span<BudgetUsage> usage) {
  Problem probe = problem;
  probe.steps.clear();
  for (int b = 0; b < std::ssize(usage); ++b) {
    for (const BudgetSense sense : {BudgetSense::kAtMost, BudgetSense::kAtLeast}) {
      if (sense == BudgetSense::kAtLeast && problem.budgets[b].sense != sense) continue;
      probe.budgets[b].sense = sense;
      BITPLAN_ASSIGN_OR_RETURN(const LeastSum best, Best(probe, groups, b, {}, options, context));
      if (best.termination == Termination::kInfeasible) return false;
      if (best.termination != Termination::kOptimal) continue;
      (sense == BudgetSense::kAtMost ? usage[b].least_achievable : usage[b].most_achievable) = best.sum;
    }
  }
  if (!usage.empty()) return true;
  BITPLAN_ASSIGN_OR_RETURN(const InstanceAnswer any,
                           SolveInstance(BuildInstance(probe, groups, {}, std::nullopt), problem.layers.size(),
                                         {.node_limit = options.node_limit}, WithoutProgress(context)));
  return any.found.termination != Termination::kInfeasible;
}

}  // namespace

absl::StatusOr<bool> FillInRanges(const Problem& problem, std::span<const std::vector<int>> groups,
                                  const SolverOptions& options, const RunContext& context,
                                  std::span<BudgetUsage> usage) {
  const std::vector<std::vector<int>> allowed = AllowedOptions(problem, groups);
  if (std::ranges::any_of(allowed, &std::vector<int>::empty)) return false;
  const std::vector<CostRange> ranges = RangesOfResources(problem, groups);
  for (size_t b = 0; b < usage.size(); ++b) {
    const ProblemBudget& budget = problem.budgets[b];
    usage[b].least_achievable = ranges[budget.resource].least;
    if (budget.sense == BudgetSense::kAtLeast) usage[b].most_achievable = ranges[budget.resource].most;
  }
  if (problem.class_ties.empty() && problem.pairs.empty()) return true;
  // Without pairs the answer is a few sums for each class: not worth stopping, so that it is always exact.
  if (problem.pairs.empty()) return FillInLinked(problem, groups, {}, {}, usage);
  return FillInLinked(problem, groups, options, context, usage);
}

std::optional<Infeasibility> DiagnoseAlone(std::span<const BudgetUsage> usage) {
  Infeasibility why;
  for (int b = 0; b < std::ssize(usage); ++b) {
    const bool upper = usage[b].sense == BudgetSense::kAtMost;
    const int64_t best = upper ? usage[b].least_achievable : usage[b].most_achievable;
    const int64_t short_by = upper ? best - usage[b].limit : usage[b].limit - best;
    if (short_by > 0) why.shortages.push_back({.budget = b, .least_achievable = best, .short_by = short_by});
  }
  if (why.shortages.empty()) return std::nullopt;
  return why;
}

absl::StatusOr<JointDiagnosis> DiagnoseTogether(const Problem& problem, std::span<const std::vector<int>> groups,
                                                std::span<const int> binding, const SolverOptions& options,
                                                const RunContext& context) {
  JointDiagnosis diagnosis{.why = {.joint = true}};
  for (const int b : binding) {
    BITPLAN_ASSIGN_OR_RETURN(LeastSum best, Best(problem, groups, b, Without(binding, b), options, context));
    BudgetShortage shortage{.budget = b, .others_conflict = best.termination == Termination::kInfeasible};
    if (b >= std::ssize(problem.budgets)) {
      shortage.budget = -1;
      shortage.step = b - static_cast<int>(problem.budgets.size());
    }
    if (best.termination == Termination::kOptimal) {
      if (ShortBy(problem, b, best.sum) <= 0) {
        diagnosis.counterexample = std::move(best.choice);
        return diagnosis;
      }
      shortage.least_achievable = best.sum;
      shortage.short_by = ShortBy(problem, b, best.sum);
    }
    diagnosis.why.shortages.push_back(shortage);
  }
  return diagnosis;
}

}  // namespace bitplan::allocation
