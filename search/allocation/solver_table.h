#ifndef BITPLAN_SEARCH_ALLOCATION_SOLVER_TABLE_H_
#define BITPLAN_SEARCH_ALLOCATION_SOLVER_TABLE_H_

#include <span>
#include <string_view>

#include "absl/status/statusor.h"
#include "search/allocation/instance.h"
#include "search/allocation/solver_options.h"
#include "search/base/run_context.h"

namespace bitplan::allocation {

// One row a solver. Lists of capabilities, help texts and the tests that hold for every solver read this table.
struct SolverEntry {
  std::string_view name;
  std::string_view source;   // paper or library behind it
  int max_budgets;           // budgets it takes at once, not counting those that every choice keeps
  bool takes_links;          // Instance::links
  std::string_view promise;  // what its kOptimal means
  // Called with at most max_budgets rows, each of which some choice keeps when looked at alone.
  absl::StatusOr<InstanceSolution> (*solve)(const Instance&, const SolverOptions&, const RunContext&);
};

// All solvers, in a fixed order. "auto" is a rule of Solve, not a row.
std::span<const SolverEntry> Solvers();
// The row of that name, or kNotFound listing the known names.
absl::StatusOr<SolverEntry> FindSolver(std::string_view name);

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_SOLVER_TABLE_H_
