#include "search/quantization/range_rule_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "search/base/rng.h"
#include "search/base/status.h"
#include "search/quantization/aciq.h"
#include "search/quantization/affine.h"
#include "search/quantization/symmetric.h"

namespace bitplan::quantization {
namespace {

using ::testing::HasSubstr;

std::vector<float> Gaussian(int count, uint64_t stream) {
  std::vector<float> values(count);
  Rng(11, stream).FillGaussian(values);
  return values;
}

// Difference of two exponentials: mean |x| = 1.
std::vector<float> Laplace(int count, uint64_t stream) {
  Rng rng(12, stream);
  std::vector<float> values(count);
  for (float& x : values) x = static_cast<float>(std::log(1 - rng.NextUniform()) - std::log(1 - rng.NextUniform()));
  return values;
}

Range Calibrated(std::string_view rule, const std::vector<float>& values, int bits, bool symmetric) {
  return FindRangeRule(rule)->rule(DistributionOf(values), IntegerTarget(bits, symmetric));
}

double SquaredError(const std::vector<float>& values, const QuantizationGrid& grid) {
  double error = 0;
  for (const float x : values) error += std::pow(static_cast<double>(Decode(grid, Encode(grid, x))) - x, 2);
  return error;
}

// What every rule promises.
class EveryRangeRule : public ::testing::TestWithParam<RangeRuleEntry> {};

TEST_P(EveryRangeRule, GivesAFiniteRangeForAnyNumbers) {
  const std::vector<std::vector<float>> samples = {
      {0}, {0, 0, 0}, {3, 3}, {-1e-30F}, {1, 2, 3}, {-5, -4}, {-3e30F, 3e30F, 0}, Gaussian(300, 1), Laplace(3000, 2)};
  for (const std::vector<float>& values : samples) {
    for (const bool symmetric : {true, false}) {
      for (const int bits : {2, 4, 8}) {
        const Range range = Calibrated(GetParam().name, values, bits, symmetric);
        EXPECT_TRUE(std::isfinite(range.min) && std::isfinite(range.max));
        EXPECT_LE(range.min, range.max);
      }
    }
  }
}

TEST_P(EveryRangeRule, AHistogramGivesAlmostTheRangeOfTheNumbers) {
  for (const bool symmetric : {true, false}) {
    const std::vector<float> values = Gaussian(20'000, 3);
    Histogram histogram;
    ASSERT_TRUE(histogram.Add(values).ok());
    const Range exact = Calibrated(GetParam().name, values, 4, symmetric);
    const auto range = CalibrateRange(GetParam().name, histogram, 4, symmetric);
    ASSERT_TRUE(range.ok()) << range.status();
    // Bins are 1/1023 of the range or narrower. The minima of divergence and squared error are flat, so that small
    // changes of the numbers move them by several steps of the search (1/128 and 1/32 of the range).
    const bool is_search = GetParam().name == "kl" || GetParam().name == "mse";
    const double tolerance = (histogram.max() - histogram.min()) * (is_search ? 0.05 : 0.002);
    EXPECT_NEAR(range->min, exact.min, tolerance);
    EXPECT_NEAR(range->max, exact.max, tolerance);
  }
}

TEST_P(EveryRangeRule, ClipsAnOutlierOfManyNumbersUnlessItIsMinMax) {
  std::vector<float> values = Gaussian(20'000, 4);
  values.push_back(100);
  const Range range = Calibrated(GetParam().name, values, 4, true);
  if (GetParam().name == kMinMax) {
    EXPECT_EQ(range.max, 100);
  } else {
    EXPECT_LT(range.max, 10);
    EXPECT_GT(range.max, 1);
  }
}

INSTANTIATE_TEST_SUITE_P(Table, EveryRangeRule, ::testing::ValuesIn(RangeRules().begin(), RangeRules().end()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(RangeRuleTable, NamesAreUniqueAndFound) {
  std::set<std::string_view> names;
  for (const RangeRuleEntry& entry : RangeRules()) {
    EXPECT_TRUE(names.insert(entry.name).second) << entry.name;
    EXPECT_FALSE(entry.summary.empty() || entry.source.empty());
  }
  EXPECT_EQ(MessageOf(FindRangeRule("max").status()),
            "range: got 'max', want one of minmax, percentile, kl, mse, aciq");
}

TEST(CalibrateRange, SaysWhatIsWrong) {
  Histogram histogram;
  EXPECT_THAT(MessageOf(CalibrateRange("mse", histogram, 4, true).status()), HasSubstr("holds no numbers"));
  ASSERT_TRUE(histogram.Add(std::vector<float>{1, 2}).ok());
  EXPECT_EQ(CalibrateRange("max", histogram, 4, true).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(MessageOf(CalibrateRange("mse", histogram, 9, true).status()), "bits: got 9, want 2..8");
  EXPECT_EQ(CalibrateRange("minmax", histogram, 4, true)->max, 2);
}

TEST(PercentileRange, CutsOneInAThousandByNearestRank) {
  // -1000 .. 999: floor(0.001 * 2000) = 2 numbers go: -1000, then -999 (the left of two equal magnitudes goes first).
  std::vector<float> values;
  for (int i = -1000; i < 1000; ++i) values.push_back(static_cast<float>(i));
  EXPECT_EQ(Calibrated("percentile", values, 8, true).max, 999);
  EXPECT_EQ(Calibrated("percentile", values, 8, true).min, -999);
  EXPECT_EQ(Calibrated("percentile", values, 8, false).min, -999);
  EXPECT_EQ(Calibrated("percentile", values, 8, false).max, 998);
  // Of fewer than a thousand none goes.
  EXPECT_EQ(Calibrated("percentile", {1, 2, 300}, 8, true).max, 300);
}

TEST(MeanSquaredErrorRange, NoSymmetricClipIsBetter) {
  for (const int bits : {2, 3, 4, 8}) {
    for (const std::vector<float>& values : {Gaussian(250, 5), Laplace(250, 6), Gaussian(5, 7), {1, -1, 0.1F}}) {
      const double least = SquaredError(values, SymmetricGrid(Calibrated("mse", values, bits, true), bits));
      for (int i = 1; i <= 2000; ++i) {
        const float clip = 6.0F * static_cast<float>(i) / 2000;
        // One part in a million: the scale and the quotients are rounded to floats.
        EXPECT_LE(least, SquaredError(values, SymmetricGrid({-clip, clip}, bits)) * (1 + 1e-6) + 1e-12) << clip;
      }
    }
  }
}

TEST(MeanSquaredErrorRange, ManyNumbersCostAlmostNothing) {
  for (const int bits : {2, 4, 8}) {
    const std::vector<float> values = Laplace(100'000, 8);
    const double least = SquaredError(values, SymmetricGrid(Calibrated("mse", values, bits, true), bits));
    for (int i = 1; i <= 100; ++i) {
      const float clip = 15.0F * static_cast<float>(i) / 100;
      EXPECT_LE(least, SquaredError(values, SymmetricGrid({-clip, clip}, bits)) * (bits < 8 ? 1.0001 : 1.005));
    }
  }
}

TEST(MeanSquaredErrorRange, NoAffineClipIsMuchBetter) {
  for (const int bits : {2, 3, 4}) {
    std::vector<float> values = Laplace(400, 9);
    for (float& x : values) x = x > 0 ? 2 * x : x;  // lopsided
    const auto [low, high] = std::ranges::minmax(values);
    const double least = SquaredError(values, AffineGrid(Calibrated("mse", values, bits, false), bits));
    double best = SquaredError(values, AffineGrid({low, high}, bits));
    EXPECT_LT(least, best);
    for (int i = 1; i <= 32; ++i) {
      for (int j = 1; j <= 32; ++j) {
        const Range range{low * static_cast<float>(i) / 32, high * static_cast<float>(j) / 32};
        best = std::min(best, SquaredError(values, AffineGrid(range, bits)));
      }
    }
    EXPECT_LE(least, best * 1.01);
  }
}

TEST(Aciq, ClipsAreThePublishedOnes) {
  // Banner et al. (2019), section 3 and their code: optimal clips for 2 .. 8 bits.
  const std::vector<double> laplace = {2.83, 3.89, 5.03, 6.20, 7.41, 8.64, 9.89};
  const std::vector<double> gauss = {1.71, 2.15, 2.55, 2.93, 3.28, 3.61, 3.92};
  for (int bits = 2; bits <= 8; ++bits) {
    EXPECT_NEAR(LaplaceClip(bits), laplace[bits - 2], 0.011);
    EXPECT_NEAR(GaussClip(bits), gauss[bits - 2], 0.011);
  }
}

TEST(Aciq, PicksTheDensityThatFits) {
  // Standard errors: mean |x| and deviation of 20,000 numbers are known to about 1 %.
  EXPECT_NEAR(Calibrated("aciq", Gaussian(20'000, 1), 4, true).max, GaussClip(4), 0.06);
  EXPECT_NEAR(Calibrated("aciq", Laplace(20'000, 1), 4, true).max, LaplaceClip(4), 0.15);
}

TEST(Aciq, ExpectedErrorIsThatOfTheDensity) {
  // Monte Carlo: the squared error of 200,000 numbers clipped at c and put into 2^bits equal cells of [-c, c].
  for (const int bits : {3, 4}) {
    const double clip = GaussClip(bits);
    const double cell = 2 * clip / (1 << bits);
    double error = 0;
    const std::vector<float> values = Gaussian(200'000, 2);
    for (const float x : values) {
      const double clipped = std::clamp<double>(x, -clip, clip);
      const double index = std::min(std::floor((clipped + clip) / cell), (1 << bits) - 1.0);
      error += std::pow((index + 0.5) * cell - clip - x, 2) / 200'000;
    }
    // The last cell's middle is half a cell inside the clip: that part is not in the formula, 15 % at 3 bits.
    EXPECT_NEAR(GaussClippingError(clip, bits) / error, 1, 0.2);
  }
}

TEST(AciqBitAllocation, KeepsTheQuotaAndFollowsTheTwoThirdsLaw) {
  // clip^(2/3) = 1, 4, 16 (clips 1, 8, 64): shares of 3 * 2^4 = 48 levels are 2.3, 9.1, 36.6 -> 1, 3, 5 bits, 42
  // levels; 6 are left: 2 more for the first channel make it 2 bits (44), then none fits but its 3rd bit (48).
  EXPECT_EQ(*AciqBitAllocation(std::vector<double>{1, 8, 64}, 4), (std::vector<int>{3, 3, 5}));
  EXPECT_EQ(*AciqBitAllocation(std::vector<double>{2, 2, 2, 2}, 3), (std::vector<int>{3, 3, 3, 3}));
  EXPECT_EQ(*AciqBitAllocation(std::vector<double>{0, 1}, 2), (std::vector<int>{0, 3}));
  Rng rng(13, 0);
  for (int run = 0; run < 50; ++run) {
    std::vector<double> clips(1 + rng.NextBelow(40));
    for (double& clip : clips) clip = std::exp(3 * rng.NextGaussian());
    const int mean_bits = static_cast<int>(1 + rng.NextBelow(8));
    const auto bits = AciqBitAllocation(clips, mean_bits);
    ASSERT_TRUE(bits.ok());
    int64_t levels = 0;
    double noise = 0;
    double uniform = 0;
    for (size_t i = 0; i < clips.size(); ++i) {
      levels += (*bits)[i] == 0 ? 0 : int64_t{1} << (*bits)[i];
      noise += clips[i] * clips[i] / std::pow(4.0, (*bits)[i]);
      uniform += clips[i] * clips[i] / std::pow(4.0, mean_bits);
    }
    EXPECT_LE(levels, static_cast<int64_t>(clips.size()) << mean_bits);
    // Powers of two cost at most one bit of each channel's ideal share, and the ideal beats uniform bits.
    EXPECT_LE(noise, 4 * uniform);
  }
}

TEST(AciqBitAllocation, IsNearTheBestOfAllAllocations) {
  Rng rng(14, 0);
  for (int run = 0; run < 20; ++run) {
    std::vector<double> clips(3);
    for (double& clip : clips) clip = std::exp(rng.NextGaussian());
    const auto noise = [&](const std::vector<int>& bits) {
      double sum = 0;
      for (size_t i = 0; i < 3; ++i) sum += clips[i] * clips[i] / std::pow(4.0, bits[i]);
      return sum;
    };
    const auto levels = [](int b) { return b == 0 ? 0 : 1 << b; };
    double best = 1e300;
    for (int a = 0; a <= 8; ++a) {
      for (int b = 0; b <= 8; ++b) {
        for (int c = 0; c <= 8; ++c) {
          if (levels(a) + levels(b) + levels(c) <= 3 * 8) best = std::min(best, noise({a, b, c}));
        }
      }
    }
    // Greedy steps of whole bits: within the factor of one bit on every channel.
    EXPECT_LE(noise(*AciqBitAllocation(clips, 3)), 4 * best);
  }
}

TEST(AciqBitAllocation, SaysWhatIsWrong) {
  EXPECT_FALSE(AciqBitAllocation({}, 4).ok());
  EXPECT_THAT(MessageOf(AciqBitAllocation(std::vector<double>{1, -1}, 4).status()), HasSubstr("clips[1]: got -1"));
  EXPECT_THAT(MessageOf(AciqBitAllocation(std::vector<double>{1}, 0).status()), HasSubstr("mean_bits: got 0"));
}

}  // namespace
}  // namespace bitplan::quantization
