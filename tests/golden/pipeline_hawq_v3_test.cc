// HAWQ-v3's nine published plans for ResNet18 on a T4, reproduced through the whole path: the given-sensitivities
// document, the nvidia-t4 profile, budgets as text, ties by name, solver, verified plan.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "search/hardware/shipped_profiles.h"
#include "search/pipeline/run_search.h"
#include "search/plan/plan_json.h"
#include "search/plan/verifier.h"
#include "tests/testing/golden_file.h"

namespace bitplan {
namespace {

struct PublishedPlan {
  std::string resource;
  double level;
  std::vector<int> bits;
};

std::vector<PublishedPlan> PublishedPlans() {
  const auto json = nlohmann::json::parse(testing::ReadFile(BITPLAN_TEST_DATA_DIR "/hawq/resnet18_t4.json"));
  std::vector<PublishedPlan> plans;
  for (const auto& row : json.at("plans")) plans.push_back({row.at(0), row.at(1), row.at(2)});
  return plans;
}

GivenSensitivities Document() {
  return sensitivity::ParseGiven(testing::ReadFile(BITPLAN_TEST_DATA_DIR "/hawq/resnet18_t4.sensitivities.json"))
      .value();
}

Plan Solve(const GivenSensitivities& given, const std::vector<std::string>& budgets, std::string_view profile) {
  SearchRequest request{.profile = hardware::FindShippedProfile(profile).value()};
  for (const std::string& budget : budgets) request.budgets.push_back(pipeline::ParseBudget(budget).value());
  const absl::StatusOr<Plan> plan = pipeline::Search(pipeline::FromGiven(given).value(), request, {});
  EXPECT_TRUE(plan.ok()) << plan.status();
  return plan.ok() ? *plan : Plan{};
}

std::vector<int> Bits(const Plan& plan) {
  std::vector<int> bits;
  for (const PlanLayer& layer : plan.layers) bits.push_back(layer.chosen ? layer.chosen->option.weight_bits : 0);
  return bits;
}

void ExpectPublished(const GivenSensitivities& given, std::string_view profile) {
  const std::vector<PublishedPlan> published = PublishedPlans();
  ASSERT_EQ(published.size(), 9);
  for (const PublishedPlan& wanted : published) {
    const std::string budget = fmt::format("{}={}@w4:w8", wanted.resource, wanted.level);
    const Plan plan = Solve(given, {budget}, profile);
    EXPECT_EQ(plan.termination, Termination::kOptimal) << budget;
    EXPECT_EQ(Bits(plan), wanted.bits) << budget;
    EXPECT_TRUE(plan::Verify(plan).ok()) << budget << " " << plan::Verify(plan);
    EXPECT_EQ(plan::ParsePlan(plan::ToJson(plan)).value(), plan) << budget;
  }
}

TEST(HawqV3ThroughThePipeline, WithTheCostsOfTheDocument) { ExpectPublished(Document(), "generic"); }

TEST(HawqV3ThroughThePipeline, WithTheLatenciesOfTheProfile) {
  GivenSensitivities given = Document();
  given.costs.clear();
  ExpectPublished(given, "nvidia-t4");
}

// The document's costs and the profile's are the same numbers from two ways: both plans must agree in all of them.
TEST(HawqV3ThroughThePipeline, DocumentAndProfileAgree) {
  GivenSensitivities bare = Document();
  bare.costs.clear();
  const Measurement given = pipeline::FromGiven(Document()).value();
  const Measurement priced = pipeline::FromGiven(bare).value();
  const HardwareProfile t4 = hardware::FindShippedProfile("nvidia-t4").value();
  EXPECT_EQ(pipeline::PriceMeasurement(given, {.profile = t4})->costs,
            pipeline::PriceMeasurement(priced, {.profile = t4})->costs);
}

TEST(HawqV3ThroughThePipeline, AllThreeBudgetsAtOnce) {
  const Plan plan = Solve(Document(), {"size=0.5@w4:w8", "bops=0.5@w4:w8", "latency=0.6x"}, "nvidia-t4");
  EXPECT_EQ(plan.termination, Termination::kOptimal);
  EXPECT_EQ(plan.budgets.size(), 3);
  EXPECT_TRUE(plan::Verify(plan).ok());
}

// 0.6 x 5,343,687 ns is 3,206,212.2; the three ties hold.
TEST(HawqV3ThroughThePipeline, RelativeLatency) {
  const Plan plan = Solve(Document(), {"latency=0.6x"}, "nvidia-t4");
  EXPECT_EQ(plan.budgets[0].limit, 3'206'212);
  EXPECT_EQ(plan.termination, Termination::kOptimal);
  for (const int conv : {4, 9, 14}) EXPECT_EQ(Bits(plan)[conv], Bits(plan)[conv + 2]);
}

}  // namespace
}  // namespace bitplan
