#include "search/sensitivity/whole_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "search/base/status.h"
#include "search/quantization/options.h"
#include "search/quantization/quantizer.h"
#include "search/sensitivity/estimate.h"
#include "search/sensitivity/plan_predictor.h"
#include "tests/testing/graph_fixtures.h"
#include "tests/testing/memory_checkpoints.h"

namespace bitplan::sensitivity {
namespace {

using ::bitplan::testing::GraphBuilder;
using ::bitplan::testing::MemoryCheckpoints;
using ::bitplan::testing::NetworkFixture;
using ::testing::HasSubstr;

OptionTable Options(const Graph& graph, const std::vector<int>& widths) {
  return *quantization::ListOptions(
      graph.layers, {.weight_bits = widths, .schemes = {"symmetric"}, .granularities = {Granularity::kPerTensor}});
}

SensitivityTable Measure(const NetworkFixture& network, const OptionTable& options, SensitivityOptions settings) {
  const auto table = Estimate(network.graph, network.data, options, settings, {});
  EXPECT_TRUE(table.ok()) << table.status();
  return table.ok() ? *table : SensitivityTable{};
}

// The loss of a plan, run, less the network's own.
double MeasuredIncrease(const NetworkFixture& network, const OptionTable& options, const std::string& loss,
                        const std::vector<int>& choice) {
  const auto objective = *Objective::Create(network.graph, network.data, {.loss = loss});
  std::vector<float> weights(objective->weights().begin(), objective->weights().end());
  for (size_t l = 0; l < choice.size(); ++l) {
    if (choice[l] < 0) continue;
    const auto [offset, size] = objective->slices()[l];
    const Layer& layer = network.graph.layers.layers[l];
    const TensorView own(objective->weights().subspan(offset, size), layer.weight_shape);
    const auto d = quantization::Perturb(own, layer.output_channel_axis, options.options[l][choice[l]]);
    for (int64_t i = 0; i < size; ++i) weights[offset + i] += d->delta[i];
  }
  return *objective->Loss(weights, {}) - *objective->Loss({}, {});
}

class WholePlanOf : public ::testing::TestWithParam<NetworkFixture> {};
INSTANTIATE_TEST_SUITE_P(All, WholePlanOf, ::testing::ValuesIn(bitplan::testing::AllNetworks()),
                         [](const auto& info) { return info.param.name; });

TEST_P(WholePlanOf, ScoresAreWhatThePredictorSaysOfEachOptionAlone) {
  const OptionTable options = Options(GetParam().graph, {3, 6});
  for (const std::string method : {"quadratic", "logit_superposition"}) {
    for (const std::string changes : {"measured", "first_order"}) {
      const SensitivityTable table = Measure(GetParam(), options, {.method = method, .output_changes = changes});
      ASSERT_TRUE(table.responses) << method;
      EXPECT_EQ(ToString(table.responses->form), method);
      EXPECT_TRUE(table.loss.starts_with("label_free_")) << table.loss;
      EXPECT_EQ(table.responses->loss, table.loss);
      ASSERT_TRUE(CheckPlanResponses(*table.responses, options).ok());
      const auto predictor = PlanPredictor::Create(*table.responses);
      ASSERT_TRUE(predictor.ok()) << predictor.status();
      for (size_t l = 0; l < options.options.size(); ++l) {
        for (int o = 0; o < std::ssize(options.options[l]); ++o) {
          std::vector<int> alone(options.options.size(), -1);
          alone[l] = o;
          const SampleMean mean = predictor->Predict(alone);
          // Measured scores are of float outputs, predicted ones of a float plus a float difference.
          EXPECT_NEAR(table.score[l][o], mean.mean, 10 * predictor->tolerance()) << method << changes;
          EXPECT_NEAR(table.standard_error[l][o], mean.standard_error, 10 * predictor->tolerance());
        }
      }
    }
  }
}

TEST_P(WholePlanOf, MeasuredSuperpositionIsExactForOneLayer) {
  const OptionTable options = Options(GetParam().graph, {3});
  const SensitivityTable table = Measure(GetParam(), options, {});
  const auto predictor = PlanPredictor::Create(*table.responses);
  for (size_t l = 0; l < options.options.size(); ++l) {
    std::vector<int> alone(options.options.size(), -1);
    alone[l] = 0;
    EXPECT_NEAR(predictor->Predict(alone).mean, MeasuredIncrease(GetParam(), options, table.loss, alone),
                10 * predictor->tolerance());
  }
}

// y = a x + b x with two layers side by side: outputs are linear in both together.
NetworkFixture TwoBranches() {
  GraphBuilder b;
  const ValueId x = b.Input("x", {kDynamic, 2});
  const ValueId left = b.Node("MatMul", {x, b.Floats("a", {2, 3}, {0.9F, -0.35F, 0.2F, 0.5F, 0.77F, -0.6F})});
  const ValueId right = b.Node("MatMul", {x, b.Floats("b", {2, 3}, {-0.31F, 0.8F, 0.45F, 0.12F, -0.7F, 1.0F})});
  NetworkFixture network{.name = "TwoBranches", .graph = b.Build(b.Node("Add", {left, right}))};
  network.data.num_samples = 4;
  network.data.inputs = {{.name = "x", .values = {.shape = {4, 2}, .data = {1, 2, -1, 0.5F, 3, -2, 0.1F, 1}}}};
  network.data.targets = ClassLabels{0, 1, 2, 1};
  return network;
}

TEST(LogitSuperposition, IsExactForWholePlansWhereOutputsAreLinearInTheLayers) {
  const NetworkFixture network = TwoBranches();
  const OptionTable options = Options(network.graph, {2, 3, 4});
  for (const std::string loss : {"auto", "cross_entropy"}) {
    for (const std::string changes : {"measured", "first_order"}) {
      const SensitivityTable table = Measure(network, options, {.loss = loss, .output_changes = changes});
      EXPECT_EQ(table.loss, loss == "auto" ? "label_free_cross_entropy" : loss);
      const auto predictor = PlanPredictor::Create(*table.responses);
      for (int a = 0; a < 3; ++a) {
        for (int b = 0; b < 3; ++b) {
          EXPECT_NEAR(predictor->Predict(std::vector{a, b}).mean,
                      MeasuredIncrease(network, options, table.loss, {a, b}), 1e-6);
        }
      }
    }
  }
}

TEST(LogitSuperposition, KeepsTheFirstSamplesThatFitAndSaysSo) {
  const NetworkFixture network = TwoBranches();
  const OptionTable options = Options(network.graph, {2, 3});  // 3 outputs x 4 changes x 4 bytes: 48 a sample
  const SensitivityTable all = Measure(network, options, {.loss = "cross_entropy"});
  const SensitivityTable table = Measure(network, options, {.loss = "cross_entropy", .max_memory_bytes = 100'000});
  EXPECT_EQ(table.responses->responses.num_samples, 4);
  const auto objective = *Objective::Create(network.graph, network.data, {});
  EXPECT_EQ(all.score, table.score);
  EXPECT_EQ(all.notes.size(), 0U);
  SensitivityOptions settings;
  settings.max_memory_bytes = 8 * 100;  // an eighth is for responses: two samples
  const LayerTable& layers = network.graph.layers;
  const std::vector<std::vector<double>> none;
  const std::vector<LayerCurvature> no_curvature;
  const std::string no_prefix;
  curvature::Perturbations perturbations;
  for (size_t l = 0; l < 2; ++l) {
    auto& of_layer = perturbations.emplace_back();
    for (const Option& option : options.options[l]) {
      const TensorView own(objective->weights().subspan(objective->slices()[l].offset, 6),
                           layers.layers[l].weight_shape);
      of_layer.push_back(quantization::Perturb(own, layers.layers[l].output_channel_axis, option)->delta);
    }
  }
  const MethodInput input{.objective = *objective,
                          .layers = layers,
                          .options = options,
                          .perturbation_sq = none,
                          .curvature = no_curvature,
                          .perturbations = perturbations,
                          .settings = settings,
                          .checkpoint_prefix = no_prefix,
                          .data = &network.data};
  const auto scores = LogitSuperposition(input, {});
  ASSERT_TRUE(scores.ok()) << scores.status();
  EXPECT_EQ(scores->responses->responses.num_samples, 2);
  EXPECT_EQ(std::get<ClassLabels>(scores->responses->targets), (ClassLabels{0, 1}));
  EXPECT_EQ(scores->score, all.score);  // of all samples
  ASSERT_EQ(scores->notes.size(), 1U);
  EXPECT_THAT(scores->notes[0], HasSubstr("whole plans are predicted from 2 of 4 samples"));
  for (int64_t n = 0; n < 2; ++n) {
    for (int64_t c = 0; c < 3; ++c) {
      EXPECT_TRUE(std::ranges::equal(scores->responses->responses.row(n, c), all.responses->responses.row(n, c)));
    }
  }
}

TEST(LogitSuperposition, ResumesWithTheSameBitsAndWithoutForwardPasses) {
  const NetworkFixture network = bitplan::testing::KinkedConvNet();
  const OptionTable options = Options(network.graph, {2, 3});
  MemoryCheckpoints checkpoints;
  int reports = 0;
  const RunContext context{.progress = [&](const Progress& report) { reports += report.stage == "measured loss"; },
                           .checkpoints = &checkpoints,
                           .num_threads = 2};
  const auto whole = Estimate(network.graph, network.data, options, {}, context);
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_GT(std::exchange(reports, 0), 0);
  const auto again = Estimate(network.graph, network.data, options, {}, context);
  EXPECT_EQ(reports, 0);
  EXPECT_EQ(*again, *whole);
  EXPECT_EQ(*Estimate(network.graph, network.data, options, {}, {}), *whole);
}

TEST(WholePlan, WantsTargetsForALossThatNeedsThem) {
  const NetworkFixture network = TwoBranches();
  const auto objective = *Objective::Create(network.graph, network.data, {});
  const auto status = Estimate(*objective, network.graph.layers, Options(network.graph, {2}), {}, {}).status();
  EXPECT_THAT(MessageOf(status),
              HasSubstr("wants the data's targets, or a label-free loss; the loss is 'cross_entropy'"));
}

TEST(WholePlan, RefusesChangesItDoesNotKnow) {
  EXPECT_EQ(MessageOf(Validate(SensitivityOptions{.output_changes = "guessed"})),
            "sensitivity.output_changes: got 'guessed', want measured or first_order");
}

TEST(LossOfMethod, IsLabelFreeOnlyWhereNothingElseWasAskedFor) {
  const MethodEntry whole = *FindMethod("logit_superposition");
  const MethodEntry alone = *FindMethod("measured_loss");
  EXPECT_EQ(LossOfMethod(whole, {}, ClassLabels{}), "label_free_cross_entropy");
  EXPECT_EQ(LossOfMethod(whole, {}, Tensor{}), "label_free_mean_squared_error");
  EXPECT_EQ(LossOfMethod(whole, {.loss = "cross_entropy"}, ClassLabels{}), "cross_entropy");
  EXPECT_EQ(LossOfMethod(whole, {.label_smoothing = 0.1}, ClassLabels{}), "auto");
  EXPECT_EQ(LossOfMethod(alone, {}, ClassLabels{}), "auto");
}

}  // namespace
}  // namespace bitplan::sensitivity
