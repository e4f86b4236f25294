#include "search/plan/verifier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>

#include "search/base/status.h"
#include "tests/testing/small_plan.h"

namespace bitplan {
namespace {

using plan::Verify;
using ::testing::HasSubstr;

TEST(Verify, AcceptsSoundPlans) {
  EXPECT_TRUE(Verify(SmallPlan()).ok()) << Verify(SmallPlan());
  EXPECT_TRUE(Verify(InfeasiblePlan()).ok()) << Verify(InfeasiblePlan());
}

// A planted fault: what it breaks and what the message must begin with. The fingerprint is made again afterwards, so
// that the fault itself has to be found.
struct Corruption {
  const char* name;
  Plan (*plan)();
  std::function<void(Plan&)> plant;
  const char* message;
};

class CorruptionTest : public ::testing::TestWithParam<Corruption> {};

TEST_P(CorruptionTest, IsFound) {
  Plan plan = GetParam().plan();
  GetParam().plant(plan);
  plan.fingerprint = plan::Fingerprint(plan);
  const absl::Status status = Verify(plan);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(MessageOf(status), HasSubstr(GetParam().message));
}

const Corruption kCorruptions[] = {
    {"NoLayers", SmallPlan, [](Plan& p) { p.layers.clear(); }, "layers: none"},
    {"NameTwice", SmallPlan, [](Plan& p) { p.layers[1].layer.name = "a"; }, "layers[1] 'a': the name is there twice"},
    {"NoOption", InfeasiblePlan, [](Plan& p) { p.layers[2].alternatives.clear(); }, "no option"},
    {"OptionTwice", SmallPlan, [](Plan& p) { p.layers[0].alternatives[0].option.weight_bits = 8; },
     "layers[0] 'a': option w8a8/symmetric/per_channel is there twice"},
    {"OneChoiceMissing", SmallPlan, [](Plan& p) { p.layers[1].chosen.reset(); }, "layers[1] 'b': chosen is missing"},
    {"SensitivityNan", SmallPlan,
     [](Plan& p) { p.layers[0].chosen->sensitivity = std::numeric_limits<double>::quiet_NaN(); },
     "sensitivity: not finite"},
    {"NegativeError", SmallPlan, [](Plan& p) { p.layers[0].chosen->standard_error = -1; }, "standard_error: got -1"},
    {"NegativeCost", SmallPlan, [](Plan& p) { p.layers[0].chosen->costs[Resource::kSize] = -200; },
     "costs.size_bits: got -200, want >= 0"},
    {"CheaperChoice", SmallPlan, [](Plan& p) { p.layers[0].chosen->costs[Resource::kSize] = 199; },
     "totals: got size_bits 510, the layers add up to size_bits 509"},
    {"TotalChanged", SmallPlan, [](Plan& p) { p.totals[Resource::kSize] = 509; }, "totals: got size_bits 509"},
    {"TotalInvented", SmallPlan, [](Plan& p) { p.totals[Resource::kEnergy] = 1; },
     "totals: got size_bits 510, energy_pj 1"},
    {"TotalMissing", SmallPlan, [](Plan& p) { p.totals.clear(); }, "totals: got nothing"},
    {"UniformChanged", SmallPlan, [](Plan& p) { p.uniform[8][Resource::kSize] = 800; },
     "uniform.w8: got size_bits 800, the layers add up to size_bits 820"},
    {"UniformMissing", SmallPlan, [](Plan& p) { p.uniform.erase(4); }, "uniform.w4: got nothing"},
    {"UsedChanged", SmallPlan, [](Plan& p) { p.budgets[0].used = 500; },
     "budgets[0] 'size=0.625x'.used: got 500, the layers add up to 510"},
    {"SlackChanged", SmallPlan, [](Plan& p) { p.budgets[0].slack = 3; }, "slack: got 3, want 2"},
    {"LimitBroken", SmallPlan,
     [](Plan& p) {
       p.budgets[0].limit = 509;
       p.budgets[0].slack = -1;
     },
     "uses 510, more than the limit 509"},
    {"NegativeLimit", InfeasiblePlan, [](Plan& p) { p.budgets[0].limit = -1; }, "limit: got -1, want >= 0"},
    {"LeastChanged", SmallPlan, [](Plan& p) { p.budgets[0].least_achievable = 400; },
     "least_achievable: got 400, want 410"},
    {"BudgetTwice", SmallPlan, [](Plan& p) { p.budgets.push_back(p.budgets[0]); }, "a second budget of this resource"},
    {"BudgetWithoutCosts", SmallPlan, [](Plan& p) { p.budgets[0].resource = Resource::kLatency; },
     "used: not every chosen option has a cost"},
    {"TieBroken", SmallPlan,
     [](Plan& p) {
       p.ties[0] = {"a", "b"};
     },
     "ties: 'a' has w8a8/symmetric/per_channel, 'b' has w4a8"},
    {"TieToNobody", SmallPlan, [](Plan& p) { p.ties[0][0] = "z"; }, "ties[0]: there is no layer 'z'"},
    {"TieOfOne", SmallPlan, [](Plan& p) { p.ties[0].pop_back(); }, "ties[0]: got 1 layers"},
    {"TieForgotten", InfeasiblePlan,
     [](Plan& p) {
       // Without the tie b could take w4 alone: then 300 + 10 + 100 is not the least any more if c's w4 costs 30.
       p.layers[2].alternatives[0].costs[Resource::kSize] = 30;
       p.uniform[4][Resource::kSize] = 430;
     },
     "least_achievable: got 410, want 430"},
    {"ObjectiveChanged", SmallPlan, [](Plan& p) { p.objective = p.bound = 0.40624; },
     "result.objective: got 0.40624, the layers add up to 0.40625"},
    {"GapChanged", SmallPlan, [](Plan& p) { p.gap = 0.5; }, "result.gap: got 0.5, want 0"},
    {"BoundAboveObjective", SmallPlan, [](Plan& p) { p.bound = 0.5; }, "result.bound: got 0.5, above the objective"},
    {"OptimalWithoutProof", SmallPlan,
     [](Plan& p) {
       p.bound = 0.203125;
       p.gap = 0.5;
     },
     "result.termination: optimal, but the bound 0.203125 is below the objective 0.40625"},
    {"OptimalWithoutChoice", InfeasiblePlan,
     [](Plan& p) {
       p.termination = Termination::kOptimal;
       p.infeasibility.reset();
     },
     "result.termination: optimal without a choice"},
    {"InfeasibleWithChoice", SmallPlan, [](Plan& p) { p.termination = Termination::kInfeasible; },
     "result.termination: infeasible, but there is a choice"},
    {"InfeasibleWithoutReason", InfeasiblePlan, [](Plan& p) { p.infeasibility.reset(); },
     "result.infeasibility: missing for infeasible"},
    {"ReasonWithoutNeed", SmallPlan, [](Plan& p) { p.infeasibility = PlanInfeasibility{}; },
     "result.infeasibility: there for optimal"},
    {"NoShortage", InfeasiblePlan, [](Plan& p) { p.infeasibility->shortages.clear(); }, "shortages: none"},
    {"FeasibleAfterAll", InfeasiblePlan, [](Plan& p) { p.budgets[0].limit = 410; },
     "result.infeasibility 'size'.short_by: got 10, least 410 and limit 410 make 0"},
    {"ShortageChanged", InfeasiblePlan, [](Plan& p) { p.infeasibility->shortages[0].short_by = 9; }, "short_by: got 9"},
    {"LeastOfShortageChanged", InfeasiblePlan, [](Plan& p) { p.infeasibility->shortages[0].least_achievable = 420; },
     "least_achievable: got 420, want 410"},
    {"PinBroken", SmallPlan, [](Plan& p) { p.rules = {{.kind = WidthRuleKind::kPin, .layer = "a", .weight_bits = 4}}; },
     "rules: pin 'a=w4' is broken, the layer has w8a8/symmetric/per_channel"},
    {"ForbiddenWidth", SmallPlan,
     [](Plan& p) { p.rules = {{.kind = WidthRuleKind::kForbid, .layer = "b", .activation_bits = 8}}; },
     "rules: forbid 'b=a8' is broken"},
    {"RuleOnNoLayer", SmallPlan,
     [](Plan& p) { p.rules = {{.kind = WidthRuleKind::kPin, .layer = "d", .weight_bits = 4}}; },
     "rules: there is no layer 'd'"},
    {"RuleRaisesLeast", SmallPlan,
     [](Plan& p) { p.rules = {{.kind = WidthRuleKind::kPin, .layer = "a", .weight_bits = 8}}; },
     "least_achievable: got 410, want 510"},
    {"ActivationTieBroken", SmallPlan,
     [](Plan& p) {
       p.layers[1].chosen->option.activation_bits = 4;
       p.ties.clear();
       p.activation_ties = {{"a", "b"}};
     },
     "activation_ties: 'a' has 8 activation bits, 'b' has 4"},
    {"ActivationTieOfNoLayer", SmallPlan,
     [](Plan& p) {
       p.activation_ties = {{"a", "d"}};
     },
     "activation_ties: there is no layer 'd'"},
    {"RuntimeGroupBroken", SmallPlan,
     [](Plan& p) {
       p.runtime = PlanRuntime{.name = "some"};
       p.runtime->groups = {{.rule = "pair", .agree = {Agreement::kWeightBits}, .layers = {"a", "b"}}};
     },
     "runtime.groups 'pair': 'a' has w8, 'b' has w4"},
    {"RuntimeGroupOfNoLayer", SmallPlan,
     [](Plan& p) {
       p.runtime = PlanRuntime{.name = "some"};
       p.runtime->groups = {{.rule = "pair", .agree = {Agreement::kWeightBits}, .layers = {"a", "d"}}};
     },
     "runtime.groups 'pair': there is no layer 'd'"},
    {"RuntimeGroupWithoutTie", SmallPlan,
     [](Plan& p) {
       p.ties.clear();
       p.runtime = PlanRuntime{.name = "some"};
       p.runtime->groups = {{.rule = "pair", .agree = {Agreement::kOption}, .layers = {"b", "c, \"the last\""}}};
     },
     "runtime.groups 'pair': b is in no tie"},
    {"LowerBudgetBroken", SmallPlan, [](Plan& p) { p.budgets[0].sense = BudgetSense::kAtLeast; },
     "uses 510, less than the limit 512"},
    {"MostAchievableChanged", SmallPlan,
     [](Plan& p) {
       p.budgets[0].sense = BudgetSense::kAtLeast;
       p.budgets[0].limit = 508;
       p.budgets[0].most_achievable = 819;
     },
     "most_achievable: got 819, want 820"},
    {"ShortageOfNoBudget", InfeasiblePlan, [](Plan& p) { p.infeasibility->shortages[0].resource = Resource::kEnergy; },
     "there is no such budget"},
};

INSTANTIATE_TEST_SUITE_P(Planted, CorruptionTest, ::testing::ValuesIn(kCorruptions),
                         [](const auto& info) { return info.param.name; });

TEST(Verify, FindsWhatTheSumsCannotShow) {
  Plan plan = SmallPlan();
  plan.provenance.seed = 5;
  EXPECT_THAT(MessageOf(Verify(plan)), HasSubstr("fingerprint: got"));
  plan = SmallPlan();
  plan.layers[0].layer.macs = 51;
  EXPECT_THAT(MessageOf(Verify(plan)), HasSubstr("fingerprint: got"));
}

TEST(Verify, SumsThatOverflowAreNoSums) {
  Plan plan = SmallPlan();
  plan.layers[0].chosen->costs[Resource::kSize] = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(Verify(plan).code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace bitplan
