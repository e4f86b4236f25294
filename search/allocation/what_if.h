#ifndef BITPLAN_SEARCH_ALLOCATION_WHAT_IF_H_
#define BITPLAN_SEARCH_ALLOCATION_WHAT_IF_H_

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "search/allocation/instance.h"
#include "search/allocation/problem.h"
#include "search/allocation/shared_knapsack.h"
#include "search/allocation/solution.h"
#include "search/allocation/solver_options.h"
#include "search/base/run_context.h"

namespace bitplan {

// Another limit for one of the problem's budgets.
struct LimitChange {
  int budget = 0;     // index into Problem::budgets
  int64_t limit = 0;  // >= 0
};

// The only options that a layer may take: one pins it, all but one forbid that. Tied layers take what is left to all of
// them.
struct LayerOptions {
  int layer = 0;
  std::vector<int> options;  // indices; at least one
};

// What is different from the problem; what is not named stays as it is there.
struct ProblemChange {
  std::vector<LimitChange> limits;
  std::vector<LayerOptions> layers;
};

namespace allocation {

// Answers changes of one problem: everything that no change touches (checks, ties, whole-number objectives, dominance,
// hulls and their order) is done once, and each answer is where the next search starts.
//
// Answers: as Solve's for the changed problem (termination, objective, bound, budgets, why infeasible); of several best
//          choices maybe another one.
// Cost:    where at most one budget can bind, linear in the undominated options plus the list search; with several, the
//          search from the last answer's choice. An infeasible change costs a Solve, which explains it.
// Rules:   a problem that has some (HasRules) is solved anew each time.
// Threads: one at a time.
class WhatIf {
 public:
  // kInvalidArgument: see Validate(problem).
  static absl::StatusOr<WhatIf> Create(Problem problem);

  // options.solver must be "auto". kInvalidArgument: indices out of range, a limit below 0, no options, tied layers
  // without a common option, options of the solver.
  absl::StatusOr<Solution> Solve(const ProblemChange& change, const SolverOptions& options, const RunContext& context);

  const Problem& problem() const { return problem_; }

 private:
  explicit WhatIf(Problem problem);

  absl::StatusOr<std::vector<GroupRestriction>> Restrictions(const ProblemChange& change) const;
  std::vector<CostRange> Ranges(std::span<const GroupRestriction> restrictions) const;
  CostRange RangeOf(int group, std::span<const int> options, int row) const;
  SharedKnapsack& Shared(int row);
  std::vector<int> Start(std::span<const GroupRestriction> restrictions) const;
  Solution FromOneBudget(int row, std::span<const GroupRestriction> restrictions, const SolverOptions& options,
                         const RunContext& context);
  Solution FromSeveral(std::span<const GroupRestriction> restrictions, const SolverOptions& options,
                       const RunContext& context);
  absl::StatusOr<Solution> SolveAnew(std::span<const GroupRestriction> restrictions, const SolverOptions& options,
                                     const RunContext& context) const;

  Problem problem_;                                      // budgets: with the limits of the change being answered
  std::vector<int64_t> limits_;                          // of the problem
  std::vector<std::vector<int>> groups_;                 // tied layers
  std::vector<int> group_of_;                            // of each layer
  std::unique_ptr<Instance> instance_;                   // a row for each budget; null: the problem has rules
  std::vector<std::vector<CostRange>> ranges_;           // [group][row]
  std::vector<CostRange> sums_;                          // of each row
  std::vector<std::unique_ptr<SharedKnapsack>> shared_;  // of each row and, last, of none; null: not needed yet
  std::vector<int> last_;                                // option of each group of the last answer; may be empty
};

}  // namespace allocation
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_ALLOCATION_WHAT_IF_H_
