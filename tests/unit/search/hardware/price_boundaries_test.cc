#include "search/hardware/price_boundaries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "search/base/status.h"

namespace bitplan::hardware {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

// a hands 100 elements to b.
const DataFlow kFlow{.steps = {"a", "b"}, .buffers = {}, .boundaries = {{.from = 0, .to = 1, .elements = 100}}};
const LayerTable kLayers{{{.name = "a"}, {.name = "b"}}};

OptionTable Widths(const std::vector<int>& bits) {
  OptionTable options;
  for (int i = 0; i < 2; ++i) {
    std::vector<Option>& of_layer = options.options.emplace_back();
    for (const int b : bits) of_layer.push_back({.weight_bits = 8, .activation_bits = b});
  }
  return options;
}

HardwareProfile Device() {
  return {.name = "d",
          .boundary = BoundaryModel{.overhead_ns = 7, .bytes_per_second = 2'000'000'000, .femtojoules_per_byte = 30}};
}

// From 4 bits to 8: 50 bytes are read and 100 written, 75 ns at 2 GB/s and 7 ns besides; 150 * 30 fJ are 4.5 pJ.
TEST(PriceBoundaries, HandCount) {
  const auto priced =
      PriceBoundaries(kFlow, kLayers, Widths({4, 8}), Device(), {Resource::kLatency, Resource::kEnergy});
  ASSERT_TRUE(priced.ok()) << priced.status();
  ASSERT_EQ(priced->size(), 1);
  const BoundaryCost& boundary = (*priced)[0];
  EXPECT_EQ(boundary.from, "a");
  EXPECT_EQ(boundary.to, "b");
  EXPECT_EQ(boundary.costs.size(), 2);
  EXPECT_EQ(CostOfBoundary(boundary, 4, 8, Resource::kLatency), 82);
  EXPECT_EQ(CostOfBoundary(boundary, 8, 4, Resource::kLatency), 82);
  EXPECT_EQ(CostOfBoundary(boundary, 4, 8, Resource::kEnergy), 5);
  EXPECT_EQ(CostOfBoundary(boundary, 8, 8, Resource::kLatency), 0);
  EXPECT_EQ(CostOfBoundary(boundary, 4, 8, Resource::kSize), 0);
}

// Of the run that latency is of: 3 samples, 150 and 300 bytes, 225 ns.
TEST(PriceBoundaries, AreOfTheRunThatLatencyIsOf) {
  HardwareProfile profile = Device();
  profile.roofline = RooflineModel{.batch_size = 3};
  const auto priced = PriceBoundaries(kFlow, kLayers, Widths({4, 8}), profile, {Resource::kLatency});
  ASSERT_TRUE(priced.ok()) << priced.status();
  EXPECT_EQ(CostOfBoundary((*priced)[0], 4, 8, Resource::kLatency), 232);
  EXPECT_FALSE(HasBoundaryCosts(*priced, Resource::kEnergy));
}

// 3 and 5 bits are stored in bytes on this device: what is moved is the same.
TEST(PriceBoundaries, CountStoredBits) {
  HardwareProfile profile = Device();
  profile.memory = MemoryModel{.min_activation_bits = 8};
  const auto priced = PriceBoundaries(kFlow, kLayers, Widths({3, 5}), profile, {Resource::kLatency});
  ASSERT_TRUE(priced.ok()) << priced.status();
  EXPECT_EQ(CostOfBoundary((*priced)[0], 3, 5, Resource::kLatency), 107);
}

TEST(PriceBoundaries, AreNoneWhereNothingIsKnown) {
  EXPECT_THAT(*PriceBoundaries(kFlow, kLayers, Widths({4, 8}), {.name = "d"}, {Resource::kLatency}), IsEmpty());
  EXPECT_THAT(*PriceBoundaries(kFlow, kLayers, Widths({4, 8}), Device(), {Resource::kSize}), IsEmpty());
  EXPECT_THAT(*PriceBoundaries(kFlow, kLayers, Widths({8}), Device(), {Resource::kLatency}), IsEmpty());
}

TEST(PriceBoundaries, RefusesWhatDoesNotFit) {
  DataFlow flow = kFlow;
  flow.boundaries[0].elements = int64_t{1} << 62;
  HardwareProfile profile = Device();
  profile.boundary->bytes_per_second = 1;
  const auto priced = PriceBoundaries(flow, kLayers, Widths({4, 8}), profile, {Resource::kLatency});
  EXPECT_EQ(priced.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(MessageOf(priced.status()), HasSubstr("'a' to 'b'"));
}

TEST(BoundaryTotal, AddsUpWhatDiffers) {
  const std::vector<BoundaryCost> boundaries = {
      {.from = "a", .to = "b", .costs = {{{4, 8}, {{Resource::kLatency, 5}}}}},
      {.from = "b", .to = "c", .costs = {{{8, 4}, {{Resource::kLatency, 9}}}, {{4, 8}, {{Resource::kLatency, 1}}}}}};
  const auto total = [&](int a, int b, int c) {
    return BoundaryTotal(boundaries, Resource::kLatency,
                         [&](const std::string& name) { return name == "a" ? a : (name == "b" ? b : c); });
  };
  EXPECT_EQ(total(4, 8, 4), 14);
  EXPECT_EQ(total(4, 8, 8), 5);
  EXPECT_EQ(total(4, 4, 8), 1);
  EXPECT_EQ(total(8, 8, 8), 0);
}

}  // namespace
}  // namespace bitplan::hardware
