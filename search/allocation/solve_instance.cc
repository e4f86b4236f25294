#include "search/allocation/solve_instance.h"

#include <string_view>
#include <utility>

#include "search/allocation/merge_links.h"
#include "search/allocation/solver_table.h"
#include "search/base/status.h"

namespace bitplan::allocation {
namespace {

std::string_view AutomaticSolver(int num_rows, bool has_links) {
  if (has_links) return "linked";
  return num_rows <= 1 ? "one_budget" : "several_budgets";
}

absl::StatusOr<SolverEntry> EntryFor(const SolverOptions& options, int num_rows, bool has_links) {
  const std::string_view automatic = AutomaticSolver(num_rows, has_links);
  BITPLAN_ASSIGN_OR_RETURN(const SolverEntry entry, FindSolver(options.solver == "auto" ? automatic : options.solver));
  if (num_rows > entry.max_budgets) {
    return Unimplemented(
        "solver: '{}' takes at most {} budgets, the problem has {} that can bind; 'several_budgets' and 'cbc' take any "
        "number",
        entry.name, entry.max_budgets, num_rows);
  }
  if (has_links && !entry.takes_links) {
    return Unimplemented(
        "solver: '{}' does not take class ties or pairs that join so many layers; 'linked' and 'cbc' do", entry.name);
  }
  return entry;
}

absl::StatusOr<InstanceAnswer> SolveMerged(const Instance& instance, size_t num_layers, const SolverOptions& options,
                                           const RunContext& context) {
  BITPLAN_ASSIGN_OR_RETURN(const SolverEntry entry, EntryFor(options, instance.num_rows(), !instance.links.empty()));
  InstanceAnswer answer{.found = {}, .choice = {}, .solver = std::string(entry.name)};
  if (instance.no_choice) {
    answer.found.termination = Termination::kInfeasible;
    return answer;
  }
  BITPLAN_ASSIGN_OR_RETURN(answer.found, entry.solve(instance, options, context));
  if (!answer.found.option.empty()) answer.choice = ChoiceOfLayers(instance, answer.found.option, num_layers);
  answer.found.option.clear();
  return answer;
}

}  // namespace

absl::StatusOr<std::string> PickSolver(const SolverOptions& options, int num_rows) {
  BITPLAN_ASSIGN_OR_RETURN(const SolverEntry entry, EntryFor(options, num_rows, false));
  return std::string(entry.name);
}

absl::StatusOr<InstanceAnswer> SolveInstance(const Instance& instance, size_t num_layers, const SolverOptions& options,
                                             const RunContext& context) {
  const bool takes_links = options.solver == "linked" || options.solver == "cbc";
  if (!takes_links && !instance.links.empty()) {
    const Instance merged = MergeLinks(instance, {});
    return SolveMerged(merged, num_layers, options, context);
  }
  return SolveMerged(instance, num_layers, options, context);
}

}  // namespace bitplan::allocation
