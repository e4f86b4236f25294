// Problems far too large for brute force: the exact solver against Bellman's recursion where costs are small, against
// CBC where they are like a network's, and, with several budgets, CBC against the exact solver's relaxations.
#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "search/allocation/solve.h"
#include "tests/testing/allocation_problems.h"
#include "tests/testing/brute_force_allocation.h"

namespace bitplan {
namespace {

using ::bitplan::testing::CorrelatedProblem;
using ::bitplan::testing::KeepsEverything;
using ::bitplan::testing::NetworkLikeProblem;
using ::bitplan::testing::RandomProblem;
using ::bitplan::testing::SolveByBellman;
using ::bitplan::testing::StepOn;

Solution SolveWith(const Problem& problem, const std::string& solver) {
  auto solution = allocation::Solve(problem, {.solver = solver}, {});
  EXPECT_TRUE(solution.ok()) << solution.status();
  if (!solution.ok()) return {};
  if (solution->termination == Termination::kOptimal) {
    EXPECT_TRUE(KeepsEverything(problem, solution->choice));
  }
  return *std::move(solution);
}

// Whole objectives and costs: the optimum must be the very same double.
TEST(MediumAllocation, OneBudgetSolverEqualsBellman) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    const int num_layers = 5 + static_cast<int>(seed % 40);
    Problem problem = CorrelatedProblem(seed, num_layers, 2 + static_cast<int>(seed % 6), 5 + seed % 60, 0);
    const int64_t middle = problem.budgets[0].limit;
    for (const int64_t limit : {middle / 2, middle - 1, middle, middle + middle / 2}) {
      problem.budgets[0].limit = limit;
      const std::optional<double> want = SolveByBellman(problem);
      const Solution got = SolveWith(problem, "one_budget");
      ASSERT_EQ(got.termination, want.has_value() ? Termination::kOptimal : Termination::kInfeasible);
      if (want.has_value()) {
        ASSERT_EQ(got.objective, *want) << "limit " << limit;
      }
    }
  }
}

// Noise takes the common unit of the objectives away; rounded to 2^-10 they still add up exactly in double.
TEST(MediumAllocation, OneBudgetSolverEqualsBellmanWithoutACommonUnit) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    Problem problem = CorrelatedProblem(seed, 40, 6, 50, 3);
    for (ProblemLayer& layer : problem.layers) {
      for (ProblemOption& option : layer.options) option.objective = std::round(option.objective * 1024);
    }
    const Solution got = SolveWith(problem, "one_budget");
    ASSERT_EQ(got.termination, Termination::kOptimal);
    ASSERT_EQ(got.objective, SolveByBellman(problem));
  }
}

void ExpectAgreement(const Problem& problem) {
  const Solution exact = SolveWith(problem, "one_budget");
  const Solution cbc = SolveWith(problem, "cbc");
  ASSERT_EQ(exact.termination, Termination::kOptimal);
  ASSERT_EQ(cbc.termination, Termination::kOptimal);
  EXPECT_LE(exact.objective, cbc.objective * (1 + 1e-15));  // the same choice, or a better one
  EXPECT_LE(cbc.objective, exact.objective + cbc.optimality_tolerance);
  EXPECT_LE(cbc.bound, exact.objective + cbc.optimality_tolerance);
}

TEST(MediumAllocation, OneBudgetSolverAgreesWithCbcOnNetworks) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    const int num_options = std::array{2, 3, 6, 12}[seed % 4];
    ExpectAgreement(NetworkLikeProblem(seed, 20 + 2 * static_cast<int>(seed), num_options, 1, 0.1 + 0.02 * seed));
  }
}

// Code that small problems never reach (fixing, long lists) needs a large cross-check. CBC does not finish these in a
// few seconds, so it stops after some nodes; then its bound and its choice must enclose the optimum.
TEST(MediumAllocation, CbcEnclosesTheOptimumOfLargeNetworks) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE(seed);
    const Problem problem = NetworkLikeProblem(seed, 600, 6, 1, 0.3);
    const Solution exact = SolveWith(problem, "one_budget");
    ASSERT_EQ(exact.termination, Termination::kOptimal);
    const auto cbc = allocation::Solve(problem, {.solver = "cbc", .node_limit = 20}, {});
    ASSERT_TRUE(cbc.ok()) << cbc.status();
    ASSERT_FALSE(cbc->choice.empty());
    EXPECT_TRUE(KeepsEverything(problem, cbc->choice));
    EXPECT_LE(exact.objective, cbc->objective * (1 + 1e-15));
    EXPECT_LE(cbc->bound, exact.objective);
    EXPECT_LT(cbc->gap, 1e-3);
  }
}

// Dropping all budgets but one relaxes the problem, so that exact optimum is a bound on what CBC finds for all of them.
TEST(MediumAllocation, CbcRespectsTheRelaxationsOfSeveralBudgets) {
  for (uint64_t seed = 1; seed <= 25; ++seed) {
    SCOPED_TRACE(seed);
    const Problem problem = NetworkLikeProblem(seed, 30, 5, 3, 0.1 + 0.02 * seed);
    const Solution all = SolveWith(problem, "cbc");
    ASSERT_EQ(all.termination, Termination::kOptimal);
    EXPECT_GE(all.optimality_tolerance, 0);
    for (const ProblemBudget& budget : problem.budgets) {
      Problem relaxed = problem;
      relaxed.budgets = {budget};
      const Solution one = SolveWith(relaxed, "one_budget");
      EXPECT_LE(one.objective, all.objective * (1 + 1e-15));
    }
  }
}

// Two budgets that are the same row twice over: the exact answer for one is the answer for both.
TEST(MediumAllocation, CbcOnProportionalBudgetsEqualsTheExactSolverOnOne) {
  for (uint64_t seed = 1; seed <= 15; ++seed) {
    SCOPED_TRACE(seed);
    Problem problem = NetworkLikeProblem(seed, 40, 5, 1, 0.4);
    const Solution exact = SolveWith(problem, "one_budget");
    for (ProblemLayer& layer : problem.layers) {
      for (ProblemOption& option : layer.options) option.cost[1] = 3 * option.cost[0];
    }
    problem.budgets.push_back({1, 3 * problem.budgets[0].limit});
    const Solution both = SolveWith(problem, "cbc");
    ASSERT_EQ(both.termination, Termination::kOptimal);
    EXPECT_NEAR(both.objective, exact.objective, both.optimality_tolerance);
  }
}

void ExpectSeveralBudgetsAgreeWithCbc(const Problem& problem) {
  const Solution ours = SolveWith(problem, "several_budgets");
  const Solution cbc = SolveWith(problem, "cbc");
  ASSERT_EQ(ours.termination, cbc.termination);
  if (ours.termination != Termination::kOptimal) return;
  EXPECT_LE(ours.objective, cbc.objective + ours.optimality_tolerance);
  EXPECT_LE(cbc.objective, ours.objective + cbc.optimality_tolerance);
}

TEST(MediumAllocation, SeveralBudgetsSolverAgreesWithCbcOnNetworks) {
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE(seed);
    const int num_options = std::array{2, 3, 5, 8}[seed % 4];
    const int num_budgets = 2 + static_cast<int>(seed % 2);
    ExpectSeveralBudgetsAgreeWithCbc(
        NetworkLikeProblem(seed, 12 + static_cast<int>(seed % 20), num_options, num_budgets, 0.05 + 0.006 * seed));
  }
}

// Costs and values in no order at all, and limits near what can be had: many of these are infeasible.
TEST(MediumAllocation, SeveralBudgetsSolverAgreesWithCbcOnRandomProblems) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    ExpectSeveralBudgetsAgreeWithCbc(RandomProblem(
        {.seed = seed, .min_layers = 10, .max_layers = 25, .max_options = 6, .min_budgets = 2, .max_budgets = 5}));
  }
}

// Two budgets that are one row twice over, on problems that CBC does not finish.
TEST(MediumAllocation, SeveralBudgetsSolverEqualsTheExactSolverOnProportionalBudgets) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    Problem problem = NetworkLikeProblem(seed, 40 + 10 * static_cast<int>(seed), 2 + seed % 7, 1, 0.1 + 0.01 * seed);
    const Solution exact = SolveWith(problem, "one_budget");
    for (ProblemLayer& layer : problem.layers) {
      for (ProblemOption& option : layer.options) option.cost[1] = 3 * option.cost[0];
    }
    problem.budgets.push_back({1, 3 * problem.budgets[0].limit});
    const Solution both = SolveWith(problem, "several_budgets");
    ASSERT_EQ(both.termination, Termination::kOptimal);
    EXPECT_NEAR(both.objective, exact.objective, both.optimality_tolerance);
  }
}

TEST(MediumAllocation, SeveralBudgetsSolverEqualsTheExactSolverOnOneBudget) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    const Problem problem = NetworkLikeProblem(seed, 30 * static_cast<int>(seed), 2 + seed % 9, 1, 0.02 * seed + 0.05);
    const Solution exact = SolveWith(problem, "one_budget");
    const Solution ours = SolveWith(problem, "several_budgets");
    ASSERT_EQ(ours.termination, Termination::kOptimal);
    EXPECT_NEAR(ours.objective, exact.objective, ours.optimality_tolerance);
  }
}

// A network whose neighbours pay for different widths (some changes are forbidden) and whose layers share one of two
// classes by blocks of six, with one or two steps of a schedule and a lower budget now and then.
Problem NetworkWithRules(uint64_t seed) {
  const int num_layers = 8 + static_cast<int>(seed % 8);
  const int num_options = 2 + static_cast<int>(seed % 3);
  const int num_budgets = 1 + static_cast<int>(seed % 3);
  Problem problem =
      NetworkLikeProblem(seed, num_layers, num_options, num_budgets, 0.25 + 0.05 * static_cast<double>(seed % 8));
  for (int i = 0; i + 1 < num_layers && seed % 5 != 0; ++i) {
    for (int k = 0; k < num_options; ++k) {
      for (int l = 0; l < num_options; ++l) {
        if (k == l) continue;
        problem.pairs.push_back({.layer_a = i,
                                 .option_a = k,
                                 .layer_b = i + 1,
                                 .option_b = l,
                                 .forbidden = std::abs(k - l) > 2,
                                 .objective = 0.01 * std::abs(k - l)});
      }
    }
  }
  for (int first = 0; first < num_layers && seed % 4 != 0; first += 6) {
    ClassTie tie;
    for (int i = first; i < std::min(num_layers, first + 6); ++i) {
      if (i % 3 == 1) continue;
      tie.layers.push_back(i);
      std::vector<int>& classes = tie.classes.emplace_back();
      for (int k = 0; k < num_options; ++k) classes.push_back(k < num_options / 2 ? 4 : 8);
    }
    problem.class_ties.push_back(std::move(tie));
  }
  if (seed % 3 == 0) {
    ProblemStep step = StepOn(problem, 2, {0, 1, 2, 3});
    for (const int i : step.layers) step.limit += problem.layers[i].options[seed % 2].cost[2] + 1;
    problem.steps.push_back(std::move(step));
  }
  if (seed % 7 == 0) problem.budgets.push_back({2, problem.budgets[0].limit / 8, BudgetSense::kAtLeast});
  return problem;
}

TEST(MediumAllocation, RulesGiveTheSameAnswerInThreeWays) {
  int optimal = 0;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(seed);
    const Problem problem = NetworkWithRules(seed);
    const Solution merged = SolveWith(problem, "auto");
    const Solution linked = SolveWith(problem, "linked");
    ASSERT_EQ(merged.termination, linked.termination);
    const Solution cbc = SolveWith(problem, "cbc");
    ASSERT_EQ(merged.termination, cbc.termination);
    if (merged.termination != Termination::kOptimal) continue;
    ++optimal;
    const double slop = merged.optimality_tolerance + linked.optimality_tolerance + cbc.optimality_tolerance +
                        1e-12 * std::abs(merged.objective);
    EXPECT_NEAR(merged.objective, linked.objective, slop);
    EXPECT_NEAR(merged.objective, cbc.objective, slop);
  }
  EXPECT_GT(optimal, 150);
}

}  // namespace
}  // namespace bitplan
