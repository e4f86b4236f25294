#include "search/layer/width_rule.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "search/base/status.h"

namespace bitplan {
namespace {

constexpr auto kNames = std::to_array<std::pair<WidthRuleKind, std::string_view>>({
    {WidthRuleKind::kPin, "pin"},
    {WidthRuleKind::kForbid, "forbid"},
});

// Takes a whole number off the front.
std::optional<int> TakeBits(std::string_view& text) {
  int bits = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bits);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(end - text.data());
  return bits;
}

// "8", "w8", "a4", "w4a8"; false: none of them.
bool ReadWidths(std::string_view text, WidthRule& rule) {
  if (!text.starts_with('a')) {
    if (text.starts_with('w')) text.remove_prefix(1);
    rule.weight_bits = TakeBits(text);
    if (!rule.weight_bits) return false;
  }
  if (text.starts_with('a')) {
    text.remove_prefix(1);
    rule.activation_bits = TakeBits(text);
    if (!rule.activation_bits) return false;
  }
  return text.empty();
}

bool IsWidth(const std::optional<int>& bits) { return !bits || (*bits >= 1 && *bits <= kMaxOptionBits); }

bool Matches(const WidthRule& rule, const Option& option) {
  if (rule.weight_bits && *rule.weight_bits != option.weight_bits) return false;
  return !rule.activation_bits || *rule.activation_bits == option.activation_bits;
}

}  // namespace

std::string_view ToString(WidthRuleKind kind) {
  for (const auto& [value, name] : kNames) {
    if (value == kind) return name;
  }
  return "unknown";
}

std::optional<WidthRuleKind> ParseWidthRuleKind(std::string_view name) {
  for (const auto& [value, known] : kNames) {
    if (known == name) return value;
  }
  return std::nullopt;
}

absl::StatusOr<WidthRule> ParseWidthRule(WidthRuleKind kind, std::string_view text) {
  const size_t equals = text.rfind('=');
  WidthRule rule{.kind = kind};
  if (equals == std::string_view::npos || equals == 0 || !ReadWidths(text.substr(equals + 1), rule)) {
    return InvalidArgument("{} '{}': want LAYER=WIDTHS such as conv1=8, conv1=a4 (activations) or conv1=w4a8",
                           ToString(kind), text);
  }
  rule.layer = std::string(text.substr(0, equals));
  BITPLAN_RETURN_IF_ERROR(Validate(rule));
  return rule;
}

std::string FormatWidths(const WidthRule& rule) {
  std::string text;
  if (rule.weight_bits) text += fmt::format("w{}", *rule.weight_bits);
  if (rule.activation_bits) text += fmt::format("a{}", *rule.activation_bits);
  return text;
}

std::string FormatWidthRule(const WidthRule& rule) { return fmt::format("{}={}", rule.layer, FormatWidths(rule)); }

absl::Status Validate(const WidthRule& rule) {
  if (rule.layer.empty()) return InvalidArgument("{}.layer: got an empty name", ToString(rule.kind));
  if (!rule.weight_bits && !rule.activation_bits) {
    return InvalidArgument("{} '{}': got no width, want weight_bits or activation_bits", ToString(rule.kind),
                           rule.layer);
  }
  if (IsWidth(rule.weight_bits) && IsWidth(rule.activation_bits)) return absl::OkStatus();
  return InvalidArgument("{} '{}': got {}, want widths in 1..{}", ToString(rule.kind), rule.layer, FormatWidths(rule),
                         kMaxOptionBits);
}

bool IsAllowed(std::span<const WidthRule> rules, std::string_view layer, const Option& option) {
  return std::ranges::all_of(rules, [&](const WidthRule& rule) {
    return rule.layer != layer || Matches(rule, option) == (rule.kind == WidthRuleKind::kPin);
  });
}

}  // namespace bitplan
