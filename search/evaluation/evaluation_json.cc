#include "search/evaluation/evaluation_json.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "search/layer/layer.h"

namespace bitplan::evaluation {
namespace {

using Json = nlohmann::ordered_json;

Json ToJson(const SampleMean& mean) { return {{"mean", mean.mean}, {"standard_error", mean.standard_error}}; }

Json ToJson(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

Json ToJson(const EvaluatedNetwork& network) {
  Json json = {{"name", network.name}};
  if (network.uniform_bits) json["uniform_bits"] = *network.uniform_bits;
  json["loss"] = ToJson(network.loss);
  json["loss_increase"] = ToJson(network.loss_increase);
  if (network.accuracy) json["accuracy"] = ToJson(*network.accuracy);
  if (network.agreement) json["agreement"] = ToJson(*network.agreement);
  if (!network.costs.empty()) {
    json["within_cost"] = network.within_cost;
    for (const auto& [resource, amount] : network.costs) json["costs"][std::string(ResourceKey(resource))] = amount;
  }
  return json;
}

Json ToJson(const LayerNoise& noise) {
  return {{"layer", noise.layer},
          {"option", Label(noise.option)},
          {"weight_sqnr_db", ToJson(noise.weight_sqnr_db)},
          {"activation_sqnr_db", ToJson(noise.activation_sqnr_db)},
          {"huffman_size_bits", noise.huffman_size_bits}};
}

}  // namespace

std::string ToJson(const Evaluation& evaluation) {
  Json json = {{"format", kEvaluationFormat},
               {"plan_fingerprint", evaluation.plan_fingerprint},
               {"loss", evaluation.loss},
               {"num_samples", evaluation.num_samples},
               {"quantized_activations", evaluation.quantized_activations}};
  if (evaluation.quantized_activations) json["activation_range"] = evaluation.activation_range;
  json["float_network"] = ToJson(evaluation.float_network);
  json["plan"] = ToJson(evaluation.plan);
  json["predicted_increase"] = evaluation.predicted_increase;
  json["uniform"] = Json::array();
  for (const EvaluatedNetwork& network : evaluation.uniform) json["uniform"].push_back(ToJson(network));
  json["compared"] = Json::array();
  for (const Resource resource : evaluation.compared) json["compared"].push_back(std::string(ToString(resource)));
  if (evaluation.reference_bits) json["reference_bits"] = *evaluation.reference_bits;
  if (evaluation.loss_below_reference) json["loss_below_reference"] = ToJson(*evaluation.loss_below_reference);
  json["verdict"] = evaluation.verdict;
  json["layers"] = Json::array();
  for (const LayerNoise& noise : evaluation.layers) json["layers"].push_back(ToJson(noise));
  json["notes"] = evaluation.notes;
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace bitplan::evaluation
