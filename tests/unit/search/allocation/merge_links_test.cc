#include "search/allocation/merge_links.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "search/allocation/instance.h"
#include "search/allocation/solve.h"

namespace bitplan::allocation {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Three layers of two options, cost 1 and 2 (value 1 and 0): neighbours that differ pay 10.
Problem Chain() {
  Problem problem{.resources = {"size"}};
  for (int i = 0; i < 3; ++i) problem.layers.push_back({"", {{1, {1}}, {0, {2}}}});
  for (int i = 0; i < 2; ++i) {
    problem.pairs.push_back({.layer_a = i, .option_a = 0, .layer_b = i + 1, .option_b = 1, .objective = 10});
    problem.pairs.push_back({.layer_a = i + 1, .option_a = 0, .layer_b = i, .option_b = 1, .objective = 10});
  }
  problem.budgets = {{0, 5}};
  return problem;
}

Instance InstanceOf(const Problem& problem) {
  return BuildInstance(problem, TieGroups(problem), BindingBudgets(problem, TieGroups(problem)), std::nullopt);
}

// Within 5 units all eight choices but (2, 2, 2) remain. (1, 1, 1) costs 3 and is worth 3, (1, 1, 2) costs more and is
// worth 12: only the first is undominated.
TEST(MergeLinks, KeepsUndominatedChoicesOfAChain) {
  const Instance merged = MergeLinks(InstanceOf(Chain()), {});
  EXPECT_THAT(merged.links, IsEmpty());
  ASSERT_EQ(merged.groups.size(), 1);
  EXPECT_THAT(merged.groups[0].layers, ElementsAre(0, 1, 2));
  EXPECT_THAT(merged.groups[0].cost, ElementsAre(3));
  EXPECT_EQ(FromFixedPoint(merged.groups[0].value[0], merged.shift), 3);
  EXPECT_THAT(merged.groups[0].taken, ElementsAre(0, 0, 0));
  Problem loose = Chain();
  loose.budgets[0].limit = 6;
  EXPECT_EQ(Solve(loose, {}, {})->objective, 0);
}

TEST(MergeLinks, KeepsLinksBeyondTheLimits) {
  const Instance instance = InstanceOf(Chain());
  EXPECT_EQ(MergeLinks(instance, {.most_looked_at = 4}).links.size(), 2);
  EXPECT_EQ(MergeLinks(instance, {.most_options = 1}).links.size(), 2);
}

// Classes 4 4 8 of three layers: a class tie of three is a group of two options without layers, linked to each.
TEST(MergeLinks, MergesClassTies) {
  Problem problem{.resources = {"size"}};
  for (int i = 0; i < 3; ++i) problem.layers.push_back({"", {{3, {1}}, {2, {2}}, {0, {4}}}});
  problem.layers.push_back({"", {{5, {1}}, {0, {2}}}});
  problem.class_ties = {{.layers = {0, 1, 2}, .classes = {{4, 4, 8}, {4, 4, 8}, {4, 4, 8}}}};
  problem.budgets = {{0, 10}};
  const Instance instance = InstanceOf(problem);
  ASSERT_EQ(instance.groups.size(), 5);
  EXPECT_THAT(instance.groups[4].layers, IsEmpty());
  EXPECT_EQ(instance.links.size(), 3);
  const Instance merged = MergeLinks(instance, {});
  EXPECT_EQ(merged.groups.size(), 2);
  // 4 bits three times costs 3 to 6 for 9 to 6; 8 bits 12, beyond what the budget leaves. Last layer: 2 for 0.
  const auto solution = Solve(problem, {}, {});
  ASSERT_TRUE(solution.ok()) << solution.status();
  EXPECT_EQ(solution->objective, 6);
  EXPECT_THAT(solution->choice, ElementsAre(1, 1, 1, 1));
  problem.budgets[0].limit = 13;
  EXPECT_THAT(Solve(problem, {}, {})->choice, ElementsAre(2, 2, 2, 0));
}

TEST(MergeLinks, FindsThatNoChoiceIsAllowed) {
  Problem problem = Chain();
  for (int k = 0; k < 2; ++k) {
    for (int l = 0; l < 2; ++l) {
      problem.pairs.push_back({.layer_a = 0, .option_a = k, .layer_b = 2, .option_b = l, .forbidden = true});
    }
  }
  EXPECT_TRUE(MergeLinks(InstanceOf(problem), {}).no_choice);
  for (const char* solver : {"auto", "linked", "cbc"}) {
    const auto solution = Solve(problem, {.solver = solver}, {});
    ASSERT_TRUE(solution.ok()) << solution.status();
    EXPECT_EQ(solution->termination, Termination::kInfeasible);
    ASSERT_TRUE(solution->infeasibility.has_value());
    EXPECT_TRUE(solution->infeasibility->rules_conflict);
    EXPECT_EQ(ExplainInfeasibility(*solution),
              "no choice keeps the ties, the allowed options and the forbidden pairs together");
  }
}

}  // namespace
}  // namespace bitplan::allocation
