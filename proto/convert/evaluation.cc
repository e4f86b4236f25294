#include "proto/convert/evaluation.h"

#include <utility>

#include "proto/convert/field_path.h"
#include "proto/convert/options.h"
#include "search/base/status.h"
#include "search/ops/losses.h"

namespace bitplan::convert {
namespace {

constexpr std::string_view kAutoLoss = "auto";  // by the dataset's targets
constexpr std::string_view kCorePrefix = "evaluation.";

// The first text that says something.
const std::string& FirstOf(const std::string& given, const std::string& measured, const std::string& usual) {
  if (!given.empty()) return given;
  return measured.empty() ? usual : measured;
}

// The core names its options evaluation.*; a client knows them without that.
absl::Status WithoutCorePrefix(const absl::Status& status) {
  std::string message = MessageOf(status);
  if (status.ok() || !message.starts_with(kCorePrefix)) return status;
  return absl::Status(status.code(), message.substr(kCorePrefix.size()));
}

void FromMean(const SampleMean& mean, v1::SampleMean* message) {
  message->set_mean(mean.mean);
  message->set_standard_error(mean.standard_error);
}

SampleMean ToMean(const v1::SampleMean& message) {
  return {.mean = message.mean(), .standard_error = message.standard_error()};
}

void FromNetwork(const EvaluatedNetwork& network, v1::EvaluatedNetwork* message) {
  message->set_name(network.name);
  if (network.uniform_bits) message->set_uniform_bits(*network.uniform_bits);
  message->set_within_cost(network.within_cost);
  FromMean(network.loss, message->mutable_loss());
  FromMean(network.loss_increase, message->mutable_loss_increase());
  if (network.accuracy) FromMean(*network.accuracy, message->mutable_accuracy());
  if (network.agreement) FromMean(*network.agreement, message->mutable_agreement());
  FromCosts(network.costs, message->mutable_costs());
}

absl::StatusOr<EvaluatedNetwork> ToNetwork(const v1::EvaluatedNetwork& message) {
  EvaluatedNetwork network{.name = message.name(),
                           .within_cost = message.within_cost(),
                           .loss = ToMean(message.loss()),
                           .loss_increase = ToMean(message.loss_increase())};
  if (message.has_uniform_bits()) network.uniform_bits = message.uniform_bits();
  if (message.has_accuracy()) network.accuracy = ToMean(message.accuracy());
  if (message.has_agreement()) network.agreement = ToMean(message.agreement());
  BITPLAN_ASSIGN_OR_RETURN(network.costs, ToCosts(message.costs()));
  return network;
}

void FromNoise(const LayerNoise& noise, v1::LayerNoise* message) {
  message->set_layer(noise.layer);
  *message->mutable_option() = FromOption(noise.option);
  if (noise.weight_sqnr_db) message->set_weight_sqnr_db(*noise.weight_sqnr_db);
  if (noise.activation_sqnr_db) message->set_activation_sqnr_db(*noise.activation_sqnr_db);
  message->set_huffman_size_bits(noise.huffman_size_bits);
}

absl::StatusOr<LayerNoise> ToNoise(const v1::LayerNoise& message) {
  LayerNoise noise{.layer = message.layer(), .huffman_size_bits = message.huffman_size_bits()};
  auto option = ToOption(message.option());
  if (!option.ok()) return AtField("option", option.status());
  noise.option = *std::move(option);
  if (message.has_weight_sqnr_db()) noise.weight_sqnr_db = message.weight_sqnr_db();
  if (message.has_activation_sqnr_db()) noise.activation_sqnr_db = message.activation_sqnr_db();
  return noise;
}

// The networks of `message`, into `evaluation`.
absl::Status ReadNetworks(const v1::Evaluation& message, Evaluation& evaluation) {
  auto float_network = ToNetwork(message.float_network());
  if (!float_network.ok()) return AtField("float_network", float_network.status());
  auto plan = ToNetwork(message.plan());
  if (!plan.ok()) return AtField("plan", plan.status());
  evaluation.float_network = *std::move(float_network);
  evaluation.plan = *std::move(plan);
  for (int i = 0; i < message.uniform_size(); ++i) {
    auto network = ToNetwork(message.uniform(i));
    if (!network.ok()) return AtField(fmt::format("uniform[{}]", i), network.status());
    evaluation.uniform.push_back(*std::move(network));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<EvaluationOptions> ToEvaluationOptions(const v1::EvaluationSpec& message,
                                                      const v1::MeasureConfig& measured) {
  EvaluationOptions options;
  options.loss = FirstOf(message.loss(), measured.loss(), options.loss);
  options.label_smoothing = message.has_label_smoothing() ? message.label_smoothing() : measured.label_smoothing();
  options.activation_range = FirstOf(message.activation_range(), measured.activation_range(), options.activation_range);
  options.quantize_activations =
      message.has_quantize_activations() ? message.quantize_activations() : measured.quantize_activations();
  options.max_samples = message.max_samples();
  options.max_memory_bytes = message.max_memory_bytes();
  BITPLAN_RETURN_IF_ERROR(WithoutCorePrefix(Validate(options)));
  if (options.loss != kAutoLoss) BITPLAN_RETURN_IF_ERROR(ops::FindLoss(options.loss).status());
  return options;
}

v1::Evaluation FromEvaluation(const Evaluation& evaluation) {
  v1::Evaluation message;
  message.set_loss(evaluation.loss);
  message.set_num_samples(evaluation.num_samples);
  message.set_quantized_activations(evaluation.quantized_activations);
  message.set_activation_range(evaluation.activation_range);
  message.set_plan_digest(evaluation.plan_fingerprint);
  FromNetwork(evaluation.float_network, message.mutable_float_network());
  FromNetwork(evaluation.plan, message.mutable_plan());
  message.set_predicted_increase(evaluation.predicted_increase);
  for (const EvaluatedNetwork& network : evaluation.uniform) FromNetwork(network, message.add_uniform());
  for (const Resource resource : evaluation.compared) message.add_compared(std::string(ToString(resource)));
  if (evaluation.reference_bits) message.set_reference_bits(*evaluation.reference_bits);
  if (evaluation.loss_below_reference) {
    FromMean(*evaluation.loss_below_reference, message.mutable_loss_below_reference());
  }
  message.set_verdict(evaluation.verdict);
  for (const LayerNoise& noise : evaluation.layers) FromNoise(noise, message.add_layers());
  message.mutable_notes()->Add(evaluation.notes.begin(), evaluation.notes.end());
  return message;
}

absl::StatusOr<Evaluation> ToEvaluation(const v1::Evaluation& message) {
  Evaluation evaluation{.loss = message.loss(),
                        .num_samples = message.num_samples(),
                        .quantized_activations = message.quantized_activations(),
                        .activation_range = message.activation_range(),
                        .plan_fingerprint = message.plan_digest(),
                        .predicted_increase = message.predicted_increase(),
                        .verdict = message.verdict(),
                        .notes = {message.notes().begin(), message.notes().end()}};
  BITPLAN_RETURN_IF_ERROR(ReadNetworks(message, evaluation));
  for (int i = 0; i < message.compared_size(); ++i) {
    const auto resource = ParseResource(message.compared(i));
    if (!resource.ok()) return WithContext(resource.status(), fmt::format("compared[{}]", i));
    evaluation.compared.push_back(*resource);
  }
  if (message.has_reference_bits()) evaluation.reference_bits = message.reference_bits();
  if (message.has_loss_below_reference()) evaluation.loss_below_reference = ToMean(message.loss_below_reference());
  for (int i = 0; i < message.layers_size(); ++i) {
    auto noise = ToNoise(message.layers(i));
    if (!noise.ok()) return AtField(fmt::format("layers[{}]", i), noise.status());
    evaluation.layers.push_back(*std::move(noise));
  }
  return evaluation;
}

}  // namespace bitplan::convert
