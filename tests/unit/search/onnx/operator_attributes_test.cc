// Every supported operator, written with its attributes and read back: the importer must pass them on unchanged and
// infer the shapes that the specification gives.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <concepts>
#include <set>
#include <string>

#include "search/onnx/parse_model.h"
#include "search/ops/infer_shapes.h"
#include "search/ops/op_table.h"
#include "tests/testing/onnx_writer.h"

namespace bitplan::onnx {
namespace {

using ::bitplan::testing::OnnxModel;
using Ints = std::vector<int64_t>;

// One node behind a 1x1 Conv: x [2, 4, 8, 8] -> Conv -> h -> op -> y.
struct OpCase {
  std::string op_type;
  std::vector<std::string> more_inputs;  // constants of Weights()
  Attributes attributes;
  Shape shape;         // of y, by hand from the specification
  int64_t opset = 13;  // version whose form of the operator is meant
  std::string first_input = "h";
};

OnnxModel ModelOf(const OpCase& op) {
  OnnxModel model(op.opset);
  model.Input("x", {2, 4, 8, 8}).Output("y");
  model.Weight("w", {4, 4, 1, 1}, 0.25F);
  model.Weight("k3", {6, 2, 3, 3}, 0.5F).Weight("k_bias", {6}, 1);
  model.Weight("channel", {4, 1, 1}, 2).Weight("four", {4}, 1).Weight("low", {}, -1).Weight("high", {}, 1);
  model.Weight("square", {8, 5}, 0.5F).Weight("fc", {10, 256}, 0.5F).Weight("ten", {10}, 1);
  model.Weight("same", {2, 4, 8, 8}, 1).Weight("slope", {4, 1, 1}, 0.1F);
  model.Weight("pads", IntTensor{.shape = {8}, .data = {0, 0, 1, 2, 0, 0, 3, 4}});
  model.Weight("target", IntTensor{.shape = {3}, .data = {0, -1, 16}});
  model.Weight("axes01", IntTensor{.shape = {2}, .data = {2, 3}}).Weight("axis1", IntTensor{.shape = {1}, .data = {1}});
  model.Weight("two", {2}, 1).Weight("eight", {8}, 1);
  model.Weight("scalar1", IntTensor{.shape = {}, .data = {1}}).Weight("axis2", IntTensor{.shape = {1}, .data = {2}});
  model.Weight("axis3", IntTensor{.shape = {1}, .data = {3}}).Weight("axis7", IntTensor{.shape = {1}, .data = {7}});
  model.Weight("wide", IntTensor{.shape = {5}, .data = {3, 1, 4, 1, 8}});
  model.Weight("axes1213", IntTensor{.shape = {4}, .data = {1, 2, 1, 3}});
  model.Add("Conv", {"x", "w"}, {"h"});
  model.Add("Greater", {"h", "low"}, {"positive"});
  model.Add("Flatten", {"h"}, {"flat"});
  model.Add("GlobalAveragePool", {"h"}, {"pooled"});
  std::vector<std::string> inputs = {op.first_input};
  inputs.insert(inputs.end(), op.more_inputs.begin(), op.more_inputs.end());
  model.Add(op.op_type, inputs, {"y"}, op.attributes, "the node");
  return model;
}

const Shape kSame = {2, 4, 8, 8};

std::vector<OpCase> OpCases() {
  return {
      {"Add", {"channel"}, {}, kSame},
      {"AveragePool",
       {},
       {{"kernel_shape", Ints{3, 2}},
        {"strides", Ints{2, 2}},
        {"pads", Ints{1, 0, 1, 0}},
        {"count_include_pad", int64_t{1}}},
       {2, 4, 4, 4}},
      {"AveragePool",
       {},
       {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"ceil_mode", int64_t{1}}},
       {2, 4, 4, 4}},
      {"BatchNormalization", {"four", "four", "four", "four"}, {{"epsilon", 1e-3F}, {"momentum", 0.9F}}, kSame},
      {"Clip", {"low", "high"}, {}, kSame},
      {"Clip", {"", "high"}, {}, kSame},
      {"Clip", {}, {{"min", -1.0F}, {"max", 1.0F}}, kSame, 9},
      {"Concat", {"same"}, {{"axis", int64_t{1}}}, {2, 8, 8, 8}},
      {"Conv",
       {"k3", "k_bias"},
       {{"kernel_shape", Ints{3, 3}},
        {"group", int64_t{2}},
        {"dilations", Ints{2, 1}},
        {"strides", Ints{1, 2}},
        {"pads", Ints{2, 0, 1, 1}}},
       {2, 6, 7, 4}},
      {"Conv",
       {"k3"},
       {{"group", int64_t{2}}, {"auto_pad", std::string("SAME_UPPER")}, {"strides", Ints{2, 2}}},
       {2, 6, 4, 4}},
      {"Div", {"channel"}, {}, kSame},
      {"Dropout", {}, {}, kSame},
      {"Dropout", {}, {{"ratio", 0.5F}}, kSame, 9},
      {"Flatten", {}, {{"axis", int64_t{2}}}, {8, 64}},
      {"Gemm", {"fc", "ten"}, {{"transB", int64_t{1}}, {"alpha", 0.5F}, {"beta", 2.0F}}, {2, 10}, 13, "flat"},
      {"GlobalAveragePool", {}, {}, {2, 4, 1, 1}},
      {"GlobalMaxPool", {}, {}, {2, 4, 1, 1}},
      {"HardSigmoid", {}, {{"alpha", 0.1666F}, {"beta", 0.5F}}, kSame},
      {"HardSwish", {}, {}, kSame, 14},
      {"Identity", {}, {}, kSame},
      {"LeakyRelu", {}, {{"alpha", 0.2F}}, kSame},
      {"LogSoftmax", {}, {{"axis", int64_t{1}}}, kSame},
      {"MatMul", {"square"}, {}, {2, 4, 8, 5}},
      {"MaxPool", {}, {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}}, {2, 4, 4, 4}},
      {"MaxPool",
       {},
       {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 0, 0}}, {"dilations", Ints{1, 1}}},
       {2, 4, 4, 4}},
      {"Mul", {"channel"}, {}, kSame},
      {"Pad", {"pads"}, {{"mode", std::string("constant")}}, {2, 4, 12, 14}},
      {"Pad",
       {},
       {{"mode", std::string("constant")}, {"pads", Ints{0, 0, 1, 2, 0, 0, 3, 4}}, {"value", 0.0F}},
       {2, 4, 12, 14},
       9},
      {"ReduceMean", {}, {{"axes", Ints{2, 3}}, {"keepdims", int64_t{0}}}, {2, 4}},
      {"ReduceMean", {"axes01"}, {{"keepdims", int64_t{1}}}, {2, 4, 1, 1}, 18},
      {"Relu", {}, {}, kSame},
      {"Reshape", {"target"}, {}, {2, 16, 16}},
      {"Sigmoid", {}, {}, kSame},
      {"Softmax", {}, {{"axis", int64_t{-1}}}, kSame},
      {"Softmax", {}, {{"axis", int64_t{1}}}, {2, 256}, 11, "flat"},
      {"Squeeze", {"axes01"}, {}, {2, 4}, 13, "pooled"},
      {"Squeeze", {}, {{"axes", Ints{3}}}, {2, 4, 1}, 11, "pooled"},
      {"Sub", {"channel"}, {}, kSame},
      {"Tanh", {}, {}, kSame},
      {"Transpose", {}, {{"perm", Ints{0, 2, 3, 1}}}, {2, 8, 8, 4}},
      {"Unsqueeze", {"axis1"}, {}, {2, 1, 4, 8, 8}},
      {"Unsqueeze", {}, {{"axes", Ints{4}}}, {2, 4, 8, 8, 1}, 11},
      {"Abs", {}, {}, kSame},
      {"And", {"low"}, {}, kSame, 13, "positive"},
      {"Cast", {}, {{"to", int64_t{1}}}, kSame},
      {"Ceil", {}, {}, kSame},
      {"Celu", {}, {{"alpha", 0.5F}}, kSame},
      {"Cos", {}, {}, kSame},
      {"CumSum", {"scalar1"}, {{"exclusive", int64_t{1}}, {"reverse", int64_t{1}}}, kSame},
      {"DepthToSpace", {}, {{"blocksize", int64_t{2}}, {"mode", std::string("CRD")}}, {2, 1, 16, 16}},
      {"Elu", {}, {{"alpha", 0.5F}}, kSame},
      {"Equal", {"channel"}, {}, kSame},
      {"Erf", {}, {}, kSame},
      {"Exp", {}, {}, kSame},
      {"Expand", {"wide"}, {}, {3, 2, 4, 8, 8}},
      {"Floor", {}, {}, kSame},
      {"Gather", {"axes01"}, {{"axis", int64_t{-1}}}, {2, 4, 8, 2}},
      {"Gelu", {}, {{"approximate", std::string("tanh")}}, kSame, 20},
      {"Greater", {"channel"}, {}, kSame},
      {"GreaterOrEqual", {"channel"}, {}, kSame},
      {"GroupNormalization", {"two", "two"}, {{"num_groups", int64_t{2}}, {"epsilon", 1e-3F}}, kSame, 18},
      {"GroupNormalization", {"four", "four"}, {{"num_groups", int64_t{2}}}, kSame, 21},
      {"InstanceNormalization", {"four", "four"}, {{"epsilon", 1e-3F}}, kSame},
      {"LRN", {}, {{"size", int64_t{3}}, {"alpha", 0.1F}, {"beta", 0.5F}, {"bias", 2.0F}}, kSame},
      {"LayerNormalization", {"eight", "eight"}, {{"axis", int64_t{-1}}, {"epsilon", 1e-3F}}, kSame, 17},
      {"Less", {"channel"}, {}, kSame},
      {"LessOrEqual", {"channel"}, {}, kSame},
      {"Log", {}, {}, kSame},
      {"LpNormalization", {}, {{"axis", int64_t{1}}, {"p", int64_t{1}}}, kSame},
      {"Max", {"channel", "low"}, {}, kSame},
      {"Mean", {"channel", "low"}, {}, kSame},
      {"Min", {"channel", "low"}, {}, kSame},
      {"Mish", {}, {}, kSame, 18},
      {"Neg", {}, {}, kSame},
      {"Not", {}, {}, kSame, 13, "positive"},
      {"Or", {"low"}, {}, kSame, 13, "positive"},
      {"PRelu", {"slope"}, {}, kSame},
      {"Pad", {"pads"}, {{"mode", std::string("reflect")}}, {2, 4, 12, 14}},
      {"Pow", {"channel"}, {}, kSame},
      {"RMSNormalization", {"eight"}, {{"axis", int64_t{-1}}, {"epsilon", 1e-3F}}, kSame, 23},
      {"Reciprocal", {}, {}, kSame},
      {"ReduceL1", {"axes01"}, {}, {2, 4, 1, 1}, 18},
      {"ReduceL2", {}, {{"axes", Ints{-1}}}, {2, 4, 8, 1}},
      {"ReduceLogSum", {}, {{"keepdims", int64_t{0}}, {"axes", Ints{0}}}, {4, 8, 8}},
      {"ReduceLogSumExp", {"axes01"}, {{"keepdims", int64_t{0}}}, {2, 4}, 18},
      {"ReduceMax", {"axes01"}, {{"keepdims", int64_t{0}}}, {2, 4}, 18},
      {"ReduceMin", {}, {{"axes", Ints{2, 3}}, {"keepdims", int64_t{0}}}, {2, 4}},
      {"ReduceSum", {"axes01"}, {{"keepdims", int64_t{0}}}, {2, 4}},
      {"ReduceSum", {}, {{"axes", Ints{1}}}, {2, 1, 8, 8}, 11},
      {"ReduceSumSquare", {}, {{"axes", Ints{2, 3}}, {"keepdims", int64_t{0}}}, {2, 4}},
      {"Round", {}, {}, kSame},
      {"Selu", {}, {{"alpha", 1.5F}, {"gamma", 1.1F}}, kSame},
      {"Sign", {}, {}, kSame},
      {"Sin", {}, {}, kSame},
      {"Slice", {"axis1", "axis7", "axis3", "axis2"}, {}, {2, 4, 8, 3}},
      {"Slice", {}, {{"starts", Ints{1, 2}}, {"ends", Ints{3, -1}}, {"axes", Ints{1, 2}}}, {2, 2, 5, 8}, 9},
      {"Softplus", {}, {}, kSame},
      {"Softsign", {}, {}, kSame},
      {"SpaceToDepth", {}, {{"blocksize", int64_t{4}}}, {2, 64, 2, 2}},
      {"Split", {}, {{"axis", int64_t{2}}, {"split", Ints{8}}}, kSame, 11},
      {"Split", {}, {{"axis", int64_t{3}}, {"num_outputs", int64_t{1}}}, kSame, 18},
      {"Sqrt", {}, {}, kSame},
      {"Sum", {"channel", "low"}, {}, kSame},
      {"ThresholdedRelu", {}, {{"alpha", 0.5F}}, kSame},
      {"Tile", {"axes1213"}, {}, {2, 8, 8, 24}},
      {"Trilu", {"scalar1"}, {{"upper", int64_t{0}}}, kSame, 14},
      {"Where", {"channel", "h"}, {}, kSame, 16, "positive"},
      {"Xor", {"low"}, {}, kSame, 13, "positive"},
  };
}

// Equal in type and value; tensors do not occur here.
bool Same(const Attribute& a, const Attribute& b) {
  const auto equal = [&a](const auto& value) {
    using T = std::decay_t<decltype(value)>;
    if constexpr (std::equality_comparable<T>) return std::holds_alternative<T>(a) && std::get<T>(a) == value;
    return false;
  };
  return std::visit(equal, b);
}

class OperatorAttributes : public ::testing::TestWithParam<OpCase> {};

TEST_P(OperatorAttributes, ArriveUnchangedAndGiveTheShape) {
  const OpCase& op = GetParam();
  const absl::StatusOr<Graph> graph = ParseModel(ModelOf(op).Bytes());
  ASSERT_TRUE(graph.ok()) << graph.status();
  const Node& node = graph->nodes.back();
  EXPECT_EQ(node.name, "the node");
  EXPECT_EQ(node.op_type, op.op_type);
  ASSERT_EQ(node.attributes.size(), op.attributes.size());
  for (const auto& [name, value] : op.attributes) {
    ASSERT_TRUE(node.attributes.contains(name)) << name;
    EXPECT_TRUE(Same(node.attributes.at(name), value)) << name;
  }
  const absl::StatusOr<std::vector<Shape>> shapes = ops::InferShapes(*graph, 2);
  ASSERT_TRUE(shapes.ok()) << shapes.status();
  EXPECT_EQ((*shapes)[graph->outputs[0]], op.shape);
  // The writer's file of the graph reads the same again.
  const absl::StatusOr<Graph> again = ParseModel(bitplan::testing::WriteOnnx(*graph));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->nodes.size(), graph->nodes.size());
  EXPECT_EQ(again->layers.layers.size(), graph->layers.layers.size());
}

INSTANTIATE_TEST_SUITE_P(All, OperatorAttributes, ::testing::ValuesIn(OpCases()),
                         [](const auto& info) { return info.param.op_type + "_" + std::to_string(info.index); });

// Equal parts are counted by the outputs, so those that nobody reads must stay.
TEST(OperatorAttributes, SplitKeepsItsOutputs) {
  OnnxModel model(13);
  model.Input("x", {2, 4, 8, 8}).Output("y").Weight("w", {4, 4, 1, 1}, 0.25F);
  model.Add("Conv", {"x", "w"}, {"h"});
  model.Add("Split", {"h"}, {"y", "unread", "unread too", "and this"}, {{"axis", int64_t{1}}});
  const absl::StatusOr<Graph> graph = ParseModel(model.Bytes());
  ASSERT_TRUE(graph.ok()) << graph.status();
  const absl::StatusOr<std::vector<Shape>> shapes = ops::InferShapes(*graph, 2);
  ASSERT_TRUE(shapes.ok()) << shapes.status();
  EXPECT_EQ((*shapes)[graph->outputs[0]], (Shape{2, 1, 8, 8}));
}

// The operators that the issue names; others of the table are a gift.
TEST(OperatorAttributes, CoverWhatIsPromised) {
  std::set<std::string> covered = {"Constant"};
  for (const OpCase& op : OpCases()) covered.insert(op.op_type);
  for (const char* name : {"Conv",          "Gemm",
                           "MatMul",        "BatchNormalization",
                           "Relu",          "Clip",
                           "LeakyRelu",     "Sigmoid",
                           "Tanh",          "HardSigmoid",
                           "HardSwish",     "Add",
                           "Sub",           "Mul",
                           "Div",           "MaxPool",
                           "AveragePool",   "GlobalAveragePool",
                           "GlobalMaxPool", "Flatten",
                           "Reshape",       "Transpose",
                           "Concat",        "Pad",
                           "Softmax",       "LogSoftmax",
                           "Identity",      "Dropout",
                           "Constant",      "ReduceMean",
                           "Squeeze",       "Unsqueeze"}) {
    EXPECT_TRUE(covered.contains(name)) << name;
    EXPECT_NE(ops::FindOp(name), nullptr) << name;
  }
}

}  // namespace
}  // namespace bitplan::onnx
