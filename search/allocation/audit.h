#ifndef BITPLAN_SEARCH_ALLOCATION_AUDIT_H_
#define BITPLAN_SEARCH_ALLOCATION_AUDIT_H_

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "search/allocation/problem.h"
#include "search/allocation/solution.h"

namespace bitplan::allocation {

// What a choice adds up to, taken from the problem alone: nothing a solver computed goes in.
struct ChoiceTotals {
  double objective = 0;               // layers in their order, then pairs in theirs
  std::vector<int64_t> used;          // of each resource, in checked int64
  std::vector<int64_t> used_in_step;  // of each step
};

// Adds a choice (option index of each layer) up. kInternal if it has the wrong length, an option that does not exist or
// is not allowed, tied layers with different options or classes, a forbidden pair, or a sum that overflows. Does not
// look at budgets and steps.
absl::StatusOr<ChoiceTotals> AddUp(const Problem& problem, std::span<const int> choice);

// Whether a choice keeps the rules (allowed options, ties, class ties, forbidden pairs), every budget and every step.
bool Keeps(const Problem& problem, std::span<const int> choice);

// Writes objective, used and slack of solution.choice into the solution. kInternal as for AddUp, or if a budget or step
// is broken: then the solver that made the choice has a bug and the choice must not reach anyone.
absl::Status Audit(const Problem& problem, Solution& solution);

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_AUDIT_H_
