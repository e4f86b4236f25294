#include "search/base/rng.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <set>
#include <vector>

namespace bitplan {
namespace {

TEST(Rng, RepeatsForTheSameSeedAndStream) {
  Rng first(7, 3);
  Rng second(7, 3);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(first.NextBits(), second.NextBits());
}

TEST(Rng, StreamsAndSeedsDoNotCollide) {
  std::set<uint64_t> seen;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    for (uint64_t stream = 0; stream < 50; ++stream) {
      Rng rng(seed, stream);
      for (int i = 0; i < 4; ++i) seen.insert(rng.NextBits());
    }
  }
  EXPECT_EQ(seen.size(), 50U * 50U * 4U);
}

TEST(Rng, RademacherEntriesAreUnitsWithMeanZeroAndNoCorrelation) {
  constexpr int kSize = 100000;
  std::vector<float> values(kSize);
  Rng(1, 2).FillRademacher(values);
  double lag = 0;
  for (int i = 0; i < kSize; ++i) {
    ASSERT_EQ(std::abs(values[i]), 1.0F);
    if (i > 0) lag += values[i] * values[i - 1];
  }
  const double five_sigma = 5 * std::sqrt(static_cast<double>(kSize));
  EXPECT_LT(std::abs(std::accumulate(values.begin(), values.end(), 0.0)), five_sigma);
  EXPECT_LT(std::abs(lag), five_sigma);
}

TEST(Rng, GaussianHasTheMomentsOfTheStandardNormal) {
  constexpr int kSize = 200000;
  std::vector<float> values(kSize);
  Rng(5, 0).FillGaussian(values);
  double mean = 0;
  double square = 0;
  double fourth = 0;
  for (const double value : values) {
    mean += value / kSize;
    square += value * value / kSize;
    fourth += value * value * value * value / kSize;
  }
  // Standard deviations of the three averages: 1, sqrt(2), sqrt(96) over sqrt(n).
  const double unit = 5 / std::sqrt(static_cast<double>(kSize));
  EXPECT_NEAR(mean, 0, unit);
  EXPECT_NEAR(square, 1, unit * std::sqrt(2.0));
  EXPECT_NEAR(fourth, 3, unit * std::sqrt(96.0));
}

TEST(Rng, NextBelowIsUniformAndInRange) {
  Rng rng(11, 0);
  std::vector<int> counts(7);
  constexpr int kDraws = 70000;
  for (int i = 0; i < kDraws; ++i) ++counts.at(rng.NextBelow(counts.size()));
  for (const int count : counts) EXPECT_NEAR(count, 10000, 5 * std::sqrt(10000.0));
  EXPECT_EQ(rng.NextBelow(1), 0U);
}

}  // namespace
}  // namespace bitplan
