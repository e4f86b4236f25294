// HAWQ-v3 (Yao et al., ICML 2021) published nine bit configurations for ResNet18 on an NVIDIA T4. With the authors'
// figures as the problem, each must come out option for option, proven optimal, from every solver.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "search/allocation/solve.h"

namespace bitplan {
namespace {

constexpr int kBits[] = {4, 8};

// Published latencies have eight decimals, so 1e-8 ms counts them exactly; nanoseconds are what our profiles use.
enum class LatencyUnit { kExact, kNanoseconds };

nlohmann::json ReadFigures() {
  std::ifstream file(std::string(BITPLAN_TEST_DATA_DIR) + "/hawq/resnet18_t4.json");
  return nlohmann::json::parse(file);
}

int64_t Latency(double latency_ms, LatencyUnit unit) {
  return std::llround(latency_ms * (unit == LatencyUnit::kExact ? 1e8 : 1e6));
}

ProblemLayer MakeLayer(const nlohmann::json& row, LatencyUnit unit) {
  ProblemLayer layer{.name = row[0].get<std::string>()};
  for (int k = 0; k < 2; ++k) {
    const int64_t size = row[1].get<int64_t>() * kBits[k];
    const int64_t bops = row[2].get<int64_t>() * kBits[k] * kBits[k];
    const double score = row[3].get<double>() * row[4 + k].get<double>();
    layer.options.push_back({score, {size, bops, Latency(row[6 + k].get<double>(), unit)}});
  }
  return layer;
}

Problem MakeProblem(const nlohmann::json& figures, LatencyUnit unit) {
  Problem problem{.resources = {"size", "bops", "latency"}};
  for (const auto& row : figures["layers"]) problem.layers.push_back(MakeLayer(row, unit));
  problem.ties = figures["ties"].get<std::vector<std::vector<int>>>();
  return problem;
}

// The limit `level` of the way from all-4 to all-8, rounded down.
ProblemBudget InterpolatedBudget(const Problem& problem, const std::string& resource, double level) {
  int r = 0;
  while (problem.resources[r] != resource) ++r;
  int64_t low = 0;
  int64_t high = 0;
  for (const ProblemLayer& layer : problem.layers) {
    low += layer.options[0].cost[r];
    high += layer.options[1].cost[r];
  }
  return {r, low + static_cast<int64_t>(std::floor(level * static_cast<double>(high - low)))};
}

std::vector<int> BitsOf(const Solution& solution) {
  std::vector<int> bits;
  bits.reserve(solution.choice.size());
  for (const int option : solution.choice) bits.push_back(kBits[option]);
  return bits;
}

void ExpectPublishedPlans(const std::string& solver, LatencyUnit unit) {
  const nlohmann::json figures = ReadFigures();
  Problem problem = MakeProblem(figures, unit);
  ASSERT_EQ(figures["plans"].size(), 9);
  for (const auto& plan : figures["plans"]) {
    SCOPED_TRACE(plan.dump());
    problem.budgets = {InterpolatedBudget(problem, plan[0].get<std::string>(), plan[1].get<double>())};
    const auto solution = allocation::Solve(problem, {.solver = solver}, {});
    ASSERT_TRUE(solution.ok()) << solution.status();
    EXPECT_EQ(solution->termination, Termination::kOptimal);
    EXPECT_EQ(BitsOf(*solution), plan[2].get<std::vector<int>>());
    if (solver == "one_budget") {
      EXPECT_EQ(solution->gap, 0);
      EXPECT_EQ(solution->optimality_tolerance, 0);
    }
  }
}

TEST(HawqV3Plans, AllNineAreReproducedAndProvenOptimal) { ExpectPublishedPlans("one_budget", LatencyUnit::kExact); }

TEST(HawqV3Plans, AllNineSurviveLatencyInNanoseconds) { ExpectPublishedPlans("one_budget", LatencyUnit::kNanoseconds); }

TEST(HawqV3Plans, TheSolverForSeveralBudgetsReproducesAllNine) {
  ExpectPublishedPlans("several_budgets", LatencyUnit::kExact);
}

TEST(HawqV3Plans, CbcReproducesAllNine) { ExpectPublishedPlans("cbc", LatencyUnit::kExact); }

// The three budgets of one level at once: never better than the best plan for any one of them, and within all.
TEST(HawqV3Plans, ThreeBudgetsTogetherAreSolvedToo) {
  Problem problem = MakeProblem(ReadFigures(), LatencyUnit::kExact);
  for (const double level : {0.25, 0.5, 0.75}) {
    problem.budgets.clear();
    double best_alone = 0;
    for (const std::string& resource : problem.resources) {
      Problem alone = problem;
      alone.budgets = {InterpolatedBudget(problem, resource, level)};
      const auto solution = allocation::Solve(alone, {}, {});
      ASSERT_TRUE(solution.ok());
      best_alone = std::max(best_alone, solution->objective);
    }
    for (const std::string& resource : problem.resources) {
      problem.budgets.push_back(InterpolatedBudget(problem, resource, level));
    }
    const auto all = allocation::Solve(problem, {}, {});
    ASSERT_TRUE(all.ok()) << all.status();
    EXPECT_EQ(all->termination, Termination::kOptimal);
    EXPECT_GE(all->objective, best_alone);
    for (const BudgetUsage& usage : all->budgets) EXPECT_GE(usage.slack, 0);
  }
}

}  // namespace
}  // namespace bitplan
