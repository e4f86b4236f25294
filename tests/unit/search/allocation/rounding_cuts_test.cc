#include "search/allocation/rounding_cuts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "tests/testing/allocation_problems.h"

namespace bitplan::allocation {
namespace {

using ::bitplan::testing::RandomProblem;

bool Keeps(const MultiKnapsack& knapsack, const std::vector<int>& item) {
  for (int r = 0; r < knapsack.num_rows; ++r) {
    int64_t sum = 0;
    for (const int i : item) sum += knapsack.CostOf(i)[r];
    if (sum > knapsack.capacity[r]) return false;
  }
  return true;
}

double ValueOf(const MultiKnapsack& knapsack, const std::vector<int>& item) {
  double sum = knapsack.fixed_value;
  for (const int i : item) sum += knapsack.value[i];
  return sum;
}

// Calls see(items) for every choice.
template <typename See>
void ForEveryChoice(const MultiKnapsack& knapsack, See see) {
  std::vector<int> item(knapsack.first.begin(), knapsack.first.end() - 1);
  for (;;) {
    see(item);
    int g = 0;
    while (g < knapsack.num_groups() && ++item[g] == knapsack.first[g + 1]) {
      item[g] = knapsack.first[g];
      ++g;
    }
    if (g == knapsack.num_groups()) return;
  }
}

// The added rows must leave every choice that keeps the others, and must not let in any other.
TEST(RoundingCuts, CutOffFractionsOnly) {
  int with_cuts = 0;
  for (uint64_t seed = 1; seed <= 4000; ++seed) {
    const Problem problem = RandomProblem(
        {.seed = seed, .min_layers = 4, .max_layers = 7, .max_options = 4, .min_budgets = 2, .max_budgets = 4});
    const auto groups = TieGroups(problem);
    const Instance instance = BuildInstance(problem, groups, BindingBudgets(problem, groups), std::nullopt);
    const MultiKnapsack knapsack = Reduce(instance, ScaleOfValues(instance), AllOptions(instance), {});
    if (knapsack.infeasible || knapsack.num_groups() == 0) continue;
    double best = std::numeric_limits<double>::infinity();
    ForEveryChoice(knapsack, [&](const std::vector<int>& item) {
      if (Keeps(knapsack, item)) best = std::min(best, ValueOf(knapsack, item));
    });
    if (best == std::numeric_limits<double>::infinity()) continue;
    const auto cut = WithRoundingCuts(knapsack, best, {});
    if (!cut.has_value()) continue;
    ++with_cuts;
    ASSERT_GT(cut->num_rows, knapsack.num_rows);
    ForEveryChoice(knapsack, [&](const std::vector<int>& item) {
      ASSERT_EQ(Keeps(knapsack, item), Keeps(*cut, item)) << "seed " << seed;
    });
  }
  EXPECT_GT(with_cuts, 500);
}

}  // namespace
}  // namespace bitplan::allocation
