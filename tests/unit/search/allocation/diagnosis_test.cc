#include "search/allocation/diagnosis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "search/allocation/instance.h"
#include "tests/testing/allocation_problems.h"

namespace bitplan::allocation {
namespace {

// Small and slow, or large and fast. Sums (size, time): (2, 17), (8, 10), (10, 9), (16, 2).
Problem SmallOrFast(int64_t size_limit, int64_t time_limit) {
  return {.resources = {"size", "time"},
          .layers = {{"", {{1, {1, 9}}, {2, {9, 1}}}}, {"", {{1, {1, 8}}, {2, {7, 1}}}}},
          .budgets = {{0, size_limit}, {1, time_limit}}};
}

absl::StatusOr<JointDiagnosis> Diagnose(const Problem& problem, const RunContext& context = {}) {
  const auto groups = TieGroups(problem);
  return DiagnoseTogether(problem, groups, BindingBudgets(problem, groups), {}, context);
}

TEST(DiagnoseAlone, ListsTheShortBudgetsOnly) {
  const std::vector<BudgetUsage> usage = {{.resource = "a", .limit = 5, .least_achievable = 5},
                                          {.resource = "b", .limit = 5, .least_achievable = 8}};
  const auto why = DiagnoseAlone(usage);
  ASSERT_TRUE(why.has_value());
  EXPECT_FALSE(why->joint);
  ASSERT_EQ(why->shortages.size(), 1);
  EXPECT_EQ(why->shortages[0].budget, 1);
  EXPECT_EQ(why->shortages[0].least_achievable, 8);
  EXPECT_EQ(why->shortages[0].short_by, 3);
  EXPECT_EQ(DiagnoseAlone(std::span(usage).first(1)), std::nullopt);
}

TEST(DiagnoseTogether, FindsTheLeastOfEachGivenTheOther) {
  const auto joint = Diagnose(SmallOrFast(9, 9));
  ASSERT_TRUE(joint.ok()) << joint.status();
  EXPECT_TRUE(joint->counterexample.empty());
  ASSERT_EQ(joint->why.shortages.size(), 2);
  EXPECT_EQ(joint->why.shortages[0].least_achievable, 10);
  EXPECT_EQ(joint->why.shortages[0].short_by, 1);
  EXPECT_EQ(joint->why.shortages[1].least_achievable, 10);
  EXPECT_EQ(joint->why.shortages[1].short_by, 1);
}

TEST(DiagnoseTogether, RefutesAConflictThatIsNone) {
  const auto joint = Diagnose(SmallOrFast(8, 10));
  ASSERT_TRUE(joint.ok()) << joint.status();
  EXPECT_THAT(joint->counterexample, ::testing::ElementsAre(0, 1));
}

TEST(DiagnoseTogether, LeavesOutWhatTimeDidNotAllow) {
  const Problem problem = ::bitplan::testing::HardProblem(1, 60, 8, 3);
  const auto joint = Diagnose(problem, {.deadline = std::chrono::steady_clock::now()});
  ASSERT_TRUE(joint.ok()) << joint.status();
  ASSERT_EQ(joint->why.shortages.size(), 3);
  for (const BudgetShortage& shortage : joint->why.shortages) {
    EXPECT_FALSE(shortage.least_achievable.has_value());
    EXPECT_FALSE(shortage.others_conflict);
  }
}

}  // namespace
}  // namespace bitplan::allocation
