#ifndef BITPLAN_SEARCH_LAYER_WIDTH_RULE_H_
#define BITPLAN_SEARCH_LAYER_WIDTH_RULE_H_

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "search/layer/layer.h"

namespace bitplan {

enum class WidthRuleKind {
  kPin,     // the layer takes options of these widths
  kForbid,  // the layer takes no options of these widths
};

// Which widths a layer may take. At least one of the two widths is there; both: only options that have both are meant.
// Several rules on a layer all hold.
struct WidthRule {
  WidthRuleKind kind = WidthRuleKind::kPin;
  std::string layer;  // name
  std::optional<int> weight_bits;
  std::optional<int> activation_bits;
  std::string reason;  // why, in words, for people who read the plan; may be empty

  bool operator==(const WidthRule&) const = default;
};

// "pin", "forbid".
std::string_view ToString(WidthRuleKind kind);
std::optional<WidthRuleKind> ParseWidthRuleKind(std::string_view name);

// Reads "LAYER=WIDTHS": conv1=8 and conv1=w8 (weight bits), conv1=a4 (activation bits), conv1=w4a8 (both). The name
// ends at the last '='. kInvalidArgument says what came and what is accepted.
absl::StatusOr<WidthRule> ParseWidthRule(WidthRuleKind kind, std::string_view text);

// "w8", "a4", "w4a8".
std::string FormatWidths(const WidthRule& rule);
// "conv1=w8", which ParseWidthRule reads back (without the reason).
std::string FormatWidthRule(const WidthRule& rule);

// kInvalidArgument: no name, no width, a width outside 1..kMaxOptionBits. For rules that did not come from
// ParseWidthRule.
absl::Status Validate(const WidthRule& rule);

// Whether the rules on `layer` let it take `option`.
bool IsAllowed(std::span<const WidthRule> rules, std::string_view layer, const Option& option);

}  // namespace bitplan

#endif  // BITPLAN_SEARCH_LAYER_WIDTH_RULE_H_
