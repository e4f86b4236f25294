#include "search/plan/rebind.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "search/base/status.h"
#include "search/plan/plan_json.h"
#include "search/plan/verifier.h"
#include "tests/testing/small_plan.h"

namespace bitplan::plan {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

LayerTable LayersOf(const Plan& plan) {
  LayerTable table;
  for (const PlanLayer& layer : plan.layers) table.layers.push_back(layer.layer);
  return table;
}

// Six layers of 4 or 8 bits: stem, four blocks of one structure, head.
Plan Blocks() {
  Plan plan = SmallPlan();
  plan.layers.clear();
  for (int i = 0; i < 6; ++i) {
    const bool is_block = i > 0 && i < 5;
    const int64_t weights = is_block ? 64 : 16;
    plan.layers.push_back({.layer = {.name = std::string(1, static_cast<char>('a' + i)),
                                     .kind = i == 5 ? LayerKind::kGemm : LayerKind::kConv,
                                     .weight_shape = {8, weights / 8},
                                     .num_weights = weights,
                                     .macs = 10 * weights},
                           .chosen = MakeOption(i % 2 == 0 ? 4 : 8, 0.1 / (i + 1), 10),
                           .alternatives = {MakeOption(i % 2 == 0 ? 8 : 4, 1, 100)}});
  }
  plan.ties = {};
  plan.budgets = {};
  plan.totals = {{Resource::kSize, 60}};
  plan.objective = 0;
  for (const PlanLayer& layer : plan.layers) plan.objective += layer.chosen->sensitivity;
  plan.bound = plan.objective;
  plan.uniform = {{4, {{Resource::kSize, 330}}}, {8, {{Resource::kSize, 330}}}};
  plan.fingerprint = Fingerprint(plan);
  return plan;
}

absl::StatusOr<Rebound> RebindTo(const Plan& plan, const LayerTable& model,
                                 std::map<std::string, std::string> given = {}) {
  return Rebind({.plan = plan,
                 .model = model,
                 .model_digest = std::string(64, '9'),
                 .given = std::move(given),
                 .created = "2030-01-01T00:00:00Z"});
}

std::vector<std::string> PairsOf(const Rebound& rebound) {
  std::vector<std::string> pairs;
  for (const RebindMatch& match : rebound.matches) {
    pairs.push_back(fmt::format("{}>{} {}", match.old_name, match.new_name, ToString(match.way)));
  }
  return pairs;
}

// Every list of a plan that names layers speaks of the new ones.
TEST(Rebind, RenamesWhatNamesLayers) {
  Plan plan = Blocks();
  plan.runtime = PlanRuntime{.name = "device",
                             .version = "1",
                             .digest = std::string(64, '7'),
                             .groups = {{.rule = "r", .agree = {Agreement::kWeightBits}, .layers = {"a", "c"}}}};
  plan.peak_memory = PeakMemory{.steps = {{.name = "node", .terms = {{.layer = "b", .bytes = {{8, 3}}}}}}};
  plan.totals[Resource::kMemory] = 3;
  plan.uniform[4][Resource::kMemory] = 3;
  plan.uniform[8][Resource::kMemory] = 3;
  plan.boundaries = {{.from = "d", .to = "e", .costs = {{{4, 8}, {{Resource::kLatency, 1}}}}}};
  plan.fingerprint = Fingerprint(plan);
  ASSERT_TRUE(Verify(plan).ok()) << Verify(plan);
  LayerTable model = LayersOf(plan);
  for (Layer& layer : model.layers) layer.name = "new." + layer.name;
  const auto rebound = RebindTo(plan, model);
  ASSERT_TRUE(rebound.ok()) << rebound.status();
  EXPECT_THAT(rebound->plan.runtime->groups[0].layers, ElementsAre("new.a", "new.c"));
  EXPECT_EQ(rebound->plan.peak_memory->steps[0].terms[0].layer, "new.b");
  EXPECT_EQ(rebound->plan.boundaries[0].from, "new.d");
  EXPECT_EQ(rebound->plan.boundaries[0].to, "new.e");
}

TEST(Rebind, SameNamesKeepEverythingButTheModel) {
  const Plan plan = SmallPlan();
  ASSERT_TRUE(Verify(plan).ok());
  const auto rebound = RebindTo(plan, LayersOf(plan));
  ASSERT_TRUE(rebound.ok()) << rebound.status();
  EXPECT_EQ(rebound->plan.layers, plan.layers);
  EXPECT_EQ(rebound->plan.ties, plan.ties);
  EXPECT_EQ(rebound->plan.provenance.model_digest, std::string(64, '9'));
  EXPECT_EQ(rebound->plan.provenance.measurement_digest, plan.provenance.measurement_digest);
  EXPECT_EQ(rebound->plan.provenance.origin.at("rebound_from_plan"), plan.fingerprint);
  EXPECT_EQ(rebound->plan.provenance.origin.at("rebound_from_model"), plan.provenance.model_digest);
  EXPECT_THAT(rebound->plan.warnings.back(), HasSubstr("sensitivities and proof are those of model 111111111111"));
  EXPECT_EQ(rebound->plan.created, "2030-01-01T00:00:00Z");
  EXPECT_NE(rebound->plan.fingerprint, plan.fingerprint);
  EXPECT_TRUE(Verify(rebound->plan).ok());
  EXPECT_EQ(*ParsePlan(ToJson(rebound->plan)), rebound->plan);
}

TEST(Rebind, RenamedLayersAreFoundByStructureAndPlace) {
  Plan plan = Blocks();
  plan.rules = {{.kind = WidthRuleKind::kPin, .layer = "f", .weight_bits = 8}};
  plan.activation_ties = {{"b", "c"}};
  plan.fingerprint = Fingerprint(plan);
  ASSERT_TRUE(Verify(plan).ok()) << Verify(plan);
  LayerTable model = LayersOf(plan);
  for (Layer& layer : model.layers) layer.name = "new." + layer.name;
  const auto rebound = RebindTo(plan, model);
  ASSERT_TRUE(rebound.ok()) << rebound.status();
  EXPECT_THAT(PairsOf(*rebound), ::testing::ElementsAre("a>new.a structure", "b>new.b structure", "c>new.c structure",
                                                        "d>new.d structure", "e>new.e structure", "f>new.f structure"));
  EXPECT_EQ(rebound->plan.activation_ties, (std::vector<std::vector<std::string>>{{"new.b", "new.c"}}));
  EXPECT_EQ(rebound->plan.rules[0].layer, "new.f");
  for (size_t i = 0; i < plan.layers.size(); ++i) EXPECT_EQ(rebound->plan.layers[i].chosen, plan.layers[i].chosen);
}

TEST(Rebind, OtherOrderIsFollowedAndTheObjectiveAddedAgain) {
  const Plan plan = Blocks();
  LayerTable model = LayersOf(plan);
  std::ranges::reverse(model.layers);
  const auto rebound = RebindTo(plan, model);
  ASSERT_TRUE(rebound.ok()) << rebound.status();
  EXPECT_EQ(rebound->plan.layers.front().layer.name, "f");
  EXPECT_TRUE(Verify(rebound->plan).ok());
}

TEST(Rebind, NamedLayersHoldTheOthersInPlace) {
  const Plan plan = Blocks();
  LayerTable model = LayersOf(plan);
  model.layers[1].name = "x";
  model.layers[3].name = "y";  // c between them keeps its name: one candidate on each side
  const auto rebound = RebindTo(plan, model);
  ASSERT_TRUE(rebound.ok()) << rebound.status();
  EXPECT_THAT(PairsOf(*rebound), ::testing::Contains("b>x structure"));
  EXPECT_THAT(PairsOf(*rebound), ::testing::Contains("d>y structure"));
}

TEST(Rebind, NoUniqueCounterpartIsRefusedUnlessGiven) {
  const Plan plan = Blocks();
  LayerTable model = LayersOf(plan);
  model.layers[1].name = "x";
  model.layers[2].name = "y";
  model.layers.insert(model.layers.begin() + 2, model.layers[1]);
  model.layers[2].name = "z";  // three blocks x z y where the plan has b c
  const absl::Status refused = RebindTo(plan, model).status();
  EXPECT_TRUE(absl::IsInvalidArgument(refused));
  EXPECT_THAT(MessageOf(refused), AllOf(HasSubstr("'b' (conv [8,8], 640 MACs) could be 'x' or 'z' or 'y'"),
                                        HasSubstr("'z' (conv [8,8], 640 MACs) of the model is in no plan")));
  model.layers.erase(model.layers.begin() + 5);  // e goes: as many layers, but not in place
  const absl::Status moved = RebindTo(plan, model).status();
  EXPECT_THAT(MessageOf(moved), HasSubstr("could be"));
  const auto given = RebindTo(plan, model, {{"b", "x"}, {"c", "z"}, {"d", "y"}, {"e", "d"}});
  ASSERT_TRUE(given.ok()) << given.status();
  EXPECT_THAT(PairsOf(*given),
              ::testing::ElementsAre("a>a name", "b>x given", "c>z given", "d>y given", "e>d given", "f>f name"));
}

TEST(Rebind, ANameOfAnotherShapeIsNoCounterpart) {
  const Plan plan = SmallPlan();
  LayerTable model = LayersOf(plan);
  model.layers[0].weight_shape = {25, 1};
  EXPECT_THAT(
      MessageOf(RebindTo(plan, model).status()),
      AllOf(HasSubstr("'a' (conv [5,5], 50 MACs) has no counterpart"), HasSubstr("of the model is in no plan")));
}

TEST(Rebind, OtherMacsAreTold) {
  const Plan plan = SmallPlan();
  LayerTable model = LayersOf(plan);
  model.layers[0].macs = 200;
  const auto rebound = RebindTo(plan, model);
  ASSERT_TRUE(rebound.ok()) << rebound.status();
  EXPECT_EQ(rebound->matches[0].new_macs, 200);
  EXPECT_THAT(rebound->plan.warnings.back(), HasSubstr("1 layers have other MACs"));
}

TEST(Rebind, GivenPairsAreChecked) {
  const Plan plan = SmallPlan();
  const LayerTable model = LayersOf(plan);
  EXPECT_TRUE(absl::IsNotFound(RebindTo(plan, model, {{"q", "a"}}).status()));
  EXPECT_TRUE(absl::IsNotFound(RebindTo(plan, model, {{"a", "q"}}).status()));
  EXPECT_THAT(MessageOf(RebindTo(plan, model, {{"a", "b"}}).status()), HasSubstr("is no counterpart of 'a'"));
  EXPECT_THAT(MessageOf(RebindTo(plan, model, {{"a", "a"}, {"b", "a"}}).status()), HasSubstr("is given twice"));
}

}  // namespace
}  // namespace bitplan::plan
