#include "search/hardware/coverage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bitplan::hardware {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

// Latency of the convolution is measured at w8a8, estimated at w4a4 and not known at w4a8; gemm runs at w8a8 only.
HardwareProfile Device() {
  HardwareProfile profile{.name = "p", .supported = {{{4, 4}, {4, 8}, {8, 8}}}, .size = SizeModel{}};
  profile.rules.push_back({.kinds = {LayerKind::kGemm}, .widths = {{8, 8}}, .reason = "no kernel"});
  profile.roofline = RooflineModel{.rates = {{{}, {4, 4}, 1000}, {{}, {8, 8}, 500}}};
  profile.measured.push_back(
      {.resource = Resource::kLatency,
       .layers = {{.kind = LayerKind::kConv, .weight_shape = {2, 2}, .macs = 4, .amounts = {{{8, 8}, 5}}}}});
  return profile;
}

Coverage FindAll() {
  const LayerTable layers{
      {{.name = "c", .kind = LayerKind::kConv, .weight_shape = {2, 2}, .num_weights = 4, .macs = 4},
       {.name = "g", .kind = LayerKind::kGemm, .weight_shape = {2, 2}, .num_weights = 4, .macs = 4}}};
  const std::vector<Option> options = {{4, 4}, {4, 8}, {8, 8}, {3, 3}};
  return FindCoverage(layers, {{options, {{4, 4}}}}, Device()).value();
}

TEST(FindCoverage, SaysWhereEachPriceComesFrom) {
  const Coverage coverage = FindAll();
  EXPECT_THAT(coverage.resources, ElementsAre(Resource::kSize, Resource::kLatency));
  const LayerCoverage& conv = coverage.layers[0];
  EXPECT_EQ(conv.num_supported, 3);
  EXPECT_THAT(conv.priced.at(Resource::kLatency), ElementsAre(Pair(CostSource::kMeasured, ElementsAre(Widths{8, 8})),
                                                              Pair(CostSource::kRoofline, ElementsAre(Widths{4, 4}))));
  EXPECT_THAT(conv.unpriced, ElementsAre(Pair(Resource::kLatency, ElementsAre(Widths{4, 8}))));
  EXPECT_THAT(conv.unsupported, ElementsAre(Pair("w3a3 (want w4a4, w4a8, w8a8): the device has no such widths",
                                                 ElementsAre("w3a3/symmetric/per_channel"))));
}

TEST(FindCoverage, SaysWhichLayersHaveNoOption) {
  const Coverage coverage = FindAll();
  EXPECT_EQ(coverage.layers[1].num_supported, 0);
  EXPECT_THAT(coverage.layers[1].priced, IsEmpty());
  EXPECT_FALSE(coverage.is_complete());
}

TEST(ToJson, ListsPricesBySource) {
  const std::string json = ToJson(FindAll());
  EXPECT_THAT(json, HasSubstr("\"complete\": false"));
  EXPECT_THAT(json, HasSubstr("\"none\": [\n            \"w4a8\""));
}

}  // namespace
}  // namespace bitplan::hardware
