#include "search/quantization/few_levels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "search/base/rng.h"

namespace bitplan::quantization {
namespace {

using ::testing::ElementsAre;

double SquaredError(const std::vector<float>& levels, const std::vector<float>& values) {
  std::vector<float> quantized = values;
  FakeQuantizeToLevels(levels, quantized);
  double sum = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    sum += (static_cast<double>(quantized[i]) - values[i]) * (static_cast<double>(quantized[i]) - values[i]);
  }
  return sum;
}

// Few values, far apart enough to sit in the middle of bins near enough.
Histogram HistogramOf(const std::vector<float>& values) {
  Histogram histogram;
  EXPECT_TRUE(histogram.Add(values).ok());
  return histogram;
}

std::vector<float> Normal(uint64_t seed, int count, bool positive) {
  std::vector<float> values(count);
  Rng(seed, 0).FillGaussian(values);
  if (positive) {
    for (float& value : values) value = std::max(value, 0.0F);
  }
  return values;
}

// sum (Q(x) - x)^2 = sum x^2 - n alpha^2.
TEST(BinaryActivationLevels, OfBothSignsAreTheMeanMagnitude) {
  const std::vector<float> values = {-4, 1, 2, 1};
  const std::vector<float> levels = BinaryActivationLevels(values);
  EXPECT_THAT(levels, ElementsAre(-2, 2));
  EXPECT_DOUBLE_EQ(SquaredError(levels, values), 22 - 4 * 4);
}

TEST(BinaryActivationLevels, OfOneSignKeepZero) {
  EXPECT_THAT(BinaryActivationLevels(std::vector<float>{0, 0, 4, 4, 1}), ElementsAre(0, 4));
  EXPECT_THAT(BinaryActivationLevels(std::vector<float>{0, -4, -6}), ElementsAre(-5, 0));
}

TEST(BinaryActivationLevels, OfNothingOrZerosIsZero) {
  EXPECT_THAT(BinaryActivationLevels(std::vector<float>{}), ElementsAre(0));
  EXPECT_THAT(BinaryActivationLevels(std::vector<float>{0, -0.0F}), ElementsAre(0));
  EXPECT_THAT(BinaryActivationLevels(std::vector<float>{std::nanf(""), INFINITY}), ElementsAre(0));
  EXPECT_THAT(BinaryActivationLevels(Histogram()), ElementsAre(0));
  EXPECT_THAT(TernaryActivationLevels(HistogramOf({0, 0})), ElementsAre(0));
}

// No step of a fine scan has a smaller error than the sweep's.
TEST(FewLevels, AreNoWorseThanAnyStepOfAScan) {
  constexpr int kSteps = 4000;
  constexpr double kOfBins = 1e-4;  // of sum x^2: values of a histogram are known up to their bin
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    const bool positive = seed % 2 == 0;
    const std::vector<float> values = Normal(seed, 5 + static_cast<int>(seed) * 3, positive);
    const float largest = std::abs(*std::ranges::max_element(values, {}, [](float v) { return std::abs(v); }));
    double norm = 0;
    for (const float value : values) norm += static_cast<double>(value) * value;
    const std::vector<float> ternary = TernaryActivationLevels(HistogramOf(values));
    ASSERT_EQ(ternary.size(), 3U);
    const double of_ternary = SquaredError(ternary, values);
    const double of_binary = SquaredError(BinaryActivationLevels(values), values);
    for (int i = 1; i <= kSteps; ++i) {
      const float step = largest * static_cast<float>(i) / kSteps;
      const std::vector<float> two = positive ? std::vector<float>{0, step} : std::vector<float>{-step, step};
      EXPECT_LE(of_binary, SquaredError(two, values) * (1 + 1e-6)) << seed << " " << step;
      const std::vector<float> three =
          positive ? std::vector<float>{0, step, 2 * step} : std::vector{-step, 0.0F, step};
      EXPECT_LE(of_ternary, SquaredError(three, values) + kOfBins * norm) << seed << " " << step;
    }
  }
}

// alpha = sum |x| q / sum q^2: 1 and 2 of 1, 1, 2.2 with codes 1, 1, 2.
TEST(TernaryActivationLevels, OfOneSignAreMultiplesOfTheBestStep) {
  const std::vector<float> levels = TernaryActivationLevels(HistogramOf({0, 1, 1, 2.25F}));
  ASSERT_EQ(levels.size(), 3U);
  EXPECT_EQ(levels[0], 0);
  EXPECT_NEAR(levels[1], (1 + 1 + 2 * 2.25) / 6, 2e-3);
  EXPECT_FLOAT_EQ(levels[2], 2 * levels[1]);
}

TEST(TernaryActivationLevels, OfBothSignsKeepZero) {
  const std::vector<float> levels = TernaryActivationLevels(HistogramOf({-3, -0.5F, 0, 0.25F, 3}));
  ASSERT_EQ(levels.size(), 3U);
  EXPECT_NEAR(levels[2], 3, 3e-3);
  EXPECT_EQ(levels[1], 0);
  EXPECT_EQ(levels[0], -levels[2]);
}

TEST(FakeQuantizeToLevels, IsAFixedPointWithTiesTowardsZero) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  std::vector<float> values = {-kInfinity, -1.5F, -1, -0.9F, 0, 0.9F, 1, 1.1F, kInfinity, std::nanf("")};
  FakeQuantizeToLevels(std::vector<float>{-2, 0, 2}, values);
  EXPECT_TRUE(std::isnan(values.back()));
  values.pop_back();
  EXPECT_THAT(values, ElementsAre(-2, -2, 0, 0, 0, 0, 0, 2, 2));
  const std::vector<float> once = values;
  FakeQuantizeToLevels(std::vector<float>{-2, 0, 2}, values);
  EXPECT_EQ(values, once);
  std::vector<float> signs = {-0.1F, 0, 0.1F};
  FakeQuantizeToLevels(std::vector<float>{-1, 1}, signs);
  EXPECT_THAT(signs, ElementsAre(-1, 1, 1));
}

// Quantized values, calibrated again, give the same levels.
TEST(FewLevels, CalibrateToThemselves) {
  for (const bool positive : {false, true}) {
    std::vector<float> values = Normal(7, 200, positive);
    const std::vector<float> levels = BinaryActivationLevels(values);
    FakeQuantizeToLevels(levels, values);
    EXPECT_EQ(BinaryActivationLevels(values), levels);
  }
}

}  // namespace
}  // namespace bitplan::quantization
