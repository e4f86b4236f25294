#include "search/exporters/quantized_codes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "search/quantization/float_formats.h"

namespace bitplan::exporters {
namespace {

using onnx::CodeKind;
using ::testing::ElementsAre;

// 0.75 = 3 * 0.25; 0.375 = 1.5 * 0.25 = 3 * 0.125.
TEST(WholeMultiples, FindsTheUnitOrHalfOfIt) {
  const auto whole = WholeMultiples(std::vector<double>{-0.75, 0, 0.25});
  EXPECT_EQ(whole->unit, 0.25);
  EXPECT_THAT(whole->codes, ElementsAre(-3, 0, 1));
  const auto half = WholeMultiples(std::vector<double>{0.25, 0.375});
  EXPECT_EQ(half->unit, 0.125);
  EXPECT_THAT(half->codes, ElementsAre(2, 3));
  EXPECT_THAT(WholeMultiples(std::vector<double>{0})->codes, ElementsAre(0));
  EXPECT_FALSE(WholeMultiples(std::vector<double>{0.3, 0.7}).has_value());
  EXPECT_FALSE(WholeMultiples(std::vector<double>{1, 128}).has_value());
  EXPECT_EQ(WholeMultiples(std::vector<double>{1, 127})->codes[1], 127);
}

TEST(WholeMultiples, TakesFp4) {
  EXPECT_THAT(WholeMultiples(quantization::Fp4E2M1Levels(4))->codes,
              ElementsAre(-12, -8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8, 12));
}

// OCP FP8 1.0, table 2: largest normal, one, least subnormal.
TEST(Float8Code, IsTheBytesOfTheSpecification) {
  EXPECT_EQ(Float8Code(CodeKind::kFloat8E4M3, 448), 0x7E);
  EXPECT_EQ(Float8Code(CodeKind::kFloat8E4M3, 1), 0x38);
  EXPECT_EQ(Float8Code(CodeKind::kFloat8E4M3, -1), 0xB8);
  EXPECT_EQ(Float8Code(CodeKind::kFloat8E4M3, std::ldexp(1, -9)), 0x01);
  EXPECT_EQ(Float8Code(CodeKind::kFloat8E5M2, 57344), 0x7B);
  EXPECT_EQ(Float8Code(CodeKind::kFloat8E5M2, 1), 0x3C);
  EXPECT_EQ(Float8Code(CodeKind::kFloat8E5M2, std::ldexp(1, -16)), 0x01);
  EXPECT_EQ(Float8Code(CodeKind::kFloat8E5M2, 0), 0);
  EXPECT_FALSE(Float8Code(CodeKind::kFloat8E4M3, 480).has_value());
  EXPECT_FALSE(Float8Code(CodeKind::kFloat8E5M2, 1.1).has_value());
}

TEST(Float8Code, HasAByteForEveryLevel) {
  for (const double level : quantization::Fp8E4M3Levels(8)) EXPECT_TRUE(Float8Code(CodeKind::kFloat8E4M3, level));
  for (const double level : quantization::Fp8E5M2Levels(8)) EXPECT_TRUE(Float8Code(CodeKind::kFloat8E5M2, level));
}

TEST(ToQdqWeight, GroupsOfChannelsBecomeChannels) {
  const Shape shape = {3, 2};
  const std::vector<float> values = {7, 0, 3, -7, 14, 2};
  const Option option{.weight_bits = 4, .granularity = Granularity::kPerChannelGroup, .group_size = 2};
  const auto quantized = quantization::Quantize(TensorView(values, shape), 0, option);
  const onnx::QdqWeight weight = ToQdqWeight(5, *quantized, shape, option.scheme);
  EXPECT_EQ(weight.weight, 5);
  EXPECT_THAT(weight.scales, ElementsAre(1, 1, 2));
  EXPECT_THAT(weight.zero_points, ElementsAre(0, 0, 0));
  EXPECT_THAT(weight.codes, ElementsAre(7, 0, 3, -7, 7, 1));
}

// alpha = mean |w| = 2.
TEST(ToQdqWeight, BinaryIsSigns) {
  const Shape shape = {1, 2};
  const std::vector<float> values = {-3, 1};
  const Option option{.weight_bits = 1, .scheme = "binary", .granularity = Granularity::kPerTensor};
  const auto quantized = quantization::Quantize(TensorView(values, shape), 0, option);
  const onnx::QdqWeight weight = ToQdqWeight(0, *quantized, shape, option.scheme);
  EXPECT_THAT(weight.scales, ElementsAre(2));
  EXPECT_THAT(weight.codes, ElementsAre(-1, 1));
  EXPECT_THAT(weight.values, ElementsAre(-2, 2));
}

}  // namespace
}  // namespace bitplan::exporters
