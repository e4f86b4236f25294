#include "search/graph/activation_points.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "search/onnx/parse_model.h"
#include "search/ops/infer_shapes.h"
#include "tests/testing/graph_fixtures.h"

namespace bitplan {
namespace {

using ::bitplan::testing::GraphBuilder;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// "value: layer layer", one a point.
std::vector<std::string> Described(const Graph& graph) {
  std::vector<std::string> lines;
  for (const ActivationPoint& point : FindActivationPoints(graph)) {
    std::string line = graph.values[point.value].name + ":";
    for (const int layer : point.layers) line += " " + graph.layers.layers[layer].name;
    lines.push_back(line);
  }
  return lines;
}

std::vector<std::vector<int>> Ties(const Graph& graph) { return ActivationTies(graph, FindActivationPoints(graph)); }

Graph Bundled(const std::string& name) {
  std::ifstream file(BITPLAN_TEST_DATA_DIR "/models/" + name + ".onnx", std::ios::binary);
  absl::StatusOr<Graph> graph = onnx::ParseModel(std::string{std::istreambuf_iterator<char>(file), {}});
  EXPECT_TRUE(graph.ok()) << graph.status();
  return graph.ok() ? *std::move(graph) : Graph();
}

TEST(FindActivationPoints, LayersBehindOneTensorShareItThroughViews) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {kDynamic, 4, 6});
  const ValueId norm = b.Node("Relu", {x});
  const ValueId q = b.Node("MatMul", {norm, b.RandomWeight("wq", {6, 6})});
  const ValueId flat = b.Node("Flatten", {b.Node("Identity", {norm})}, {{"axis", int64_t{2}}});
  const ValueId k = b.Node("Gemm", {flat, b.RandomWeight("wk", {6, 6})});
  const ValueId back = b.Node("Reshape", {k, b.Ints("shape", {-1, 4, 6})});
  const Graph graph = b.Build(b.Node("Add", {q, back}));
  EXPECT_THAT(Described(graph), ElementsAre(graph.values[norm].name + ": wq wk"));
  EXPECT_THAT(Ties(graph), ElementsAre(ElementsAre(0, 1)));
}

// By point, of 1 sample's shapes.
std::vector<bool> ByRows(const Graph& graph) {
  return ReadByRows(graph, FindActivationPoints(graph), *ops::InferShapes(graph, 1));
}

// MatMul and Gemm add up rows, through views that keep the last axis.
TEST(ReadByRows, SeesRowsThroughViews) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {kDynamic, 4, 6});
  const ValueId turned = b.Node("Transpose", {x}, {{"perm", std::vector<int64_t>{1, 0, 2}}});
  const ValueId first = b.Node("MatMul", {turned, b.RandomWeight("w", {6, 5})});
  const ValueId flat = b.Node("Flatten", {b.Node("Relu", {first})}, {{"axis", int64_t{2}}});
  const ValueId second = b.Node("Gemm", {b.Node("Identity", {flat}), b.RandomWeight("v", {5, 5})});
  const Graph graph = b.Build(b.Node("MatMul", {b.Node("Relu", {second}), b.RandomWeight("u", {5, 5})}));
  EXPECT_THAT(ByRows(graph), ElementsAre(true, true, true));
}

// Columns are added up (weight on the left, a turned tensor, transA), several positions are (convolution), or several
// rows in one (flattened); one such layer is enough.
TEST(ReadByRows, SeesWhatAddsUpMoreThanARow) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {kDynamic, 4, 4});
  const ValueId rows = b.Node("MatMul", {x, b.RandomWeight("rows", {4, 4})});
  const ValueId columns = b.Node("MatMul", {b.RandomWeight("columns", {4, 4}), x});
  EXPECT_THAT(ByRows(b.Build(b.Node("Add", {rows, columns}))), ElementsAre(false));

  GraphBuilder turned;
  const ValueId y =
      turned.Node("Transpose", {turned.Input("y", {kDynamic, 4, 4})}, {{"perm", std::vector<int64_t>{0, 2, 1}}});
  const ValueId z = turned.Node("Relu", {turned.Node("MatMul", {y, turned.RandomWeight("w", {4, 1})})});
  EXPECT_THAT(
      ByRows(turned.Build(turned.Node("Gemm", {turned.Node("Flatten", {z}), turned.RandomWeight("v", {4, 2})}))),
      ElementsAre(false, false));

  GraphBuilder conv;
  const ValueId image = conv.Input("image", {kDynamic, 2, 3, 3});
  const ValueId pooled =
      conv.Node("GlobalAveragePool", {conv.Node("Conv", {image, conv.RandomWeight("w", {4, 2, 3, 3})})});
  const ValueId logits = conv.Node("Gemm", {conv.Node("Flatten", {pooled}), conv.RandomWeight("v", {4, 4})});
  const ValueId last =
      conv.Node("Gemm", {conv.Node("Relu", {logits}), conv.RandomWeight("u", {1, 2})}, {{"transA", int64_t{1}}});
  EXPECT_THAT(ByRows(conv.Build(last)), ElementsAre(false, false, false));
}

TEST(FindActivationPoints, TakesTheDataSideOfAWeightOnTheLeftAndNoIntegers) {
  GraphBuilder b;
  const ValueId ids = b.IntegerInput("ids", {kDynamic, 3});
  const ValueId tokens = b.Node("Gather", {b.RandomWeight("table", {5, 4}), ids}, {{"axis", int64_t{0}}});
  const ValueId turned = b.Node("Transpose", {tokens}, {{"perm", std::vector<int64_t>{0, 2, 1}}});
  const Graph graph = b.Build(b.Node("MatMul", {b.RandomWeight("left", {2, 4}), turned}));
  EXPECT_THAT(graph.layers.layers, ::testing::SizeIs(2));
  EXPECT_THAT(Described(graph), ElementsAre(graph.values[tokens].name + ": left"));
  EXPECT_THAT(Ties(graph), IsEmpty());
}

TEST(FindActivationPoints, ALayerReadTwiceIsInTwoTiedPoints) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {kDynamic, 4});
  const ValueId shared = b.RandomWeight("shared", {4, 4});
  const ValueId first = b.Node("Gemm", {x, shared});
  const ValueId inner = b.Node("Tanh", {first});
  const ValueId second = b.Node("Gemm", {inner, shared});
  const ValueId other = b.Node("Gemm", {inner, b.RandomWeight("other", {4, 4})});
  const Graph graph = b.Build(b.Node("Mul", {second, other}));
  EXPECT_THAT(Described(graph), ElementsAre("x: shared", graph.values[inner].name + ": shared other"));
  EXPECT_THAT(Ties(graph), ElementsAre(ElementsAre(0, 1)));
}

TEST(ActivationTies, AnAddOfTwoPointsTiesTheirLayers) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {kDynamic, 4});
  const ValueId a = b.Node("Gemm", {x, b.RandomWeight("first", {4, 4})});
  const ValueId c = b.Node("Gemm", {a, b.RandomWeight("second", {4, 4})});
  const ValueId sum = b.Node("Add", {a, c});  // linear bottlenecks: a, then sum, is what the stream carries
  const ValueId d = b.Node("Gemm", {sum, b.RandomWeight("third", {4, 4})});
  const ValueId e = b.Node("Relu", {b.Node("Add", {sum, d})});
  const ValueId f = b.Node("Gemm", {e, b.RandomWeight("fourth", {4, 4})});
  const Graph graph = b.Build(f);
  EXPECT_THAT(Described(graph), ElementsAre("x: first", graph.values[a].name + ": second",
                                            graph.values[sum].name + ": third", graph.values[e].name + ": fourth"));
  EXPECT_THAT(Ties(graph), ElementsAre(ElementsAre(1, 2)));  // behind the ReLU, fourth is free
}

TEST(ActivationTies, AConcatTiesWhatEntersItIfALayerReadsIt) {
  const auto build = [](bool read) {
    GraphBuilder b;
    const ValueId x = b.Input("x", {kDynamic, 4});
    const ValueId y = b.Input("y", {kDynamic, 4});
    const ValueId p = b.Node("Gemm", {x, b.RandomWeight("of_x", {4, 4})});
    const ValueId q = b.Node("Gemm", {y, b.RandomWeight("of_y", {4, 4})});
    ValueId out = b.Node("Concat", {x, y}, {{"axis", int64_t{1}}});
    if (read) out = b.Node("Gemm", {b.Node("Relu", {out}), b.RandomWeight("of_both", {8, 4})});
    return b.Build(b.Node("Concat", {p, q, out}, {{"axis", int64_t{1}}}));
  };
  EXPECT_THAT(Ties(build(true)), ElementsAre(ElementsAre(0, 1)));
  EXPECT_THAT(Ties(build(false)), IsEmpty());
}

TEST(ActivationTies, ABiasTiesNothing) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {kDynamic, 4});
  const ValueId p = b.Node("MatMul", {x, b.RandomWeight("first", {4, 4})});
  const ValueId biased = b.Node("Add", {p, b.RandomFloats("bias", {4}, 1)});
  const Graph graph = b.Build(b.Node("MatMul", {biased, b.RandomWeight("second", {4, 4})}));
  EXPECT_THAT(Ties(graph), IsEmpty());
}

// Listed by hand from the files: the residual streams of ResNet-8 are ReLUs of sums; each projection reads what its
// block's first convolution reads.
TEST(FindActivationPoints, OfResNet8) {
  const Graph graph = Bundled("fmnist_resnet8");
  EXPECT_THAT(
      Described(graph),
      ElementsAre("input: stem", "/Relu_output_0: blocks.0.conv1", "/blocks/blocks.0/Relu_output_0: blocks.0.conv2",
                  "/blocks/blocks.0/Relu_1_output_0: blocks.1.conv1 blocks.1.proj",
                  "/blocks/blocks.1/Relu_output_0: blocks.1.conv2",
                  "/blocks/blocks.1/Relu_1_output_0: blocks.2.conv1 blocks.2.proj",
                  "/blocks/blocks.2/Relu_output_0: blocks.2.conv2", "/GlobalAveragePool_output_0: fc"));
  EXPECT_THAT(Ties(graph), ElementsAre(ElementsAre(3, 5), ElementsAre(6, 8)));
}

// One residual: what blocks.3.dw reads is added to the end of its block, and blocks.4.dw reads the sum.
TEST(FindActivationPoints, OfMobileNetWithAndWithoutBatchNormalization) {
  for (const std::string name : {"fmnist_mobilenet", "fmnist_mobilenet_bn"}) {
    const Graph graph = Bundled(name);
    EXPECT_THAT(
        Described(graph),
        ElementsAre(
            "input: stem", "/act0/Clip_output_0: blocks.0.dw", "/blocks/blocks.0/act1/Clip_output_0: blocks.0.pw",
            "/blocks/blocks.0/act2/Clip_output_0: blocks.1.dw", "/blocks/blocks.1/act1/Clip_output_0: blocks.1.pw",
            "/blocks/blocks.1/act2/Clip_output_0: blocks.2.dw", "/blocks/blocks.2/act1/Mul_output_0: blocks.2.pw",
            "/blocks/blocks.2/act2/Mul_output_0: blocks.3.dw", "/blocks/blocks.3/act1/Mul_output_0: blocks.3.pw",
            "/blocks/blocks.3/Add_output_0: blocks.4.dw", "/blocks/blocks.4/act1/Mul_output_0: blocks.4.pw",
            "/GlobalAveragePool_output_0: fc"));
    EXPECT_THAT(Ties(graph), ElementsAre(ElementsAre(7, 9))) << name;
  }
}

// Each of the 4 blocks: qkv behind the first normalisation, proj behind the attention's Transpose and Reshape, fc1
// behind the second, fc2 behind the GELU. No layer reads the residual stream itself, so nothing is tied.
TEST(FindActivationPoints, OfVisionTransformer) {
  const Graph graph = Bundled("fmnist_vit");
  const std::vector<std::string> points = Described(graph);
  ASSERT_EQ(points.size(), 18);
  EXPECT_EQ(points[0], "input: patch");
  for (int b = 0; b < 4; ++b) {
    const std::string block = "/blocks/blocks." + std::to_string(b) + "/";
    EXPECT_EQ(points[4 * b + 1], block + "norm1/Add_1_output_0: " + block + "attn/qkv/MatMul");
    EXPECT_EQ(points[4 * b + 2], block + "attn/MatMul_1_output_0: " + block + "attn/proj/MatMul");
    EXPECT_EQ(points[4 * b + 3], block + "norm2/Add_1_output_0: " + block + "fc1/MatMul");
    EXPECT_EQ(points[4 * b + 4], block + "Mul_1_output_0: " + block + "fc2/MatMul");
  }
  EXPECT_EQ(points[17], "/ReduceMean_output_0: head");
  EXPECT_THAT(Ties(graph), IsEmpty());
}

}  // namespace
}  // namespace bitplan
