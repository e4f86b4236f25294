// Frontiers against the enumeration of every choice, and each of their points against a solve of its own.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "search/allocation/frontier.h"
#include "search/allocation/solve.h"
#include "tests/testing/allocation_problems.h"
#include "tests/testing/brute_force_allocation.h"

namespace bitplan {
namespace {

using ::bitplan::testing::CorrelatedProblem;
using ::bitplan::testing::Describe;
using ::bitplan::testing::KeepsEverything;
using ::bitplan::testing::NetworkLikeProblem;
using ::bitplan::testing::RandomProblem;

constexpr int kSwept = 0;

// Every (use of the swept resource, objective) of choices that keep everything, undominated, by rising use.
std::vector<std::pair<int64_t, double>> FrontByBruteForce(const Problem& problem) {
  std::map<int64_t, double> best;
  std::vector<int> choice(problem.layers.size(), 0);
  for (;;) {
    if (KeepsEverything(problem, choice)) {
      int64_t used = 0;
      double objective = 0;
      for (size_t i = 0; i < choice.size(); ++i) {
        used += problem.layers[i].options[choice[i]].cost[kSwept];
        objective += problem.layers[i].options[choice[i]].objective;
      }
      const auto [at, is_new] = best.emplace(used, objective);
      if (!is_new) at->second = std::min(at->second, objective);
    }
    size_t i = 0;
    while (i < choice.size() && ++choice[i] == std::ssize(problem.layers[i].options)) choice[i++] = 0;
    if (i == choice.size()) break;
  }
  std::vector<std::pair<int64_t, double>> front;
  for (const auto& [used, objective] : best) {
    if (front.empty() || objective < front.back().second) front.emplace_back(used, objective);
  }
  return front;
}

// A random problem whose first resource has no budget.
Problem ToSweep(uint64_t seed, int min_budgets, int max_budgets, bool whole, bool rules = false) {
  Problem problem = RandomProblem({.seed = seed,
                                   .max_layers = 5,
                                   .min_budgets = min_budgets,
                                   .max_budgets = max_budgets,
                                   .whole_objectives = whole,
                                   .rules = rules});
  if (problem.resources.empty()) {
    problem.resources.emplace_back("swept");
    for (ProblemPair& pair : problem.pairs) {
      if (!pair.cost.empty()) pair.cost.push_back(0);
    }
    for (ProblemLayer& layer : problem.layers) {
      for (ProblemOption& option : layer.options)
        option.cost.push_back(static_cast<int64_t>(&option - &layer.options[0]));
    }
  }
  std::erase_if(problem.budgets, [](const ProblemBudget& budget) { return budget.resource == kSwept; });
  return problem;
}

Problem WithLimit(Problem problem, int64_t limit) {
  problem.budgets.push_back({.resource = kSwept, .limit = limit});
  return problem;
}

Frontier FrontierOrFail(const Problem& problem, const FrontierRequest& request) {
  auto frontier = allocation::ComputeFrontier(problem, request, {}, {}, {});
  EXPECT_TRUE(frontier.ok()) << frontier.status() << "\n" << Describe(problem);
  return frontier.ok() ? *std::move(frontier) : Frontier{};
}

void ExpectEqualsBruteForce(const Problem& problem) {
  const auto front = FrontByBruteForce(problem);
  const Frontier frontier = FrontierOrFail(problem, {.resource = kSwept, .complete = true});
  if (front.empty()) {
    EXPECT_TRUE(frontier.points.empty()) << Describe(problem);
    EXPECT_FALSE(frontier.note.empty());
    return;
  }
  ASSERT_TRUE(frontier.complete) << frontier.note << Describe(problem);
  ASSERT_EQ(frontier.points.size(), front.size()) << Describe(problem);
  for (size_t i = 0; i < front.size(); ++i) {
    EXPECT_EQ(frontier.points[i].limit, front[i].first) << Describe(problem);
    EXPECT_EQ(frontier.points[i].totals[kSwept], front[i].first);
    EXPECT_EQ(frontier.points[i].objective, front[i].second) << Describe(problem);
    EXPECT_EQ(frontier.points[i].termination, Termination::kOptimal);
    EXPECT_TRUE(KeepsEverything(problem, frontier.points[i].choice));
  }
}

TEST(Frontier, CompleteFrontEqualsBruteForceWithoutOtherBudgets) {
  for (uint64_t seed = 1; seed <= 40'000; ++seed) ExpectEqualsBruteForce(ToSweep(seed, 0, 1, true));
}

TEST(Frontier, CompleteFrontEqualsBruteForceWithOtherBudgets) {
  for (uint64_t seed = 1; seed <= 20'000; ++seed) ExpectEqualsBruteForce(ToSweep(seed, 2, 4, true));
}

// On the hull: no vertex is missing, none is too many.
TEST(Frontier, HullIsTheConvexHullOfTheFront) {
  for (uint64_t seed = 1; seed <= 2000; ++seed) {
    const Problem problem = ToSweep(seed, 0, 1, true);
    const auto front = FrontByBruteForce(problem);
    std::vector<std::pair<int64_t, double>> hull;
    const auto is_above = [](const auto& a, const auto& b, const auto& c) {
      return static_cast<long double>(b.second - a.second) * (c.first - a.first) >=
             static_cast<long double>(c.second - a.second) * (b.first - a.first);
    };
    for (const auto& point : front) {
      while (hull.size() >= 2 && is_above(hull[hull.size() - 2], hull.back(), point)) hull.pop_back();
      hull.push_back(point);
    }
    const Frontier frontier = FrontierOrFail(problem, {.resource = kSwept, .complete = true});
    ASSERT_EQ(frontier.hull.size(), hull.size()) << Describe(problem);
    std::set<int64_t> marked;
    for (const FrontierPoint& point : frontier.points) {
      if (point.supported) marked.insert(point.limit);
    }
    EXPECT_EQ(marked.size(), hull.size()) << Describe(problem);
    for (size_t i = 0; i < hull.size(); ++i) {
      EXPECT_EQ(frontier.hull[i].used, hull[i].first) << Describe(problem);
      EXPECT_EQ(frontier.hull[i].objective, hull[i].second);
      EXPECT_TRUE(marked.contains(hull[i].first));
    }
  }
}

void ExpectPointsEqualSolves(const Problem& problem, const FrontierRequest& request, double tolerance) {
  std::map<size_t, double> reported;
  const allocation::FrontierSink sink = [&](const FrontierPoint& point, size_t index, size_t) {
    reported[index] = point.objective;
  };
  const auto frontier = allocation::ComputeFrontier(problem, request, {}, {}, sink);
  ASSERT_TRUE(frontier.ok()) << frontier.status();
  EXPECT_EQ(reported.size(), frontier->points.size());
  for (size_t i = 0; i < frontier->points.size(); ++i) {
    const FrontierPoint& point = frontier->points[i];
    const auto fresh = allocation::Solve(WithLimit(problem, point.limit), {}, {});
    ASSERT_TRUE(fresh.ok()) << fresh.status();
    EXPECT_EQ(point.termination, fresh->termination) << point.limit << Describe(problem);
    if (fresh->choice.empty()) continue;
    EXPECT_NEAR(point.objective, fresh->objective, tolerance) << point.limit << Describe(problem);
    EXPECT_EQ(reported[i], point.objective);
    EXPECT_TRUE(KeepsEverything(WithLimit(problem, point.limit), point.choice)) << Describe(problem);
  }
}

TEST(Frontier, PointsOfSmallProblemsEqualSolves) {
  for (uint64_t seed = 1; seed <= 5'000; ++seed) {
    const Problem problem = ToSweep(seed, 0, 4, true);
    ExpectPointsEqualSolves(problem, {.resource = kSwept, .num_points = 9}, 0);
    int64_t most = 0;
    for (const ProblemLayer& layer : problem.layers) {
      for (const ProblemOption& option : layer.options) most = std::max(most, option.cost[kSwept]);
    }
    ExpectPointsEqualSolves(problem, {.resource = kSwept, .limits = {most, 0, most / 2, most, 2 * most + 1}}, 0);
  }
}

TEST(Frontier, PointsOfProblemsWithRulesEqualSolves) {
  for (uint64_t seed = 1; seed <= 1'000; ++seed) {
    const Problem problem = ToSweep(seed, 0, 3, true, /*rules=*/true);
    ExpectPointsEqualSolves(problem, {.resource = kSwept, .num_points = 5}, 1e-9);
  }
}

TEST(Frontier, PointsOfNetworksEqualSolves) {
  for (const int num_budgets : {1, 2, 3}) {
    Problem problem = NetworkLikeProblem(5, 60, 6, num_budgets, 0.4);
    std::erase_if(problem.budgets, [](const ProblemBudget& budget) { return budget.resource == kSwept; });
    ExpectPointsEqualSolves(problem, {.resource = kSwept, .num_points = 25}, 1e-9);
  }
}

TEST(Frontier, NamedSolversGiveTheSamePoints) {
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    const Problem problem = ToSweep(seed, 0, 3, true);
    const Frontier ours = FrontierOrFail(problem, {.resource = kSwept, .num_points = 5});
    FrontierRequest same{.resource = kSwept};
    for (const FrontierPoint& point : ours.points) same.limits.push_back(point.limit);
    const auto named = allocation::ComputeFrontier(problem, same, {.solver = "several_budgets"}, {}, {});
    ASSERT_TRUE(named.ok()) << named.status();
    if (ours.points.empty()) continue;
    ASSERT_EQ(named->points.size(), ours.points.size()) << Describe(problem);
    for (size_t i = 0; i < ours.points.size(); ++i) {
      EXPECT_EQ(named->points[i].objective, ours.points[i].objective) << Describe(problem);
    }
  }
}

TEST(Frontier, ObjectivesFallAndMultipliersMeetTheHull) {
  Problem problem = NetworkLikeProblem(3, 200, 8, 1, 0.5);
  problem.budgets.clear();
  const Frontier frontier = FrontierOrFail(problem, {.resource = kSwept, .num_points = 50});
  ASSERT_EQ(frontier.points.size(), 50U);
  for (size_t i = 1; i < frontier.points.size(); ++i) {
    EXPECT_LE(frontier.points[i].objective, frontier.points[i - 1].objective);
    EXPECT_LE(frontier.points[i].totals[kSwept], frontier.points[i].limit);
  }
  EXPECT_EQ(frontier.points.front().totals[kSwept], frontier.hull.front().used);
  EXPECT_EQ(frontier.points.back().totals[kSwept], frontier.hull.back().used);
}

TEST(Frontier, GivesACompleteFrontUpAtItsCap) {
  Problem problem = CorrelatedProblem(3, 12, 6, 1000, 1.0);
  problem.budgets.clear();
  const Frontier all = FrontierOrFail(problem, {.resource = kSwept, .complete = true});
  ASSERT_TRUE(all.complete);
  const FrontierRequest capped{
      .resource = kSwept, .num_points = 7, .complete = true, .max_points = std::ssize(all.points) / 2};
  const Frontier some = FrontierOrFail(problem, capped);
  EXPECT_FALSE(some.complete);
  EXPECT_EQ(some.points.size(), 7U);
  EXPECT_NE(some.note.find("given up"), std::string::npos);
}

TEST(Frontier, StopsOnRequest) {
  Problem problem = NetworkLikeProblem(3, 200, 8, 1, 0.5);
  problem.budgets.clear();
  std::stop_source stop;
  RunContext context{.stop = stop.get_token()};
  const auto frontier = allocation::ComputeFrontier(problem, {.resource = kSwept, .num_points = 40}, {}, context,
                                                    [&](const FrontierPoint&, size_t index, size_t) {
                                                      if (index == 20) stop.request_stop();
                                                    });
  ASSERT_TRUE(frontier.ok());
  EXPECT_LT(frontier->points.size(), 40U);
  EXPECT_NE(frontier->note.find("of 40 limits"), std::string::npos);
}

TEST(Frontier, RefusesWhatMakesNoSense) {
  const Problem problem = NetworkLikeProblem(3, 10, 4, 1, 0.5);  // its budget is on resource 0
  const auto code = [&](const FrontierRequest& request, const SolverOptions& options = {}) {
    return allocation::ComputeFrontier(problem, request, options, {}, {}).status().code();
  };
  EXPECT_EQ(code({.resource = 0}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.resource = 3}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.resource = 1, .num_points = 1}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.resource = 1, .limits = {-1}}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.resource = 1, .max_points = 0}), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code({.resource = 1}, {.solver = "oracle"}), absl::StatusCode::kNotFound);
  EXPECT_TRUE(allocation::ComputeFrontier(problem, {.resource = 1}, {}, {}, {}).ok());
}

// f(x) = sum of squares of layer sums with one coupling: convex. Its frontier is monotone and its points keep limits.
class Coupled final : public ConvexObjective {
 public:
  explicit Coupled(const Problem& problem) {
    for (const ProblemLayer& layer : problem.layers) {
      for (const ProblemOption& option : layer.options) weight_.push_back(option.objective);
    }
  }
  double Value(std::span<const double> x) const override {
    double sum = 0;
    for (size_t i = 0; i < x.size(); ++i) sum += weight_[i] * x[i];
    return sum + sum * sum;
  }
  double ValueAndGradient(std::span<const double> x, std::span<double> gradient) const override {
    double sum = 0;
    for (size_t i = 0; i < x.size(); ++i) sum += weight_[i] * x[i];
    for (size_t i = 0; i < x.size(); ++i) gradient[i] = weight_[i] * (1 + 2 * sum);
    return sum + sum * sum;
  }
  double tolerance() const override { return 1e-9; }

 private:
  std::vector<double> weight_;
};

// A rising function of a sum has the sum's best choices.
TEST(Frontier, ConvexPointsEqualThoseOfTheSumWhereTheFunctionRisesWithIt) {
  Problem problem = NetworkLikeProblem(3, 20, 5, 1, 0.5);
  problem.budgets.clear();
  const FrontierRequest request{.resource = kSwept, .num_points = 12};
  const Frontier sums = FrontierOrFail(problem, request);
  const auto convex = allocation::ComputeConvexFrontier(problem, Coupled(problem), {}, request, {}, {}, {});
  ASSERT_TRUE(convex.ok()) << convex.status();
  ASSERT_EQ(convex->points.size(), sums.points.size());
  for (size_t i = 0; i < sums.points.size(); ++i) {
    const double sum = sums.points[i].objective;
    EXPECT_NEAR(convex->points[i].objective, sum + sum * sum, 1e-9);
    EXPECT_LE(convex->points[i].bound, convex->points[i].objective);
    EXPECT_LE(convex->points[i].totals[kSwept], convex->points[i].limit);
    if (i > 0) {
      EXPECT_LE(convex->points[i].bound, convex->points[i - 1].bound);
    }
  }
}

}  // namespace
}  // namespace bitplan
