#ifndef BITPLAN_TESTS_TESTING_GRAPH_FIXTURES_H_
#define BITPLAN_TESTS_TESTING_GRAPH_FIXTURES_H_

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "search/base/rng.h"
#include "search/data/dataset.h"
#include "search/graph/graph.h"

namespace bitplan::testing {

// Writes graphs node by node. Values are named by the caller or "v<id>", nodes "<op>_<index>"; random numbers come from
// the seed.
class GraphBuilder {
 public:
  explicit GraphBuilder(int64_t opset_version = 13, uint64_t seed = 1);

  ValueId Input(const std::string& name, Shape shape);
  // Integers carried as floats.
  ValueId IntegerInput(const std::string& name, Shape shape);
  ValueId Floats(const std::string& name, Shape shape, std::vector<float> data);
  ValueId Ints(const std::string& name, std::vector<int64_t> data);
  ValueId Ints(const std::string& name, Shape shape, std::vector<int64_t> data);
  // A constant of independent normal numbers with standard deviation 1/sqrt(fan-in) (all sizes but the first).
  ValueId RandomWeight(const std::string& name, Shape shape);
  // A constant of independent normal numbers with the given standard deviation.
  ValueId RandomFloats(const std::string& name, Shape shape, double deviation);
  // Adds a node with one output, which is returned.
  ValueId Node(const std::string& op_type, std::vector<ValueId> inputs, Attributes attributes = {});

  // Adds a node with several outputs.
  std::vector<ValueId> NodeWithOutputs(const std::string& op_type, std::vector<ValueId> inputs, Attributes attributes,
                                       int num_outputs);

  // The graph with this output and no layers.
  Graph BuildWithoutLayers(ValueId output);
  // The same after ops::FindLayers and CheckInvariants, which must succeed.
  Graph Build(ValueId output);

 private:
  ValueId AddValue(const std::string& name);

  Graph graph_;
  Rng rng_;
};

// Inputs [N, shape] of independent standard normal numbers under the name "images".
Dataset RandomClassification(int64_t num_samples, Shape sample_shape, int64_t num_classes, uint64_t seed);
Dataset RandomRegression(int64_t num_samples, Shape sample_shape, Shape target_shape, uint64_t seed);

// A network and data that fit together; fewer than 400 weights, dense Hessians take well under a second.
struct NetworkFixture {
  std::string name;
  Graph graph;
  Dataset data;
};

inline void PrintTo(const NetworkFixture& network, std::ostream* out) { *out << network.name; }  // for gtest

// 5 -> 6 -> 3, Gemm (transB=1) with biases, tanh between, cross-entropy, 8 samples. 48 weights in 2 layers.
NetworkFixture TanhMlp();
// Conv 3x3 (asymmetric padding, stride 2), sigmoid, grouped conv, BatchNormalization, tanh, depthwise conv, residual
// Add, global average pool, Gemm; cross-entropy, 6 samples of [2, 7, 6].
NetworkFixture SmoothConvNet();
// Conv, Relu, MaxPool, Conv, HardSwish, AveragePool, Flatten, MatMul, Add; cross-entropy: kinks and bends.
NetworkFixture KinkedConvNet();
// Two layers that share one weight around a softplus, mean squared error, opset 11.
NetworkFixture SharedWeightNet();
// Single-head attention over 4 tokens with softmax and computed MatMuls, mean over tokens, Gemm.
NetworkFixture AttentionNet();
// 1-D convolutions with dilation, LogSoftmax over channels, mean squared error.
NetworkFixture SequenceNet();

// A transformer block: LayerNormalization, causal attention, root mean square normalisation by its parts, gated Gelu;
// opset 20, the last token is classified.
NetworkFixture TransformerNet();
// Reflecting Pad, Conv, Group- and InstanceNormalization, Celu, Mish, LRN, DepthToSpace, Mean, Tile, Slice
// backwards; opset 21, mean squared error.
NetworkFixture UpscalingNet();

// Bidirectional LSTM, reverse GRU, RNN over 4 steps, as the simpler nodes that stand for them.
NetworkFixture RecurrentNet();
// Token ids into an embedding, attention of two heads by Einsum, a transposed convolution, Resize, Gemm.
NetworkFixture TokenNet();

// Two attention blocks of two heads whose masks hold -inf, as exporters write them: added to the scores (causal), and
// picked by Where (a band). Mean over tokens, Gemm.
NetworkFixture MaskedAttentionNet();

// All of the above.
std::vector<NetworkFixture> AllNetworks();

}  // namespace bitplan::testing

#endif  // BITPLAN_TESTS_TESTING_GRAPH_FIXTURES_H_
