// What operators refuse, and how the message reads.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "search/base/status.h"
#include "search/ops/infer_shapes.h"
#include "search/ops/op_table.h"
#include "tests/testing/graph_fixtures.h"

namespace bitplan::ops {
namespace {

using ::bitplan::testing::GraphBuilder;
using ::testing::HasSubstr;
using List = std::vector<int64_t>;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kUnsupported = absl::StatusCode::kUnimplemented;
constexpr auto kTooLarge = absl::StatusCode::kResourceExhausted;

// One node: float inputs of the given shapes, then what `constants` adds.
struct Refusal {
  std::string name;
  std::string op_type;
  std::vector<Shape> inputs;
  Attributes attributes;
  absl::StatusCode code;
  std::string message;
  std::function<std::vector<ValueId>(GraphBuilder&)> constants;
  int64_t opset = 13;
};

void PrintTo(const Refusal& refusal, std::ostream* out) { *out << refusal.name; }

class OpRefuses : public ::testing::TestWithParam<Refusal> {};

TEST_P(OpRefuses, WithMessage) {
  const Refusal& refusal = GetParam();
  GraphBuilder builder(refusal.opset);
  std::vector<ValueId> ids;
  for (const Shape& shape : refusal.inputs) ids.push_back(builder.Input("x" + std::to_string(ids.size()), shape));
  if (refusal.constants) {
    for (const ValueId id : refusal.constants(builder)) ids.push_back(id);
  }
  const Graph graph = builder.BuildWithoutLayers(builder.Node(refusal.op_type, ids, refusal.attributes));
  const absl::Status status = InferShapes(graph, 2).status();
  EXPECT_EQ(status.code(), refusal.code) << status;
  EXPECT_THAT(MessageOf(status), HasSubstr(refusal.message));
  EXPECT_THAT(MessageOf(status), HasSubstr("nodes[0] '" + refusal.op_type + "_0' (" + refusal.op_type + "): "));
}

auto Ints(List values) {
  return [values](GraphBuilder& b) { return std::vector{b.Ints("ints", values)}; };
}
auto Floats(Shape shape, std::vector<float> values) {
  return [=](GraphBuilder& b) { return std::vector{b.Floats("floats", shape, values)}; };
}

// Further inputs of Slice, in the order of the specification.
auto Bounds(List starts, List ends, List axes = {}, List steps = {}) {
  return [=](GraphBuilder& b) {
    std::vector<ValueId> ids = {b.Ints("starts", starts), b.Ints("ends", ends)};
    if (!axes.empty()) ids.push_back(b.Ints("axes", axes));
    if (!steps.empty()) ids.push_back(b.Ints("steps", steps));
    return ids;
  };
}

const Shape kImage = {2, 4, 8, 8};

std::vector<Refusal> Refusals() {
  return {
      {"UnknownOp", "Hardmax", {{2, 3}}, {}, kUnsupported, "the operator is not supported"},
      {"OpsetTooOld", "Add", {{2}, {2}}, {}, kUnsupported, "opset 6 is not supported, want 7..23", {}, 6},
      {"OpsetTooNew", "Relu", {{2}}, {}, kUnsupported, "opset 99 is not supported", {}, 99},
      {"TooFewInputs", "Add", {{2}}, {}, kInvalid, "input 1 is missing"},
      {"TooManyInputs", "Relu", {{2}, {2}}, {}, kInvalid, "inputs: got 2, want at most 1"},
      {"IntegersToFloatOp",
       "Add",
       {{2}},
       {},
       kUnsupported,
       "inputs[1] 'ints': an integer tensor, want float",
       Ints({1, 2})},
      {"NoBroadcast", "Mul", {{2, 3}, {2, 4}}, {}, kInvalid, "shapes [2, 3] and [2, 4] do not broadcast"},
      {"ConvRanks", "Conv", {kImage, {4, 4, 3}}, {}, kInvalid, "x has shape [2, 4, 8, 8], w [4, 4, 3]"},
      {"ConvFourDimensions",
       "Conv",
       {{1, 2, 4, 4, 4, 4}, {3, 2, 2, 2, 2, 2}},
       {},
       kUnsupported,
       "want [N, C, W], [N, C, H, W] or [N, C, D, H, W]"},
      {"ConvChannels", "Conv", {kImage, {4, 3, 3, 3}}, {}, kInvalid, "group: got 1, which does not fit"},
      {"ConvGroups", "Conv", {kImage, {5, 2, 3, 3}}, {{"group", int64_t{2}}}, kInvalid, "group: got 2"},
      {"ConvGroupZero", "Conv", {kImage, {4, 4, 3, 3}}, {{"group", int64_t{0}}}, kInvalid, "group: got 0"},
      {"ConvBias", "Conv", {kImage, {4, 4, 3, 3}, {5}}, {}, kInvalid, "bias has shape [5], want [4]"},
      {"ConvKernelShape",
       "Conv",
       {kImage, {4, 4, 3, 3}},
       {{"kernel_shape", List{3, 2}}},
       kInvalid,
       "kernel_shape: got [3, 2]"},
      {"ConvKernelTooLarge", "Conv", {kImage, {4, 4, 9, 9}}, {}, kInvalid, "a window of 9 does not fit an input of 8"},
      {"ConvStrideZero",
       "Conv",
       {kImage, {4, 4, 3, 3}},
       {{"strides", List{0, 1}}},
       kInvalid,
       "strides: got 0, want 1.."},
      {"ConvPadsLength",
       "Conv",
       {kImage, {4, 4, 3, 3}},
       {{"pads", List{1, 1}}},
       kInvalid,
       "pads: got 2 entries, want 4"},
      {"ConvPadsNegative",
       "Conv",
       {kImage, {4, 4, 3, 3}},
       {{"pads", List{-1, 0, 0, 0}}},
       kInvalid,
       "pads: got -1, want 0.."},
      {"ConvPadsHuge",
       "Conv",
       {kImage, {4, 4, 3, 3}},
       {{"pads", List{1 << 24, 1 << 24, 0, 0}}},
       kTooLarge,
       "more than"},
      {"ConvAutoPad",
       "Conv",
       {kImage, {4, 4, 3, 3}},
       {{"auto_pad", std::string("HALF")}},
       kInvalid,
       "auto_pad: got 'HALF'"},
      {"ConvAttributeType", "Conv", {kImage, {4, 4, 3, 3}}, {{"group", 1.0F}}, kInvalid, "'group' has the wrong type"},
      {"GemmVector", "Gemm", {{4}, {4, 3}}, {}, kInvalid, "want two matrices"},
      {"GemmSizes", "Gemm", {{2, 4}, {5, 3}}, {}, kInvalid, "[2, 4] (transA=0) and [5, 3] (transB=0) do not multiply"},
      {"GemmBias", "Gemm", {{2, 4}, {4, 3}, {4}}, {}, kInvalid, "inputs[2]: shape [4] does not broadcast to [2, 3]"},
      {"MatMulSizes", "MatMul", {{2, 4}, {5, 3}}, {}, kInvalid, "[2, 4] and [5, 3] do not multiply"},
      {"MatMulBatches", "MatMul", {{2, 3, 4}, {3, 4, 5}}, {}, kInvalid, "do not broadcast"},
      {"MatMulScalar", "MatMul", {{2, 3}, {}}, {}, kInvalid, "a scalar"},
      {"BatchNormComputed",
       "BatchNormalization",
       {kImage, {4}, {4}, {4}, {4}},
       {},
       kUnsupported,
       "scale: want a constant"},
      {"BatchNormTraining",
       "BatchNormalization",
       {kImage, {4}, {4}, {4}, {4}},
       {{"training_mode", int64_t{1}}},
       kUnsupported,
       "training_mode: got 1"},
      {"ClipComputedBound", "Clip", {{2}, {}}, {}, kUnsupported, "min: computed at run time, want a constant"},
      {"ClipBoundShape", "Clip", {{2}}, {}, kInvalid, "min: got shape [2], want one element", Floats({2}, {0, 1})},
      {"PowHugeInteger", "Pow", {{2}}, {}, kUnsupported, "an integer beyond 2^24 (16777217)", Ints({1, 16777217})},
      {"PReluSlope", "PRelu", {{3, 1}, {4}}, {}, kInvalid, "slope: shape [4] does not broadcast to [3, 1]"},
      {"MaxNone", "Max", {}, {}, kInvalid, "input 0 is missing"},
      {"SumShapes", "Sum", {{2}, {1}, {3}}, {}, kInvalid, "do not broadcast"},
      {"CeluAlpha", "Celu", {{2}}, {{"alpha", 0.0F}}, kInvalid, "alpha: got 0"},
      {"GeluMode",
       "Gelu",
       {{2}},
       {{"approximate", std::string("erf")}},
       kInvalid,
       "got 'erf', want none or tanh",
       {},
       20},
      {"CastComputed", "Cast", {{2}}, {{"to", int64_t{2}}}, kUnsupported, "to: type 2 at run time"},
      {"WhereIntegers",
       "Where",
       {{2}},
       {},
       kUnsupported,
       "a choice between integers",
       [](GraphBuilder& b) {
         return std::vector{b.Ints("a", {1, 2}), b.Ints("b", {3, 4})};
       },
       16},
      {"ArgMaxRead", "ArgMax", {{2, 3}}, {}, kUnsupported, "the network's first output is an integer"},
      {"CumSumAxis", "CumSum", {{2, 3}}, {}, kInvalid, "axis: got 2, want -2..1", Ints({2}), 14},
      {"CumSumAxes", "CumSum", {{2, 3}}, {}, kInvalid, "axis: got 2 numbers", Ints({0, 1}), 14},
      {"ReduceL1Noop",
       "ReduceL1",
       {{2, 3}},
       {{"noop_with_empty_axes", int64_t{1}}},
       kUnsupported,
       "its meaning is not settled",
       {},
       18},
      {"LayerNormScale", "LayerNormalization", {{2, 3}, {2}}, {}, kInvalid, "scale: shape [2] does not", {}, 17},
      {"LayerNormBias", "LayerNormalization", {{2, 3}, {3}, {1, 2, 3}}, {}, kInvalid, "bias: shape [1, 2, 3]", {}, 17},
      {"LayerNormAxis", "LayerNormalization", {{2, 3}, {3}}, {{"axis", int64_t{2}}}, kInvalid, "axis: got 2", {}, 17},
      {"InstanceNormMatrix", "InstanceNormalization", {{2, 3}, {3}, {3}}, {}, kInvalid, "want [N, C, D1, ..]"},
      {"InstanceNormScale",
       "InstanceNormalization",
       {kImage, {3}, {4}},
       {},
       kInvalid,
       "inputs[1]: shape [3], want [4]"},
      {"GroupNormGroups",
       "GroupNormalization",
       {kImage, {4}, {4}},
       {{"num_groups", int64_t{3}}},
       kInvalid,
       "num_groups: got 3",
       {},
       21},
      {"GroupNormScale18",
       "GroupNormalization",
       {kImage, {4}, {4}},
       {{"num_groups", int64_t{2}}},
       kInvalid,
       "inputs[1]: shape [4], want [2]",
       {},
       18},
      {"LpNormP", "LpNormalization", {{2, 3}}, {{"p", int64_t{3}}}, kInvalid, "p: got 3, want 1 or 2"},
      {"LrnSize", "LRN", {kImage}, {}, kInvalid, "size: got 0"},
      {"SliceEmpty", "Slice", {{5}}, {}, kUnsupported, "3..2 of a size of 5 is empty", Bounds({3}, {2})},
      {"SliceLengths", "Slice", {{5}}, {}, kInvalid, "got 1, 2, 1 and 1 entries", Bounds({3}, {2, 3})},
      {"SliceStepZero", "Slice", {{5}}, {}, kInvalid, "steps: got 0", Bounds({0}, {2}, {0}, {0})},
      {"SliceAxisTwice",
       "Slice",
       {{5}},
       {},
       kInvalid,
       "axis 0 is listed twice",
       Bounds({0, 0}, {2, 2}, {0, -1}, {1, 1})},
      {"SliceComputed", "Slice", {{5}, {1}, {1}}, {}, kUnsupported, "starts: computed at run time"},
      {"GatherRange", "Gather", {{4, 3}}, {}, kInvalid, "indices: got 4, want -4..3", Ints({0, 4})},
      {"GatherComputed", "Gather", {{4, 3}, {2}}, {}, kUnsupported, "indices: computed at run time"},
      {"SplitSum", "Split", {{6}}, {}, kInvalid, "split: [5] does not add up to 6", Ints({5})},
      {"SplitOverflow", "Split", {{6}}, {}, kInvalid, "does not add up", Ints({int64_t{1} << 62})},
      {"SplitParts", "Split", {{6}}, {}, kInvalid, "split: got 2 parts, the node has 1 outputs", Ints({2, 4})},
      {"SplitOutputs", "Split", {{6}}, {{"num_outputs", int64_t{4}}}, kInvalid, "num_outputs: got 4, the node has 1"},
      {"ExpandShape", "Expand", {{2, 3}}, {}, kInvalid, "do not broadcast", Ints({2, 4})},
      {"ExpandHuge", "Expand", {{1}}, {}, kTooLarge, "more than", Ints({int64_t{1} << 40, int64_t{1} << 40})},
      {"TileLength", "Tile", {{2, 3}}, {}, kInvalid, "repeats: got 1 entries, want 2", Ints({2})},
      {"TileHuge", "Tile", {{2, 3}}, {}, kTooLarge, "more than", Ints({int64_t{1} << 62, int64_t{1} << 62})},
      {"DepthToSpaceChannels",
       "DepthToSpace",
       {kImage},
       {{"blocksize", int64_t{3}}},
       kInvalid,
       "blocksize: 3 does not fit 4 channels"},
      {"SpaceToDepthSize", "SpaceToDepth", {kImage}, {{"blocksize", int64_t{3}}}, kInvalid, "3 does not divide"},
      {"DepthToSpaceMode",
       "DepthToSpace",
       {kImage},
       {{"blocksize", int64_t{2}}, {"mode", std::string("RCD")}},
       kInvalid,
       "mode: got 'RCD'"},
      {"TriluVector", "Trilu", {{3}}, {}, kInvalid, "shape [3], want [.., M, N]", {}, 14},
      {"PoolKernelMissing", "MaxPool", {kImage}, {}, kInvalid, "kernel_shape: got 0 entries, want 2"},
      {"PoolAllPadding",
       "MaxPool",
       {kImage},
       {{"kernel_shape", List{2, 2}}, {"pads", List{2, 0, 0, 0}}},
       kUnsupported,
       "pads: a window could lie in the padding only"},
      {"GlobalPoolMatrix", "GlobalAveragePool", {{2, 3}}, {}, kInvalid, "want [N, C, spatial]"},
      {"SoftmaxAxis", "Softmax", {{2, 3}}, {{"axis", int64_t{2}}}, kInvalid, "axis: got 2, want -2..1"},
      {"FlattenAxis", "Flatten", {{2, 3}}, {{"axis", int64_t{3}}}, kInvalid, "axis: got 3"},
      {"ReshapeSize",
       "Reshape",
       {{2, 6}},
       {},
       kInvalid,
       "[2, 6] has 12 elements and cannot become [2, 5]",
       Ints({2, 5})},
      {"ReshapeBakedBatch",
       "Reshape",
       {{kDynamic, 6}},
       {},
       kInvalid,
       "was the model exported for a fixed number of samples?",
       Ints({1, 6})},
      {"ReshapeTwoRests", "Reshape", {{2, 6}}, {}, kInvalid, "-1 more than once in [-1, -1]", Ints({-1, -1})},
      {"ReshapeRest", "Reshape", {{2, 6}}, {}, kInvalid, "cannot become [5, -1]", Ints({5, -1})},
      {"ReshapeZero", "Reshape", {{2, 6}}, {{"allowzero", int64_t{1}}}, kInvalid, "entry 0 is 0", Ints({0, 12})},
      {"ReshapeZeroBeyond", "Reshape", {{2, 6}}, {}, kInvalid, "entry 2 is 0, but the input has 2", Ints({2, 6, 0})},
      {"ReshapeOverflow", "Reshape", {{2, 6}}, {}, kInvalid, "cannot become", Ints({int64_t{1} << 62, 4})},
      {"ReshapeComputed", "Reshape", {{2, 6}, {2}}, {}, kUnsupported, "shape: computed at run time"},
      {"ReshapeFloatShape", "Reshape", {{2, 6}}, {}, kInvalid, "shape: got a float tensor", Floats({2}, {6, 2})},
      {"TransposePerm", "Transpose", {{2, 3}}, {{"perm", List{0, 0}}}, kInvalid, "perm: [0, 0] is no permutation"},
      {"TransposeShort", "Transpose", {{2, 3}}, {{"perm", List{0}}}, kInvalid, "is no permutation of the 2 dimensions"},
      {"ConcatShapes",
       "Concat",
       {{2, 3}, {3, 3}},
       {{"axis", int64_t{1}}},
       kInvalid,
       "[2, 3] and [3, 3] do not concatenate"},
      {"ConcatRanks", "Concat", {{2, 3}, {2, 3, 1}}, {{"axis", int64_t{1}}}, kInvalid, "do not concatenate"},
      {"ConcatAxis", "Concat", {{2, 3}}, {}, kInvalid, "axis: missing"},
      {"PadMode",
       "Pad",
       {{2, 3}},
       {{"mode", std::string("wrap")}},
       kInvalid,
       "mode: got 'wrap', want constant, edge, reflect or (from opset 19) wrap",
       Ints({0, 0, 0, 1})},
      {"PadHugeMirror",
       "Pad",
       {{2, 3}},
       {{"mode", std::string("reflect")}},
       kTooLarge,
       "pads: size 1 of [2, 3] becomes more than",
       Ints({0, 1 << 28, 0, 0})},
      {"PadLength", "Pad", {{2, 3}}, {}, kInvalid, "pads: got 3 entries, want 4", Ints({0, 0, 1})},
      {"PadNothingLeft", "Pad", {{2, 3}}, {}, kInvalid, "becomes 0", Ints({0, -2, 0, -1})},
      {"PadHuge", "Pad", {{2, 3}}, {}, kTooLarge, "more than", Ints({int64_t{1} << 62, int64_t{1} << 62, 0, 0})},
      {"SqueezeSize", "Squeeze", {{2, 3}}, {}, kInvalid, "axes: size 1 of [2, 3] is not 1", Ints({1})},
      {"SqueezeTwice", "Squeeze", {{1, 3}}, {}, kInvalid, "axes: an axis is listed twice", Ints({0, -2})},
      {"UnsqueezeRange", "Unsqueeze", {{2, 3}}, {}, kInvalid, "axes: got 3", Ints({3})},
      {"DropoutTraining", "Dropout", {{2}, {}, {}}, {}, kUnsupported, "training_mode: want the constant false"},
      {"ReduceMeanAxis", "ReduceMean", {{2, 3}}, {{"axes", List{2}}}, kInvalid, "axes: got 2, want -2..1"},
      {"ConstantInteger", "Constant", {}, {{"value_int", int64_t{3}}}, kUnsupported, "only float constants"},
  };
}

INSTANTIATE_TEST_SUITE_P(Refusals, OpRefuses, ::testing::ValuesIn(Refusals()),
                         [](const auto& info) { return info.param.name; });

TEST(MakeOperator, RefusesSecondOutput) {
  GraphBuilder builder;
  Graph graph = builder.BuildWithoutLayers(builder.Node("Relu", {builder.Input("x", {2})}));
  graph.values.push_back({.name = "extra"});
  graph.nodes[0].outputs.push_back(static_cast<ValueId>(graph.values.size()) - 1);
  EXPECT_THAT(MessageOf(InferShapes(graph, 1).status()), HasSubstr("outputs[1]: there is no such output"));
}

// An integer result may be left lying, moved or compared, but not taken for a float.
TEST(MakeOperator, LetsNobodyMisreadIntegers) {
  GraphBuilder builder;
  const ValueId x = builder.Input("x", {2, 3});
  const ValueId place = builder.Node("ArgMax", {x});
  Graph graph = builder.BuildWithoutLayers(builder.Node("Relu", {x}));
  EXPECT_TRUE(InferShapes(graph, 1).ok());
  graph.outputs.push_back(place);
  EXPECT_TRUE(InferShapes(graph, 1).ok());
  graph.nodes[1].inputs[0] = place;
  MarkIntegers(graph);
  const absl::Status status = InferShapes(graph, 1).status();
  EXPECT_EQ(status.code(), kUnsupported);
  EXPECT_THAT(MessageOf(status), HasSubstr("nodes[1] 'Relu_1' (Relu): reads integers that are computed at run time"));
  graph.nodes[1].op_type = "Squeeze";
  graph.outputs = {graph.nodes[1].outputs[0]};
  MarkIntegers(graph);
  EXPECT_THAT(MessageOf(InferShapes(graph, 1).status()), HasSubstr("the network's first output is an integer"));
  graph.nodes[1].op_type = "Cast";
  graph.nodes[1].attributes = {{"to", int64_t{1}}};
  MarkIntegers(graph);
  EXPECT_TRUE(InferShapes(graph, 1).ok());
}

// LayerNormalization's mean is not computed.
TEST(MakeOperator, RefusesStatisticsOfLayerNormalization) {
  GraphBuilder builder(17);
  const ValueId x = builder.Input("x", {2, 3});
  const auto outputs = builder.NodeWithOutputs("LayerNormalization", {x, builder.Input("scale", {3})}, {}, 3);
  const absl::Status status = InferShapes(builder.BuildWithoutLayers(outputs[0]), 1).status();
  EXPECT_EQ(status.code(), kUnsupported);
  EXPECT_THAT(MessageOf(status), HasSubstr("outputs[1]: statistics are not computed"));
}

TEST(Split, WantsEqualPartsThatFit) {
  for (const auto& [opset, message] :
       std::vector<std::pair<int64_t, std::string>>{{13, "split: a size of 5 cannot be cut into 3 parts"}, {18, ""}}) {
    GraphBuilder builder(opset);
    const auto outputs = builder.NodeWithOutputs("Split", {builder.Input("x", {5})}, {}, 3);
    EXPECT_THAT(MessageOf(InferShapes(builder.BuildWithoutLayers(outputs[0]), 1).status()), HasSubstr(message));
  }
}

// Outputs that nobody reads are not computed, and count as zero in the gradient.
TEST(Split, LeavesOutWhatNobodyReads) {
  GraphBuilder builder;
  const ValueId x = builder.Input("x", {2, 3});
  const auto outputs = builder.NodeWithOutputs("Split", {x}, {{"axis", int64_t{1}}}, 3);
  Graph graph = builder.BuildWithoutLayers(outputs[1]);
  graph.nodes[0].outputs[2] = kNoValue;
  const auto shapes = InferShapes(graph, 1);
  ASSERT_TRUE(shapes.ok()) << shapes.status();
  const auto made = MakeOperator(graph, 0, *shapes);
  ASSERT_TRUE(made.ok()) << made.status();
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  const std::vector<std::span<const float>> reads = {values};
  std::vector<float> middle(2);
  const std::vector<std::span<float>> writes = {{}, middle, {}};
  (*made)->Forward(reads, writes);
  EXPECT_THAT(middle, ::testing::ElementsAre(2, 5));
  std::vector<float> gradient(6, NAN);
  const std::vector<std::span<float>> x_bar = {gradient};
  const std::vector<std::span<const float>> y_bar = {{}, middle, {}};
  (*made)->Vjp({reads, y_bar}, y_bar, x_bar);
  EXPECT_THAT(gradient, ::testing::ElementsAre(0, 2, 0, 0, 5, 0));
}

TEST(FindOp, KnowsRowsOnly) {
  ASSERT_NE(FindOp("Conv"), nullptr);
  EXPECT_EQ(FindOp("Conv")->name, "Conv");
  EXPECT_EQ(FindOp("conv"), nullptr);
  EXPECT_EQ(FindOp(""), nullptr);
  EXPECT_EQ(FindOp("Zzz"), nullptr);
}

TEST(OpErrors, PadOfOneAxisTwice) {
  GraphBuilder builder(18);
  const std::vector<ValueId> inputs = {builder.Input("x", {2, 3}), builder.Ints("pads", {1, 2, 3, 4}),
                                       builder.Floats("value", {}, {0}), builder.Ints("axes", {1, -1})};
  const absl::Status status = InferShapes(builder.BuildWithoutLayers(builder.Node("Pad", inputs)), 1).status();
  EXPECT_EQ(status.code(), kInvalid);
  EXPECT_THAT(MessageOf(status), HasSubstr("axes: an axis is listed twice"));
}

TEST(InferShapes, RefusesEmptyAndHugeInputs) {
  for (const auto& [shape, code] : std::vector<std::pair<Shape, absl::StatusCode>>{
           {{2, 0}, kInvalid}, {{2, -3}, kInvalid}, {{int64_t{1} << 40, int64_t{1} << 40}, kTooLarge}}) {
    GraphBuilder builder;
    const Graph graph = builder.BuildWithoutLayers(builder.Node("Relu", {builder.Input("x", shape)}));
    EXPECT_EQ(InferShapes(graph, 1).status().code(), code);
  }
}

TEST(InferShapes, PutsBatchInPlaceOfDynamicSizeOnly) {
  GraphBuilder builder;
  const ValueId fixed = builder.Input("fixed", {3, 2});
  const ValueId dynamic = builder.Input("dynamic", {kDynamic, 2});
  const Graph graph = builder.BuildWithoutLayers(builder.Node("Concat", {fixed, dynamic}, {{"axis", int64_t{0}}}));
  const auto shapes = InferShapes(graph, 5);
  ASSERT_TRUE(shapes.ok());
  EXPECT_EQ((*shapes)[fixed], (Shape{3, 2}));
  EXPECT_EQ((*shapes)[graph.outputs[0]], (Shape{8, 2}));
}

TEST(FixedBatch, IsTheFixedFirstSize) {
  const auto batch_of = [](const std::vector<Shape>& inputs) {
    GraphBuilder builder;
    std::vector<ValueId> ids;
    for (const Shape& shape : inputs) ids.push_back(builder.Input("", shape));
    return FixedBatch(builder.BuildWithoutLayers(builder.Node("Concat", ids, {{"axis", int64_t{0}}})));
  };
  EXPECT_EQ(*batch_of({{kDynamic, 2}}), 0);
  EXPECT_EQ(*batch_of({{kDynamic, 2}, {4, 2}}), 4);
  EXPECT_EQ(batch_of({{3, 2}, {4, 2}}).status().code(), kInvalid);
  EXPECT_EQ(batch_of({{}}).status().code(), kInvalid);
}

}  // namespace
}  // namespace bitplan::ops
