#include "search/exporters/onnx_qdq.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "search/base/status.h"
#include "search/onnx/parse_model.h"
#include "search/quantization/options.h"
#include "search/quantization/quantizer.h"
#include "search/quantization/quantizer_table.h"
#include "search/quantization/range_rule_table.h"
#include "tests/testing/dequantized_model.h"
#include "tests/testing/npz_builder.h"
#include "tests/testing/onnx_writer.h"

namespace bitplan::exporters {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::OnnxModel;
using testing::TinyClassifier;

Plan PlanWith(const std::string& onnx, const Option& option) {
  const absl::StatusOr<Graph> graph = onnx::ParseModel(onnx);
  EXPECT_TRUE(graph.ok()) << graph.status();
  Plan plan{.termination = Termination::kOptimal};
  for (const Layer& layer : graph->layers.layers) {
    plan.layers.push_back({.layer = layer, .chosen = PlanOption{.option = option}});
  }
  return plan;
}

const Tensor& WeightAt(const Graph& graph, size_t layer) {
  return std::get<Tensor>(graph.values[graph.layer_weights[layer].weight].constant);
}

// Every weight that the importer finds in the exported file, dequantized by the specification, is that of the
// simulation.
void ExpectSimulatedWeights(const std::string& onnx, const Plan& plan, const std::string& exported) {
  const Graph own = *onnx::ParseModel(onnx);
  const absl::StatusOr<Graph> back = onnx::ParseModel(testing::DequantizedWeights(exported));
  ASSERT_TRUE(back.ok()) << back.status();
  ASSERT_EQ(back->layers.layers.size(), own.layers.layers.size());
  for (size_t l = 0; l < plan.layers.size(); ++l) {
    const Tensor& weight = WeightAt(own, l);
    const auto quantized =
        quantization::Quantize(TensorView(weight.data, weight.shape), own.layers.layers[l].output_channel_axis,
                               plan.layers[l].chosen->option, {.seed = plan.provenance.seed, .stream = l});
    ASSERT_TRUE(quantized.ok()) << quantized.status();
    const std::vector<float> wanted = quantization::Dequantize(*quantized, weight.shape);
    EXPECT_EQ(WeightAt(*back, l).shape, weight.shape);
    for (size_t i = 0; i < wanted.size(); ++i) EXPECT_FLOAT_EQ(WeightAt(*back, l).data[i], wanted[i]) << l << ' ' << i;
  }
}

Tensor Ramp(const Shape& shape, float step) {
  Tensor tensor = Tensor::Zeros(shape);
  for (size_t i = 0; i < tensor.data.size(); ++i) tensor.data[i] = step * static_cast<float>((i * 37) % 23) - 1.1F;
  return tensor;
}

// x [N, 2, 4, 4] -> Conv [N, 4, 4, 3] -> ConvTranspose (channels on axis 1) [N, 3, 5, 4] -> [N, 15, 4] -> MatMul of
// [in, out] -> MatMul through a Transpose -> MatMul twice of a shared weight. Groups of 4 divide every channel.
OnnxModel ManyLayers() {
  OnnxModel model(13);
  model.Input("x", {kDynamic, 2, 4, 4}).Output("y");
  model.Weight("conv.weight", Ramp({4, 2, 1, 2}, 0.1F));
  model.Weight("up.weight", Ramp({4, 3, 2, 2}, 0.11F));
  model.Weight("in_out.weight", Ramp({4, 8}, 0.12F));
  model.Weight("turned.weight", Ramp({4, 8}, 0.13F));
  model.Weight("shared.weight", Ramp({4, 4}, 0.14F));
  model.Weight("shape", IntTensor{.shape = {3}, .data = {-1, 15, 4}});
  model.Add("Conv", {"x", "conv.weight"}, {"c"});
  model.Add("ConvTranspose", {"c", "up.weight"}, {"u"});
  model.Add("Reshape", {"u", "shape"}, {"r"});
  model.Add("MatMul", {"r", "in_out.weight"}, {"m"});
  model.Add("Transpose", {"turned.weight"}, {"turned"}, {{"perm", std::vector<int64_t>{1, 0}}});
  model.Add("MatMul", {"m", "turned"}, {"t"});
  model.Add("MatMul", {"t", "shared.weight"}, {"s1"});
  model.Add("MatMul", {"s1", "shared.weight"}, {"s2"});
  model.Add("Relu", {"s2"}, {"y"});
  return model;
}

std::vector<Option> AllOptions() {
  QuantizationOptions all{.weight_bits = {1, 2, 3, 4, 5, 6, 7, 8},
                          .granularities = {kGranularities.begin(), kGranularities.end()},
                          .group_sizes = {4},
                          .channel_group_sizes = {2},
                          .roundings = {Rounding::kNearest, Rounding::kStochastic}};
  all.schemes.clear();
  for (const auto& entry : quantization::Quantizers()) {
    if (!entry.takes_importance) all.schemes.emplace_back(entry.name);
  }
  const LayerTable one{.layers = {{.name = "a", .weight_shape = {8, 8}, .num_weights = 64}}};
  const auto options = quantization::ListOptions(one, all);
  EXPECT_TRUE(options.ok()) << options.status();
  return options.ok() ? options->options[0] : std::vector<Option>();
}

TEST(OnnxQdq, EveryOptionOfASearchIsWrittenAsSimulated) {
  const std::string onnx = ManyLayers().Bytes();
  const std::vector<Option> options = AllOptions();
  EXPECT_GT(options.size(), 150U);
  for (const Option& option : options) {
    SCOPED_TRACE(Label(option));
    const Plan plan = PlanWith(onnx, option);
    const absl::StatusOr<Exported> exported = WriteOnnxQdq({.plan = plan, .onnx = onnx}, {});
    ASSERT_TRUE(exported.ok()) << exported.status();
    for (const ExportLoss& loss : exported->losses) {
      EXPECT_NE(loss.wanted, loss.written);
      EXPECT_FALSE(loss.reason.empty() || loss.reason.ends_with("."));
    }
    if (option.scheme.starts_with("fp8")) continue;  // in ONNX Runtime: onnx_qdq_test of the differential suite
    ExpectSimulatedWeights(onnx, plan, exported->bytes);
  }
}

TEST(OnnxQdq, SaysWhatItStoresWiderOrAsFloats) {
  const std::string onnx = TinyClassifier().Bytes();
  const auto losses = [&](const Option& option) {
    const Plan plan = PlanWith(onnx, option);
    return WriteOnnxQdq({.plan = plan, .onnx = onnx}, {})->losses;
  };
  const Option float_activations{.weight_bits = 8, .activation_bits = 32};
  Option option = float_activations;
  EXPECT_THAT(losses(option), IsEmpty());
  option.weight_bits = 4;
  EXPECT_THAT(losses(option), IsEmpty());
  option.weight_bits = 3;
  EXPECT_THAT(losses(option), ElementsAre(Field(&ExportLoss::written, "int4"), Field(&ExportLoss::layer, "fc")));
  option.weight_bits = 6;
  EXPECT_EQ(losses(option)[0].written, "int8");
  EXPECT_EQ(losses(option)[0].wanted, "6");
  option.scheme = "kmeans";
  EXPECT_EQ(losses(option)[1].field, "scheme");
  EXPECT_EQ(losses(option)[1].written, "float32");
  option.scheme = "symmetric";
  option.activation_bits = 8;
  EXPECT_EQ(losses(option)[0].layer, "");
  EXPECT_THAT(losses(option)[0].reason, HasSubstr("no calibration data"));
}

onnx_wire::ModelProto Parsed(const std::string& bytes) {
  onnx_wire::ModelProto model;
  EXPECT_TRUE(model.ParseFromString(bytes));
  return model;
}

std::vector<std::string> OpTypes(const onnx_wire::ModelProto& model) {
  std::vector<std::string> types;
  for (const auto& node : model.graph().node()) types.push_back(node.op_type());
  return types;
}

// Two samples of 36 pixels, 0.75 each.
std::string Calibration() {
  return testing::MakeNpzOf(
      {{"images", testing::FilledArray({2, 1, 6, 6}, 0.75F)}, {"labels", testing::CountingLabels(2, 3)}});
}

// At 4 bits: codes 0..15 over 0..0.75, scale 0.05, stored in uint8 behind a Clip; the input keeps its name and so does
// the output. Conv and Gemm read what DequantizeLinear gives.
TEST(OnnxQdq, RoundsActivationsWhereTheSimulationDoes) {
  const std::string onnx = TinyClassifier().Bytes();
  const Plan plan = PlanWith(onnx, {.weight_bits = 8, .activation_bits = 4});
  const auto exported = WriteOnnxQdq({.plan = plan, .onnx = onnx, .calibration = Calibration()}, {});
  ASSERT_TRUE(exported.ok()) << exported.status();
  ASSERT_EQ(exported->losses.size(), 2U);
  EXPECT_EQ(exported->losses[0], (ExportLoss{.layer = "conv",
                                             .field = "activation_bits",
                                             .wanted = "4",
                                             .written = "uint8",
                                             .reason = "the format has no such type: a Clip keeps the codes within "
                                                       "their width"}));
  const onnx_wire::ModelProto model = Parsed(exported->bytes);
  EXPECT_THAT(OpTypes(model),
              ElementsAre("DequantizeLinear", "DequantizeLinear", "Clip", "QuantizeLinear", "DequantizeLinear", "Conv",
                          "Relu", "Clip", "QuantizeLinear", "DequantizeLinear", "Flatten", "Gemm"));
  std::map<std::string, onnx_wire::TensorProto> tensors;
  for (const auto& tensor : model.graph().initializer()) tensors[tensor.name()] = tensor;
  EXPECT_THAT(testing::FloatsOf(tensors["input_scale"]), ElementsAre(0.75F / 15));
  EXPECT_THAT(testing::UnpackCodes(tensors["input_zero_point"]), ElementsAre(0));
  EXPECT_THAT(testing::FloatsOf(tensors["input_max"]), ElementsAre(0.75F / 15 * 15));
  EXPECT_EQ(model.graph().node(5).input(0), "input_dequantized");
  EXPECT_EQ(model.graph().node(11).output(0), "logits");
  EXPECT_EQ(model.graph().output(0).name(), "logits");
  EXPECT_TRUE(onnx::ParseModel(testing::DequantizedWeights(exported->bytes)).ok());
}

TEST(OnnxQdq, SixteenBitActivationsTakeOpset21) {
  const std::string onnx = TinyClassifier().Bytes();
  const Plan plan = PlanWith(onnx, {.weight_bits = 8, .activation_bits = 16});
  const auto exported = WriteOnnxQdq({.plan = plan, .onnx = onnx, .calibration = Calibration()}, {});
  ASSERT_TRUE(exported.ok()) << exported.status();
  EXPECT_THAT(exported->losses, IsEmpty());
  EXPECT_EQ(Parsed(exported->bytes).opset_import(0).version(), 21);
  EXPECT_THAT(OpTypes(Parsed(exported->bytes)), Not(Contains("Clip")));
}

// Constant images of 0.75 have the levels 0 and 0.75: a zero point. Those of both signs have none.
TEST(OnnxQdq, BinaryActivationsNeedAZero) {
  const std::string onnx = TinyClassifier().Bytes();
  const Plan plan = PlanWith(onnx, {.weight_bits = 8, .activation_bits = 1});
  const auto exported = WriteOnnxQdq({.plan = plan, .onnx = onnx, .calibration = Calibration()}, {});
  ASSERT_TRUE(exported.ok()) << exported.status();
  EXPECT_THAT(exported->losses, Each(Field(&ExportLoss::written, "uint8")));
}

TEST(OnnxQdq, RefusesPlansOfOtherNetworks) {
  const std::string onnx = TinyClassifier().Bytes();
  Plan plan = PlanWith(onnx, {});
  plan.layers[0].layer.name = "other";
  EXPECT_THAT(MessageOf(WriteOnnxQdq({.plan = plan, .onnx = onnx}, {}).status()), HasSubstr("got 'other'"));
  plan.layers.pop_back();
  EXPECT_TRUE(absl::IsInvalidArgument(WriteOnnxQdq({.plan = plan, .onnx = onnx}, {}).status()));
}

TEST(OnnxQdq, MalformedModelsAreErrors) {
  const std::string onnx = TinyClassifier().Bytes();
  const Plan plan = PlanWith(onnx, {});
  for (size_t length = 1; length < onnx.size(); length += 97) {
    const auto exported = WriteOnnxQdq({.plan = plan, .onnx = onnx.substr(0, length)}, {});
    EXPECT_FALSE(exported.ok()) << length;
  }
}

TEST(OnnxQdq, CodebooksOfImportanceWantCalibration) {
  const std::string onnx = TinyClassifier().Bytes();
  const Plan plan = PlanWith(onnx, {.weight_bits = 3, .scheme = "hessian_kmeans"});
  EXPECT_THAT(MessageOf(WriteOnnxQdq({.plan = plan, .onnx = onnx}, {}).status()), HasSubstr("calibration"));
  const auto exported = WriteOnnxQdq({.plan = plan, .onnx = onnx, .calibration = Calibration()}, {});
  EXPECT_TRUE(exported.ok()) << exported.status();
}

}  // namespace
}  // namespace bitplan::exporters
