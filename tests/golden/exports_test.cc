// Every text exporter: a golden file of a typical plan, and every option that a search can produce, read back by a
// reader as strict as the tool's own.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <set>

#include "search/base/status.h"
#include "search/exporters/exporter_table.h"
#include "search/exporters/plan_model.h"
#include "search/onnx/parse_model.h"
#include "search/quantization/quantizer.h"
#include "tests/testing/export_plans.h"
#include "tests/testing/export_readers.h"
#include "tests/testing/golden_file.h"

namespace bitplan::exporters {
namespace {

std::string LossesText(const Exported& exported) {
  std::string text;
  for (const ExportLoss& loss : exported.losses) {
    text += fmt::format("{} | {} | {} | {} | {}\n", loss.layer, loss.field, loss.wanted, loss.written, loss.reason);
  }
  return text;
}

struct Dialect {
  std::string name;
  absl::StatusOr<testing::ReadLayers> (*read)(std::string_view bytes, const Plan& plan);
};

class TextExporter : public ::testing::TestWithParam<Dialect> {
 protected:
  static Exported Export(const Plan& plan) {
    const auto exporter = FindExporter(GetParam().name);
    EXPECT_TRUE(exporter.ok()) << exporter.status();
    absl::StatusOr<Exported> exported = Write(*exporter, {.plan = plan}, {});
    EXPECT_TRUE(exported.ok()) << exported.status();
    return exported.ok() ? *std::move(exported) : Exported();
  }
  static void ExpectReadable(const Plan& plan) {
    const Exported exported = Export(plan);
    const absl::StatusOr<testing::ReadLayers> read = GetParam().read(exported.bytes, plan);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(testing::LossViolation(plan, exported, *read), "");
  }
};

TEST_P(TextExporter, IsTheGoldenFile) {
  const Exported exported = Export(testing::TypicalPlan());
  const std::string path = BITPLAN_TEST_DATA_DIR "/exports/" + GetParam().name;
  testing::ExpectGolden(exported.bytes, path + "." + std::string(FindExporter(GetParam().name)->extension));
  testing::ExpectGolden(LossesText(exported), path + ".losses.txt");
}

TEST_P(TextExporter, TypicalPlanIsReadBack) { ExpectReadable(testing::TypicalPlan()); }

TEST_P(TextExporter, EveryOptionThatASearchCanProduceIsReadBack) { ExpectReadable(testing::PlanOfEveryOption(true)); }

TEST_P(TextExporter, ActivationsThatWereNotScoredStayFloat) { ExpectReadable(testing::PlanOfEveryOption(false)); }

TEST(CoreMl, PlansOfCodebooksBecomePalettes) {
  Plan plan = testing::PlanOfEveryOption(true);
  std::erase_if(plan.layers, [](const PlanLayer& layer) {
    const std::string& scheme = layer.chosen->option.scheme;
    return scheme != "kmeans" && scheme != "lloyd_max" && scheme != "hessian_kmeans";
  });
  const auto exported = Write(*FindExporter("coremltools"), {.plan = plan}, {});
  ASSERT_TRUE(exported.ok()) << exported.status();
  const auto read = testing::ReadCoreMl(exported->bytes, plan);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(testing::LossViolation(plan, *exported, *read), "");
  EXPECT_GT(std::ranges::count_if(*read, [](const auto& layer) { return layer.second.is_quantized; }), 100);
}

TEST(CoreMl, NamesThatBecomeOneAreAnError) {
  Plan plan = testing::TypicalPlan();
  plan.layers[1].layer.name = "a.b";
  plan.layers[2].layer.name = "a/b";
  EXPECT_EQ(MessageOf(Write(*FindExporter("coremltools"), {.plan = plan}, {}).status()),
            "layers[1] 'a.b' and layers[2] 'a/b': both are 'a_b_weight' in a Core ML model");
}

// A plan of a real network: option k of a list for layer k.
Plan PlanOf(const Graph& graph) {
  const std::vector<Option> options = {
      {.weight_bits = 8},
      {.weight_bits = 4, .activation_bits = 4, .scheme = "affine", .range = "mse"},
      {.weight_bits = 3, .activation_bits = 16, .granularity = Granularity::kPerTensor},
      {.weight_bits = 5, .scheme = "symmetric_full", .range = "percentile"},
      {.weight_bits = 4, .scheme = "kmeans", .granularity = Granularity::kPerTensor},
      {.weight_bits = 1, .activation_bits = 32, .scheme = "binary"}};
  Plan plan{.termination = Termination::kOptimal};
  plan.provenance.activations_scored = true;
  for (const Layer& layer : graph.layers.layers) {
    plan.layers.push_back(
        {.layer = layer, .chosen = PlanOption{.option = options[plan.layers.size() % options.size()]}});
  }
  return plan;
}

struct Network {
  std::string onnx = testing::ReadFile(BITPLAN_TEST_DATA_DIR "/models/fmnist_resnet8.onnx");
  Graph graph = *onnx::ParseModel(onnx);
  Plan plan = PlanOf(graph);
};

const std::string& WeightName(const Graph& graph, size_t layer) {
  return graph.values[graph.layer_weights[layer].weight].name;
}

TEST(OnnxRuntimeOverrides, NameTensorsOfTheModel) {
  const Network network;
  const auto exported = Write(*FindExporter("onnxruntime_overrides"), {.plan = network.plan, .onnx = network.onnx}, {});
  ASSERT_TRUE(exported.ok()) << exported.status();
  testing::ExpectGolden(exported->bytes, BITPLAN_TEST_DATA_DIR "/exports/onnxruntime_overrides.json");
  testing::ExpectGolden(LossesText(*exported), BITPLAN_TEST_DATA_DIR "/exports/onnxruntime_overrides.losses.txt");
  const auto json = nlohmann::json::parse(exported->bytes);
  const auto& overrides = json["extra_options"]["TensorQuantOverrides"];
  std::set<std::string> tensors;
  for (const Value& value : network.graph.values) tensors.insert(value.name);
  for (const auto& [tensor, list] : overrides.items()) {
    EXPECT_TRUE(tensors.contains(tensor)) << tensor;
    ASSERT_EQ(list.size(), 1u);
    EXPECT_THAT(list[0]["quant_type"].get<std::string>(), ::testing::MatchesRegex("QU?Int(4|8|16)"));
    EXPECT_TRUE(list[0]["symmetric"].is_boolean());
  }
  for (size_t i = 0; i < network.plan.layers.size(); ++i) {
    const bool is_codebook = network.plan.layers[i].chosen->option.scheme == "kmeans";
    EXPECT_EQ(overrides.contains(WeightName(network.graph, i)), !is_codebook) << i;
  }
}

// Every encoding stands for the very weights that the plan's quantizer makes.
TEST(Aimet, EncodingsAreTheGridsOfTheQuantizers) {
  const Network network;
  const auto exported = Write(*FindExporter("aimet"), {.plan = network.plan, .onnx = network.onnx}, {});
  ASSERT_TRUE(exported.ok()) << exported.status();
  testing::ExpectGolden(LossesText(*exported), BITPLAN_TEST_DATA_DIR "/exports/aimet.losses.txt");
  const auto json = nlohmann::json::parse(exported->bytes);
  EXPECT_EQ(json["version"], "1.0.0");
  int compared = 0;
  for (const auto& encoding : json["param_encodings"]) {
    size_t layer = 0;
    while (WeightName(network.graph, layer) != encoding["name"]) ++layer;
    const Option& option = network.plan.layers[layer].chosen->option;
    const Layer& of_model = network.graph.layers.layers[layer];
    const bool is_per_channel = encoding["enc_type"] == "PER_CHANNEL";
    ASSERT_EQ(encoding["scale"].size(), is_per_channel ? of_model.num_output_channels() : 1);
    ASSERT_EQ(encoding["offset"].size(), encoding["scale"].size());
    if (option.scheme == "binary") continue;  // written as symmetric codes, and reported
    EXPECT_EQ(encoding["bw"], option.weight_bits);
    const auto& weight = std::get<Tensor>(network.graph.values[network.graph.layer_weights[layer].weight].constant);
    const TensorView view(weight.data, weight.shape);
    const auto quantized = quantization::Quantize(view, of_model.output_channel_axis, option);
    ASSERT_TRUE(quantized.ok());
    const std::vector<float> wanted = quantization::Dequantize(*quantized, weight.shape);
    const int64_t row = of_model.num_weights / of_model.num_output_channels();
    ASSERT_EQ(of_model.output_channel_axis, 0);
    for (size_t w = 0; w < wanted.size(); ++w) {
      const size_t group = is_per_channel ? w / row : 0;
      const float scale = encoding["scale"][group];
      const int offset = encoding["offset"][group];
      const int most = (1 << option.weight_bits) - 1;
      const int q = std::clamp(static_cast<int>(std::lround(wanted[w] / scale)) - offset, 0, most);
      ASSERT_EQ(scale * static_cast<float>(q + offset), wanted[w]) << encoding["name"] << ' ' << w;
    }
    ++compared;
  }
  EXPECT_GE(compared, 5);
}

TEST(Aimet, ActivationsHaveTheGridsOfTheCalibration) {
  Network network;
  network.plan.provenance.loss = "cross_entropy";
  network.plan.provenance.activations_scored = true;
  const std::string calibration = testing::ReadFile(BITPLAN_TEST_DATA_DIR "/models/fmnist_calibration_128.npz");
  const ExportRequest request{.plan = network.plan, .onnx = network.onnx, .calibration = calibration};
  const auto exported = Write(*FindExporter("aimet"), request, {});
  ASSERT_TRUE(exported.ok()) << exported.status();
  const auto json = nlohmann::json::parse(exported->bytes);
  const auto model = ReadPlanModel(request);
  ASSERT_TRUE(model.ok()) << model.status();
  const auto ranges = CalibratePlanModel(*model, network.plan, {});
  ASSERT_TRUE(ranges.ok()) << ranges.status();
  ASSERT_GE(json["activation_encodings"].size(), 3U);
  for (const auto& encoding : json["activation_encodings"]) {
    size_t p = 0;
    while (network.graph.values[ranges->points[p].value].name != encoding["name"]) ++p;
    const int bits = encoding["bw"];
    const QuantizationGrid grid = sensitivity::ActivationGridOf(*ranges, p, bits).value();
    EXPECT_EQ(encoding["scale"][0].get<float>(), grid.scale);
    EXPECT_EQ(encoding["offset"][0], -grid.zero_point);
    EXPECT_EQ(grid.max_code, (1 << bits) - 1);  // AIMET's grids have 2^bw codes
    EXPECT_GE(bits, network.plan.layers[ranges->points[p].layers.front()].chosen->option.activation_bits);
  }
}

TEST(PlanModel, OtherModelsAreRefused) {
  Network network;
  network.plan.layers[1].layer.name = "other";
  const auto status = Write(*FindExporter("aimet"), {.plan = network.plan, .onnx = network.onnx}, {}).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(MessageOf(status), ::testing::HasSubstr("got 'other'"));
  network.plan.layers.pop_back();
  EXPECT_TRUE(absl::IsInvalidArgument(
      Write(*FindExporter("aimet"), {.plan = network.plan, .onnx = network.onnx}, {}).status()));
}

// The comparison itself: a report that lacks an entry, or has one too many, is found out.
TEST(LossViolation, FindsWhatAReportLacks) {
  const Plan plan = testing::TypicalPlan();
  Exported exported = *Write(*FindExporter("hf_quant_config"), {.plan = plan}, {});
  const testing::ReadLayers read = *testing::ReadHfQuantConfig(exported.bytes, plan);
  EXPECT_EQ(testing::LossViolation(plan, exported, read), "");
  for (size_t i = 0; i < exported.losses.size(); ++i) {
    if (exported.losses[i].field == "activation_scheme") continue;
    Exported lacks = exported;
    lacks.losses.erase(lacks.losses.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_NE(testing::LossViolation(plan, lacks, read), "") << exported.losses[i].layer << exported.losses[i].field;
  }
  exported.losses.push_back({.layer = "stem", .field = "granularity", .wanted = "x", .written = "y", .reason = "z"});
  exported.losses.push_back(
      {.layer = "model.layers.1.mlp.up_proj", .field = "granularity", .wanted = "x", .written = "y", .reason = "z"});
  EXPECT_NE(testing::LossViolation(plan, exported, read), "");
}

INSTANTIATE_TEST_SUITE_P(Dialects, TextExporter,
                         ::testing::ValuesIn(std::vector<Dialect>{
                             {"compressed_tensors", &testing::ReadCompressedTensors},
                             {"modelopt", &testing::ReadModelOpt},
                             {"hf_quant_config", &testing::ReadHfQuantConfig},
                             {"llama_cpp", &testing::ReadLlamaCpp},
                             {"torchao", &testing::ReadTorchAo},
                             {"auto_round", &testing::ReadAutoRound},
                             {"coremltools", &testing::ReadCoreMl},
                             {"qconfig_mapping", &testing::ReadQConfigMapping},
                         }),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace bitplan::exporters
