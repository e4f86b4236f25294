#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "search/base/json_reader.h"
#include "search/base/resource.h"
#include "search/base/status.h"
#include "search/hardware/csv.h"
#include "search/hardware/import_profile.h"

namespace bitplan::hardware {
namespace {

constexpr std::string_view kSchema = "haq_latency_v1";
constexpr auto kRequired = std::to_array<std::string_view>(
    {"schema_version", "deployment_profile", "group_pattern", "source_module_patterns", "recipe_id", "runtime_format",
     "m", "latency_us", "backend", "with_quant", "op_kind", "timing_scope", "selection_policy", "kernel_policy_id",
     "tp", "ep", "hardware"});
constexpr auto kOptional =
    std::to_array<std::string_view>({"n", "k", "h", "f", "local_experts", "top_k", "benchmark_provenance",
                                     "measured_runtime_format", "cost_is_proxy", "proxy_reason"});
constexpr int64_t kMostCount = int64_t{1} << 31;
constexpr double kNsPerUs = 1000;
constexpr double kMostNs = 9007199254740992.0;  // 2^53

struct Recipe {
  std::string_view id;
  Widths widths;
  std::string_view scheme;  // empty: any
};
constexpr auto kRecipes = std::to_array<Recipe>({{"NONE", {16, 16}, ""},
                                                 {"FP8_DEFAULT_CFG", {8, 8}, "fp8_e4m3"},
                                                 {"NVFP4_DEFAULT_CFG", {4, 4}, "nvfp4"},
                                                 {"W4A16_NVFP4_CFG", {4, 16}, "nvfp4"}});

// A row of the file by column; `number` counts the header as 1.
struct Row {
  size_t number = 0;
  std::map<std::string, std::string, std::less<>> cells;

  const std::string& At(std::string_view column) const { return cells.find(column)->second; }
  std::string Optional(std::string_view column) const {
    const auto cell = cells.find(column);
    return cell == cells.end() ? "" : cell->second;
  }
};

absl::Status Wrong(const Row& row, std::string_view column, std::string_view wanted) {
  return InvalidArgument("row {} {}: got '{}', want {}", row.number, column, row.Optional(column), wanted);
}

absl::StatusOr<std::vector<Row>> ReadRows(std::string_view csv) {
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<std::vector<std::string>> lines, ParseCsv(csv));
  if (lines.size() < 2) return InvalidArgument("got {} lines, want a header and at least one row", lines.size());
  const std::vector<std::string>& header = lines.front();
  std::set<std::string_view> seen;
  for (const std::string& column : header) {
    const bool known = std::ranges::find(kRequired, column) != kRequired.end() ||
                       std::ranges::find(kOptional, column) != kOptional.end();
    if (!known) return InvalidArgument("header: unknown column '{}'", column);
    if (!seen.insert(column).second) return InvalidArgument("header: column '{}' comes twice", column);
  }
  for (const std::string_view column : kRequired) {
    if (!seen.contains(column)) return InvalidArgument("header: missing column '{}'", column);
  }
  std::vector<Row> rows;
  for (size_t i = 1; i < lines.size(); ++i) {
    if (lines[i].size() != header.size()) {
      return InvalidArgument("row {}: got {} fields, want {}", i + 1, lines[i].size(), header.size());
    }
    Row& row = rows.emplace_back(Row{.number = i + 1, .cells = {}});
    for (size_t c = 0; c < header.size(); ++c) row.cells.emplace(header[c], lines[i][c]);
  }
  return rows;
}

absl::StatusOr<int64_t> Count(const Row& row, std::string_view column) {
  const std::string text = row.Optional(column);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 1 || value > kMostCount) {
    return Wrong(row, column, "a whole number from 1 to 2147483648");
  }
  return value;
}

absl::StatusOr<int64_t> LatencyNs(const Row& row) {
  const std::string& text = row.At("latency_us");
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value) || value <= 0 ||
      value * kNsPerUs > kMostNs) {
    return Wrong(row, "latency_us", "a positive number of microseconds");
  }
  return std::max<int64_t>(1, std::llround(value * kNsPerUs));
}

absl::Status CheckFlag(const Row& row, std::string_view column, bool may_be_empty) {
  const std::string text = row.Optional(column);
  if (text == "True" || text == "False" || (may_be_empty && text.empty())) return absl::OkStatus();
  return Wrong(row, column, "True or False");
}

absl::Status CheckPatterns(const Row& row) {
  const auto document = JsonDocument::Parse(fmt::format("{{\"patterns\": {}}}", row.At("source_module_patterns")), {});
  if (!document.ok()) return Wrong(row, "source_module_patterns", "a JSON list of texts");
  JsonObject root = document->Root();
  for (const JsonValue& pattern : root.Array("patterns")) {
    if (pattern.String().empty()) pattern.Fail("is empty");
  }
  root.RefuseUnknownKeys();
  return document->status().ok() ? absl::OkStatus() : Wrong(row, "source_module_patterns", "a JSON list of texts");
}

absl::StatusOr<Recipe> RecipeOf(const Row& row) {
  for (const Recipe& recipe : kRecipes) {
    if (row.At("recipe_id") == recipe.id) return recipe;
  }
  return Wrong(row, "recipe_id", "NONE, FP8_DEFAULT_CFG, NVFP4_DEFAULT_CFG or W4A16_NVFP4_CFG");
}

absl::Status CheckRow(const Row& row) {
  if (row.At("schema_version") != kSchema) return Wrong(row, "schema_version", kSchema);
  for (const std::string_view column : {"deployment_profile", "group_pattern", "runtime_format", "backend",
                                        "timing_scope", "kernel_policy_id", "hardware"}) {
    if (row.At(column).empty()) return Wrong(row, column, "a text");
  }
  for (const std::string_view column : {"m", "tp", "ep"}) BITPLAN_RETURN_IF_ERROR(Count(row, column).status());
  if (row.At("op_kind") != "gemm" && row.At("op_kind") != "moe") return Wrong(row, "op_kind", "gemm or moe");
  if (row.At("selection_policy") != "fixed_kernel") return Wrong(row, "selection_policy", "fixed_kernel");
  BITPLAN_RETURN_IF_ERROR(CheckFlag(row, "with_quant", false));
  BITPLAN_RETURN_IF_ERROR(CheckFlag(row, "cost_is_proxy", true));
  BITPLAN_RETURN_IF_ERROR(CheckPatterns(row));
  BITPLAN_RETURN_IF_ERROR(RecipeOf(row).status());
  BITPLAN_RETURN_IF_ERROR(LatencyNs(row).status());
  if (row.Optional("cost_is_proxy") != "True") return absl::OkStatus();
  if (row.Optional("proxy_reason").empty()) return Wrong(row, "proxy_reason", "a text for a proxy");
  if (row.Optional("measured_runtime_format").empty()) {
    return Wrong(row, "measured_runtime_format", "a text for a proxy");
  }
  return absl::OkStatus();
}

absl::Status CheckRows(const std::vector<Row>& rows) {
  std::set<std::tuple<std::string, std::string, std::string, std::string>> keys;
  for (const Row& row : rows) {
    BITPLAN_RETURN_IF_ERROR(CheckRow(row));
    if (keys.emplace(row.At("deployment_profile"), row.At("m"), row.At("group_pattern"), row.At("recipe_id")).second) {
      continue;
    }
    return InvalidArgument("row {}: group '{}' with recipe {} comes twice", row.number, row.At("group_pattern"),
                           row.At("recipe_id"));
  }
  return absl::OkStatus();
}

// The one value of a column, or the wanted one if it occurs.
absl::StatusOr<std::string> OneOf(const std::vector<Row>& rows, std::string_view column, const std::string& wanted) {
  std::set<std::string> values;
  for (const Row& row : rows) values.insert(row.At(column));
  if (!wanted.empty() && values.contains(wanted)) return wanted;
  if (wanted.empty() && values.size() == 1) return *values.begin();
  return InvalidArgument("{}: got {}, want one of {}", column, wanted.empty() ? "none" : fmt::format("'{}'", wanted),
                         fmt::join(values, ", "));
}

// What the selected rows say.
struct Selection {
  std::map<std::tuple<int64_t, int64_t, int64_t>, std::map<Widths, int64_t>> amounts;  // by m, n, k
  std::set<Widths> widths;
  std::set<std::string> proxies;  // runtime formats that were measured in the place of others
  std::set<std::string> hardware;
  int num_moe = 0;
  int num_merged = 0;  // figures that stand for several groups of one shape
};

absl::Status AddRow(const Row& row, Selection& selection) {
  selection.hardware.insert(row.At("hardware"));
  if (row.At("op_kind") == "moe") {
    ++selection.num_moe;
    return absl::OkStatus();
  }
  BITPLAN_ASSIGN_OR_RETURN(const int64_t m, Count(row, "m"));
  BITPLAN_ASSIGN_OR_RETURN(const int64_t n, Count(row, "n"));
  BITPLAN_ASSIGN_OR_RETURN(const int64_t k, Count(row, "k"));
  BITPLAN_ASSIGN_OR_RETURN(const Recipe recipe, RecipeOf(row));
  BITPLAN_ASSIGN_OR_RETURN(const int64_t latency, LatencyNs(row));
  const auto [amount, is_new] = selection.amounts[{m, n, k}].emplace(recipe.widths, latency);
  if (!is_new) ++selection.num_merged;
  amount->second = std::max(amount->second, latency);
  selection.widths.insert(recipe.widths);
  if (row.Optional("cost_is_proxy") == "True") {
    selection.proxies.insert(
        fmt::format("{} measured as {}", row.At("runtime_format"), row.Optional("measured_runtime_format")));
  }
  return absl::OkStatus();
}

absl::StatusOr<MeasuredTable> TableOf(const Selection& selection) {
  MeasuredTable table{.resource = Resource::kLatency, .batch_size = 1};
  for (const auto& [shape, amounts] : selection.amounts) {
    const auto& [m, n, k] = shape;
    const std::optional<int64_t> weights = CheckedMultiply(n, k);
    const std::optional<int64_t> macs = weights ? CheckedMultiply(*weights, m) : std::nullopt;
    if (!macs || static_cast<double>(*macs) > kMostNs) {
      return InvalidArgument("a product of {} x {} x {} has more than 2^53 MACs", m, n, k);
    }
    table.layers.push_back({.kind = LayerKind::kMatMul, .weight_shape = {k, n}, .macs = *macs, .amounts = amounts});
    table.layers.push_back({.kind = LayerKind::kGemm, .weight_shape = {n, k}, .macs = *macs, .amounts = amounts});
  }
  if (table.layers.empty()) return InvalidArgument("got no gemm row, want at least one");
  return table;
}

std::vector<SupportRule> RulesOf(const Selection& selection) {
  std::vector<SupportRule> rules;
  for (const Recipe& recipe : kRecipes) {
    if (recipe.scheme.empty() || !selection.widths.contains(recipe.widths)) continue;
    rules.push_back({.of_widths = {recipe.widths},
                     .schemes = {std::string(recipe.scheme)},
                     .reason = fmt::format("ModelOpt recipe {}", recipe.id)});
  }
  return rules;
}

std::string NotesOf(const Selection& selection, const HaqLatencyRows& rows, const std::string& notes) {
  std::vector<std::string> parts;
  if (!notes.empty()) parts.push_back(notes);
  parts.push_back(
      fmt::format("Imported from {}: deployment profile {}, {} tokens, hardware {}. One sample is {} tokens.", kSchema,
                  rows.deployment_profile, *rows.m, fmt::join(selection.hardware, ", "), *rows.m));
  if (!selection.proxies.empty()) parts.push_back(fmt::format("Proxies: {}.", fmt::join(selection.proxies, ", ")));
  if (selection.num_moe > 0) parts.push_back(fmt::format("{} rows of experts were left out.", selection.num_moe));
  if (selection.num_merged > 0) {
    parts.push_back(
        fmt::format("{} figures of groups of equal shape were merged, the largest kept.", selection.num_merged));
  }
  return fmt::format("{}", fmt::join(parts, " "));
}

}  // namespace

absl::StatusOr<HardwareProfile> ImportHaqLatency(std::string_view csv, const HaqLatencyRows& wanted,
                                                 const ImportedProfile& about) {
  BITPLAN_ASSIGN_OR_RETURN(std::vector<Row> rows, ReadRows(csv));
  BITPLAN_RETURN_IF_ERROR(CheckRows(rows));
  HaqLatencyRows chosen;
  BITPLAN_ASSIGN_OR_RETURN(chosen.deployment_profile, OneOf(rows, "deployment_profile", wanted.deployment_profile));
  std::erase_if(rows, [&](const Row& row) { return row.At("deployment_profile") != chosen.deployment_profile; });
  BITPLAN_ASSIGN_OR_RETURN(const std::string m, OneOf(rows, "m", wanted.m ? fmt::format("{}", *wanted.m) : ""));
  std::erase_if(rows, [&](const Row& row) { return row.At("m") != m; });
  BITPLAN_ASSIGN_OR_RETURN(chosen.m, Count(rows.front(), "m"));
  Selection selection;
  for (const Row& row : rows) BITPLAN_RETURN_IF_ERROR(AddRow(row, selection));
  BITPLAN_ASSIGN_OR_RETURN(MeasuredTable table, TableOf(selection));
  table.network = fmt::format("{}, {} tokens", chosen.deployment_profile, m);
  HardwareProfile profile{.name = about.name,
                          .description = about.description,
                          .provenance = about.provenance,
                          .supported = std::vector<Widths>(selection.widths.begin(), selection.widths.end()),
                          .rules = RulesOf(selection),
                          .size = SizeModel{},
                          .bops = BopsModel{}};
  profile.provenance.notes = NotesOf(selection, chosen, about.provenance.notes);
  profile.measured.push_back(std::move(table));
  return profile;
}

}  // namespace bitplan::hardware
