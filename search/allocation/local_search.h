#ifndef BITPLAN_SEARCH_ALLOCATION_LOCAL_SEARCH_H_
#define BITPLAN_SEARCH_ALLOCATION_LOCAL_SEARCH_H_

#include <vector>

#include "search/allocation/convex_objective.h"
#include "search/allocation/problem.h"
#include "search/base/run_context.h"

namespace bitplan::allocation {

struct ScoredChoice {
  std::vector<int> choice;  // option index of each layer
  double value = 0;         // of the convex objective
};

// One-hot vector of a choice, as ConvexObjective takes it.
std::vector<double> OneHot(const Problem& problem, const std::vector<int>& choice);

// Changes one layer (tied group) or two at a time while that makes f smaller by more than its tolerance and keeps the
// budgets, until no such change is left among those tried: moves are ordered by the slope of f, most negative first,
// and moves that free a budget are paired with moves that gain. Stops early, with what it has, when the context says
// so. `start` must keep budgets and ties.
ScoredChoice ImproveLocally(const Problem& problem, const ConvexObjective& objective, ScoredChoice start,
                            const RunContext& context);

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_LOCAL_SEARCH_H_
