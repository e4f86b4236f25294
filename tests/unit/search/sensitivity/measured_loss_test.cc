#include "search/sensitivity/measured_loss.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "search/base/status.h"
#include "search/quantization/options.h"
#include "search/quantization/quantizer.h"
#include "search/sensitivity/activation_ranges.h"
#include "search/sensitivity/estimate.h"
#include "tests/testing/graph_fixtures.h"
#include "tests/testing/memory_checkpoints.h"

namespace bitplan::sensitivity {
namespace {

using ::bitplan::testing::GraphBuilder;
using ::bitplan::testing::MemoryCheckpoints;
using ::bitplan::testing::NetworkFixture;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const SensitivityOptions kMeasured{.method = "measured_loss"};

// What MethodInput needs, for any network.
struct Measured {
  explicit Measured(NetworkFixture network)
      : fixture(std::move(network)),
        objective(*Objective::Create(fixture.graph, fixture.data, {.samples_per_shard = 3})),
        options(*quantization::ListOptions(fixture.graph.layers, {.weight_bits = {2, 4}, .schemes = {"symmetric"}})) {
    for (size_t l = 0; l < options.options.size(); ++l) {
      const Layer& layer = fixture.graph.layers.layers[l];
      auto& of_layer = perturbations.emplace_back();
      for (const Option& option : options.options[l]) of_layer.push_back(Delta(l, layer, option));
    }
  }

  std::vector<float> Delta(size_t l, const Layer& layer, const Option& option) const {
    const auto [offset, size] = objective->slices()[l];
    const TensorView view(objective->weights().subspan(offset, size), layer.weight_shape);
    return quantization::Perturb(view, layer.output_channel_axis, option)->delta;
  }
  std::vector<float> Replaced(size_t l, size_t o) const {
    std::vector<float> weights(objective->weights().begin(), objective->weights().end());
    for (size_t i = 0; i < perturbations[l][o].size(); ++i) {
      weights[objective->slices()[l].offset + i] += perturbations[l][o][i];
    }
    return weights;
  }
  MethodInput Input() const {
    return {*objective,   fixture.graph.layers, options,   perturbation_sq,
            no_curvature, perturbations,        kMeasured, no_prefix};
  }

  NetworkFixture fixture;
  std::unique_ptr<Objective> objective;
  OptionTable options;
  curvature::Perturbations perturbations;
  std::vector<std::vector<double>> perturbation_sq;
  std::vector<LayerCurvature> no_curvature;
  std::string no_prefix;
};

class MeasuredLossOf : public ::testing::TestWithParam<NetworkFixture> {};
INSTANTIATE_TEST_SUITE_P(All, MeasuredLossOf, ::testing::ValuesIn(bitplan::testing::AllNetworks()),
                         [](const auto& info) { return info.param.name; });

TEST_P(MeasuredLossOf, IsTheLossWithReplacedWeightsLessTheLossAndKeepsTheChangesOfOutputs) {
  const Measured measured(GetParam());
  const auto changes = MeasureChanges(measured.Input(), 1 << 20, {.num_threads = 2});
  ASSERT_TRUE(changes.ok()) << changes.status();
  const auto& [scores, responses] = *changes;
  const double base = *measured.objective->Loss({}, {});
  const Tensor own = *measured.objective->Outputs({}, {});
  for (size_t l = 0; l < measured.options.options.size(); ++l) {
    for (size_t o = 0; o < measured.options.options[l].size(); ++o) {
      const std::vector<float> weights = measured.Replaced(l, o);
      // Sums of a few doubles in another order.
      EXPECT_NEAR(scores.score[l][o], *measured.objective->Loss(weights, {}) - base, 1e-13 * (1 + base)) << l << o;
      const Tensor outputs = *measured.objective->Outputs(weights, {});
      for (int64_t n = 0; n < responses.num_samples; ++n) {
        for (int64_t c = 0; c < responses.num_outputs; ++c) {
          const int64_t i = n * responses.num_outputs + c;
          EXPECT_EQ(responses.row(n, c)[responses.first[l] + o], outputs.data[i] - own.data[i]);
        }
      }
    }
  }
  const auto alone = MeasuredLoss(measured.Input(), {});
  EXPECT_EQ(alone->score, scores.score);
  EXPECT_EQ(alone->standard_error, scores.standard_error);
}

// y = 2 x, squared error against the true 2 x; the weight's 8 bits are exact up to float rounding. Activations at
// 2 bits over 0..3: only 2.4 moves, to 2, so the squared errors are 0, 0, 0.64, 0. By hand: mean 0.16, variance
// (3 x 0.16^2 + 0.48^2) / 3 = 0.1024, standard error 0.32 / 2.
struct OneWeight {
  OneWeight() {
    GraphBuilder b;
    const ValueId x = b.Input("x", {kDynamic, 1});
    graph = b.Build(b.Node("MatMul", {x, b.Floats("w", {1, 1}, {2})}));
    data.num_samples = 4;
    data.inputs = {{.name = "x", .values = {.shape = {4, 1}, .data = {0, 1, 2.4F, 3}}}};
    data.targets = Tensor{.shape = {4, 1}, .data = {0, 2, 4.8F, 6}};
  }
  Graph graph;
  Dataset data;
  OptionTable options{{{{.weight_bits = 8, .activation_bits = 2, .granularity = Granularity::kPerTensor},
                        {.weight_bits = 8, .activation_bits = 32, .granularity = Granularity::kPerTensor}}}};
};

TEST(MeasuredLoss, CountsActivationsIfAskedTo) {
  const OneWeight example;
  SensitivityOptions options = kMeasured;
  const auto weights_only = Estimate(example.graph, example.data, example.options, options, {});
  ASSERT_TRUE(weights_only.ok()) << weights_only.status();
  EXPECT_THAT(weights_only->score[0], ElementsAre(DoubleNear(0, 1e-12), DoubleNear(0, 1e-12)));
  options.quantize_activations = true;
  const auto both = Estimate(example.graph, example.data, example.options, options, {});
  ASSERT_TRUE(both.ok()) << both.status();
  EXPECT_THAT(both->score[0], ElementsAre(DoubleNear(0.16, 1e-6), DoubleNear(0, 1e-12)));
  EXPECT_THAT(both->standard_error[0], ElementsAre(DoubleNear(0.16, 1e-6), DoubleNear(0, 1e-12)));
}

TEST(MeasuredLoss, RefusesActivationsWhereTheyCannotBe) {
  const OneWeight example;
  const auto message = [&](SensitivityOptions options, int bits) {
    options.quantize_activations = true;
    OptionTable table = example.options;
    table.options[0][1].activation_bits = bits;
    return MessageOf(Estimate(example.graph, example.data, table, options, {}).status());
  };
  EXPECT_EQ(message({.method = "hawq_v2"}, 8),
            "sensitivity.quantize_activations: method 'hawq_v2' scores weights only");
  EXPECT_THAT(message(kMeasured, 20), HasSubstr("layers[0].options[1]: activation_bits: got 20, want 1..16, or 32"));
  const auto objective = *Objective::Create(example.graph, example.data, {});
  SensitivityOptions options = kMeasured;
  options.quantize_activations = true;
  EXPECT_THAT(MessageOf(Estimate(*objective, example.graph.layers, example.options, options, {}).status()),
              HasSubstr("wants a graph"));
}

TEST(MeasuredLoss, ResumesWithTheSameBitsAndWithoutForwardPasses) {
  const NetworkFixture network = bitplan::testing::KinkedConvNet();
  const OptionTable options = *quantization::ListOptions(network.graph.layers, {.weight_bits = {2, 3}});
  MemoryCheckpoints checkpoints;
  int measured_reports = 0;
  RunContext context{.progress = [&](const Progress& report) { measured_reports += report.stage == "measured loss"; },
                     .checkpoints = &checkpoints,
                     .num_threads = 2};
  const auto whole = Estimate(network.graph, network.data, options, kMeasured, context);
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_GT(std::exchange(measured_reports, 0), 0);
  const auto again = Estimate(network.graph, network.data, options, kMeasured, context);
  EXPECT_EQ(measured_reports, 0);
  EXPECT_EQ(*again, *whole);
  EXPECT_EQ(*Estimate(network.graph, network.data, options, kMeasured, {}), *whole);
}

TEST(MeasureChanges, SaysHowMuchMemoryItWants) {
  const Measured measured(bitplan::testing::TanhMlp());
  const auto status = MeasureChanges(measured.Input(), 10, {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace bitplan::sensitivity
