#include "search/allocation/knapsack.h"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

namespace bitplan::allocation {
namespace {

// Takes each group's least cost out of its items and the capacity; false if that exceeds the capacity.
bool PayLeastCosts(Knapsack& knapsack) {
  for (std::vector<KnapsackItem>& group : knapsack.groups) {
    const int64_t least = group.front().cost;
    if (least > knapsack.capacity) return false;
    knapsack.capacity -= least;
    for (KnapsackItem& item : group) item.cost -= least;
  }
  return true;
}

void DropWhatCannotFit(Knapsack& knapsack) {
  for (std::vector<KnapsackItem>& group : knapsack.groups) {
    while (group.back().cost > knapsack.capacity) group.pop_back();
  }
}

// Divides costs and capacity by the unit it returns.
int64_t TightenLattice(Knapsack& knapsack) {
  int64_t unit = 0;
  for (const std::vector<KnapsackItem>& group : knapsack.groups) {
    for (const KnapsackItem& item : group) unit = std::gcd(unit, item.cost);
  }
  if (unit <= 1) return 1;
  for (std::vector<KnapsackItem>& group : knapsack.groups) {
    for (KnapsackItem& item : group) item.cost /= unit;
  }
  knapsack.capacity /= unit;
  return unit;
}

Int128 ValueUnit(const Knapsack& knapsack) {
  Int128 unit = 0;
  for (const std::vector<KnapsackItem>& group : knapsack.groups) {
    for (const KnapsackItem& item : group) unit = Gcd(unit, group.front().value - item.value);
    if (unit == 1) return 1;
  }
  return unit == 0 ? 1 : unit;
}

}  // namespace

std::vector<KnapsackItem> UndominatedItems(std::vector<KnapsackItem> items) {
  std::sort(items.begin(), items.end(), [](const KnapsackItem& a, const KnapsackItem& b) {
    return std::tie(a.cost, a.value, a.option) < std::tie(b.cost, b.value, b.option);
  });
  size_t kept = 1;
  for (size_t k = 1; k < items.size(); ++k) {
    if (items[k].value < items[kept - 1].value) items[kept++] = items[k];
  }
  items.resize(kept);
  return items;
}

ReducedKnapsack ReduceKnapsack(const Knapsack& knapsack) {
  ReducedKnapsack reduced;
  Knapsack& rest = reduced.knapsack;
  rest.capacity = knapsack.capacity;
  rest.groups.reserve(knapsack.groups.size());
  for (const std::vector<KnapsackItem>& group : knapsack.groups) rest.groups.push_back(UndominatedItems(group));
  if (!PayLeastCosts(rest)) {
    reduced.infeasible = true;
    return reduced;
  }
  DropWhatCannotFit(rest);
  reduced.cost_unit = TightenLattice(rest);
  reduced.value_unit = ValueUnit(rest);
  return reduced;
}

}  // namespace bitplan::allocation
