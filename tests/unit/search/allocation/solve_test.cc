#include "search/allocation/solve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <stop_token>

#include "search/allocation/solver_table.h"
#include "search/base/status.h"
#include "tests/testing/allocation_problems.h"
#include "tests/testing/brute_force_allocation.h"

namespace bitplan::allocation {
namespace {

using ::bitplan::testing::CorrelatedProblem;
using ::bitplan::testing::KeepsEverything;
using ::testing::ElementsAre;

// Three layers, bits 2, 4, 8 of cost 2, 4, 8 times the weights. Within 22 the best is 4, 4, 2 bits: cost 8 + 12 + 2 =
// 22, objective 3 + 2 + 4 = 9. (By hand: 8 bits for layer 2 instead cost 8 + 6 + 8 = 22 with objective 3 + 8 + 0 = 11.)
Problem ThreeLayers() {
  return {.resources = {"size"},
          .layers = {{"a", {{10, {4}}, {3, {8}}, {1, {16}}}},
                     {"b", {{8, {6}}, {2, {12}}, {1, {24}}}},
                     {"c", {{4, {2}}, {3.5, {4}}, {0, {8}}}}},
          .budgets = {{0, 22}}};
}

Solution SolveOrFail(const Problem& problem, const SolverOptions& options = {}, const RunContext& context = {}) {
  auto solution = Solve(problem, options, context);
  EXPECT_TRUE(solution.ok()) << solution.status();
  return solution.ok() ? *std::move(solution) : Solution{};
}

// Each test below runs for every solver that takes the problem.
class SolveWith : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(EverySolver, SolveWith, ::testing::ValuesIn([] {
                           std::vector<std::string> names;
                           for (const SolverEntry& entry : Solvers()) names.emplace_back(entry.name);
                           return names;
                         }()),
                         [](const auto& info) { return info.param; });

TEST_P(SolveWith, SolvesAHandExample) {
  const Solution solution = SolveOrFail(ThreeLayers(), {.solver = GetParam()});
  EXPECT_EQ(solution.termination, Termination::kOptimal);
  EXPECT_THAT(solution.choice, ElementsAre(1, 1, 0));
  EXPECT_EQ(solution.objective, 9);
  EXPECT_EQ(solution.bound, 9);
  EXPECT_EQ(solution.gap, 0);
  EXPECT_LT(solution.optimality_tolerance, 1e-8);
  EXPECT_EQ(solution.solver, GetParam());
  ASSERT_EQ(solution.budgets.size(), 1);
  EXPECT_EQ(solution.budgets[0].resource, "size");
  EXPECT_EQ(solution.budgets[0].limit, 22);
  EXPECT_EQ(solution.budgets[0].used, 22);
  EXPECT_EQ(solution.budgets[0].slack, 0);
  EXPECT_EQ(solution.budgets[0].least_achievable, 12);
}

TEST_P(SolveWith, HonoursTies) {
  Problem problem = ThreeLayers();
  problem.ties = {{2, 0}};
  // a and c together: 14 @ 6, 6.5 @ 12, 1 @ 24. With b: (6.5, 12) + (8, 6) = 14.5 @ 18; (14, 6) + (2, 12) = 16 @ 18.
  const Solution solution = SolveOrFail(problem, {.solver = GetParam()});
  EXPECT_THAT(solution.choice, ElementsAre(1, 0, 1));
  EXPECT_EQ(solution.objective, 14.5);
  EXPECT_EQ(solution.budgets[0].slack, 4);
}

TEST_P(SolveWith, TakesTheBestOptionsWithoutABudget) {
  Problem problem = ThreeLayers();
  problem.budgets.clear();
  const Solution solution = SolveOrFail(problem, {.solver = GetParam()});
  EXPECT_EQ(solution.termination, Termination::kOptimal);
  EXPECT_THAT(solution.choice, ElementsAre(2, 2, 2));
  EXPECT_TRUE(solution.budgets.empty());
}

TEST_P(SolveWith, AcceptsAnExactFitAndRefusesOneLess) {
  Problem problem = ThreeLayers();
  problem.budgets[0].limit = 12;
  EXPECT_THAT(SolveOrFail(problem, {.solver = GetParam()}).choice, ElementsAre(0, 0, 0));
  problem.budgets[0].limit = 11;
  const Solution solution = SolveOrFail(problem, {.solver = GetParam()});
  EXPECT_EQ(solution.termination, Termination::kInfeasible);
  EXPECT_TRUE(solution.choice.empty());
  ASSERT_TRUE(solution.infeasibility.has_value());
  EXPECT_FALSE(solution.infeasibility->joint);
  ASSERT_EQ(solution.infeasibility->shortages.size(), 1);
  EXPECT_EQ(solution.infeasibility->shortages[0].least_achievable, 12);
  EXPECT_EQ(solution.infeasibility->shortages[0].short_by, 1);
  EXPECT_EQ(ExplainInfeasibility(solution), "size: limit 11 is short by 1; the least achievable is 12");
}

TEST_P(SolveWith, TellsLayersApartWhoseScoresAreFifteenOrdersSmaller) {
  Problem problem{
      .resources = {"size"},
      .layers = {{"", {{1e3, {1}}, {1, {2}}}}, {"", {{3e-12, {1}}, {1e-12, {2}}}}, {"", {{2e-12, {1}}, {0, {2}}}}},
      .budgets = {{0, 5}}};
  // Two of three upgrades fit: the big one and one of the small ones. By 1e-12 the objective differs between 1e-12 +
  // 2e-12 and 3e-12 + 0: equal gains of 2e-12. A little more for layer 2 decides.
  problem.layers[2].options[0].objective = 2.001e-12;
  if (GetParam() == "one_budget") {  // beyond what floating point can promise
    EXPECT_THAT(SolveOrFail(problem, {.solver = GetParam()}).choice, ElementsAre(1, 0, 1));
  } else {
    const Solution solution = SolveOrFail(problem, {.solver = GetParam()});
    EXPECT_EQ(solution.choice[0], 1);
    EXPECT_GT(solution.optimality_tolerance, 1e-12);  // and it says so
  }
}

TEST_P(SolveWith, TakesNegativeScores) {
  Problem problem = ThreeLayers();
  for (ProblemLayer& layer : problem.layers) {
    for (ProblemOption& option : layer.options) option.objective -= 20;
  }
  const Solution solution = SolveOrFail(problem, {.solver = GetParam()});
  EXPECT_THAT(solution.choice, ElementsAre(1, 1, 0));
  EXPECT_EQ(solution.objective, 9 - 60);
  EXPECT_EQ(solution.gap, 0);
}

TEST_P(SolveWith, KeepsABudgetThatFloatingPointCannotSee) {
  // 2^60 + 1 and 2^60 are the same double; only integers see that the second option of both layers is one too many.
  constexpr int64_t kHuge = int64_t{1} << 60;
  const Problem problem{.resources = {"bops"},
                        .layers = {{"", {{5, {kHuge}}, {1, {kHuge + 3}}}}, {"", {{6, {kHuge + 2}}, {1, {kHuge + 9}}}}},
                        .budgets = {{0, 2 * kHuge + 11}}};
  // Extra costs 0 or 3 and 2 or 9: 12 is one more than 11 allows, so only one layer is upgraded, the one that gains 5.
  const Solution solution = SolveOrFail(problem, {.solver = GetParam()});
  EXPECT_EQ(solution.termination, Termination::kOptimal);
  EXPECT_THAT(solution.choice, ElementsAre(0, 1));
  EXPECT_EQ(solution.budgets[0].slack, 2);
}

TEST_P(SolveWith, OneLayerOneOption) {
  const Problem problem{.resources = {"size"}, .layers = {{"", {{7, {3}}}}}, .budgets = {{0, 3}}};
  const Solution solution = SolveOrFail(problem, {.solver = GetParam()});
  EXPECT_EQ(solution.termination, Termination::kOptimal);
  EXPECT_EQ(solution.objective, 7);
}

TEST_P(SolveWith, AllObjectivesZero) {
  Problem problem = ThreeLayers();
  for (ProblemLayer& layer : problem.layers) {
    for (ProblemOption& option : layer.options) option.objective = 0;
  }
  const Solution solution = SolveOrFail(problem, {.solver = GetParam()});
  EXPECT_EQ(solution.termination, Termination::kOptimal);
  EXPECT_THAT(solution.choice, ElementsAre(0, 0, 0));  // equal in the objective, so the cheapest
  EXPECT_EQ(solution.gap, 0);
}

TEST_P(SolveWith, AStopRequestBeforeTheStartGivesNoChoice) {
  std::stop_source source;
  source.request_stop();
  const Solution solution = SolveOrFail(ThreeLayers(), {.solver = GetParam()}, {.stop = source.get_token()});
  EXPECT_EQ(solution.termination, Termination::kCancelled);
  EXPECT_TRUE(solution.choice.empty());
  EXPECT_EQ(solution.gap, std::numeric_limits<double>::infinity());
  EXPECT_LE(solution.bound, 9);
}

// The deadline has passed: whatever comes back keeps the budget and is not called optimal.
TEST_P(SolveWith, NeverCallsASearchCutShortOptimal) {
  const Problem problem = CorrelatedProblem(3, 200, 8, 1000, 1e-3);
  const Solution solution =
      SolveOrFail(problem, {.solver = GetParam()}, {.deadline = std::chrono::steady_clock::now()});
  EXPECT_EQ(solution.termination, Termination::kTimeLimit);
  if (!solution.choice.empty()) {
    EXPECT_TRUE(KeepsEverything(problem, solution.choice));
    EXPECT_LT(solution.bound, solution.objective);
    EXPECT_GT(solution.gap, 0);
  }
}

TEST_P(SolveWith, StopsAtTheGapAskedFor) {
  const Problem problem = CorrelatedProblem(3, 60, 8, 1000, 1e-3);
  const Solution best = SolveOrFail(problem, {.solver = "one_budget"});
  const Solution solution = SolveOrFail(problem, {.solver = GetParam(), .relative_gap = 0.01});
  EXPECT_EQ(solution.termination, Termination::kFeasible);
  EXPECT_LE(solution.gap, 0.01);
  EXPECT_LE(solution.bound, best.objective);
  EXPECT_GE(solution.objective, best.objective);
}

TEST_P(SolveWith, StopsAtTheNodeLimit) {
  const Problem problem = CorrelatedProblem(3, 200, 8, 1000, 1e-3);
  const Solution best = SolveOrFail(problem, {.solver = "one_budget"});
  const Solution solution = SolveOrFail(problem, {.solver = GetParam(), .node_limit = 5});
  EXPECT_EQ(solution.termination, Termination::kFeasible);
  EXPECT_GT(solution.gap, 0);
  EXPECT_LE(solution.bound, best.objective);
  EXPECT_GE(solution.objective, best.objective);
  EXPECT_EQ(SolveOrFail(problem, {.solver = GetParam(), .node_limit = 5}).choice, solution.choice);
}

TEST(Solve, PicksTheSolverByTheBudgetsThatCanBind) {
  Problem problem = ThreeLayers();
  problem.resources.push_back("time");
  for (ProblemLayer& layer : problem.layers) {
    for (ProblemOption& option : layer.options) option.cost.push_back(1);
  }
  problem.budgets.push_back({1, 3});  // every choice takes 3
  problem.budgets.push_back({0, 23});
  Solution solution = SolveOrFail(problem);
  EXPECT_EQ(solution.solver, "one_budget");
  EXPECT_THAT(solution.choice, ElementsAre(1, 1, 0));
  EXPECT_EQ(solution.budgets[1].slack, 0);
  EXPECT_FALSE(solution.budgets[1].multiplier.has_value());
  EXPECT_EQ(solution.budgets[2].slack, 1);
  problem.layers[0].options[0].cost[1] = 2;  // now a choice can take 4
  solution = SolveOrFail(problem);
  EXPECT_EQ(solution.solver, "several_budgets");
  EXPECT_THAT(solution.choice, ElementsAre(1, 1, 0));
}

TEST(Solve, ReportsThePriceOfTheBudget) {
  // Hull steps: b 6 @ 6, c 4 @ 6, a 7 @ 4, ...; of 10 spare units a and b take all, so the price is theirs: b's, 6 / 6.
  const Solution solution = SolveOrFail(ThreeLayers());
  ASSERT_TRUE(solution.budgets[0].multiplier.has_value());
  EXPECT_NEAR(*solution.budgets[0].multiplier, 4.0 / 6, 1e-12);
}

TEST(Solve, ExplainsJointInfeasibility) {
  // Option 0 is small and slow, option 1 large and fast. size 2 x 1 and time 2 x 1 can be had, but not together.
  const Problem problem{.resources = {"size", "time"},
                        .layers = {{"", {{1, {1, 9}}, {2, {9, 1}}}}, {"", {{1, {1, 8}}, {2, {7, 1}}}}},
                        .budgets = {{0, 7}, {1, 8}}};
  // Sums (size, time): (2, 17), (8, 10), (10, 9), (16, 2).
  const Solution solution = SolveOrFail(problem);
  EXPECT_EQ(solution.termination, Termination::kInfeasible);
  ASSERT_TRUE(solution.infeasibility.has_value());
  EXPECT_TRUE(solution.infeasibility->joint);
  ASSERT_EQ(solution.infeasibility->shortages.size(), 2);
  EXPECT_EQ(solution.infeasibility->shortages[0].least_achievable, 16);
  EXPECT_EQ(solution.infeasibility->shortages[0].short_by, 9);
  EXPECT_EQ(solution.infeasibility->shortages[1].least_achievable, 17);
  EXPECT_EQ(solution.infeasibility->shortages[1].short_by, 9);
  EXPECT_EQ(solution.budgets[0].least_achievable, 2);
}

TEST(Solve, SaysWhichBudgetIsNotPartOfTheConflict) {
  const Problem problem{.resources = {"size", "time", "energy"},
                        .layers = {{"", {{1, {1, 9, 1}}, {2, {9, 1, 2}}}}, {"", {{1, {1, 8, 1}}, {2, {7, 1, 2}}}}},
                        .budgets = {{0, 7}, {1, 8}, {2, 3}}};
  const Solution solution = SolveOrFail(problem);
  ASSERT_TRUE(solution.infeasibility.has_value());
  ASSERT_EQ(solution.infeasibility->shortages.size(), 3);
  EXPECT_TRUE(solution.infeasibility->shortages[2].others_conflict);
  EXPECT_FALSE(solution.infeasibility->shortages[2].least_achievable.has_value());
}

TEST(Solve, RefusesBadArguments) {
  EXPECT_EQ(Solve({}, {}, {}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Solve(ThreeLayers(), {.relative_gap = 2}, {}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Solve(ThreeLayers(), {.solver = "gurobi"}, {}).status().code(), absl::StatusCode::kNotFound);
}

TEST(Solve, RefusesMoreBudgetsThanTheNamedSolverTakes) {
  const Problem problem = ::bitplan::testing::NetworkLikeProblem(1, 5, 3, 2, 0.5);
  const absl::Status status = Solve(problem, {.solver = "one_budget"}, {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(
      MessageOf(status),
      "solver: 'one_budget' takes at most 1 budgets, the problem has 2 that can bind; 'several_budgets' and 'cbc' "
      "take any number");
}

}  // namespace
}  // namespace bitplan::allocation
