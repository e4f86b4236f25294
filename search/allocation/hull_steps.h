#ifndef BITPLAN_SEARCH_ALLOCATION_HULL_STEPS_H_
#define BITPLAN_SEARCH_ALLOCATION_HULL_STEPS_H_

#include <compare>
#include <cstdint>
#include <span>
#include <vector>

#include "search/allocation/knapsack.h"

namespace bitplan::allocation {

// From one vertex of a group's lower convex hull to the next: costs more, is worth more.
struct GroupStep {
  double slope = 0;  // gain / cost, rounded
  int64_t cost = 0;  // > 0
  Int128 gain = 0;   // > 0: the value falls by it
  int group = 0;
  int item = 0;  // the vertex it leads to
};

// gain / cost of a against that of b, exactly: by continued fractions where doubles cannot tell.
std::strong_ordering CompareSlopes(const GroupStep& a, const GroupStep& b);

// The steps of one group, whose costs rise and values fall; by falling slope, strictly. Vertices only: of items on one
// line the ends. Exact. Cost: linear.
std::vector<GroupStep> StepsOfGroup(std::span<const KnapsackItem> items, int group);

// The order in which a budget that grows takes the steps of all groups: falling slope; of equal ones the first group's
// first.
bool ComesFirst(const GroupStep& a, const GroupStep& b);

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_HULL_STEPS_H_
