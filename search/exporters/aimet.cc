#include "search/exporters/aimet.h"

#include <fmt/format.h>

#include <string>
#include <variant>
#include <vector>

#include "search/base/status.h"
#include "search/exporters/dialect.h"
#include "search/exporters/plan_model.h"
#include "search/quantization/quantizer.h"
#include "search/quantization/quantizer_table.h"
#include "search/quantization/range_rule_table.h"

namespace bitplan::exporters {
namespace {

// Without calibration data activations have no ranges, so that they stay float.
Dialect MakeWords(bool has_activations) {
  constexpr unsigned kScales = GranularitySet({Granularity::kPerTensor, Granularity::kPerChannel});
  Dialect words{.name = "AIMET",
                .weights = {{.codes = Codes::kSymmetric, .bits = {2, 3, 4, 5, 6, 7, 8}, .granularities = kScales},
                            {.codes = Codes::kSymmetricFull, .bits = {2, 3, 4, 5, 6, 7, 8}, .granularities = kScales},
                            {.codes = Codes::kAffine, .bits = {2, 3, 4, 5, 6, 7, 8}, .granularities = kScales}},
                .activation_bits = has_activations ? std::vector<int>{2, 3, 4, 5, 6, 7, 8, 16} : std::vector<int>(),
                .ranges = {}};
  for (const auto& rule : quantization::RangeRules()) words.ranges.push_back(rule.name);
  return words;
}

// The grids of a weight, as it is written.
absl::StatusOr<std::vector<QuantizationGrid>> GridsOf(const Graph& graph, size_t layer, const WrittenWeight& weight) {
  const auto& tensor = std::get<Tensor>(graph.values[graph.layer_weights[layer].weight].constant);
  const Option option{.weight_bits = weight.bits,
                      .scheme = std::string(ToString(weight.codes)),
                      .granularity = weight.granularity,
                      .range = weight.range};
  BITPLAN_ASSIGN_OR_RETURN(const QuantizedWeight quantized,
                           quantization::Quantize(TensorView(tensor.data, tensor.shape),
                                                  graph.layers.layers[layer].output_channel_axis, option));
  return quantized.grids;
}

// The grid of each tensor of activations that is quantized, q + offset in steps of scale.
absl::StatusOr<std::vector<std::string>> ActivationEncodings(const PlanModel& model, const Plan& plan,
                                                             const std::vector<WrittenLayer>& layers,
                                                             const RunContext& context) {
  std::vector<std::string> encodings;
  if (!model.calibration) return encodings;
  BITPLAN_ASSIGN_OR_RETURN(const ActivationCalibration calibration, CalibratePlanModel(model, plan, context));
  for (size_t p = 0; p < calibration.points.size(); ++p) {
    const int bits = layers[calibration.points[p].layers.front()].activation_bits;
    if (bits == kMaxOptionBits) continue;
    BITPLAN_ASSIGN_OR_RETURN(const QuantizationGrid grid, sensitivity::ActivationGridOf(calibration, p, bits));
    encodings.push_back(fmt::format(
        R"({{"name": {}, "dtype": "INT", "bw": {}, "enc_type": "PER_TENSOR", "is_sym": false, "scale": [{}], "offset": [{}]}})",
        Quoted(model.graph.values[calibration.points[p].value].name), bits, grid.scale, -grid.zero_point));
  }
  return encodings;
}

std::string ListOf(const std::vector<std::string>& encodings) {
  return encodings.empty() ? "[]" : fmt::format("[\n    {}\n  ]", fmt::join(encodings, ",\n    "));
}

std::string EncodingText(const std::string& name, const WrittenWeight& weight,
                         const std::vector<QuantizationGrid>& grids) {
  const bool is_affine = weight.codes == Codes::kAffine;
  std::vector<float> scales;
  std::vector<int> offsets;
  for (const QuantizationGrid& grid : grids) {
    scales.push_back(grid.scale);
    offsets.push_back(is_affine ? -grid.zero_point : -(1 << (weight.bits - 1)));
  }
  return fmt::format(
      R"({{"name": {}, "dtype": "INT", "bw": {}, "enc_type": "{}", "is_sym": {}, "scale": [{}], "offset": [{}]}})",
      Quoted(name), weight.bits, weight.granularity == Granularity::kPerTensor ? "PER_TENSOR" : "PER_CHANNEL",
      !is_affine, fmt::join(scales, ", "), fmt::join(offsets, ", "));
}

}  // namespace

absl::StatusOr<Exported> WriteAimet(const ExportRequest& request, const RunContext& context) {
  BITPLAN_ASSIGN_OR_RETURN(const PlanModel model, ReadPlanModel(request));
  const Graph& graph = model.graph;
  const std::vector<WrittenLayer> layers = WriteLayers(request.plan, MakeWords(model.calibration.has_value()));
  std::vector<std::string> encodings;
  std::vector<std::string> excluded;
  for (size_t i = 0; i < layers.size(); ++i) {
    BITPLAN_RETURN_IF_ERROR(context.CheckStop());
    if (!layers[i].weight.has_value()) {
      excluded.push_back(request.plan.layers[i].layer.name);
      continue;
    }
    const absl::StatusOr<std::vector<QuantizationGrid>> grids = GridsOf(graph, i, *layers[i].weight);
    if (!grids.ok()) return WithContext(grids.status(), fmt::format("plan.layers[{}]", i));
    encodings.push_back(EncodingText(graph.values[graph.layer_weights[i].weight].name, *layers[i].weight, *grids));
  }
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<std::string> activations,
                           ActivationEncodings(model, request.plan, layers, context));
  return Exported{.bytes = ObjectOf({R"("version": "1.0.0")", "\"activation_encodings\": " + ListOf(activations),
                                     "\"param_encodings\": " + ListOf(encodings),
                                     "\"excluded_layers\": " + ArrayOf(excluded, 2), R"("producer": "bitplan")"},
                                    0) +
                           "\n",
                  .losses = LossesOf(request.plan, layers)};
}

}  // namespace bitplan::exporters
