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

TEST(WithGivenCosts, ReplacesAResourceAndSaysSo) {
  const CostTable priced = Price({{SmallConv()}}, {{{Option{}}}}, SizeAndBops()).value();
  const CostTable table = hardware::WithGivenCosts(priced, {{{{Resource::kSize, 1}, {Resource::kEnergy, 2}}}});
  ASSERT_EQ(table.resources.size(), 3);
  EXPECT_EQ(table.resources[0].source, "given");        // size
  EXPECT_EQ(table.resources[1].source, "profile 'p'");  // bops
  EXPECT_EQ(table.resources[2].resource, Resource::kEnergy);
  EXPECT_THAT(table.costs[0][0],
              ElementsAre(Pair(Resource::kSize, 1), Pair(Resource::kBops, 64000), Pair(Resource::kEnergy, 2)));
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
