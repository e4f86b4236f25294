#include "search/quantization/fake_quantize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "search/base/status.h"

namespace bitplan::quantization {
namespace {

using ::testing::ElementsAre;

// Range 0..3 at 2 bits: codes 0..3, scale 1. Half to even: 0.5 -> 0, 1.5 -> 2, 2.5 -> 2.
TEST(FakeQuantize, RoundsToTheGridByHand) {
  const QuantizationGrid grid = ActivationGrid({.min = 0, .max = 3}, 2);
  std::vector<float> values = {0, 0.5F, 0.75F, 1.5F, 2.5F, 2.75F, 3, 9, -1};
  FakeQuantize(grid, values);
  EXPECT_THAT(values, ElementsAre(0, 0, 1, 2, 2, 3, 3, 3, 0));
}

// Range -1..2 at 2 bits: scale 1, zero point 1, codes 0..3 stand for -1, 0, 1, 2.
TEST(FakeQuantize, KeepsZeroAndSigns) {
  const QuantizationGrid grid = ActivationGrid({.min = -1, .max = 2}, 2);
  std::vector<float> values = {-3, -1, -0.6F, -0.4F, 0, 0.4F, 1.6F, 5};
  FakeQuantize(grid, values);
  EXPECT_THAT(values, ElementsAre(-1, -1, -1, 0, 0, 0, 2, 2));
}

TEST(FakeQuantize, IsAFixedPointWithinHalfAStepAtEveryWidth) {
  for (int bits = kMinGridBits; bits <= kMaxActivationBits; ++bits) {
    const QuantizationGrid grid = ActivationGrid({.min = -0.37F, .max = 2.1F}, bits);
    std::vector<float> values;
    for (int i = 0; i <= 1000; ++i) values.push_back(-0.37F + 2.47F * static_cast<float>(i) / 1000);
    std::vector<float> once = values;
    FakeQuantize(grid, once);
    std::vector<float> twice = once;
    FakeQuantize(grid, twice);
    EXPECT_EQ(once, twice) << bits;
    for (size_t i = 0; i < values.size(); ++i) {
      // Half a step, and rounding of the quotient: 2^-24 of 2^16 codes.
      ASSERT_LE(std::abs(once[i] - values[i]), grid.scale * 0.505) << bits << " " << values[i];
    }
  }
}

TEST(FakeQuantize, InfinityGoesToTheEndsAndNanStays) {
  const QuantizationGrid grid = ActivationGrid({.min = -1, .max = 2}, 2);
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  std::vector<float> values = {kInfinity, -kInfinity, std::nanf("")};
  FakeQuantize(grid, values);
  EXPECT_EQ(values[0], 2);
  EXPECT_EQ(values[1], -1);
  EXPECT_TRUE(std::isnan(values[2]));
}

TEST(FakeQuantize, AConstantZeroTensorStaysZero) {
  std::vector<float> values = {0, 0};
  FakeQuantize(ActivationGrid({.min = 0, .max = 0}, 4), values);
  EXPECT_THAT(values, ElementsAre(0, 0));
}

TEST(CheckActivationBits, TakesOneToSixteenAndFloat) {
  EXPECT_TRUE(CheckActivationBits(1).ok() && CheckActivationBits(2).ok() && CheckActivationBits(16).ok() &&
              CheckActivationBits(32).ok());
  EXPECT_EQ(MessageOf(CheckActivationBits(17)), "activation_bits: got 17, want 1..16, or 32 for not quantized");
  EXPECT_FALSE(CheckActivationBits(0).ok());
}

}  // namespace
}  // namespace bitplan::quantization
