#include "search/onnx/qdq_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "search/base/status.h"
#include "search/onnx/onnx_wire.pb.h"
#include "search/onnx/parse_model.h"
#include "search/onnx/wire_scan.h"
#include "tests/testing/dequantized_model.h"
#include "tests/testing/onnx_writer.h"

namespace bitplan::onnx {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::OnnxModel;

// x [N, 2] -> MatMul 'w' [2, 2] -> y; w = [[1, 2], [3, -4]].
OnnxModel OneLayer(int64_t opset = 13) {
  OnnxModel model(opset);
  model.proto().set_ir_version(7);
  model.Input("x", {kDynamic, 2}).Output("y");
  model.Weight("w", Tensor{.shape = {2, 2}, .data = {1, 2, 3, -4}});
  model.Add("MatMul", {"x", "w"}, {"y"}, {}, "product");
  return model;
}

// Its weight with a scale a column: 0.5 * [2, ., 6, .], 1 * [., 2, ., -4].
QdqWeight ByColumn(const Graph& graph) {
  return {.weight = graph.layer_weights[0].weight,
          .values = {1, 2, 3, -4},
          .codes = {2, 2, 6, -4},
          .scales = {0.5F, 1},
          .zero_points = {0, 0},
          .channel_axis = 1};
}

struct Written {
  QdqModel result;
  onnx_wire::ModelProto model;
  std::map<std::string, onnx_wire::TensorProto> tensors;
};

Written Write(const OnnxModel& source, const std::vector<QdqWeight>& weights,
              const std::vector<QdqActivation>& activations = {}) {
  const std::string onnx = source.Bytes();
  const Graph graph = *ParseModel(onnx);
  absl::StatusOr<QdqModel> result =
      WriteQdq({.onnx = onnx, .graph = graph, .weights = weights, .activations = activations});
  EXPECT_TRUE(result.ok()) << result.status();
  Written written;
  if (!result.ok()) return written;
  written.result = *result;
  EXPECT_TRUE(written.model.ParseFromString(written.result.bytes));
  for (const auto& tensor : written.model.graph().initializer()) written.tensors[tensor.name()] = tensor;
  return written;
}

TEST(WriteQdq, PutsFourBitCodesInPlaceOfTheWeight) {
  const OnnxModel source = OneLayer();
  const Graph graph = *ParseModel(source.Bytes());
  Written written = Write(source, {ByColumn(graph)});
  EXPECT_EQ(written.result.opset_version, 21);
  EXPECT_EQ(written.model.ir_version(), 10);
  EXPECT_EQ(written.result.weights[0].type, "int4");
  EXPECT_EQ(written.result.weights[0].reason, "");
  EXPECT_EQ(written.tensors.size(), 3U);  // the float weight is gone
  EXPECT_EQ(written.tensors["w_quantized"].raw_data(), "\x22\xC6");
  EXPECT_THAT(testing::FloatsOf(written.tensors["w_scale"]), ElementsAre(0.5F, 1));
  const auto& node = written.model.graph().node(0);
  EXPECT_EQ(node.op_type(), "DequantizeLinear");
  EXPECT_EQ(node.attribute(0).name(), "axis");
  EXPECT_EQ(node.attribute(0).i(), 1);
  EXPECT_THAT(node.input(), ElementsAre("w_quantized", "w_scale", "w_zero_point"));
  EXPECT_THAT(written.model.graph().node(1).input(), ElementsAre("x", node.output(0)));
  EXPECT_EQ(written.model.graph().node(1).name(), "product");
}

TEST(WriteQdq, KeepsWhatItDoesNotKnow) {
  OnnxModel source = OneLayer();
  // doc_string (6) of the model and value_info (13) of the graph: fields that the schema does not have.
  const std::string known = source.Bytes();
  const std::string onnx = known + std::string("\x32\x05") + "hello";
  const Graph graph = *ParseModel(onnx);
  const QdqWeight weight = ByColumn(graph);
  const auto result = WriteQdq({.onnx = onnx, .graph = graph, .weights = {&weight, 1}, .activations = {}});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->bytes, HasSubstr(std::string("\x32\x05") + "hello"));
}

// The columns' blocks of one weight: scales [2 blocks, 2 columns], stored block by block.
TEST(WriteQdq, TurnsBlocksOfColumns) {
  const OnnxModel source = OneLayer();
  const Graph graph = *ParseModel(source.Bytes());
  QdqWeight weight = ByColumn(graph);
  weight.codes = {1, 1, 1, -1};
  weight.scales = {1, 3, 2, 4};  // column 0: rows 0 and 1; column 1: rows 0 and 1
  weight.zero_points = {0, 0, 0, 0};
  weight.block_size = 1;
  Written written = Write(source, {weight});
  EXPECT_THAT(testing::FloatsOf(written.tensors["w_scale"]), ElementsAre(1, 2, 3, 4));
  const Graph back = *ParseModel(testing::DequantizedWeights(written.result.bytes));
  EXPECT_THAT(std::get<Tensor>(back.values[back.layer_weights[0].weight].constant).data, ElementsAre(1, 2, 3, -4));
}

// 8-bit codes: a row [1] a block, in the order of the columns, turned back by Reshape and Transpose; no opset 21.
TEST(WriteQdq, WritesBlocksOfBytesAsRows) {
  const OnnxModel source = OneLayer();
  const Graph graph = *ParseModel(source.Bytes());
  QdqWeight weight = ByColumn(graph);
  weight.codes = {100, 10, 1, -1};
  weight.scales = {0.01F, 3, 0.2F, 4};
  weight.zero_points = {0, 0, 0, 0};
  weight.block_size = 1;
  Written written = Write(source, {weight});
  EXPECT_EQ(written.result.opset_version, 13);
  EXPECT_EQ(written.result.weights[0].type, "int8");
  EXPECT_EQ(written.tensors["w_quantized"].raw_data(), "\x64\x01\x0A\xFF");
  EXPECT_EQ(written.tensors["w_quantized"].dims(0), 4);
  const Graph back = *ParseModel(testing::DequantizedWeights(written.result.bytes));
  EXPECT_THAT(std::get<Tensor>(back.values[back.layer_weights[0].weight].constant).data, ElementsAre(1, 2, 3, -4));
}

TEST(WriteQdq, WritesFloatsWhereTheLastBlockOfBytesIsShorter) {
  const OnnxModel source = OneLayer();
  const Graph graph = *ParseModel(source.Bytes());
  QdqWeight weight = ByColumn(graph);
  weight.codes[0] = 100;
  weight.block_size = 3;
  EXPECT_EQ(Write(source, {weight}).result.weights[0].type, "float");
}

// x [N, 2, 3] -> MatMul 'w' [3, 2] -> GroupNormalization, which opset 21 defines otherwise: 8 bits.
TEST(WriteQdq, TakesMoreBitsWhereTheOpsetCannotBeRaised) {
  OnnxModel source(18);
  source.Input("x", {kDynamic, 2, 3}).Output("y");
  source.Weight("w", Tensor{.shape = {3, 2}, .data = {1, 2, 3, -4, 0, 0}});
  source.Weight("scale", Tensor{.shape = {2}, .data = {1, 1}});
  source.Weight("bias", Tensor{.shape = {2}, .data = {0, 0}});
  source.Add("MatMul", {"x", "w"}, {"h"});
  source.Add("GroupNormalization", {"h", "scale", "bias"}, {"y"}, {{"num_groups", int64_t{2}}}, "norm");
  const absl::StatusOr<Graph> graph = ParseModel(source.Bytes());
  ASSERT_TRUE(graph.ok()) << graph.status();
  QdqWeight weight = ByColumn(*graph);
  weight.values = {1, 2, 3, -4, 0, 0};
  weight.codes = {2, 2, 6, -4, 0, 0};
  const Written written = Write(source, {weight});
  EXPECT_EQ(written.result.opset_version, 18);
  EXPECT_EQ(written.result.weights[0].type, "int8");
  EXPECT_EQ(written.result.weights[0].reason,
            "it takes opset 21, the model has 18 (opset 18 to 21: node 'norm' (GroupNormalization): its definition "
            "changed)");
}

TEST(WriteQdq, WritesFloatsWithoutCodes) {
  const OnnxModel source = OneLayer();
  const Graph graph = *ParseModel(source.Bytes());
  Written written = Write(source, {{.weight = graph.layer_weights[0].weight, .values = {1, 2, 3, 5}}});
  EXPECT_EQ(written.result.weights[0].type, "float");
  EXPECT_EQ(written.result.opset_version, 13);
  EXPECT_THAT(testing::FloatsOf(written.tensors["w_dequantized"]), ElementsAre(1, 2, 3, 5));
}

// A float initializer of IR version 3 is an input as well: it must not become one that callers have to feed.
TEST(WriteQdq, DropsTheInputOfADroppedInitializer) {
  OnnxModel source = OneLayer();
  source.Input("w", {2, 2});
  const Graph graph = *ParseModel(source.Bytes());
  const Written written = Write(source, {ByColumn(graph)});
  ASSERT_EQ(written.model.graph().input_size(), 1);
  EXPECT_EQ(written.model.graph().input(0).name(), "x");
}

// The output of the network is rounded too: DequantizeLinear gives it, under its name.
TEST(WriteQdq, KeepsTheNamesOfComputedTensors) {
  const OnnxModel source = OneLayer();
  const Graph graph = *ParseModel(source.Bytes());
  const Written written =
      Write(source, {}, {{.value = graph.outputs[0], .scale = 0.5F, .zero_point = 3, .max_code = 255}});
  EXPECT_EQ(written.result.opset_version, 13);
  EXPECT_EQ(written.result.activations[0].type, "uint8");
  const auto& nodes = written.model.graph().node();
  ASSERT_EQ(nodes.size(), 3);
  EXPECT_THAT(nodes[0].output(), ElementsAre("y_float"));
  EXPECT_THAT(nodes[1].input(), ElementsAre("y_float", "y_scale", "y_zero_point"));
  EXPECT_THAT(nodes[2].output(), ElementsAre("y"));
}

TEST(WriteQdq, RefusesOtherFloats) {
  OnnxModel source = OneLayer();
  const Graph graph = *ParseModel(source.Bytes());
  source.graph().mutable_initializer(0)->set_data_type(10);
  const QdqWeight weight = ByColumn(graph);
  const std::string onnx = source.Bytes();
  const auto result = WriteQdq({.onnx = onnx, .graph = graph, .weights = {&weight, 1}, .activations = {}});
  EXPECT_EQ(MessageOf(result.status()),
            "onnx: 'w' is float16: want a model of float32 to write quantized tensors into");
}

TEST(WriteQdq, RefusesTensorsThatDoNotFit) {
  const std::string onnx = OneLayer().Bytes();
  const Graph graph = *ParseModel(onnx);
  const auto refused = [&](const QdqWeight& weight) {
    const auto result = WriteQdq({.onnx = onnx, .graph = graph, .weights = {&weight, 1}, .activations = {}});
    EXPECT_TRUE(absl::IsInvalidArgument(result.status())) << result.status();
    return MessageOf(result.status());
  };
  QdqWeight weight = ByColumn(graph);
  weight.codes[0] = 300;
  EXPECT_THAT(refused(weight), HasSubstr("want 8 bits"));
  weight = ByColumn(graph);
  weight.scales.push_back(1);
  EXPECT_THAT(refused(weight), HasSubstr("3 scales and 2 zero points for 2 groups"));
  weight = ByColumn(graph);
  weight.channel_axis = 2;
  EXPECT_THAT(refused(weight), HasSubstr("channel_axis 2"));
  weight = ByColumn(graph);
  weight.weight = 99;
  EXPECT_THAT(refused(weight), HasSubstr("no constant"));
  const QdqActivation activation{.value = 0, .zero_point = 300};
  EXPECT_THAT(
      MessageOf(WriteQdq({.onnx = onnx, .graph = graph, .weights = {}, .activations = {&activation, 1}}).status()),
      HasSubstr("zero point 300"));
}

// Whatever a stranger's bytes hold, there is an answer; the graph is that of the whole file.
TEST(WriteQdq, CutBytesAreErrorsAsWhenParsed) {
  const std::string onnx = OneLayer().Bytes();
  const Graph graph = *ParseModel(onnx);
  const QdqWeight weight = ByColumn(graph);
  for (size_t length = 0; length < onnx.size(); ++length) {
    const std::string cut = onnx.substr(0, length);
    const auto result = WriteQdq({.onnx = cut, .graph = graph, .weights = {&weight, 1}, .activations = {}});
    if (ScanWire(cut, {}).ok()) continue;
    EXPECT_TRUE(absl::IsInvalidArgument(result.status())) << length;
  }
  std::string flipped = onnx;
  for (size_t i = 0; i < onnx.size(); ++i) {
    flipped[i] = static_cast<char>(flipped[i] ^ 0x41);
    (void)WriteQdq({.onnx = flipped, .graph = graph, .weights = {&weight, 1}, .activations = {}});
    flipped[i] = onnx[i];
  }
}

}  // namespace
}  // namespace bitplan::onnx
