#include "search/tensor/half.h"

#include <gtest/gtest.h>

#include <cmath>

namespace bitplan {
namespace {

TEST(HalfToFloat, KnowsTheCornersOfTheFormat) {
  EXPECT_EQ(HalfToFloat(0x0000), 0.0F);
  EXPECT_TRUE(std::signbit(HalfToFloat(0x8000)));
  EXPECT_EQ(HalfToFloat(0x3C00), 1.0F);
  EXPECT_EQ(HalfToFloat(0xC000), -2.0F);
  EXPECT_EQ(HalfToFloat(0x7BFF), 65504.0F);
  EXPECT_EQ(HalfToFloat(0x0400), 0x1p-14F);  // smallest normal
  EXPECT_EQ(HalfToFloat(0x0001), 0x1p-24F);  // smallest subnormal
  EXPECT_EQ(HalfToFloat(0x83FF), -1023 * 0x1p-24F);
  EXPECT_EQ(HalfToFloat(0x3555), 0x1.554p-2F);  // 1/3
  EXPECT_EQ(HalfToFloat(0x7C00), INFINITY);
  EXPECT_EQ(HalfToFloat(0xFC00), -INFINITY);
  EXPECT_TRUE(std::isnan(HalfToFloat(0x7E00)));
  EXPECT_TRUE(std::isnan(HalfToFloat(0x7C01)));
}

// Positive halves are ordered as their bits are; a slip in one exponent would break the order.
TEST(HalfToFloat, IsMonotone) {
  for (uint16_t bits = 0; bits < 0x7C00; ++bits) {
    ASSERT_LT(HalfToFloat(bits), HalfToFloat(static_cast<uint16_t>(bits + 1))) << bits;
    ASSERT_EQ(HalfToFloat(static_cast<uint16_t>(bits | 0x8000)), -HalfToFloat(bits)) << bits;
  }
}

TEST(BFloat16ToFloat, IsTheUpperHalfOfAFloat) {
  EXPECT_EQ(BFloat16ToFloat(0x3F80), 1.0F);
  EXPECT_EQ(BFloat16ToFloat(0xC040), -3.0F);
  EXPECT_EQ(BFloat16ToFloat(0x7F80), INFINITY);
}

}  // namespace
}  // namespace bitplan
