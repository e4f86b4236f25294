#include <fmt/format.h>

#include <string>
#include <vector>

#include "client/render.h"
#include "client/table.h"
#include "client/units.h"

namespace bitplan::client {
namespace {

constexpr size_t kLongestName = 40;
constexpr double kFullPercent = 100;

std::string Percent(const std::optional<SampleMean>& share) {
  return share ? fmt::format("{:.2f}%", share->mean * kFullPercent) : "-";
}

std::string Decibels(const std::optional<double>& ratio) { return ratio ? fmt::format("{:.1f} dB", *ratio) : "-"; }

void AddNetwork(Table& table, const EvaluatedNetwork& network, const Evaluation& evaluation) {
  const bool is_reference = network.uniform_bits && network.uniform_bits == evaluation.reference_bits;
  std::vector<std::string> row = {network.name + (is_reference ? " *" : "")};
  for (const Resource resource : evaluation.compared) {
    const auto cost = network.costs.find(resource);
    row.push_back(cost == network.costs.end() ? "-" : FormatAmount(resource, cost->second));
  }
  const bool is_float = network.costs.empty() && !network.uniform_bits;
  row.push_back(fmt::format("{:.4f}", network.loss.mean));
  row.push_back(fmt::format("{:.4f}", network.loss.standard_error));
  row.push_back(is_float ? "-" : FormatLoss(network.loss_increase.mean));
  row.push_back(is_float ? "-" : fmt::format("{:.1e}", network.loss_increase.standard_error));
  row.push_back(Percent(network.accuracy));
  row.push_back(is_float ? "-" : Percent(network.agreement));
  table.AddRow(std::move(row));
}

std::string RenderNetworks(const Evaluation& evaluation) {
  std::vector<Column> columns = {{.title = "network"}};
  for (const Resource resource : evaluation.compared) {
    columns.push_back({.title = std::string(ToString(resource)), .right = true});
  }
  for (const char* title : {"loss", "+- error", "increase", "+- error", "accuracy", "as float"}) {
    columns.push_back({.title = title, .right = true});
  }
  Table table(std::move(columns));
  AddNetwork(table, evaluation.float_network, evaluation);
  AddNetwork(table, evaluation.plan, evaluation);
  for (const EvaluatedNetwork& network : evaluation.uniform) AddNetwork(table, network, evaluation);
  return table.Render();
}

std::string RenderNoise(const Evaluation& evaluation) {
  Table table({{.title = "layer", .max_width = kLongestName},
               {.title = "option"},
               {.title = "weight signal to noise", .right = true},
               {.title = "activation signal to noise", .right = true},
               {.title = "Huffman-coded", .right = true}});
  int64_t total = 0;
  for (const LayerNoise& noise : evaluation.layers) {
    table.AddRow({noise.layer, Label(noise.option), Decibels(noise.weight_sqnr_db), Decibels(noise.activation_sqnr_db),
                  FormatAmount(Resource::kSize, noise.huffman_size_bits)});
    total += noise.huffman_size_bits;
  }
  table.AddFooter({"total", "", "", "", FormatAmount(Resource::kSize, total)});
  return table.Render();
}

}  // namespace

std::string RenderEvaluation(const Evaluation& evaluation) {
  std::string text = RenderNoise(evaluation) + "\n" + RenderNetworks(evaluation) + "\n";
  text += evaluation.verdict + "\n";
  text += fmt::format("predicted increase {}, measured {} +- {:.1e} ({}, {} samples)\n",
                      FormatLoss(evaluation.predicted_increase), FormatLoss(evaluation.plan.loss_increase.mean),
                      evaluation.plan.loss_increase.standard_error, evaluation.loss, evaluation.num_samples);
  if (evaluation.reference_bits) text += "* the largest uniform width that costs no more than the plan\n";
  for (const std::string& note : evaluation.notes) text += fmt::format("note: {}\n", note);
  return text;
}

}  // namespace bitplan::client
