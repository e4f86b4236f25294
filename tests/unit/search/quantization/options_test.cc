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
                                                 .activation_bits = 4,
                                                 .schemes = {"symmetric"},
                                                 .granularities = {Granularity::kPerChannel}});
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_THAT(Labels(table->options[1]), ElementsAre("w8a4/symmetric/per_channel", "w4a4/symmetric/per_channel"));
}

TEST(ListOptions, SaysWhatIsWrong) {
  const auto message = [](const QuantizationOptions& options) {
    return MessageOf(ListOptions(ThreeLayers(), options).status());
  };
  EXPECT_EQ(message({.weight_bits = {4, 9}}), "quantization.weight_bits[1]: got 9, want 2..8 for symmetric");
  EXPECT_EQ(message({.weight_bits = {}}), "quantization.weight_bits: is empty, want at least one entry");
  EXPECT_EQ(message({.weight_bits = {4, 8, 4}}), "quantization.weight_bits[2]: repeats an earlier entry");
  EXPECT_EQ(message({.activation_bits = 0}), "quantization.activation_bits: got 0, want 1..32");
  EXPECT_EQ(message({.activation_bits = 33}), "quantization.activation_bits: got 33, want 1..32");
  EXPECT_EQ(message({.schemes = {"affine", "log"}}),
            "quantization.schemes[1]: scheme: got 'log', want one of symmetric, affine");
  EXPECT_THAT(message({.schemes = {}}), HasSubstr("quantization.schemes: is empty"));
  EXPECT_THAT(message({.granularities = {}}), HasSubstr("quantization.granularities: is empty"));
  EXPECT_EQ(ListOptions({}, {}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ListOptions(ThreeLayers(), {.schemes = {"log"}}).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace bitplan::quantization
