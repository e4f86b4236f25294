#include "search/allocation/top_choices.h"

#include <limits>
#include <utility>

#include "search/allocation/audit.h"
#include "search/allocation/instance.h"
#include "search/allocation/run_limits.h"
#include "search/allocation/solve.h"
#include "search/base/status.h"

namespace bitplan::allocation {
namespace {

constexpr int kMostChoices = 100;

// The problem with a budget that keeps its choices away from `choice`.
void Forbid(std::span<const std::vector<int>> groups, const std::vector<int>& choice, int distance, Problem& problem) {
  const int resource = static_cast<int>(problem.resources.size());
  problem.resources.push_back(fmt::format("equal to choice {}", resource));
  for (ProblemLayer& layer : problem.layers) {
    for (ProblemOption& option : layer.options) option.cost.push_back(0);
  }
  for (ProblemPair& pair : problem.pairs) {
    if (!pair.cost.empty()) pair.cost.push_back(0);
  }
  for (const std::vector<int>& group : groups) {
    problem.layers[group[0]].options[choice[group[0]]].cost.back() = 1;
  }
  problem.budgets.push_back({.resource = resource, .limit = std::ssize(groups) - distance});
}

// Nothing of the budgets that were added.
absl::Status Restore(const Problem& problem, Solution& solution) {
  solution.budgets.resize(problem.budgets.size());
  const double bound = solution.bound;
  BITPLAN_RETURN_IF_ERROR(Audit(problem, solution));
  solution.bound = bound;
  return absl::OkStatus();
}

}  // namespace

absl::Status Validate(const TopChoicesRequest& request) {
  if (request.count < 1 || request.count > kMostChoices) {
    return InvalidArgument("count: got {}, want 1..{}", request.count, kMostChoices);
  }
  if (request.distance < 1) return InvalidArgument("distance: got {}, want at least 1", request.distance);
  return absl::OkStatus();
}

int Distance(const Problem& problem, std::span<const int> a, std::span<const int> b) {
  int distance = 0;
  for (const std::vector<int>& group : TieGroups(problem)) distance += a[group[0]] != b[group[0]] ? 1 : 0;
  return distance;
}

absl::StatusOr<TopChoices> FindTopChoices(const Problem& problem, const TopChoicesRequest& request,
                                          const SolverOptions& options, const RunContext& context) {
  BITPLAN_RETURN_IF_ERROR(Validate(request));
  BITPLAN_RETURN_IF_ERROR(Validate(options));
  BITPLAN_RETURN_IF_ERROR(Validate(problem));
  const RunContext limited = WithTimeLimit(context, options);
  SolverOptions of_one = options;
  of_one.time_limit_s.reset();  // in the context already
  const std::vector<std::vector<int>> groups = TieGroups(problem);
  Problem apart = problem;
  TopChoices found;
  while (std::ssize(found.solutions) < request.count) {
    const bool is_first = found.solutions.empty();
    if (!is_first && request.distance > std::ssize(groups)) {
      found.exhausted = true;
      break;
    }
    BITPLAN_ASSIGN_OR_RETURN(Solution solution, Solve(apart, of_one, limited));
    found.exhausted = solution.termination == Termination::kInfeasible;
    if (solution.choice.empty()) {
      if (is_first) found.solutions.push_back(std::move(solution));
      break;
    }
    BITPLAN_RETURN_IF_ERROR(Restore(problem, solution));
    Forbid(groups, solution.choice, request.distance, apart);
    found.solutions.push_back(std::move(solution));
  }
  if (std::ssize(found.solutions) < request.count) {
    found.note = found.exhausted
                     ? fmt::format("There are no more choices that differ in at least {} layers.", request.distance)
                     : "Stopped before another choice was found.";
  }
  return found;
}

}  // namespace bitplan::allocation
