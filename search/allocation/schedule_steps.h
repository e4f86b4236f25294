#ifndef BITPLAN_SEARCH_ALLOCATION_SCHEDULE_STEPS_H_
#define BITPLAN_SEARCH_ALLOCATION_SCHEDULE_STEPS_H_

#include <span>
#include <vector>

#include "search/allocation/problem.h"

namespace bitplan::allocation {

// Steps of a schedule become rows only when a choice breaks them: a problem without some of its steps is a relaxation,
// so a best choice of it that keeps all steps is best, its bound is a bound, and no choice of it is no choice at all.
// A schedule has as many steps as nodes, of which two or three bind.
inline constexpr int kMostStepsAtOnce = 4;

// Steps that `choice` breaks, as constraints (Instance::rows), less those in `known`: the kMostStepsAtOnce with the
// largest excess relative to their limits, of equal ones the first; ascending.
std::vector<int> BrokenSteps(const Problem& problem, std::span<const int> choice, std::span<const int> known);

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_SCHEDULE_STEPS_H_
