#include "search/allocation/solution.h"

#include <gtest/gtest.h>

namespace bitplan::allocation {
namespace {

TEST(TerminationName, IsReadBackForEveryValue) {
  for (const auto termination : {Termination::kOptimal, Termination::kFeasible, Termination::kInfeasible,
                                 Termination::kTimeLimit, Termination::kCancelled}) {
    EXPECT_EQ(ParseTermination(TerminationName(termination)), termination);
  }
  EXPECT_EQ(TerminationName(Termination::kTimeLimit), "time_limit");
  EXPECT_EQ(ParseTermination("OPTIMAL"), std::nullopt);
}

TEST(RelativeGap, IsRelativeToTheLargerMagnitude) {
  EXPECT_EQ(RelativeGap(10, 8), 0.2);
  EXPECT_EQ(RelativeGap(-8, -10), 0.2);
  EXPECT_EQ(RelativeGap(1, -1), 2);
  EXPECT_EQ(RelativeGap(0, 0), 0);
  EXPECT_EQ(RelativeGap(5, 6), 0);
}

TEST(ExplainInfeasibility, NamesEachShortBudget) {
  Solution solution{.termination = Termination::kInfeasible};
  solution.budgets = {
      {.resource = "size", .limit = 10}, {.resource = "bops", .limit = 7}, {.resource = "energy", .limit = 3}};
  EXPECT_EQ(ExplainInfeasibility(solution), "");
  solution.infeasibility = Infeasibility{.shortages = {{.budget = 0, .least_achievable = 12, .short_by = 2}}};
  EXPECT_EQ(ExplainInfeasibility(solution), "size: limit 10 is short by 2; the least achievable is 12");
  solution.infeasibility = Infeasibility{
      .joint = true,
      .shortages = {
          {.budget = 1, .least_achievable = 9, .short_by = 2}, {.budget = 0}, {.budget = 2, .others_conflict = true}}};
  EXPECT_EQ(ExplainInfeasibility(solution),
            "each budget can be kept alone, but not all together: "
            "bops: limit 7 is short by 2; the least achievable with the other budgets kept is 9; "
            "size: limit 10; the least achievable with the other budgets kept was not worked out; "
            "energy: the other budgets cannot be kept together even without it");
}

}  // namespace
}  // namespace bitplan::allocation
