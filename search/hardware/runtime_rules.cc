#include "search/hardware/runtime_rules.h"

#include <re2/re2.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "search/base/digest.h"
#include "search/base/json_reader.h"
#include "search/base/status.h"
#include "search/base/text.h"

namespace bitplan::hardware {
namespace {

constexpr std::string_view kFormat = "bitplan.runtime/1";
constexpr size_t kMaxNameLength = 63;
constexpr size_t kMaxPatternLength = 1000;
constexpr int64_t kMaxPatternMemory = int64_t{1} << 20;  // of one compiled pattern

constexpr std::string_view kLowerAndDigits = "abcdefghijklmnopqrstuvwxyz0123456789";

std::string ReadName(const JsonValue& value, std::string_view others) {
  std::string name = value.String();
  const bool is_clean = std::ranges::all_of(name, [&](char c) {
    return kLowerAndDigits.find(c) != std::string_view::npos || others.find(c) != std::string_view::npos;
  });
  if (name.empty() || name.size() > kMaxNameLength || !is_clean || others.find(name[0]) != std::string_view::npos) {
    value.Fail(
        fmt::format("got '{}', want lower-case letters, digits and '{}', at most {}", name, others, kMaxNameLength));
  }
  return name;
}

std::string ReadText(const JsonValue& value) {
  std::string text = value.String();
  if (text.empty()) value.Fail("got nothing, want a text");
  return text;
}

std::string ReadDate(const JsonValue& value) {
  std::string date = value.String();
  static const RE2& pattern = *new RE2(R"(\d{4}(-\d{2}(-\d{2})?)?)");
  if (!RE2::FullMatch(date, pattern)) {
    value.Fail(fmt::format("got '{}', want YYYY, YYYY-MM or YYYY-MM-DD", date));
  }
  return date;
}

RE2::Options PatternOptions() {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMaxPatternMemory);
  return options;
}

std::string ReadPattern(const JsonValue& value) {
  std::string text = value.String();
  if (text.size() > kMaxPatternLength) {
    value.Fail(fmt::format("got {} characters, want at most {}", text.size(), kMaxPatternLength));
    return text;
  }
  const RE2 pattern(text, PatternOptions());
  if (!pattern.ok()) {
    value.Fail(fmt::format("got '{}', no pattern: {}", text, pattern.error()));
  } else if (pattern.NumberOfCapturingGroups() == 0) {
    value.Fail(fmt::format("got '{}', want a group '(...)' around what the layers' names share", text));
  }
  return text;
}

// What `read` makes of each element; an error where one is there twice.
template <typename Read>
auto ReadSet(const JsonValue& list, Read read) {
  std::vector<decltype(read(list))> values;
  for (const JsonValue& element : list.Array()) {
    auto value = read(element);
    if (std::ranges::find(values, value) != values.end()) element.Fail("is there twice");
    values.push_back(std::move(value));
  }
  return values;
}

template <typename Parse>
auto ReadNamed(const JsonValue& value, Parse parse) {
  const auto parsed = parse(value.String());
  value.Check(parsed.status());
  return parsed.ok() ? *parsed : typename std::decay_t<decltype(parsed)>::value_type{};
}

RuntimeRule ReadRule(JsonObject object) {
  RuntimeRule rule{.name = ReadName(object.At("name"), "_"), .reason = ReadText(object.At("reason"))};
  const JsonValue agree = object.At("agree");
  rule.agree = ReadSet(agree, [](const JsonValue& value) { return ReadNamed(value, &ParseAgreement); });
  agree.Check(ValidateAgreement(rule.agree));
  if (object.Has("structure")) {
    rule.structure =
        ReadSet(object.At("structure"), [](const JsonValue& value) { return ReadNamed(value, &ParseStructureKind); });
  }
  if (object.Has("names")) rule.names = ReadSet(object.At("names"), &ReadPattern);
  if (rule.structure.empty() && rule.names.empty()) agree.Fail("of no layers: want structure, names or both");
  rule.source = ReadText(object.At("source"));
  rule.date = ReadDate(object.At("date"));
  object.RefuseUnknownKeys();
  return rule;
}

RuntimeRules ReadRuntime(JsonObject root) {
  RuntimeRules runtime{.name = ReadName(root.At("name"), "-"),
                       .version = ReadText(root.At("version")),
                       .written_against = ReadText(root.At("written_against")),
                       .description = ReadText(root.At("description"))};
  std::set<std::string> names;
  for (const JsonValue& value : root.Array("rules")) {
    runtime.rules.push_back(ReadRule(value.Object()));
    const std::string& name = runtime.rules.back().name;
    if (!names.insert(name).second) value.Fail(fmt::format("a second rule '{}'", name));
  }
  if (runtime.rules.empty()) root.At("rules").Fail("got none, want at least one");
  root.RefuseUnknownKeys();
  return runtime;
}

using LayerSet = std::set<size_t>;

// Sets of layers that one pattern matches with equal texts in its groups.
void GroupByName(const std::string& text, std::span<const std::string_view> layers, std::vector<LayerSet>& sets) {
  const RE2 pattern(text, PatternOptions());
  const int num_groups = pattern.NumberOfCapturingGroups();
  std::vector<re2::StringPiece> found(num_groups);
  std::vector<RE2::Arg> arguments(num_groups);
  std::vector<const RE2::Arg*> pointers(num_groups);
  for (int i = 0; i < num_groups; ++i) {
    arguments[i] = &found[i];
    pointers[i] = &arguments[i];
  }
  std::map<std::vector<std::string>, LayerSet> alike;
  for (size_t i = 0; i < layers.size(); ++i) {
    const re2::StringPiece name(layers[i].data(), layers[i].size());
    if (!RE2::FullMatchN(name, pattern, pointers.data(), num_groups)) continue;
    std::vector<std::string> key;
    key.reserve(found.size());
    for (const re2::StringPiece& piece : found) key.emplace_back(piece.data() == nullptr ? "" : piece.as_string());
    alike[key].insert(i);
  }
  for (auto& [unused, set] : alike) sets.push_back(std::move(set));
}

void GroupByStructure(const std::vector<StructureKind>& kinds, std::span<const std::string_view> layers,
                      const LayerStructure& structure, std::vector<LayerSet>& sets) {
  for (const StructureGroup& group : structure) {
    if (std::ranges::find(kinds, group.kind) == kinds.end()) continue;
    LayerSet& set = sets.emplace_back();
    for (const std::string& name : group.layers) {
      const auto at = std::ranges::find(layers, std::string_view(name));
      if (at != layers.end()) set.insert(static_cast<size_t>(at - layers.begin()));
    }
  }
}

// Of equal sets one stays, and none that is part of another.
std::vector<LayerSet> Largest(std::vector<LayerSet> sets) {
  std::ranges::sort(sets);
  sets.erase(std::ranges::unique(sets).begin(), sets.end());
  std::vector<LayerSet> largest;
  for (const LayerSet& set : sets) {
    const bool is_part = std::ranges::any_of(
        sets, [&](const LayerSet& other) { return other.size() > set.size() && std::ranges::includes(other, set); });
    if (set.size() > 1 && !is_part) largest.push_back(set);
  }
  return largest;
}

}  // namespace

absl::StatusOr<RuntimeRules> ParseRuntime(std::string_view json) {
  BITPLAN_ASSIGN_OR_RETURN(const JsonDocument document,
                           JsonDocument::Parse(json, {.what = "runtime", .max_bytes = kMaxRuntimeBytes}));
  JsonObject root = document.Root();
  if (const JsonValue format = root.At("format"); document.status().ok() && format.String() != kFormat) {
    return InvalidArgument("runtime.format: got '{}', want '{}'", format.String(), kFormat);
  }
  RuntimeRules runtime = ReadRuntime(root);
  BITPLAN_RETURN_IF_ERROR(document.status());
  runtime.digest = Sha256Hex(json);
  return runtime;
}

RuntimeGrouping GroupLayers(const RuntimeRules& runtime, std::span<const std::string_view> layers,
                            const std::optional<LayerStructure>& structure) {
  RuntimeGrouping grouping;
  for (const RuntimeRule& rule : runtime.rules) {
    std::vector<LayerSet> sets;
    for (const std::string& pattern : rule.names) GroupByName(pattern, layers, sets);
    if (structure) GroupByStructure(rule.structure, layers, *structure, sets);
    if (!structure && !rule.structure.empty()) grouping.unseen.push_back(rule.name);
    for (const LayerSet& set : Largest(std::move(sets))) {
      RuntimeGroup& group =
          grouping.groups.emplace_back(RuntimeGroup{.rule = rule.name, .agree = rule.agree, .layers = {}});
      for (const size_t i : set) group.layers.emplace_back(layers[i]);
    }
  }
  return grouping;
}

}  // namespace bitplan::hardware
