#include "client/comparison_output.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "client/table.h"
#include "client/units.h"

namespace bitplan::client {
namespace {

using Json = nlohmann::ordered_json;

std::string Text(const std::optional<double>& correlation) {
  return correlation ? fmt::format("{:.3f}", *correlation) : "-";
}

std::string RenderMethods(const MethodComparison& comparison) {
  const bool has_held_out = comparison.num_held_out_samples > 0;
  std::vector<Column> columns = {{.title = "method"}, {.title = "gradients", .right = true}};
  columns.push_back({.title = "loss", .right = true});
  columns.push_back({.title = "divergence", .right = true});
  if (has_held_out) {
    columns.push_back({.title = "held-out loss", .right = true});
    columns.push_back({.title = "held-out divergence", .right = true});
  }
  columns.push_back({.title = "slope", .right = true});
  Table table(std::move(columns));
  for (const MethodAgreement& method : comparison.methods) {
    std::vector<std::string> row = {method.method, fmt::format("{:.1f}", method.cost_in_gradients),
                                    Text(method.calibration.loss), Text(method.calibration.divergence)};
    if (has_held_out) {
      row.push_back(method.held_out ? Text(method.held_out->loss) : "-");
      row.push_back(method.held_out ? Text(method.held_out->divergence) : "-");
    }
    row.push_back(fmt::format("{:.2f}", method.slope));
    table.AddRow(std::move(row));
  }
  return table.Render();
}

std::string RenderBetween(const MethodComparison& comparison) {
  std::vector<Column> columns = {{.title = "scores of"}};
  for (const MethodAgreement& method : comparison.methods) columns.push_back({.title = method.method, .right = true});
  Table table(std::move(columns));
  for (size_t i = 0; i < comparison.methods.size(); ++i) {
    std::vector<std::string> row = {comparison.methods[i].method};
    for (const double correlation : comparison.between[i]) row.push_back(fmt::format("{:.2f}", correlation));
    table.AddRow(std::move(row));
  }
  return table.Render();
}

Json ToJson(const PlanAgreement& agreement) {
  Json json = Json::object();
  if (agreement.loss) json["loss"] = *agreement.loss;
  if (agreement.divergence) json["divergence"] = *agreement.divergence;
  return json;
}

}  // namespace

std::string RenderComparison(const MethodComparison& comparison) {
  std::string text = fmt::format("{} random plans, run on {} calibration samples", FormatCount(comparison.num_plans),
                                 FormatCount(comparison.num_samples));
  if (comparison.num_held_out_samples > 0) {
    text += fmt::format(" and {} held-out ones", FormatCount(comparison.num_held_out_samples));
  }
  text +=
      ".\nRank correlations of predictions with measured loss and divergence from the float network; cost in gradients"
      ";\nslope of measured by predicted.\n\n";
  text += RenderMethods(comparison);
  if (comparison.measured_on_both) {
    text += fmt::format("\nThe loss measured on the calibration data itself correlates {:.3f} with the held-out one.\n",
                        *comparison.measured_on_both);
  }
  return text + "\nRank correlations between methods, over all options of all layers:\n\n" + RenderBetween(comparison);
}

std::string ComparisonJson(const MethodComparison& comparison) {
  Json methods = Json::array();
  for (const MethodAgreement& method : comparison.methods) {
    Json json = {{"method", method.method},
                 {"loss", method.loss},
                 {"cost_in_gradients", method.cost_in_gradients},
                 {"calibration", ToJson(method.calibration)}};
    if (method.held_out) json["held_out"] = ToJson(*method.held_out);
    json["slope"] = method.slope;
    json["scores"] = method.scores;
    methods.push_back(std::move(json));
  }
  Json document = {{"num_samples", comparison.num_samples},
                   {"num_held_out_samples", comparison.num_held_out_samples},
                   {"num_plans", comparison.num_plans},
                   {"methods", std::move(methods)},
                   {"between", comparison.between}};
  if (comparison.measured_on_both) document["measured_on_both"] = *comparison.measured_on_both;
  return document.dump(2) + "\n";
}

}  // namespace bitplan::client
