#include "search/exporters/csv.h"

#include <fmt/format.h>

#include <set>
#include <string>

namespace bitplan::exporters {
namespace {

constexpr std::string_view kLineEnd = "\r\n";  // RFC 4180

// Resources that some option of some layer has a cost of.
std::set<Resource> PricedIn(const Plan& plan) {
  std::set<Resource> priced;
  for (const PlanLayer& layer : plan.layers) {
    if (layer.chosen) {
      for (const auto& [resource, unused] : layer.chosen->costs) priced.insert(resource);
    }
    for (const PlanOption& option : layer.alternatives) {
      for (const auto& [resource, unused] : option.costs) priced.insert(resource);
    }
  }
  return priced;
}

std::string Header(const std::set<Resource>& priced) {
  std::string line =
      "layer,kind,num_weights,macs,weight_bits,activation_bits,scheme,granularity,sensitivity,standard_error";
  for (const Resource resource : priced) line += fmt::format(",{}", ResourceKey(resource));
  return line;
}

std::string ChoiceCells(const PlanOption& option) {
  return fmt::format(",{},{},{},{},{},{}", option.option.weight_bits, option.option.activation_bits,
                     CsvCell(option.option.scheme), DescribeGranularity(option.option), option.sensitivity,
                     option.standard_error);
}

std::string Row(const PlanLayer& layer, const std::set<Resource>& priced) {
  std::string line = fmt::format("{},{},{},{}", CsvCell(layer.layer.name), ToString(layer.layer.kind),
                                 layer.layer.num_weights, layer.layer.macs);
  line += layer.chosen ? ChoiceCells(*layer.chosen) : ",,,,,,";
  for (const Resource resource : priced) {
    line += ",";
    if (layer.chosen && layer.chosen->costs.contains(resource)) {
      line += fmt::format("{}", layer.chosen->costs.at(resource));
    }
  }
  return line;
}

}  // namespace

std::string CsvCell(std::string_view text) {
  constexpr std::string_view kFormulaStarts = "=+-@\t\r";
  std::string cell;
  if (!text.empty() && kFormulaStarts.find(text.front()) != std::string_view::npos) cell = "'";
  bool needs_quotes = false;
  for (const char c : text) {
    needs_quotes = needs_quotes || c == ',' || c == '"' || c == '\n' || c == '\r';
    cell += c == '"' ? "\"\"" : std::string(1, c);
  }
  return needs_quotes ? fmt::format("\"{}\"", cell) : cell;
}

std::string ToCsv(const Plan& plan) {
  const std::set<Resource> priced = PricedIn(plan);
  std::string text = Header(priced);
  text += kLineEnd;
  for (const PlanLayer& layer : plan.layers) {
    text += Row(layer, priced);
    text += kLineEnd;
  }
  return text;
}

}  // namespace bitplan::exporters
