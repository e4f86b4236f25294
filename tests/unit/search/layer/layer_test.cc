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
  for (const Granularity granularity : {Granularity::kPerTensor, Granularity::kPerChannel}) {
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
}

}  // namespace
}  // namespace bitplan
