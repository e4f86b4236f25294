// Every cost of three small networks, counted by hand.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "search/hardware/price.h"
#include "search/hardware/price_memory.h"
#include "search/ops/find_data_flow.h"
#include "tests/testing/graph_fixtures.h"

namespace bitplan {
namespace {

using ::bitplan::testing::GraphBuilder;
using ::testing::ElementsAre;
using ::testing::Pair;

const Option k4 = {4, 4, "symmetric", Granularity::kPerTensor};
const Option k8 = {8, 8, "symmetric", Granularity::kPerTensor};

// One scale of 32 bits a tensor; 2 MACs a ns at 4 bits, 1 at 8; 1 byte a ns; 100 and 300 fJ a MAC, 50 fJ a byte.
HardwareProfile Device() {
  return {
      .name = "device",
      .size = SizeModel{},
      .bops = BopsModel{},
      .traffic = TrafficModel{},
      .roofline = RooflineModel{.bytes_per_second = 1'000'000'000,
                                .rates = {{.widths = {4, 4}, .macs_per_second = 2'000'000'000},
                                          {.widths = {8, 8}, .macs_per_second = 1'000'000'000}}},
      .energy = EnergyModel{.femtojoules_per_byte = 50,
                            .macs = {{.widths = {4, 4}, .femtojoules = 100}, {.widths = {8, 8}, .femtojoules = 300}}},
      .memory = MemoryModel{.min_activation_bits = 4}};
}

// By layer: size in bits, bops, latency in ns, energy in pJ, traffic in bytes.
std::map<std::string, std::vector<int64_t>> Counted(const Graph& graph, const Option& option) {
  const OptionTable options{std::vector<std::vector<Option>>(graph.layers.layers.size(), {option})};
  const absl::StatusOr<CostTable> table = hardware::Price(graph.layers, options, Device());
  EXPECT_TRUE(table.ok()) << table.status();
  std::map<std::string, std::vector<int64_t>> counted;
  for (size_t i = 0; i < graph.layers.layers.size(); ++i) {
    const Costs& costs = table->costs[i][0];
    counted[graph.layers.layers[i].name] = {costs.at(Resource::kSize), costs.at(Resource::kBops),
                                            costs.at(Resource::kLatency), costs.at(Resource::kEnergy),
                                            costs.at(Resource::kTraffic)};
  }
  return counted;
}

// Bytes at the fullest moment with this option everywhere, both on offer.
int64_t Peak(const Graph& graph, const Option& option) {
  const OptionTable options{std::vector<std::vector<Option>>(graph.layers.layers.size(), {k4, k8})};
  const absl::StatusOr<PeakMemory> peak =
      hardware::PricePeakMemory(ops::FindDataFlow(graph).value(), graph.layers, options, {}, *Device().memory);
  EXPECT_TRUE(peak.ok()) << peak.status();
  std::vector<MemoryCandidates> chosen;
  for (const Layer& layer : graph.layers.layers) {
    chosen.push_back({.layer = layer.name, .options = {option}, .size_bits = {std::nullopt}});
  }
  return PeakBytes(*peak, chosen).value_or(-1);
}

//       weights  MACs  in  out   bytes moved at 4 bits         at 8 bits
//   a        30    30   5    6   152/8 + 11*4/8 = 19 + 6       34 + 11
//   b        18    18   6    3   104/8 +  9*4/8 = 13 + 5       22 +  9
// Memory: x and h, then h and the float output: 3 + 3, 3 + 12 bytes; 5 + 6, 6 + 12.
TEST(HandCounts, Perceptron) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {kDynamic, 5});
  ValueId y = b.Node("Gemm", {x, b.RandomWeight("a", {6, 5})}, {{"transB", int64_t{1}}});
  y = b.Node("Gemm", {b.Node("Tanh", {y}), b.RandomWeight("b", {3, 6})}, {{"transB", int64_t{1}}});
  const Graph graph = b.Build(y);
  // 4 bits: 15 ns and 9 ns of MACs; 3,000 + 1,250 fJ and 1,800 + 900 fJ.
  EXPECT_THAT(Counted(graph, k4), ElementsAre(Pair("a", ElementsAre(152, 480, 25, 5, 25)),  //
                                              Pair("b", ElementsAre(104, 288, 18, 3, 18))));
  // 8 bits: 30 ns and 18 ns; 9,000 + 2,250 fJ and 5,400 + 1,550 fJ.
  EXPECT_THAT(Counted(graph, k8),
              ElementsAre(Pair("a", ElementsAre(272, 1920, 45, 12, 45)), Pair("b", ElementsAre(176, 1152, 31, 7, 31))));
  EXPECT_EQ(Peak(graph, k4), 15);
  EXPECT_EQ(Peak(graph, k8), 18);
}

//       weights  MACs             in  out   bytes moved at 4 bits   at 8 bits
//   a        72  64 * 18 = 1152   32   64   40 + 48                 76 + 96
//   b        12  12 * 4 = 48      16   12   10 + 14                 16 + 28
// Memory: x and a's output; that and the pooled one; the pooled one and the float output: 16 + 32, 32 + 8, 8 + 48
// bytes; 32 + 64, 64 + 16, 16 + 48.
TEST(HandCounts, ConvolutionsAndPooling) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {kDynamic, 2, 4, 4});
  ValueId y = b.Node("Conv", {x, b.RandomWeight("a", {4, 2, 3, 3})}, {{"pads", std::vector<int64_t>{1, 1, 1, 1}}});
  y = b.Node("MaxPool", {b.Node("Relu", {y})},
             {{"kernel_shape", std::vector<int64_t>{2, 2}}, {"strides", std::vector<int64_t>{2, 2}}});
  const Graph graph = b.Build(b.Node("Conv", {y, b.RandomWeight("b", {3, 4, 1, 1})}));
  // 4 bits: 576 ns and 24 ns of MACs; 115,200 + 4,400 fJ and 4,800 + 1,200 fJ.
  EXPECT_THAT(Counted(graph, k4), ElementsAre(Pair("a", ElementsAre(320, 18432, 576, 120, 88)),
                                              Pair("b", ElementsAre(80, 768, 24, 6, 24))));
  // 8 bits: 1,152 ns and 48 ns; 345,600 + 8,600 fJ and 14,400 + 2,200 fJ.
  EXPECT_THAT(Counted(graph, k8), ElementsAre(Pair("a", ElementsAre(608, 73728, 1152, 355, 172)),
                                              Pair("b", ElementsAre(128, 3072, 48, 17, 44))));
  EXPECT_EQ(Peak(graph, k4), 56);
  EXPECT_EQ(Peak(graph, k8), 96);
}

//       weights  MACs  in  out   bytes moved at 4 bits   at 8 bits
//   a, b      4    64  32   32   6 + 32                  8 + 64
//   c         2    32  32   16   5 + 24                  6 + 48
// Memory: a's output is read by the ReLU before b and by the addition before c, which are free to differ: 8 bits
// whatever is chosen. With the ReLU's and b's output, into which the sum is written: 32 + 16 + 16 bytes; then the sum
// and the float output, 16 + 64. At 8 bits 32 + 32 + 32 and 32 + 64.
TEST(HandCounts, Residual) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {kDynamic, 2, 4, 4});
  const ValueId y = b.Node("Conv", {x, b.RandomWeight("a", {2, 2, 1, 1})});
  const ValueId branch = b.Node("Conv", {b.Node("Relu", {y}), b.RandomWeight("b", {2, 2, 1, 1})});
  const ValueId sum = b.Node("Add", {branch, y});
  const Graph graph = b.Build(b.Node("Conv", {sum, b.RandomWeight("c", {1, 2, 1, 1})}));
  // 4 bits: 32, 32 and 16 ns of MACs; 6,400 + 1,900 fJ and 3,200 + 1,450 fJ.
  EXPECT_THAT(Counted(graph, k4),
              ElementsAre(Pair("a", ElementsAre(48, 1024, 38, 9, 38)), Pair("b", ElementsAre(48, 1024, 38, 9, 38)),
                          Pair("c", ElementsAre(40, 512, 29, 5, 29))));
  // 8 bits: 64, 64 and 32 ns; 19,200 + 3,600 fJ and 9,600 + 2,700 fJ.
  EXPECT_THAT(Counted(graph, k8),
              ElementsAre(Pair("a", ElementsAre(64, 4096, 72, 23, 72)), Pair("b", ElementsAre(64, 4096, 72, 23, 72)),
                          Pair("c", ElementsAre(48, 2048, 54, 13, 54))));
  EXPECT_EQ(Peak(graph, k4), 80);
  EXPECT_EQ(Peak(graph, k8), 96);
}

}  // namespace
}  // namespace bitplan
