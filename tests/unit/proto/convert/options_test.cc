#include "proto/convert/options.h"

#include <gtest/gtest.h>

#include "search/base/status.h"

namespace bitplan::convert {
namespace {

TEST(ConvertOption, RoundTrip) {
  for (const int bits : {1, 4, 32}) {
    for (const auto granularity : {Granularity::kPerTensor, Granularity::kPerChannel}) {
      const Option option{
          .weight_bits = bits, .activation_bits = 33 - bits, .scheme = "affine", .granularity = granularity};
      const auto back = ToOption(FromOption(option));
      ASSERT_TRUE(back.ok()) << back.status();
      EXPECT_EQ(*back, option);
    }
  }
}

TEST(ConvertOption, RoundTripOfGroupsRangesAndRoundings) {
  const Option option{.weight_bits = 4,
                      .granularity = Granularity::kPerChannelGroup,
                      .group_size = 16,
                      .range = "kl",
                      .rounding = Rounding::kStochastic};
  EXPECT_EQ(*ToOption(FromOption(option)), option);
}

TEST(ConvertOption, FillsDefaultsIn) {
  v1::Option message;
  message.set_weight_bits(4);
  EXPECT_EQ(
      *ToOption(message),
      (Option{.weight_bits = 4, .activation_bits = 8, .scheme = "given", .granularity = Granularity::kPerChannel}));
}

TEST(ConvertOption, ErrorsNameTheField) {
  v1::Option message;
  EXPECT_EQ(MessageOf(ToOption(message).status()), "weight_bits: got 0, want 1..32");
  message.set_weight_bits(4);
  message.set_activation_bits(-1);
  EXPECT_EQ(MessageOf(ToOption(message).status()), "activation_bits: got -1, want 1..32");
  message.set_activation_bits(8);
  message.set_granularity("per_atom");
  EXPECT_EQ(MessageOf(ToOption(message).status()),
            "granularity: got 'per_atom', want one of per_tensor, per_channel, per_group, "
            "per_channel_group");
  message.set_granularity("per_group");
  EXPECT_EQ(MessageOf(ToOption(message).status()), "group_size: got 0, want 1..2147483648 for per_group");
  message.set_group_size(64);
  message.set_rounding("up");
  EXPECT_EQ(MessageOf(ToOption(message).status()), "rounding: got 'up', want one of nearest, stochastic");
}

TEST(ConvertLayer, RoundTrip) {
  const Layer layer{.name = "fc",
                    .kind = LayerKind::kMatMul,
                    .weight_shape = {4, 3},
                    .output_channel_axis = 1,
                    .num_weights = 12,
                    .macs = 12,
                    .input_elements = 5,
                    .output_elements = 6};
  const auto back = ToLayer(FromLayer(layer));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->name, layer.name);
  EXPECT_EQ(back->kind, layer.kind);
  EXPECT_EQ(back->weight_shape, layer.weight_shape);
  EXPECT_EQ(back->output_channel_axis, 1);
  EXPECT_EQ(back->num_weights, 12);
  EXPECT_EQ(back->macs, 12);
  EXPECT_EQ(back->input_elements, 5);
  EXPECT_EQ(back->output_elements, 6);
}

TEST(ConvertCosts, RoundTripInTheOrderOfTheTable) {
  const Costs costs = {{Resource::kLatency, 7}, {Resource::kSize, int64_t{1} << 62}};
  google::protobuf::RepeatedPtrField<v1::Cost> messages;
  FromCosts(costs, &messages);
  ASSERT_EQ(messages.size(), 2);
  EXPECT_EQ(messages[0].resource(), "size");
  EXPECT_EQ(*ToCosts(messages), costs);
}

TEST(ConvertCosts, ErrorsNameTheEntry) {
  google::protobuf::RepeatedPtrField<v1::Cost> messages;
  messages.Add()->set_resource("size");
  messages.Add()->set_resource("size");
  EXPECT_EQ(MessageOf(ToCosts(messages).status()), "costs[1].resource: 'size' is given twice");
  messages[1].set_resource("joy");
  EXPECT_TRUE(MessageOf(ToCosts(messages).status()).starts_with("costs[1].resource: got 'joy'"));
  messages[1].set_resource("bops");
  messages[1].set_amount(-2);
  EXPECT_EQ(MessageOf(ToCosts(messages).status()), "costs[1].amount: got -2, want >= 0");
}

}  // namespace
}  // namespace bitplan::convert
