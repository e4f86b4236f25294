#include "search/quantization/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "search/base/status.h"

namespace bitplan::quantization {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A convolution with three output channels, a matrix product [in, out] with one, and a layer of unknown shape.
LayerTable ThreeLayers() {
  return {
      {{.name = "conv", .kind = LayerKind::kConv, .weight_shape = {3, 2, 1, 1}, .num_weights = 6},
       {.name = "head", .kind = LayerKind::kMatMul, .weight_shape = {6, 1}, .output_channel_axis = 1, .num_weights = 6},
       {.name = "given", .num_weights = 6}}};
}

std::vector<std::string> Labels(const std::vector<Option>& options) {
  std::vector<std::string> labels;
  for (const Option& option : options) labels.push_back(Label(option));
  return labels;
}

TEST(ListOptions, ListsAllCombinationsByDefault) {
  const auto table = ListOptions(ThreeLayers(), {});
  ASSERT_TRUE(table.ok()) << table.status();
  ASSERT_EQ(table->options.size(), 3U);
  EXPECT_EQ(table->options[0].size(), 6U * 2 * 2);
  const std::vector<std::string> labels = Labels(table->options[0]);
  EXPECT_EQ(std::set(labels.begin(), labels.end()).size(), labels.size());
  EXPECT_THAT(std::vector(labels.begin(), labels.begin() + 5),
              ElementsAre("w2a8/symmetric/per_tensor", "w2a8/symmetric/per_channel", "w2a8/affine/per_tensor",
                          "w2a8/affine/per_channel", "w3a8/symmetric/per_tensor"));
  EXPECT_EQ(labels.back(), "w8a8/affine/per_channel");
}

TEST(ListOptions, LeavesOutPerChannelWhereItIsPerTensor) {
  const auto table = ListOptions(ThreeLayers(), {.weight_bits = {4}, .schemes = {"affine"}});
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_THAT(Labels(table->options[0]), ElementsAre("w4a8/affine/per_tensor", "w4a8/affine/per_channel"));
  EXPECT_THAT(Labels(table->options[1]), ElementsAre("w4a8/affine/per_tensor"));
  EXPECT_THAT(Labels(table->options[2]), ElementsAre("w4a8/affine/per_tensor"));
}

TEST(ListOptions, KeepsPerChannelWhereItIsAllThatWasAskedFor) {
  const auto table = ListOptions(ThreeLayers(), {.weight_bits = {8, 4},
                                                 .activation_bits = {4},
                                                 .schemes = {"symmetric"},
                                                 .granularities = {Granularity::kPerChannel}});
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_THAT(Labels(table->options[1]), ElementsAre("w8a4/symmetric/per_channel", "w4a4/symmetric/per_channel"));
}

TEST(ListOptions, TakesSeveralActivationWidthsEachOnce) {
  const auto table = ListOptions(ThreeLayers(), {.weight_bits = {4, 8},
                                                 .activation_bits = {8, kSameAsWeights},
                                                 .schemes = {"symmetric"},
                                                 .granularities = {Granularity::kPerTensor}});
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_THAT(Labels(table->options[0]),
              ElementsAre("w4a8/symmetric/per_tensor", "w4a4/symmetric/per_tensor", "w8a8/symmetric/per_tensor"));
}

TEST(ListOptions, SchemesTakeWhatTheyKnowOfTheLists) {
  const LayerTable layers = {{{.name = "fc", .weight_shape = {4, 64}, .num_weights = 256}}};
  const auto table = ListOptions(layers, {.weight_bits = {4, 2},
                                          .schemes = {"symmetric", "ternary", "fp8_e4m3", "nvfp4", "kmeans"},
                                          .granularities = {Granularity::kPerChannel, Granularity::kPerGroup},
                                          .group_sizes = {16, 32},
                                          .range_rules = {"minmax", "mse"}});
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_THAT(
      Labels(table->options[0]),
      ElementsAre("w4a8/symmetric/per_channel", "w4a8/symmetric/per_channel/mse", "w4a8/symmetric/per_group(16)",
                  "w4a8/symmetric/per_group(16)/mse", "w4a8/symmetric/per_group(32)",
                  "w4a8/symmetric/per_group(32)/mse", "w4a8/nvfp4/per_group(16)", "w4a8/kmeans/per_channel",  //
                  "w2a8/symmetric/per_channel", "w2a8/symmetric/per_channel/mse", "w2a8/symmetric/per_group(16)",
                  "w2a8/symmetric/per_group(16)/mse", "w2a8/symmetric/per_group(32)",
                  "w2a8/symmetric/per_group(32)/mse", "w2a8/ternary/per_channel", "w2a8/ternary/per_group(16)",
                  "w2a8/ternary/per_group(32)",
                  "w2a8/kmeans/per_channel",  //
                  "w8a8/fp8_e4m3/per_channel", "w8a8/fp8_e4m3/per_channel/mse", "w8a8/fp8_e4m3/per_group(16)",
                  "w8a8/fp8_e4m3/per_group(16)/mse", "w8a8/fp8_e4m3/per_group(32)", "w8a8/fp8_e4m3/per_group(32)/mse"));
  EXPECT_TRUE(table->notes.empty());
}

TEST(ListOptions, WhereAGroupDoesNotDivideAChannelItFallsBackAndSaysSo) {
  const LayerTable layers = {{{.name = "conv", .weight_shape = {4, 3, 3, 3}, .num_weights = 108},
                              {.name = "fc", .weight_shape = {4, 64}, .num_weights = 256}}};
  QuantizationOptions wanted{
      .weight_bits = {4}, .schemes = {"symmetric", "mxfp4"}, .granularities = {Granularity::kPerGroup}};
  wanted.group_sizes = {64, 27};
  const auto table = ListOptions(layers, wanted);
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_THAT(Labels(table->options[0]),
              ElementsAre("w4a8/symmetric/per_channel", "w4a8/symmetric/per_group(27)", "w4a8/mxfp4/per_group(32)"));
  EXPECT_THAT(Labels(table->options[1]),
              ElementsAre("w4a8/symmetric/per_group(64)", "w4a8/symmetric/per_channel", "w4a8/mxfp4/per_group(32)"));
  EXPECT_THAT(table->notes,
              ElementsAre("per_group(27) became per_channel in 1 of the layers ('fc'): 27 does not divide the weights "
                          "of a channel",
                          "per_group(64) became per_channel in 1 of the layers ('conv'): 64 does not divide the "
                          "weights of a channel"));
  // Where per_channel is there already it is not listed twice.
  wanted.granularities = {Granularity::kPerGroup, Granularity::kPerChannel};
  wanted.group_sizes = {64};
  EXPECT_THAT(Labels(ListOptions(layers, wanted)->options[0]),
              ElementsAre("w4a8/symmetric/per_channel", "w4a8/mxfp4/per_group(32)"));
}

TEST(WidthsOf, AddsThoseOfFormats) {
  EXPECT_THAT(WidthsOf({.weight_bits = {4}, .schemes = {"symmetric", "fp8_e4m3", "nvfp4", "binary"}}),
              ElementsAre(4, 8, 1));
}

TEST(ListOptions, SaysWhatIsWrong) {
  const auto message = [](const QuantizationOptions& options) {
    return MessageOf(ListOptions(ThreeLayers(), options).status());
  };
  EXPECT_EQ(message({.weight_bits = {4, 9}}),
            "quantization.weight_bits[1]: got 9, want 2..8 for symmetric, 2..8 for affine");
  EXPECT_EQ(message({.weight_bits = {}}), "quantization.weight_bits: is empty, want at least one entry");
  EXPECT_EQ(message({.weight_bits = {4, 8, 4}}), "quantization.weight_bits[2]: repeats an earlier entry");
  EXPECT_EQ(message({.activation_bits = {}}), "quantization.activation_bits: is empty, want at least one entry");
  EXPECT_EQ(message({.activation_bits = {-1}}),
            "quantization.activation_bits: got -1, want 1..32, or 0 for as many as the weights have");
  EXPECT_EQ(message({.activation_bits = {8, 33}}),
            "quantization.activation_bits: got 33, want 1..32, or 0 for as many as the weights have");
  EXPECT_THAT(message({.schemes = {"affine", "log"}}),
              HasSubstr("quantization.schemes[1]: scheme: got 'log', want one of symmetric, "));
  EXPECT_EQ(message({.weight_bits = {1}, .schemes = {"binary", "symmetric"}}),
            "quantization.schemes[1]: symmetric has none of the widths, want one of 2..8 in weight_bits");
  EXPECT_EQ(message({.schemes = {"mxfp4", "symmetric"}, .granularities = {Granularity::kPerTensor}}), "");
  EXPECT_EQ(message({.schemes = {"symmetric", "kmeans"}, .granularities = {Granularity::kPerGroup}}),
            "quantization.schemes[1]: kmeans has none of the granularities");
  EXPECT_EQ(message({.weight_bits = {2}, .schemes = {"kmeans", "ternary"}, .group_sizes = {0}}),
            "quantization.group_sizes[0]: got 0, want 1..2147483648");
  EXPECT_EQ(message({.weight_bits = {1, 2},
                     .schemes = {"product_quantization"},
                     .granularities = {Granularity::kPerTensor, Granularity::kPerChannel}}),
            "quantization.granularities[1]: no scheme of the list has per_channel");
  EXPECT_EQ(message({.range_rules = {"max"}}),
            "quantization.range_rules[0]: range: got 'max', want one of minmax, percentile, kl, mse, aciq");
  EXPECT_THAT(message({.range_rules = {}}), HasSubstr("quantization.range_rules: is empty"));
  EXPECT_THAT(message({.roundings = {}}), HasSubstr("quantization.roundings: is empty"));
  EXPECT_THAT(message({.schemes = {}}), HasSubstr("quantization.schemes: is empty"));
  EXPECT_THAT(message({.granularities = {}}), HasSubstr("quantization.granularities: is empty"));
  EXPECT_EQ(ListOptions({}, {}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ListOptions(ThreeLayers(), {.schemes = {"log"}}).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace bitplan::quantization
