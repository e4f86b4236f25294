#include "search/graph/layer_structure.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/testing/graph_fixtures.h"

namespace bitplan {
namespace {

using ::bitplan::testing::GraphBuilder;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

// "kind: layer layer", one a group.
std::vector<std::string> Described(const Graph& graph) {
  std::vector<std::string> lines;
  for (const StructureGroup& group : FindStructure(graph)) {
    lines.push_back(fmt::format("{}: {}", ToString(group.kind), fmt::join(group.layers, " ")));
  }
  return lines;
}

// relu(conv1) -> conv2, added to a shortcut convolution of the same tensor; the sum's relu is read by conv3, whose
// result is added to it. The first sum's operands are results of layers, the second's a result and a point.
TEST(FindStructure, ResidualBlocks) {
  GraphBuilder b;
  const Attributes pads = {{"pads", std::vector<int64_t>{1, 1, 1, 1}}};
  const ValueId x = b.Node("Relu", {b.Input("x", {kDynamic, 2, 4, 4})});
  const ValueId first = b.Node("Relu", {b.Node("Conv", {x, b.RandomWeight("conv1", {4, 2, 3, 3})}, pads)});
  const ValueId second = b.Node("Conv", {first, b.RandomWeight("conv2", {4, 4, 3, 3})}, pads);
  const ValueId shortcut = b.Node("Conv", {x, b.RandomWeight("shortcut", {4, 2, 1, 1})});
  const ValueId sum = b.Node("Relu", {b.Node("Add", {second, shortcut})});
  const ValueId third = b.Node("Conv", {sum, b.RandomWeight("conv3", {4, 4, 3, 3})}, pads);
  const ValueId next = b.Node("Add", {third, sum});
  const Graph graph = b.Build(b.Node("Conv", {next, b.RandomWeight("conv4", {1, 4, 1, 1})}));
  EXPECT_THAT(Described(graph), ElementsAre("shared_input: conv1 shortcut", "added_inputs: conv3 conv4",
                                            "added_outputs: conv2 shortcut"));
}

// Sums of sums are one chain: without a relu between, all results that enter the stream are one group.
TEST(FindStructure, ResidualStreamIsOneChain) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {kDynamic, 4, 6});
  ValueId stream = b.Node("MatMul", {x, b.RandomWeight("embed", {6, 6})});
  for (const std::string name : {"a", "b"}) {
    stream = b.Node("Add", {stream, b.Node("MatMul", {b.Node("Tanh", {stream}), b.RandomWeight(name, {6, 6})})});
  }
  EXPECT_THAT(Described(b.Build(b.Node("MatMul", {b.Node("Tanh", {stream}), b.RandomWeight("head", {6, 2})}))),
              ElementsAre("added_outputs: embed a b"));
}

TEST(FindStructure, InceptionConcat) {
  GraphBuilder b;
  const ValueId x = b.Node("Relu", {b.Input("x", {kDynamic, 2, 4, 4})});
  const ValueId one = b.Node("Relu", {b.Node("Conv", {x, b.RandomWeight("one", {3, 2, 1, 1})})});
  const ValueId reduce = b.Node("Relu", {b.Node("Conv", {x, b.RandomWeight("reduce", {2, 2, 1, 1})})});
  const ValueId three = b.Node("Relu", {b.Node("Conv", {reduce, b.RandomWeight("three", {3, 2, 3, 3})},
                                               {{"pads", std::vector<int64_t>{1, 1, 1, 1}}})});
  const ValueId joined = b.Node("Concat", {one, three}, {{"axis", int64_t{1}}});
  EXPECT_THAT(Described(b.Build(b.Node("Conv", {joined, b.RandomWeight("after", {1, 6, 1, 1})}))),
              ElementsAre("shared_input: one reduce", "parallel: one reduce", "concatenated_outputs: one three"));
}

// Dense blocks: the tensors that later layers read are concatenated.
TEST(FindStructure, DenseBlockConcatenatesInputs) {
  GraphBuilder b;
  const ValueId x = b.Node("Relu", {b.Input("x", {kDynamic, 2, 4, 4})});
  const ValueId one = b.Node("Conv", {x, b.RandomWeight("one", {3, 2, 1, 1})});
  const ValueId joined = b.Node("Concat", {x, one}, {{"axis", int64_t{1}}});
  EXPECT_THAT(Described(b.Build(b.Node("Conv", {joined, b.RandomWeight("two", {1, 5, 1, 1})}))),
              ElementsAre("concatenated_inputs: one two"));
}

// q, k, v and a fourth layer of the same shape read one tensor; only the three that meet as an attention are one.
TEST(FindStructure, AttentionOfThreeOfFour) {
  GraphBuilder b;
  const ValueId x = b.Node("Relu", {b.Input("x", {kDynamic, 4, 6})});
  const ValueId side = b.Node("MatMul", {x, b.RandomWeight("side", {6, 6})});
  const ValueId q =
      b.Node("Add", {b.Node("MatMul", {x, b.RandomWeight("q", {6, 6})}), b.Floats("bias", {6}, {1, 2, 3, 4, 5, 6})});
  const ValueId k = b.Node("MatMul", {x, b.RandomWeight("k", {6, 6})});
  const ValueId v = b.Node("MatMul", {x, b.RandomWeight("v", {6, 6})});
  const ValueId turned = b.Node("Transpose", {k}, {{"perm", std::vector<int64_t>{0, 2, 1}}});
  const ValueId scores = b.Node("Softmax", {b.Node("MatMul", {q, turned})}, {{"axis", int64_t{-1}}});
  const ValueId mixed = b.Node("MatMul", {scores, v});
  const ValueId out = b.Node("MatMul", {mixed, b.RandomWeight("out", {6, 6})});
  EXPECT_THAT(
      Described(b.Build(b.Node("Add", {out, side}))),
      ElementsAre("shared_input: side q k v", "parallel: side q k v", "attention: q k v", "added_outputs: side out"));
}

// silu(gate) * up; a layer of another input length that reads the same tensor is not parallel.
TEST(FindStructure, GatedMlp) {
  GraphBuilder b;
  const ValueId x = b.Node("Relu", {b.Input("x", {kDynamic, 4, 6})});
  const ValueId gate = b.Node("MatMul", {x, b.RandomWeight("gate", {6, 8})});
  const ValueId up = b.Node("MatMul", {x, b.RandomWeight("up", {6, 8})});
  const ValueId silu = b.Node("Mul", {gate, b.Node("Sigmoid", {gate})});
  const ValueId down = b.Node("MatMul", {b.Node("Mul", {silu, up}), b.RandomWeight("down", {8, 6})});
  EXPECT_THAT(Described(b.Build(down)), ElementsAre("shared_input: gate up", "parallel: gate up", "gated: gate up"));
}

TEST(FindStructure, OfTheFixtures) {
  EXPECT_THAT(Described(testing::AttentionNet().graph), Contains(StartsWith("attention: ")));
  // Its queries, keys and values are one layer, and so are gate and up.
  EXPECT_THAT(Described(testing::TransformerNet().graph), ElementsAre("added_outputs: out down"));
  EXPECT_THAT(Described(testing::TanhMlp().graph), IsEmpty());
  EXPECT_THAT(Described(testing::KinkedConvNet().graph), Not(Contains(StartsWith("added_inputs"))));
}

TEST(StructureKind, NamesReadBack) {
  for (const StructureKind kind : kStructureKinds) EXPECT_EQ(*ParseStructureKind(ToString(kind)), kind);
  EXPECT_EQ(ParseStructureKind("fused").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace bitplan
