#include "search/allocation/audit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "search/base/status.h"

namespace bitplan::allocation {
namespace {

Problem TwoTiedLayers() {
  return {.resources = {"size"},
          .layers = {{"", {{0.5, {10}}, {0.25, {20}}}}, {"", {{2, {10}}, {1, {20}}}}},
          .budgets = {{0, 30}},
          .ties = {{0, 1}}};
}

Solution WithChoice(const Problem& problem, std::vector<int> choice) {
  Solution solution{.choice = std::move(choice), .solver = "test"};
  for (const ProblemBudget& budget : problem.budgets) {
    solution.budgets.push_back({.resource = problem.resources[budget.resource], .limit = budget.limit});
  }
  return solution;
}

void ExpectInternal(std::vector<int> choice, const std::string& message) {
  const Problem problem = TwoTiedLayers();
  Solution solution = WithChoice(problem, std::move(choice));
  const absl::Status status = Audit(problem, solution);
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(MessageOf(status), message);
}

TEST(Audit, AddsEverythingUp) {
  const Problem problem = TwoTiedLayers();
  Solution solution = WithChoice(problem, {0, 0});
  ASSERT_TRUE(Audit(problem, solution).ok());
  EXPECT_EQ(solution.objective, 2.5);
  EXPECT_EQ(solution.budgets[0].used, 20);
  EXPECT_EQ(solution.budgets[0].slack, 10);
}

TEST(Audit, WithholdsAChoiceThatBreaksABudget) {
  ExpectInternal({1, 1}, "audit: solver 'test' uses 40 of 'size', limit 30");
}

TEST(Audit, WithholdsAChoiceThatBreaksATie) {
  ExpectInternal({0, 1}, "audit: ties[0]: layer 0 takes option 0, layer 1 takes 1");
}

TEST(Audit, WithholdsAChoiceOfTheWrongShape) {
  ExpectInternal({0}, "audit: choice has 1 entries, want one for each of the 2 layers");
  ExpectInternal({0, 2}, "audit: choice[1] is 2, want 0..1");
  ExpectInternal({-1, 0}, "audit: choice[0] is -1, want 0..1");
}

TEST(AddUp, ChecksForOverflow) {
  Problem problem = TwoTiedLayers();
  problem.layers[0].options[0].cost[0] = INT64_MAX;
  const std::vector<int> choice = {0, 0};
  EXPECT_EQ(MessageOf(AddUp(problem, choice).status()), "audit: the sum of 'size' overflows at layer 1");
}

}  // namespace
}  // namespace bitplan::allocation
