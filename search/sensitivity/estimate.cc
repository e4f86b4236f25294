#include "search/sensitivity/estimate.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "search/base/digest.h"
#include "search/base/parallel.h"
#include "search/base/status.h"
#include "search/curvature/hessian.h"
#include "search/quantization/dynamic_range.h"
#include "search/quantization/quantizer.h"
#include "search/sensitivity/activation_ranges.h"
#include "search/sensitivity/importance.h"
#include "search/sensitivity/method_table.h"
#include "search/sensitivity/trace_estimators.h"
#include "search/sensitivity/whole_plan.h"

namespace bitplan {

using sensitivity::kOutputChanges;

absl::Status Validate(const SensitivityOptions& options) {
  BITPLAN_ASSIGN_OR_RETURN(const MethodEntry method, sensitivity::FindMethod(options.method));
  if (method.score == nullptr) {
    return InvalidArgument("sensitivity.method: '{}' takes its scores from a document, there is nothing to estimate",
                           options.method);
  }
  if (!(options.label_smoothing >= 0 && options.label_smoothing <= 1)) {
    return InvalidArgument("sensitivity.label_smoothing: got {}, want 0..1", options.label_smoothing);
  }
  BITPLAN_RETURN_IF_ERROR(sensitivity::FindTraceEstimator(options.trace_estimator).status());
  if (!(options.trace_relative_error > 0) || !std::isfinite(options.trace_relative_error)) {
    return InvalidArgument("sensitivity.trace_relative_error: got {}, want above 0", options.trace_relative_error);
  }
  if (options.max_probes < 2) {
    return InvalidArgument("sensitivity.max_probes: got {}, want at least 2", options.max_probes);
  }
  if (!(options.eigenvalue_tolerance > 0 && options.eigenvalue_tolerance < 1)) {
    return InvalidArgument("sensitivity.eigenvalue_tolerance: got {}, want above 0 and below 1",
                           options.eigenvalue_tolerance);
  }
  if (options.max_iterations < 1) {
    return InvalidArgument("sensitivity.max_iterations: got {}, want at least 1", options.max_iterations);
  }
  if (options.max_samples < 0) {
    return InvalidArgument("sensitivity.max_samples: got {}, want 0 (all) or more", options.max_samples);
  }
  if (options.max_memory_bytes < 0) {
    return InvalidArgument("sensitivity.max_memory_bytes: got {}, want 0 (no limit) or more", options.max_memory_bytes);
  }
  const absl::Status range = quantization::CheckActivationRange(options.activation_range);
  if (!range.ok()) return WithContext(range, "sensitivity.activation_range");
  if (std::ranges::find(kOutputChanges, options.output_changes) == kOutputChanges.end()) {
    return InvalidArgument("sensitivity.output_changes: got '{}', want {}", options.output_changes,
                           fmt::join(kOutputChanges, " or "));
  }
  if (options.quantize_activations && !method.scores_activations) {
    return InvalidArgument("sensitivity.quantize_activations: method '{}' scores weights only", options.method);
  }
  return absl::OkStatus();
}

namespace sensitivity {
namespace {

// Start vectors of layers take streams 0, 1, ..; the network's own start vector must differ from all of them.
constexpr uint64_t kNetworkStream = uint64_t{1} << 32;

absl::Status CheckTables(const Objective& objective, const LayerTable& layers, const OptionTable& options) {
  const size_t num_layers = layers.layers.size();
  if (objective.slices().size() != num_layers || options.options.size() != num_layers) {
    return InvalidArgument("layers: the table holds {}, the loss {} and the options {}, want the same number",
                           num_layers, objective.slices().size(), options.options.size());
  }
  if (num_layers == 0) return InvalidArgument("layers: there is no layer with weights to quantize");
  for (size_t l = 0; l < num_layers; ++l) {
    const Layer& layer = layers.layers[l];
    if (layer.num_weights != objective.slices()[l].size || NumElements(layer.weight_shape) != layer.num_weights) {
      return InvalidArgument("layers[{}] '{}': got {} weights of shape {}, the loss has {}", l, layer.name,
                             layer.num_weights, ToString(layer.weight_shape), objective.slices()[l].size);
    }
    if (options.options[l].empty()) return InvalidArgument("layers[{}] '{}'.options: is empty", l, layer.name);
  }
  return absl::OkStatus();
}

template <typename T>
std::string_view BytesOf(std::span<const T> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

// Names everything a Hessian-vector product depends on. Outputs, loss and gradient stand in for graph and data:
// networks or datasets that agree in all these bits but differ in curvature do not happen by accident. (Loss and
// gradient alone say nothing of a label-free loss: both are zero.)
absl::StatusOr<std::string> CheckpointPrefix(const Objective& objective, const LossAndGradient& at_weights,
                                             const RunContext& context) {
  BITPLAN_ASSIGN_OR_RETURN(const Tensor outputs, objective.Outputs({}, context));
  Sha256 digest;
  const std::vector<int64_t> sizes = {objective.num_samples(), objective.num_weights(),
                                      static_cast<int64_t>(objective.slices().size())};
  digest.Update(BytesOf(std::span(sizes)));
  for (const WeightSlice& slice : objective.slices()) digest.Update(BytesOf(std::span(&slice.size, 1)));
  digest.Update(objective.loss_name());
  digest.Update(BytesOf(objective.weights()));
  digest.Update(BytesOf(std::span(&at_weights.loss, 1)));
  digest.Update(BytesOf(std::span(at_weights.gradient)));
  digest.Update(BytesOf(std::span(outputs.data)));
  return "hessian/" + digest.FinishHex();
}

// Q(W) - W of every option of every layer.
struct MeasuredPerturbations {
  std::vector<std::vector<double>> squared_norms;
  curvature::Perturbations deltas;  // empty unless kept
};

absl::Status PerturbLayer(const Layer& layer, std::span<const float> weights, const std::vector<Option>& options,
                          const PerturbInputs& inputs, std::vector<double>& squared_norms,
                          std::vector<std::vector<float>>* deltas) {
  for (size_t o = 0; o < options.size(); ++o) {
    const TensorView view(weights, layer.weight_shape);
    absl::StatusOr<Perturbation> perturbation =
        quantization::Perturb(view, layer.output_channel_axis, options[o], inputs);
    if (!perturbation.ok()) return WithContext(perturbation.status(), fmt::format("options[{}]", o));
    squared_norms.push_back(perturbation->squared_norm);
    if (deltas != nullptr) deltas->push_back(std::move(perturbation->delta));
  }
  return absl::OkStatus();
}

absl::StatusOr<MeasuredPerturbations> MeasurePerturbations(const Objective& objective, const LayerTable& layers,
                                                           const OptionTable& options, uint64_t seed, bool keep,
                                                           const RunContext& context) {
  std::vector<float> importance;
  if (WantsImportance(options)) {
    BITPLAN_ASSIGN_OR_RETURN(importance, WeightImportance(objective, seed, context));
  }
  const auto num_layers = static_cast<int>(layers.layers.size());
  MeasuredPerturbations measured;
  measured.squared_norms.resize(num_layers);
  if (keep) measured.deltas.resize(num_layers);
  context.Report({.stage = "perturbations", .num_layers = num_layers});
  BITPLAN_RETURN_IF_ERROR(ParallelShards(context, num_layers, [&](int l) -> absl::Status {
    const auto [offset, size] = objective.slices()[l];
    PerturbInputs inputs{.seed = seed, .stream = static_cast<uint64_t>(l)};
    if (!importance.empty()) inputs.importance = std::span<const float>(importance).subspan(offset, size);
    const absl::Status status =
        PerturbLayer(layers.layers[l], objective.weights().subspan(offset, size), options.options[l], inputs,
                     measured.squared_norms[l], keep ? &measured.deltas[l] : nullptr);
    if (!status.ok()) return WithContext(status, fmt::format("layers[{}] '{}'", l, layers.layers[l].name));
    return absl::OkStatus();
  }));
  context.Report({.stage = "perturbations", .fraction = 1, .layer = num_layers, .num_layers = num_layers});
  return measured;
}

absl::Status MeasureTraces(const Objective& objective, const SensitivityOptions& options,
                           const std::string& checkpoint_prefix, std::vector<LayerCurvature>& curvature,
                           const RunContext& context) {
  BITPLAN_ASSIGN_OR_RETURN(const TraceEstimatorEntry estimator, FindTraceEstimator(options.trace_estimator));
  const TraceOptions trace_options{.seed = options.seed,
                                   .relative_error = options.trace_relative_error,
                                   .max_probes = options.max_probes,
                                   .checkpoint_key = checkpoint_prefix};
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<TraceEstimate> traces,
                           estimator.estimate(objective, trace_options, context));
  for (size_t l = 0; l < traces.size(); ++l) curvature[l].trace = traces[l];
  return absl::OkStatus();
}

PowerIterationOptions IterationOptions(const SensitivityOptions& options, uint64_t stream, std::string checkpoint_key) {
  return {.seed = options.seed,
          .stream = stream,
          .tolerance = options.eigenvalue_tolerance,
          .max_iterations = options.max_iterations,
          .checkpoint_key = std::move(checkpoint_key)};
}

absl::Status MeasureEigenvalues(const Objective& objective, const LayerTable& layers, const SensitivityOptions& options,
                                const std::string& checkpoint_prefix, std::vector<LayerCurvature>& curvature,
                                const RunContext& context) {
  const auto num_layers = static_cast<int64_t>(curvature.size());
  for (int l = 0; l < num_layers; ++l) {
    const std::string& name = layers.layers[l].name;
    RunContext layer_context = context;
    layer_context.progress = [&context, &name, l, num_layers](const Progress& of_layer) {
      Progress report = of_layer;
      report.fraction = (l + of_layer.fraction) / static_cast<double>(num_layers);
      report.layer = l + 1;
      report.num_layers = num_layers;
      report.layer_name = name;
      context.Report(report);
    };
    const absl::StatusOr<EigenvalueEstimate> top = curvature::PowerIteration(
        HessianOperator::OfLayer(objective, l),
        IterationOptions(options, l, fmt::format("{}/layer/{}", checkpoint_prefix, l)), layer_context);
    if (!top.ok()) return WithContext(top.status(), fmt::format("layers[{}] '{}'", l, name));
    curvature[l].top_eigenvalue = *top;
  }
  context.Report({.stage = "eigenvalues", .fraction = 1, .layer = num_layers, .num_layers = num_layers});
  return absl::OkStatus();
}

absl::StatusOr<EigenvalueEstimate> MeasureNetworkEigenvalue(const Objective& objective,
                                                            const SensitivityOptions& options,
                                                            const std::string& checkpoint_prefix,
                                                            const RunContext& context) {
  RunContext network_context = context;
  network_context.progress = [&context](const Progress& of_network) {
    Progress report = of_network;
    report.stage = "network eigenvalue";
    context.Report(report);
  };
  return curvature::PowerIteration(HessianOperator::OfNetwork(objective),
                                   IterationOptions(options, kNetworkStream, checkpoint_prefix + "/network"),
                                   network_context);
}

absl::StatusOr<SensitivityTable> EstimateWith(const Objective& objective, const LayerTable& layers,
                                              const OptionTable& option_table, const SensitivityOptions& options,
                                              const ActivationCalibration* activations, const Dataset* data,
                                              const RunContext& context);

// What a limit leaves for passes over the network beside the perturbations that the method keeps; 0: no limit.
absl::StatusOr<int64_t> MemoryForPasses(const SensitivityOptions& options, const LayerTable& layers,
                                        const OptionTable& option_table) {
  if (options.max_memory_bytes == 0 || option_table.options.size() != layers.layers.size()) {
    return options.max_memory_bytes;
  }
  BITPLAN_ASSIGN_OR_RETURN(const MethodEntry method, FindMethod(options.method));
  const int64_t kept = KeptPerturbationBytes(method, layers, option_table);
  if (kept < options.max_memory_bytes) return options.max_memory_bytes - kept;
  return ResourceExhausted(
      "sensitivity.max_memory_bytes: got {}, but method '{}' keeps {} bytes of perturbations; list fewer options, or "
      "use "
      "hawq_v2, which keeps none",
      options.max_memory_bytes, method.name, kept);
}

}  // namespace

absl::StatusOr<SensitivityTable> Estimate(const Graph& graph, const Dataset& data, const OptionTable& option_table,
                                          const SensitivityOptions& options, const RunContext& context) {
  BITPLAN_RETURN_IF_ERROR(Validate(options));
  BITPLAN_ASSIGN_OR_RETURN(const int64_t memory, MemoryForPasses(options, graph.layers, option_table));
  BITPLAN_ASSIGN_OR_RETURN(const std::unique_ptr<Objective> objective,
                           Objective::Create(graph, data,
                                             {.loss = LossOfMethod(*FindMethod(options.method), options, data.targets),
                                              .label_smoothing = options.label_smoothing,
                                              .max_samples = options.max_samples,
                                              .max_memory_bytes = memory}));
  std::optional<ActivationCalibration> activations;
  if (options.quantize_activations) {
    BITPLAN_ASSIGN_OR_RETURN(activations, CalibrateActivations(graph, *objective, options.activation_range, context));
  }
  return EstimateWith(*objective, graph.layers, option_table, options, activations ? &*activations : nullptr, &data,
                      context);
}

absl::StatusOr<SensitivityTable> Estimate(const Objective& objective, const LayerTable& layers,
                                          const OptionTable& option_table, const SensitivityOptions& options,
                                          const RunContext& context) {
  BITPLAN_RETURN_IF_ERROR(Validate(options));
  if (options.quantize_activations) {
    return InvalidArgument("sensitivity.quantize_activations: wants a graph, from which activations are found");
  }
  return EstimateWith(objective, layers, option_table, options, nullptr, nullptr, context);
}

namespace {

absl::StatusOr<SensitivityTable> EstimateWith(const Objective& objective, const LayerTable& layers,
                                              const OptionTable& option_table, const SensitivityOptions& options,
                                              const ActivationCalibration* activations, const Dataset* data,
                                              const RunContext& context) {
  BITPLAN_RETURN_IF_ERROR(CheckTables(objective, layers, option_table));
  BITPLAN_ASSIGN_OR_RETURN(const MethodEntry method, FindMethod(options.method));
  SensitivityTable table{.method = options.method, .loss = objective.loss_name()};
  table.num_samples = objective.num_samples();
  table.seed = options.seed;
  if (!objective.loss_note().empty()) table.notes.push_back(objective.loss_note());
  if (activations != nullptr) {
    table.notes.insert(table.notes.end(), activations->notes.begin(), activations->notes.end());
  }
  table.curvature.resize(layers.layers.size());

  BITPLAN_ASSIGN_OR_RETURN(
      MeasuredPerturbations perturbations,
      MeasurePerturbations(objective, layers, option_table, options.seed, method.needs_perturbations, context));
  table.perturbation_sq = std::move(perturbations.squared_norms);
  context.Report({.stage = "gradient"});
  BITPLAN_ASSIGN_OR_RETURN(const LossAndGradient at_weights, objective.Gradient({}, context));
  table.base_loss = at_weights.loss;
  std::string prefix;  // costs a forward pass
  if (context.checkpoints != nullptr) {
    BITPLAN_ASSIGN_OR_RETURN(prefix, CheckpointPrefix(objective, at_weights, context));
  }
  if (method.needs_traces || options.all_curvature) {
    BITPLAN_RETURN_IF_ERROR(MeasureTraces(objective, options, prefix, table.curvature, context));
  }
  if (method.needs_top_eigenvalues || options.all_curvature) {
    BITPLAN_RETURN_IF_ERROR(MeasureEigenvalues(objective, layers, options, prefix, table.curvature, context));
  }
  if (options.all_curvature) {
    BITPLAN_ASSIGN_OR_RETURN(table.network_top_eigenvalue,
                             MeasureNetworkEigenvalue(objective, options, prefix, context));
  }
  BITPLAN_ASSIGN_OR_RETURN(MethodScores scores, method.score({.objective = objective,
                                                              .layers = layers,
                                                              .options = option_table,
                                                              .perturbation_sq = table.perturbation_sq,
                                                              .curvature = table.curvature,
                                                              .perturbations = perturbations.deltas,
                                                              .settings = options,
                                                              .checkpoint_prefix = prefix,
                                                              .activations = activations,
                                                              .data = data},
                                                             context));
  for (size_t l = 0; l < scores.traces.size(); ++l) table.curvature[l].trace = scores.traces[l];
  table.notes.insert(table.notes.end(), scores.notes.begin(), scores.notes.end());
  table.responses = std::move(scores.responses);
  table.score = std::move(scores.score);
  table.standard_error = std::move(scores.standard_error);
  if (std::ranges::count(table.curvature, LayerCurvature{}) == std::ssize(table.curvature)) table.curvature.clear();
  return table;
}

}  // namespace
}  // namespace sensitivity
}  // namespace bitplan
