#include "search/allocation/one_budget.h"

#include <gtest/gtest.h>

#include "tests/testing/allocation_problems.h"

namespace bitplan::allocation {
namespace {

using ::bitplan::testing::CorrelatedProblem;
using ::bitplan::testing::NetworkLikeProblem;

ExactSolution SolveProblem(const Problem& problem, const SolverOptions& options = {}) {
  const auto groups = TieGroups(problem);
  const Instance instance = BuildInstance(problem, groups, BindingBudgets(problem, groups), std::nullopt);
  return SolveExactly(instance, options, {});
}

TEST(SolveExactly, ProvesNetworksOfAThousandLayers) {
  for (const double level : {0.02, 0.2, 0.5, 0.9}) {
    const ExactSolution solution = SolveProblem(NetworkLikeProblem(7, 1000, 16, 1, level));
    EXPECT_EQ(solution.termination, Termination::kOptimal);
    EXPECT_TRUE(solution.value == solution.bound);
    EXPECT_LT(solution.nodes, 2'000'000);
  }
}

// Instances on which bounds say little; without the whole-number unit and the equal-item rule they take millions of
// states.
TEST(SolveExactly, ProvesStronglyCorrelatedProblems) {
  for (const double noise : {0.0, 1e-3, 1.0}) {
    const ExactSolution solution = SolveProblem(CorrelatedProblem(7, 300, 6, 1000, noise));
    EXPECT_EQ(solution.termination, Termination::kOptimal) << noise;
  }
}

TEST(SolveExactly, BoundsOfAStoppedSearchEncloseTheOptimum) {
  const Problem problem = CorrelatedProblem(11, 150, 8, 1000, 1e-3);
  const ExactSolution best = SolveProblem(problem);
  ASSERT_EQ(best.termination, Termination::kOptimal);
  for (int64_t limit = 1; limit < best.nodes; limit *= 4) {
    const ExactSolution stopped = SolveProblem(problem, {.node_limit = limit});
    EXPECT_EQ(stopped.termination, Termination::kFeasible);
    EXPECT_TRUE(stopped.bound <= best.value) << limit;
    EXPECT_TRUE(stopped.value >= best.value) << limit;
    EXPECT_LE(stopped.nodes, limit);
  }
}

TEST(SolveExactly, ReportsInfeasibility) {
  const Problem problem{.resources = {"size"}, .layers = {{"", {{1, {5}}, {0, {6}}}}}, .budgets = {{0, 4}}};
  EXPECT_EQ(SolveProblem(problem).termination, Termination::kInfeasible);
}

}  // namespace
}  // namespace bitplan::allocation
