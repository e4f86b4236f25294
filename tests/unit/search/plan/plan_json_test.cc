#include "search/plan/plan_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "search/base/status.h"
#include "tests/testing/golden_file.h"
#include "tests/testing/json_schema.h"
#include "tests/testing/small_plan.h"

namespace bitplan {
namespace {

using plan::ParsePlan;
using plan::ToJson;
using ::testing::HasSubstr;

std::string Schema() { return testing::ReadFile(BITPLAN_SOURCE_DIR "/docs/formats/plan.schema.json"); }

std::string ErrorWith(const std::string& from, const std::string& to) {
  std::string text = ToJson(SmallPlan());
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  const absl::Status status = ParsePlan(text.replace(at, from.size(), to)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return MessageOf(status);
}

TEST(PlanJson, IsTheGoldenFile) {
  testing::ExpectGolden(ToJson(SmallPlan()), BITPLAN_TEST_DATA_DIR "/plan/small.json");
  testing::ExpectGolden(ToJson(InfeasiblePlan()), BITPLAN_TEST_DATA_DIR "/plan/infeasible.json");
}

TEST(PlanJson, ReadsWhatItWrote) {
  for (const Plan& plan : {SmallPlan(), InfeasiblePlan()}) {
    const absl::StatusOr<Plan> read = ParsePlan(ToJson(plan));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(*read, plan);
    EXPECT_EQ(ToJson(*read), ToJson(plan));
  }
}

TEST(PlanJson, KeepsRulesActivationTiesAndLowerBudgets) {
  Plan plan = SmallPlan();
  plan.rules = {{.kind = WidthRuleKind::kPin, .layer = "a", .weight_bits = 8, .reason = "first layer"},
                {.kind = WidthRuleKind::kForbid, .layer = "b", .weight_bits = 8, .activation_bits = 4}};
  plan.activation_ties = {{"a", "b"}};
  plan.runtime = PlanRuntime{
      .name = "vllm",
      .version = "1",
      .digest = std::string(64, 'e'),
      .groups = {{.rule = "qkv", .agree = {Agreement::kOption}, .layers = {"a", "b"}},
                 {.rule = "add", .agree = {Agreement::kScheme, Agreement::kGranularity}, .layers = {"b", "c"}}},
      .unseen = {"concat"}};
  plan.budgets.push_back({.resource = Resource::kSize,
                          .spec = "size>=500bit",
                          .limit = 500,
                          .least_achievable = 510,
                          .used = 510,
                          .slack = 10,
                          .sense = BudgetSense::kAtLeast,
                          .most_achievable = 820});
  plan.budgets[0].least_achievable = 510;
  plan.fingerprint = plan::Fingerprint(plan);
  const absl::StatusOr<Plan> read = ParsePlan(ToJson(plan));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, plan);
  EXPECT_EQ(testing::SchemaViolation(ToJson(plan), Schema()), "");
}

TEST(PlanJson, KeepsEveryBitOfADouble) {
  Plan plan = SmallPlan();
  plan.objective = std::nextafter(0.1, 1);
  plan.bound = -1e-300;
  plan.gap = 1.0 / 3;
  plan.layers[0].chosen->sensitivity = std::numeric_limits<double>::denorm_min();
  plan.layers[0].chosen->standard_error = std::numeric_limits<double>::max();
  EXPECT_EQ(ParsePlan(ToJson(plan)).value(), plan);
}

TEST(PlanJson, SaysWhichLossIfItIsKnown) {
  EXPECT_THAT(ToJson(SmallPlan()), ::testing::Not(HasSubstr("\"loss\"")));
  Plan plan = SmallPlan();
  plan.provenance.loss = "label_free_cross_entropy";
  plan.fingerprint = plan::Fingerprint(plan);
  EXPECT_EQ(testing::SchemaViolation(ToJson(plan), Schema()), "");
  EXPECT_NE(plan.fingerprint, SmallPlan().fingerprint);
  const auto read = ParsePlan(ToJson(plan));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->provenance, plan.provenance);
}

TEST(PlanJson, SaysWhetherActivationsWereScoredIfItIsKnown) {
  EXPECT_THAT(ToJson(SmallPlan()), ::testing::Not(HasSubstr("activations_scored")));
  for (const bool scored : {false, true}) {
    Plan plan = SmallPlan();
    plan.provenance.activations_scored = scored;
    plan.fingerprint = plan::Fingerprint(plan);
    EXPECT_EQ(testing::SchemaViolation(ToJson(plan), Schema()), "");
    const auto read = ParsePlan(ToJson(plan));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->provenance, plan.provenance);
  }
}

TEST(PlanJson, UnknownGapAndBoundAreLeftOut) {
  Plan plan = InfeasiblePlan();
  plan.termination = Termination::kTimeLimit;
  plan.infeasibility.reset();
  plan.gap = std::numeric_limits<double>::infinity();
  plan.bound = -std::numeric_limits<double>::infinity();
  EXPECT_EQ(ToJson(plan).find("\"gap\""), std::string::npos);
  EXPECT_EQ(ParsePlan(ToJson(plan)).value(), plan);
}

TEST(PlanJson, WritesGroupsRangesAndRoundingsOnlyWhereTheyAreNotTheDefault) {
  Plan plan = SmallPlan();
  EXPECT_EQ(ToJson(plan).find("\"range\""), std::string::npos);
  plan.layers[0].chosen->option.granularity = Granularity::kPerGroup;
  plan.layers[0].chosen->option.group_size = 64;
  plan.layers[0].chosen->option.range = "mse";
  plan.layers[0].chosen->option.rounding = Rounding::kStochastic;
  EXPECT_EQ(ParsePlan(ToJson(plan)).value(), plan);
  EXPECT_EQ(testing::SchemaViolation(ToJson(plan), Schema()), "");
}

TEST(PlanJson, FollowsItsSchema) {
  EXPECT_EQ(testing::SchemaViolation(ToJson(SmallPlan()), Schema()), "");
  EXPECT_EQ(testing::SchemaViolation(ToJson(InfeasiblePlan()), Schema()), "");
  std::string text = ToJson(SmallPlan());
  text.replace(text.find("\"per_channel\""), 13, "\"per_channel_\"");
  EXPECT_THAT(testing::SchemaViolation(text, Schema()), HasSubstr("$.layers[0].chosen.granularity: want one of"));
}

TEST(PlanJson, ErrorsNameTheField) {
  EXPECT_EQ(ErrorWith("plan/1", "plan/2"), "plan.format: got 'bitplan.plan/2', want 'bitplan.plan/1'");
  EXPECT_EQ(ErrorWith("\"optimal\"", "\"best\""),
            "plan.result.termination: got 'best', want optimal, feasible, infeasible, time_limit or cancelled");
  EXPECT_EQ(ErrorWith("\"limit\":512", "\"limit\":-1"), "plan.budgets[0].limit: got -1, want 0..9223372036854775807");
  EXPECT_EQ(ErrorWith("\"weight_bits\":8", "\"weight_bits\":33"),
            "plan.layers[0].chosen.weight_bits: got 33, want 1..32");
  EXPECT_EQ(ErrorWith("size_bits", "size"),
            "plan.totals.size: resource: got 'size', want one of size_bits, bops, latency_ns, memory_bytes, energy_pj, "
            "traffic_bytes");
  EXPECT_EQ(ErrorWith("\"macs\"", "\"mac\""), "plan.layers[0]: missing field 'macs'");
  EXPECT_EQ(ErrorWith("\"created\"", "\"note\": 1, \"created\""),
            "plan: unknown field 'note', want only activation_ties, boundaries, budgets, created, fingerprint, format, "
            "layers, "
            "peak_memory, provenance, "
            "result, rules, runtime, ties, totals, uniform");
  EXPECT_THAT(ErrorWith(std::string(64, '1'), "1"), HasSubstr("plan.provenance.model_digest: got '1', want 64"));
}

TEST(PlanJson, RefusesWhatIsNoPlan) {
  EXPECT_EQ(MessageOf(ParsePlan("{}").status()), "plan: missing field 'format'");
  EXPECT_EQ(MessageOf(ParsePlan("[]").status()), "plan: got array, want an object");
  EXPECT_THAT(MessageOf(ParsePlan("bits").status()), HasSubstr("plan: not JSON"));
}

TEST(Fingerprint, DependsOnEverythingButTheTime) {
  Plan plan = SmallPlan();
  plan.created = "1999";
  EXPECT_EQ(plan::Fingerprint(plan), SmallPlan().fingerprint);
  plan.provenance.seed = 1;
  EXPECT_NE(plan::Fingerprint(plan), SmallPlan().fingerprint);
}

}  // namespace
}  // namespace bitplan
