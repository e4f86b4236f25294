#ifndef BITPLAN_SEARCH_ALLOCATION_SOLVE_INSTANCE_H_
#define BITPLAN_SEARCH_ALLOCATION_SOLVE_INSTANCE_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "search/allocation/instance.h"
#include "search/allocation/solver_options.h"
#include "search/base/run_context.h"

namespace bitplan::allocation {

// What the solver that took an instance says, in terms of layers.
struct InstanceAnswer {
  InstanceSolution found;   // found.option is empty: `choice` says it
  std::vector<int> choice;  // option index of each layer; empty: none
  std::string solver;       // name in solver_table.h
};

// Merges links where they can be (merge_links.h; not for the solvers "linked" and "cbc", which take them as they are)
// and runs the solver that options.solver names; "auto": one_budget with at most one row, several_budgets with more,
// linked where links are left.
// Errors: kNotFound (no such solver), kUnimplemented (it does not take so many rows, or links that could not be
// merged).
absl::StatusOr<InstanceAnswer> SolveInstance(const Instance& instance, size_t num_layers, const SolverOptions& options,
                                             const RunContext& context);

// Name of the solver that takes an instance of so many rows without links, or the error that SolveInstance would give.
absl::StatusOr<std::string> PickSolver(const SolverOptions& options, int num_rows);

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_SOLVE_INSTANCE_H_
