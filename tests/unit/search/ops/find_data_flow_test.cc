#include "search/ops/find_data_flow.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/testing/graph_fixtures.h"

namespace bitplan::ops {
namespace {

using ::bitplan::testing::AllNetworks;
using ::bitplan::testing::GraphBuilder;
using ::testing::ElementsAre;

// "elements at first..last for layer layer", one a buffer.
std::vector<std::string> Described(const Graph& graph, const DataFlow& flow) {
  std::vector<std::string> lines;
  for (const ActivationBuffer& buffer : flow.buffers) {
    std::string line = std::to_string(buffer.elements) + " at " + std::to_string(buffer.first_step) + ".." +
                       std::to_string(buffer.last_step) + " for";
    for (const int layer : buffer.layers) line += " " + graph.layers.layers[layer].name;
    lines.push_back(line);
  }
  return lines;
}

std::vector<std::string> Boundaries(const Graph& graph, const DataFlow& flow) {
  std::vector<std::string> lines;
  for (const PrecisionBoundary& boundary : flow.boundaries) {
    lines.push_back(graph.layers.layers[boundary.from].name + "-" + graph.layers.layers[boundary.to].name + " " +
                    std::to_string(boundary.elements));
  }
  return lines;
}

ValueId Conv(GraphBuilder& b, ValueId x, const std::string& name, int64_t in, int64_t out) {
  return b.Node("Conv", {x, b.RandomWeight(name, {out, in, 1, 1})});
}

// The ReLU writes where the convolution wrote; the input stays as long as it is read, the output to the end.
TEST(FindDataFlow, ElementwiseWritesInPlace) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {kDynamic, 2, 4, 4});
  ValueId y = Conv(b, x, "a", 2, 3);
  y = b.Node("Relu", {y});
  y = Conv(b, y, "b", 3, 5);
  const Graph graph = b.Build(y);
  const DataFlow flow = *FindDataFlow(graph);
  EXPECT_EQ(flow.steps.size(), 3);
  EXPECT_THAT(Described(graph, flow), ElementsAre("32 at 0..0 for a", "48 at 0..2 for b", "80 at 2..2 for"));
  EXPECT_THAT(Boundaries(graph, flow), ElementsAre("a-b 48"));
}

// The tensor that the residual reads cannot be overwritten before the Add, which writes over the branch's.
TEST(FindDataFlow, ResidualStaysUntilItIsAdded) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {kDynamic, 2, 4, 4});
  const ValueId y = Conv(b, x, "a", 2, 2);
  const ValueId branch = Conv(b, b.Node("Relu", {y}), "b", 2, 2);
  const ValueId sum = b.Node("Add", {branch, y});
  const Graph graph = b.Build(Conv(b, sum, "c", 2, 1));
  const DataFlow flow = *FindDataFlow(graph);
  // x; what a writes, read by the ReLU and the Add; the ReLU's; b's and the sum; c's
  EXPECT_THAT(Described(graph, flow), ElementsAre("32 at 0..0 for a", "32 at 0..3 for b c", "32 at 1..2 for b",
                                                  "32 at 2..4 for c", "16 at 4..4 for"));
  EXPECT_THAT(Boundaries(graph, flow), ElementsAre("a-b 32", "a-c 32", "b-c 32"));
}

TEST(FindDataFlow, ViewsTakeNoPlace) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {kDynamic, 2, 4, 4});
  ValueId y = Conv(b, x, "a", 2, 3);
  y = b.Node("Identity", {b.Node("Flatten", {y})});
  y = b.Node("Gemm", {y, b.RandomWeight("fc", {7, 48})}, {{"transB", int64_t{1}}});
  const Graph graph = b.Build(y);
  EXPECT_THAT(Described(graph, *FindDataFlow(graph)),
              ElementsAre("32 at 0..0 for a", "48 at 0..3 for fc", "7 at 3..3 for"));
}

TEST(FindDataFlow, InputsAndOutputsAreNotOverwritten) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {kDynamic, 2, 4, 4});
  const ValueId y = Conv(b, b.Node("Relu", {x}), "a", 2, 2);
  const Graph graph = b.Build(b.Node("Relu", {y}));
  EXPECT_THAT(Described(graph, *FindDataFlow(graph)),
              ElementsAre("32 at 0..0 for a", "32 at 0..1 for a", "32 at 1..2 for"));
}

TEST(FindDataFlow, OfOneSampleOfAFixedBatch) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {8, 2, 4, 4});
  const Graph graph = b.Build(Conv(b, x, "a", 2, 3));
  EXPECT_THAT(Described(graph, *FindDataFlow(graph)), ElementsAre("32 at 0..0 for a", "48 at 0..0 for"));
}

TEST(FindDataFlow, OfNothing) { EXPECT_TRUE(FindDataFlow(Graph())->buffers.empty()); }

// Every kind of node has a shape: nothing of a network is left out.
TEST(FindDataFlow, TakesEveryNetwork) {
  for (const auto& network : AllNetworks()) {
    const absl::StatusOr<DataFlow> flow = FindDataFlow(network.graph);
    ASSERT_TRUE(flow.ok()) << network.name << ": " << flow.status();
    EXPECT_EQ(flow->steps.size(), network.graph.nodes.size()) << network.name;
    for (const ActivationBuffer& buffer : flow->buffers) {
      EXPECT_GT(buffer.elements, 0) << network.name << " " << buffer.name;
      EXPECT_LE(buffer.first_step, buffer.last_step) << network.name << " " << buffer.name;
      EXPECT_LT(buffer.last_step, std::ssize(flow->steps)) << network.name << " " << buffer.name;
    }
  }
}

}  // namespace
}  // namespace bitplan::ops
