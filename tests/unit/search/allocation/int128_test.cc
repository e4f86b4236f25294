#include "search/allocation/int128.h"

#include <gtest/gtest.h>

#include <cmath>

#include "search/base/rng.h"

namespace bitplan::allocation {
namespace {

TEST(FixedPoint, KeepsEveryBitAboveTheUnit) {
  EXPECT_EQ(ToFixedPoint(0.75, 2), 3);
  EXPECT_EQ(ToFixedPoint(-0.75, 2), -3);
  EXPECT_EQ(ToFixedPoint(0, 100), 0);
  EXPECT_TRUE(ToFixedPoint(0x1.8p-50, 117) == Int128{3} << 66);
  EXPECT_EQ(ToFixedPoint(1024, -10), 1);
}

TEST(FixedPoint, RoundsToNearestTiesToEven) {
  EXPECT_EQ(ToFixedPoint(2.4999, 0), 2);
  EXPECT_EQ(ToFixedPoint(2.5, 0), 2);
  EXPECT_EQ(ToFixedPoint(3.5, 0), 4);
  EXPECT_EQ(ToFixedPoint(-2.5, 0), -2);
  EXPECT_EQ(ToFixedPoint(-2.75, 0), -3);
  EXPECT_EQ(ToFixedPoint(0.5, 0), 0);
  EXPECT_EQ(ToFixedPoint(1e-300, 10), 0);
}

TEST(FixedPoint, ReadsBackExactlyWhereNothingWasLost) {
  Rng rng(1, 0);
  for (int i = 0; i < 10'000; ++i) {
    const double value = (rng.NextUniform() - 0.5) * std::pow(10, 15 * rng.NextUniform() - 12);
    EXPECT_EQ(FromFixedPoint(ToFixedPoint(value, 107), 107), value);  // |value| < 2^10
  }
}

TEST(FixedPoint, SpansTheSmallestDoubles) {
  const double smallest = 0x1p-1074;
  EXPECT_EQ(ToFixedPoint(smallest, 1074), 1);
  EXPECT_EQ(FromFixedPoint(1, 1074), smallest);
}

TEST(SaturatingProduct, MultipliesOrSaturates) {
  EXPECT_EQ(SaturatingProduct(6, 7), 42);
  EXPECT_EQ(SaturatingProduct(kInfiniteValue, 0), 0);
  EXPECT_TRUE(SaturatingProduct(Int128{1} << 62, INT64_MAX) == (Int128{1} << 62) * INT64_MAX);
  EXPECT_TRUE(SaturatingProduct(Int128{1} << 70, INT64_MAX) == kInfiniteValue);
  EXPECT_TRUE(SaturatingProduct(kInfiniteValue, 2) == kInfiniteValue);
}

TEST(Gcd, IsNonNegativeAndHandlesZero) {
  EXPECT_EQ(Gcd(12, -18), 6);
  EXPECT_EQ(Gcd(0, 5), 5);
  EXPECT_EQ(Gcd(0, 0), 0);
  EXPECT_TRUE(Gcd(Int128{15} << 100, Int128{9} << 90) == Int128{3} << 90);
}

}  // namespace
}  // namespace bitplan::allocation
