#include "search/allocation/exchange_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "search/allocation/incumbent.h"

namespace bitplan::allocation {
namespace {

using ::testing::ElementsAre;

// Two rows, capacity 4 each. Items: value, costs.
//   group 0:  9 (0, 0)   4 (3, 1)
//   group 1:  8 (0, 0)   5 (2, 2)
//   group 2:  7 (0, 0)   6 (1, 1)
Problem ThreeLayers() {
  return {
      .resources = {"r", "s"},
      .layers = {{"", {{9, {0, 0}}, {4, {3, 1}}}}, {"", {{8, {0, 0}}, {5, {2, 2}}}}, {"", {{7, {0, 0}}, {6, {1, 1}}}}},
      .budgets = {{0, 4}, {1, 3}}};
}

struct Fixture {
  Instance instance = [] {
    const Problem problem = ThreeLayers();
    return BuildInstance(problem, TieGroups(problem), {0, 1}, std::nullopt);
  }();
  ValueScale scale = ScaleOfValues(instance);
  MultiKnapsack knapsack = Reduce(instance, scale, AllOptions(instance), {});
};

TEST(ExchangeSearch, RepairsAndImproves) {
  const Fixture fixture;
  ASSERT_EQ(fixture.knapsack.num_items(), 6);
  const ExchangeSearch search(fixture.knapsack, std::vector<double>{0.1, 0.1}, 10);
  std::vector<int> choice = {1, 3, 5};  // costs (6, 4)
  ASSERT_TRUE(search.Repair(choice));
  search.Improve(choice);
  // By hand: 0 and 2 cost (4, 2), worth 4 + 8 + 6 = 18; 1 and 2: (3, 3), 20; 0 alone 19.
  EXPECT_THAT(choice, ElementsAre(1, 2, 5));
}

TEST(ExchangeSearch, ChangesTwoGroupsAtOnce) {
  const Fixture fixture;
  const ExchangeSearch search(fixture.knapsack, std::vector<double>{0.1, 0.1}, 10);
  std::vector<int> choice = {0, 3, 5};  // costs (3, 3), worth 20: no single change is better and fits
  search.Improve(choice);
  EXPECT_THAT(choice, ElementsAre(1, 2, 5));
}

TEST(Incumbent, TakesOnlyWhatKeepsTheRowsAndIsBetter) {
  const Fixture fixture;
  Incumbent incumbent(fixture.instance, fixture.scale);
  EXPECT_FALSE(incumbent.exists());
  EXPECT_FALSE(incumbent.Offer(fixture.knapsack, std::vector<int>{1, 3, 5}));
  EXPECT_TRUE(incumbent.Offer(fixture.knapsack, std::vector<int>{0, 3, 5}));
  EXPECT_FALSE(incumbent.Offer(fixture.knapsack, std::vector<int>{0, 2, 4}));
  EXPECT_TRUE(incumbent.Offer(fixture.knapsack, std::vector<int>{1, 2, 5}));
  EXPECT_THAT(incumbent.option(), ElementsAre(1, 0, 1));
  // Ranges 5, 3, 1 sum to 9: scaled by 16; 18 is 18 - (4 + 5 + 6) = 3 above the least. All values are whole.
  EXPECT_EQ(incumbent.scaled_value(), 3 / 16.0);
  EXPECT_NEAR(incumbent.cutoff(), 2 / 16.0, 1e-11);
}

}  // namespace
}  // namespace bitplan::allocation
