#include "search/layer/width_rule.h"

#include <gtest/gtest.h>

#include "search/base/status.h"

namespace bitplan {
namespace {

TEST(ParseWidthRule, ReadsWeightAndActivationBits) {
  const WidthRule weights{.kind = WidthRuleKind::kPin, .layer = "conv1", .weight_bits = 8};
  EXPECT_EQ(ParseWidthRule(WidthRuleKind::kPin, "conv1=8").value(), weights);
  EXPECT_EQ(ParseWidthRule(WidthRuleKind::kPin, "conv1=w8").value(), weights);
  const WidthRule activations{.kind = WidthRuleKind::kForbid, .layer = "a=b", .activation_bits = 4};
  EXPECT_EQ(ParseWidthRule(WidthRuleKind::kForbid, "a=b=a4").value(), activations);
  EXPECT_EQ(FormatWidthRule(ParseWidthRule(WidthRuleKind::kPin, "x=w4a8").value()), "x=w4a8");
}

TEST(ParseWidthRule, SaysWhatIsAccepted) {
  for (const char* text : {"conv1", "=8", "conv1=", "conv1=x", "conv1=w", "conv1=4a", "conv1=8 "}) {
    EXPECT_EQ(
        MessageOf(ParseWidthRule(WidthRuleKind::kPin, text).status()),
        std::string("pin '") + text + "': want LAYER=WIDTHS such as conv1=8, conv1=a4 (activations) or conv1=w4a8");
  }
  EXPECT_EQ(MessageOf(ParseWidthRule(WidthRuleKind::kForbid, "fc=w40").status()),
            "forbid 'fc': got w40, want widths in 1..32");
}

TEST(IsAllowed, AllRulesOnTheLayerHold) {
  const std::vector<WidthRule> rules = {{.kind = WidthRuleKind::kPin, .layer = "a", .activation_bits = 8},
                                        {.kind = WidthRuleKind::kForbid, .layer = "a", .weight_bits = 2}};
  EXPECT_TRUE(IsAllowed(rules, "a", {.weight_bits = 4, .activation_bits = 8}));
  EXPECT_FALSE(IsAllowed(rules, "a", {.weight_bits = 2, .activation_bits = 8}));
  EXPECT_FALSE(IsAllowed(rules, "a", {.weight_bits = 4, .activation_bits = 4}));
  EXPECT_TRUE(IsAllowed(rules, "b", {.weight_bits = 2, .activation_bits = 4}));
}

}  // namespace
}  // namespace bitplan
