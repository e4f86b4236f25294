#include "tests/testing/graph_fixtures.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <utility>

#include "search/base/check.h"
#include "search/ops/find_layers.h"
#include "search/ops/lowering.h"

namespace bitplan::testing {
namespace {

using List = std::vector<int64_t>;

Tensor RandomTensor(Shape shape, double deviation, Rng& rng) {
  Tensor tensor = Tensor::Zeros(std::move(shape));
  rng.FillGaussian(tensor.data);
  for (float& value : tensor.data) value *= static_cast<float>(deviation);
  return tensor;
}

Dataset WithInputs(int64_t num_samples, Shape sample_shape, Rng& rng) {
  sample_shape.insert(sample_shape.begin(), num_samples);
  Dataset data{.num_samples = num_samples};
  data.inputs.push_back({.name = "images", .values = RandomTensor(std::move(sample_shape), 1, rng)});
  return data;
}

}  // namespace

GraphBuilder::GraphBuilder(int64_t opset_version, uint64_t seed) : rng_(seed, 0) {
  graph_.name = "test";
  graph_.opset_version = opset_version;
}

ValueId GraphBuilder::AddValue(const std::string& name) {
  const ValueId id = static_cast<ValueId>(graph_.values.size());
  graph_.values.push_back({.name = name.empty() ? fmt::format("v{}", id) : name});
  return id;
}

ValueId GraphBuilder::Input(const std::string& name, Shape shape) {
  const ValueId id = AddValue(name);
  graph_.inputs.push_back({.value = id, .shape = std::move(shape)});
  return id;
}

ValueId GraphBuilder::IntegerInput(const std::string& name, Shape shape) {
  const ValueId id = Input(name, std::move(shape));
  graph_.values[id].integer = true;
  return id;
}

ValueId GraphBuilder::Floats(const std::string& name, Shape shape, std::vector<float> data) {
  const ValueId id = AddValue(name);
  graph_.values[id].constant = Tensor{.shape = std::move(shape), .data = FloatVector(data.begin(), data.end())};
  return id;
}

ValueId GraphBuilder::Ints(const std::string& name, std::vector<int64_t> data) {
  const Shape shape = {static_cast<int64_t>(data.size())};
  return Ints(name, shape, std::move(data));
}

ValueId GraphBuilder::Ints(const std::string& name, Shape shape, std::vector<int64_t> data) {
  const ValueId id = AddValue(name);
  graph_.values[id].constant = IntTensor{.shape = std::move(shape), .data = std::move(data)};
  return id;
}

ValueId GraphBuilder::RandomWeight(const std::string& name, Shape shape) {
  const double fan_in = static_cast<double>(NumElements(shape)) / static_cast<double>(shape[0]);
  return RandomFloats(name, std::move(shape), 1 / std::sqrt(fan_in));
}

ValueId GraphBuilder::RandomFloats(const std::string& name, Shape shape, double deviation) {
  const ValueId id = AddValue(name);
  graph_.values[id].constant = RandomTensor(std::move(shape), deviation, rng_);
  return id;
}

ValueId GraphBuilder::Node(const std::string& op_type, std::vector<ValueId> inputs, Attributes attributes) {
  return NodeWithOutputs(op_type, std::move(inputs), std::move(attributes), 1)[0];
}

std::vector<ValueId> GraphBuilder::NodeWithOutputs(const std::string& op_type, std::vector<ValueId> inputs,
                                                   Attributes attributes, int num_outputs) {
  std::vector<ValueId> outputs;
  for (int i = 0; i < num_outputs; ++i) outputs.push_back(AddValue(""));
  graph_.nodes.push_back({.name = fmt::format("{}_{}", op_type, graph_.nodes.size()),
                          .op_type = op_type,
                          .inputs = std::move(inputs),
                          .outputs = outputs,
                          .attributes = std::move(attributes)});
  return outputs;
}

Graph GraphBuilder::BuildWithoutLayers(ValueId output) {
  graph_.outputs = {output};
  return graph_;
}

Graph GraphBuilder::Build(ValueId output) {
  Graph graph = BuildWithoutLayers(output);
  BITPLAN_CHECK(ops::FindLayers(graph).ok());
  BITPLAN_CHECK(CheckInvariants(graph).ok());
  return graph;
}

Dataset RandomClassification(int64_t num_samples, Shape sample_shape, int64_t num_classes, uint64_t seed) {
  Rng rng(seed, 0);
  Dataset data = WithInputs(num_samples, std::move(sample_shape), rng);
  ClassLabels labels;
  for (int64_t n = 0; n < num_samples; ++n) labels.push_back(static_cast<int64_t>(rng.NextBelow(num_classes)));
  data.targets = std::move(labels);
  return data;
}

Dataset RandomRegression(int64_t num_samples, Shape sample_shape, Shape target_shape, uint64_t seed) {
  Rng rng(seed, 0);
  Dataset data = WithInputs(num_samples, std::move(sample_shape), rng);
  target_shape.insert(target_shape.begin(), num_samples);
  data.targets = RandomTensor(std::move(target_shape), 1, rng);
  return data;
}

NetworkFixture TanhMlp() {
  GraphBuilder b;
  const ValueId x = b.Input("x", {kDynamic, 5});
  const Attributes transposed = {{"transB", int64_t{1}}};
  ValueId y =
      b.Node("Gemm", {x, b.RandomWeight("fc1.weight", {6, 5}), b.RandomFloats("fc1.bias", {6}, 0.3)}, transposed);
  y = b.Node("Tanh", {y});
  y = b.Node("Gemm", {y, b.RandomWeight("fc2.weight", {3, 6}), b.RandomFloats("fc2.bias", {3}, 0.3)}, transposed);
  return {.name = "TanhMlp", .graph = b.Build(y), .data = RandomClassification(8, {5}, 3, 11)};
}

NetworkFixture SmoothConvNet() {
  GraphBuilder b;
  const ValueId x = b.Input("x", {kDynamic, 2, 7, 6});
  ValueId y = b.Node("Conv", {x, b.RandomWeight("stem.weight", {4, 2, 3, 3}), b.RandomFloats("stem.bias", {4}, 0.3)},
                     {{"strides", List{2, 1}}, {"pads", List{1, 0, 0, 2}}});
  y = b.Node("Sigmoid", {y});
  const ValueId skip = y;
  y = b.Node("Conv", {y, b.RandomWeight("grouped.weight", {4, 2, 3, 1})},
             {{"group", int64_t{2}}, {"pads", List{1, 0, 1, 0}}});
  y = b.Node("BatchNormalization",
             {y, b.Floats("scale", {4}, {1.5, -0.7, 0.9, 2}), b.Floats("shift", {4}, {0.1, 0, -0.2, 0.3}),
              b.Floats("mean", {4}, {0, 0.2, -0.1, 0.1}), b.Floats("var", {4}, {0.5, 1, 2, 0.8})});
  y = b.Node("Tanh", {y});
  y = b.Node("Conv", {y, b.RandomWeight("depthwise.weight", {4, 1, 3, 3})},
             {{"group", int64_t{4}}, {"pads", List{1, 1, 1, 1}}});
  y = b.Node("Add", {y, skip});
  y = b.Node("Conv", {b.Node("Tanh", {y}), b.RandomWeight("point.weight", {5, 4, 1, 1})});
  y = b.Node("Flatten", {b.Node("GlobalAveragePool", {b.Node("Sigmoid", {y})})});
  y = b.Node("Gemm", {y, b.RandomWeight("fc.weight", {5, 3})});
  return {.name = "SmoothConvNet", .graph = b.Build(y), .data = RandomClassification(6, {2, 7, 6}, 3, 12)};
}

NetworkFixture KinkedConvNet() {
  GraphBuilder b;
  const ValueId x = b.Input("x", {kDynamic, 1, 8, 8});
  ValueId y = b.Node("Conv", {x, b.RandomWeight("conv1.weight", {4, 1, 3, 3}), b.RandomFloats("conv1.bias", {4}, 0.3)},
                     {{"auto_pad", std::string("SAME_UPPER")}});
  y = b.Node("MaxPool", {b.Node("Relu", {y})}, {{"kernel_shape", List{2, 2}}, {"strides", List{2, 2}}});
  y = b.Node("Conv", {y, b.RandomWeight("conv2.weight", {6, 4, 3, 3})},
             {{"dilations", List{1, 1}}, {"pads", List{1, 1, 1, 1}}});
  y = b.Node("Mul", {y, b.Node("HardSigmoid", {y}, {{"alpha", 1.0F / 6}})});
  y = b.Node("AveragePool", {y}, {{"kernel_shape", List{3, 3}}, {"strides", List{2, 2}}, {"ceil_mode", int64_t{1}}});
  y = b.Node("MatMul", {b.Node("Flatten", {y}), b.RandomFloats("onnx::MatMul_17", {24, 3}, 0.3)});
  y = b.Node("Add", {b.RandomFloats("fc.bias", {3}, 0.3), y});
  return {.name = "KinkedConvNet", .graph = b.Build(y), .data = RandomClassification(5, {1, 8, 8}, 3, 13)};
}

NetworkFixture SharedWeightNet() {
  GraphBuilder b(11);
  const ValueId x = b.Input("x", {kDynamic, 4});
  const ValueId weight = b.RandomWeight("shared.weight", {4, 4});
  ValueId y = b.Node("Softplus", {b.Node("MatMul", {x, weight})});
  y = b.Node("Div", {y, b.Node("Add", {b.Node("Mul", {x, x}), b.Floats("one", {}, {1})})});
  y = b.Node("Gemm", {y, weight}, {{"transB", int64_t{1}}, {"alpha", 0.7F}});
  y = b.Node("Sub", {y, b.Node("Pow", {x, b.Floats("three", {}, {3})})});
  return {.name = "SharedWeightNet", .graph = b.Build(y), .data = RandomRegression(7, {4}, {4}, 14)};
}

NetworkFixture AttentionNet() {
  GraphBuilder b;
  const ValueId x = b.Input("x", {kDynamic, 4, 6});
  const ValueId q = b.Node("MatMul", {x, b.RandomWeight("q.weight", {6, 5})});
  const ValueId k = b.Node("MatMul", {x, b.RandomWeight("k.weight", {6, 5})});
  const ValueId v = b.Node("MatMul", {x, b.RandomWeight("v.weight", {6, 5})});
  ValueId y = b.Node("MatMul", {q, b.Node("Transpose", {k}, {{"perm", List{0, 2, 1}}})});
  y = b.Node("Softmax", {b.Node("Div", {y, b.Floats("scale", {}, {2.2F})})}, {{"axis", int64_t{-1}}});
  y = b.Node("ReduceMean", {b.Node("MatMul", {y, v})}, {{"axes", List{1}}, {"keepdims", int64_t{0}}});
  y = b.Node("Gemm", {b.Node("Erf", {y}), b.RandomWeight("fc.weight", {3, 5})}, {{"transB", int64_t{1}}});
  return {.name = "AttentionNet", .graph = b.Build(y), .data = RandomClassification(5, {4, 6}, 3, 15)};
}

NetworkFixture SequenceNet() {
  GraphBuilder b;
  const ValueId x = b.Input("x", {kDynamic, 3, 12});
  ValueId y =
      b.Node("Conv", {x, b.RandomWeight("conv1.weight", {4, 3, 3})}, {{"dilations", List{2}}, {"pads", List{2, 2}}});
  y = b.Node("Tanh", {y});
  y = b.Node("Concat", {y, x}, {{"axis", int64_t{1}}});
  y = b.Node("Conv", {y, b.RandomWeight("conv2.weight", {3, 7, 2}), b.RandomFloats("conv2.bias", {3}, 0.3)},
             {{"strides", List{3}}});
  y = b.Node("LogSoftmax", {y}, {{"axis", int64_t{1}}});
  return {.name = "SequenceNet", .graph = b.Build(y), .data = RandomRegression(4, {3, 12}, {3, 4}, 16)};
}

NetworkFixture TransformerNet() {
  GraphBuilder b(20);
  const ValueId x = b.Input("x", {kDynamic, 4, 6});
  const auto product = [&](ValueId in, const std::string& name, Shape shape) {
    return b.Node("MatMul", {in, b.RandomWeight(name, std::move(shape))});
  };
  // Pre-norm attention: queries, keys and values from one product, cut apart; a position sees those before it.
  ValueId y =
      b.Node("LayerNormalization", {x, b.RandomFloats("norm1.scale", {6}, 1), b.RandomFloats("norm1.bias", {6}, 0.3)});
  const auto qkv = b.NodeWithOutputs("Split", {product(y, "qkv.weight", {6, 18})}, {{"axis", int64_t{2}}}, 3);
  y = b.Node("MatMul", {qkv[0], b.Node("Transpose", {qkv[1]}, {{"perm", List{0, 2, 1}}})});
  const ValueId mask = b.Ints("mask", {1, 4, 4}, {1, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 1});
  y = b.Node("Where", {mask, b.Node("Div", {y, b.Floats("scale", {}, {2.4F})}), b.Floats("closed", {}, {-1e4F})});
  y = b.Node("MatMul", {b.Node("Softmax", {y}), qkv[2]});
  const ValueId attended = b.Node("Add", {x, product(y, "out.weight", {6, 6})});
  // Root mean square normalisation by its parts, a gated feed-forward step.
  y = b.Node("ReduceMean", {b.Node("Pow", {attended, b.Floats("two", {}, {2})}), b.Ints("axes", {-1})});
  y = b.Node("Sqrt", {b.Node("Add", {y, b.Floats("epsilon", {}, {1e-5F})})});
  y = b.Node("Mul", {b.Node("Div", {attended, y}), b.RandomFloats("norm2.scale", {6}, 1)});
  const auto gated = b.NodeWithOutputs("Split", {product(y, "up.weight", {6, 10})},
                                       {{"axis", int64_t{-1}}, {"num_outputs", int64_t{2}}}, 2);
  y = b.Node("Mul", {b.Node("Gelu", {gated[0]}, {{"approximate", std::string("tanh")}}), gated[1]});
  y = b.Node("Add", {attended, product(y, "down.weight", {5, 6})});
  y = b.Node("Gather", {y, b.Ints("last", Shape{}, List{-1})}, {{"axis", int64_t{1}}});
  y = b.Node("Gemm", {y, b.RandomWeight("fc.weight", {3, 6})}, {{"transB", int64_t{1}}});
  return {.name = "TransformerNet", .graph = b.Build(y), .data = RandomClassification(4, {4, 6}, 3, 17)};
}

NetworkFixture UpscalingNet() {
  GraphBuilder b(21);
  const ValueId x = b.Input("x", {kDynamic, 2, 5, 4});
  ValueId y = b.Node("Pad", {x, b.Ints("pads", {0, 0, 1, 1, 0, 0, 1, 1})}, {{"mode", std::string("reflect")}});
  y = b.Node("Conv", {y, b.RandomWeight("conv1.weight", {4, 2, 3, 3})});
  y = b.Node("GroupNormalization", {y, b.RandomFloats("norm1.scale", {4}, 1), b.RandomFloats("norm1.bias", {4}, 0.3)},
             {{"num_groups", int64_t{2}}});
  y = b.Node("Celu", {y}, {{"alpha", 0.5F}});
  y = b.Node("Conv", {y, b.RandomWeight("conv2.weight", {4, 4, 1, 1})});
  y = b.Node("InstanceNormalization",
             {y, b.RandomFloats("norm2.scale", {4}, 1), b.RandomFloats("norm2.bias", {4}, 0.3)});
  y = b.Node("LRN", {b.Node("Mish", {y})}, {{"size", int64_t{3}}, {"alpha", 0.5F}});
  y = b.Node("DepthToSpace", {y}, {{"blocksize", int64_t{2}}});
  y = b.Node("Mean", {y, b.Node("Tile", {b.Node("ReduceMean", {y, b.Ints("mean axes", {1, 2, 3})}),
                                         b.Ints("repeats", {1, 1, 10, 8})})});
  y = b.Node("Slice",
             {y, b.Ints("starts", {-1, 0}), b.Ints("ends", {-9, 8}), b.Ints("axes", {2, 3}), b.Ints("steps", {-2, 3})});
  return {.name = "UpscalingNet", .graph = b.Build(y), .data = RandomRegression(3, {2, 5, 4}, {1, 4, 3}, 18)};
}

// Operators that other nodes stand for, replaced; with layers.
Graph Lowered(const Graph& graph) {
  Graph lowered = ops::LowerAll(graph).value();
  BITPLAN_CHECK(ops::FindLayers(lowered).ok());
  BITPLAN_CHECK(CheckInvariants(lowered).ok());
  return lowered;
}

NetworkFixture RecurrentNet() {
  GraphBuilder b(14);
  const ValueId x = b.Input("x", {kDynamic, 4, 3});
  const ValueId by_time = b.Node("Transpose", {x}, {{"perm", List{1, 0, 2}}});
  ValueId y = b.Node("LSTM",
                     {by_time, b.RandomFloats("lstm.w", {2, 8, 3}, 0.5), b.RandomFloats("lstm.r", {2, 8, 2}, 0.5),
                      b.RandomFloats("lstm.b", {2, 16}, 0.3)},
                     {{"hidden_size", int64_t{2}}, {"direction", std::string("bidirectional")}});
  y = b.Node("Reshape", {b.Node("Transpose", {y}, {{"perm", List{0, 2, 1, 3}}}), b.Ints("joined", {4, -1, 4})});
  y = b.Node("GRU",
             {y, b.RandomFloats("gru.w", {1, 6, 4}, 0.5), b.RandomFloats("gru.r", {1, 6, 2}, 0.5),
              b.RandomFloats("gru.b", {1, 12}, 0.3)},
             {{"hidden_size", int64_t{2}}, {"direction", std::string("reverse")}});
  y = b.Node("Squeeze", {y, b.Ints("direction", {1})});
  const auto last =
      b.NodeWithOutputs("RNN", {y, b.RandomFloats("rnn.w", {1, 3, 2}, 0.5), b.RandomFloats("rnn.r", {1, 3, 3}, 0.5)},
                        {{"hidden_size", int64_t{3}}}, 2);
  y = b.Node("Squeeze", {last[1], b.Ints("direction", {0})});
  return {.name = "RecurrentNet",
          .graph = Lowered(b.BuildWithoutLayers(y)),
          .data = RandomClassification(4, {4, 3}, 3, 19)};
}

NetworkFixture TokenNet() {
  GraphBuilder b;
  const ValueId ids = b.IntegerInput("ids", {kDynamic, 4});
  ValueId y = b.Node("Gather", {b.RandomFloats("tokens.weight", {7, 5}, 1), ids});
  y = b.Node("Add", {y, b.RandomFloats("positions", {4, 5}, 0.5)});
  y = b.Node("Einsum", {y, b.RandomFloats("heads.weight", {5, 2, 3}, 0.5)},
             {{"equation", std::string("btd,dhk->bhtk")}});
  const ValueId scores = b.Node("Einsum", {y, y}, {{"equation", std::string("bhik,bhjk->bhij")}});
  y = b.Node("Einsum", {b.Node("Softmax", {scores}), y}, {{"equation", std::string("bhij,bhjk->bihk")}});
  y = b.Node("Tanh", {b.Node("ReduceMean", {y}, {{"axes", List{1}}, {"keepdims", int64_t{0}}})});
  y = b.Node("ConvTranspose", {y, b.RandomWeight("up.weight", {2, 2, 2})}, {{"strides", List{2}}});
  y = b.Node("Resize", {y, kNoValue, b.Floats("scales", {3}, {1, 1, 0.5F})}, {{"mode", std::string("linear")}});
  y = b.Node("Gemm", {b.Node("Flatten", {y}), b.RandomWeight("fc.weight", {6, 3})});
  NetworkFixture net{
      .name = "TokenNet", .graph = Lowered(b.BuildWithoutLayers(y)), .data = RandomClassification(5, {4}, 3, 20)};
  Rng rng(21, 0);
  for (float& id : net.data.inputs[0].values.data) id = static_cast<float>(rng.NextBelow(7));
  return net;
}

NetworkFixture MaskedAttentionNet() {
  GraphBuilder b(17);
  const auto heads = [&](ValueId x, const std::string& name, List order) {
    const ValueId y = b.Node("MatMul", {x, b.RandomWeight(name, {6, 6})});
    return b.Node("Transpose", {b.Node("Reshape", {y, b.Ints(name + ".split", {0, 4, 2, 3})})}, {{"perm", order}});
  };
  const auto block = [&](ValueId x, const std::string& name, const auto& mask) {
    const ValueId q = heads(x, name + ".q", {0, 2, 1, 3});
    const ValueId k = heads(x, name + ".k", {0, 2, 3, 1});
    ValueId y = b.Node("Softmax", {mask(b.Node("MatMul", {q, k}))}, {{"axis", int64_t{-1}}});
    y = b.Node("MatMul", {y, heads(x, name + ".v", {0, 2, 1, 3})});
    y = b.Node("Transpose", {y}, {{"perm", List{0, 2, 1, 3}}});
    return b.Node("Add", {x, b.Node("Reshape", {y, b.Ints(name + ".join", {0, 4, 6})})});
  };
  constexpr float h = -std::numeric_limits<float>::infinity();  // hidden
  ValueId y = block(b.Input("x", {kDynamic, 4, 6}), "causal", [&](ValueId scores) {
    const ValueId mask = b.Floats("causal.mask", {4, 4}, {0, h, h, h, 0, 0, h, h, 0, 0, 0, h, 0, 0, 0, 0});
    return b.Node("Mul", {b.Node("Add", {scores, mask}), b.Floats("causal.scale", {}, {0.6F})});
  });
  y = block(y, "band", [&](ValueId scores) {
    const ValueId mask = b.Ints("band.mask", {1, 1, 4, 4}, {0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0});
    return b.Node("Where", {mask, b.Floats("band.hidden", {}, {h}), b.Node("Div", {scores, b.Floats("two", {}, {2})})});
  });
  y = b.Node("ReduceMean", {y}, {{"axes", List{1}}, {"keepdims", int64_t{0}}});
  y = b.Node("Gemm", {y, b.RandomWeight("fc.weight", {3, 6})}, {{"transB", int64_t{1}}});
  return {.name = "MaskedAttentionNet", .graph = b.Build(y), .data = RandomClassification(4, {4, 6}, 3, 20)};
}

std::vector<NetworkFixture> AllNetworks() {
  return {TanhMlp(),        SmoothConvNet(), KinkedConvNet(), SharedWeightNet(), AttentionNet(),      SequenceNet(),
          TransformerNet(), UpscalingNet(),  RecurrentNet(),  TokenNet(),        MaskedAttentionNet()};
}

}  // namespace bitplan::testing
