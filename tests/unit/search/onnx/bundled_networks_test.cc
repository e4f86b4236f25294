// The bundled networks against what PyTorch says of them (tests/data/golden).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "search/data/npz.h"
#include "search/graph/fold_batch_normalization.h"
#include "search/onnx/parse_model.h"
#include "search/ops/objective.h"
#include "tests/testing/onnx_writer.h"

namespace bitplan::onnx {
namespace {

std::string ReadTestData(const std::string& path) {
  std::ifstream file(BITPLAN_TEST_DATA_DIR "/" + path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

class BundledNetwork : public ::testing::TestWithParam<std::string> {
 protected:
  static Graph Model() {
    absl::StatusOr<Graph> graph = ParseModel(ReadTestData("models/" + GetParam() + ".onnx"));
    EXPECT_TRUE(graph.ok()) << graph.status();
    return graph.ok() ? *std::move(graph) : Graph();
  }
  static nlohmann::json Golden() { return nlohmann::json::parse(ReadTestData("golden/" + GetParam() + ".json")); }

  static void ExpectReferenceLogits(const Graph& graph) {
    const absl::StatusOr<Dataset> data = data::ParseNpz(ReadTestData("models/fmnist_calibration_128.npz"));
    ASSERT_TRUE(data.ok()) << data.status();
    const auto objective = Objective::Create(graph, *data, {.max_samples = 4});
    ASSERT_TRUE(objective.ok()) << objective.status();
    const absl::StatusOr<Tensor> outputs = (*objective)->Outputs({}, {});
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    const nlohmann::json golden = Golden();
    const nlohmann::json& reference = golden["reference_logits_first4"];
    ASSERT_EQ(outputs->shape, (Shape{4, 10}));
    // Float sums of up to 600 products of order 1 in another order; ONNX Runtime differs from PyTorch by 1e-5 here.
    constexpr double kTolerance = 1e-4;
    for (int i = 0; i < 4; ++i) {
      for (int k = 0; k < 10; ++k) {
        EXPECT_NEAR(outputs->data[10 * i + k], reference[i][k].get<double>(), kTolerance) << i << ", " << k;
      }
    }
  }
};

TEST_P(BundledNetwork, HasTheLayersOfItsReference) {
  const Graph graph = Model();
  const nlohmann::json golden = Golden();
  const nlohmann::json& expected = golden["layers"];
  ASSERT_EQ(graph.layers.layers.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    const Layer& layer = graph.layers.layers[i];
    // The exporter stores the weights of Linear on sequences transposed and under names that say nothing.
    const bool transposed = expected[i]["initializer_transposed"];
    Shape shape = expected[i]["shape"];
    if (transposed) std::ranges::reverse(shape);
    EXPECT_TRUE(transposed || layer.name == expected[i]["name"]) << layer.name;
    EXPECT_EQ(layer.weight_shape, shape) << layer.name;
    EXPECT_EQ(layer.num_weights, expected[i]["params"]) << layer.name;
    EXPECT_EQ(layer.macs, expected[i]["macs"]) << layer.name;
    EXPECT_EQ(layer.output_channel_axis, transposed ? 1 : 0) << layer.name;
    std::string kind = expected[i]["op"];
    std::ranges::transform(kind, kind.begin(), [](unsigned char c) { return std::tolower(c); });
    EXPECT_EQ(ToString(layer.kind), kind) << layer.name;
    EXPECT_EQ(graph.values[graph.layer_weights[i].weight].name, expected[i]["initializer"]);
  }
  ASSERT_EQ(graph.inputs.size(), 1);
  EXPECT_EQ(graph.values[graph.inputs[0].value].name, "input");
  EXPECT_EQ(graph.inputs[0].shape, (Shape{kDynamic, 1, 28, 28}));
}

TEST_P(BundledNetwork, ComputesTheReferenceLogits) { ExpectReferenceLogits(Model()); }

// What the writer writes the importer reads back: every attribute and weight of a real network.
TEST_P(BundledNetwork, SurvivesARoundTrip) {
  const Graph graph = Model();
  const absl::StatusOr<Graph> again = ParseModel(bitplan::testing::WriteOnnx(graph));
  ASSERT_TRUE(again.ok()) << again.status();
  ASSERT_EQ(again->nodes.size(), graph.nodes.size());
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    EXPECT_EQ(again->nodes[i].name, graph.nodes[i].name);
    EXPECT_EQ(again->nodes[i].attributes.size(), graph.nodes[i].attributes.size());
  }
  ExpectReferenceLogits(*again);
}

TEST_P(BundledNetwork, ComputesTheSameWithItsNormalisationFolded) {
  const absl::StatusOr<Graph> folded = FoldBatchNormalization(Model());
  ASSERT_TRUE(folded.ok()) << folded.status();
  EXPECT_TRUE(CheckInvariants(*folded).ok());
  for (const Node& node : folded->nodes) EXPECT_NE(node.op_type, "BatchNormalization");
  ExpectReferenceLogits(*folded);
}

// PyTorch's exporter folded the same network: our weights are its weights.
TEST(FoldBatchNormalization, AgreesWithTheExporter) {
  const absl::StatusOr<Graph> with = ParseModel(ReadTestData("models/fmnist_mobilenet_bn.onnx"));
  const absl::StatusOr<Graph> reference = ParseModel(ReadTestData("models/fmnist_mobilenet.onnx"));
  ASSERT_TRUE(with.ok() && reference.ok());
  const absl::StatusOr<Graph> folded = FoldBatchNormalization(*with);
  ASSERT_TRUE(folded.ok()) << folded.status();
  ASSERT_EQ(folded->nodes.size(), reference->nodes.size());
  for (size_t i = 0; i < reference->layer_weights.size(); ++i) {
    const auto& ours = std::get<Tensor>(folded->values[folded->layer_weights[i].weight].constant).data;
    const auto& theirs = std::get<Tensor>(reference->values[reference->layer_weights[i].weight].constant).data;
    ASSERT_EQ(ours.size(), theirs.size());
    for (size_t k = 0; k < ours.size(); ++k) {
      // The exporter computes in float: scale and product round a few times by 2^-24.
      EXPECT_NEAR(ours[k], theirs[k], 1e-6F * std::abs(theirs[k])) << i << ", " << k;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, BundledNetwork,
                         ::testing::Values("fmnist_resnet8", "fmnist_mobilenet", "fmnist_mobilenet_bn", "fmnist_vit"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace bitplan::onnx
