#include "search/allocation/instance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bitplan::allocation {
namespace {

using ::testing::ElementsAre;

// Four layers of two options; layers 0 and 2 tied.
Problem FourLayers() {
  return {.resources = {"size", "time"},
          .layers = {{"", {{1, {10, 5}}, {2, {20, 1}}}},
                     {"", {{4, {10, 5}}, {8, {20, 1}}}},
                     {"", {{16, {20, 5}}, {32, {10, 1}}}},
                     {"", {{64, {10, 5}}, {128, {20, 1}}}}},
          .budgets = {{0, 60}, {0, 50}, {1, 20}, {0, 50}},
          .ties = {{2, 0}}};
}

TEST(TieGroups, MergesOverlappingGroupsAndOrdersByFirstLayer) {
  Problem problem = FourLayers();
  EXPECT_THAT(TieGroups(problem), ElementsAre(ElementsAre(0, 2), ElementsAre(1), ElementsAre(3)));
  problem.ties = {{3, 2}, {1}, {2, 0}};
  EXPECT_THAT(TieGroups(problem), ElementsAre(ElementsAre(0, 2, 3), ElementsAre(1)));
}

// Tied, layers 0 and 2 cost 30 either way; the others 10 to 20 each.
TEST(RangesOfResources, RespectTies) {
  const Problem problem = FourLayers();
  const CostRange range = RangesOfResources(problem, TieGroups(problem))[0];
  EXPECT_EQ(range.least, 50);
  EXPECT_EQ(range.most, 70);
}

TEST(BindingBudgets, KeepsTheFirstOfTheTightestThatSomeChoiceBreaks) {
  const Problem problem = FourLayers();  // time: at most 20 in every choice
  EXPECT_THAT(BindingBudgets(problem, TieGroups(problem)), ElementsAre(1));
}

TEST(BuildInstance, AddsUpTiedLayersAndCountsObjectivesExactly) {
  const Problem problem = FourLayers();
  const Instance instance = BuildInstance(problem, TieGroups(problem), {1, 2}, std::nullopt);
  ASSERT_EQ(instance.groups.size(), 3);
  EXPECT_THAT(instance.groups[0].cost, ElementsAre(30, 10, 30, 2));
  EXPECT_EQ(FromFixedPoint(instance.groups[0].value[0], instance.shift), 17);
  EXPECT_EQ(FromFixedPoint(instance.groups[0].value[1], instance.shift), 34);
  EXPECT_THAT(instance.limits, ElementsAre(50, 20));
  EXPECT_EQ(instance.rounding, 0);
}

TEST(BuildInstance, TakesAResourceAsTheObjective) {
  const Problem problem = FourLayers();
  const Instance instance = BuildInstance(problem, TieGroups(problem), {}, 1);
  EXPECT_EQ(FromFixedPoint(instance.groups[0].value[0], instance.shift), 10);
  EXPECT_EQ(FromFixedPoint(instance.groups[2].value[1], instance.shift), 1);
  EXPECT_TRUE(instance.groups[0].cost.empty());
}

TEST(BuildInstance, StatesWhatRoundingMayLose) {
  Problem problem = FourLayers();
  problem.layers[1].options[0].objective = 1e-12;  // within 2^60 of the sum: exact
  EXPECT_EQ(BuildInstance(problem, TieGroups(problem), {}, std::nullopt).rounding, 0);
  problem.layers[1].options[0].objective = 1e-40;
  const double rounding = BuildInstance(problem, TieGroups(problem), {}, std::nullopt).rounding;
  EXPECT_GT(rounding, 0);
  EXPECT_LT(rounding, 1e-30);
}

TEST(BuildInstance, SurvivesObjectivesAtBothEndsOfDouble) {
  Problem problem = FourLayers();
  for (const double scale : {1e306, 1e-306}) {
    Problem scaled = problem;
    for (ProblemLayer& layer : scaled.layers) {
      for (ProblemOption& option : layer.options) option.objective *= scale;
    }
    const Instance instance = BuildInstance(scaled, TieGroups(scaled), {}, std::nullopt);
    EXPECT_EQ(instance.rounding, 0);
    EXPECT_EQ(FromFixedPoint(instance.groups[1].value[1], instance.shift), scaled.layers[1].options[1].objective);
  }
}

}  // namespace
}  // namespace bitplan::allocation
