#include "search/allocation/open_items.h"

#include <algorithm>
#include <limits>

namespace bitplan::allocation {
namespace {

// Scratch of one call: least costs of the groups and what they leave.
struct Fitting {
  const MultiKnapsack& knapsack;
  ItemSet& alive;
  std::vector<int64_t>& spare;  // capacity less the least costs of all groups
  std::vector<int64_t> least;   // [group * num_rows + row]

  bool PayLeast() {
    const int num_rows = knapsack.num_rows;
    spare = knapsack.capacity;
    least.assign(static_cast<size_t>(knapsack.num_groups()) * num_rows, std::numeric_limits<int64_t>::max());
    for (int g = 0; g < knapsack.num_groups(); ++g) {
      int64_t* of_group = least.data() + static_cast<size_t>(g) * num_rows;
      bool any = false;
      for (int i = knapsack.first[g]; i < knapsack.first[g + 1]; ++i) {
        if (!alive.Has(i)) continue;
        any = true;
        const int64_t* cost = knapsack.CostOf(i).data();
        for (int r = 0; r < num_rows; ++r) of_group[r] = std::min(of_group[r], cost[r]);
      }
      if (!any) return false;
      for (int r = 0; r < num_rows; ++r) spare[r] -= of_group[r];
    }
    return std::all_of(spare.begin(), spare.end(), [](int64_t left) { return left >= 0; });
  }

  bool Fits(int g, int item) const {
    const int64_t* of_group = least.data() + static_cast<size_t>(g) * knapsack.num_rows;
    const int64_t* cost = knapsack.CostOf(item).data();
    for (int r = 0; r < knapsack.num_rows; ++r) {
      if (cost[r] - of_group[r] > spare[r]) return false;
    }
    return true;
  }

  bool DropWhatCannotFit() {
    bool dropped = false;
    for (int g = 0; g < knapsack.num_groups(); ++g) {
      for (int i = knapsack.first[g]; i < knapsack.first[g + 1]; ++i) {
        if (!alive.Has(i) || Fits(g, i)) continue;
        alive.Remove(i);
        dropped = true;
      }
    }
    return dropped;
  }
};

void Clear(const MultiKnapsack& knapsack, OpenItems& open) {
  open.group.clear();
  open.first.assign(1, 0);
  open.item.clear();
  open.value.clear();
  open.row.resize(knapsack.num_rows);
  for (std::vector<double>& row : open.row) row.clear();
  open.spare = knapsack.capacity;
  open.fixed_value = knapsack.fixed_value;
  open.fixed_item.clear();
}

void CopyItem(const MultiKnapsack& knapsack, int item, OpenItems& open) {
  open.item.push_back(item);
  open.value.push_back(knapsack.value[item]);
  const double* cost = knapsack.ScaledCostOf(item).data();
  for (int r = 0; r < knapsack.num_rows; ++r) open.row[r].push_back(cost[r]);
}

void FixItem(const MultiKnapsack& knapsack, int item, OpenItems& open) {
  open.fixed_item.push_back(item);
  open.fixed_value += knapsack.value[item];
  const int64_t* cost = knapsack.CostOf(item).data();
  for (int r = 0; r < knapsack.num_rows; ++r) open.spare[r] -= cost[r];
}

void Fill(const MultiKnapsack& knapsack, const std::vector<bool>& keep_open, const ItemSet& alive, OpenItems& open) {
  for (int g = 0; g < knapsack.num_groups(); ++g) {
    const int before = open.num_items();
    int last = -1;
    int count = 0;
    for (int i = knapsack.first[g]; i < knapsack.first[g + 1]; ++i) {
      if (!alive.Has(i)) continue;
      if (++count == 2) CopyItem(knapsack, last, open);
      if (count >= 2) CopyItem(knapsack, i, open);
      last = i;
    }
    if (count == 1 && keep_open[g]) CopyItem(knapsack, last, open);
    if (open.num_items() == before) {
      FixItem(knapsack, last, open);
      continue;
    }
    open.group.push_back(g);
    open.first.push_back(open.num_items());
  }
  open.capacity.resize(knapsack.num_rows);
  for (int r = 0; r < knapsack.num_rows; ++r) {
    open.capacity[r] = static_cast<double>(open.spare[r]) * knapsack.row_factor[r];
  }
}

}  // namespace

bool OpenWhatFits(const MultiKnapsack& knapsack, const std::vector<bool>& keep_open, ItemSet& alive, OpenItems& open) {
  Clear(knapsack, open);
  Fitting fitting{knapsack, alive, open.spare, {}};
  do {
    if (!fitting.PayLeast()) return false;
  } while (fitting.DropWhatCannotFit());
  open.spare = knapsack.capacity;
  Fill(knapsack, keep_open, alive, open);
  return true;
}

}  // namespace bitplan::allocation
