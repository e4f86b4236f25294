// The best choices at a distance from each other against the enumeration of all.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "search/allocation/solve.h"
#include "search/allocation/top_choices.h"
#include "tests/testing/allocation_problems.h"
#include "tests/testing/brute_force_allocation.h"

namespace bitplan {
namespace {

using ::bitplan::testing::Describe;
using ::bitplan::testing::KeepsEverything;
using ::bitplan::testing::NetworkLikeProblem;
using ::bitplan::testing::RandomProblem;

std::vector<std::vector<int>> AllChoices(const Problem& problem) {
  std::vector<std::vector<int>> all;
  std::vector<int> choice(problem.layers.size(), 0);
  for (;;) {
    if (KeepsEverything(problem, choice)) all.push_back(choice);
    size_t i = 0;
    while (i < choice.size() && ++choice[i] == std::ssize(problem.layers[i].options)) choice[i++] = 0;
    if (i == choice.size()) return all;
  }
}

double ObjectiveOf(const Problem& problem, const std::vector<int>& choice) {
  double sum = 0;
  for (size_t i = 0; i < choice.size(); ++i) sum += problem.layers[i].options[choice[i]].objective;
  for (const ProblemPair& pair : problem.pairs) {
    const bool meets = choice[pair.layer_a] == pair.option_a && choice[pair.layer_b] == pair.option_b;
    if (meets) sum += pair.objective;
  }
  return sum;
}

TopChoices FindOrFail(const Problem& problem, const TopChoicesRequest& request) {
  auto found = allocation::FindTopChoices(problem, request, {}, {});
  EXPECT_TRUE(found.ok()) << found.status() << Describe(problem);
  return found.ok() ? *std::move(found) : TopChoices{};
}

// Each choice is a best one of those that keep their distance from the ones before it. Of equal ones any may have been
// taken, so the enumeration follows.
void ExpectBest(const Problem& problem, const TopChoicesRequest& request) {
  std::vector<std::vector<int>> left = AllChoices(problem);
  const TopChoices found = FindOrFail(problem, request);
  if (left.empty()) {
    ASSERT_EQ(found.solutions.size(), 1U);
    EXPECT_EQ(found.solutions[0].termination, Termination::kInfeasible);
    return;
  }
  for (const Solution& solution : found.solutions) {
    ASSERT_FALSE(left.empty()) << Describe(problem);
    double best = ObjectiveOf(problem, left.front());
    for (const auto& choice : left) best = std::min(best, ObjectiveOf(problem, choice));
    EXPECT_EQ(solution.termination, Termination::kOptimal) << Describe(problem);
    EXPECT_EQ(solution.objective, best) << Describe(problem);
    EXPECT_NE(std::ranges::find(left, solution.choice), left.end()) << Describe(problem);
    EXPECT_EQ(solution.budgets.size(), problem.budgets.size());
    std::erase_if(left, [&](const std::vector<int>& choice) {
      return allocation::Distance(problem, choice, solution.choice) < request.distance;
    });
  }
  if (std::ssize(found.solutions) == request.count) return;
  EXPECT_TRUE(left.empty()) << Describe(problem);
  EXPECT_TRUE(found.exhausted);
  EXPECT_FALSE(found.note.empty());
}

TEST(TopChoices, EqualEnumerationWithOneBudget) {
  for (uint64_t seed = 1; seed <= 1500; ++seed) {
    const Problem problem = RandomProblem({.seed = seed, .max_layers = 5, .max_options = 3, .whole_objectives = true});
    ExpectBest(problem, {.count = 6, .distance = 1});
    ExpectBest(problem, {.count = 4, .distance = 2});
  }
}

TEST(TopChoices, EqualEnumerationWithSeveralBudgets) {
  for (uint64_t seed = 1; seed <= 1000; ++seed) {
    const Problem problem = RandomProblem({.seed = seed,
                                           .max_layers = 5,
                                           .max_options = 3,
                                           .min_budgets = 2,
                                           .max_budgets = 3,
                                           .whole_objectives = true});
    ExpectBest(problem, {.count = 5, .distance = 1});
    ExpectBest(problem, {.count = 3, .distance = 3});
  }
}

TEST(TopChoices, EqualEnumerationWhereRulesHold) {
  for (uint64_t seed = 1; seed <= 1000; ++seed) {
    const Problem problem = RandomProblem(
        {.seed = seed, .max_layers = 5, .max_options = 3, .max_budgets = 2, .whole_objectives = true, .rules = true});
    ExpectBest(problem, {.count = 4, .distance = 1});
    ExpectBest(problem, {.count = 3, .distance = 2});
  }
}

// Enough of them that every choice comes, in order.
TEST(TopChoices, ListAllChoicesOfASmallProblem) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    const Problem problem = RandomProblem({.seed = seed, .max_layers = 3, .max_options = 3, .whole_objectives = true});
    const size_t count = AllChoices(problem).size();
    const TopChoices found = FindOrFail(problem, {.count = 100, .distance = 1});
    EXPECT_TRUE(found.exhausted);
    EXPECT_EQ(found.solutions.size(), std::max<size_t>(count, 1)) << Describe(problem);
    for (size_t i = 1; i < found.solutions.size(); ++i) {
      EXPECT_LE(found.solutions[i - 1].objective, found.solutions[i].objective);
    }
  }
}

TEST(TopChoices, OfNetworksKeepTheirDistance) {
  for (const int num_budgets : {1, 3}) {
    const Problem problem = NetworkLikeProblem(4, 60, 6, num_budgets, 0.4);
    const TopChoices found = FindOrFail(problem, {.count = 5, .distance = 4});
    ASSERT_EQ(found.solutions.size(), 5U);
    EXPECT_EQ(found.solutions[0].objective, allocation::Solve(problem, {}, {})->objective);
    for (size_t i = 0; i < 5; ++i) {
      EXPECT_EQ(found.solutions[i].termination, Termination::kOptimal);
      EXPECT_TRUE(KeepsEverything(problem, found.solutions[i].choice));
      for (size_t j = 0; j < i; ++j) {
        EXPECT_GE(allocation::Distance(problem, found.solutions[i].choice, found.solutions[j].choice), 4);
        EXPECT_LE(found.solutions[j].objective, found.solutions[i].objective + 1e-9);
      }
    }
  }
}

TEST(TopChoices, RefusesWhatMakesNoSense) {
  const Problem problem = NetworkLikeProblem(4, 6, 3, 1, 0.4);
  for (const TopChoicesRequest& request :
       {TopChoicesRequest{.count = 0}, TopChoicesRequest{.count = 101}, TopChoicesRequest{.distance = 0}}) {
    EXPECT_EQ(allocation::FindTopChoices(problem, request, {}, {}).status().code(), absl::StatusCode::kInvalidArgument);
  }
  const TopChoices far = FindOrFail(problem, {.count = 3, .distance = 7});
  EXPECT_EQ(far.solutions.size(), 1U);
  EXPECT_TRUE(far.exhausted);
}

}  // namespace
}  // namespace bitplan
