#ifndef BITPLAN_SEARCH_ALLOCATION_GROUP_SHAPES_H_
#define BITPLAN_SEARCH_ALLOCATION_GROUP_SHAPES_H_

#include <cstdint>
#include <vector>

#include "search/allocation/instance.h"
#include "search/allocation/multi_knapsack.h"

namespace bitplan::allocation {

// Groups with the same costs: a transformer repeats a few layer shapes many times over. Of a row whose costs take few
// values ("regular": sizes and BOPs do, measured latencies do not) a choice's sum depends only on how many groups of
// each shape take which cost, so a search can branch on such counts, far fewer than there are groups.
struct GroupShapes {
  std::vector<int> shape;         // of each group of the knapsack; -1: too few groups like it, or no regular row
  std::vector<int> num_groups;    // of each shape
  std::vector<bool> regular;      // of each row of the knapsack
  std::vector<int64_t> raw_cost;  // [item * rows + row]: costs as in the instance (the knapsack's have offsets)
  int num_rows = 0;

  int num_shapes() const { return static_cast<int>(num_groups.size()); }
};

// Groups have one shape if their options have equal costs of all regular rows, in the same order. Shapes of fewer than
// `least_groups` groups do not count. Cost: O(items * rows * log items).
GroupShapes FindShapes(const Instance& instance, const MultiKnapsack& knapsack, int least_groups);

// A limit on a count, as a row of costs 0 and 1: of the groups of a shape at most `limit` take an item whose raw cost
// of `row` is at most `threshold` (`dearer`: is above it; as every group takes one, that is a least number of cheap
// ones).
struct CountRow {
  int shape = -1;
  int row = 0;
  int64_t threshold = 0;
  bool dearer = false;
  int64_t limit = 0;

  bool Counts(const GroupShapes& shapes, const MultiKnapsack& knapsack, int item) const {
    if (shapes.shape[knapsack.group_of[item]] != shape) return false;
    return (shapes.raw_cost[static_cast<size_t>(item) * shapes.num_rows + row] > threshold) == dearer;
  }
  bool SameCount(const CountRow& other) const {
    return shape == other.shape && row == other.row && threshold == other.threshold && dearer == other.dearer;
  }
};

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_GROUP_SHAPES_H_
