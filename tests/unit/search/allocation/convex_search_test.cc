#include "search/allocation/convex_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <optional>
#include <stop_token>
#include <vector>

#include "search/allocation/audit.h"
#include "search/allocation/local_search.h"
#include "search/allocation/solve.h"
#include "search/base/rng.h"
#include "tests/testing/allocation_problems.h"

namespace bitplan::allocation {
namespace {

using ::bitplan::testing::Describe;
using ::bitplan::testing::NetworkLikeProblem;
using ::bitplan::testing::RandomProblem;

// f(x) = a'x + |U x|^2 / 2 with few rows of U: layers help and hinder each other.
class QuadraticChoice final : public ConvexObjective {
 public:
  QuadraticChoice(const Problem& problem, uint64_t seed, int rank, double coupling) : factor_(rank) {
    Rng rng(seed, 1);
    for (const ProblemLayer& layer : problem.layers) {
      for (const ProblemOption& option : layer.options) linear_.push_back(option.objective);
    }
    for (auto& row : factor_) {
      for (size_t j = 0; j < linear_.size(); ++j) row.push_back(coupling * rng.NextGaussian());
    }
  }

  double Value(std::span<const double> x) const override {
    double value = 0;
    for (size_t j = 0; j < x.size(); ++j) value += linear_[j] * x[j];
    for (const auto& row : factor_) value += Product(row, x) * Product(row, x) / 2;
    return value;
  }
  double ValueAndGradient(std::span<const double> x, std::span<double> gradient) const override {
    for (size_t j = 0; j < x.size(); ++j) gradient[j] = linear_[j];
    for (const auto& row : factor_) {
      const double product = Product(row, x);
      for (size_t j = 0; j < x.size(); ++j) gradient[j] += product * row[j];
    }
    return Value(x);
  }
  double tolerance() const override { return 1e-9; }

 private:
  static double Product(const std::vector<double>& row, std::span<const double> x) {
    double sum = 0;
    for (size_t j = 0; j < x.size(); ++j) sum += row[j] * x[j];
    return sum;
  }
  std::vector<double> linear_;
  std::vector<std::vector<double>> factor_;
};

bool KeepsBudgetsAndTies(const Problem& problem, const std::vector<int>& choice) {
  const auto totals = AddUp(problem, choice);
  if (!totals.ok()) return false;
  for (const ProblemBudget& budget : problem.budgets) {
    if (totals->used[budget.resource] > budget.limit) return false;
  }
  return true;
}

// Least value over all choices that keep budgets and ties; nullopt if there is none.
std::optional<double> LeastByEnumeration(const Problem& problem, const ConvexObjective& objective) {
  std::optional<double> least;
  std::vector<int> choice(problem.layers.size(), 0);
  while (true) {
    if (KeepsBudgetsAndTies(problem, choice)) {
      const double value = objective.Value(OneHot(problem, choice));
      if (!least || value < *least) least = value;
    }
    size_t l = 0;
    while (l < choice.size() && ++choice[l] == std::ssize(problem.layers[l].options)) choice[l++] = 0;
    if (l == choice.size()) return least;
  }
}

TEST(SolveConvex, BoundsAndFindsTheLeastOfSmallProblems) {
  int optimal = 0;
  int found = 0;
  int solved = 0;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    const Problem problem = RandomProblem(
        {.seed = seed, .min_layers = 2, .max_layers = 5, .max_options = 4, .max_budgets = static_cast<int>(seed % 3)});
    double size = 0;
    for (const ProblemLayer& layer : problem.layers) size = std::max(size, std::abs(layer.options[0].objective));
    if (!(size > 1e-3 && size < 1e6)) continue;  // huge or tiny objectives drown the coupling
    const QuadraticChoice objective(problem, seed, 2, std::sqrt(size));
    const auto solution = SolveConvex(problem, objective, {}, {}, {});
    ASSERT_TRUE(solution.ok()) << solution.status() << Describe(problem);
    const auto least = LeastByEnumeration(problem, objective);
    ASSERT_EQ(least.has_value(), !solution->choice.empty()) << Describe(problem);
    if (!least) {
      EXPECT_EQ(solution->termination, Termination::kInfeasible);
      continue;
    }
    const double rounding = 1e-9 * (1 + std::abs(*least));
    EXPECT_TRUE(KeepsBudgetsAndTies(problem, solution->choice)) << Describe(problem);
    EXPECT_EQ(solution->objective, objective.Value(OneHot(problem, solution->choice)));
    EXPECT_LE(solution->bound, *least + rounding) << Describe(problem);
    EXPECT_GE(solution->objective, *least - rounding) << Describe(problem);
    if (solution->termination == Termination::kOptimal) {
      EXPECT_NEAR(solution->objective, *least, 2e-9 + rounding) << Describe(problem);
      ++optimal;
    } else {
      EXPECT_EQ(solution->termination, Termination::kFeasible);
    }
    ++solved;
    found += solution->objective <= *least + rounding ? 1 : 0;
  }
  EXPECT_GT(solved, 100);
  EXPECT_GT(optimal, solved / 5);
  EXPECT_GT(found, solved * 8 / 10);
}

TEST(SolveConvex, WithoutCouplingIsSolve) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const Problem problem = NetworkLikeProblem(seed, 12, 4, 1, 0.4);
    const QuadraticChoice objective(problem, seed, 0, 0);
    const auto convex = SolveConvex(problem, objective, {}, {}, {});
    const auto sum = Solve(problem, {}, {});
    ASSERT_TRUE(convex.ok() && sum.ok());
    EXPECT_EQ(convex->termination, Termination::kOptimal);
    EXPECT_NEAR(convex->objective, sum->objective, 1e-9);
  }
}

TEST(SolveConvex, IsNeverWorseThanTheSumsChoiceAndTheSameEveryTime) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    const Problem problem = NetworkLikeProblem(seed, 25, 5, 1, 0.3);
    const QuadraticChoice objective(problem, seed, 8, 1e-2);
    const auto solution = SolveConvex(problem, objective, {}, {}, {});
    ASSERT_TRUE(solution.ok()) << solution.status();
    EXPECT_LE(solution->objective, objective.Value(OneHot(problem, Solve(problem, {}, {})->choice)));
    EXPECT_LE(solution->bound, solution->objective);
    EXPECT_EQ(solution->choice, SolveConvex(problem, objective, {}, {}, {})->choice);
  }
}

TEST(SolveConvex, IsNeverWorseThanAStartAndPassesOverThoseThatBreakABudget) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const Problem problem = NetworkLikeProblem(seed, 8, 4, 1, 0.3);
    const QuadraticChoice objective(problem, seed, 12, 1);
    std::vector<std::vector<int>> starts;
    for (int option = 0; option < 4; ++option) starts.emplace_back(8, option);
    const auto solution = SolveConvex(problem, objective, starts, {}, {});
    ASSERT_TRUE(solution.ok()) << solution.status();
    EXPECT_TRUE(KeepsBudgetsAndTies(problem, solution->choice));
    for (const std::vector<int>& start : starts) {
      if (!KeepsBudgetsAndTies(problem, start)) continue;
      EXPECT_LE(solution->objective, objective.Value(OneHot(problem, start)));
    }
  }
}

TEST(SolveConvex, StopsWhenAskedTo) {
  const Problem problem = NetworkLikeProblem(3, 25, 5, 1, 0.3);
  const QuadraticChoice objective(problem, 3, 8, 1e-2);
  std::stop_source stop;
  const RunContext context{.stop = stop.get_token(), .progress = [&](const Progress&) { stop.request_stop(); }};
  const auto solution = SolveConvex(problem, objective, {}, {}, context);
  ASSERT_TRUE(solution.ok()) << solution.status();
  EXPECT_EQ(solution->termination, Termination::kCancelled);
  EXPECT_FALSE(solution->choice.empty());
}

TEST(ImproveLocally, TakesExchangesThatSingleMovesDoNotReach) {
  // Two layers, one budget of 1: only one may take its better option; better for the second.
  Problem problem{.resources = {"size"}};
  problem.layers = {{.options = {{.objective = 3, .cost = {0}}, {.objective = 2, .cost = {1}}}},
                    {.options = {{.objective = 9, .cost = {0}}, {.objective = 1, .cost = {1}}}}};
  problem.budgets = {{.resource = 0, .limit = 1}};
  const QuadraticChoice objective(problem, 1, 0, 0);
  const ScoredChoice best = ImproveLocally(problem, objective, {.choice = {1, 0}, .value = 11}, {});
  EXPECT_EQ(best.choice, (std::vector<int>{0, 1}));
  EXPECT_EQ(best.value, 4);
}

}  // namespace
}  // namespace bitplan::allocation
