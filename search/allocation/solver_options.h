#ifndef BITPLAN_SEARCH_ALLOCATION_SOLVER_OPTIONS_H_
#define BITPLAN_SEARCH_ALLOCATION_SOLVER_OPTIONS_H_

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "absl/status/status.h"

namespace bitplan {

struct SolverOptions {
  // A name from solver_table.h, or "auto": the exact one-budget solver where at most one budget can bind, else the one
  // for several.
  std::string solver = "auto";
  // The search may stop once Solution::gap is at most this; it then ends as kFeasible unless the gap is closed. In
  // [0, 1). 0: go on to the proof.
  double relative_gap = 0;
  // Wall clock, > 0; none: as long as it takes. A deadline of the RunContext holds as well.
  std::optional<double> time_limit_s;
  // States or nodes after which the search stops as kFeasible; >= 1. Unlike a time limit it stops at the same point on
  // every machine. A state of the exact solver takes up to 16 bytes until the solver returns.
  int64_t node_limit = 20'000'000;
};

namespace allocation {

// OK, or kInvalidArgument with the field's name. Does not look `solver` up; Solve does.
absl::Status Validate(const SolverOptions& options);

}  // namespace allocation
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_ALLOCATION_SOLVER_OPTIONS_H_
