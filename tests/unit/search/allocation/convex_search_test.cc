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
#include "tests/testing/brute_force_allocation.h"

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

// The same with its curvature told.
class OpenQuadratic final : public ConvexObjective {
 public:
  OpenQuadratic(const Problem& problem, uint64_t seed, int rank, double coupling)
      : hidden_(problem, seed, rank, coupling) {
    for (const ProblemLayer& layer : problem.layers) size_ += layer.options.size();
  }
  double Value(std::span<const double> x) const override { return hidden_.Value(x); }
  double ValueAndGradient(std::span<const double> x, std::span<double> gradient) const override {
    return hidden_.ValueAndGradient(x, gradient);
  }
  bool CurvatureFloor(std::span<double> floor, const RunContext&) const override {
    std::vector<double> x(size_, 0.0);
    std::vector<double> at_zero(size_);
    hidden_.ValueAndGradient(x, at_zero);
    std::vector<double> gradient(size_);
    for (size_t j = 0; j < size_; ++j) {
      x.assign(size_, 0.0);
      x[j] = 1;
      hidden_.ValueAndGradient(x, gradient);
      for (size_t i = 0; i < size_; ++i) floor[i * size_ + j] = gradient[i] - at_zero[i];
    }
    return true;
  }
  bool is_quadratic() const override { return true; }
  double tolerance() const override { return hidden_.tolerance(); }

 private:
  QuadraticChoice hidden_;
  size_t size_ = 0;
};

// f(x) = a'x / 8 + scale mean_n [ log sum_c exp(z_n + V_n x) ]: convex, no quadratic; with or without its curvature
// told.
class SoftmaxChoice final : public ConvexObjective {
 public:
  SoftmaxChoice(const Problem& problem, uint64_t seed, double scale, bool tells) : scale_(scale), tells_(tells) {
    Rng rng(seed, 2);
    for (const ProblemLayer& layer : problem.layers) {
      first_.push_back(std::ssize(linear_));
      for (const ProblemOption& option : layer.options) linear_.push_back(option.objective / 8);
    }
    first_.push_back(std::ssize(linear_));
    for (int row = 0; row < kSamples * kClasses; ++row) {
      outputs_.push_back(rng.NextGaussian());
      for (size_t j = 0; j < linear_.size(); ++j) changes_.push_back(0.5 * rng.NextGaussian());
    }
  }

  double Value(std::span<const double> x) const override {
    std::vector<double> unused(x.size());
    return ValueAndGradient(x, unused);
  }
  double ValueAndGradient(std::span<const double> x, std::span<double> gradient) const override {
    double value = 0;
    for (size_t j = 0; j < x.size(); ++j) {
      value += linear_[j] * x[j];
      gradient[j] = linear_[j];
    }
    for (int n = 0; n < kSamples; ++n) {
      std::vector<double> z(kClasses);
      double sum = 0;
      for (int c = 0; c < kClasses; ++c) {
        z[c] = outputs_[n * kClasses + c];
        for (size_t j = 0; j < x.size(); ++j) z[c] += Change(n, c, j) * x[j];
        sum += std::exp(z[c]);
      }
      value += scale_ * std::log(sum) / kSamples;
      for (int c = 0; c < kClasses; ++c) {
        for (size_t j = 0; j < x.size(); ++j) gradient[j] += scale_ * std::exp(z[c]) / sum * Change(n, c, j) / kSamples;
      }
    }
    return value;
  }
  bool CurvatureFloor(std::span<double> floor, const RunContext&) const override {
    if (!tells_) return false;
    const size_t size = linear_.size();
    std::ranges::fill(floor, 0.0);
    for (int n = 0; n < kSamples; ++n) {
      double least = 1e9;
      double most = -1e9;
      double sum = 0;
      for (int c = 0; c < kClasses; ++c) {
        double low = 0;
        double high = 0;
        for (size_t l = 0; l + 1 < first_.size(); ++l) {
          double low_of_layer = 1e9;
          double high_of_layer = -1e9;
          for (int64_t j = first_[l]; j < first_[l + 1]; ++j) {
            low_of_layer = std::min(low_of_layer, Change(n, c, j));
            high_of_layer = std::max(high_of_layer, Change(n, c, j));
          }
          low += low_of_layer;
          high += high_of_layer;
        }
        least = std::min(least, low);
        most = std::max(most, high);
        sum += std::exp(outputs_[n * kClasses + c]);
      }
      for (size_t i = 0; i < size; ++i) {
        for (size_t j = 0; j < size; ++j) {
          double both = 0;
          double mean_i = 0;
          double mean_j = 0;
          for (int c = 0; c < kClasses; ++c) {
            const double p = std::exp(outputs_[n * kClasses + c]) / sum;
            both += p * Change(n, c, i) * Change(n, c, j);
            mean_i += p * Change(n, c, i);
            mean_j += p * Change(n, c, j);
          }
          floor[i * size + j] += scale_ * std::exp(least - most) * (both - mean_i * mean_j) / kSamples;
        }
      }
    }
    return true;
  }
  double tolerance() const override { return 1e-9; }

 private:
  static constexpr int kSamples = 3;
  static constexpr int kClasses = 3;
  double Change(int n, int c, size_t j) const { return changes_[(n * kClasses + c) * linear_.size() + j]; }
  double scale_;
  bool tells_;
  std::vector<double> linear_;
  std::vector<int64_t> first_;
  std::vector<double> outputs_, changes_;
};

bool KeepsBudgetsAndTies(const Problem& problem, const std::vector<int>& choice) {
  return testing::KeepsEverything(problem, choice);
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

// Largest |objective| of a problem; 0 where a coupling of that size would drown in the others' rounding.
double SizeOf(const Problem& problem) {
  double least = std::numeric_limits<double>::infinity();
  double most = 0;
  for (const ProblemLayer& layer : problem.layers) {
    for (const ProblemOption& option : layer.options) {
      most = std::max(most, std::abs(option.objective));
      if (option.objective != 0) least = std::min(least, std::abs(option.objective));
    }
  }
  return most > 1e-3 && most < 1e6 ? most : 0;
}

void ExpectProven(const Problem& problem, const ConvexObjective& objective, int& solved) {
  const auto solution = SolveConvex(problem, objective, {}, {}, {});
  ASSERT_TRUE(solution.ok()) << solution.status() << Describe(problem);
  const auto least = LeastByEnumeration(problem, objective);
  ASSERT_EQ(least.has_value(), !solution->choice.empty()) << Describe(problem);
  if (!least) {
    EXPECT_EQ(solution->termination, Termination::kInfeasible);
    return;
  }
  ++solved;
  EXPECT_EQ(solution->termination, Termination::kOptimal) << Describe(problem);
  EXPECT_TRUE(KeepsBudgetsAndTies(problem, solution->choice)) << Describe(problem);
  // Twice the tolerance: the enumeration adds up in another order.
  EXPECT_NEAR(solution->objective, *least, 2 * solution->optimality_tolerance) << Describe(problem);
}

TEST(SolveConvex, ProvesQuadraticsOfEveryRankLikeEnumeration) {
  int solved = 0;
  for (uint64_t seed = 1; seed <= 2000; ++seed) {
    const Problem problem = RandomProblem(
        {.seed = seed, .min_layers = 2, .max_layers = 6, .max_options = 4, .max_budgets = static_cast<int>(seed % 4)});
    const double size = SizeOf(problem);
    if (size == 0) continue;
    const int rank = 1 + static_cast<int>(seed % 12);
    const OpenQuadratic objective(problem, seed, rank, std::sqrt(size / rank));
    ExpectProven(problem, objective, solved);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(solved, 1000);
}

// Options that are not allowed, lower budgets, class ties, forbidden pairs, steps; prices of pairs are not convex.
TEST(SolveConvex, KeepsRulesLikeEnumeration) {
  int solved = 0;
  for (uint64_t seed = 1; seed <= 1500; ++seed) {
    Problem problem = RandomProblem({.seed = seed,
                                     .min_layers = 2,
                                     .max_layers = 5,
                                     .max_options = 4,
                                     .max_budgets = static_cast<int>(seed % 4),
                                     .rules = true});
    for (ProblemPair& pair : problem.pairs) pair.objective = 0;
    const double size = SizeOf(problem);
    if (size == 0 || !HasRules(problem)) continue;
    const OpenQuadratic objective(problem, seed, 3, std::sqrt(size / 3));
    ExpectProven(problem, objective, solved);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(solved, 300);
}

TEST(SolveConvex, ProvesSoftmaxLossesLikeEnumeration) {
  int solved = 0;
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    const Problem problem = RandomProblem(
        {.seed = seed, .min_layers = 2, .max_layers = 5, .max_options = 4, .max_budgets = static_cast<int>(seed % 4)});
    const double size = SizeOf(problem);
    if (size == 0) continue;
    const SoftmaxChoice objective(problem, seed, size, seed % 2 == 0);
    ExpectProven(problem, objective, solved);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(solved, 250);
}

TEST(SolveConvex, StopsAtTheNodeLimitWithAValidBound) {
  const Problem problem = NetworkLikeProblem(5, 20, 3, 2, 0.4);
  const OpenQuadratic objective(problem, 5, 6, 1);
  const auto proven = SolveConvex(problem, objective, {}, {}, {});
  const auto stopped = SolveConvex(problem, objective, {}, {.node_limit = 1}, {});
  ASSERT_TRUE(proven.ok() && stopped.ok());
  ASSERT_EQ(proven->termination, Termination::kOptimal);
  EXPECT_EQ(stopped->termination, Termination::kFeasible);
  EXPECT_LE(stopped->bound, proven->objective + proven->optimality_tolerance);
  EXPECT_GE(stopped->objective, proven->objective - proven->optimality_tolerance);
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

// While it runs: plans only get better, bounds only rise.
TEST(SolveConvex, ReportsTheBestChoiceAndTheBound) {
  const Problem problem = NetworkLikeProblem(5, 25, 5, 2, 0.4);
  const OpenQuadratic objective(problem, 5, 4, 1.0);
  std::vector<Progress> reports;
  const RunContext context{.progress = [&](const Progress& report) { reports.push_back(report); }};
  const Solution solution = *SolveConvex(problem, objective, {}, {.node_limit = 200'000}, context);

  ASSERT_GT(reports.size(), 3U);
  for (size_t i = 0; i < reports.size(); ++i) {
    if (i > 0) {
      EXPECT_LE(*reports[i].objective, *reports[i - 1].objective);
    }
    EXPECT_LE(reports[i].bound.value_or(*reports[i].objective), *reports[i].objective);
  }
  EXPECT_LE(solution.objective, *reports.back().objective);
  EXPECT_GE(solution.bound, reports.back().bound.value_or(solution.bound));
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
