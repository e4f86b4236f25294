#include "search/quantization/storage.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace bitplan::quantization {
namespace {

Layer Conv() { return {.name = "conv", .weight_shape = {16, 3, 3, 3}, .num_weights = 432}; }
Layer Matrix() { return {.name = "fc", .weight_shape = {128, 10}, .output_channel_axis = 1, .num_weights = 1280}; }
Layer Unknown() { return {.name = "given", .num_weights = 1000}; }

int64_t Bits(const Layer& layer, int bits, const char* scheme, Granularity granularity, int64_t size = 0) {
  return StorageBits(layer, {bits, 8, scheme, granularity, size}).value();
}

TEST(StorageBits, CountedByHand) {
  using enum Granularity;
  EXPECT_EQ(Bits(Conv(), 4, "symmetric", kPerChannel), 432 * 4 + 16 * 32);
  EXPECT_EQ(Bits(Conv(), 4, "affine", kPerChannelGroup, 5), 432 * 4 + 4 * (32 + 4));  // 5 + 5 + 5 + 1 channels
  EXPECT_EQ(Bits(Conv(), 4, "mxfp4", kPerGroup, 32), 432 * 4 + 16 * 1 * 8);           // 27 weights: one short block
  EXPECT_EQ(Bits(Conv(), 4, "nvfp4", kPerGroup, 16), 432 * 4 + 16 * 2 * 8 + 32);
  EXPECT_EQ(Bits(Conv(), 3, "kmeans", kPerTensor), 432 * 3 + 8 * 32);
  EXPECT_EQ(Bits(Conv(), 1, "product_quantization", kPerTensor), 16 * 4 * 8 + 256 * 8 * 32);  // 27 = 3 * 8 + 3
  EXPECT_EQ(Bits(Matrix(), 4, "symmetric", kPerGroup, 32), 1280 * 4 + 10 * 4 * 32);
  EXPECT_EQ(Bits(Matrix(), 3, "multi_bit_alternating", kPerChannel), 1280 * 3 + 10 * 3 * 32);
  EXPECT_EQ(Bits(Matrix(), 1, "binary", kPerChannel), 1280 + 10 * 32);
  EXPECT_EQ(Bits(Matrix(), 2, "ternary", kPerTensor), 1280 * 2 + 32);
  EXPECT_EQ(Bits(Matrix(), 5, "power_of_two", kPerChannel), 1280 * 5 + 10 * 8);
  EXPECT_EQ(Bits(Unknown(), 4, "symmetric", kPerChannel), 4000 + 32);
  EXPECT_EQ(Bits(Unknown(), 4, "given", kPerChannel), 4000);
  EXPECT_EQ(Bits(Unknown(), 16, "product_quantization", kPerTensor), 16'000);  // given scores of an unknown width
  EXPECT_EQ(Bits(Unknown(), 32, "kmeans", kPerTensor), 32'000);
}

TEST(StorageBits, TakesTheWidthOfAScaleFromTheCaller) {
  const Option option{.weight_bits = 4};
  EXPECT_EQ(StorageBits(Conv(), option, 16), 432 * 4 + 16 * 16);
}

TEST(StorageBits, SaysWhenInt64IsTooSmall) {
  const Layer huge{.name = "huge", .num_weights = std::numeric_limits<int64_t>::max() / 4};
  EXPECT_EQ(StorageBits(huge, {.weight_bits = 8}), std::nullopt);
}

TEST(HuffmanBits, IsTheLengthOfTheCodeAndItsTable) {
  EXPECT_EQ(HuffmanBits({}), 0);
  // One code: no bit a weight; table: one length and two ends.
  EXPECT_EQ(HuffmanBits(std::vector<int32_t>{5, 5, 5}), 8 + 64);
  // Counts 4, 2, 1, 1: lengths 1, 2, 3, 3: 4 + 4 + 3 + 3 = 14. Codes -1 .. 3: five lengths, one of them not in use.
  EXPECT_EQ(HuffmanBits(std::vector<int32_t>{0, 0, 0, 0, 1, 1, -1, 3}), 14 + 5 * 8 + 64);
  // Equal counts of 2^b codes need b bits each.
  std::vector<int32_t> uniform;
  for (int i = 0; i < 160; ++i) uniform.push_back(i % 16);
  EXPECT_EQ(HuffmanBits(uniform), 160 * 4 + 16 * 8 + 64);
}

}  // namespace
}  // namespace bitplan::quantization
