#include "search/allocation/knapsack_bound.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "search/base/rng.h"

namespace bitplan::allocation {
namespace {

using ::testing::ElementsAre;

// Hull steps: group 0 has (cost 2, gain 80), slope 40, then (2, 20), slope 10; item 2 of cost 3 lies above the hull.
// Group 1 has (4, 100), slope 25. Capacity 5 takes the first step whole and three quarters of the second.
Knapsack TwoGroups() {
  return {.groups = {{{0, 100, 0}, {2, 20, 1}, {3, 15, 2}, {4, 0, 3}}, {{0, 100, 0}, {4, 0, 1}}}, .capacity = 5};
}

TEST(Relax, FindsTheSlopeOfTheBreakStep) {
  const Relaxation relaxation = Relax(TwoGroups());
  EXPECT_EQ(relaxation.multiplier, 25);
  EXPECT_THAT(relaxation.base, ElementsAre(1, 0));
  EXPECT_EQ(relaxation.cost, 2);
  EXPECT_EQ(relaxation.value, 120);
  EXPECT_EQ(BoundAboveBase(TwoGroups(), relaxation), -75);  // 120 - 75 = 45, the value of the relaxation
}

TEST(Relax, TakesTheBestItemsWhenEverythingFits) {
  Knapsack knapsack = TwoGroups();
  knapsack.capacity = 8;
  const Relaxation relaxation = Relax(knapsack);
  EXPECT_EQ(relaxation.multiplier, 0);
  EXPECT_THAT(relaxation.base, ElementsAre(3, 1));
  EXPECT_EQ(BoundAboveBase(knapsack, relaxation), 0);
}

TEST(Relax, MovesToEquallyGoodDearerItemsWhileTheyFit) {
  const Knapsack knapsack{.groups = {{{0, 10, 0}, {3, 7, 1}}, {{0, 10, 0}, {4, 6, 1}}, {{0, 10, 0}, {5, 5, 1}}},
                          .capacity = 9};
  const Relaxation relaxation = Relax(knapsack);
  EXPECT_EQ(relaxation.multiplier, 1);
  EXPECT_EQ(relaxation.cost, 7);
  EXPECT_EQ(BoundAboveBase(knapsack, relaxation), -2);
}

TEST(GreedyChoice, IsFeasibleAndUsesTheExchange) {
  // Base (1, 0) costs 2; the slack of 3 buys nothing but item 3 of group 0. Taking group 1's step and giving up group
  // 0's is worse: 100 + 0 against 0 + 100.
  const Knapsack knapsack = TwoGroups();
  EXPECT_THAT(GreedyChoice(knapsack, Relax(knapsack)), ElementsAre(3, 0));
}

// L(u) of random knapsacks at the multiplier found is no less than at multipliers around it: it is the maximum.
TEST(Relax, MultiplierMaximisesTheLagrangianBound) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    Rng rng(seed, 0);
    Knapsack knapsack;
    int64_t most = 0;
    for (int g = 0; g < 12; ++g) {
      std::vector<KnapsackItem>& items = knapsack.groups.emplace_back();
      KnapsackItem item{0, 1'000'000'000, 0};
      for (int k = 0; k < 5; ++k, ++item.option) {
        items.push_back(item);
        item.cost += 1 + static_cast<int64_t>(rng.NextBelow(50));
        item.value -= 1 + static_cast<int64_t>(rng.NextBelow(100'000'000));
      }
      most += items.back().cost;
    }
    knapsack.capacity = static_cast<int64_t>(rng.NextBelow(static_cast<uint64_t>(most)));
    const auto bound_at = [&](Int128 u) {
      Int128 sum = -u * knapsack.capacity;
      for (const auto& items : knapsack.groups) {
        Int128 least = items[0].value;
        for (const KnapsackItem& item : items) least = std::min<Int128>(least, item.value + u * item.cost);
        sum += least;
      }
      return sum;
    };
    const Relaxation relaxation = Relax(knapsack);
    EXPECT_LE(relaxation.cost, knapsack.capacity);
    const Int128 bound = relaxation.value + BoundAboveBase(knapsack, relaxation);
    EXPECT_TRUE(bound == bound_at(relaxation.multiplier)) << seed;
    for (const int64_t off : {1'000, 100'000, 10'000'000}) {
      EXPECT_TRUE(bound >= bound_at(relaxation.multiplier + off)) << seed;
      if (relaxation.multiplier > off) {
        EXPECT_TRUE(bound >= bound_at(relaxation.multiplier - off)) << seed;
      }
    }
  }
}

}  // namespace
}  // namespace bitplan::allocation
