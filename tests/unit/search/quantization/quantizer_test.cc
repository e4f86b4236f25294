#include "search/quantization/quantizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "search/base/status.h"
#include "search/quantization/affine.h"
#include "search/quantization/symmetric.h"

namespace bitplan::quantization {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Option Make(int bits, std::string scheme, Granularity granularity = Granularity::kPerTensor) {
  return {.weight_bits = bits, .scheme = std::move(scheme), .granularity = granularity};
}

TEST(SymmetricGrid, MapsTheLargestMagnitudeToTheLargestCode) {
  EXPECT_EQ(SymmetricGrid({.min = -3, .max = 1}, 4),
            (QuantizationGrid{.scale = 3.0F / 7, .zero_point = 0, .min_code = -7, .max_code = 7}));
  // 2 bits is ternary.
  EXPECT_EQ(SymmetricGrid({.min = -1, .max = 2}, 2),
            (QuantizationGrid{.scale = 2, .zero_point = 0, .min_code = -1, .max_code = 1}));
}

TEST(AffineGrid, SpreadsTheCodesOverTheRangeAndKeepsZero) {
  // (5 - -1) / 3 = 2; -lo / scale = 0.5 rounds to the even 0.
  EXPECT_EQ(AffineGrid({.min = -1, .max = 5}, 2),
            (QuantizationGrid{.scale = 2, .zero_point = 0, .min_code = 0, .max_code = 3}));
  EXPECT_EQ(AffineGrid({.min = -10, .max = 5}, 4),
            (QuantizationGrid{.scale = 1, .zero_point = 10, .min_code = 0, .max_code = 15}));
}

TEST(AffineGrid, WidensARangeThatLacksZero) {
  EXPECT_EQ(AffineGrid({.min = 15, .max = 30}, 4),
            (QuantizationGrid{.scale = 2, .zero_point = 0, .min_code = 0, .max_code = 15}));
  EXPECT_EQ(AffineGrid({.min = -30, .max = -15}, 4),
            (QuantizationGrid{.scale = 2, .zero_point = 15, .min_code = 0, .max_code = 15}));
}

TEST(Encode, RoundsHalfToEvenAndClamps) {
  const QuantizationGrid grid{.scale = 2, .zero_point = 1, .min_code = -3, .max_code = 3};
  EXPECT_EQ(Encode(grid, 1), 1);   // 0.5 -> 0
  EXPECT_EQ(Encode(grid, 3), 3);   // 1.5 -> 2
  EXPECT_EQ(Encode(grid, -1), 1);  // -0.5 -> -0
  EXPECT_EQ(Encode(grid, 1e30F), 3);
  EXPECT_EQ(Encode(grid, -1e30F), -3);
  EXPECT_EQ(Decode(grid, 3), 4);
  EXPECT_EQ(Decode(grid, 1), 0);
}

TEST(Quantize, PerTensorSharesOneScale) {
  const Tensor weight{.shape = {2, 2}, .data = {0.1F, -0.6F, 7, 3.6F}};
  const auto quantized = Quantize(weight, 0, Make(4, "symmetric"));
  ASSERT_TRUE(quantized.ok()) << quantized.status();
  ASSERT_EQ(quantized->grids.size(), 1U);
  EXPECT_EQ(quantized->grids[0].scale, 1);
  EXPECT_THAT(quantized->codes, ElementsAre(0, -1, 7, 4));
}

TEST(Quantize, PerChannelScalesEachSliceOfTheAxis) {
  // Rows reach 7 and 14, columns 7 and 14 too but in other places.
  const Tensor weight{.shape = {2, 2}, .data = {7, 1, 2, 14}};
  const auto rows = Quantize(weight, 0, Make(4, "symmetric", Granularity::kPerChannel));
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(rows->grids[0].scale, 1);
  EXPECT_EQ(rows->grids[1].scale, 2);
  EXPECT_THAT(rows->codes, ElementsAre(7, 1, 1, 7));
  const auto columns = Quantize(weight, 1, Make(4, "symmetric", Granularity::kPerChannel));
  ASSERT_TRUE(columns.ok()) << columns.status();
  EXPECT_THAT(columns->codes, ElementsAre(7, 0, 2, 7));  // 1 / 2 rounds to the even 0
}

TEST(Quantize, CutsAMiddleAxis) {
  // shape [2, 2, 2], axis 1: slice 0 holds elements 0, 1, 4, 5; slice 1 holds 2, 3, 6, 7.
  const Tensor weight{.shape = {2, 2, 2}, .data = {1, 2, 70, 10, 7, 3, 20, 30}};
  const auto quantized = Quantize(weight, 1, Make(4, "symmetric", Granularity::kPerChannel));
  ASSERT_TRUE(quantized.ok()) << quantized.status();
  EXPECT_THAT(quantized->codes, ElementsAre(1, 2, 7, 1, 7, 3, 2, 3));
}

TEST(Perturb, IsWhatQuantizationAdds) {
  const Tensor weight{.shape = {4}, .data = {0.25F, -0.6F, 7, 3.5F}};
  const auto perturbation = Perturb(weight, 0, Make(4, "symmetric"));
  ASSERT_TRUE(perturbation.ok()) << perturbation.status();
  EXPECT_THAT(perturbation->delta, ElementsAre(-0.25F, 0.6F - 1, 0, 0.5F));
  EXPECT_NEAR(perturbation->squared_norm, 0.0625 + 0.16 + 0.25, 1e-6);
}

TEST(Perturb, IsZeroForAllZeroWeights) {
  for (const std::string scheme : {"symmetric", "affine"}) {
    const auto perturbation = Perturb(Tensor::Zeros({3, 4}), 0, Make(2, scheme, Granularity::kPerChannel));
    ASSERT_TRUE(perturbation.ok()) << perturbation.status();
    EXPECT_EQ(perturbation->squared_norm, 0);
    EXPECT_EQ(perturbation->grids[2].scale, 1);
  }
}

TEST(Perturb, AConstantOrASingleWeightIsKept) {
  for (const std::string scheme : {"symmetric", "affine"}) {
    for (const float value : {0.3F, -0.3F, 1e-20F, 3e38F}) {
      for (const int bits : {2, 3, 8}) {
        for (const int64_t size : {1, 5}) {
          Tensor weight = Tensor::Zeros({size});
          std::ranges::fill(weight.data, value);
          const auto perturbation = Perturb(weight, 0, Make(bits, scheme));
          ASSERT_TRUE(perturbation.ok()) << perturbation.status();
          // One rounding in the scale, one in the product.
          EXPECT_LE(std::abs(perturbation->delta[0]), 2e-7F * std::abs(value)) << scheme << value << bits;
        }
      }
    }
  }
}

TEST(Perturb, HandlesWeightsBelowTheSmallestNormalFloat) {
  constexpr float kTiny = std::numeric_limits<float>::denorm_min();
  const auto perturbation = Perturb(Tensor{.shape = {2}, .data = {kTiny, -kTiny}}, 0, Make(8, "symmetric"));
  ASSERT_TRUE(perturbation.ok()) << perturbation.status();
  EXPECT_EQ(perturbation->grids[0].scale, std::numeric_limits<float>::min());
  EXPECT_TRUE(std::isfinite(perturbation->squared_norm));
}

TEST(Perturb, HandlesTheWidestRange) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  for (const std::string scheme : {"symmetric", "affine"}) {
    const auto perturbation = Perturb(Tensor{.shape = {3}, .data = {-kLargest, 0, kLargest}}, 0, Make(2, scheme));
    ASSERT_TRUE(perturbation.ok()) << perturbation.status();
    EXPECT_TRUE(std::isfinite(perturbation->grids[0].scale));
    EXPECT_EQ(perturbation->delta[1], 0);
  }
}

TEST(Quantize, RefusesWhatIsNoWeight) {
  const auto message = [](const Tensor& weight, int axis, const Option& option) {
    const auto quantized = Quantize(weight, axis, option);
    EXPECT_EQ(quantized.status(), Perturb(weight, axis, option).status());
    return MessageOf(quantized.status());
  };
  const Tensor good{.shape = {2, 1}, .data = {1, 2}};
  EXPECT_EQ(message({.shape = {2}, .data = {1, std::nanf("")}}, 0, Make(4, "symmetric")),
            "weight[1]: got nan, want a finite number");
  EXPECT_THAT(message({.shape = {1}, .data = {-std::numeric_limits<float>::infinity()}}, 0, Make(4, "affine")),
              HasSubstr("weight[0]: got -inf"));
  EXPECT_EQ(message({.shape = {0, 3}, .data = {}}, 0, Make(4, "affine")), "weight of shape [0, 3]: has no elements");
  EXPECT_THAT(message({.shape = {3}, .data = {1, 2}}, 0, Make(4, "affine")), HasSubstr("got 2 values"));
  EXPECT_THAT(message(good, 2, Make(4, "affine", Granularity::kPerChannel)), HasSubstr("channel_axis: got 2"));
  EXPECT_THAT(message(good, -1, Make(4, "affine", Granularity::kPerChannel)), HasSubstr("channel_axis: got -1"));
  EXPECT_EQ(message(good, 0, Make(9, "affine")), "weight_bits: got 9, want 2..8 for affine");
  EXPECT_EQ(message(good, 0, Make(1, "symmetric")), "weight_bits: got 1, want 2..8 for symmetric");
  EXPECT_EQ(message(good, 0, Make(4, "log")),
            "scheme: got 'log', want one of symmetric, symmetric_full, affine, power_of_two, additive_power_of_two, "
            "fp8_e4m3, "
            "fp8_e5m2, fp4_e2m1, mxfp4, nvfp4, lloyd_max, kmeans, hessian_kmeans, multi_bit_greedy, "
            "multi_bit_alternating, product_quantization, binary, ternary");
}

}  // namespace
}  // namespace bitplan::quantization
