#include "search/ops/find_layers.h"

#include <gtest/gtest.h>

#include "tests/testing/graph_fixtures.h"

namespace bitplan::ops {
namespace {

using ::bitplan::testing::GraphBuilder;

TEST(FindLayers, DescribesConvGemmAndMatMul) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {kDynamic, 4, 8, 8});
  ValueId y = b.Node("Conv", {x, b.RandomWeight("stem.weight", {6, 2, 3, 3})},
                     {{"group", int64_t{2}}, {"strides", std::vector<int64_t>{2, 2}}});
  y = b.Node("Flatten", {y});
  y = b.Node("Gemm", {y, b.RandomWeight("fc.weight", {5, 54})}, {{"transB", int64_t{1}}});
  y = b.Node("Gemm", {y, b.RandomWeight("fc2.weight", {5, 7})});
  y = b.Node("MatMul", {y, b.RandomWeight("head.weight", {7, 3})});
  const std::vector<Layer> layers = b.Build(y).layers.layers;

  ASSERT_EQ(layers.size(), 4);
  EXPECT_EQ(layers[0].name, "stem");
  EXPECT_EQ(layers[0].kind, LayerKind::kConv);
  EXPECT_EQ(layers[0].weight_shape, (Shape{6, 2, 3, 3}));
  EXPECT_EQ(layers[0].output_channel_axis, 0);
  EXPECT_EQ(layers[0].num_weights, 108);
  EXPECT_EQ(layers[0].macs, 6 * 3 * 3 * (2 * 3 * 3));  // outputs times products of each
  EXPECT_EQ(layers[0].input_elements, 4 * 8 * 8);
  EXPECT_EQ(layers[0].output_elements, 6 * 3 * 3);
  EXPECT_EQ(layers[1].kind, LayerKind::kGemm);
  EXPECT_EQ(layers[1].output_channel_axis, 0);  // transB=1: [out, in]
  EXPECT_EQ(layers[1].macs, 5 * 54);
  EXPECT_EQ(layers[2].output_channel_axis, 1);  // transB=0: [in, out]
  EXPECT_EQ(layers[3].kind, LayerKind::kMatMul);
  EXPECT_EQ(layers[3].output_channel_axis, 1);
  EXPECT_EQ(layers[3].macs, 7 * 3);
}

TEST(FindLayers, CountsMacsForOneSampleOfFixedBatch) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {8, 5, 4});
  const Graph graph = b.Build(b.Node("MatMul", {x, b.RandomWeight("w", {4, 3})}));
  EXPECT_EQ(graph.layers.layers[0].macs, 5 * 4 * 3);
  EXPECT_EQ(graph.layers.layers[0].input_elements, 5 * 4);
  EXPECT_EQ(graph.layers.layers[0].output_elements, 5 * 3);
}

TEST(FindLayers, MatMulTakesConstantOnEitherSide) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {kDynamic, 4, 3});
  const Graph graph = b.Build(b.Node("MatMul", {b.RandomWeight("left", {5, 4}), x}));
  ASSERT_EQ(graph.layers.layers.size(), 1);
  EXPECT_EQ(graph.layers.layers[0].output_channel_axis, 0);  // [out, in]
  EXPECT_EQ(graph.layers.layers[0].macs, 5 * 4 * 3);
}

TEST(FindLayers, ComputedOperandsVectorsAndScalarsAreNoLayers) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {kDynamic, 4, 4});
  ValueId y = b.Node("MatMul", {x, x});
  y = b.Node("MatMul", {y, b.Floats("vector", {4}, {1, 2, 3, 4})});
  y = b.Node("Mul", {y, b.Floats("scalar", {}, {2})});
  EXPECT_TRUE(b.Build(y).layers.layers.empty());
}

TEST(FindLayers, SharedWeightIsOneLayerWithMacsOfAllReaders) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {kDynamic, 4});
  const ValueId w = b.RandomWeight("tied.weight", {4, 4});
  const Graph graph = b.Build(b.Node("MatMul", {b.Node("Tanh", {b.Node("MatMul", {x, w})}), w}));
  ASSERT_EQ(graph.layers.layers.size(), 1);
  EXPECT_EQ(graph.layers.layers[0].name, "tied");
  EXPECT_EQ(graph.layers.layers[0].macs, 2 * 4 * 4);
  EXPECT_EQ(graph.layers.layers[0].input_elements, 2 * 4);  // both readers
  EXPECT_EQ(graph.layer_weights[0].node, 0);
}

TEST(FindLayers, NamesByNodeWhereTheWeightNameTellsNothing) {
  GraphBuilder b;
  ValueId y = b.Input("x", {kDynamic, 4});
  for (const char* name : {"onnx::MatMul_214", "137", "weight", ".weight", "block.0.weight"}) {
    y = b.Node("MatMul", {y, b.RandomWeight(name, {4, 4})});
  }
  std::vector<std::string> names;
  for (const Layer& layer : b.Build(y).layers.layers) names.push_back(layer.name);
  EXPECT_EQ(names, (std::vector<std::string>{"MatMul_0", "MatMul_1", "MatMul_2", "MatMul_3", "block.0"}));
}

TEST(FindLayers, MakesNamesUnique) {
  GraphBuilder b;
  ValueId y = b.Input("x", {kDynamic, 4});
  for (const char* name : {"fc.weight", "fc", "fc_2"}) y = b.Node("MatMul", {y, b.RandomWeight(name, {4, 4})});
  std::vector<std::string> names;
  for (const Layer& layer : b.Build(y).layers.layers) names.push_back(layer.name);
  EXPECT_EQ(names, (std::vector<std::string>{"fc", "fc_2", "fc_2_2"}));
}

TEST(FindLayers, ReplacesWhatWasThere) {
  Graph graph = testing::TanhMlp().graph;
  const size_t before = graph.layers.layers.size();
  ASSERT_TRUE(FindLayers(graph).ok());
  EXPECT_EQ(graph.layers.layers.size(), before);
}

}  // namespace
}  // namespace bitplan::ops
