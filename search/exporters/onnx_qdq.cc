#include "search/exporters/onnx_qdq.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "search/base/status.h"
#include "search/evaluation/evaluate_plan.h"
#include "search/exporters/plan_model.h"
#include "search/exporters/quantized_codes.h"
#include "search/onnx/qdq_writer.h"
#include "search/quantization/fake_quantize.h"
#include "search/quantization/few_levels.h"
#include "search/sensitivity/activation_ranges.h"
#include "search/sensitivity/importance.h"

namespace bitplan::exporters {
namespace {

using onnx::QdqActivation;
using onnx::QdqModel;
using onnx::QdqStorage;
using onnx::QdqWeight;

const Option& ChosenOf(const Plan& plan, size_t layer) { return plan.layers[layer].chosen->option; }

absl::StatusOr<std::vector<float>> ImportanceOf(const PlanModel& network, const Plan& plan, const RunContext& context) {
  for (size_t l = 0; l < plan.layers.size(); ++l) {
    if (!sensitivity::WantsImportance(ChosenOf(plan, l).scheme)) continue;
    return evaluation::ImportanceFor(network.graph, plan, network.data(), /*max_memory_bytes=*/0, context);
  }
  return std::vector<float>();
}

absl::StatusOr<std::vector<QdqWeight>> QuantizeWeights(const PlanModel& network, const Plan& plan,
                                                       const RunContext& context) {
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<float> importance, ImportanceOf(network, plan, context));
  std::vector<QdqWeight> weights;
  int64_t offset = 0;
  for (size_t l = 0; l < plan.layers.size(); ++l) {
    const Layer& layer = network.graph.layers.layers[l];
    const ValueId id = network.graph.layer_weights[l].weight;
    const auto& tensor = std::get<Tensor>(network.graph.values[id].constant);
    PerturbInputs inputs{.seed = plan.provenance.seed, .stream = static_cast<uint64_t>(l)};
    if (!importance.empty()) inputs.importance = std::span(importance).subspan(offset, layer.num_weights);
    offset += layer.num_weights;
    const absl::StatusOr<QuantizedWeight> quantized = quantization::Quantize(
        TensorView(tensor.data, tensor.shape), layer.output_channel_axis, ChosenOf(plan, l), inputs);
    if (!quantized.ok()) return WithContext(quantized.status(), fmt::format("plan.layers[{}] '{}'", l, layer.name));
    weights.push_back(ToQdqWeight(id, *quantized, tensor.shape, ChosenOf(plan, l).scheme));
  }
  return weights;
}

// The activation tensors that get a grid, and what there is to say of the others.
struct Activations {
  std::vector<QdqActivation> tensors;
  std::vector<int> layers;  // that own them
  std::vector<ExportLoss> losses;
};

std::string Bits(int bits) { return std::to_string(bits); }

// Evenly spaced levels, zero among them, as a grid; nullopt: they are not.
std::optional<QdqActivation> GridOfLevels(std::span<const float> levels) {
  const std::vector<double> exact(levels.begin(), levels.end());
  const std::optional<LevelCodes> codes = WholeMultiples(exact);
  if (!codes.has_value() || std::ranges::find(codes->codes, 0) == codes->codes.end()) return std::nullopt;
  const int32_t zero_point = -codes->codes.front();
  const int32_t max_code = zero_point + codes->codes.back();
  if (max_code + 1 != std::ssize(levels) || max_code < 1) return std::nullopt;
  return QdqActivation{
      .value = kNoValue, .scale = static_cast<float>(codes->unit), .zero_point = zero_point, .max_code = max_code};
}

absl::StatusOr<std::optional<QdqActivation>> GridOf(const ActivationCalibration& calibration, size_t point, int bits) {
  if (bits == quantization::kBinaryBits) {
    return GridOfLevels(quantization::BinaryActivationLevels(calibration.histograms[point]));
  }
  BITPLAN_ASSIGN_OR_RETURN(const QuantizationGrid grid, sensitivity::ActivationGridOf(calibration, point, bits));
  return QdqActivation{
      .value = kNoValue, .scale = grid.scale, .zero_point = grid.zero_point, .max_code = grid.max_code};
}

std::vector<const Option*> OptionsOf(const Plan& plan) {
  std::vector<const Option*> options;
  for (size_t l = 0; l < plan.layers.size(); ++l) options.push_back(&ChosenOf(plan, l));
  return options;
}

Activations WithoutCalibration(const Plan& plan) {
  Activations activations;
  int least = quantization::kFloatBits;
  int most = 0;
  for (const Option* option : OptionsOf(plan)) {
    if (option->activation_bits >= quantization::kFloatBits) continue;
    least = std::min(least, option->activation_bits);
    most = std::max(most, option->activation_bits);
  }
  if (most == 0) return activations;
  activations.losses.push_back({.layer = "",
                                .field = "activation_bits",
                                .wanted = least == most ? Bits(least) : fmt::format("{}..{}", least, most),
                                .written = "float32",
                                .reason = "no calibration data were given for the ranges of activations"});
  return activations;
}

absl::StatusOr<Activations> QuantizeActivations(const PlanModel& network, const Plan& plan, const RunContext& context) {
  if (!network.calibration.has_value()) return WithoutCalibration(plan);
  BITPLAN_ASSIGN_OR_RETURN(const ActivationCalibration calibration, CalibratePlanModel(network, plan, context));
  const std::vector<int> widths = sensitivity::WidthsOfPoints(calibration, OptionsOf(plan));
  Activations activations;
  for (size_t p = 0; p < widths.size(); ++p) {
    const int layer = calibration.points[p].layers[0];
    const std::string& name = plan.layers[layer].layer.name;
    if (const absl::Status status = quantization::CheckActivationBits(widths[p]); !status.ok()) {
      return WithContext(status, fmt::format("plan.layers[{}] '{}'", layer, name));
    }
    if (widths[p] >= quantization::kFloatBits) continue;
    BITPLAN_ASSIGN_OR_RETURN(std::optional<QdqActivation> tensor, GridOf(calibration, p, widths[p]));
    if (!tensor.has_value()) {
      activations.losses.push_back({.layer = name,
                                    .field = "activation_bits",
                                    .wanted = Bits(widths[p]),
                                    .written = "float32",
                                    .reason = "its two levels have no zero between them to be a zero point"});
      continue;
    }
    tensor->value = calibration.points[p].value;
    activations.tensors.push_back(*tensor);
    activations.layers.push_back(layer);
  }
  return activations;
}

int StoredBits(std::string_view type) {
  constexpr int kNibble = 4;
  constexpr int kByte = 8;
  constexpr int kTwoBytes = 16;
  if (type.ends_with("int4")) return kNibble;
  return type == "uint16" ? kTwoBytes : kByte;
}

std::string OrElse(const std::string& reason, std::string_view otherwise) {
  return reason.empty() ? std::string(otherwise) : reason;
}

std::string_view FloatReason(const QdqWeight& weight) {
  return weight.codes.empty()
             ? "its levels are no whole multiples of a scale: stored as the floats that the codes stand for"
             : "its blocks do not fill the channels: stored as the floats that the codes stand for";
}

void AddWeightLosses(const PlanLayer& layer, const QdqWeight& weight, const QdqStorage& storage,
                     std::vector<ExportLoss>& losses) {
  const Option& option = layer.chosen->option;
  const std::string& name = layer.layer.name;
  if (storage.type.empty()) {
    losses.push_back({.layer = name,
                      .field = "weight_bits",
                      .wanted = Bits(option.weight_bits),
                      .written = "float32",
                      .reason = storage.reason});
    return;
  }
  if (storage.type == "float") {
    losses.push_back({.layer = name,
                      .field = "scheme",
                      .wanted = option.scheme,
                      .written = "float32",
                      .reason = OrElse(storage.reason, FloatReason(weight))});
    return;
  }
  if (StoredBits(storage.type) > option.weight_bits) {
    losses.push_back({.layer = name,
                      .field = "weight_bits",
                      .wanted = Bits(option.weight_bits),
                      .written = storage.type,
                      .reason = OrElse(storage.reason,
                                       "the format has no narrower type for these codes, which keep "
                                       "their values")});
  }
  if (option.granularity == Granularity::kPerChannelGroup && weight.scales.size() > 1) {
    losses.push_back({.layer = name,
                      .field = "granularity",
                      .wanted = DescribeGranularity(option),
                      .written = "per_channel",
                      .reason = "each channel has the scale of its group"});
  }
}

void AddActivationLoss(const Plan& plan, int layer, const QdqStorage& storage, std::vector<ExportLoss>& losses) {
  const int bits = ChosenOf(plan, layer).activation_bits;
  const bool is_written = !storage.type.empty();
  if (is_written && StoredBits(storage.type) == bits) return;
  losses.push_back({.layer = plan.layers[layer].layer.name,
                    .field = "activation_bits",
                    .wanted = Bits(bits),
                    .written = is_written ? storage.type : "float32",
                    .reason = is_written ? "the format has no such type: a Clip keeps the codes within their width"
                                         : storage.reason});
}

// In the order of the layers; what is of the whole plan first.
void SortByLayer(const Plan& plan, std::vector<ExportLoss>& losses) {
  std::map<std::string_view, int> place;
  for (int l = 0; l < std::ssize(plan.layers); ++l) place[plan.layers[l].layer.name] = l;
  std::ranges::stable_sort(losses, {}, [&](const ExportLoss& loss) {
    const auto found = place.find(loss.layer);
    return found == place.end() ? -1 : found->second;
  });
}

}  // namespace

absl::StatusOr<Exported> WriteOnnxQdq(const ExportRequest& request, const RunContext& context) {
  const Plan& plan = request.plan;
  BITPLAN_ASSIGN_OR_RETURN(const PlanModel network, ReadPlanModel(request));
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<QdqWeight> weights, QuantizeWeights(network, plan, context));
  BITPLAN_ASSIGN_OR_RETURN(Activations activations, QuantizeActivations(network, plan, context));
  BITPLAN_ASSIGN_OR_RETURN(
      QdqModel model,
      onnx::WriteQdq(
          {.onnx = request.onnx, .graph = network.graph, .weights = weights, .activations = activations.tensors}));
  Exported exported{.bytes = std::move(model.bytes), .losses = std::move(activations.losses)};
  for (size_t l = 0; l < weights.size(); ++l) {
    AddWeightLosses(plan.layers[l], weights[l], model.weights[l], exported.losses);
  }
  for (size_t p = 0; p < activations.layers.size(); ++p) {
    AddActivationLoss(plan, activations.layers[p], model.activations[p], exported.losses);
  }
  SortByLayer(plan, exported.losses);
  return exported;
}

}  // namespace bitplan::exporters
