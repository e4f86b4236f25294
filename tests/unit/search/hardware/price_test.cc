#include "search/hardware/price.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "search/base/status.h"

namespace bitplan {
namespace {

using hardware::Price;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

// 16 output channels of 3 x 3 x 3 weights: 432 weights, 1,000 MACs.
Layer SmallConv() {
  return {.name = "conv",
          .kind = LayerKind::kConv,
          .weight_shape = {16, 3, 3, 3},
          .output_channel_axis = 0,
          .num_weights = 432,
          .macs = 1000};
}

HardwareProfile SizeAndBops() { return {.name = "p", .size = SizeModel{}, .bops = BopsModel{}}; }

Costs PriceOne(const Layer& layer, const Option& option, const HardwareProfile& profile) {
  const absl::StatusOr<CostTable> table = Price({{layer}}, {{{option}}}, profile);
  EXPECT_TRUE(table.ok()) << table.status();
  return table->costs[0][0];
}

// Counted by hand:
//   w4 symmetric per_tensor   432 * 4 +  1 *  32      = 1760
//   w4 symmetric per_channel  432 * 4 + 16 *  32      = 2240
//   w4 affine    per_channel  432 * 4 + 16 * (32 + 4) = 2304
//   w3 affine    per_tensor   432 * 3 +  1 * (32 + 3) = 1331
//   w8 given     per_channel  432 * 8                 = 3456
TEST(Price, CountsWeightsScalesAndZeroPoints) {
  const auto size = [](int bits, const char* scheme, Granularity granularity) {
    return PriceOne(SmallConv(), {bits, 8, scheme, granularity}, SizeAndBops()).at(Resource::kSize);
  };
  EXPECT_EQ(size(4, "symmetric", Granularity::kPerTensor), 1760);
  EXPECT_EQ(size(4, "symmetric", Granularity::kPerChannel), 2240);
  EXPECT_EQ(size(4, "affine", Granularity::kPerChannel), 2304);
  EXPECT_EQ(size(3, "affine", Granularity::kPerTensor), 1331);
  EXPECT_EQ(size(8, "given", Granularity::kPerChannel), 3456);
}

// Groups of 9 of the 27 weights of a channel: 432 * 4 + 48 * 32; NVFP4 blocks of 16: two a channel of 8 bits, one
// float.
TEST(Price, CountsWhatNewerSchemesStore) {
  EXPECT_EQ(
      PriceOne(SmallConv(), {.weight_bits = 4, .granularity = Granularity::kPerGroup, .group_size = 9}, SizeAndBops())
          .at(Resource::kSize),
      3264);
  EXPECT_EQ(PriceOne(SmallConv(),
                     {.weight_bits = 4, .scheme = "nvfp4", .granularity = Granularity::kPerGroup, .group_size = 16},
                     SizeAndBops())
                .at(Resource::kSize),
            432 * 4 + 32 * 8 + 32);
}

TEST(Price, CountsChannelsAlongTheirAxis) {
  Layer layer = SmallConv();
  layer.output_channel_axis = 1;  // 3 slices: 432 * 4 + 3 * 32
  EXPECT_EQ(PriceOne(layer, {.weight_bits = 4}, SizeAndBops()).at(Resource::kSize), 1824);
}

TEST(Price, BopsAreMacsTimesBothWidths) {
  EXPECT_EQ(PriceOne(SmallConv(), {.weight_bits = 3, .activation_bits = 5}, SizeAndBops()).at(Resource::kBops), 15000);
}

TEST(Price, NamesWhatDoesNotFit) {
  Layer layer = SmallConv();
  layer.macs = std::numeric_limits<int64_t>::max() / 8;
  const absl::Status status = Price({{layer}}, {{{Option{}}}}, SizeAndBops()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(MessageOf(status), HasSubstr("layer 'conv' w8a8/symmetric/per_channel: bops does not fit"));
}

HardwareProfile WithLatency(MeasuredLayer layer) {
  HardwareProfile profile = SizeAndBops();
  profile.measured.push_back({.resource = Resource::kLatency, .network = "net", .layers = {std::move(layer)}});
  return profile;
}

MeasuredLayer ByName() {
  return {.layer = "conv", .num_weights = 432, .macs = 1000, .amounts = {{{4, 4}, 70}, {{8, 8}, 90}}};
}

TEST(Price, FindsMeasuredLayersByName) {
  const HardwareProfile profile = WithLatency(ByName());
  EXPECT_EQ(PriceOne(SmallConv(), {.weight_bits = 4, .activation_bits = 4}, profile).at(Resource::kLatency), 70);
  EXPECT_FALSE(PriceOne(SmallConv(), {.weight_bits = 4}, profile).contains(Resource::kLatency));  // w4a8
}

TEST(Price, NameAloneIsNotEnough) {
  Layer other = SmallConv();
  other.num_weights = 433;
  EXPECT_FALSE(PriceOne(other, {}, WithLatency(ByName())).contains(Resource::kLatency));
  other = SmallConv();
  other.macs = 999;
  EXPECT_FALSE(PriceOne(other, {}, WithLatency(ByName())).contains(Resource::kLatency));
}

TEST(Price, FindsMeasuredLayersBySignatureUnlessNamed) {
  const MeasuredLayer signature{
      .kind = LayerKind::kConv, .weight_shape = {16, 3, 3, 3}, .macs = 1000, .amounts = {{{8, 8}, 50}}};
  HardwareProfile profile = WithLatency(signature);
  EXPECT_EQ(PriceOne(SmallConv(), {}, profile).at(Resource::kLatency), 50);
  Layer gemm = SmallConv();
  gemm.kind = LayerKind::kGemm;
  EXPECT_FALSE(PriceOne(gemm, {}, profile).contains(Resource::kLatency));
  profile.measured[0].layers.push_back(ByName());
  EXPECT_EQ(PriceOne(SmallConv(), {}, profile).at(Resource::kLatency), 90);
}

TEST(Price, UnsupportedWidthsHaveNoCosts) {
  HardwareProfile profile = SizeAndBops();
  profile.supported = {{8, 8}};
  const absl::StatusOr<CostTable> table = Price({{SmallConv()}}, {{{Option{.weight_bits = 5}, Option{}}}}, profile);
  ASSERT_TRUE(table.ok());
  EXPECT_THAT(table->costs[0][0], IsEmpty());
  EXPECT_THAT(table->costs[0][1], ElementsAre(Pair(Resource::kSize, 3968), Pair(Resource::kBops, 64000)));
}

TEST(Price, ResourcesAreThoseWithACost) {
  Layer other = SmallConv();
  other.name = "other";
  const absl::StatusOr<CostTable> table = Price({{other}}, {{{Option{}}}}, WithLatency(ByName()));
  ASSERT_TRUE(table.ok());
  ASSERT_EQ(table->resources.size(), 2);
  EXPECT_EQ(table->resources[0].resource, Resource::kSize);
  EXPECT_EQ(table->resources[0].source, "profile 'p'");
  EXPECT_EQ(table->coverage, "any width; size; bops; latency of 1 layers of net ('conv')");
}

// A device whose rates are whole numbers a nanosecond: 4 bytes; 8 MACs at w4a4, 4 at w8a8 but 2 in convolutions. Runs
// have two samples.
HardwareProfile RoundDevice() {
  HardwareProfile profile = SizeAndBops();
  profile.size = SizeModel{.scale_bits = 16, .zero_point_bits = 8, .code_widths = {4, 8}, .row_alignment_bytes = 4};
  profile.roofline = RooflineModel{
      .batch_size = 2,
      .bytes_per_second = 4'000'000'000,
      .launch_overhead_ns = 100,
      .rates = {{{}, {4, 4}, 8'000'000'000}, {{}, {8, 8}, 4'000'000'000}, {LayerKind::kConv, {8, 8}, 2'000'000'000}}};
  profile.energy = EnergyModel{.batch_size = 2, .femtojoules_per_byte = 1000, .macs = {{{4, 4}, 100}, {{8, 8}, 300}}};
  profile.memory = MemoryModel{.min_activation_bits = 4};
  return profile;
}

// A convolution of 3 x 8 x 8 inputs to 16 x 8 x 8 outputs.
Layer HandConv() {
  return {.name = "conv",
          .kind = LayerKind::kConv,
          .weight_shape = {16, 3, 3, 3},
          .num_weights = 432,
          .macs = 27 * 1024,
          .input_elements = 192,
          .output_elements = 1024};
}

Layer HandGemm() {
  return {.name = "fc",
          .kind = LayerKind::kGemm,
          .weight_shape = {10, 20},
          .num_weights = 200,
          .macs = 200,
          .input_elements = 20,
          .output_elements = 10};
}

// 5 tokens of a vocabulary of 100, 8 numbers each, and 8 x 4 weights on them.
Layer HandEmbedding() {
  return {.name = "embedding",
          .kind = LayerKind::kEmbedding,
          .weight_shape = {100, 8},
          .num_weights = 800,
          .macs = 0,
          .input_elements = 5,
          .output_elements = 40};
}

Layer HandMatMul() {
  return {.name = "head",
          .kind = LayerKind::kMatMul,
          .weight_shape = {8, 4},
          .output_channel_axis = 1,
          .num_weights = 32,
          .macs = 160,
          .input_elements = 40,
          .output_elements = 20};
}

struct HandCount {
  Layer layer;
  Option option;
  Costs wanted;
};

Costs All(int64_t size, int64_t bops, int64_t latency, int64_t energy) {
  return {{Resource::kSize, size}, {Resource::kBops, bops}, {Resource::kLatency, latency}, {Resource::kEnergy, energy}};
}

// Three networks, counted by hand; K: 1000 fJ a byte, 300 (w8) or 100 (w4) a MAC, two samples.
//
// conv alone, rows of 27 weights
//   w8a8  row 216 bits -> 224; 16 * (224 + 16) = 3840 bits = 480 bytes; activations 2 * 1216 = 2432; traffic 2912 bytes
//         compute 2 * 27648 / 2 = 27648 ns, memory 2912 / 4 = 728: 100 + 27648
//         energy (55296 * 300 + 2912 * 1000) fJ = 19500.8 pJ
//   w4a4  row 108 bits -> 128; 16 * (128 + 16) = 2304 = 288 bytes; activations 1216; traffic 1504
//         compute 55296 / 8 = 6912, memory 376; energy 5529.6 + 1504 = 7033.6
// gemm alone, rows of 20 weights, one scale
//   w8a8  10 * 160 + 16 = 1616 bits = 202 bytes; activations 2 * 30 = 60; traffic 262
//         compute 400 / 4 = 100, memory 65.5; energy 120 + 262
//   w4a4  row 80 -> 96; 10 * 96 + 16 = 976 = 122 bytes; activations 30; traffic 152; compute 50, memory 38; 40 + 152
// embedding and head
//   embedding w8a8, one scale: 100 * 64 + 16 = 6416 bits; reads 2 * 40 codes = 80 bytes; activations 2 * 45 = 90
//         compute 0, memory 170 / 4 = 42.5; energy 170
//   head w8a8: 4 * (64 + 16) = 320 bits = 40 bytes; activations 2 * 60 = 120; compute 320 / 4 = 80, memory 40
//         energy 96 + 160
TEST(Price, EqualsHandCountsOfThreeNetworks) {
  const Option w8{.weight_bits = 8, .activation_bits = 8};
  const Option w4{.weight_bits = 4, .activation_bits = 4};
  const auto per_tensor = [](Option option) {
    option.granularity = Granularity::kPerTensor;
    return option;
  };
  const std::vector<HandCount> counts = {
      {HandConv(), w8, All(3840, 27648 * 64, 27748, 19501)},
      {HandConv(), w4, All(2304, 27648 * 16, 7012, 7034)},
      {HandGemm(), per_tensor(w8), All(1616, 200 * 64, 200, 382)},
      {HandGemm(), per_tensor(w4), All(976, 200 * 16, 150, 192)},
      {HandEmbedding(), per_tensor(w8), All(6416, 0, 143, 170)},
      {HandMatMul(), w8, All(320, 160 * 64, 180, 256)},
  };
  for (const HandCount& count : counts) {
    EXPECT_EQ(PriceOne(count.layer, count.option, RoundDevice()), count.wanted)
        << count.layer.name << " " << Label(count.option);
  }
}

// Three bits are stored as four, the zero point in eight: 16 * (128 + 16 + 8). No rate at w3a3: no estimate.
TEST(Price, PacksCodesAndZeroPoints) {
  const Costs costs = PriceOne(HandConv(), {.weight_bits = 3, .activation_bits = 3, .scheme = "affine"}, RoundDevice());
  EXPECT_EQ(costs, (Costs{{Resource::kSize, 2432}, {Resource::kBops, 27648 * 9}}));
}

TEST(Price, BitSerialDevicesPayForEachBit) {
  HardwareProfile profile = RoundDevice();
  profile.roofline = RooflineModel{.batch_size = 1, .bit_macs_per_second = 64'000'000'000};
  profile.energy = EnergyModel{.batch_size = 1, .femtojoules_per_bit_mac = 10};
  const Costs costs = PriceOne(HandConv(), {.weight_bits = 2, .activation_bits = 4}, profile);
  EXPECT_EQ(costs.at(Resource::kLatency), 27648 / 8);  // 64 / (2 * 4) = 8 MACs a ns
  EXPECT_EQ(costs.at(Resource::kEnergy), 2212);        // 27648 * 80 fJ = 2211.84 pJ
}

CostTable PriceWithMeasured(Interpolation interpolation, std::map<Widths, int64_t> amounts) {
  HardwareProfile profile = RoundDevice();
  profile.measured.push_back(
      {.resource = Resource::kLatency,
       .interpolation = interpolation,
       .batch_size = 2,
       .layers = {{.kind = LayerKind::kConv, .weight_shape = {16, 3, 3, 3}, .macs = 27648, .amounts = amounts}}});
  const Option w8{.weight_bits = 8, .activation_bits = 8};
  const Option w4{.weight_bits = 4, .activation_bits = 4};
  return Price({{HandConv(), HandGemm()}}, {{{w8, w4}, {w8, w4}}}, profile).value();
}

TEST(Price, SaysWhereEachCostComesFrom) {
  const CostTable table = PriceWithMeasured(Interpolation::kNone, {{{8, 8}, 40000}});
  EXPECT_EQ(table.costs[0][0].at(Resource::kLatency), 40000);
  EXPECT_EQ(table.costs[0][1].at(Resource::kLatency), 7012);
  EXPECT_EQ(table.sources[0][0], (CostSources{{Resource::kSize, CostSource::kModel},
                                              {Resource::kBops, CostSource::kModel},
                                              {Resource::kLatency, CostSource::kMeasured},
                                              {Resource::kEnergy, CostSource::kEnergyModel}}));
  EXPECT_EQ(table.sources[0][1].at(Resource::kLatency), CostSource::kRoofline);
  EXPECT_EQ(table.sources[1][0].at(Resource::kLatency), CostSource::kRoofline);
}

// 40000 * 7012 / 27748 = 10108.1..; the layer without an entry keeps its estimate.
TEST(Price, InterpolatesWidthsWhereTheTableAllowsIt) {
  const CostTable table = PriceWithMeasured(Interpolation::kWidths, {{{8, 8}, 40000}});
  EXPECT_EQ(table.costs[0][1].at(Resource::kLatency), 10109);
  EXPECT_EQ(table.sources[0][1].at(Resource::kLatency), CostSource::kInterpolated);
  EXPECT_EQ(table.sources[1][1].at(Resource::kLatency), CostSource::kRoofline);
}

TEST(Price, RulesTakeCostsAway) {
  HardwareProfile profile = SizeAndBops();
  profile.rules.push_back({.kinds = {LayerKind::kConv}, .schemes = {"affine"}, .reason = "why not"});
  EXPECT_THAT(PriceOne(SmallConv(), {}, profile), IsEmpty());
  EXPECT_FALSE(PriceOne(SmallConv(), {.scheme = "affine"}, profile).empty());
  EXPECT_FALSE(PriceOne(HandGemm(), {}, profile).empty());
}

TEST(WithGivenCosts, ReplacesAResourceAndSaysSo) {
  const CostTable priced = Price({{SmallConv()}}, {{{Option{}}}}, SizeAndBops()).value();
  const CostTable table = hardware::WithGivenCosts(priced, {{{{Resource::kSize, 1}, {Resource::kEnergy, 2}}}});
  ASSERT_EQ(table.resources.size(), 3);
  EXPECT_EQ(table.resources[0].source, "given");        // size
  EXPECT_EQ(table.resources[1].source, "profile 'p'");  // bops
  EXPECT_EQ(table.resources[2].resource, Resource::kEnergy);
  EXPECT_THAT(table.costs[0][0],
              ElementsAre(Pair(Resource::kSize, 1), Pair(Resource::kBops, 64000), Pair(Resource::kEnergy, 2)));
  EXPECT_EQ(table.sources[0][0].at(Resource::kSize), CostSource::kGiven);
  EXPECT_EQ(table.sources[0][0].at(Resource::kBops), CostSource::kModel);
}

TEST(WithGivenCosts, NothingGivenChangesNothing) {
  const CostTable priced = Price({{SmallConv()}}, {{{Option{}}}}, SizeAndBops()).value();
  const CostTable table = hardware::WithGivenCosts(priced, {});
  EXPECT_EQ(table.costs, priced.costs);
  EXPECT_EQ(table.resources.size(), 2);
}

TEST(CheckedSum, SaysWhenItDoesNotFit) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(hardware::CheckedSum(std::vector<int64_t>{}), 0);
  EXPECT_EQ(hardware::CheckedSum(std::vector<int64_t>{kMax - 1, 1}), kMax);
  EXPECT_EQ(hardware::CheckedSum(std::vector<int64_t>{kMax, 1}), std::nullopt);
}

}  // namespace
}  // namespace bitplan
