#include "search/allocation/knapsack.h"

#include <gtest/gtest.h>

namespace bitplan::allocation {
namespace {

TEST(ReduceKnapsack, DropsDominatedItems) {
  // Item 1 costs more than item 0 and is worth no less; item 3 equals item 2.
  const Knapsack knapsack{.groups = {{{3, 10, 0}, {5, 10, 1}, {9, 4, 2}, {9, 4, 3}}}, .capacity = 100};
  const ReducedKnapsack reduced = ReduceKnapsack(knapsack);
  ASSERT_EQ(reduced.knapsack.groups[0].size(), 2);
  EXPECT_EQ(reduced.knapsack.groups[0][0].option, 0);
  EXPECT_EQ(reduced.knapsack.groups[0][1].option, 2);
}

TEST(ReduceKnapsack, PaysLeastCostsAndTightensTheLattice) {
  // Costs 4, 10 and 7, 19 less the least are 0, 6 and 0, 12, in units of 6; of 27 - 11 = 16 that leaves 2 units.
  const Knapsack knapsack{.groups = {{{4, 5, 0}, {10, 1, 1}}, {{7, 9, 0}, {19, 1, 1}}}, .capacity = 27};
  const ReducedKnapsack reduced = ReduceKnapsack(knapsack);
  EXPECT_FALSE(reduced.infeasible);
  EXPECT_EQ(reduced.cost_unit, 6);
  EXPECT_EQ(reduced.knapsack.capacity, 2);
  EXPECT_EQ(reduced.knapsack.groups[0][1].cost, 1);
  EXPECT_EQ(reduced.knapsack.groups[1][1].cost, 2);
  EXPECT_EQ(reduced.value_unit, 4);  // differences 4 and 8
  EXPECT_EQ(reduced.knapsack.groups[1][0].value, 9);
}

TEST(ReduceKnapsack, DropsItemsThatCannotFitBeforeTheLattice) {
  // 5 does not fit into what is left; without it the costs have the common divisor 2.
  const Knapsack knapsack{.groups = {{{0, 9, 0}, {2, 5, 1}, {5, 1, 2}}, {{0, 9, 0}, {4, 1, 1}}}, .capacity = 4};
  const ReducedKnapsack reduced = ReduceKnapsack(knapsack);
  EXPECT_EQ(reduced.knapsack.groups[0].size(), 2);
  EXPECT_EQ(reduced.cost_unit, 2);
  EXPECT_EQ(reduced.knapsack.capacity, 2);
}

TEST(ReduceKnapsack, SeesThatLeastCostsExceedTheCapacity) {
  const Knapsack knapsack{.groups = {{{4, 5, 0}}, {{7, 9, 0}}}, .capacity = 10};
  EXPECT_TRUE(ReduceKnapsack(knapsack).infeasible);
  EXPECT_FALSE(ReduceKnapsack({.groups = knapsack.groups, .capacity = 11}).infeasible);
}

TEST(ReduceKnapsack, HandlesCostsNearTheTopOfInt64) {
  constexpr int64_t kHuge = int64_t{1} << 61;
  const Knapsack knapsack{.groups = {{{kHuge, 5, 0}, {2 * kHuge - 1, 1, 1}}, {{0, 9, 0}, {kHuge, 1, 1}}},
                          .capacity = 3 * kHuge - 1};
  const ReducedKnapsack reduced = ReduceKnapsack(knapsack);
  EXPECT_FALSE(reduced.infeasible);
  EXPECT_EQ(reduced.knapsack.capacity, 2 * kHuge - 1);
}

}  // namespace
}  // namespace bitplan::allocation
