#include "search/allocation/group_shapes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "search/base/rng.h"

namespace bitplan::allocation {
namespace {

using ::testing::ElementsAre;

// 40 layers of two shapes: sizes repeat, times are all different.
Instance Repeating() {
  Rng rng(1, 1);
  Problem problem{.resources = {"size", "time"}};
  for (int i = 0; i < 40; ++i) {
    ProblemLayer& layer = problem.layers.emplace_back();
    for (int k = 0; k < 3; ++k) {
      const auto time = static_cast<int64_t>(rng.NextBelow(1000)) + 1000 * (2 - k);
      layer.options.push_back({rng.NextUniform() + 2 - k, {(i % 4 == 0 ? 10 : 7) * (k + 1), time}});
    }
  }
  problem.budgets = {{0, 600}, {1, 60'000}};
  return BuildInstance(problem, TieGroups(problem), {0, 1}, std::nullopt);
}

TEST(GroupShapes, FindsRegularRowsAndShapes) {
  const Instance instance = Repeating();
  const MultiKnapsack knapsack = Reduce(instance, ScaleOfValues(instance), AllOptions(instance), {});
  ASSERT_EQ(knapsack.num_rows, 2);
  const GroupShapes shapes = FindShapes(instance, knapsack, 8);
  EXPECT_THAT(shapes.regular, ElementsAre(true, false));
  EXPECT_THAT(shapes.num_groups, ElementsAre(30, 10));
  EXPECT_EQ(FindShapes(instance, knapsack, 11).num_shapes(), 1);
  const CountRow at_most_7{.shape = 0, .row = 0, .threshold = 7};
  const CountRow above_7{.shape = 0, .row = 0, .threshold = 7, .dearer = true};
  int cheap = 0;
  for (int i = 0; i < knapsack.num_items(); ++i) {
    const bool of_shape = shapes.shape[knapsack.group_of[i]] == 0;
    EXPECT_EQ(at_most_7.Counts(shapes, knapsack, i) || above_7.Counts(shapes, knapsack, i), of_shape);
    cheap += at_most_7.Counts(shapes, knapsack, i) ? 1 : 0;
  }
  EXPECT_EQ(cheap, 30);  // option 0 of each of the 30
}

}  // namespace
}  // namespace bitplan::allocation
