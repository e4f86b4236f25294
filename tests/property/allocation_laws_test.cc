// Laws that hold whatever the numbers are: how the answer moves when the problem is changed in a known way. Objectives
// are whole numbers or scaled by powers of two where the law is checked to the last bit.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

#include "search/allocation/solve.h"
#include "search/base/rng.h"
#include "tests/testing/allocation_problems.h"

namespace bitplan {
namespace {

using ::bitplan::testing::CorrelatedProblem;
using ::bitplan::testing::Describe;
using ::bitplan::testing::NetworkLikeProblem;
using ::bitplan::testing::RandomProblem;

constexpr uint64_t kSeeds = 500;

Solution SolveOrFail(const Problem& problem) {
  auto solution = allocation::Solve(problem, {}, {});
  EXPECT_TRUE(solution.ok()) << solution.status() << "\n" << Describe(problem);
  return solution.ok() ? *std::move(solution) : Solution{};
}

Problem OneBudget(uint64_t seed) {
  return RandomProblem({.seed = seed, .min_layers = 2, .max_layers = 8, .min_budgets = 1, .whole_objectives = true});
}

// order[i] is the old index of new layer i.
Problem Permuted(const Problem& problem, const std::vector<int>& order) {
  Problem permuted = problem;
  std::vector<int> new_index(order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    permuted.layers[i] = problem.layers[order[i]];
    new_index[order[i]] = static_cast<int>(i);
  }
  for (std::vector<int>& tied : permuted.ties) {
    for (int& layer : tied) layer = new_index[layer];
  }
  return permuted;
}

std::vector<int> RandomOrder(size_t size, uint64_t seed) {
  std::vector<int> order(size);
  std::iota(order.begin(), order.end(), 0);
  Rng rng(seed, 7);
  for (size_t i = size; i > 1; --i) std::swap(order[i - 1], order[rng.NextBelow(i)]);
  return order;
}

TEST(AllocationLaws, PermutingLayersLeavesTheOptimum) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const Problem problem = OneBudget(seed);
    const Solution before = SolveOrFail(problem);
    const Solution after = SolveOrFail(Permuted(problem, RandomOrder(problem.layers.size(), seed)));
    EXPECT_EQ(before.termination, after.termination) << Describe(problem);
    EXPECT_EQ(before.objective, after.objective) << Describe(problem);
  }
}

TEST(AllocationLaws, ScalingObjectivesByAPowerOfTwoScalesEverything) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Problem problem = RandomProblem({.seed = seed, .max_layers = 8, .min_budgets = 1});
    const Solution before = SolveOrFail(problem);
    for (ProblemLayer& layer : problem.layers) {
      for (ProblemOption& option : layer.options) option.objective *= 0x1p-40;
    }
    const Solution after = SolveOrFail(problem);
    EXPECT_EQ(before.choice, after.choice) << Describe(problem);
    EXPECT_EQ(before.objective * 0x1p-40, after.objective);
  }
}

TEST(AllocationLaws, ScalingCostsAndLimitChangesNothing) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Problem problem = CorrelatedProblem(seed, 12, 4, 100, 2);
    const Solution before = SolveOrFail(problem);
    for (ProblemLayer& layer : problem.layers) {
      for (ProblemOption& option : layer.options) option.cost[0] *= 1'000'003;
    }
    problem.budgets[0].limit = problem.budgets[0].limit * 1'000'003 + 1'000'002;  // what is left over is of no use
    const Solution after = SolveOrFail(problem);
    EXPECT_EQ(before.choice, after.choice);
  }
}

TEST(AllocationLaws, ALooserBudgetIsNeverWorse) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Problem problem = NetworkLikeProblem(seed, 60, 6, 1, 0);
    const int64_t least = problem.budgets[0].limit;
    double last = std::numeric_limits<double>::infinity();
    for (int step = 0; step <= 20; ++step) {
      problem.budgets[0].limit = least + step * (least / 8);
      const Solution solution = SolveOrFail(problem);
      ASSERT_EQ(solution.termination, Termination::kOptimal);
      EXPECT_LE(solution.objective, last);
      last = solution.objective;
    }
  }
}

// L(price) = sum_i min_k (objective + price * cost) - price * limit, a lower bound for every price >= 0 and every
// limit.
double LagrangianBound(const Problem& problem, double price) {
  double sum = -price * static_cast<double>(problem.budgets[0].limit);
  for (const ProblemLayer& layer : problem.layers) {
    double least = std::numeric_limits<double>::infinity();
    for (const ProblemOption& option : layer.options) {
      least = std::min(least, option.objective + price * static_cast<double>(option.cost[0]));
    }
    sum += least;
  }
  return sum;
}

// The multiplier is the price at which that bound is best, so near the optimum at its own limit and valid at any other.
TEST(AllocationLaws, TheMultiplierProvesABoundAtEveryLimit) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Problem problem = NetworkLikeProblem(seed, 40, 5, 1, 0.5);
    const Solution middle = SolveOrFail(problem);
    ASSERT_TRUE(middle.budgets[0].multiplier.has_value());
    const double price = *middle.budgets[0].multiplier;
    EXPECT_GT(price, 0);
    const double bound = LagrangianBound(problem, price);
    EXPECT_GE(bound, LagrangianBound(problem, 1.05 * price));
    EXPECT_GE(bound, LagrangianBound(problem, 0.95 * price));
    const int64_t limit = problem.budgets[0].limit;
    for (const int64_t percent : {60, 80, 100, 120, 140}) {
      problem.budgets[0].limit = limit / 100 * percent;
      const Solution other = SolveOrFail(problem);
      EXPECT_GE(other.objective, LagrangianBound(problem, price) - 1e-12);
    }
  }
}

TEST(AllocationLaws, AnOptionThatIsWorseInEveryWayIsNeverTaken) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Problem problem = OneBudget(seed);
    const Solution before = SolveOrFail(problem);
    for (ProblemLayer& layer : problem.layers) {
      ProblemOption worse = layer.options.front();
      worse.objective += 1;
      worse.cost[0] += 1;
      layer.options.push_back(worse);
    }
    const Solution after = SolveOrFail(problem);
    EXPECT_EQ(before.termination, after.termination);
    EXPECT_EQ(before.objective, after.objective);
    for (size_t i = 0; i < after.choice.size(); ++i) EXPECT_LT(after.choice[i], problem.layers[i].options.size() - 1);
  }
}

TEST(AllocationLaws, AConstantOnOneLayerShiftsTheOptimum) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Problem problem = OneBudget(seed);
    const Solution before = SolveOrFail(problem);
    for (ProblemOption& option : problem.layers[0].options) option.objective -= 1000;
    const Solution after = SolveOrFail(problem);
    EXPECT_EQ(before.termination, after.termination);
    if (before.termination == Termination::kOptimal) {
      EXPECT_EQ(before.objective - 1000, after.objective);
    }
  }
}

// A tie of layers i and j is the same as one layer that costs and is worth their sum.
TEST(AllocationLaws, TyingTwoLayersEqualsAddingThemUp) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Problem tied = CorrelatedProblem(seed, 10, 4, 60, 0);
    Problem merged = tied;
    tied.ties = {{2, 7}};
    for (int k = 0; k < 4; ++k) {
      merged.layers[2].options[k].objective += merged.layers[7].options[k].objective;
      merged.layers[2].options[k].cost[0] += merged.layers[7].options[k].cost[0];
    }
    merged.layers.erase(merged.layers.begin() + 7);
    EXPECT_EQ(SolveOrFail(tied).objective, SolveOrFail(merged).objective);
  }
}

TEST(AllocationLaws, SolvingTwiceGivesTheSameSolution) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const Problem problem = RandomProblem({.seed = seed, .max_layers = 8, .max_budgets = 2, .whole_objectives = true});
    const Solution first = SolveOrFail(problem);
    const Solution second = SolveOrFail(problem);
    EXPECT_EQ(first.choice, second.choice);
    EXPECT_EQ(first.objective, second.objective);
    EXPECT_EQ(first.bound, second.bound);
    EXPECT_EQ(first.nodes, second.nodes);
  }
}

// The laws again where several budgets bind.
Problem SeveralBudgets(uint64_t seed) {
  return RandomProblem(
      {.seed = seed, .min_layers = 2, .max_layers = 10, .min_budgets = 2, .max_budgets = 5, .whole_objectives = true});
}

TEST(AllocationLaws, PermutingLayersLeavesTheOptimumOfSeveralBudgets) {
  for (uint64_t seed = 1; seed <= 3 * kSeeds; ++seed) {
    const Problem problem = SeveralBudgets(seed);
    const Solution before = SolveOrFail(problem);
    const Solution after = SolveOrFail(Permuted(problem, RandomOrder(problem.layers.size(), seed)));
    EXPECT_EQ(before.termination, after.termination) << Describe(problem);
    EXPECT_EQ(before.objective, after.objective) << Describe(problem);
  }
}

TEST(AllocationLaws, PermutingBudgetsLeavesTheOptimum) {
  for (uint64_t seed = 1; seed <= 3 * kSeeds; ++seed) {
    Problem problem = SeveralBudgets(seed);
    const Solution before = SolveOrFail(problem);
    std::reverse(problem.budgets.begin(), problem.budgets.end());
    const Solution after = SolveOrFail(problem);
    EXPECT_EQ(before.termination, after.termination) << Describe(problem);
    EXPECT_EQ(before.objective, after.objective) << Describe(problem);
  }
}

TEST(AllocationLaws, ScalingOneRowOfSeveralChangesNothing) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    Problem problem = NetworkLikeProblem(seed, 50, 5, 3, 0.1 + 0.01 * static_cast<double>(seed));
    const Solution before = SolveOrFail(problem);
    for (ProblemLayer& layer : problem.layers) {
      for (ProblemOption& option : layer.options) option.cost[0] *= 1009;
    }
    problem.budgets[0].limit = problem.budgets[0].limit * 1009 + 1008;  // what is left over is of no use
    const Solution after = SolveOrFail(problem);
    EXPECT_EQ(before.choice, after.choice);
    EXPECT_EQ(before.bound, after.bound);
    EXPECT_EQ(before.nodes, after.nodes);
  }
}

TEST(AllocationLaws, ScalingObjectivesByAPowerOfTwoScalesEverythingWithSeveralBudgets) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    Problem problem = NetworkLikeProblem(seed, 60, 6, 3, 0.1 + 0.01 * static_cast<double>(seed));
    const Solution before = SolveOrFail(problem);
    for (ProblemLayer& layer : problem.layers) {
      for (ProblemOption& option : layer.options) option.objective *= 0x1p-40;
    }
    const Solution after = SolveOrFail(problem);
    EXPECT_EQ(before.choice, after.choice);
    EXPECT_EQ(before.objective * 0x1p-40, after.objective);
    EXPECT_EQ(before.nodes, after.nodes);
  }
}

// Each budget is loosened in turn.
TEST(AllocationLaws, LooserBudgetsAreNeverWorse) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Problem problem = NetworkLikeProblem(seed, 60, 6, 3, 0.2);
    double last = std::numeric_limits<double>::infinity();
    for (int step = 0; step < 18; ++step) {
      const Solution solution = SolveOrFail(problem);
      ASSERT_EQ(solution.termination, Termination::kOptimal);
      EXPECT_LE(solution.objective, last + solution.optimality_tolerance);
      last = solution.objective;
      problem.budgets[step % 3].limit += problem.budgets[step % 3].limit / 20;
    }
  }
}

TEST(AllocationLaws, DroppingABudgetIsNeverWorse) {
  for (uint64_t seed = 1; seed <= 3 * kSeeds; ++seed) {
    Problem problem = SeveralBudgets(seed);
    const Solution all = SolveOrFail(problem);
    problem.budgets.pop_back();
    const Solution fewer = SolveOrFail(problem);
    if (all.termination != Termination::kOptimal) continue;
    ASSERT_EQ(fewer.termination, Termination::kOptimal) << Describe(problem);
    EXPECT_LE(fewer.objective, all.objective) << Describe(problem);
  }
}

// The laws with class ties, pairs, steps and lower budgets.
Problem WithRules(uint64_t seed) {
  return RandomProblem({.seed = seed,
                        .min_layers = 3,
                        .max_layers = 8,
                        .min_budgets = 1,
                        .max_budgets = 3,
                        .whole_objectives = true,
                        .rules = true});
}

TEST(AllocationLaws, PermutingLayersLeavesTheOptimumWithRules) {
  for (uint64_t seed = 1; seed <= 3 * kSeeds; ++seed) {
    const Problem problem = WithRules(seed);
    const std::vector<int> order = RandomOrder(problem.layers.size(), seed);
    Problem permuted = Permuted(problem, order);
    std::vector<int> new_index(order.size());
    for (size_t i = 0; i < order.size(); ++i) new_index[order[i]] = static_cast<int>(i);
    for (ClassTie& tie : permuted.class_ties) {
      for (int& layer : tie.layers) layer = new_index[layer];
    }
    for (ProblemStep& step : permuted.steps) {
      for (int& layer : step.layers) layer = new_index[layer];
    }
    for (ProblemPair& pair : permuted.pairs) {
      pair.layer_a = new_index[pair.layer_a];
      pair.layer_b = new_index[pair.layer_b];
    }
    const Solution before = SolveOrFail(problem);
    const Solution after = SolveOrFail(permuted);
    EXPECT_EQ(before.termination, after.termination) << Describe(problem);
    EXPECT_EQ(before.objective, after.objective) << Describe(problem);
  }
}

// Dropping any one restriction, or loosening every budget, is never worse.
TEST(AllocationLaws, FewerRulesAreNeverWorse) {
  for (uint64_t seed = 1; seed <= 2 * kSeeds; ++seed) {
    const Problem problem = WithRules(seed);
    const Solution all = SolveOrFail(problem);
    if (all.termination != Termination::kOptimal) continue;
    std::vector<Problem> looser(5, problem);
    if (!looser[0].class_ties.empty()) looser[0].class_ties.pop_back();
    if (!looser[1].steps.empty()) looser[1].steps.pop_back();
    for (ProblemLayer& layer : looser[2].layers) {
      for (ProblemOption& option : layer.options) option.allowed = true;
    }
    for (ProblemBudget& budget : looser[3].budgets) {
      budget.limit += budget.sense == BudgetSense::kAtMost ? 1 : -std::min<int64_t>(budget.limit, 1);
    }
    for (ProblemPair& pair : looser[4].pairs) pair.objective = std::min(pair.objective, 0.0);
    for (size_t l = 0; l < looser.size(); ++l) {
      const Solution fewer = SolveOrFail(looser[l]);
      ASSERT_EQ(fewer.termination, Termination::kOptimal) << l << "\n" << Describe(problem);
      EXPECT_LE(fewer.objective, all.objective) << l << "\n" << Describe(problem);
    }
  }
}

bool IsNowhereWorse(const Problem& problem, const ProblemOption& a, const ProblemOption& b) {
  if (a.objective > b.objective) return false;
  return std::all_of(problem.budgets.begin(), problem.budgets.end(),
                     [&](const ProblemBudget& budget) { return a.cost[budget.resource] <= b.cost[budget.resource]; });
}

// The promise about equal objectives in solve.h, for layers without ties.
TEST(AllocationLaws, NoLayerTakesAnOptionThatAnotherOneCovers) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Problem problem = RandomProblem({.seed = seed, .max_layers = 8, .max_budgets = 2, .whole_objectives = true});
    problem.ties.clear();
    const Solution solution = SolveOrFail(problem);
    for (size_t i = 0; i < solution.choice.size(); ++i) {
      const std::vector<ProblemOption>& options = problem.layers[i].options;
      const int taken = solution.choice[i];
      for (int k = 0; k < std::ssize(options); ++k) {
        if (k == taken || !IsNowhereWorse(problem, options[k], options[taken])) continue;
        EXPECT_TRUE(IsNowhereWorse(problem, options[taken], options[k]) && taken < k) << i << "\n" << Describe(problem);
      }
    }
  }
}

}  // namespace
}  // namespace bitplan
