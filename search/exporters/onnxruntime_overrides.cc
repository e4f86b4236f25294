#include "search/exporters/onnxruntime_overrides.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "search/base/status.h"
#include "search/exporters/dialect.h"
#include "search/exporters/plan_model.h"
#include "search/graph/activation_points.h"
#include "search/quantization/quantizer_table.h"

namespace bitplan::exporters {
namespace {

const Dialect& Words() {
  constexpr unsigned kScales = GranularitySet({Granularity::kPerTensor, Granularity::kPerChannel});
  static const auto& words =
      *new Dialect{.name = "TensorQuantOverrides",
                   .weights = {{.codes = Codes::kSymmetric, .bits = {4, 8, 16}, .granularities = kScales},
                               {.codes = Codes::kAffine, .bits = {4, 8, 16}, .granularities = kScales}},
                   .activation_bits = {4, 8, 16}};
  return words;
}

std::string WeightText(const std::string& tensor, const WrittenWeight& weight, const Layer& layer) {
  const bool is_affine = weight.codes == Codes::kAffine;
  const bool has_axis = weight.granularity == Granularity::kPerChannel;
  return fmt::format(R"({}: [{{"quant_type": "Q{}Int{}", "symmetric": {}{}}}])", Quoted(tensor), is_affine ? "U" : "",
                     weight.bits, !is_affine,
                     has_axis ? fmt::format(R"(, "axis": {})", layer.output_channel_axis) : "");
}

// The tool quantizes what a quantized node reads, whether the plan does or not.
void AddFloatActivationLoss(const Plan& plan, const std::vector<WrittenLayer>& layers,
                            std::vector<ExportLoss>& losses) {
  size_t count = 0;
  for (size_t i = 0; i < layers.size(); ++i) {
    const bool reads_floats = plan.layers[i].layer.kind != LayerKind::kEmbedding;
    if (layers[i].weight.has_value() && layers[i].activation_bits == kMaxOptionBits && reads_floats) ++count;
  }
  if (count == 0) return;
  losses.insert(losses.begin(), {.layer = "",
                                 .field = "activation_bits",
                                 .wanted = fmt::format("float in {} quantized layers", count),
                                 .written = "",
                                 .reason = "quantize_static quantizes their activations to its default type"});
}

}  // namespace

absl::StatusOr<Exported> WriteOnnxRuntimeOverrides(const ExportRequest& request, const RunContext& /*context*/) {
  BITPLAN_ASSIGN_OR_RETURN(const PlanModel model, ReadPlanModel(request));
  const Graph& graph = model.graph;
  const std::vector<WrittenLayer> layers = WriteLayers(request.plan, Words());
  std::vector<std::string> overrides;
  std::vector<std::string> excluded;
  for (size_t i = 0; i < layers.size(); ++i) {
    if (layers[i].weight.has_value()) {
      const std::string& tensor = graph.values[graph.layer_weights[i].weight].name;
      overrides.push_back(WeightText(tensor, *layers[i].weight, graph.layers.layers[i]));
    } else {
      excluded.push_back(graph.nodes[graph.layer_weights[i].node].name);
    }
  }
  for (const ActivationPoint& point : FindActivationPoints(graph)) {
    const int bits = layers[point.layers.front()].activation_bits;
    if (bits == kMaxOptionBits) continue;
    overrides.push_back(fmt::format(R"({}: [{{"quant_type": "QUInt{}", "symmetric": false}}])",
                                    Quoted(graph.values[point.value].name), bits));
  }
  Exported exported{.bytes = "", .losses = LossesOf(request.plan, layers)};
  AddFloatActivationLoss(request.plan, layers, exported.losses);
  const std::string options = ObjectOf({"\"TensorQuantOverrides\": " + ObjectOf(overrides, 4)}, 2);
  exported.bytes =
      ObjectOf({"\"extra_options\": " + options, "\"nodes_to_exclude\": " + ArrayOf(excluded, 2)}, 0) + "\n";
  return exported;
}

}  // namespace bitplan::exporters
