#include "search/pipeline/measure_profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <stop_token>
#include <string>
#include <vector>

#include "search/base/status.h"
#include "search/hardware/price.h"
#include "search/onnx/parse_model.h"
#include "tests/testing/graph_fixtures.h"
#include "tests/testing/onnx_writer.h"

namespace bitplan {
namespace {

using pipeline::MeasureProfile;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// One repeat of each kernel: nothing here depends on how long they take.
ProfileRequest Request(const std::string& onnx) {
  return {.onnx = onnx,
          .name = "my-cpu",
          .network = "net.onnx",
          .machine = "some CPU, 2 processors",
          .date = "2026-11-24",
          .batch = 2,
          .timing = {.min_repeats = 1, .max_repeats = 1}};
}

TEST(MeasureProfile, WritesAProfileThatPricesTheNetwork) {
  const std::string onnx = testing::TinyClassifier().Bytes();
  const auto measured = MeasureProfile(Request(onnx), {});
  ASSERT_TRUE(measured.ok()) << measured.status();
  const absl::StatusOr<HardwareProfile> profile = hardware::ParseProfile(measured->json);
  ASSERT_TRUE(profile.ok()) << profile.status();
  EXPECT_EQ(profile->name, "my-cpu");
  EXPECT_EQ(profile->provenance.date, "2026-11-24");
  EXPECT_THAT(profile->provenance.source, HasSubstr("some CPU, 2 processors"));
  EXPECT_THAT(profile->provenance.citation, HasSubstr("oneDNN"));
  EXPECT_THAT(profile->provenance.citation, HasSubstr("1 thread, batch 2, network net.onnx (SHA-256 "));
  EXPECT_THAT(profile->provenance.notes, HasSubstr("medians of 1 repeats"));
  ASSERT_EQ(profile->measured.size(), 1U);
  EXPECT_EQ(profile->measured[0].batch_size, 2);
  EXPECT_EQ(profile->measured[0].resource, Resource::kLatency);
  for (const MeasuredLayer& layer : profile->measured[0].layers) {
    EXPECT_TRUE(layer.layer.empty());
    for (const auto& [widths, amount] : layer.amounts) EXPECT_GT(amount, 0);
  }
  // What the table says is what a search pays.
  const Graph graph = onnx::ParseModel(onnx).value();
  const OptionTable options{.options = {{{.weight_bits = 8}, {.weight_bits = 32, .activation_bits = 32}},
                                        {{.weight_bits = 8}, {.weight_bits = 32, .activation_bits = 32}}}};
  const CostTable costs = hardware::Price(graph.layers, options, *profile).value();
  for (size_t l = 0; l < 2; ++l) {
    for (size_t k = 0; k < 2; ++k) {
      const auto& timing = k == 0 ? measured->rows[l].int8 : measured->rows[l].float32;
      EXPECT_EQ(costs.costs[l][k].contains(Resource::kLatency), timing.has_value());
      EXPECT_TRUE(costs.costs[l][k].contains(Resource::kSize));
      if (!timing) continue;
      EXPECT_EQ(costs.costs[l][k].at(Resource::kLatency), std::max<int64_t>(1, std::llround(timing->median_ns)));
    }
  }
}

// Two convolutions of one signature (4x4x3x3 weights, 4*16 outputs of 36 MACs), one with stride 2 on the larger image,
// two that run the same kernel and one that is too different to be taken for them.
TEST(MeasureProfile, EqualSignaturesWithOtherKernelsGoByName) {
  testing::GraphBuilder b;
  const ValueId x = b.Input("x", {kDynamic, 4, 8, 8});
  const Attributes stride = {{"strides", std::vector<int64_t>{2, 2}}, {"pads", std::vector<int64_t>{1, 1, 1, 1}}};
  const Attributes pads = {{"pads", std::vector<int64_t>{1, 1, 1, 1}}};
  const ValueId one = b.Node("Conv", {x, b.RandomWeight("strided", {4, 4, 3, 3})}, stride);
  const ValueId two = b.Node("Conv", {one, b.RandomWeight("plain1", {4, 4, 3, 3})}, pads);
  const ValueId three = b.Node("Conv", {two, b.RandomWeight("plain2", {4, 4, 3, 3})}, pads);
  const ValueId flat = b.Node("Flatten", {three}, {{"axis", int64_t{1}}});
  const Graph graph = b.Build(b.Node("MatMul", {flat, b.RandomWeight("head", {64, 2})}));
  const std::string onnx = testing::WriteOnnx(graph);
  const auto measured = MeasureProfile(Request(onnx), {});
  ASSERT_TRUE(measured.ok()) << measured.status();
  ASSERT_EQ(measured->rows.size(), 3U);
  EXPECT_THAT(measured->rows[1].layers, ElementsAre("plain1", "plain2"));
  std::vector<std::string> named;
  for (const MeasuredLayer& layer : measured->profile.measured[0].layers) named.push_back(layer.layer);
  EXPECT_THAT(named, ElementsAre("strided", "plain1", "plain2", ""));
}

TEST(MeasureProfile, ErrorsSayWhatIsWrong) {
  const std::string onnx = testing::TinyClassifier().Bytes();
  ProfileRequest request = Request(onnx);
  request.batch = -1;
  EXPECT_EQ(MessageOf(MeasureProfile(request, {}).status()), "batch: got -1, want at least 1");
  request.batch = 1;
  request.name = "My CPU";
  EXPECT_THAT(MessageOf(MeasureProfile(request, {}).status()), HasSubstr("name: got 'My CPU'"));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(MeasureProfile(Request(onnx), {.stop = stop.get_token()}).status().code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace bitplan
