#include "search/allocation/several_budgets.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <numeric>
#include <stop_token>
#include <thread>

#include "search/allocation/branch_search.h"
#include "search/allocation/rounding_cuts.h"
#include "search/allocation/solve.h"
#include "search/base/rng.h"
#include "tests/testing/allocation_problems.h"
#include "tests/testing/brute_force_allocation.h"

namespace bitplan::allocation {
namespace {

using ::bitplan::testing::Describe;
using ::bitplan::testing::HardProblem;
using ::bitplan::testing::KeepsEverything;
using ::bitplan::testing::NetworkLikeProblem;
using ::bitplan::testing::RandomProblem;
using ::bitplan::testing::SolveByBruteForce;
using Clock = std::chrono::steady_clock;

Instance MakeInstance(const Problem& problem) {
  const auto groups = TieGroups(problem);
  return BuildInstance(problem, groups, BindingBudgets(problem, groups), std::nullopt);
}

// A transformer: layers of three shapes, so that branching on counts has something to count.
Problem RepeatingProblem(uint64_t seed, int num_layers, int num_options, int num_budgets, double level) {
  Problem problem = NetworkLikeProblem(seed, num_layers, num_options, num_budgets, level);
  Rng rng(seed, 9);
  std::vector<int64_t> before(3, 0);
  std::vector<int64_t> after(3, 0);
  for (size_t i = 3; i < problem.layers.size(); ++i) {
    const ProblemLayer& shape = problem.layers[rng.NextBelow(3)];
    for (int k = 0; k < num_options; ++k) problem.layers[i].options[k].cost = shape.options[k].cost;
  }
  for (ProblemBudget& budget : problem.budgets) {
    int64_t least = 0;
    int64_t most = 0;
    for (const ProblemLayer& layer : problem.layers) {
      least += layer.options.front().cost[budget.resource];
      most += layer.options.back().cost[budget.resource];
    }
    budget.limit = least + static_cast<int64_t>((level + 0.01 * budget.resource) * static_cast<double>(most - least));
  }
  return problem;
}

// The search is told the best choice and must not cut it off while it knows nothing as good.
void ExpectNothingLost(const Problem& problem, const std::vector<int>& choice) {
  const Instance instance = MakeInstance(problem);
  WatchedChoice watched;
  for (const InstanceGroup& group : instance.groups) watched.option.push_back(choice[group.layers[0]]);
  SolveWatching(instance, {.node_limit = 200'000}, {}, &watched);
  EXPECT_EQ(watched.lost_at, "");
}

TEST(SeveralBudgets, NoNodeWithTheBestChoiceIsCutOnSmallProblems) {
  for (uint64_t seed = 1; seed <= 2000; ++seed) {
    const Problem problem =
        RandomProblem({.seed = seed, .min_layers = 4, .max_layers = 6, .min_budgets = 2, .max_budgets = 4});
    SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + Describe(problem));
    const auto truth = SolveByBruteForce(problem);
    if (!truth.feasible) continue;
    // One that brute force and the reductions (which drop options that others cover) agree on.
    const auto best = Solve(problem, {}, {});
    ASSERT_TRUE(best.ok());
    ASSERT_NEAR(best->objective, truth.objective, 1e-11);
    ExpectNothingLost(problem, best->choice);
  }
}

TEST(SeveralBudgets, NoNodeWithTheBestChoiceIsCutOnLargeProblems) {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(seed);
    const int num_budgets = 2 + static_cast<int>(seed % 2);
    for (const Problem& problem : {NetworkLikeProblem(seed, 40 * static_cast<int>(seed), 6, num_budgets, 0.3),
                                   RepeatingProblem(seed, 40 * static_cast<int>(seed), 6, num_budgets, 0.3)}) {
      const auto best = Solve(problem, {.node_limit = 200'000}, {});
      ASSERT_TRUE(best.ok());
      ExpectNothingLost(problem, best->choice);
    }
  }
}

TEST(SeveralBudgets, TheWatchNoticesALoss) {
  const Problem problem = NetworkLikeProblem(3, 60, 5, 2, 0.3);
  const Instance instance = MakeInstance(problem);
  const Solution best = *Solve(problem, {}, {});
  WatchedChoice watched;
  for (const InstanceGroup& group : instance.groups) watched.option.push_back(best.choice[group.layers[0]]);
  Instance tighter = instance;  // a search of a problem that forbids the choice must report that it lost it
  for (size_t r = 0; r < tighter.limits.size(); ++r) tighter.limits[r] = best.budgets[tighter.rows[r]].used - 1;
  SolveWatching(tighter, {}, {}, &watched);
  EXPECT_NE(watched.lost_at, "");
}

TEST(SeveralBudgets, BranchingOnCountsGivesTheSameOptimum) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    const Problem problem = RepeatingProblem(seed, 60, 4, 2, 0.2 + 0.01 * static_cast<double>(seed));
    const Instance instance = MakeInstance(problem);
    const ValueScale scale = ScaleOfValues(instance);
    std::vector<double> best;
    for (const bool by_counts : {false, true}) {
      const MultiKnapsack knapsack = Reduce(instance, scale, AllOptions(instance), {});
      Incumbent incumbent(instance, scale);
      const RunContext context;
      BranchSearch search(instance, knapsack, incumbent, context);
      if (search.Start()) {
        const BranchResult result = search.Run({.max_nodes = 100'000, .by_counts = by_counts});
        ASSERT_EQ(result.termination, Termination::kOptimal);
      }
      best.push_back(incumbent.scaled_value());
    }
    EXPECT_NEAR(best[0], best[1], scale.tolerance);
  }
}

// Cuts matter where few shapes repeat: the search with them must agree with the search without.
TEST(SeveralBudgets, CutsGiveTheSameOptimum) {
  int with_cuts = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    const Problem problem = RepeatingProblem(seed, 50, 5, 2 + static_cast<int>(seed % 2), 0.1 + 0.01 * seed);
    const Instance instance = MakeInstance(problem);
    const ValueScale scale = ScaleOfValues(instance);
    const MultiKnapsack knapsack = Reduce(instance, scale, AllOptions(instance), {});
    const RunContext context;
    const auto solve = [&](const MultiKnapsack& rows, WatchedChoice* watched) {
      Incumbent incumbent(instance, scale);
      BranchSearch search(instance, rows, incumbent, context, watched);
      if (search.Start()) {
        EXPECT_EQ(search.Run({.max_nodes = 200'000}).termination, Termination::kOptimal);
      }
      return incumbent;
    };
    const Incumbent plain = solve(knapsack, nullptr);
    const auto cut = WithRoundingCuts(knapsack, plain.scaled_value(), context);
    if (!cut.has_value()) continue;
    ++with_cuts;
    WatchedChoice watched{.option = plain.option()};
    EXPECT_NEAR(solve(*cut, &watched).scaled_value(), plain.scaled_value(), scale.tolerance);
    EXPECT_EQ(watched.lost_at, "");
  }
  EXPECT_GT(with_cuts, 20);
}

TEST(SeveralBudgets, StopsWithinFiftyMillisecondsAtAnySize) {
  const Problem problem = NetworkLikeProblem(1, 5000, 64, 3, 0.3);
  for (const int after_ms : {5, 40, 120, 400}) {
    std::stop_source source;
    Clock::time_point asked;
    std::jthread stopper([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(after_ms));
      asked = Clock::now();
      source.request_stop();
    });
    const auto solution = Solve(problem, {}, {.stop = source.get_token()});
    const std::chrono::duration<double> late = Clock::now() - asked;
    stopper.join();
    ASSERT_TRUE(solution.ok());
    if (solution->termination == Termination::kOptimal) continue;  // faster than the request
    EXPECT_EQ(solution->termination, Termination::kCancelled);
    // 50 ms on an idle machine in a release build; tests run beside others and without optimisation.
    EXPECT_LT(late.count(), 1.0) << after_ms;
  }
}

TEST(SeveralBudgets, ASearchCutShortReturnsChoiceBoundAndGap) {
  const Problem problem = HardProblem(1, 60, 8, 4);
  const auto solution = Solve(problem, {.node_limit = 2000}, {});
  ASSERT_TRUE(solution.ok());
  EXPECT_EQ(solution->termination, Termination::kFeasible);
  EXPECT_TRUE(KeepsEverything(problem, solution->choice));
  EXPECT_LT(solution->bound, solution->objective);
  EXPECT_LT(solution->gap, 1e-2);
  const auto again = Solve(problem, {.node_limit = 2000}, {});
  EXPECT_EQ(again->choice, solution->choice);
  EXPECT_EQ(again->bound, solution->bound);
}

TEST(SeveralBudgets, ReportsProgressAndMultipliers) {
  int reports = 0;
  RunContext context;
  context.progress = [&](const Progress& progress) {
    ++reports;
    EXPECT_EQ(progress.stage, "solve");
    EXPECT_GE(progress.fraction, 0);
    EXPECT_LE(progress.fraction, 1);
  };
  const auto solution = Solve(HardProblem(2, 40, 6, 3), {.node_limit = 20'000}, context);
  ASSERT_TRUE(solution.ok());
  EXPECT_GT(reports, 0);
  double paid = 0;
  for (const BudgetUsage& budget : solution->budgets) {
    ASSERT_TRUE(budget.multiplier.has_value());
    EXPECT_GE(*budget.multiplier, 0);
    paid += *budget.multiplier;
  }
  EXPECT_GT(paid, 0);
}

// L(u) of the whole problem at the multipliers that come back, in long double: they prove most of the bound.
TEST(SeveralBudgets, TheMultipliersProveABound) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const Problem problem = NetworkLikeProblem(seed, 100, 6, 3, 0.3);
    const auto solution = Solve(problem, {}, {});
    ASSERT_TRUE(solution.ok());
    long double bound = 0;
    for (const ProblemLayer& layer : problem.layers) {
      long double least = std::numeric_limits<long double>::infinity();
      for (const ProblemOption& option : layer.options) {
        long double priced = option.objective;
        for (size_t b = 0; b < problem.budgets.size(); ++b) {
          priced += *solution->budgets[b].multiplier * option.cost[problem.budgets[b].resource];
        }
        least = std::min(least, priced);
      }
      bound += least;
    }
    for (size_t b = 0; b < problem.budgets.size(); ++b) {
      bound -= static_cast<long double>(*solution->budgets[b].multiplier) * problem.budgets[b].limit;
    }
    EXPECT_LE(bound, solution->objective * (1 + 1e-12));
    EXPECT_GT(bound, solution->objective * 0.98);
  }
}

// While it runs: choices only get better, bounds only rise, and the answer is neither worse nor less certain.
TEST(SeveralBudgets, ReportsTheBestChoiceAndTheBound) {
  const Problem problem = HardProblem(3, 20, 8, 4);
  std::vector<Progress> reports;
  const RunContext context{.progress = [&](const Progress& report) { reports.push_back(report); }};
  const Solution solution = *Solve(problem, {.node_limit = 5000}, context);
  ASSERT_EQ(solution.termination, Termination::kFeasible);
  ASSERT_GT(reports.size(), 5U);
  for (size_t i = 0; i < reports.size(); ++i) {
    ASSERT_TRUE(reports[i].objective && reports[i].bound);
    EXPECT_EQ(reports[i].stage, "solve");
    EXPECT_LE(*reports[i].bound, *reports[i].objective);
    if (i == 0) continue;
    EXPECT_GE(reports[i].probes, reports[i - 1].probes);
    EXPECT_LE(*reports[i].objective, *reports[i - 1].objective);
    EXPECT_GE(*reports[i].bound, *reports[i - 1].bound);
  }
  EXPECT_LE(solution.objective, *reports.back().objective + 1e-9 * std::abs(solution.objective));
  EXPECT_GE(solution.bound, *reports.back().bound);
}

}  // namespace
}  // namespace bitplan::allocation
