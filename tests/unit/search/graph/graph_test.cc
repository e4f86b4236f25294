#include "search/graph/graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "search/base/status.h"

namespace bitplan {
namespace {

using ::testing::HasSubstr;

// y = MatMul(x, w), one layer.
Graph OneNode() {
  Graph graph;
  graph.values.resize(3);
  graph.values[0].name = "x";
  graph.values[1] = {.name = "w", .constant = Tensor{.shape = {2, 3}, .data = FloatVector(6, 1.0F)}};
  graph.values[2].name = "y";
  graph.nodes.push_back({.name = "node", .op_type = "MatMul", .inputs = {0, 1}, .outputs = {2}});
  graph.inputs = {{.value = 0, .shape = {kDynamic, 2}}};
  graph.outputs = {2};
  graph.layers.layers.push_back({.name = "w", .weight_shape = {2, 3}, .num_weights = 6});
  graph.layer_weights = {{.weight = 1, .node = 0}};
  return graph;
}

void ExpectBroken(const Graph& graph, const std::string& message) {
  const absl::Status status = CheckInvariants(graph);
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(MessageOf(status), HasSubstr(message));
}

TEST(CheckInvariants, AcceptsSoundGraph) { EXPECT_TRUE(CheckInvariants(OneNode()).ok()); }

TEST(CheckInvariants, RefusesIdsOutOfRange) {
  Graph graph = OneNode();
  graph.nodes[0].inputs[1] = 3;
  ExpectBroken(graph, "nodes[0] 'node': input id 3 is out of range");
  graph = OneNode();
  graph.nodes[0].outputs[0] = -2;
  ExpectBroken(graph, "output id -2 is out of range");
  graph = OneNode();
  graph.outputs[0] = 7;
  ExpectBroken(graph, "outputs[0]: id 7 is never computed");
}

TEST(CheckInvariants, RefusesReadBeforeWrite) {
  Graph graph = OneNode();
  graph.nodes[0].inputs[0] = 2;
  ExpectBroken(graph, "reads value 'y' before it is computed");
}

TEST(CheckInvariants, RefusesSecondSource) {
  Graph graph = OneNode();
  graph.nodes[0].outputs[0] = 1;
  ExpectBroken(graph, "value 'w' has a second source");
  graph = OneNode();
  graph.inputs.push_back({.value = 1, .shape = {1}});
  ExpectBroken(graph, "inputs[1]: id 1 is no free value");
}

TEST(CheckInvariants, RefusesNamesThatAreNotUnique) {
  Graph graph = OneNode();
  graph.values.push_back({.name = "z"});
  graph.nodes.push_back({.name = "node", .op_type = "Relu", .inputs = {2}, .outputs = {3}});
  ExpectBroken(graph, "nodes[1]: name 'node' is not unique");
  graph = OneNode();
  graph.layers.layers.push_back(graph.layers.layers[0]);
  graph.layer_weights.push_back(graph.layer_weights[0]);
  ExpectBroken(graph, "layers[1]: name 'w' is not unique");
}

TEST(CheckInvariants, RefusesLayersThatDoNotMatch) {
  Graph graph = OneNode();
  graph.layer_weights.clear();
  ExpectBroken(graph, "layer_weights: got 0 entries, want 1");
  graph = OneNode();
  graph.layers.layers[0].weight_shape = {3, 2};
  ExpectBroken(graph, "the weight is not a constant of shape [3, 2]");
  graph = OneNode();
  graph.layer_weights[0].node = 1;
  ExpectBroken(graph, "ids are out of range");
}

TEST(CheckInvariants, RefusesConstantWithWrongCount) {
  Graph graph = OneNode();
  std::get<Tensor>(graph.values[1].constant).data.pop_back();
  ExpectBroken(graph, "values[1] 'w': the number of elements does not match the shape");
}

TEST(Attributes, ReadsValuesAndFallbacks) {
  const Node node{
      .name = "n",
      .op_type = "Conv",
      .attributes = {
          {"group", int64_t{2}}, {"alpha", 0.5F}, {"mode", std::string("edge")}, {"pads", std::vector<int64_t>{1, 2}}}};
  EXPECT_EQ(*IntAttribute(node, "group", 1), 2);
  EXPECT_EQ(*IntAttribute(node, "axis", -1), -1);
  EXPECT_EQ(*FloatAttribute(node, "alpha", 1), 0.5F);
  EXPECT_EQ(*StringAttribute(node, "mode", "constant"), "edge");
  EXPECT_EQ(*IntsAttribute(node, "pads", {}), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(*IntsAttribute(node, "strides", {1, 1}), (std::vector<int64_t>{1, 1}));
}

TEST(Attributes, NamesNodeAndAttributeOfWrongType) {
  const Node node{.name = "n", .op_type = "Conv", .attributes = {{"group", 2.0F}}};
  const absl::Status status = IntAttribute(node, "group", 1).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(MessageOf(status), "node 'n' (Conv): attribute 'group' has the wrong type, want an integer");
}

}  // namespace
}  // namespace bitplan
