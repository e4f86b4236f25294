#include "search/plan/diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/testing/small_plan.h"

namespace bitplan::plan {
namespace {

TEST(Diff, OfAPlanAndItselfIsEmpty) {
  Plan later = SmallPlan();
  later.created = "2030-01-01T00:00:00Z";
  later.provenance.bitplan_version = "9.9.9";
  const PlanDiff diff = Diff(SmallPlan(), later);
  EXPECT_TRUE(diff.is_empty());
  EXPECT_EQ(diff.num_equal_layers, 3);
  EXPECT_EQ(nlohmann::json::parse(ToJson(diff))["equal"], true);
}

TEST(Diff, FindsOptionsPricesLayersBudgetsAndFields) {
  const Plan before = SmallPlan();
  Plan after = SmallPlan();
  std::swap(*after.layers[0].chosen, after.layers[0].alternatives[0]);  // a: 8 to 4 bits
  after.layers[1].chosen->sensitivity = 0.125;                          // b: the same option at another price
  after.layers[2].layer.name = "d";                                     // c goes, d comes
  after.budgets[0].limit = 600;
  after.provenance.method = "quadratic";
  after.ties = {};
  after.totals = {{Resource::kSize, 410}};
  after.objective = 0.65625;
  const PlanDiff diff = Diff(before, after);
  ASSERT_EQ(diff.layers.size(), 4u);
  EXPECT_EQ(diff.num_equal_layers, 0);
  EXPECT_EQ(diff.layers[0].layer, "a");
  EXPECT_TRUE(diff.layers[0].changes_option());
  EXPECT_EQ(diff.layers[0].before->option.weight_bits, 8);
  EXPECT_EQ(diff.layers[0].after->option.weight_bits, 4);
  EXPECT_FALSE(diff.layers[1].changes_option());
  EXPECT_EQ(diff.layers[2].layer, "c, \"the last\"");
  EXPECT_FALSE(diff.layers[2].in_after);
  EXPECT_EQ(diff.layers[3].layer, "d");
  EXPECT_FALSE(diff.layers[3].in_before);
  ASSERT_EQ(diff.budgets.size(), 1u);
  EXPECT_EQ(diff.budgets[0].before->limit, 512);
  EXPECT_EQ(diff.budgets[0].after->limit, 600);
  EXPECT_THAT(diff.fields, ::testing::ElementsAre(FieldChange{"ties", "b,c, \"the last\"", ""},
                                                  FieldChange{"provenance.method", "hawq_v2", "quadratic"}));
  const auto json = nlohmann::json::parse(ToJson(diff));
  EXPECT_EQ(json["layers"][0]["change"], "option");
  EXPECT_EQ(json["layers"][1]["change"], "prices");
  EXPECT_EQ(json["layers"][2]["change"], "removed");
  EXPECT_EQ(json["layers"][3]["change"], "added");
  EXPECT_EQ(json["totals"]["size_bits"]["before"], 510);
  EXPECT_EQ(json["totals"]["size_bits"]["after"], 410);
  EXPECT_EQ(json["objective"]["after"], 0.65625);
}

TEST(Diff, OfAPlanWithoutAChoice) {
  const PlanDiff diff = Diff(SmallPlan(), InfeasiblePlan());
  ASSERT_EQ(diff.layers.size(), 3u);
  EXPECT_TRUE(diff.layers[0].changes_option());
  EXPECT_FALSE(diff.layers[0].after.has_value());
  EXPECT_EQ(nlohmann::json::parse(ToJson(diff))["layers"][0]["after"], nullptr);
}

}  // namespace
}  // namespace bitplan::plan
