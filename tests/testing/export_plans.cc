#include "tests/testing/export_plans.h"

#include <fmt/format.h>

#include "search/base/check.h"
#include "search/quantization/options.h"
#include "search/quantization/quantizer_table.h"
#include "search/quantization/range_rule_table.h"

namespace bitplan::testing {
namespace {

Layer MakeLayer(std::string name, LayerKind kind, std::vector<int64_t> shape, int axis = 0) {
  Layer layer{.name = std::move(name), .kind = kind, .weight_shape = std::move(shape), .output_channel_axis = axis};
  layer.num_weights = 1;
  for (const int64_t size : layer.weight_shape) layer.num_weights *= size;
  layer.macs = layer.num_weights;
  return layer;
}

const std::vector<Layer>& Prototypes() {
  static const auto& prototypes =
      *new std::vector<Layer>{MakeLayer("model.layers.{}.self_attn.q_proj", LayerKind::kMatMul, {256, 64}, 1),
                              MakeLayer("head.{}", LayerKind::kGemm, {10, 288}),
                              MakeLayer("conv.{}", LayerKind::kConv, {16, 32, 3, 3}),
                              MakeLayer("point wise={}", LayerKind::kConv, {16, 288, 1, 1}),
                              MakeLayer("re:up \"{}\"", LayerKind::kConvTranspose, {32, 16, 2, 2}, 1),
                              MakeLayer("model.embed_tokens.{}", LayerKind::kEmbedding, {100, 96}),
                              {.name = "given.{}", .kind = LayerKind::kOther, .num_weights = 7}};
  return prototypes;
}

QuantizationOptions Everything() {
  QuantizationOptions all{.weight_bits = {1, 2, 3, 4, 5, 6, 7, 8},
                          .activation_bits = {1, 3, 4, 8, 16, 32},
                          .schemes = {},
                          .granularities = {kGranularities.begin(), kGranularities.end()},
                          .group_sizes = {16, 32},
                          .channel_group_sizes = {2},
                          .range_rules = {},
                          .roundings = {kRoundings.begin(), kRoundings.end()}};
  for (const auto& quantizer : quantization::Quantizers()) all.schemes.emplace_back(quantizer.name);
  for (const auto& rule : quantization::RangeRules()) all.range_rules.emplace_back(rule.name);
  return all;
}

void AddLayer(Plan& plan, Layer layer, const Option& option) {
  layer.name = fmt::format(fmt::runtime(layer.name), plan.layers.size());
  plan.layers.push_back({.layer = std::move(layer), .chosen = PlanOption{.option = option}});
}

Option Typical(int weight_bits, int activation_bits, std::string scheme, Granularity granularity,
               int64_t group_size = 0) {
  return {.weight_bits = weight_bits,
          .activation_bits = activation_bits,
          .scheme = std::move(scheme),
          .granularity = granularity,
          .group_size = group_size};
}

}  // namespace

Plan PlanOfEveryOption(std::optional<bool> activations_scored) {
  Plan plan{.termination = Termination::kOptimal};
  plan.provenance.activations_scored = activations_scored;
  for (const Layer& prototype : Prototypes()) {
    const absl::StatusOr<OptionTable> table = quantization::ListOptions({.layers = {prototype}}, Everything());
    BITPLAN_CHECK(table.ok());
    for (const Option& option : table->options[0]) AddLayer(plan, prototype, option);
    for (int bits = 1; bits <= kMaxOptionBits; ++bits) {
      AddLayer(plan, prototype, {.weight_bits = bits, .activation_bits = bits, .scheme = "given"});
    }
  }
  return plan;
}

Plan TypicalPlan() {
  Plan plan{.termination = Termination::kOptimal};
  plan.provenance.activations_scored = true;
  const auto add = [&](Layer layer, const Option& option) {
    plan.layers.push_back({.layer = std::move(layer), .chosen = PlanOption{.option = option}});
  };
  add(MakeLayer("stem", LayerKind::kConv, {16, 3, 3, 3}), Typical(8, 8, "symmetric", Granularity::kPerChannel));
  add(MakeLayer("model.layers.0.self_attn.q_proj", LayerKind::kMatMul, {256, 256}, 1),
      Typical(4, 8, "symmetric", Granularity::kPerGroup, 64));
  add(MakeLayer("model.layers.0.mlp.up_proj", LayerKind::kMatMul, {256, 512}, 1),
      Typical(4, 8, "affine", Granularity::kPerChannel));
  add(MakeLayer("model.layers.0.mlp.down_proj", LayerKind::kMatMul, {512, 256}, 1),
      Typical(3, 4, "symmetric", Granularity::kPerTensor));
  add(MakeLayer("model.layers.1.mlp.up_proj", LayerKind::kMatMul, {256, 512}, 1),
      Typical(4, 32, "mxfp4", Granularity::kPerGroup, 32));
  add(MakeLayer("lm_head", LayerKind::kGemm, {1000, 256}), Typical(8, 8, "fp8_e4m3", Granularity::kPerChannel));
  add(MakeLayer("model.norm_table", LayerKind::kEmbedding, {64, 96}), Typical(4, 8, "kmeans", Granularity::kPerTensor));
  return plan;
}

}  // namespace bitplan::testing
