#include "search/sensitivity/activation_ranges.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "search/quantization/fake_quantize.h"
#include "search/quantization/range_rule_table.h"
#include "search/sensitivity/estimate.h"
#include "tests/testing/graph_fixtures.h"

namespace bitplan::sensitivity {
namespace {

using ::bitplan::testing::GraphBuilder;
using ::testing::ElementsAre;

// x -> times 2 -> Relu -> times -1: points x and the ReLU's result; ranges by hand, over 5 samples in shards of 2.
struct Chain {
  Chain() {
    GraphBuilder b;
    const ValueId x = b.Input("x", {kDynamic, 1});
    hidden = b.Node("Relu", {b.Node("MatMul", {x, b.Floats("double", {1, 1}, {2})})});
    graph = b.Build(b.Node("MatMul", {hidden, b.Floats("negate", {1, 1}, {-1})}));
    data.num_samples = 5;
    data.inputs = {{.name = "x", .values = {.shape = {5, 1}, .data = {-3, 0.5F, 1.5F, 0, 1}}}};
    data.targets = Tensor{.shape = {5, 1}, .data = {0, 0, 0, 0, 0}};
    objective = *Objective::Create(graph, data, {.samples_per_shard = 2});
  }
  ValueId hidden = kNoValue;
  Graph graph;
  Dataset data;
  std::unique_ptr<Objective> objective;
};

TEST(CalibrateActivations, FindsSmallestAndLargestOverAllSamples) {
  const Chain chain;
  for (const int num_threads : {1, 3}) {
    const auto calibration =
        CalibrateActivations(chain.graph, *chain.objective, "minmax", {.num_threads = num_threads});
    ASSERT_TRUE(calibration.ok()) << calibration.status();
    ASSERT_EQ(calibration->points.size(), 2);
    EXPECT_EQ(calibration->points[1].value, chain.hidden);
    EXPECT_EQ(calibration->histograms[0].count(), 5);
    EXPECT_EQ(calibration->histograms[0].min(), -3);
    EXPECT_EQ(calibration->histograms[0].max(), 1.5F);
    EXPECT_EQ(calibration->histograms[1].min(), 0);
    EXPECT_EQ(calibration->histograms[1].max(), 3);
    EXPECT_EQ(calibration->histograms[1].mean(), 1.2);
  }
}

// The hidden tensor 0, 1, 3, 0, 2 over 0..3 at 2 bits is exact. At
// x: range -3..1.5, scale 1.5, zero point 2: -3, 0.5 -> 0, 1.5, 0, 1 -> 1.5.
TEST(ActivationTransforms, QuantizeThePointsThatHaveBits) {
  const Chain chain;
  const ActivationCalibration calibration = *CalibrateActivations(chain.graph, *chain.objective, "minmax", {});
  const Option two{.activation_bits = 2};
  const Option wide{.activation_bits = 32};
  const auto outputs = [&](std::vector<const Option*> options) {
    const Substitution run{.weights = {},
                           .transforms = *ActivationTransforms(calibration, WidthsOfPoints(calibration, options))};
    std::vector<float> result(5);
    const auto visit = [&](int, int64_t first, std::span<const float> z, std::span<const double>) {
      std::ranges::copy(z, result.begin() + first);
    };
    EXPECT_TRUE(chain.objective->RunSubstituted({&run, 1}, visit, {}).ok());
    return result;
  };
  EXPECT_THAT(outputs({&wide, &two}), ElementsAre(0, -1, -3, 0, -2));
  EXPECT_THAT(outputs({&two, nullptr}), ElementsAre(0, 0, -3, 0, -3));
  EXPECT_THAT(outputs({nullptr, &wide}), ElementsAre(0, -1, -3, 0, -2));
}

// The tensor x at 2 bits: errors 0, -0.5, 0, 0, 0.5 as above (1.5 is exact); 32 bits change nothing.
TEST(ActivationChangesOf, AreTheErrorsOfTheOwnersWidths) {
  const Chain chain;
  const ActivationCalibration calibration = *CalibrateActivations(chain.graph, *chain.objective, "minmax", {});
  const OptionTable options{{{{.activation_bits = 32}, {.activation_bits = 2}, {.activation_bits = 4}},
                             {{.activation_bits = 4}, {.activation_bits = 2}, {.activation_bits = 2}}}};
  const auto changes = ActivationChangesOf(calibration, options);
  ASSERT_TRUE(changes.ok()) << changes.status();
  EXPECT_THAT(changes->of_option, ElementsAre(ElementsAre(-1, 0, 1), ElementsAre(0, 1, 1)));
  ASSERT_EQ(changes->errors.size(), 2U);
  EXPECT_EQ(changes->errors[1].size(), 2U);
  std::vector<float> error(5);
  changes->errors[0][0](chain.data.inputs[0].values.data, error);
  EXPECT_THAT(error, ElementsAre(0, -0.5F, 0, 0, 0.5F));
}

// Two of five outputs move by 1 (twice the errors of x where the ReLU is open), and the loss bends by 2 in its output:
// 1/2 * 2 * (1 + 1) / 5. Layer 1's tensor is exact at 2 bits, and so are weights of one entry.
TEST(GaussNewtonDirect, CountsActivations) {
  const Chain chain;
  const OptionTable options{{{{.activation_bits = 32}, {.activation_bits = 2}}, {{.activation_bits = 2}}}};
  const auto table =
      Estimate(chain.graph, chain.data, options, {.method = "gauss_newton_direct", .quantize_activations = true}, {});
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_NEAR(table->score[0][0], 0, 1e-9);
  EXPECT_NEAR(table->score[0][1], 0.4, 1e-6);
  EXPECT_NEAR(table->score[1][0], 0, 1e-9);
  EXPECT_EQ(table->standard_error[0][1], 0);  // one output: all columns are cheaper than draws
}

TEST(ActivationGridOf, FollowsTheRuleUpToEightBits) {
  const Chain chain;
  for (const RangeRuleEntry& rule : quantization::RangeRules()) {
    const auto calibration = CalibrateActivations(chain.graph, *chain.objective, rule.name, {});
    ASSERT_TRUE(calibration.ok()) << calibration.status();
    const Histogram& histogram = calibration->histograms[0];
    const Range clipped = *quantization::CalibrateRange(rule.name, histogram, 4, /*symmetric=*/false);
    EXPECT_EQ(*ActivationGridOf(*calibration, 0, 4), quantization::ActivationGrid(clipped, 4)) << rule.name;
    EXPECT_EQ(*ActivationGridOf(*calibration, 0, 12), quantization::ActivationGrid({.min = -3, .max = 1.5F}, 12));
  }
  EXPECT_EQ(CalibrateActivations(chain.graph, *chain.objective, "magic", {}).status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace bitplan::sensitivity
