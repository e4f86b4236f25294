#include "search/sensitivity/activation_ranges.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "search/base/status.h"
#include "search/quantization/fake_quantize.h"
#include "search/quantization/options.h"
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

// x is -3, 0.5, 1.5, 0, 1: one bit gives 1.2 with the sign, up to the bins. The hidden tensor is 0, 1, 3, 0, 2: one bit
// gives 0 or 2.5, three levels 0, 1.5 or 3: (1 + 2 + 2 * 3) / (1 + 1 + 4) = 1.5.
TEST(ActivationTransforms, AreBinaryAtOneBitAndTernaryOnRequest) {
  const Chain chain;
  const auto hidden = [&](const char* range, int bits, size_t point) {
    const ActivationCalibration calibration = *CalibrateActivations(chain.graph, *chain.objective, range, {});
    std::vector<int> widths = {32, 32};
    widths[point] = bits;
    const auto transforms = *ActivationTransforms(calibration, widths);
    std::vector<float> values = {0, 1, 3, 0, 2};
    if (point == 0) std::ranges::copy(chain.data.inputs[0].values.data, values.begin());
    transforms.at(calibration.points[point].value)(values, 0, 5);
    return values;
  };
  const auto near = [](float x) { return ::testing::FloatNear(x, 4e-3F); };
  for (const char* range : {"minmax", "mse", "ternary"}) {
    EXPECT_THAT(hidden(range, 1, 0), ElementsAre(near(-1.2F), near(1.2F), near(1.2F), near(1.2F), near(1.2F)));
    EXPECT_THAT(hidden(range, 1, 1), ElementsAre(0, 0, near(2.5F), 0, near(2.5F)));
  }
  EXPECT_THAT(hidden("ternary", 2, 1), ElementsAre(0, near(1.5F), near(3), 0, near(1.5F)));
  EXPECT_EQ(hidden("ternary", 4, 1), hidden("minmax", 4, 1));
  const auto ternary = CalibrateActivations(chain.graph, *chain.objective, "ternary", {});
  EXPECT_EQ(ActivationGridOf(*ternary, 0, 2).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ActivationGridOf(*ternary, 0, 1).status().code(), absl::StatusCode::kFailedPrecondition);
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

// Two samples of two tokens of two features, times the identity. At 2 bits, by hand (ties go to even codes):
//   token   (0, 3) by 1: 0, 3    (5, 6) by 2: 4, 6    (-3, 1) by 4/3, zero point 2: -8/3, 4/3    (0, 0.5): 0, 0.5
//   sample  0..6 by 2: 0, 4, 4, 6                     -3..1 by 4/3: -8/3, 4/3, 0, 0
struct Tokens {
  Tokens() {
    GraphBuilder b;
    const ValueId x = b.Input("x", {kDynamic, 2, 2});
    graph = b.Build(b.Node("MatMul", {x, b.Floats("one", {2, 2}, {1, 0, 0, 1})}));
    data.num_samples = 2;
    data.inputs = {{.name = "x", .values = {.shape = {2, 2, 2}, .data = {0, 3, 5, 6, -3, 1, 0, 0.5F}}}};
    data.targets = Tensor{.shape = {2, 2, 2}, .data = data.inputs[0].values.data};
  }
  std::vector<float> Outputs(std::string_view range, int64_t samples_per_shard, int num_threads) const {
    const auto objective = *Objective::Create(graph, data, {.samples_per_shard = samples_per_shard});
    const ActivationCalibration calibration = *CalibrateActivations(graph, *objective, range, {});
    const Option two{.activation_bits = 2};
    const Option* const options[] = {&two};
    const Substitution run{.weights = {},
                           .transforms = *ActivationTransforms(calibration, WidthsOfPoints(calibration, options))};
    std::vector<float> result(8);
    const auto visit = [&](int, int64_t first, std::span<const float> z, std::span<const double>) {
      std::ranges::copy(z, result.begin() + first * 4);
    };
    EXPECT_TRUE(objective->RunSubstituted({&run, 1}, visit, {.num_threads = num_threads}).ok());
    return result;
  }
  Graph graph;
  Dataset data;
};

TEST(DynamicRanges, AreThoseOfTokensOrSamplesInShardsOfAnySize) {
  const Tokens tokens;
  const float low = 4.0F / 3 * -2;
  const float high = 4.0F / 3;
  for (const int64_t samples_per_shard : {1, 2, 16}) {
    for (const int num_threads : {1, 3}) {
      EXPECT_THAT(tokens.Outputs("dynamic_token", samples_per_shard, num_threads),
                  ElementsAre(0, 3, 4, 6, low, high, 0, 0.5F));
      EXPECT_THAT(tokens.Outputs("dynamic_sample", samples_per_shard, num_threads),
                  ElementsAre(0, 4, 4, 6, low, high, 0, 0));
    }
  }
}

// Where forms and responses read them, several samples may come in one tensor: a network of two samples at a time.
TEST(DynamicRanges, ChangesAreTheErrorsOfEachRow) {
  const Tokens tokens;
  const auto objective = *Objective::Create(tokens.graph, tokens.data, {});
  const OptionTable options{{{{.activation_bits = 2}}}};
  const std::span<const float> values = tokens.data.inputs[0].values.data;
  for (const std::string_view range : {"dynamic_sample", "dynamic_token"}) {
    const ActivationCalibration calibration = *CalibrateActivations(tokens.graph, *objective, range, {});
    const ActivationChanges changes = *ActivationChangesOf(calibration, options);
    const std::vector<float> outputs = tokens.Outputs(range, 2, 1);
    std::vector<float> error(8);
    changes.errors[0][0](values, error);
    for (size_t i = 0; i < values.size(); ++i) EXPECT_EQ(error[i], outputs[i] - values[i]) << range << i;
  }
}

// Networks whose samples stand in the first axis of every tensor.
std::vector<bitplan::testing::NetworkFixture> PlainNetworks() {
  std::vector<bitplan::testing::NetworkFixture> networks = bitplan::testing::AllNetworks();
  std::erase_if(networks, [](const auto& network) { return network.name == "RecurrentNet"; });
  return networks;
}

bool OwnsSeveralPoints(const Graph& graph) {
  std::set<int> owners;
  const std::vector<ActivationPoint> points = FindActivationPoints(graph);
  for (const ActivationPoint& point : points) owners.insert(point.layers[0]);
  return owners.size() < points.size();
}

// With a single sample the range of its tensor is the range of all data. Only where one layer's points follow each
// other (a shared weight) a dynamic range is that of what the first point's quantization makes of the second.
TEST(DynamicRanges, OfOneSampleAreMinMax) {
  int compared = 0;
  for (const auto& network : PlainNetworks()) {
    const OptionTable options =
        *quantization::ListOptions(network.graph.layers, {.weight_bits = {4}, .activation_bits = {3}});
    for (const std::string method : {"measured_loss", "gauss_newton_direct"}) {
      SensitivityOptions settings{.method = method, .max_samples = 1, .quantize_activations = true};
      const auto fixed = Estimate(network.graph, network.data, options, settings, {});
      settings.activation_range = "dynamic_sample";
      const auto dynamic = Estimate(network.graph, network.data, options, settings, {});
      ASSERT_TRUE(fixed.ok() && dynamic.ok()) << network.name << fixed.status() << dynamic.status();
      if (method == "measured_loss" && OwnsSeveralPoints(network.graph)) continue;
      EXPECT_EQ(dynamic->score, fixed->score) << network.name << method;
      ++compared;
    }
  }
  EXPECT_GT(compared, 15);
}

TEST(DynamicRanges, SameBitsForAnyNumberOfThreads) {
  for (const auto& network : PlainNetworks()) {
    const OptionTable options =
        *quantization::ListOptions(network.graph.layers, {.weight_bits = {4}, .activation_bits = {3}});
    for (const char* method : {"measured_loss", "gauss_newton_direct"}) {
      const SensitivityOptions settings{
          .method = method, .quantize_activations = true, .activation_range = "dynamic_token"};
      const auto alone = Estimate(network.graph, network.data, options, settings, {.num_threads = 1});
      ASSERT_TRUE(alone.ok()) << network.name << alone.status();
      EXPECT_EQ(*alone, *Estimate(network.graph, network.data, options, settings, {.num_threads = 3})) << network.name;
    }
  }
}

TEST(DynamicRanges, SayWhereATokenIsNoRow) {
  GraphBuilder b;
  const ValueId image = b.Input("image", {kDynamic, 1, 2, 2});
  const ValueId hidden = b.Node("Conv", {image, b.RandomWeight("w", {2, 1, 1, 1})});
  const ValueId flat = b.Node("Relu", {b.Node("Flatten", {b.Node("Relu", {hidden})})});
  const Graph graph = b.Build(b.Node("Gemm", {flat, b.RandomWeight("v", {8, 3})}));
  const Dataset data = bitplan::testing::RandomClassification(3, {1, 2, 2}, 3, 1);
  const OptionTable options = *quantization::ListOptions(graph.layers, {.weight_bits = {4}});
  Dataset named = data;
  named.inputs[0].name = "image";
  const auto objective = *Objective::Create(graph, named, {});
  const ActivationCalibration calibration = *CalibrateActivations(graph, *objective, "dynamic_token", {});
  EXPECT_THAT(calibration.row_sizes, ElementsAre(4, 8));
  const std::string note =
      "dynamic_token: 1 of 2 activation tensors have one range a sample, because layers add up more than a row of "
      "them: image";
  EXPECT_THAT(calibration.notes, ElementsAre(note));
  EXPECT_THAT(CalibrateActivations(graph, *objective, "dynamic_sample", {})->notes, ElementsAre());
  EXPECT_EQ(ActivationGridOf(calibration, 0, 4).status().code(), absl::StatusCode::kFailedPrecondition);
  const auto table = Estimate(
      graph, named, options,
      {.method = "gauss_newton_direct", .quantize_activations = true, .activation_range = "dynamic_token"}, {});
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_THAT(table->notes, ::testing::Contains(note));
}

// [tokens, samples, features]: a token has a range of its own anywhere, a sample is not in one piece.
TEST(DynamicRanges, RefuseSamplesThatAreNotInTheFirstAxis) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {kDynamic, 3, 2});
  const ValueId turned = b.Node("Relu", {b.Node("Transpose", {x}, {{"perm", std::vector<int64_t>{1, 0, 2}}})});
  const ValueId y = b.Node("MatMul", {turned, b.RandomWeight("w", {2, 2})});
  const Graph graph = b.Build(b.Node("Transpose", {y}, {{"perm", std::vector<int64_t>{1, 0, 2}}}));
  Dataset data = bitplan::testing::RandomRegression(2, {3, 2}, {3, 2}, 1);
  data.inputs[0].name = "x";
  const auto objective = *Objective::Create(graph, data, {});
  EXPECT_THAT(CalibrateActivations(graph, *objective, "dynamic_token", {})->row_sizes, ElementsAre(2));
  const absl::Status status = CalibrateActivations(graph, *objective, "dynamic_sample", {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(MessageOf(status),
              ::testing::HasSubstr("of shape [3, 1, 2] for 1 samples does not have them in its first"));
}

}  // namespace
}  // namespace bitplan::sensitivity
