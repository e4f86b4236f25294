#include "client/frontier_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "client/files.h"
#include "client/render.h"
#include "client/table.h"
#include "client/units.h"
#include "proto/convert/options.h"
#include "search/base/resource.h"
#include "search/base/status.h"
#include "search/layer/layer.h"

namespace bitplan::client {
namespace {

constexpr size_t kBitsWidth = 48;  // longer lists lose their middle; JSON and CSV have all
constexpr double kPercent = 100;

std::string_view StateOf(v1::Termination termination) {
  switch (termination) {
    case v1::TERMINATION_OPTIMAL:
      return "proven";
    case v1::TERMINATION_FEASIBLE:
      return "bounded";
    case v1::TERMINATION_INFEASIBLE:
      return "infeasible";
    case v1::TERMINATION_TIME_LIMIT:
      return "time limit";
    case v1::TERMINATION_CANCELLED:
      return "cancelled";
    default:
      return "unknown";
  }
}

int64_t UseOf(const v1::Frontier& frontier, const v1::FrontierPoint& point) {
  for (const v1::Cost& cost : point.totals()) {
    if (cost.resource() == frontier.terms().resource()) return cost.amount();
  }
  return 0;
}

bool HasActivationBits(const v1::FrontierTerms& terms) {
  return std::ranges::any_of(terms.options(), [&](const v1::Option& option) {
    return option.activation_bits() != terms.options(0).activation_bits();
  });
}

// "8 4*3 2", or "w8a8 w4a8*3" where activations differ too.
std::string BitsOf(const v1::FrontierTerms& terms, const v1::FrontierPoint& point) {
  const bool both = HasActivationBits(terms);
  std::string text;
  for (int i = 0; i < point.options_size();) {
    const auto bits = [&](int layer) {
      const v1::Option& option = terms.options(point.options(layer));
      return both ? fmt::format("w{}a{}", option.weight_bits(), option.activation_bits())
                  : fmt::format("{}", option.weight_bits());
    };
    int end = i + 1;
    while (end < point.options_size() && bits(end) == bits(i)) ++end;
    text += fmt::format("{}{}{}", text.empty() ? "" : " ", bits(i), end - i > 1 ? fmt::format("*{}", end - i) : "");
    i = end;
  }
  return text;
}

std::vector<std::string> RowOf(const v1::Frontier& frontier, Resource resource, const v1::FrontierPoint& point) {
  std::vector<std::string> row = {FormatAmount(resource, point.limit())};
  if (point.options().empty()) {
    row.insert(row.end(), {"-", "-", "-", "-", std::string(StateOf(point.termination())), ""});
    return row;
  }
  row.push_back(FormatAmount(resource, UseOf(frontier, point)));
  row.push_back(FormatLoss(point.objective()));
  row.push_back(point.gap() > 0 ? fmt::format("{:.3g} %", kPercent * point.gap()) : "0");
  row.push_back(point.has_multiplier() ? FormatPrice(resource, point.multiplier()) : "-");
  row.emplace_back(StateOf(point.termination()));
  row.push_back(BitsOf(frontier.terms(), point));
  return row;
}

std::string LabelOf(const v1::Option& option) {
  const auto value = convert::ToOption(option);
  return value.ok() ? Label(*value) : fmt::format("w{}a{}", option.weight_bits(), option.activation_bits());
}

// A cell of a CSV line; quoted where it must be.
std::string Cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

ExitCode CodeOf(const v1::Frontier& frontier) {
  const auto has_choice = [](const v1::FrontierPoint& point) { return !point.options().empty(); };
  if (std::ranges::any_of(frontier.points(), has_choice)) return ExitCode::kOk;
  const auto is_infeasible = [](const v1::FrontierPoint& point) {
    return point.termination() == v1::TERMINATION_INFEASIBLE;
  };
  const bool stopped = frontier.summary().note().find("Stopped") != std::string::npos;
  return !stopped && std::ranges::all_of(frontier.points(), is_infeasible) ? ExitCode::kInfeasible : ExitCode::kFailed;
}

}  // namespace

std::string RenderFrontier(const v1::Frontier& frontier) {
  const Resource resource = ParseResource(frontier.terms().resource()).value_or(Resource::kSize);
  Table table({{.title = fmt::format("{} limit", ToString(resource)), .right = true},
               {.title = "used", .right = true},
               {.title = "loss", .right = true},
               {.title = "gap", .right = true},
               {.title = "price of loss", .right = true},
               {.title = "state"},
               {.title = "bits of the layers", .max_width = kBitsWidth}});
  for (const v1::FrontierPoint& point : frontier.points()) table.AddRow(RowOf(frontier, resource, point));
  std::string text = table.Render() + "\n";
  text += fmt::format("{} points{}\n", FormatCount(frontier.points_size()),
                      frontier.summary().complete() ? ": every plan that none beats in both" : "");
  if (!frontier.terms().predictor().empty()) {
    text += fmt::format("loss of whole plans as predicted by {}\n", frontier.terms().predictor());
  }
  if (!frontier.summary().note().empty()) text += frontier.summary().note() + "\n";
  return text;
}

std::string FrontierCsv(const v1::Frontier& frontier) {
  const v1::FrontierTerms& terms = frontier.terms();
  std::string text = "resource,limit,used,objective,bound,gap,state,supported,price";
  for (const std::string& layer : terms.layers()) text += "," + Cell(layer);
  text += "\n";
  std::vector<std::string> labels;
  for (const v1::Option& option : terms.options()) labels.push_back(Cell(LabelOf(option)));
  for (const v1::FrontierPoint& point : frontier.points()) {
    text += fmt::format("{},{},", terms.resource(), point.limit());
    if (point.options().empty()) {
      text += fmt::format(",,,,{},,{}\n", StateOf(point.termination()), std::string(terms.layers_size(), ','));
      continue;
    }
    text += fmt::format("{},{},{},{},{},{},", UseOf(frontier, point), point.objective(), point.bound(), point.gap(),
                        StateOf(point.termination()), point.supported() ? "yes" : "no");
    if (point.has_multiplier()) text += fmt::format("{}", point.multiplier());
    for (const int option : point.options()) text += "," + labels[option];
    text += "\n";
  }
  return text;
}

absl::StatusOr<ExitCode> PrintFrontier(Session& session, const v1::Frontier& frontier, const std::string& save) {
  session.console.Answer(session.globals.is_json() ? RenderJson(frontier) : RenderFrontier(frontier));
  if (!save.empty()) {
    BITPLAN_RETURN_IF_ERROR(WriteFile(save, save.ends_with(".csv") ? FrontierCsv(frontier) : RenderJson(frontier)));
    session.console.Note(fmt::format("Saved as {}", save));
  }
  return CodeOf(frontier);
}

}  // namespace bitplan::client
