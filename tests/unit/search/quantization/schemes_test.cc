// Single schemes against hand-computed values, brute force and optimality conditions.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "search/base/rng.h"
#include "search/base/status.h"
#include "search/quantization/binary.h"
#include "search/quantization/clusters.h"
#include "search/quantization/codebooks.h"
#include "search/quantization/float_formats.h"
#include "search/quantization/levels.h"
#include "search/quantization/multi_bit_binary.h"
#include "search/quantization/powers_of_two.h"
#include "search/quantization/quantizer.h"
#include "search/quantization/symmetric_full.h"

namespace bitplan::quantization {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<float> Gaussian(int count, uint64_t stream) {
  std::vector<float> values(count);
  Rng(31, stream).FillGaussian(values);
  return values;
}

WeightGroup GroupOf(const std::vector<float>& values) {
  return {.values = values, .importance = {}, .range = {}, .tensor_largest = 0};
}

double ErrorOf(const std::vector<float>& levels, const std::vector<float>& values,
               const std::vector<float>& weights = {}) {
  const std::vector<double> exact(levels.begin(), levels.end());
  double error = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const double delta = exact[NearestLevel(exact, values[i])] - values[i];
    error += (weights.empty() ? 1 : weights[i]) * delta * delta;
  }
  return error;
}

TEST(SymmetricFullGrid, TakesTheSmallestScaleThatHoldsTheRange) {
  EXPECT_EQ(SymmetricFullGrid({-8, 3}, 4),
            (QuantizationGrid{.scale = 1, .zero_point = 0, .min_code = -8, .max_code = 7}));
  EXPECT_EQ(SymmetricFullGrid({-8, 14}, 4).scale, 2);
  EXPECT_EQ(SymmetricFullGrid({1, 7}, 4).scale, 1);
  EXPECT_EQ(SymmetricFullGrid({0, 0}, 4).scale, 1);
}

TEST(NearestLevel, TiesGoToEvenPlacesFromZero) {
  const std::vector<double> levels = {-3, -1, 0, 1, 3};
  EXPECT_EQ(NearestLevel(levels, 0.5), 2);   // 0 rather than 1
  EXPECT_EQ(NearestLevel(levels, 2), 4);     // 3 is two places away, 1 is one
  EXPECT_EQ(NearestLevel(levels, -0.5), 2);  // mirrored
  EXPECT_EQ(NearestLevel(levels, -2), 0);
  EXPECT_EQ(NearestLevel(levels, 100), 4);
  EXPECT_EQ(NearestLevel(levels, -100), 0);
  EXPECT_EQ(NearestLevel(std::vector<double>{-1, 1}, 0), 1);
}

TEST(StableScale, IsFoundAgainFromWhatItExpresses) {
  Rng rng(32, 0);
  for (const double top : {7.0, 127.0, 448.0, 57344.0, 6.0, 1.0}) {
    for (int i = 0; i < 200; ++i) {
      const auto largest = static_cast<float>(std::exp(20 * rng.NextGaussian()));
      const float scale = StableScale(largest, top);
      const auto expressed = static_cast<float>(scale * top);
      EXPECT_NEAR(expressed / largest, 1, 1e-6);
      EXPECT_EQ(StableScale(expressed, top), scale) << top << " " << largest;
    }
  }
  EXPECT_TRUE(std::isfinite(StableScale(std::numeric_limits<float>::max(), 7) * 7));
}

TEST(PowerOfTwo, LevelsAndScaleFollowTheRule) {
  EXPECT_THAT(PowerOfTwoLevels(2), ElementsAre(-1, 0, 1));
  EXPECT_THAT(PowerOfTwoLevels(3), ElementsAre(-1, -0.5, -0.25, 0, 0.25, 0.5, 1));
  const auto scale = [](float largest) {
    return PowerOfTwoScale({.values = {}, .importance = {}, .range = {-largest, 0}});
  };
  EXPECT_EQ(scale(1), 1);
  EXPECT_EQ(scale(1.49F), 1);  // 4/3 * 1.49 < 2
  EXPECT_EQ(scale(1.5F), 2);
  EXPECT_EQ(scale(0.75F), 1);
  EXPECT_EQ(scale(0), 1);
}

TEST(PowerOfTwo, RelativeErrorIsAtMostAThird) {
  const Tensor weight{.shape = {500}, .data = {}};
  Tensor filled = Tensor::Zeros({500});
  Rng(33, 0).FillGaussian(filled.data);
  const auto perturbation =
      Perturb(filled, 0, {.weight_bits = 4, .scheme = "power_of_two", .granularity = Granularity::kPerTensor});
  ASSERT_TRUE(perturbation.ok());
  float largest = 0;
  for (const float w : filled.data) largest = std::max(largest, std::abs(w));
  for (size_t i = 0; i < 500; ++i) {
    if (std::abs(filled.data[i]) < largest / 32) continue;  // 7 magnitudes reach down to 2^-6 of the scale
    EXPECT_LE(std::abs(perturbation->delta[i]), std::abs(filled.data[i]) / 3 * 1.000001);
  }
}

TEST(AdditivePowerOfTwo, SumsAreThoseOfThePaper) {
  EXPECT_THAT(AdditivePowerOfTwoLevels(2), ElementsAre(-1, 0, 1));
  EXPECT_THAT(AdditivePowerOfTwoLevels(3), ElementsAre(-1, -0.5, -0.25, 0, 0.25, 0.5, 1));
  // 5 bits, two terms {0, 1, 1/4, 1/16} + {0, 1/2, 1/8, 1/32}; the largest sum is 3/2.
  const std::vector<double> levels = AdditivePowerOfTwoLevels(5);
  EXPECT_EQ(levels.size(), 31U);
  std::vector<double> sums;
  for (const double a : {0.0, 1.0, 0.25, 0.0625}) {
    for (const double b : {0.0, 0.5, 0.125, 0.03125}) sums.push_back((a + b) / 1.5);
  }
  std::ranges::sort(sums);
  EXPECT_EQ(std::vector(levels.begin() + 15, levels.end()), sums);
  for (int bits = 2; bits <= 8; ++bits) {
    const std::vector<double> all = AdditivePowerOfTwoLevels(bits);
    EXPECT_EQ(all.size(), (size_t{1} << bits) - 1) << bits;
    EXPECT_EQ(std::ranges::adjacent_find(all), all.end());
  }
}

TEST(FloatFormats, LevelsAreThoseOfTheSpecification) {
  EXPECT_THAT(Fp4E2M1Levels(4), ElementsAre(-6, -4, -3, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 4, 6));
  const std::vector<double> e4m3 = Fp8E4M3Levels(8);
  EXPECT_EQ(e4m3.size(), 253U);  // 256 codes less two NaN and one zero
  EXPECT_EQ(e4m3.back(), 448);
  EXPECT_EQ(e4m3[e4m3.size() - 2], 416);
  EXPECT_EQ(e4m3[127], std::ldexp(1, -9));
  const std::vector<double> e5m2 = Fp8E5M2Levels(8);
  EXPECT_EQ(e5m2.size(), 247U);  // less infinities, six NaN and one zero
  EXPECT_EQ(e5m2.back(), 57344);
  EXPECT_EQ(e5m2[124], std::ldexp(1, -16));
}

TEST(FloatFormats, RelativeErrorOfNormalNumbersIsHalfAnUlp) {
  for (const auto& [scheme, half_ulp, smallest] :
       {std::tuple{"fp8_e4m3", 1.0 / 16, std::ldexp(1, -6) / 448}, {"fp8_e5m2", 1.0 / 8, std::ldexp(1, -14) / 57344}}) {
    Tensor weight = Tensor::Zeros({1000});
    Rng(34, 0).FillGaussian(weight.data);
    const auto p = Perturb(weight, 0, {.weight_bits = 8, .scheme = scheme, .granularity = Granularity::kPerTensor});
    ASSERT_TRUE(p.ok());
    float largest = 0;
    for (const float w : weight.data) largest = std::max(largest, std::abs(w));
    for (size_t i = 0; i < 1000; ++i) {
      const double magnitude = std::max<double>(std::abs(weight.data[i]), smallest * largest);
      EXPECT_LE(std::abs(p->delta[i]), half_ulp * magnitude * 1.000001);
    }
  }
}

TEST(Mxfp4, BlocksFollowTheSpecification) {
  // Largest 7: 2^(floor(log2 7) - 2) = 1, 7 saturates at 6, 5 is half way between 4 and 6: even mantissa, 4. The second
  // block, of three weights, has 0.3: scale 2^(-2 - 2) = 1/16.
  Tensor weight = Tensor::Zeros({1, 35});
  weight.data[0] = 7;
  weight.data[1] = -5;
  weight.data[2] = 0.3F;
  weight.data[32] = 0.3F;
  const Option option{.weight_bits = 4, .scheme = "mxfp4", .granularity = Granularity::kPerGroup, .group_size = 32};
  const auto quantized = Quantize(weight, 0, option);
  ASSERT_TRUE(quantized.ok()) << quantized.status();
  EXPECT_THAT(quantized->scales, ElementsAre(1, 0.0625F));
  const std::vector<float> values = Dequantize(*quantized, weight.shape);
  EXPECT_EQ(values[0], 6);
  EXPECT_EQ(values[1], -4);
  EXPECT_EQ(values[2], 0.5F);
  EXPECT_EQ(values[32], 0.25F);  // 4.8 sixteenths: 4
}

TEST(Nvfp4, BlockScalesAreE4M3TimesTheTensors) {
  // Tensor's largest 2688 = 6 * 448: g = 1. Block 2 has 30: 30 / 6 = 5, an E4M3 value.
  Tensor weight = Tensor::Zeros({1, 32});
  weight.data[0] = 2688;
  weight.data[16] = 30;
  weight.data[17] = 5;
  const Option option{.weight_bits = 4, .scheme = "nvfp4", .granularity = Granularity::kPerGroup, .group_size = 16};
  const auto quantized = Quantize(weight, 0, option);
  ASSERT_TRUE(quantized.ok()) << quantized.status();
  EXPECT_THAT(quantized->scales, ElementsAre(448, 5));
  EXPECT_EQ(Dequantize(*quantized, weight.shape)[17], 5);
}

TEST(Binary, ScaleIsOptimalAndTheErrorIsTheClosedForm) {
  const std::vector<float> values = Gaussian(200, 1);
  const std::vector<float> levels = BinaryLevels(GroupOf(values), 1);
  const double alpha = levels[1];
  double squares = 0;
  for (const float w : values) squares += static_cast<double>(w) * w;
  EXPECT_NEAR(ErrorOf(levels, values), squares - 200 * alpha * alpha, 1e-5 * squares);
  for (const float other : {0.9F, 0.99F, 1.01F, 1.1F}) {
    EXPECT_LT(ErrorOf(levels, values), ErrorOf({-levels[1] * other, levels[1] * other}, values));
  }
}

TEST(Ternary, AlphaIsOptimalForItsCodesAndNoWorseThanTwn) {
  for (uint64_t stream = 2; stream < 12; ++stream) {
    const std::vector<float> values = Gaussian(150, stream);
    const std::vector<float> levels = TernaryLevels(GroupOf(values), 2);
    ASSERT_EQ(levels.size(), 3U);
    double sum = 0;
    double above = 0;
    double mean = 0;
    for (const float w : values) {
      mean += std::abs(w) / 150;
      if (std::abs(w) <= levels[2] / 2) continue;
      sum += std::abs(w);
      ++above;
    }
    EXPECT_NEAR(levels[2], sum / above, 1e-6);
    // TWN as published: threshold 0.7 mean |w|, codes by the threshold.
    double published = 0;
    double alpha = 0;
    double count = 0;
    for (const float w : values) {
      if (std::abs(w) > 0.7 * mean) {
        alpha += std::abs(w);
        ++count;
      }
    }
    alpha /= count;
    for (const float w : values) {
      published += std::pow(std::abs(w) > 0.7 * mean ? std::abs(w) - alpha : std::abs(w), 2);
    }
    EXPECT_LE(ErrorOf(levels, values), published * (1 + 1e-6));
  }
}

// Least cost of cutting the sorted values into at most k runs, by trying all cuts.
double BruteForce(std::vector<std::pair<float, float>> points, size_t first, int k) {
  if (first == points.size()) return 0;
  if (k == 0) return std::numeric_limits<double>::infinity();
  double best = std::numeric_limits<double>::infinity();
  for (size_t last = first + 1; last <= points.size(); ++last) {
    double mass = 0;
    double mean = 0;
    for (size_t i = first; i < last; ++i) {
      mass += points[i].second;
      mean += static_cast<double>(points[i].second) * points[i].first;
    }
    mean /= mass;
    double cost = 0;
    for (size_t i = first; i < last; ++i) cost += points[i].second * std::pow(points[i].first - mean, 2);
    best = std::min(best, cost + BruteForce(points, last, k - 1));
  }
  return best;
}

TEST(KMeans, IsTheOptimumOfAllPartitions) {
  for (uint64_t stream = 0; stream < 30; ++stream) {
    const std::vector<float> values = Gaussian(static_cast<int>(5 + stream % 6), 100 + stream);
    std::vector<float> importance(values.size());
    Rng rng(35, stream);
    for (float& h : importance) h = static_cast<float>(rng.NextUniform() + 0.01);
    for (const int bits : {1, 2}) {
      for (const bool weighted : {false, true}) {
        std::vector<std::pair<float, float>> points;
        for (size_t i = 0; i < values.size(); ++i) points.emplace_back(values[i], weighted ? importance[i] : 1);
        std::ranges::sort(points);
        WeightGroup group = GroupOf(values);
        if (weighted) group.importance = importance;
        const std::vector<float> levels = weighted ? HessianKMeansLevels(group, bits) : KMeansLevels(group, bits);
        EXPECT_LE(levels.size(), size_t{1} << bits);
        const double optimum = BruteForce(points, 0, 1 << bits);
        EXPECT_NEAR(ErrorOf(levels, values, weighted ? importance : std::vector<float>{}), optimum, 1e-6) << stream;
      }
    }
  }
}

TEST(KMeans, BeatsLloydMaxAndUniformOnManyWeights) {
  const std::vector<float> values = Gaussian(20'000, 7);
  for (const int bits : {2, 4, 6}) {
    const double optimum = ErrorOf(KMeansLevels(GroupOf(values), bits), values);
    // The joined parts of 20,000 values cost less than one part in a thousand.
    EXPECT_LE(optimum, ErrorOf(LloydMaxLevels(GroupOf(values), bits), values) * 1.001) << bits;
  }
}

TEST(HessianKMeans, NeedsTheImportanceOfEveryWeight) {
  const Tensor weight{.shape = {4}, .data = {1, 2, 3, 4}};
  const Option option{.weight_bits = 2, .scheme = "hessian_kmeans", .granularity = Granularity::kPerTensor};
  EXPECT_EQ(MessageOf(Perturb(weight, 0, option).status()),
            "importance: hessian_kmeans needs that of each weight (a curvature diagonal), got none");
  const std::vector<float> bad = {1, 1, -1, 1};
  EXPECT_THAT(MessageOf(Perturb(weight, 0, option, {.importance = bad}).status()), HasSubstr("importance[2]: got -1"));
  EXPECT_THAT(MessageOf(Perturb(weight, 0, option, {.importance = std::span(bad).first(2)}).status()),
              HasSubstr("importance: got 2 values for 4 weights"));
  const std::vector<float> none(4, 0.0F);
  EXPECT_TRUE(Perturb(weight, 0, option, {.importance = none}).ok());
}

TEST(LloydMax, FulfilsBothConditions) {
  for (const int bits : {2, 3, 4, 6}) {
    const std::vector<float> values = Gaussian(3000, 8);
    const std::vector<float> levels = LloydMaxLevels(GroupOf(values), bits);
    const std::vector<double> exact(levels.begin(), levels.end());
    std::vector<double> sums(levels.size(), 0.0);
    std::vector<double> counts(levels.size(), 0.0);
    for (const float w : values) {
      const int32_t code = NearestLevel(exact, w);
      sums[code] += w;
      counts[code] += 1;
    }
    for (size_t j = 0; j < levels.size(); ++j) EXPECT_NEAR(levels[j], sums[j] / counts[j], 1e-6) << bits;
  }
  // Known optimum of the unit normal at 2 bits: +-0.4528, +-1.5104, error 0.1175 (Max 1960); 100,000 draws, 1 %.
  const std::vector<float> many = Gaussian(100'000, 9);
  const std::vector<float> levels = LloydMaxLevels(GroupOf(many), 2);
  EXPECT_NEAR(levels[2], 0.4528, 0.02);
  EXPECT_NEAR(levels[3], 1.5104, 0.03);
  EXPECT_NEAR(ErrorOf(levels, many) / 100'000, 0.1175, 0.002);
}

TEST(MultiBitBinary, GreedyScalesAreMeansOfResiduals) {
  const std::vector<float> values = {3, -1, 5, -3};
  // alpha_1 = 3, residual 0, 2, 2, 0 (sign -: -1 + 3); alpha_2 = 1: sums +-3 +-1.
  EXPECT_THAT(GreedyBinaryLevels(GroupOf(values), 2), ElementsAre(-4, -2, 2, 4));
}

TEST(MultiBitBinary, AlternatingIsNoWorseThanGreedyAndOneBitIsBinary) {
  for (uint64_t stream = 0; stream < 20; ++stream) {
    const std::vector<float> values = Gaussian(100, 200 + stream);
    for (const int bits : {2, 3, 4}) {
      EXPECT_LE(ErrorOf(AlternatingBinaryLevels(GroupOf(values), bits), values),
                ErrorOf(GreedyBinaryLevels(GroupOf(values), bits), values) * (1 + 1e-6));
    }
    EXPECT_EQ(GreedyBinaryLevels(GroupOf(values), 1), BinaryLevels(GroupOf(values), 1));
  }
}

TEST(MultiBitBinary, AlternatingFindsTheBestSumsOfFewWeights) {
  // Weights that are exact sums +-a +-b have an error of zero; alternating must end there or at a point where neither
  // half-step helps. On these it gets there.
  const std::vector<float> values = {1.5F, 0.5F, -0.5F, -1.5F, 1.5F, -1.5F};
  EXPECT_NEAR(ErrorOf(AlternatingBinaryLevels(GroupOf(values), 2), values), 0, 1e-10);
}

TEST(ProductQuantization, KeepsFewVectorsAndBeatsBinaryOnMany) {
  const Option option{.weight_bits = 1, .scheme = "product_quantization", .granularity = Granularity::kPerTensor};
  // 12 weights a channel: a vector of 8 and one of 4. Channels are columns here.
  Tensor few = Tensor::Zeros({12, 20});
  Rng(36, 0).FillGaussian(few.data);
  EXPECT_EQ(Perturb(few, 1, option)->squared_norm, 0);
  Tensor many = Tensor::Zeros({64, 160});
  Rng(36, 1).FillGaussian(many.data);
  const auto product = Perturb(many, 0, option, {.seed = 1});
  ASSERT_TRUE(product.ok());
  const double binary = Perturb(many, 0, {.weight_bits = 1, .scheme = "binary"})->squared_norm;
  EXPECT_LT(product->squared_norm, binary);
  EXPECT_EQ(product->delta, Perturb(many, 0, option, {.seed = 1})->delta);
  EXPECT_NE(product->delta, Perturb(many, 0, option, {.seed = 2})->delta);
}

TEST(Perturb, GroupsAndRangeRulesReduceTheError) {
  Tensor weight = Tensor::Zeros({16, 128});
  Rng(37, 0).FillGaussian(weight.data);
  for (size_t i = 0; i < weight.data.size(); i += 50) weight.data[i] *= 6;  // outliers
  const auto error = [&](Granularity granularity, int64_t size, std::string range) {
    return Perturb(weight, 0, {.weight_bits = 3, .granularity = granularity, .group_size = size, .range = range})
        ->squared_norm;
  };
  const double per_channel = error(Granularity::kPerChannel, 0, "minmax");
  EXPECT_LT(error(Granularity::kPerGroup, 32, "minmax"), per_channel);
  EXPECT_LT(error(Granularity::kPerChannel, 0, "mse"), per_channel);
  EXPECT_GT(error(Granularity::kPerChannelGroup, 4, "minmax"), per_channel);
  EXPECT_LT(error(Granularity::kPerChannelGroup, 4, "minmax"), error(Granularity::kPerTensor, 0, "minmax"));
  EXPECT_EQ(error(Granularity::kPerChannelGroup, 1, "minmax"), per_channel);
  EXPECT_EQ(error(Granularity::kPerGroup, 128, "minmax"), per_channel);
}

TEST(Quantize, PerGroupCutsAChannelInStorageOrder) {
  // Channels are columns: column 0 holds 7, 1, 14, 2; groups of two: {7, 1} and {14, 2}.
  const Tensor weight{.shape = {4, 2}, .data = {7, 70, 1, 10, 14, 7, 2, 1}};
  const auto quantized =
      Quantize(weight, 1, {.weight_bits = 4, .granularity = Granularity::kPerGroup, .group_size = 2});
  ASSERT_TRUE(quantized.ok()) << quantized.status();
  ASSERT_EQ(quantized->grids.size(), 4U);
  EXPECT_EQ(quantized->grids[0].scale, 1);
  EXPECT_EQ(quantized->grids[1].scale, 2);
  EXPECT_EQ(quantized->grids[2].scale, 10);
  EXPECT_EQ(quantized->grids[3].scale, 1);
  EXPECT_THAT(quantized->codes, ElementsAre(7, 7, 1, 1, 7, 7, 1, 1));
}

TEST(Quantize, SaysWhichOptionsASchemeDoesNotHave) {
  const Tensor weight = Tensor::Zeros({2, 32});
  const auto message = [&](const Option& option) { return MessageOf(Quantize(weight, 0, option).status()); };
  EXPECT_EQ(message({.weight_bits = 2, .scheme = "binary"}), "weight_bits: got 2, want 1 for binary");
  EXPECT_EQ(message({.weight_bits = 4, .granularity = Granularity::kPerGroup, .group_size = 7}),
            "group_size: got 7, want a divisor of the 32 weights of a channel");
  EXPECT_THAT(message({.weight_bits = 4, .granularity = Granularity::kPerGroup}), HasSubstr("group_size: got 0"));
  EXPECT_EQ(message({.weight_bits = 4, .group_size = 7}), "group_size: got 7, want none for per_channel");
  EXPECT_EQ(message({.weight_bits = 4, .scheme = "mxfp4"}), "granularity: mxfp4 does not have per_channel");
  EXPECT_EQ(message({.weight_bits = 4, .scheme = "mxfp4", .granularity = Granularity::kPerGroup, .group_size = 16}),
            "group_size: got 16, want 32 for mxfp4");
  EXPECT_EQ(message({.weight_bits = 4, .scheme = "kmeans", .range = "mse"}),
            "range: kmeans takes no range rule, got 'mse'");
  EXPECT_EQ(message({.weight_bits = 4, .scheme = "kmeans", .rounding = Rounding::kStochastic}),
            "rounding: kmeans rounds to nearest, got 'stochastic'");
  EXPECT_THAT(message({.weight_bits = 4, .range = "max"}), HasSubstr("range: got 'max', want one of minmax"));
}

}  // namespace
}  // namespace bitplan::quantization
