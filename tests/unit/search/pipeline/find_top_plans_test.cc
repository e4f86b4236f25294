#include "search/pipeline/find_top_plans.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "search/base/status.h"
#include "search/hardware/shipped_profiles.h"
#include "search/plan/certificate.h"

namespace bitplan {
namespace {

using pipeline::FindTopPlans;
using pipeline::FromGiven;
using pipeline::ParseBudget;
using ::testing::AllOf;
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

TopPlansSearch Request(const std::string& budget, TopChoicesRequest top) {
  TopPlansSearch request{.search = {.profile = hardware::FindShippedProfile("generic").value()}, .top = top};
  request.search.budgets.push_back(ParseBudget(budget).value());
  return request;
}

std::vector<std::pair<int64_t, double>> PlansOf(const TopPlans& top) {
  std::vector<std::pair<int64_t, double>> plans;
  for (const Plan& plan : top.plans) plans.emplace_back(plan.totals.at(Resource::kSize), plan.objective);
  return plans;
}

// Of the eight plans (size : loss) 2400:6, 2800:3, 3200:4, 3600:5, 3600:1, 4000:2, 4400:3 and 4800:0 six fit in 4000.
TEST(FindTopPlans, ListsThePlansInOrder) {
  const auto top = FindTopPlans(SmallMeasurement(), Request("size=4000bit", {.count = 4}), {});
  ASSERT_TRUE(top.ok()) << top.status();
  EXPECT_THAT(PlansOf(*top), ElementsAre(Pair(3600, 1), Pair(4000, 2), Pair(2800, 3), Pair(3200, 4)));
  EXPECT_FALSE(top->exhausted);
  EXPECT_EQ(top->plans[0].termination, Termination::kOptimal);
  EXPECT_EQ(top->plans[0].diagnosis, "");
  for (size_t i = 1; i < top->plans.size(); ++i) {
    EXPECT_EQ(top->plans[i].termination, Termination::kFeasible);
    EXPECT_LE(top->plans[i].bound, 1);
    EXPECT_THAT(top->plans[i].diagnosis, HasSubstr("Place " + std::to_string(i + 1)));
  }
}

// From a8 b8 c4 (loss 1) three layers away is only a4 b4 c8 (size 3600, loss 5).
TEST(FindTopPlans, KeepsTheDistanceAndSaysWhenThereAreNoMore) {
  const auto top = FindTopPlans(SmallMeasurement(), Request("size=4000bit", {.count = 5, .distance = 3}), {});
  ASSERT_TRUE(top.ok()) << top.status();
  EXPECT_THAT(PlansOf(*top), ElementsAre(Pair(3600, 1), Pair(3600, 5)));
  EXPECT_TRUE(top->exhausted);
  EXPECT_THAT(top->note, HasSubstr("no more choices"));
}

TEST(FindTopPlans, ObeysRules) {
  TopPlansSearch request = Request("size=4000bit", {.count = 8});
  request.search.rules.push_back({.kind = WidthRuleKind::kPin, .layer = "b", .weight_bits = 4});
  const auto top = FindTopPlans(SmallMeasurement(), request, {});
  ASSERT_TRUE(top.ok()) << top.status();
  EXPECT_THAT(PlansOf(*top), ElementsAre(Pair(4000, 2), Pair(2800, 3), Pair(3600, 5), Pair(2400, 6)));
}

// An infeasible problem is one plan that says why.
TEST(FindTopPlans, ExplainsWhatCannotBeKept) {
  const auto top = FindTopPlans(SmallMeasurement(), Request("size=2000bit", {}), {});
  ASSERT_TRUE(top.ok()) << top.status();
  ASSERT_EQ(top->plans.size(), 1U);
  EXPECT_EQ(top->plans[0].termination, Termination::kInfeasible);
  EXPECT_THAT(top->plans[0].diagnosis, HasSubstr("2400"));
}

// The first plan's proof can be repeated; the others do not claim one.
TEST(FindTopPlans, ClaimsNoMoreThanItProves) {
  const auto top = FindTopPlans(SmallMeasurement(), Request("size=4000bit", {.count = 3}), {});
  ASSERT_TRUE(top.ok()) << top.status();
  for (const Plan& plan : top->plans) {
    const auto proof = plan::CheckProof(plan, 1000, {});
    ASSERT_TRUE(proof.ok()) << proof.status();
    const bool is_best = &plan == top->plans.data();
    EXPECT_EQ(proof->check == ProofCheck::kOptimal && !proof->better, is_best);
  }
}

TEST(FindTopPlans, RefusesWhatItCannotAnswer) {
  const auto error = [](const TopPlansSearch& request) {
    return MessageOf(FindTopPlans(SmallMeasurement(), request, {}).status());
  };
  EXPECT_THAT(error(Request("size=1x", {.count = 0})), AllOf(HasSubstr("count"), HasSubstr("got 0")));
  EXPECT_THAT(error(Request("size=1x", {.count = 101})), HasSubstr("got 101"));
  EXPECT_THAT(error(Request("size=1x", {.distance = 0})), HasSubstr("distance: got 0"));
  TopPlansSearch resampled = Request("size=1x", {});
  resampled.search.robustness_resamples = 10;
  EXPECT_THAT(error(resampled), HasSubstr("robustness_resamples"));
  Measurement whole = SmallMeasurement();
  whole.sensitivity.responses.emplace();
  EXPECT_EQ(FindTopPlans(whole, Request("size=1x", {}), {}).status().code(), absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace bitplan
