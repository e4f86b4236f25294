#include "search/hardware/support.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <vector>

#include "search/base/status.h"

namespace bitplan::hardware {
namespace {

constexpr std::string_view kUnknownScheme = "given";
constexpr size_t kMostNames = 4;

// A list of a rule: empty allows everything.
template <typename T>
bool Allows(const std::vector<T>& list, const T& value) {
  return list.empty() || std::ranges::find(list, value) != list.end();
}

std::string Join(const std::vector<Widths>& widths) {
  std::vector<std::string> names;
  names.reserve(widths.size());
  for (const Widths& pair : widths) names.push_back(ToString(pair));
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string Join(const std::vector<Granularity>& granularities) {
  std::vector<std::string_view> names;
  names.reserve(granularities.size());
  for (const Granularity granularity : granularities) names.push_back(bitplan::ToString(granularity));
  return fmt::format("{}", fmt::join(names, ", "));
}

// "scheme affine (want symmetric): <reason>"; empty: the rule holds.
std::string WhyRefused(const SupportRule& rule, const Layer& layer, const Option& option) {
  const Widths widths{option.weight_bits, option.activation_bits};
  if (!Allows(rule.kinds, layer.kind) || !Allows(rule.of_widths, widths)) return "";
  if (!Allows(rule.widths, widths)) {
    return fmt::format("{} (want {}): {}", ToString(widths), Join(rule.widths), rule.reason);
  }
  if (option.scheme == kUnknownScheme) return "";
  if (!Allows(rule.schemes, option.scheme)) {
    return fmt::format("scheme {} (want {}): {}", option.scheme, fmt::join(rule.schemes, ", "), rule.reason);
  }
  if (!Allows(rule.granularities, option.granularity)) {
    return fmt::format("{} (want {}): {}", bitplan::ToString(option.granularity), Join(rule.granularities),
                       rule.reason);
  }
  if (option.group_size != 0 && !Allows(rule.group_sizes, option.group_size)) {
    return fmt::format("groups of {} (want {}): {}", option.group_size, fmt::join(rule.group_sizes, ", "), rule.reason);
  }
  return "";
}

// The reasons of a layer without a supported option, each once; empty: it has one.
std::set<std::string> WhyNone(const Layer& layer, const std::vector<Option>& options, const HardwareProfile& profile) {
  std::set<std::string> reasons;
  for (const Option& option : options) {
    const std::string why = WhyUnsupported(layer, option, profile);
    if (why.empty()) return {};
    reasons.insert(why);
  }
  return reasons;
}

}  // namespace

std::string WhyUnsupported(const Layer& layer, const Option& option, const HardwareProfile& profile) {
  const Widths widths{option.weight_bits, option.activation_bits};
  if (profile.supported && !Allows(*profile.supported, widths)) {
    return fmt::format("{} (want {}): the device has no such widths", ToString(widths), Join(*profile.supported));
  }
  for (const SupportRule& rule : profile.rules) {
    if (std::string why = WhyRefused(rule, layer, option); !why.empty()) return why;
  }
  return "";
}

absl::Status CheckSupported(const LayerTable& layers, const OptionTable& options, const HardwareProfile& profile) {
  std::vector<std::string> lines;
  for (size_t i = 0; i < layers.layers.size(); ++i) {
    const std::set<std::string> why = WhyNone(layers.layers[i], options.options[i], profile);
    if (!why.empty()) lines.push_back(fmt::format("'{}': {}", layers.layers[i].name, fmt::join(why, "; ")));
  }
  if (lines.empty()) return absl::OkStatus();
  const size_t shown = std::min(lines.size(), kMostNames);
  return InvalidArgument(
      "profile '{}' supports no option of {} of {} layers: {}{}. Ask for widths, schemes and granularities that it has "
      "(--bits, --activation-bits, --schemes, --granularities), or use another profile",
      profile.name, lines.size(), layers.layers.size(), fmt::join(lines.begin(), lines.begin() + shown, " | "),
      shown < lines.size() ? " | ..." : "");
}

}  // namespace bitplan::hardware
