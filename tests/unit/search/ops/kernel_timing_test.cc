#include "search/ops/kernel_timing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stop_token>
#include <string>
#include <vector>

#include "search/base/status.h"
#include "tests/testing/graph_fixtures.h"

namespace bitplan::ops {
namespace {

using bitplan::testing::GraphBuilder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> Described(const Graph& graph, int64_t batch) {
  std::vector<std::string> texts;
  const auto layers = FindKernels(graph, batch);
  EXPECT_TRUE(layers.ok()) << layers.status();
  for (const LayerKernels& layer : *layers) {
    for (const KernelShape& shape : layer.kernels) texts.push_back(Describe(shape));
    if (layer.kernels.empty()) texts.push_back(layer.unsupported);
  }
  return texts;
}

// A convolution with everything, its transpose, and products with the weight on either side.
Graph AllKinds() {
  GraphBuilder b;
  const ValueId x = b.Input("x", {kDynamic, 4, 9, 8});
  const ValueId conv = b.Node("Conv", {x, b.RandomWeight("conv", {6, 2, 3, 2})},
                              {{"strides", std::vector<int64_t>{2, 1}},
                               {"dilations", std::vector<int64_t>{1, 2}},
                               {"pads", std::vector<int64_t>{1, 0, 0, 1}},
                               {"group", int64_t{2}}});  // [N, 6, 4, 7]
  const ValueId up = b.Node("ConvTranspose", {conv, b.RandomWeight("up", {6, 3, 2, 2})},
                            {{"strides", std::vector<int64_t>{2, 2}}});  // [N, 3, 8, 14]
  const ValueId product = b.Node("MatMul", {up, b.RandomWeight("right", {14, 5})});
  const ValueId left = b.Node("MatMul", {b.RandomWeight("left", {7, 8}), product});  // [N, 3, 7, 5]
  const ValueId flat = b.Node("Flatten", {left}, {{"axis", int64_t{1}}});
  return b.Build(b.Node("Gemm", {flat, b.RandomWeight("head", {2, 105})}, {{"transB", int64_t{1}}}));
}

TEST(FindKernels, TakesGeometryFromTheGraph) {
  EXPECT_THAT(Described(AllKinds(), 2),
              ElementsAre("conv 2x4x9x8 to 6x4x7, kernel 3x2, stride 2x1, dilation 1x2, pads 1x0 0x1, groups 2",
                          "conv_transpose 2x6x4x7 to 3x8x14, kernel 2x2, stride 2x2, dilation 1x1, pads 0x0 0x0, "
                          "groups 1",
                          "product 48x14 by 14x5", "product 30x8 by 8x7", "product 2x105 by 105x2"));
}

TEST(FindKernels, SaysWhatIsNotTimed) {
  GraphBuilder b;
  const ValueId ids = b.IntegerInput("ids", {kDynamic, 3});
  const Graph graph = b.Build(b.Node("Gather", {b.RandomWeight("table", {10, 4}), ids}));
  EXPECT_THAT(Described(graph, 1), ElementsAre(HasSubstr("kind embedding is no convolution")));
}

TEST(SummarizeTimes, MedianErrorAndSpread) {
  const KernelTiming one = SummarizeTimes({5});
  EXPECT_EQ(one.median_ns, 5);
  EXPECT_EQ(one.standard_error_ns, 0);
  // 1..16: median 8.5, quartiles 4.75 and 12.25; ranks 8 -+ 2 (from 0) are 7 and 11, half their distance 2.
  std::vector<double> times;
  for (int i = 16; i >= 1; --i) times.push_back(i);
  const KernelTiming many = SummarizeTimes(times);
  EXPECT_EQ(many.median_ns, 8.5);
  EXPECT_EQ(many.standard_error_ns, 2);
  EXPECT_EQ(many.interquartile_ns, 7.5);
  EXPECT_EQ(many.repeats, 16);
}

TEST(TimeKernel, TimesEveryKind) {
  const auto layers = FindKernels(AllKinds(), 1).value();
  for (const LayerKernels& layer : layers) {
    for (const KernelType type : {KernelType::kFloat, KernelType::kInt8}) {
      const auto timing = TimeKernel(layer.kernels[0], type, {.min_repeats = 1, .max_repeats = 1}, {});
      ASSERT_TRUE(timing.ok()) << Describe(layer.kernels[0]) << timing.status();
      EXPECT_FALSE(timing->implementation.empty());
      if (timing->is_reference) continue;
      EXPECT_GT(timing->median_ns, 0);
      EXPECT_EQ(timing->repeats, 1);
    }
  }
}

TEST(TimeKernel, StopsAndRefusesBadOptions) {
  const KernelShape shape{.kind = LayerKind::kGemm, .rows = 4, .inputs = 4, .outputs = 4};
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(TimeKernel(shape, KernelType::kFloat, {}, {.stop = stop.get_token()}).status().code(),
            absl::StatusCode::kCancelled);
  for (const TimingOptions& options :
       {TimingOptions{.min_repeats = 0}, TimingOptions{.min_repeats = 5, .max_repeats = 4},
        TimingOptions{.relative_error = -1}, TimingOptions{.time_limit_s = 0}}) {
    EXPECT_EQ(TimeKernel(shape, KernelType::kFloat, options, {}).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace bitplan::ops
