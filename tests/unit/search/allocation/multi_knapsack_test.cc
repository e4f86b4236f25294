#include "search/allocation/multi_knapsack.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/testing/allocation_problems.h"

namespace bitplan::allocation {
namespace {

using ::testing::ElementsAre;

Instance MakeInstance(const Problem& problem) {
  const auto groups = TieGroups(problem);
  return BuildInstance(problem, groups, BindingBudgets(problem, groups), std::nullopt);
}

// Layer a: option 2 costs more than option 1 everywhere and is worth less; option 3 exceeds the first row with b at its
// cheapest. Layer b: costs (6, 1) and (2, 9). Least costs a (2, 1), b (2, 1): spare (20 - 4, 14 - 2) = (16, 12).
// Differences of row 0: a 0, 4; b 4, 0: unit 4. Row 1: a 2, 0; b 0, 8: unit 2.
Problem TwoLayers() {
  return {.resources = {"size", "time"},
          .layers = {{"a", {{5, {2, 3}}, {3, {6, 1}}, {4, {7, 2}}, {0, {30, 1}}}}, {"b", {{1, {6, 1}}, {2, {2, 9}}}}},
          .budgets = {{0, 11}, {1, 11}}};
}

TEST(MultiKnapsack, DropsWhatCannotMatter) {
  const Instance instance = MakeInstance(TwoLayers());
  const ValueScale scale = ScaleOfValues(instance);
  // Spare (11 - 4, 11 - 2) = (7, 9): both rows can be broken by what is left (4 + 4 > 7; 2 + 8 > 9).
  const MultiKnapsack knapsack = Reduce(instance, scale, AllOptions(instance), {});
  ASSERT_FALSE(knapsack.infeasible);
  EXPECT_THAT(knapsack.option, ElementsAre(0, 1, 0, 1));
  EXPECT_THAT(knapsack.first, ElementsAre(0, 2, 4));
  EXPECT_THAT(knapsack.cost, ElementsAre(0, 1, 1, 0, 1, 0, 0, 4));
  EXPECT_THAT(knapsack.capacity, ElementsAre(7 / 4, 9 / 2));
  EXPECT_THAT(knapsack.row_divisor, ElementsAre(4, 2));
  // Ranges 5 and 1: a unit of 8 makes their sum 0.75. Values above the least of the group.
  EXPECT_THAT(knapsack.value, ElementsAre(5 / 8.0, 3 / 8.0, 0, 1 / 8.0));
}

TEST(MultiKnapsack, DropsRowsThatNothingBreaks) {
  Problem problem = TwoLayers();
  problem.budgets = {{0, 12}, {1, 11}};  // spare (8, 9): enough for 4 + 4, not for a's option 3
  const Instance instance = MakeInstance(problem);
  const MultiKnapsack knapsack = Reduce(instance, ScaleOfValues(instance), AllOptions(instance), {});
  // Row 0 binds nothing then. In row 1 alone option 1 of a covers option 0, and option 0 of b option 1: one choice.
  EXPECT_EQ(knapsack.num_groups(), 0);
  EXPECT_THAT(knapsack.fixed_option, ElementsAre(1, 0));
  EXPECT_EQ(knapsack.fixed_value, 3 / 8.0);
}

TEST(MultiKnapsack, SaysWhenTheCheapestOptionsDoNotFit) {
  Problem problem = TwoLayers();
  problem.budgets = {{0, 3}, {1, 11}};
  const Instance instance = MakeInstance(problem);
  EXPECT_TRUE(Reduce(instance, ScaleOfValues(instance), AllOptions(instance), {}).infeasible);
}

TEST(MultiKnapsack, KeepsTheCommonStepOfWholeObjectives) {
  const Instance instance = MakeInstance(TwoLayers());
  EXPECT_EQ(ScaleOfValues(instance).step, 1 / 8.0);
  EXPECT_LT(ScaleOfValues(instance).tolerance, 1e-11);
}

TEST(MultiKnapsack, ReducesAgainWhatIsKept) {
  const Instance instance = MakeInstance(TwoLayers());
  const ValueScale scale = ScaleOfValues(instance);
  const MultiKnapsack knapsack = Reduce(instance, scale, AllOptions(instance), {});
  const OpenOptions open = OptionsKept(knapsack, {true, false, true, true});
  EXPECT_THAT(open, ElementsAre(ElementsAre(0), ElementsAre(0, 1)));
  const MultiKnapsack again = Reduce(instance, scale, open, {});
  EXPECT_THAT(again.fixed_option, ElementsAre(0, 0));  // with a at 0 both of b fit, and 0 is worth more
}

}  // namespace
}  // namespace bitplan::allocation
