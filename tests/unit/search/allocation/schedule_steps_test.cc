#include "search/allocation/schedule_steps.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "search/allocation/solve.h"

namespace bitplan::allocation {
namespace {

using ::testing::ElementsAre;

// Six layers that want 4 units and lose 1 with 2; at each step two neighbours are live, with 6 units or fewer.
Problem Schedule() {
  Problem problem{.resources = {"memory"}};
  for (int i = 0; i < 6; ++i) problem.layers.push_back({"", {{1, {2}}, {0, {4}}}});
  for (int i = 0; i < 5; ++i) {
    problem.steps.push_back({.name = "", .layers = {i, i + 1}, .amounts = {{2, 4}, {2, 4}}, .limit = i == 4 ? 8 : 6});
  }
  return problem;
}

TEST(BrokenSteps, TakesTheWorstOfThoseThatAreNotKnown) {
  Problem problem = Schedule();
  const std::vector<int> all(6, 1);
  EXPECT_THAT(BrokenSteps(problem, all, {}), ElementsAre(0, 1, 2, 3));
  problem.steps[4].limit = 3;  // 8 of 3 is worse than 8 of 6
  EXPECT_THAT(BrokenSteps(problem, all, {}), ElementsAre(0, 1, 2, 4));
  EXPECT_THAT(BrokenSteps(problem, all, std::vector<int>{0, 2}), ElementsAre(1, 3, 4));
}

// No two of the first five neighbours may have 4 units: 2 of them go down at least (1 and 3), the sixth does not.
TEST(SolveWithSteps, KeepsEveryStepOfTheSchedule) {
  for (const char* solver : {"auto", "several_budgets", "linked", "cbc"}) {
    const auto solution = Solve(Schedule(), {.solver = solver}, {});
    ASSERT_TRUE(solution.ok()) << solution.status();
    EXPECT_EQ(solution->termination, Termination::kOptimal);
    EXPECT_EQ(solution->objective, 2);
    ASSERT_EQ(solution->steps.size(), 5);
    EXPECT_EQ(solution->steps[0].used, 6);
    EXPECT_EQ(solution->steps[0].slack, 0);
  }
}

TEST(SolveWithSteps, SaysWhichStepIsShort) {
  Problem problem = Schedule();
  problem.steps[2].limit = 3;
  const auto solution = Solve(problem, {}, {});
  ASSERT_TRUE(solution.ok()) << solution.status();
  EXPECT_EQ(solution->termination, Termination::kInfeasible);
  EXPECT_THAT(ExplainInfeasibility(*solution),
              ::testing::HasSubstr("step 2: its limit is short by 1; the least achievable with the rest kept is 4"));
}

}  // namespace
}  // namespace bitplan::allocation
