#include "proto/convert/measurement.h"

#include <algorithm>
#include <array>
#include <span>

#include "proto/convert/field_path.h"
#include "proto/convert/options.h"
#include "proto/convert/ties.h"
#include "search/base/status.h"
#include "search/ops/losses.h"
#include "search/pipeline/version.h"
#include "search/quantization/quantizer_table.h"

namespace bitplan::convert {
namespace {

constexpr std::string_view kGivenMethod = "given";
constexpr std::string_view kAutoLoss = "auto";  // by the dataset's targets

TraceEstimate ToTrace(const v1::TraceEstimate& message) {
  return {.trace = message.trace(),
          .standard_error = message.standard_error(),
          .num_probes = message.num_probes(),
          .converged = message.converged()};
}

EigenvalueEstimate ToEigenvalue(const v1::EigenvalueEstimate& message) {
  return {.value = message.value(),
          .residual = message.residual(),
          .iterations = message.iterations(),
          .converged = message.converged()};
}

LayerCurvature ToCurvature(const v1::Curvature& message) {
  LayerCurvature curvature;
  if (message.has_trace()) curvature.trace = ToTrace(message.trace());
  if (message.has_top_eigenvalue()) curvature.top_eigenvalue = ToEigenvalue(message.top_eigenvalue());
  return curvature;
}

void FromTrace(const TraceEstimate& trace, v1::TraceEstimate* message) {
  message->set_trace(trace.trace);
  message->set_standard_error(trace.standard_error);
  message->set_num_probes(trace.num_probes);
  message->set_converged(trace.converged);
}

void FromEigenvalue(const EigenvalueEstimate& eigenvalue, v1::EigenvalueEstimate* message) {
  message->set_value(eigenvalue.value);
  message->set_residual(eigenvalue.residual);
  message->set_iterations(eigenvalue.iterations);
  message->set_converged(eigenvalue.converged);
}

void FromCurvature(const LayerCurvature& curvature, int64_t num_weights, v1::Curvature* message) {
  if (curvature.top_eigenvalue) FromEigenvalue(*curvature.top_eigenvalue, message->mutable_top_eigenvalue());
  if (!curvature.trace) return;
  FromTrace(*curvature.trace, message->mutable_trace());
  const double count = static_cast<double>(std::max<int64_t>(1, num_weights));
  message->set_average_trace(curvature.trace->trace / count);
  message->set_average_trace_standard_error(curvature.trace->standard_error / count);
}

// Appends one option to the last layer's row of every table.
absl::Status AppendOption(const v1::MeasuredOption& message, GivenSensitivities& given) {
  auto option = ToOption(message.option());
  if (!option.ok()) return AtField("option", option.status());
  BITPLAN_ASSIGN_OR_RETURN(Costs costs, ToCosts(message.costs()));
  given.options.options.back().push_back(*std::move(option));
  given.sensitivity.score.back().push_back(message.sensitivity());
  given.sensitivity.standard_error.back().push_back(message.standard_error());
  given.sensitivity.perturbation_sq.back().push_back(message.perturbation_squared());
  given.costs.back().push_back(std::move(costs));
  return absl::OkStatus();
}

absl::Status AppendLayer(const v1::MeasuredLayer& message, GivenSensitivities& given) {
  auto layer = ToLayer(message.layer());
  if (!layer.ok()) return AtField("layer", layer.status());
  given.layers.layers.push_back(*std::move(layer));
  given.options.options.emplace_back();
  given.sensitivity.score.emplace_back();
  given.sensitivity.standard_error.emplace_back();
  given.sensitivity.perturbation_sq.emplace_back();
  given.sensitivity.curvature.push_back(ToCurvature(message.curvature()));
  given.costs.emplace_back();
  for (int k = 0; k < message.options_size(); ++k) {
    BITPLAN_RETURN_IF_ERROR(AtField(fmt::format("options[{}]", k), AppendOption(message.options(k), given)));
  }
  return absl::OkStatus();
}

// The core says "not known" with empty tables.
void DropUnknown(GivenSensitivities& given) {
  auto& table = given.sensitivity;
  const auto is_zero = [](const std::vector<double>& row) {
    return std::all_of(row.begin(), row.end(), [](double x) { return x == 0; });
  };
  if (std::all_of(table.perturbation_sq.begin(), table.perturbation_sq.end(), is_zero)) table.perturbation_sq.clear();
  const auto is_unknown = [](const LayerCurvature& c) { return !c.trace && !c.top_eigenvalue; };
  if (std::all_of(table.curvature.begin(), table.curvature.end(), is_unknown)) table.curvature.clear();
}

void FromOptionOf(const Measurement& measurement, size_t layer, size_t k, v1::MeasuredOption* message) {
  const SensitivityTable& table = measurement.sensitivity;
  *message->mutable_option() = FromOption(measurement.options.options[layer][k]);
  message->set_sensitivity(table.score[layer][k]);
  message->set_standard_error(table.standard_error[layer][k]);
  if (!table.perturbation_sq.empty()) message->set_perturbation_squared(table.perturbation_sq[layer][k]);
  if (!measurement.given_costs.empty()) FromCosts(measurement.given_costs[layer][k], message->mutable_costs());
}

void FromLayerOf(const Measurement& measurement, size_t i, v1::MeasuredLayer* message) {
  const Layer& layer = measurement.layers.layers[i];
  *message->mutable_layer() = FromLayer(layer);
  for (size_t k = 0; k < measurement.options.options[i].size(); ++k) {
    FromOptionOf(measurement, i, k, message->add_options());
  }
  if (!measurement.sensitivity.curvature.empty()) {
    FromCurvature(measurement.sensitivity.curvature[i], layer.num_weights, message->mutable_curvature());
  }
}

void FromProvenanceOf(const Measurement& measurement, v1::Provenance* message) {
  message->set_model_digest(measurement.model_digest);
  message->set_dataset_digest(measurement.dataset_digest);
  message->set_measurement_digest(measurement.digest);
  message->set_seed(measurement.sensitivity.seed);
  message->set_bitplan_version(std::string(pipeline::BitplanVersion()));
  message->set_method(measurement.sensitivity.method);
  message->mutable_versions()->insert(measurement.versions.begin(), measurement.versions.end());
  message->mutable_origin()->insert(measurement.origin.begin(), measurement.origin.end());
}

// Names of the core's fields that a client knows under another path.
struct FieldName {
  std::string_view core;
  std::string_view message;
};

constexpr auto kTableFields = std::to_array<FieldName>({{"name", "layer.name"},
                                                        {"num_weights", "layer.num_weights"},
                                                        {"macs", "layer.macs"},
                                                        {"input_elements", "layer.input_elements"},
                                                        {"output_elements", "layer.output_elements"},
                                                        {"weight_shape", "layer.weight_shape"},
                                                        {"output_channel_axis", "layer.output_channel_axis"},
                                                        {"score", "sensitivity"},
                                                        {"perturbation_sq", "perturbation_squared"},
                                                        {"weight_bits", "option.weight_bits"},
                                                        {"activation_bits", "option.activation_bits"},
                                                        {"scheme", "option.scheme"},
                                                        {"group_size", "option.group_size"},
                                                        {"range", "option.range"}});
constexpr auto kEstimatorFields = std::to_array<FieldName>({{"trace_estimator", "estimator.trace_estimator"},
                                                            {"trace_relative_error", "estimator.trace_relative_error"},
                                                            {"max_probes", "estimator.max_probes"},
                                                            {"eigenvalue_tolerance", "estimator.eigenvalue_tolerance"},
                                                            {"max_iterations", "estimator.max_iterations"},
                                                            {"max_memory_bytes", "estimator.max_memory_bytes"}});

// `status` without `prefix` in front of its path, the path's last field under the name that a client knows.
absl::Status Rename(const absl::Status& status, std::string_view prefix, std::span<const FieldName> names) {
  if (status.ok()) return status;
  std::string message = MessageOf(status);
  if (message.starts_with(prefix)) message.erase(0, prefix.size());
  const std::string_view path = FieldPathOf(message);
  const size_t last = path.rfind('.') == std::string_view::npos ? 0 : path.rfind('.') + 1;
  for (const FieldName& name : names) {
    if (path.substr(last) != name.core) continue;
    return absl::Status(status.code(), message.replace(last, name.core.size(), name.message));
  }
  return absl::Status(status.code(), message);
}

absl::Status CheckSchemes(const std::vector<std::string>& schemes) {
  for (size_t i = 0; i < schemes.size(); ++i) {
    const absl::Status known = quantization::FindQuantizer(schemes[i]).status();
    if (!known.ok()) return WithContext(Rename(known, "scheme: ", {}), fmt::format("schemes[{}]", i));
  }
  return absl::OkStatus();
}

template <typename T>
void SetIfGiven(const T& given, T& out) {
  if (given != T{}) out = given;
}

}  // namespace

absl::StatusOr<GivenSensitivities> ToGiven(const v1::MeasurementTable& message) {
  GivenSensitivities given;
  given.sensitivity.method = message.method().empty() ? kGivenMethod : message.method();
  given.sensitivity.loss = message.loss();
  given.ties = ToTies(message.ties());
  given.provenance = {message.origin().begin(), message.origin().end()};
  for (int i = 0; i < message.layers_size(); ++i) {
    const std::string path = fmt::format("layers[{}] '{}'", i, message.layers(i).layer().name());
    BITPLAN_RETURN_IF_ERROR(AtField(path, AppendLayer(message.layers(i), given)));
  }
  DropUnknown(given);
  BITPLAN_RETURN_IF_ERROR(Rename(sensitivity::Validate(given), "", kTableFields));
  return given;
}

v1::Measurement FromMeasurement(const Measurement& measurement) {
  v1::Measurement message;
  const SensitivityTable& table = measurement.sensitivity;
  message.set_digest(measurement.digest);
  message.set_method(table.method);
  message.set_loss(table.loss);
  message.set_num_samples(table.num_samples);
  if (table.base_loss) message.set_base_loss(*table.base_loss);
  for (const std::string& note : table.notes) message.add_notes(note);
  if (table.network_top_eigenvalue) {
    FromEigenvalue(*table.network_top_eigenvalue, message.mutable_network_top_eigenvalue());
  }
  for (size_t i = 0; i < measurement.layers.layers.size(); ++i) FromLayerOf(measurement, i, message.add_layers());
  FromTies(measurement.ties, message.mutable_ties());
  FromTies(measurement.activation_ties, message.mutable_activation_ties());
  message.set_has_structure(measurement.structure.has_value());
  for (const StructureGroup& group : measurement.structure.value_or(LayerStructure{})) {
    auto* entry = message.add_structure();
    entry->set_kind(std::string(ToString(group.kind)));
    entry->mutable_layers()->Add(group.layers.begin(), group.layers.end());
  }
  FromProvenanceOf(measurement, message.mutable_provenance());
  message.mutable_origin()->insert(measurement.origin.begin(), measurement.origin.end());
  message.set_num_layers(message.layers_size());
  int64_t num_options = 0;
  for (const auto& layer : message.layers()) num_options += layer.options_size();
  message.set_num_options(num_options);
  return message;
}

absl::StatusOr<QuantizationOptions> ToQuantizationOptions(const v1::MeasureConfig& config) {
  const v1::OptionSpace& message = config.options();
  QuantizationOptions options;
  if (message.activation_bits() != 0) options.activation_bits = {message.activation_bits()};
  SetIfGiven<std::vector<int>>({message.activation_widths().begin(), message.activation_widths().end()},
                               options.activation_bits);
  SetIfGiven<std::vector<int>>({message.weight_bits().begin(), message.weight_bits().end()}, options.weight_bits);
  SetIfGiven<std::vector<std::string>>({message.schemes().begin(), message.schemes().end()}, options.schemes);
  if (message.granularities_size() > 0) options.granularities.clear();
  for (int i = 0; i < message.granularities_size(); ++i) {
    const auto granularity = ParseGranularity(message.granularities(i));
    if (!granularity.ok())
      return WithContext(Rename(granularity.status(), "granularity: ", {}),
                         fmt::format("options.granularities[{}]", i));
    options.granularities.push_back(*granularity);
  }
  SetIfGiven<std::vector<int64_t>>({message.group_sizes().begin(), message.group_sizes().end()}, options.group_sizes);
  SetIfGiven<std::vector<int64_t>>({message.channel_group_sizes().begin(), message.channel_group_sizes().end()},
                                   options.channel_group_sizes);
  SetIfGiven<std::vector<std::string>>({message.range_rules().begin(), message.range_rules().end()},
                                       options.range_rules);
  if (message.roundings_size() > 0) options.roundings.clear();
  for (int i = 0; i < message.roundings_size(); ++i) {
    const auto rounding = ParseRounding(message.roundings(i));
    if (!rounding.ok())
      return WithContext(Rename(rounding.status(), "rounding: ", {}), fmt::format("options.roundings[{}]", i));
    options.roundings.push_back(*rounding);
  }
  BITPLAN_RETURN_IF_ERROR(AtField("options", CheckSchemes(options.schemes)));
  BITPLAN_RETURN_IF_ERROR(AtField("options", Rename(Validate(options), "quantization.", {})));
  return options;
}

absl::StatusOr<SensitivityOptions> ToSensitivityOptions(const v1::MeasureConfig& config) {
  const v1::EstimatorConfig& estimator = config.estimator();
  SensitivityOptions options;
  SetIfGiven(config.method(), options.method);
  SetIfGiven(config.loss(), options.loss);
  options.max_samples = config.max_samples();
  options.seed = config.seed();
  options.label_smoothing = config.label_smoothing();
  options.quantize_activations = config.quantize_activations();
  SetIfGiven(config.activation_range(), options.activation_range);
  SetIfGiven(config.output_changes(), options.output_changes);
  SetIfGiven(estimator.trace_estimator(), options.trace_estimator);
  SetIfGiven(estimator.trace_relative_error(), options.trace_relative_error);
  SetIfGiven<int64_t>(estimator.max_probes(), options.max_probes);
  SetIfGiven(estimator.eigenvalue_tolerance(), options.eigenvalue_tolerance);
  SetIfGiven<int64_t>(estimator.max_iterations(), options.max_iterations);
  options.max_memory_bytes = estimator.max_memory_bytes();
  options.all_curvature = estimator.all_curvature();
  BITPLAN_RETURN_IF_ERROR(Rename(Validate(options), "sensitivity.", kEstimatorFields));
  if (options.loss != kAutoLoss) BITPLAN_RETURN_IF_ERROR(ops::FindLoss(options.loss).status());
  return options;
}

v1::MeasureConfig FromOptions(const QuantizationOptions& quantization, const SensitivityOptions& sensitivity) {
  v1::MeasureConfig message;
  message.set_method(sensitivity.method);
  message.set_loss(sensitivity.loss);
  message.set_seed(sensitivity.seed);
  message.set_max_samples(sensitivity.max_samples);
  auto* space = message.mutable_options();
  space->mutable_weight_bits()->Add(quantization.weight_bits.begin(), quantization.weight_bits.end());
  const std::vector<int>& activation_bits = quantization.activation_bits;
  if (activation_bits.size() == 1 && activation_bits[0] != kSameAsWeights) {
    space->set_activation_bits(activation_bits[0]);
  } else {
    space->mutable_activation_widths()->Add(activation_bits.begin(), activation_bits.end());
  }
  space->mutable_schemes()->Add(quantization.schemes.begin(), quantization.schemes.end());
  for (const Granularity granularity : quantization.granularities) {
    space->add_granularities(std::string(ToString(granularity)));
  }
  // Only what is not the default: a server without these settings reads it as before.
  const QuantizationOptions usual;
  if (quantization.group_sizes != usual.group_sizes) {
    space->mutable_group_sizes()->Add(quantization.group_sizes.begin(), quantization.group_sizes.end());
  }
  if (quantization.channel_group_sizes != usual.channel_group_sizes) {
    space->mutable_channel_group_sizes()->Add(quantization.channel_group_sizes.begin(),
                                              quantization.channel_group_sizes.end());
  }
  if (quantization.range_rules != usual.range_rules) {
    space->mutable_range_rules()->Add(quantization.range_rules.begin(), quantization.range_rules.end());
  }
  if (quantization.roundings != usual.roundings) {
    for (const Rounding rounding : quantization.roundings) space->add_roundings(std::string(ToString(rounding)));
  }
  auto* estimator = message.mutable_estimator();
  message.set_label_smoothing(sensitivity.label_smoothing);
  message.set_quantize_activations(sensitivity.quantize_activations);
  message.set_activation_range(sensitivity.activation_range);
  message.set_output_changes(sensitivity.output_changes);
  estimator->set_trace_estimator(sensitivity.trace_estimator);
  estimator->set_trace_relative_error(sensitivity.trace_relative_error);
  estimator->set_max_probes(sensitivity.max_probes);
  estimator->set_eigenvalue_tolerance(sensitivity.eigenvalue_tolerance);
  estimator->set_max_iterations(sensitivity.max_iterations);
  estimator->set_max_memory_bytes(sensitivity.max_memory_bytes);
  estimator->set_all_curvature(sensitivity.all_curvature);
  return message;
}

}  // namespace bitplan::convert
