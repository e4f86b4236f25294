#ifndef BITPLAN_SEARCH_ALLOCATION_TOP_CHOICES_H_
#define BITPLAN_SEARCH_ALLOCATION_TOP_CHOICES_H_

#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "search/allocation/problem.h"
#include "search/allocation/solution.h"
#include "search/allocation/solver_options.h"
#include "search/base/run_context.h"

namespace bitplan {

struct TopChoicesRequest {
  int count = 5;     // 1..100
  int distance = 1;  // 1..: any two choices differ in at least so many layers; tied ones count once
};

struct TopChoices {
  // Each as Solve's answer to the problem that forbids what is nearer than `distance` to the choices before it, with
  // the problem's own budgets; so objectives do not fall. A choice that is not kOptimal may be worse than its bound
  // says.
  std::vector<Solution> solutions;
  bool exhausted = false;  // proven: there is no further choice at that distance from all of these
  std::string note;        // why there are fewer than asked for; else empty
};

namespace allocation {

// kInvalidArgument: count or distance out of range.
absl::Status Validate(const TopChoicesRequest& request);

// Layers in which two choices differ, tied ones counted once.
int Distance(const Problem& problem, std::span<const int> a, std::span<const int> b);

// The best choice, then the best of those at the given distance from all found before, and so on; distance 1 gives the
// `count` best choices. Any number of budgets and ties.
//
// Method: for each choice c found, one budget more: the number of layers (tied groups) that take c's option is at most
//         their number less the distance. It is a sum over layers like any other, so Solve proves each answer;
//         dominated options are dropped only where these budgets allow it.
// Cost:   of Solve with one budget more for each choice found.
// Limits of options: node_limit and relative_gap hold for each choice, time_limit_s for all together.
// Errors: kInvalidArgument: problem, options, count or distance; those of Solve. An infeasible problem gives one
// solution
//         that says why.
absl::StatusOr<TopChoices> FindTopChoices(const Problem& problem, const TopChoicesRequest& request,
                                          const SolverOptions& options, const RunContext& context);

}  // namespace allocation
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_ALLOCATION_TOP_CHOICES_H_
