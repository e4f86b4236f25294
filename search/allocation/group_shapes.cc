#include "search/allocation/group_shapes.h"

#include <algorithm>
#include <map>
#include <utility>

namespace bitplan::allocation {
namespace {

// A row is regular if it has this many times fewer different costs than there are items.
constexpr size_t kLeastRepeats = 8;

size_t NumDifferent(std::vector<int64_t> values) {
  std::sort(values.begin(), values.end());
  return std::unique(values.begin(), values.end()) - values.begin();
}

std::vector<int64_t> CostsOfRow(const GroupShapes& shapes, int num_items, int row) {
  std::vector<int64_t> costs;
  costs.reserve(num_items);
  for (int i = 0; i < num_items; ++i) costs.push_back(shapes.raw_cost[static_cast<size_t>(i) * shapes.num_rows + row]);
  return costs;
}

}  // namespace

GroupShapes FindShapes(const Instance& instance, const MultiKnapsack& knapsack, int least_groups) {
  GroupShapes shapes{.shape = std::vector<int>(knapsack.num_groups(), -1), .num_rows = knapsack.num_rows};
  for (int i = 0; i < knapsack.num_items(); ++i) {
    const InstanceGroup& group = instance.groups[knapsack.group[knapsack.group_of[i]]];
    for (const int row : knapsack.row) {
      const size_t at = static_cast<size_t>(knapsack.option[i]) * instance.num_rows() + row;
      shapes.raw_cost.push_back(row >= 0 ? group.cost[at] : 0);
    }
  }
  std::vector<int> rows;  // regular ones, as in the instance
  for (int r = 0; r < knapsack.num_rows; ++r) {
    const size_t different = NumDifferent(CostsOfRow(shapes, knapsack.num_items(), r));
    shapes.regular.push_back(knapsack.row[r] >= 0 &&
                             different * kLeastRepeats <= static_cast<size_t>(knapsack.num_items()));
    if (shapes.regular.back()) rows.push_back(knapsack.row[r]);
  }
  if (rows.empty()) return shapes;
  std::map<std::vector<int64_t>, std::vector<int>> groups_of;  // by costs
  for (int g = 0; g < knapsack.num_groups(); ++g) {
    const InstanceGroup& group = instance.groups[knapsack.group[g]];
    std::vector<int64_t> costs;
    for (size_t k = 0; k < group.value.size(); ++k) {
      for (const int row : rows) costs.push_back(group.cost[k * instance.num_rows() + row]);
    }
    groups_of[std::move(costs)].push_back(g);
  }
  for (const auto& [costs, groups] : groups_of) {
    if (std::ssize(groups) < least_groups) continue;
    for (const int g : groups) shapes.shape[g] = shapes.num_shapes();
    shapes.num_groups.push_back(static_cast<int>(groups.size()));
  }
  return shapes;
}

}  // namespace bitplan::allocation
