#include "search/allocation/knapsack_dp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stop_token>

namespace bitplan::allocation {
namespace {

using ::testing::ElementsAre;

// Subset sum with the even numbers 2, 6, 10, .., 78: of capacity 401 only 400 can be filled, so value 820 - 400; the
// relaxation says 1 less, and the search has to show that it cannot be had (values are told to be in units of 1).
ReducedKnapsack SubsetSum() {
  ReducedKnapsack reduced;
  for (int i = 0; i < 20; ++i) {
    const int64_t weight = 4 * i + 2;
    reduced.knapsack.groups.push_back({{0, weight, 0}, {weight, 0, 1}});
  }
  reduced.knapsack.capacity = 401;
  return reduced;
}

// Starts as badly as can be: item 0 everywhere.
ListSearchResult Search(const ReducedKnapsack& reduced, const ListSearchLimits& limits, const RunContext& context) {
  return SearchLists(reduced, Relax(reduced.knapsack), std::vector<int>(reduced.knapsack.groups.size(), 0), limits,
                     context);
}

TEST(SearchLists, ProvesTheOptimum) {
  const ListSearchResult result = Search(SubsetSum(), {.max_states = 1'000'000}, {});
  EXPECT_EQ(result.termination, Termination::kOptimal);
  EXPECT_EQ(result.value, 800 - 400);
  EXPECT_EQ(result.bound, result.value);
}

TEST(SearchLists, ProvesAtOnceWithTheRightValueUnit) {
  ReducedKnapsack reduced = SubsetSum();
  const int64_t states = Search(reduced, {.max_states = 1'000'000}, {}).states;
  reduced.value_unit = 2;
  const ListSearchResult result = Search(reduced, {.max_states = 1'000'000}, {});
  EXPECT_EQ(result.value, 400);
  EXPECT_LT(result.states, states);
}

TEST(SearchLists, StopsAtTheStateLimitWithAValidBound) {
  const ListSearchResult result = Search(SubsetSum(), {.max_states = 10}, {});
  EXPECT_EQ(result.termination, Termination::kFeasible);
  EXPECT_LE(result.states, 10);
  EXPECT_LE(result.bound, 400);
  EXPECT_GE(result.value, 400);
}

TEST(SearchLists, StopsOnRequestAndAtTheDeadline) {
  std::stop_source source;
  source.request_stop();
  EXPECT_EQ(Search(SubsetSum(), {.max_states = 1'000'000}, {.stop = source.get_token()}).termination,
            Termination::kCancelled);
  EXPECT_EQ(Search(SubsetSum(), {.max_states = 1'000'000}, {.deadline = std::chrono::steady_clock::now()}).termination,
            Termination::kTimeLimit);
}

TEST(SearchLists, StopsAtTheGapAskedFor) {
  const ReducedKnapsack reduced = SubsetSum();
  const Relaxation relaxation = Relax(reduced.knapsack);
  const ListSearchResult result = SearchLists(reduced, relaxation, GreedyChoice(reduced.knapsack, relaxation),
                                              {.max_states = 1'000'000, .relative_gap = 0.5}, {});
  EXPECT_EQ(result.termination, Termination::kFeasible);
  EXPECT_EQ(result.states, 0);
  EXPECT_LE(result.value - result.bound, result.value / 2);
}

TEST(SearchLists, KeepsTheStartWhenNothingIsBetter) {
  ReducedKnapsack reduced;
  reduced.knapsack = {.groups = {{{0, 10, 0}, {3, 0, 1}}, {{0, 10, 0}, {4, 0, 1}}}, .capacity = 2};
  EXPECT_THAT(Search(reduced, {.max_states = 100}, {}).item, ElementsAre(0, 0));
}

}  // namespace
}  // namespace bitplan::allocation
