#include "search/quantization/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "search/base/rng.h"

namespace bitplan {
namespace {

std::vector<float> Gaussian(int count, uint64_t stream, float scale = 1) {
  std::vector<float> values(count);
  Rng(7, stream).FillGaussian(values);
  for (float& x : values) x *= scale;
  return values;
}

std::vector<int64_t> Bins(const Histogram& histogram) { return {histogram.bins().begin(), histogram.bins().end()}; }

// By definition: a number is in the bin whose edges hold it.
void ExpectCountsOf(const Histogram& histogram, const std::vector<float>& values) {
  std::vector<int64_t> wanted(Histogram::kNumBins, 0);
  for (const float x : values) {
    int bin = 0;
    while (bin + 1 < Histogram::kNumBins && histogram.lower_edge(bin + 1) <= x) ++bin;
    ASSERT_LE(histogram.lower_edge(bin), x);
    ASSERT_LT(x, histogram.lower_edge(bin) + histogram.bin_width());
    ++wanted[bin];
  }
  EXPECT_EQ(Bins(histogram), wanted);
}

TEST(Histogram, CountsEveryNumberInItsBin) {
  for (const float scale : {1.0F, 1e-30F, 3e30F}) {
    Histogram histogram;
    std::vector<float> values = Gaussian(500, 1, scale);
    values.push_back(0);
    ASSERT_TRUE(histogram.Add(values).ok());
    ExpectCountsOf(histogram, values);
    EXPECT_EQ(histogram.count(), 501);
    EXPECT_EQ(histogram.min(), std::ranges::min(values));
    EXPECT_EQ(histogram.max(), std::ranges::max(values));
    double sum = 0;
    double absolute = 0;
    for (const float x : values) {
      sum += x;
      absolute += std::abs(x);
    }
    EXPECT_DOUBLE_EQ(histogram.mean(), sum / 501);
    EXPECT_DOUBLE_EQ(histogram.mean_absolute(), absolute / 501);
    EXPECT_LT(histogram.bin_width(), (histogram.max() - histogram.min()) / 1023);
  }
}

TEST(Histogram, NeitherOrderNorPartsChangeABin) {
  // Values that grow from 1e-6 to 1e6: the range doubles many times.
  std::vector<float> values;
  for (int i = 0; i < 40; ++i) {
    for (const float x : Gaussian(20, i, static_cast<float>(std::pow(10, -6 + 0.3 * i)))) values.push_back(x);
  }
  Histogram at_once;
  ASSERT_TRUE(at_once.Add(values).ok());
  ExpectCountsOf(at_once, values);
  std::vector<float> backwards(values.rbegin(), values.rend());
  Histogram one_by_one;
  for (const float& x : backwards) ASSERT_TRUE(one_by_one.Add({&x, 1}).ok());
  Histogram merged;
  for (size_t i = 0; i < values.size(); i += 100) {
    Histogram part;
    ASSERT_TRUE(part.Add(std::span(values).subspan(i, 100)).ok());
    i % 200 == 0 ? merged.Merge(part) : (part.Merge(merged), void(merged = part));
  }
  for (const Histogram& other : {one_by_one, merged}) {
    EXPECT_EQ(Bins(other), Bins(at_once));
    EXPECT_EQ(other.bin_width(), at_once.bin_width());
    EXPECT_EQ(other.lower_edge(0), at_once.lower_edge(0));
    EXPECT_EQ(other.count(), at_once.count());
    EXPECT_NEAR(other.mean(), at_once.mean(), 1e-9 * at_once.mean_absolute());
  }
}

TEST(Histogram, HoldsTheExtremesOfFloat) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  constexpr float kTiny = std::numeric_limits<float>::denorm_min();
  const std::vector<float> values = {0, kTiny, -kTiny, 1, -kLargest, kLargest};
  Histogram histogram;
  for (const float& x : values) ASSERT_TRUE(histogram.Add({&x, 1}).ok());
  ExpectCountsOf(histogram, values);
  Histogram zeros;
  ASSERT_TRUE(zeros.Add(std::vector<float>(5, -0.0F)).ok());
  ASSERT_TRUE(zeros.Add({&kTiny, 1}).ok());
  EXPECT_EQ(zeros.count(), 6);
  ExpectCountsOf(zeros, {0, 0, 0, 0, 0, kTiny});
}

TEST(Histogram, RefusesWhatIsNoNumberAndCountsNothing) {
  Histogram histogram;
  const absl::Status status = histogram.Add(std::vector<float>{1, std::nanf("")});
  EXPECT_EQ(status.message(), "value[1]: got nan, want a finite number");
  EXPECT_FALSE(histogram.Add(std::vector<float>{std::numeric_limits<float>::infinity()}).ok());
  EXPECT_EQ(histogram.count(), 0);
  EXPECT_TRUE(histogram.bins().empty());
  EXPECT_EQ(histogram.mean(), 0);
  histogram.Merge({});
  EXPECT_TRUE(histogram.Add({}).ok());
  EXPECT_EQ(histogram.count(), 0);
}

}  // namespace
}  // namespace bitplan
