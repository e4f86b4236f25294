#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/commands.h"
#include "client/files.h"
#include "client/model_file.h"
#include "client/profile_file.h"
#include "client/search_options.h"
#include "client/table.h"
#include "search/base/status.h"
#include "search/hardware/coverage.h"
#include "search/quantization/options.h"

namespace bitplan::client {
namespace {

constexpr size_t kNameWidth = 32;

std::string Join(const std::set<Widths>& widths) {
  std::vector<std::string> names;
  names.reserve(widths.size());
  for (const Widths& pair : widths) names.push_back(hardware::ToString(pair));
  return fmt::format("{}", fmt::join(names, " "));
}

// "measured w8a8; none w4a8".
std::string CellOf(const LayerCoverage& layer, Resource resource) {
  std::vector<std::string> parts;
  if (const auto priced = layer.priced.find(resource); priced != layer.priced.end()) {
    for (const auto& [source, widths] : priced->second) {
      parts.push_back(source == CostSource::kModel ? "exact" : fmt::format("{} {}", ToString(source), Join(widths)));
    }
  }
  if (const auto none = layer.unpriced.find(resource); none != layer.unpriced.end()) {
    parts.push_back(fmt::format("none {}", Join(none->second)));
  }
  return parts.empty() ? "-" : fmt::format("{}", fmt::join(parts, "; "));
}

int NumOptions(const LayerCoverage& layer) {
  size_t unsupported = 0;
  for (const auto& [reason, labels] : layer.unsupported) unsupported += labels.size();
  return layer.num_supported + static_cast<int>(unsupported);
}

// "  4 options of 12 layers: w4a8 (want w8a8): ...", each reason once.
std::string RenderReasons(const Coverage& coverage) {
  std::map<std::string, std::pair<size_t, size_t>> reasons;  // options, layers
  for (const LayerCoverage& layer : coverage.layers) {
    for (const auto& [reason, labels] : layer.unsupported) {
      reasons[reason].first += labels.size();
      ++reasons[reason].second;
    }
  }
  std::string text;
  for (const auto& [reason, counts] : reasons) {
    text += fmt::format("  {} options in {} layers: {}\n", counts.first, counts.second, reason);
  }
  return text.empty() ? "" : "\nNot supported by the device:\n" + text;
}

std::string RenderVerdict(const Coverage& coverage) {
  std::vector<std::string> without;
  for (const LayerCoverage& layer : coverage.layers) {
    if (layer.num_supported == 0) without.push_back(layer.layer);
  }
  if (!without.empty()) {
    return fmt::format("\nNo option is supported for: {}. A search with this profile is refused.\n",
                       fmt::join(without, ", "));
  }
  return coverage.is_complete()
             ? fmt::format("\nEvery supported option has all prices of profile '{}'.\n", coverage.profile)
             : "\nOptions without a price are refused by a budget of that resource unless --leave-out-unpriced.\n";
}

std::string RenderCoverage(const Coverage& coverage) {
  std::vector<Column> columns = {{.title = "layer", .max_width = kNameWidth}, {.title = "kind"}, {.title = "options"}};
  for (const Resource resource : coverage.resources) columns.push_back({.title = std::string(ToString(resource))});
  Table table(std::move(columns));
  for (const LayerCoverage& layer : coverage.layers) {
    std::vector<std::string> row = {layer.layer, std::string(ToString(layer.kind)),
                                    fmt::format("{} of {}", layer.num_supported, NumOptions(layer))};
    for (const Resource resource : coverage.resources) row.push_back(CellOf(layer, resource));
    table.AddRow(std::move(row));
  }
  return table.Render() + RenderReasons(coverage) + RenderVerdict(coverage);
}

struct Arguments {
  std::string profile;
  SearchArguments search;
};

absl::StatusOr<Coverage> Check(const Arguments& arguments) {
  BITPLAN_ASSIGN_OR_RETURN(const HardwareProfile profile, ReadProfile(arguments.profile));
  BITPLAN_ASSIGN_OR_RETURN(const LayerTable layers, ReadLayers(arguments.search.model, arguments.search.calibration));
  BITPLAN_ASSIGN_OR_RETURN(const QuantizationOptions quantization, QuantizationOf(arguments.search));
  BITPLAN_ASSIGN_OR_RETURN(const OptionTable options, quantization::ListOptions(layers, quantization));
  return hardware::FindCoverage(layers, options, profile);
}

}  // namespace

Action DeclareProfileCheck(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  app.add_option("profile", arguments->profile, "Name of a shipped profile, or a profile document FILE.json")
      ->required();
  app.add_option("model", arguments->search.model, "ONNX network")->required()->check(CLI::ExistingFile);
  app.add_option("--calibration", arguments->search.calibration,
                 "Calibration data, for sizes of inputs that the network leaves open");
  AddMeasuringOptions(app, arguments->search);
  return [arguments](Session& session) -> absl::StatusOr<ExitCode> {
    BITPLAN_ASSIGN_OR_RETURN(const Coverage coverage, Check(*arguments));
    session.console.Answer(session.globals.is_json() ? hardware::ToJson(coverage) : RenderCoverage(coverage));
    return ExitCode::kOk;
  };
}

}  // namespace bitplan::client
