#include "search/layer/layer.h"

#include <gtest/gtest.h>

#include "search/base/status.h"

namespace bitplan {
namespace {

TEST(LayerKind, NamesRoundTrip) {
  for (const LayerKind kind : {LayerKind::kConv, LayerKind::kConvTranspose, LayerKind::kGemm, LayerKind::kMatMul,
                               LayerKind::kEmbedding, LayerKind::kRecurrent, LayerKind::kOther}) {
    EXPECT_EQ(*ParseLayerKind(ToString(kind)), kind);
  }
  EXPECT_EQ(MessageOf(ParseLayerKind("Conv").status()),
            "kind: got 'Conv', want one of conv, conv_transpose, gemm, matmul, embedding, recurrent, other");
}

TEST(Granularity, NamesRoundTrip) {
  for (const Granularity granularity : kGranularities) {
    EXPECT_EQ(*ParseGranularity(ToString(granularity)), granularity);
  }
  EXPECT_FALSE(ParseGranularity("").ok());
}

TEST(Layer, CountsOutputChannelsAlongItsAxis) {
  EXPECT_EQ((Layer{.weight_shape = {16, 3, 3, 3}}).num_output_channels(), 16);
  EXPECT_EQ((Layer{.weight_shape = {64, 10}, .output_channel_axis = 1}).num_output_channels(), 10);
  EXPECT_EQ(Layer{}.num_output_channels(), 1);
}

TEST(Option, LabelNamesEveryField) {
  EXPECT_EQ(Label({.weight_bits = 4, .activation_bits = 8, .scheme = "affine", .granularity = Granularity::kPerTensor}),
            "w4a8/affine/per_tensor");
  EXPECT_EQ(Label({.weight_bits = 4,
                   .granularity = Granularity::kPerGroup,
                   .group_size = 64,
                   .range = "mse",
                   .rounding = Rounding::kStochastic}),
            "w4a8/symmetric/per_group(64)/mse/stochastic");
  EXPECT_EQ(DescribeGranularity({.granularity = Granularity::kPerChannelGroup, .group_size = 2}),
            "per_channel_group(2)");
}

TEST(Rounding, NamesRoundTrip) {
  for (const Rounding rounding : kRoundings) EXPECT_EQ(*ParseRounding(ToString(rounding)), rounding);
  EXPECT_FALSE(ParseRounding("up").ok());
}

TEST(ValidateOption, NamesTheField) {
  const auto message = [](const Option& option) { return MessageOf(ValidateOption(option)); };
  EXPECT_EQ(message({}), "");
  EXPECT_EQ(message({.weight_bits = 33}), "weight_bits: got 33, want 1..32");
  EXPECT_EQ(message({.activation_bits = 0}), "activation_bits: got 0, want 1..32");
  EXPECT_EQ(message({.group_size = 8}), "group_size: got 8, want none for per_channel");
  EXPECT_EQ(message({.granularity = Granularity::kPerGroup}), "group_size: got 0, want 1..2147483648 for per_group");
  EXPECT_EQ(message({.granularity = Granularity::kPerGroup, .group_size = 8}), "");
  EXPECT_EQ(message({.range = ""}), "range: is empty, want the name of a range rule");
}

}  // namespace
}  // namespace bitplan
