#include "search/exporters/check_runtime.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace bitplan::exporters {
namespace {

RuntimeGrouping GroupingOf(const Plan& plan, const RuntimeRules& runtime,
                           const std::optional<LayerStructure>& structure) {
  // Recorded groups are those of names and graph together.
  if (!structure && plan.runtime && plan.runtime->digest == runtime.digest) {
    return {.groups = plan.runtime->groups, .unseen = plan.runtime->unseen};
  }
  std::vector<std::string_view> names;
  names.reserve(plan.layers.size());
  for (const PlanLayer& layer : plan.layers) names.push_back(layer.layer.name);
  return hardware::GroupLayers(runtime, names, structure);
}

std::string ReasonOf(const RuntimeRules& runtime, const std::string& rule) {
  const auto found = std::ranges::find(runtime.rules, rule, &RuntimeRule::name);
  return found == runtime.rules.end() ? "" : "; " + found->reason;
}

// Empty: the layers agree.
std::string Disagreement(const Plan& plan, const RuntimeGroup& group) {
  const PlanLayer* first = nullptr;
  for (const PlanLayer& layer : plan.layers) {
    if (!layer.chosen || std::ranges::find(group.layers, layer.layer.name) == group.layers.end()) continue;
    if (first == nullptr) first = &layer;
    const std::string want = AgreementKey(first->chosen->option, group.agree);
    const std::string got = AgreementKey(layer.chosen->option, group.agree);
    if (got != want) return fmt::format("'{}' has {}, '{}' has {}", first->layer.name, want, layer.layer.name, got);
  }
  return "";
}

}  // namespace

RuntimeCheck CheckRuntime(const Plan& plan, const RuntimeRules& runtime,
                          const std::optional<LayerStructure>& structure) {
  RuntimeGrouping grouping = GroupingOf(plan, runtime, structure);
  RuntimeCheck check{.groups = std::move(grouping.groups), .violations = {}, .unseen = std::move(grouping.unseen)};
  for (const RuntimeGroup& group : check.groups) {
    const std::string what = Disagreement(plan, group);
    if (what.empty()) continue;
    check.violations.push_back(
        {.group = group, .message = fmt::format("{}: {}{}", group.rule, what, ReasonOf(runtime, group.rule))});
  }
  return check;
}

}  // namespace bitplan::exporters
