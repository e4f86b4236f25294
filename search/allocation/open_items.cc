#include "search/allocation/open_items.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace bitplan::allocation {
namespace {

// Capacity less the least costs of all groups; false if a group has no item or a capacity is exceeded. Items of a group
// stand together in open.alive.
bool PayLeast(const MultiKnapsack& knapsack, OpenItems& open) {
  const int num_rows = knapsack.num_rows;
  open.spare = knapsack.capacity;
  open.least.assign(static_cast<size_t>(knapsack.num_groups()) * num_rows, std::numeric_limits<int64_t>::max());
  int num_groups = 0;
  int last = -1;
  for (const int item : open.alive) {
    const int g = knapsack.group_of[item];
    num_groups += g != last ? 1 : 0;
    last = g;
    int64_t* least = open.least.data() + static_cast<size_t>(g) * num_rows;
    const int64_t* cost = knapsack.CostOf(item).data();
    for (int r = 0; r < num_rows; ++r) least[r] = std::min(least[r], cost[r]);
  }
  if (num_groups < knapsack.num_groups()) return false;
  for (size_t at = 0; at < open.least.size(); at += num_rows) {
    for (int r = 0; r < num_rows; ++r) open.spare[r] -= open.least[at + r];
  }
  return std::all_of(open.spare.begin(), open.spare.end(), [](int64_t left) { return left >= 0; });
}

bool Fits(const MultiKnapsack& knapsack, const OpenItems& open, int item) {
  const int64_t* least = open.least.data() + static_cast<size_t>(knapsack.group_of[item]) * knapsack.num_rows;
  const int64_t* cost = knapsack.CostOf(item).data();
  for (int r = 0; r < knapsack.num_rows; ++r) {
    if (cost[r] - least[r] > open.spare[r]) return false;
  }
  return true;
}

bool DropWhatCannotFit(const MultiKnapsack& knapsack, ItemSet& alive, OpenItems& open) {
  const auto dropped = std::erase_if(open.alive, [&](int item) {
    if (Fits(knapsack, open, item)) return false;
    alive.Remove(item);
    return true;
  });
  return dropped > 0;
}

void FixItem(const MultiKnapsack& knapsack, int item, OpenItems& open) {
  open.fixed_item.push_back(item);
  open.fixed_value += knapsack.value[item];
  const int64_t* cost = knapsack.CostOf(item).data();
  for (int r = 0; r < knapsack.num_rows; ++r) open.spare[r] -= cost[r];
}

void Divide(const MultiKnapsack& knapsack, const std::vector<bool>& keep_open, OpenItems& open) {
  open.group.clear();
  open.first.assign(1, 0);
  open.item.clear();
  open.fixed_item.clear();
  open.fixed_value = knapsack.fixed_value;
  open.spare = knapsack.capacity;
  for (size_t begin = 0; begin < open.alive.size();) {
    const int g = knapsack.group_of[open.alive[begin]];
    size_t end = begin + 1;
    while (end < open.alive.size() && knapsack.group_of[open.alive[end]] == g) ++end;
    if (end - begin == 1 && !keep_open[g]) {
      FixItem(knapsack, open.alive[begin], open);
    } else {
      open.item.insert(open.item.end(), open.alive.begin() + static_cast<std::ptrdiff_t>(begin),
                       open.alive.begin() + static_cast<std::ptrdiff_t>(end));
      open.group.push_back(g);
      open.first.push_back(open.num_items());
    }
    begin = end;
  }
}

void CopyNumbers(const MultiKnapsack& knapsack, OpenItems& open) {
  const int num_rows = knapsack.num_rows;
  const size_t count = open.item.size();
  open.value.resize(count);
  for (size_t i = 0; i < count; ++i) open.value[i] = knapsack.value[open.item[i]];
  open.row.resize(num_rows);
  open.capacity.resize(num_rows);
  for (int r = 0; r < num_rows; ++r) {
    open.capacity[r] = static_cast<double>(open.spare[r]) * knapsack.row_factor[r];
    open.row[r].resize(count);
    const double* cost = knapsack.scaled_cost.data() + r;
    for (size_t i = 0; i < count; ++i) open.row[r][i] = cost[static_cast<size_t>(open.item[i]) * num_rows];
  }
}

// False: the fixed groups alone exceed the limit.
bool AddCountRow(const MultiKnapsack& knapsack, const GroupShapes& shapes, const CountRow& row, OpenItems& open) {
  int64_t spare = row.limit;
  for (const int item : open.fixed_item) spare -= row.Counts(shapes, knapsack, item) ? 1 : 0;
  if (spare < 0) return false;
  int exponent = 0;
  std::frexp(static_cast<double>(std::max<int64_t>(row.limit, 1)), &exponent);
  const double factor = std::ldexp(1.0, -exponent);
  std::vector<double>& cost = open.row.emplace_back();
  cost.reserve(open.item.size());
  for (const int item : open.item) cost.push_back(row.Counts(shapes, knapsack, item) ? factor : 0);
  open.spare.push_back(spare);
  open.capacity.push_back(static_cast<double>(spare) * factor);
  open.count_factor.push_back(factor);
  return true;
}

}  // namespace

void ItemSet::List(std::vector<int>& items) const {
  items.clear();
  for (size_t w = 0; w < words_.size(); ++w) {
    for (uint64_t word = words_[w]; word != 0; word &= word - 1) {
      items.push_back(static_cast<int>(64 * w) + std::countr_zero(word));
    }
  }
}

bool OpenWhatFits(const MultiKnapsack& knapsack, const CountLimits& limits, const std::vector<bool>& keep_open,
                  ItemSet& alive, OpenItems& open) {
  alive.List(open.alive);
  do {
    if (!PayLeast(knapsack, open)) return false;
  } while (DropWhatCannotFit(knapsack, alive, open));
  Divide(knapsack, keep_open, open);
  CopyNumbers(knapsack, open);
  open.count_factor.clear();
  return std::all_of(limits.rows.begin(), limits.rows.end(),
                     [&](const CountRow& row) { return AddCountRow(knapsack, limits.shapes, row, open); });
}

}  // namespace bitplan::allocation
