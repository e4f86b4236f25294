#include "search/hardware/price_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "search/base/rng.h"
#include "search/base/status.h"

namespace bitplan::hardware {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

// Stored in 1, 2, 4, 8, 16 or 32 bits, never fewer than the device stores; whole bytes, whole units of alignment.
TEST(ActivationBytes, AreRoundedUp) {
  const MemoryModel free{.min_activation_bits = 1};
  EXPECT_EQ(ActivationBytes(9, 1, free), 2);
  EXPECT_EQ(ActivationBytes(9, 2, free), 3);
  EXPECT_EQ(ActivationBytes(9, 3, free), 5);  // 4 bits each
  EXPECT_EQ(ActivationBytes(9, 6, free), 9);
  EXPECT_EQ(ActivationBytes(9, 16, free), 18);
  EXPECT_EQ(ActivationBytes(9, 32, free), 36);
  EXPECT_EQ(ActivationBytes(9, 2, {.min_activation_bits = 8}), 9);
  EXPECT_EQ(ActivationBytes(9, 2, {.min_activation_bits = 8, .alignment_bytes = 16}), 16);
  EXPECT_EQ(ActivationBytes(0, 8, {.alignment_bytes = 16}), 0);
  EXPECT_EQ(ActivationBytes(std::numeric_limits<int64_t>::max() / 2, 8, {}), std::nullopt);
}

LayerTable Layers(int count) {
  LayerTable layers;
  for (int i = 0; i < count; ++i) layers.layers.push_back({.name = std::string(1, static_cast<char>('a' + i))});
  return layers;
}

OptionTable FourAndEight(int count) {
  OptionTable options;
  for (int i = 0; i < count; ++i) {
    options.options.push_back({{.weight_bits = 4, .activation_bits = 4}, {.weight_bits = 4, .activation_bits = 8}});
  }
  return options;
}

DataFlow TwoReaders() {
  return {.steps = {"first", "second"},
          .buffers = {{.name = "t", .elements = 10, .layers = {0, 1}, .first_step = 0, .last_step = 1}},
          .boundaries = {}};
}

TEST(PricePeakMemory, TiedReadersHaveOneWidth) {
  const absl::StatusOr<PeakMemory> peak =
      PricePeakMemory(TwoReaders(), Layers(2), FourAndEight(2), {{"a", "b"}}, {.min_activation_bits = 4});
  ASSERT_TRUE(peak.ok()) << peak.status();
  ASSERT_EQ(peak->steps.size(), 1);  // the same tensor at both
  EXPECT_EQ(peak->steps[0].fixed_bytes, 0);
  ASSERT_EQ(peak->steps[0].terms.size(), 1);
  EXPECT_EQ(peak->steps[0].terms[0].layer, "a");
  EXPECT_THAT(peak->steps[0].terms[0].bytes, ElementsAre(Pair(4, 5), Pair(8, 10)));
}

TEST(PricePeakMemory, FreeReadersCountAsTheWidestOption) {
  const absl::StatusOr<PeakMemory> peak =
      PricePeakMemory(TwoReaders(), Layers(2), FourAndEight(2), {}, {.min_activation_bits = 4});
  ASSERT_TRUE(peak.ok()) << peak.status();
  EXPECT_EQ(peak->steps[0].fixed_bytes, 10);
  EXPECT_THAT(peak->steps[0].terms, IsEmpty());
}

TEST(PricePeakMemory, TensorsThatNoLayerReadsAreFloat) {
  const DataFlow flow{.steps = {"s"}, .buffers = {{.name = "y", .elements = 10}}, .boundaries = {}};
  const absl::StatusOr<PeakMemory> peak = PricePeakMemory(flow, Layers(1), FourAndEight(1), {}, {});
  ASSERT_TRUE(peak.ok()) << peak.status();
  EXPECT_EQ(peak->steps[0].fixed_bytes, 40);
}

TEST(PricePeakMemory, RefusesWhatDoesNotFit) {
  DataFlow flow{.steps = {"huge"}, .buffers = {{.name = "y", .elements = int64_t{1} << 58}}, .boundaries = {}};
  flow.buffers.push_back(flow.buffers[0]);
  flow.buffers.push_back(flow.buffers[0]);
  const absl::StatusOr<PeakMemory> peak = PricePeakMemory(flow, Layers(1), FourAndEight(1), {}, {});
  EXPECT_EQ(peak.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(MessageOf(peak.status()), HasSubstr("'huge'"));
}

TEST(PeakBytes, NeedsASizeOnlyWhereWeightsAreResident) {
  const PeakMemory peak{.weights_resident = true, .steps = {{.name = "s", .fixed_bytes = 3}}};
  const std::vector<Option> option = {{.weight_bits = 4, .activation_bits = 4}};
  const std::vector<MemoryCandidates> known = {{.layer = "a", .options = option, .size_bits = {9}}};
  const std::vector<MemoryCandidates> unknown = {{.layer = "a", .options = option, .size_bits = {std::nullopt}}};
  EXPECT_EQ(PeakBytes(peak, known), 5);  // 9 bits take 2 bytes
  EXPECT_EQ(PeakBytes(peak, unknown), std::nullopt);
  EXPECT_EQ(PeakBytes({.steps = peak.steps}, unknown), 3);
}

// Steps that are left out never matter: the peak is that over all steps, each added up by itself.
TEST(PricePeakMemory, LeavesOutOnlyStepsThatOthersCover) {
  Rng rng(5, 0);
  for (int repeat = 0; repeat < 500; ++repeat) {
    DataFlow flow;
    for (int t = 0; t < 8; ++t) flow.steps.push_back("s" + std::to_string(t));
    for (int b = 0; b < 9; ++b) {
      const int first = static_cast<int>(rng.NextBelow(8));
      const int last = first + static_cast<int>(rng.NextBelow(static_cast<uint64_t>(8 - first)));
      flow.buffers.push_back({.name = "t",
                              .elements = static_cast<int64_t>(1 + rng.NextBelow(50)),
                              .layers = {static_cast<int>(rng.NextBelow(3))},
                              .first_step = first,
                              .last_step = last});
    }
    const MemoryModel model{.min_activation_bits = 4};
    const OptionTable options = FourAndEight(3);
    const absl::StatusOr<PeakMemory> peak = PricePeakMemory(flow, Layers(3), options, {}, model);
    ASSERT_TRUE(peak.ok()) << peak.status();
    EXPECT_LE(peak->steps.size(), 8);
    for (int code = 0; code < 8; ++code) {
      std::vector<MemoryCandidates> chosen;
      for (int i = 0; i < 3; ++i) {
        chosen.push_back({.layer = Layers(3).layers[i].name,
                          .options = {options.options[i][(code >> i) & 1]},
                          .size_bits = {std::nullopt}});
      }
      int64_t most = 0;
      for (int t = 0; t < 8; ++t) {
        int64_t sum = 0;
        for (const ActivationBuffer& buffer : flow.buffers) {
          const int bits = chosen[buffer.layers[0]].options[0].activation_bits;
          if (buffer.first_step <= t && t <= buffer.last_step) sum += (buffer.elements * bits + 7) / 8;
        }
        most = std::max(most, sum);
      }
      ASSERT_EQ(PeakBytes(*peak, chosen), most);
    }
  }
}

}  // namespace
}  // namespace bitplan::hardware
