// Peak memory from the graph to bytes, against a simulation of the schedule.

#include "search/layer/peak_memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "search/base/rng.h"
#include "search/graph/activation_points.h"
#include "search/hardware/price_memory.h"
#include "search/onnx/parse_model.h"
#include "search/ops/find_data_flow.h"
#include "search/ops/infer_shapes.h"
#include "tests/testing/graph_fixtures.h"

namespace bitplan {
namespace {

using ::bitplan::testing::GraphBuilder;

ValueId Conv(GraphBuilder& b, ValueId x, const std::string& name, int64_t in, int64_t out) {
  return b.Node("Conv", {x, b.RandomWeight(name, {out, in, 1, 1})});
}

// A machine that runs the nodes one by one: it allocates what a node writes and releases what nobody reads any more.
// Written from the documentation of ops::FindDataFlow alone.
class MemoryMachine {
 public:
  explicit MemoryMachine(const Graph& graph)
      : graph_(graph),
        samples_(std::max<int64_t>(*ops::FixedBatch(graph), 1)),
        shapes_(*ops::InferShapes(graph, samples_)) {
    for (const ActivationPoint& point : FindActivationPoints(graph)) owner_[point.value] = point.layers.front();
  }

  // Allocates everything, with nothing released: which tensors lie together, and when.
  void Run() {
    for (const Node& node : graph_.nodes) {
      for (const ValueId id : node.inputs) reads_left_[id] += 1;
    }
    for (const GraphInput& input : graph_.inputs) NewBlock(input.value, /*pinned=*/true);
    for (const Node& node : graph_.nodes) {
      for (size_t o = 0; o < node.outputs.size(); ++o) {
        if (node.outputs[o] != kNoValue) Write(node, node.outputs[o], o == 0);
      }
      std::set<int> live;
      for (size_t block = 0; block < blocks_.size(); ++block) {
        if (IsLive(block) || IsWrittenBy(node, block)) live.insert(static_cast<int>(block));
      }
      // Inputs that nobody reads are there at the first step.
      if (live_.empty()) {
        for (const GraphInput& input : graph_.inputs) live.insert(block_of_.at(input.value));
      }
      live_.push_back(live);
      for (const ValueId id : node.inputs) reads_left_[id] -= 1;
    }
  }

  // Bytes at the fullest step if layer l has activation_bits[l].
  int64_t Peak(const std::vector<int>& activation_bits, const MemoryModel& model) const {
    int64_t peak = 0;
    for (const std::set<int>& live : live_) {
      int64_t sum = 0;
      for (const int block : live) sum += Bytes(blocks_[block], activation_bits, model);
      peak = std::max(peak, sum);
    }
    return peak;
  }

  // Of each block the layers whose width it has.
  std::vector<std::set<int>> Widths() const {
    std::vector<std::set<int>> widths;
    for (const Block& block : blocks_) widths.push_back(block.layers);
    return widths;
  }

 private:
  struct Block {
    std::vector<ValueId> values;
    std::set<int> layers;
    bool pinned = false;  // an input
  };

  static int64_t Bytes(const Block& block, const std::vector<int>& activation_bits, const MemoryModel& model,
                       int64_t elements) {
    int bits = block.layers.empty() ? 32 : 1;
    for (const int layer : block.layers) bits = std::max(bits, activation_bits[layer]);
    int stored = 1;
    while (stored < bits || stored < model.min_activation_bits) stored *= 2;
    int64_t bytes = (elements * stored + 7) / 8;
    while (bytes % model.alignment_bytes != 0) ++bytes;
    return bytes;
  }
  int64_t Bytes(const Block& block, const std::vector<int>& activation_bits, const MemoryModel& model) const {
    return Bytes(block, activation_bits, model, Elements(block.values.front()));
  }

  int64_t Elements(ValueId id) const { return NumElements(shapes_[id]) / samples_; }
  bool IsOutput(ValueId id) const { return std::ranges::count(graph_.outputs, id) > 0; }

  // Follows what is computed of a tensor to the points that come first.
  std::set<int> LayersOf(ValueId id) const {
    if (owner_.contains(id)) return {owner_.at(id)};
    if (graph_.values[id].integer) return {};
    std::set<int> layers;
    for (const Node& node : graph_.nodes) {
      if (std::ranges::count(node.inputs, id) == 0) continue;
      for (const ValueId output : node.outputs) {
        if (output == kNoValue) continue;
        const std::set<int> behind = LayersBehind(output);
        layers.insert(behind.begin(), behind.end());
      }
    }
    return layers;
  }
  std::set<int> LayersBehind(ValueId id) const {
    const auto known = behind_.find(id);
    if (known == behind_.end()) return behind_[id] = LayersOf(id);
    return known->second;
  }

  void NewBlock(ValueId id, bool pinned) {
    block_of_[id] = static_cast<int>(blocks_.size());
    blocks_.push_back({.values = {id}, .layers = LayersOf(id), .pinned = pinned});
  }

  bool IsLive(size_t block) const {
    return std::ranges::any_of(blocks_[block].values, [&](ValueId id) {
      return IsOutput(id) || (reads_left_.contains(id) && reads_left_.at(id) > 0);
    });
  }
  bool IsWrittenBy(const Node& node, size_t block) const {
    return std::ranges::any_of(
        node.outputs, [&](ValueId id) { return id != kNoValue && block_of_.at(id) == static_cast<int>(block); });
  }

  void Write(const Node& node, ValueId output, bool is_first) {
    static const std::set<std::string> views = {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout"};
    static const std::set<std::string> in_place = {
        "Relu",     "Add",  "Sub", "Mul",  "Div", "Sum",  "BatchNormalization", "Sigmoid",    "Tanh", "HardSwish",
        "Softplus", "Clip", "Erf", "Sqrt", "Pow", "Gelu", "LeakyRelu",          "HardSigmoid"};
    if (is_first && views.contains(node.op_type) && block_of_.contains(node.inputs[0])) {
      Join(block_of_.at(node.inputs[0]), output);
      return;
    }
    if (is_first && in_place.contains(node.op_type)) {
      for (const ValueId id : node.inputs) {
        if (!block_of_.contains(id) || !MayOverwrite(node, id, output)) continue;
        Join(block_of_.at(id), output);
        return;
      }
    }
    NewBlock(output, /*pinned=*/false);
  }

  void Join(int block, ValueId output) {
    block_of_[output] = block;
    blocks_[block].values.push_back(output);
    const std::set<int> layers = LayersOf(output);
    blocks_[block].layers.insert(layers.begin(), layers.end());
  }

  bool MayOverwrite(const Node& node, ValueId id, ValueId output) const {
    const Block& block = blocks_[block_of_.at(id)];
    if (block.pinned || Elements(block.values.front()) != Elements(output) || block.layers != LayersOf(output)) {
      return false;
    }
    return std::ranges::all_of(block.values, [&](ValueId value) {
      const auto left = reads_left_.find(value);
      const int64_t here = std::ranges::count(node.inputs, value);
      return !IsOutput(value) && (left == reads_left_.end() || left->second == here);
    });
  }

  const Graph& graph_;
  int64_t samples_;
  std::vector<Shape> shapes_;
  std::map<ValueId, int> owner_;
  mutable std::map<ValueId, std::set<int>> behind_;
  std::map<ValueId, int64_t> reads_left_;
  std::map<ValueId, int> block_of_;
  std::vector<Block> blocks_;
  std::vector<std::set<int>> live_;
};

// Convolutions, ReLUs, additions, concatenations, views and poolings in a random order, on random earlier tensors.
Graph RandomGraph(uint64_t seed) {
  GraphBuilder b(13, seed);
  Rng rng(seed, 0);
  const auto below = [&](size_t n) { return static_cast<size_t>(rng.NextBelow(n)); };
  std::map<ValueId, int64_t> channels;
  std::vector<ValueId> values = {b.Input("x", {kDynamic, 2, 4, 4})};
  channels[values[0]] = 2;
  const auto add = [&](ValueId id, int64_t count) {
    values.push_back(id);
    channels[id] = count;
  };
  for (int n = 0; n < 12; ++n) {
    const ValueId x = values[values.size() - 1 - below(std::min<size_t>(values.size(), 3))];
    const ValueId y = values[below(values.size())];
    switch (below(6)) {
      case 0:
      case 1: {
        const int64_t out = 2 + 2 * static_cast<int64_t>(below(2));
        add(Conv(b, x, "w" + std::to_string(n), channels[x], out), out);
        break;
      }
      case 2:
        add(b.Node("Relu", {x}), channels[x]);
        break;
      case 3:
        if (channels[x] == channels[y]) add(b.Node("Add", {x, y}), channels[x]);
        break;
      case 4:
        if (channels[x] + channels[y] <= 8) {
          add(b.Node("Concat", {x, y}, {{"axis", int64_t{1}}}), channels[x] + channels[y]);
        }
        break;
      default:
        add(b.Node("Identity", {x}), channels[x]);
    }
  }
  return b.Build(Conv(b, values.back(), "last", channels[values.back()], 3));
}

Graph Bundled(const std::string& name) {
  std::ifstream file(BITPLAN_TEST_DATA_DIR "/models/" + name + ".onnx", std::ios::binary);
  absl::StatusOr<Graph> graph = onnx::ParseModel(std::string{std::istreambuf_iterator<char>(file), {}});
  EXPECT_TRUE(graph.ok()) << graph.status();
  return graph.ok() ? *std::move(graph) : Graph();
}

struct Compared {
  int equal = 0;
  int above = 0;
};

// Peaks by steps and by the machine, of random widths. What layers of different widths may read counts as the widest
// option, so that the price may be above the machine's; never below, and equal where no such tensor is.
void Compare(const Graph& graph, uint64_t seed, Compared& compared) {
  const size_t num_layers = graph.layers.layers.size();
  const MemoryModel model{.min_activation_bits = 4, .alignment_bytes = 1 + static_cast<int64_t>(seed % 3) * 7};
  OptionTable options;
  for (size_t l = 0; l < num_layers; ++l) {
    std::vector<Option>& of_layer = options.options.emplace_back();
    for (const int bits : {2, 4, 5, 8}) of_layer.push_back({.weight_bits = 8, .activation_bits = bits});
  }
  Ties names;
  const std::vector<std::vector<int>> ties = ActivationTies(graph, FindActivationPoints(graph));
  for (const std::vector<int>& tie : ties) {
    std::vector<std::string>& group = names.emplace_back();
    for (const int layer : tie) group.push_back(graph.layers.layers[layer].name);
  }
  const absl::StatusOr<DataFlow> flow = ops::FindDataFlow(graph);
  ASSERT_TRUE(flow.ok()) << flow.status();
  const absl::StatusOr<PeakMemory> peak = hardware::PricePeakMemory(*flow, graph.layers, options, names, model);
  ASSERT_TRUE(peak.ok()) << peak.status();
  MemoryMachine machine(graph);
  machine.Run();
  Rng rng(seed, 1);
  for (int repeat = 0; repeat < 8; ++repeat) {
    std::vector<int> chosen(num_layers);
    for (int& k : chosen) k = static_cast<int>(rng.NextBelow(4));
    for (const std::vector<int>& tie : ties) {
      for (const int layer : tie) chosen[layer] = chosen[tie.front()];
    }
    std::vector<MemoryCandidates> candidates;
    std::vector<int> bits;
    for (size_t l = 0; l < num_layers; ++l) {
      const Option& option = options.options[l][chosen[l]];
      bits.push_back(option.activation_bits);
      candidates.push_back({.layer = graph.layers.layers[l].name, .options = {option}, .size_bits = {std::nullopt}});
    }
    const int64_t priced = PeakBytes(*peak, candidates).value();
    const int64_t simulated = machine.Peak(bits, model);
    const bool is_exact = std::ranges::all_of(machine.Widths(), [&](const std::set<int>& layers) {
      return std::ranges::all_of(layers, [&](int layer) {
        return layer == *layers.begin() || std::ranges::any_of(ties, [&](const std::vector<int>& tie) {
                 return std::ranges::count(tie, layer) > 0 && std::ranges::count(tie, *layers.begin()) > 0;
               });
      });
    });
    if (is_exact) {
      ASSERT_EQ(priced, simulated) << "seed " << seed;
    } else {
      ASSERT_GE(priced, simulated) << "seed " << seed;
    }
    (priced == simulated ? compared.equal : compared.above) += 1;
  }
}

TEST(PeakMemory, IsThatOfASimulatedSchedule) {
  Compared compared;
  for (uint64_t seed = 1; seed <= 400; ++seed) ASSERT_NO_FATAL_FAILURE(Compare(RandomGraph(seed), seed, compared));
  EXPECT_GT(compared.equal, compared.above);  // the comparison has teeth
}

TEST(PeakMemory, OfWholeNetworksIsThatOfASimulatedSchedule) {
  Compared compared;
  uint64_t seed = 1;
  for (const std::string name : {"fmnist_resnet8", "fmnist_mobilenet", "fmnist_vit"}) {
    ASSERT_NO_FATAL_FAILURE(Compare(Bundled(name), ++seed, compared)) << name;
  }
}

}  // namespace
}  // namespace bitplan
