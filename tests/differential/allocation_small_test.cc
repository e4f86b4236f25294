// All solvers against brute force on thousands of small problems of mixed features. A failure prints the seed and the
// problem; rerun one with --gtest_filter and the seed as kFirstSeed.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "search/allocation/solve.h"
#include "tests/testing/allocation_problems.h"
#include "tests/testing/brute_force_allocation.h"

namespace bitplan {
namespace {

using ::bitplan::testing::BruteForceAnswer;
using ::bitplan::testing::Describe;
using ::bitplan::testing::KeepsEverything;
using ::bitplan::testing::RandomProblem;
using ::bitplan::testing::RandomProblemSpec;
using ::bitplan::testing::SolveByBruteForce;

// Both sides add the objective in layer order, so they may differ only if two different choices have sums that are
// equal up to rounding: each of L additions is off by half an ulp of the largest partial sum.
double RoundingOf(const Problem& problem) {
  double sum = 0;
  for (const ProblemLayer& layer : problem.layers) {
    double largest = 0;
    for (const ProblemOption& option : layer.options) largest = std::max(largest, std::abs(option.objective));
    sum += largest;
  }
  for (const ProblemPair& pair : problem.pairs) sum += std::abs(pair.objective);
  return static_cast<double>(problem.layers.size() + problem.pairs.size()) * std::numeric_limits<double>::epsilon() *
         sum;
}

bool IsBroken(const ProblemBudget& budget, int64_t used) {
  return budget.sense == BudgetSense::kAtMost ? used > budget.limit : used < budget.limit;
}

void ExpectSameShortages(const Problem& problem, const Solution& solution, const BruteForceAnswer& truth) {
  ASSERT_TRUE(solution.infeasibility.has_value());
  EXPECT_EQ(solution.infeasibility->rules_conflict, truth.rules_conflict);
  if (truth.rules_conflict) return;
  bool alone = false;
  for (size_t b = 0; b < problem.budgets.size(); ++b) alone |= IsBroken(problem.budgets[b], truth.least_alone[b]);
  EXPECT_EQ(solution.infeasibility->joint, !alone);
  EXPECT_FALSE(solution.infeasibility->shortages.empty());
  for (const BudgetShortage& shortage : solution.infeasibility->shortages) {
    if (shortage.step >= 0) {
      EXPECT_EQ(shortage.least_achievable, truth.least_of_steps_given_rest[shortage.step]);
      continue;
    }
    const std::optional<int64_t> want =
        alone ? std::optional(truth.least_alone[shortage.budget]) : truth.least_given_rest[shortage.budget];
    EXPECT_EQ(shortage.least_achievable, want);
    EXPECT_EQ(shortage.others_conflict, !want.has_value());
    if (want.has_value()) {
      EXPECT_EQ(shortage.short_by, std::abs(*want - problem.budgets[shortage.budget].limit));
    }
  }
}

void ExpectProvenOptimum(const Problem& problem, const Solution& solution, const BruteForceAnswer& truth) {
  ASSERT_EQ(solution.termination, Termination::kOptimal);
  EXPECT_TRUE(KeepsEverything(problem, solution.choice));
  const double slop = RoundingOf(problem) + solution.optimality_tolerance;
  EXPECT_LE(solution.objective, truth.objective + slop);
  EXPECT_GE(solution.objective, truth.objective - RoundingOf(problem));
  EXPECT_LE(solution.bound, truth.objective + slop);
  EXPECT_GE(solution.gap, 0);
}

void ExpectTruth(const RandomProblemSpec& spec, const std::string& solver) {
  const Problem problem = RandomProblem(spec);
  SCOPED_TRACE("seed " + std::to_string(spec.seed) + "\n" + Describe(problem));
  const BruteForceAnswer truth = SolveByBruteForce(problem);
  const auto solution = allocation::Solve(problem, {.solver = solver}, {});
  ASSERT_TRUE(solution.ok()) << solution.status();
  for (size_t b = 0; b < problem.budgets.size() && !truth.rules_conflict; ++b) {
    const bool upper = problem.budgets[b].sense == BudgetSense::kAtMost;
    EXPECT_EQ(upper ? solution->budgets[b].least_achievable : solution->budgets[b].most_achievable,
              truth.least_alone[b]);
  }
  if (truth.feasible) {
    ExpectProvenOptimum(problem, *solution, truth);
  } else {
    EXPECT_EQ(solution->termination, Termination::kInfeasible);
    ExpectSameShortages(problem, *solution, truth);
  }
}

void ExpectTruthForSeeds(RandomProblemSpec spec, uint64_t first, uint64_t count, const std::string& solver) {
  for (uint64_t seed = first; seed < first + count; ++seed) {
    spec.seed = seed;
    ExpectTruth(spec, solver);
    if (::testing::Test::HasFailure()) return;  // the first one says enough
  }
}

TEST(SmallAllocation, OneBudgetSolverEqualsBruteForce) {
  ExpectTruthForSeeds({.max_layers = 6, .max_options = 4}, 1, 20'000, "one_budget");
}

// Whole objectives make many choices equal; sums are exact in double, so the optimum must be met to the last bit.
TEST(SmallAllocation, OneBudgetSolverEqualsBruteForceWithManyEqualObjectives) {
  for (uint64_t seed = 100'000; seed < 110'000 && !HasFailure(); ++seed) {
    const Problem problem = RandomProblem({.seed = seed, .min_layers = 3, .min_budgets = 1, .whole_objectives = true});
    SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + Describe(problem));
    const BruteForceAnswer truth = SolveByBruteForce(problem);
    const auto solution = allocation::Solve(problem, {.solver = "one_budget"}, {});
    ASSERT_TRUE(solution.ok()) << solution.status();
    ASSERT_EQ(solution->termination == Termination::kOptimal, truth.feasible);
    if (truth.feasible) {
      EXPECT_EQ(solution->objective, truth.objective);
    }
  }
}

TEST(SmallAllocation, OneBudgetSolverEqualsBruteForceOnLongerProblems) {
  ExpectTruthForSeeds({.min_layers = 9, .max_layers = 11, .max_options = 3, .min_budgets = 1}, 200'000, 60,
                      "one_budget");
}

TEST(SmallAllocation, CbcEqualsBruteForceOnOneBudget) {
  ExpectTruthForSeeds({.max_layers = 6, .max_options = 4}, 300'000, 400, "cbc");
}

TEST(SmallAllocation, CbcEqualsBruteForceOnSeveralBudgets) {
  ExpectTruthForSeeds({.max_layers = 6, .max_options = 4, .min_budgets = 2, .max_budgets = 3}, 400'000, 800, "cbc");
}

TEST(SmallAllocation, SeveralBudgetsSolverEqualsBruteForceOnAtMostOneBudget) {
  ExpectTruthForSeeds({.max_layers = 6, .max_options = 4}, 500'000, 10'000, "several_budgets");
}

TEST(SmallAllocation, SeveralBudgetsSolverEqualsBruteForceOnTwoAndThreeBudgets) {
  ExpectTruthForSeeds({.max_layers = 5, .max_options = 4, .min_budgets = 2, .max_budgets = 3}, 600'000, 60'000, "auto");
}

TEST(SmallAllocation, SeveralBudgetsSolverEqualsBruteForceOnManyBudgets) {
  ExpectTruthForSeeds({.max_layers = 5, .max_options = 4, .min_budgets = 4, .max_budgets = 8}, 700'000, 20'000, "auto");
}

TEST(SmallAllocation, SeveralBudgetsSolverEqualsBruteForceOnLongerProblems) {
  ExpectTruthForSeeds({.min_layers = 8, .max_layers = 10, .max_options = 3, .min_budgets = 2, .max_budgets = 4},
                      800'000, 300, "auto");
}

// Options not allowed, class ties, priced and forbidden pairs, lower budgets, steps: every mix of them. "auto" merges
// what links join, "linked" branches on it.
TEST(SmallAllocation, EqualsBruteForceWithRulesOnAtMostOneBudget) {
  ExpectTruthForSeeds({.max_layers = 5, .max_options = 4, .rules = true}, 1'000'000, 30'000, "auto");
}

TEST(SmallAllocation, EqualsBruteForceWithRulesOnSeveralBudgets) {
  ExpectTruthForSeeds({.max_layers = 5, .max_options = 4, .min_budgets = 2, .max_budgets = 4, .rules = true}, 1'100'000,
                      30'000, "auto");
}

TEST(SmallAllocation, LinkedSearchEqualsBruteForceWithRules) {
  ExpectTruthForSeeds({.max_layers = 5, .max_options = 4, .max_budgets = 3, .rules = true}, 1'200'000, 40'000,
                      "linked");
}

TEST(SmallAllocation, EqualsBruteForceWithRulesOnLongerProblems) {
  const RandomProblemSpec spec{.min_layers = 7, .max_layers = 9, .max_options = 3, .max_budgets = 3, .rules = true};
  ExpectTruthForSeeds(spec, 1'300'000, 500, "auto");
  ExpectTruthForSeeds(spec, 1'310'000, 500, "linked");
}

// Whole objectives make many choices equal; sums are exact in double, so the optimum must be met to the last bit.
TEST(SmallAllocation, SeveralBudgetsSolverEqualsBruteForceWithManyEqualObjectives) {
  for (uint64_t seed = 900'000; seed < 920'000 && !HasFailure(); ++seed) {
    const Problem problem = RandomProblem(
        {.seed = seed, .min_layers = 3, .max_layers = 5, .min_budgets = 2, .max_budgets = 4, .whole_objectives = true});
    SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + Describe(problem));
    const BruteForceAnswer truth = SolveByBruteForce(problem);
    const auto solution = allocation::Solve(problem, {.solver = "several_budgets"}, {});
    ASSERT_TRUE(solution.ok()) << solution.status();
    ASSERT_EQ(solution->termination == Termination::kOptimal, truth.feasible);
    if (truth.feasible) {
      EXPECT_EQ(solution->objective, truth.objective);
    }
  }
}

// Of equal objectives (sums are exact in double) the least sum of the last resource, with every mix of rules.
TEST(SmallAllocation, TieBreaksEqualBruteForce) {
  for (const int most_budgets : {1, 4}) {
    for (uint64_t seed = 1'400'000; seed < 1'410'000 && !HasFailure(); ++seed) {
      Problem problem = RandomProblem({.seed = seed,
                                       .max_layers = 5,
                                       .min_budgets = 1,
                                       .max_budgets = most_budgets,
                                       .whole_objectives = true,
                                       .rules = seed % 2 == 0});
      problem.tie_break = static_cast<int>(problem.resources.size()) - 1;
      SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + Describe(problem));
      const BruteForceAnswer truth = SolveByBruteForce(problem);
      const auto solution = allocation::Solve(problem, {}, {});
      ASSERT_TRUE(solution.ok()) << solution.status();
      ASSERT_EQ(solution->termination == Termination::kOptimal, truth.feasible);
      if (!truth.feasible) continue;
      EXPECT_EQ(solution->objective, truth.objective);
      int64_t used = 0;
      for (size_t i = 0; i < solution->choice.size(); ++i) {
        used += problem.layers[i].options[solution->choice[i]].cost.back();
      }
      for (const ProblemPair& pair : problem.pairs) {
        const bool meet =
            solution->choice[pair.layer_a] == pair.option_a && solution->choice[pair.layer_b] == pair.option_b;
        if (meet && !pair.cost.empty()) used += pair.cost.back();
      }
      EXPECT_EQ(used, truth.least_tie_break);
    }
  }
}

}  // namespace
}  // namespace bitplan
