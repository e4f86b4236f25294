#include "search/allocation/cbc_solver.h"

#include <gtest/gtest.h>

#include <chrono>
#include <stop_token>
#include <thread>
#include <vector>

#include "search/allocation/solve.h"
#include "tests/testing/allocation_problems.h"
#include "tests/testing/brute_force_allocation.h"

namespace bitplan::allocation {
namespace {

using ::bitplan::testing::HardProblem;
using ::bitplan::testing::KeepsEverything;
using ::bitplan::testing::NetworkLikeProblem;

// CBC would take minutes; the test ends because it obeys.
TEST(SolveWithCbc, StopsOnRequestInTheMiddle) {
  const Problem problem = HardProblem(1, 40, 8, 3);
  std::stop_source source;
  std::jthread stopper([&source] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    source.request_stop();
  });
  const auto solution = Solve(problem, {.solver = "cbc"}, {.stop = source.get_token()});
  ASSERT_TRUE(solution.ok()) << solution.status();
  EXPECT_EQ(solution->termination, Termination::kCancelled);
  if (!solution->choice.empty()) {
    EXPECT_TRUE(KeepsEverything(problem, solution->choice));
  }
}

TEST(SolveWithCbc, StopsAtTheTimeLimitWithAChoiceAndABound) {
  const Problem problem = HardProblem(1, 40, 8, 3);
  const auto solution = Solve(problem, {.solver = "cbc", .time_limit_s = 0.5}, {});
  ASSERT_TRUE(solution.ok()) << solution.status();
  EXPECT_EQ(solution->termination, Termination::kTimeLimit);
  ASSERT_FALSE(solution->choice.empty());
  EXPECT_TRUE(KeepsEverything(problem, solution->choice));
  EXPECT_LT(solution->bound, solution->objective);
  EXPECT_LT(solution->gap, 0.2);
}

TEST(SolveWithCbc, PrintsNothing) {
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  const auto solution = Solve(NetworkLikeProblem(1, 30, 5, 3, 0.3), {.solver = "cbc"}, {});
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  EXPECT_TRUE(solution.ok());
}

// The server runs searches side by side: eight threads must get what one gets.
TEST(SolveWithCbc, GivesTheSameAnswersFromSeveralThreadsAtOnce) {
  constexpr int kThreads = 8;
  constexpr int kProblems = 12;
  std::vector<Solution> alone;
  alone.reserve(kProblems);
  for (int p = 0; p < kProblems; ++p) {
    alone.push_back(*Solve(NetworkLikeProblem(p, 25, 4, 2, 0.3), {.solver = "cbc"}, {}));
  }
  std::vector<std::vector<Solution>> together(kThreads);
  {
    std::vector<std::jthread> threads;
    threads.reserve(kThreads);
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&together, t] {
        for (int p = 0; p < kProblems; ++p) {
          together[t].push_back(*Solve(NetworkLikeProblem(p, 25, 4, 2, 0.3), {.solver = "cbc"}, {}));
        }
      });
    }
  }
  for (const std::vector<Solution>& answers : together) {
    for (int p = 0; p < kProblems; ++p) {
      EXPECT_EQ(answers[p].choice, alone[p].choice);
      EXPECT_EQ(answers[p].termination, alone[p].termination);
      EXPECT_EQ(answers[p].nodes, alone[p].nodes);
    }
  }
}

// Costs that differ in bits no double holds beside the limit: CBC offers choices one unit over, which are cut off in
// turn.
TEST(SolveWithCbc, CutsOffChoicesThatOnlyATolerancePermits) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(seed);
    Problem problem = ::bitplan::testing::CorrelatedProblem(seed, 4, 3, 50, 0);
    for (ProblemLayer& layer : problem.layers) {
      for (int64_t k = 0; k < 3; ++k) layer.options[k].cost[0] += (int64_t{1} << 58) * k;  // the same for every layer
    }
    problem.budgets[0].limit = 4 * (int64_t{1} << 58) + 70;
    const auto solution = Solve(problem, {.solver = "cbc"}, {});
    const auto truth = ::bitplan::testing::SolveByBruteForce(problem);
    ASSERT_TRUE(solution.ok()) << solution.status();
    ASSERT_EQ(solution->termination, truth.feasible ? Termination::kOptimal : Termination::kInfeasible);
    if (truth.feasible) {
      EXPECT_EQ(solution->objective, truth.objective);
    }
  }
}

}  // namespace
}  // namespace bitplan::allocation
