#include "search/graph/fold_batch_normalization.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "search/base/status.h"
#include "search/onnx/parse_model.h"
#include "tests/testing/onnx_writer.h"

namespace bitplan {
namespace {

using ::bitplan::testing::OnnxModel;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// x [N, 1, 1, 1] -> Conv 1x1 with weights 2, 3 and bias 1, 1 -> BatchNormalization with gamma 1, 2, beta 5, 6, mean 3,
// 4, variance 3, 8, epsilon 1 -> y. By hand: s = 1/2, 2/3; W' = 1, 2; b' = (1 - 3)/2 + 5 = 4, (1 - 4) 2/3 + 6 = 4.
OnnxModel ConvAndNorm(bool bias = true) {
  OnnxModel model;
  model.Input("x", {kDynamic, 1, 1, 1}).Output("y");
  model.Weight("w", Tensor{.shape = {2, 1, 1, 1}, .data = {2, 3}}).Weight("b", {2}, 1);
  model.Weight("gamma", Tensor{.shape = {2}, .data = {1, 2}}).Weight("beta", Tensor{.shape = {2}, .data = {5, 6}});
  model.Weight("mean", Tensor{.shape = {2}, .data = {3, 4}}).Weight("var", Tensor{.shape = {2}, .data = {3, 8}});
  model.Add("Conv", bias ? std::vector<std::string>{"x", "w", "b"} : std::vector<std::string>{"x", "w"}, {"c"});
  model.Add("BatchNormalization", {"c", "gamma", "beta", "mean", "var"}, {"y"}, {{"epsilon", 1.0F}});
  return model;
}

Graph Parsed(const OnnxModel& model) {
  absl::StatusOr<Graph> graph = onnx::ParseModel(model.Bytes());
  EXPECT_TRUE(graph.ok()) << graph.status();
  return graph.ok() ? *std::move(graph) : Graph();
}

Graph Folded(const OnnxModel& model) {
  absl::StatusOr<Graph> graph = FoldBatchNormalization(Parsed(model));
  EXPECT_TRUE(graph.ok()) << graph.status();
  EXPECT_TRUE(CheckInvariants(*graph).ok()) << CheckInvariants(*graph);
  return graph.ok() ? *std::move(graph) : Graph();
}

const FloatVector& DataOf(const Graph& graph, ValueId id) { return std::get<Tensor>(graph.values[id].constant).data; }

TEST(FoldBatchNormalization, MatchesTheHandComputedExample) {
  const Graph graph = Folded(ConvAndNorm());
  ASSERT_EQ(graph.nodes.size(), 1);
  EXPECT_THAT(DataOf(graph, graph.nodes[0].inputs[1]), ElementsAre(1, 2));
  EXPECT_THAT(DataOf(graph, graph.nodes[0].inputs[2]), ElementsAre(4, 4));
  EXPECT_EQ(graph.nodes[0].outputs, graph.outputs);
  EXPECT_EQ(graph.layers.layers.at(0).name, "w");
  EXPECT_EQ(graph.layer_weights.at(0).node, 0);
}

TEST(FoldBatchNormalization, AddsABiasWhereThereWasNone) {
  const Graph graph = Folded(ConvAndNorm(/*bias=*/false));
  ASSERT_EQ(graph.nodes.size(), 1);
  EXPECT_THAT(DataOf(graph, graph.nodes[0].inputs[2]), ElementsAre(3.5F, ::testing::FloatEq(10.0F / 3)));
}

TEST(FoldBatchNormalization, RenumbersTheNodesOfLaterLayers) {
  OnnxModel model = ConvAndNorm();
  model.graph().mutable_output(0)->set_name("z");
  model.Weight("w2", {3, 2, 1, 1}, 1);
  model.Add("Conv", {"y", "w2"}, {"z"});
  const Graph graph = Folded(model);
  ASSERT_EQ(graph.nodes.size(), 2);
  EXPECT_EQ(graph.layer_weights.at(1).node, 1);
}

TEST(FoldBatchNormalization, LeavesAloneWhatOthersRead) {
  OnnxModel output_read = ConvAndNorm();
  output_read.Output("c");
  EXPECT_EQ(Folded(output_read).nodes.size(), 2);
  OnnxModel read_twice = ConvAndNorm();
  read_twice.graph().mutable_output(0)->set_name("z");
  read_twice.Add("Add", {"y", "c"}, {"z"});
  EXPECT_EQ(Folded(read_twice).nodes.size(), 3);
  OnnxModel shared_weight = ConvAndNorm();
  shared_weight.graph().mutable_output(0)->set_name("z");
  shared_weight.Add("Conv", {"x", "w"}, {"d"});
  shared_weight.Add("Add", {"y", "d"}, {"z"});
  EXPECT_EQ(Folded(shared_weight).nodes.size(), 4);
}

TEST(FoldBatchNormalization, RefusesBadParameters) {
  Graph graph = Parsed(ConvAndNorm());
  for (Value& value : graph.values) {
    if (value.name == "var") std::get<Tensor>(value.constant).data = {3, -1};
  }
  const absl::StatusOr<Graph> folded = FoldBatchNormalization(graph);
  EXPECT_EQ(folded.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(MessageOf(folded.status()), HasSubstr("variance + epsilon of channel 1 is 0"));
}

TEST(FoldBatchNormalization, KeepsNetworksWithoutIt) { EXPECT_EQ(Folded(testing::TinyClassifier()).nodes.size(), 4); }

}  // namespace
}  // namespace bitplan
