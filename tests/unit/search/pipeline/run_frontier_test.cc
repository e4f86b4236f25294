#include "search/pipeline/run_frontier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "search/base/status.h"
#include "search/hardware/shipped_profiles.h"

namespace bitplan {
namespace {

using pipeline::ComputeFrontier;
using pipeline::FromGiven;
using pipeline::ParseBudget;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

// Three layers of 100, 200 and 300 weights and 10 MACs each, options w4a4 and w8a8, scores at 4 bits 3, 2 and 1, at 8
// bits 0. Sizes in bits: w4 400, 800, 1200 (2400 in all), w8 800, 1600, 2400 (4800).
Measurement SmallMeasurement() {
  GivenSensitivities given;
  given.sensitivity.method = "given";
  for (int i = 0; i < 3; ++i) {
    given.layers.layers.push_back(
        {.name = std::string(1, static_cast<char>('a' + i)), .num_weights = 100 * (i + 1), .macs = 10});
    given.options.options.push_back(
        {{4, 4, "given", Granularity::kPerTensor}, {8, 8, "given", Granularity::kPerTensor}});
    given.sensitivity.score.push_back({3.0 - i, 0});
    given.sensitivity.standard_error.push_back({0, 0});
  }
  return FromGiven(given).value();
}

FrontierSearch Request(const std::vector<std::string>& budgets = {}, const std::vector<std::string>& limits = {}) {
  FrontierSearch request{.search = {.profile = hardware::FindShippedProfile("generic").value()}};
  for (const std::string& budget : budgets) request.search.budgets.push_back(ParseBudget(budget).value());
  for (const std::string& limit : limits) request.limits.push_back(ParseBudget(limit).value());
  return request;
}

std::vector<std::pair<int64_t, double>> PointsOf(const LossFrontier& found) {
  std::vector<std::pair<int64_t, double>> points;
  for (const FrontierPoint& point : found.frontier.points) points.emplace_back(point.totals.back(), point.objective);
  return points;
}

// Of the eight plans 3200:4, 3600:5, 4000:2 and 4400:3 are dominated.
TEST(ComputeFrontier, ListsTheWholeFront) {
  FrontierSearch request = Request();
  request.complete = true;
  const auto found = ComputeFrontier(SmallMeasurement(), request, {}, {});
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_TRUE(found->frontier.complete);
  EXPECT_THAT(PointsOf(*found), ElementsAre(Pair(2400, 6), Pair(2800, 3), Pair(3600, 1), Pair(4800, 0)));
  EXPECT_THAT(found->terms.layers, ElementsAre("a", "b", "c"));
  EXPECT_EQ(found->terms.options[1][1].weight_bits, 8);
  EXPECT_THAT(found->frontier.points[2].choice, ElementsAre(1, 1, 0));
}

// bops: 10 * 16 each at 4 bits, 10 * 64 at 8: one layer may have 8 bits.
TEST(ComputeFrontier, KeepsOtherBudgets) {
  FrontierSearch request = Request({"bops=960"});
  request.complete = true;
  const auto found = ComputeFrontier(SmallMeasurement(), request, {}, {});
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_THAT(PointsOf(*found), ElementsAre(Pair(2400, 6), Pair(2800, 3)));
  EXPECT_EQ(found->terms.resources.size(), 2U);
}

TEST(ComputeFrontier, TakesLimitsInTheSpellingOfBudgets) {
  std::vector<int64_t> heard;
  bool had_terms = false;
  const FrontierListener listener{
      .on_terms = [&](const FrontierTerms&) { had_terms = true; },
      .on_point = [&](const FrontierPoint& point, size_t, size_t) { heard.push_back(point.limit); }};
  const auto found =
      ComputeFrontier(SmallMeasurement(), Request({}, {"size=0.75x", "size=0.1x", "size=1x"}), {}, listener);
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->frontier.points.size(), 3U);
  EXPECT_EQ(found->frontier.points[0].termination, Termination::kInfeasible);
  EXPECT_EQ(found->frontier.points[1].objective, 1);
  EXPECT_EQ(found->frontier.points[2].limit, 4800);
  EXPECT_TRUE(had_terms);
  EXPECT_EQ(heard.size(), 3U);
}

TEST(ComputeFrontier, SaysWhatIsWrong) {
  const auto error = [](const FrontierSearch& request) {
    return MessageOf(ComputeFrontier(SmallMeasurement(), request, {}, {}).status());
  };
  EXPECT_THAT(error(Request({"size=0.5x"})), HasSubstr("budgets[0]: got one for size, the resource of the frontier"));
  EXPECT_THAT(error(Request({}, {"bops=0.5x"})), HasSubstr("limits[0]: got one for bops, want size"));
  EXPECT_THAT(error(Request({}, {"size=0.5x", "size=0.5@w2:w3"})), HasSubstr("limits[1]"));
  FrontierSearch request = Request();
  request.resource = Resource::kLatency;
  EXPECT_THAT(error(request), HasSubstr("resource: got latency, profile 'generic' prices "));
  request = Request();
  request.num_points = 1;
  EXPECT_THAT(error(request), HasSubstr("num_points: got 1, want 2..10000"));
}

}  // namespace
}  // namespace bitplan
