#include "search/evaluation/evaluate_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "search/base/status.h"
#include "search/evaluation/evaluation_json.h"
#include "search/ops/objective.h"
#include "search/quantization/quantizer.h"
#include "search/sensitivity/estimate.h"
#include "tests/testing/graph_fixtures.h"

namespace bitplan::evaluation {
namespace {

using ::bitplan::testing::GraphBuilder;
using ::bitplan::testing::NetworkFixture;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Option PerTensor(int weight_bits, int activation_bits = 8) {
  return {.weight_bits = weight_bits, .activation_bits = activation_bits, .granularity = Granularity::kPerTensor};
}

PlanOption Priced(const Option& option, int64_t num_weights) {
  return {.option = option, .costs = {{Resource::kSize, num_weights * option.weight_bits}}};
}

// A plan that chose options[l][chosen[l]].
Plan MakePlan(const LayerTable& layers, const std::vector<std::vector<Option>>& options, std::vector<size_t> chosen) {
  Plan plan{.termination = Termination::kOptimal, .objective = 0.25, .fingerprint = "f"};
  for (size_t l = 0; l < layers.layers.size(); ++l) {
    PlanLayer layer{.layer = layers.layers[l]};
    for (size_t o = 0; o < options[l].size(); ++o) {
      const PlanOption option = Priced(options[l][o], layer.layer.num_weights);
      if (o == chosen[l]) {
        layer.chosen = option;
      } else {
        layer.alternatives.push_back(option);
      }
    }
    plan.layers.push_back(layer);
  }
  return plan;
}

// Two classes: logits z = W x with W = [[3, 1], [1, 3]], per tensor. At 2 bits (codes -1, 0, 1, scale 3) W becomes
// [[3, 0], [0, 3]] (1/3 rounds to 0); at 3 bits (scale 1) it stays. Samples (1, 0), (0, 1), (2, 1) with labels 0, 1, 1:
// float logits (3, 1), (1, 3), (7, 5): classes 0, 1, 0, so 2 of 3 right. At 2 bits (3, 0), (0, 3), (6, 3): the same
// classes.
struct TwoClasses {
  TwoClasses() {
    GraphBuilder b;
    const ValueId x = b.Input("x", {kDynamic, 2});
    graph = b.Build(b.Node("MatMul", {x, b.Floats("w", {2, 2}, {3, 1, 1, 3})}));
    data.num_samples = 3;
    data.inputs = {{.name = "x", .values = {.shape = {3, 2}, .data = {1, 0, 0, 1, 2, 1}}}};
    data.targets = ClassLabels{0, 1, 1};
  }
  Plan PlanOf(size_t chosen) const {
    return MakePlan(graph.layers, {{PerTensor(2), PerTensor(3), PerTensor(8)}}, {chosen});
  }
  Graph graph;
  Dataset data;
};

// Cross-entropy of two logits whose right one leads by d.
double CrossEntropy(double d) { return std::log1p(std::exp(-d)); }

TEST(EvaluatePlan, MatchesTheHandComputedExample) {
  const TwoClasses example;
  const auto evaluation = EvaluatePlan(example.graph, example.data, example.PlanOf(0), nullptr, {}, {});
  ASSERT_TRUE(evaluation.ok()) << evaluation.status();
  EXPECT_EQ(evaluation->loss, "cross_entropy");
  EXPECT_EQ(evaluation->num_samples, 3);
  EXPECT_DOUBLE_EQ(evaluation->predicted_increase, 0.25);
  const double own[] = {CrossEntropy(2), CrossEntropy(2), CrossEntropy(-2)};
  const double at_two[] = {CrossEntropy(3), CrossEntropy(3), CrossEntropy(-3)};
  const EvaluatedNetwork& of_float = evaluation->float_network;
  EXPECT_NEAR(of_float.loss.mean, (own[0] + own[1] + own[2]) / 3, 1e-12);
  EXPECT_DOUBLE_EQ(of_float.accuracy->mean, 2.0 / 3);
  EXPECT_DOUBLE_EQ(of_float.agreement->mean, 1);
  EXPECT_EQ(of_float.loss_increase, SampleMean());
  // 1, 1, 0: variance 1/3, standard error 1/3.
  EXPECT_DOUBLE_EQ(of_float.accuracy->standard_error, 1.0 / 3);

  const EvaluatedNetwork& plan = evaluation->plan;
  EXPECT_NEAR(plan.loss.mean, (at_two[0] + at_two[1] + at_two[2]) / 3, 1e-12);
  const double a = at_two[0] - own[0];
  const double b = at_two[2] - own[2];
  EXPECT_NEAR(plan.loss_increase.mean, (2 * a + b) / 3, 1e-12);
  // Differences a, a, b: variance (b - a)^2 / 3, standard error |b - a| / 3.
  EXPECT_NEAR(plan.loss_increase.standard_error, std::abs(b - a) / 3, 1e-12);
  EXPECT_DOUBLE_EQ(plan.accuracy->mean, 2.0 / 3);
  EXPECT_DOUBLE_EQ(plan.agreement->mean, 1);
  // |W|^2 = 20, error 1 + 1.
  EXPECT_NEAR(*evaluation->layers[0].weight_sqnr_db, 10, 1e-6);
  EXPECT_FALSE(evaluation->layers[0].activation_sqnr_db.has_value());
  // Codes 1, 0, 0, 1: a bit each; a table of two lengths and its ends; one scale.
  EXPECT_EQ(evaluation->layers[0].huffman_size_bits, 4 + (2 * 8 + 2 * 32) + 32);
  EXPECT_THAT(evaluation->notes, ElementsAre(HasSubstr("activations stay float")));
}

// Of one sample, which is what static ranges of that sample are, without calibration data.
TEST(EvaluatePlan, DynamicRangesNeedNoCalibrationData) {
  TwoClasses example;
  example.data.num_samples = 1;
  example.data.inputs[0].values = {.shape = {1, 2}, .data = {2, 1.1F}};
  example.data.targets = ClassLabels{1};
  const Plan plan = MakePlan(example.graph.layers, {{PerTensor(8, 2)}}, {0});
  const auto evaluate = [&](const Dataset* calibration, const EvaluationOptions& options) {
    return *EvaluatePlan(example.graph, example.data, plan, calibration, options, {});
  };
  const Evaluation fixed = evaluate(&example.data, {});
  EXPECT_NE(fixed.plan.loss_increase.mean, 0);
  for (const char* range : {"dynamic_sample", "dynamic_token"}) {
    const Evaluation dynamic = evaluate(nullptr, {.activation_range = range});
    EXPECT_TRUE(dynamic.quantized_activations);
    EXPECT_EQ(dynamic.activation_range, range);
    EXPECT_EQ(dynamic.plan, fixed.plan);
    EXPECT_EQ(dynamic.layers, fixed.layers);
    EXPECT_THAT(dynamic.notes, ElementsAre());
  }
  for (const char* range : {"minmax", "dynamic_sample"}) {
    const Evaluation left = evaluate(&example.data, {.activation_range = range, .quantize_activations = false});
    EXPECT_FALSE(left.quantized_activations);
    EXPECT_EQ(left.activation_range, "");
    EXPECT_THAT(left.notes, ElementsAre("activations stay float, as asked for"));
  }
}

// Codebooks that were weighted by curvature are made again, the same ones: held-out data that are the measurement's
// lose what it measured.
TEST(EvaluatePlan, EstimatesImportanceFromTheCalibrationData) {
  GraphBuilder b;
  const ValueId x = b.Input("images", {kDynamic, 6});
  const Graph graph = b.Build(b.Node("MatMul", {x, b.RandomWeight("w", {6, 3})}));
  const Dataset data = bitplan::testing::RandomClassification(8, {6}, 3, 1);
  Option option = PerTensor(2);
  option.scheme = "hessian_kmeans";
  const SensitivityTable measured =
      *sensitivity::Estimate(graph, data, {{{option}}}, {.method = "measured_loss", .seed = 5}, {});
  Plan plan = MakePlan(graph.layers, {{option}}, {0});
  plan.provenance.loss = measured.loss;
  plan.provenance.seed = 5;
  const EvaluationOptions left_float{.quantize_activations = false};
  const auto evaluation = EvaluatePlan(graph, data, plan, &data, left_float, {});
  ASSERT_TRUE(evaluation.ok()) << evaluation.status();
  EXPECT_DOUBLE_EQ(evaluation->plan.loss_increase.mean, measured.score[0][0]);
  EXPECT_THAT(evaluation->notes,
              ::testing::Contains(HasSubstr("estimated from all calibration data by cross_entropy")));
  EXPECT_THAT(MessageOf(EvaluatePlan(graph, data, plan, nullptr, left_float, {}).status()),
              HasSubstr("calibration: got none, but a scheme of the plan (hessian_kmeans)"));
}

TEST(EvaluatePlan, ComparesWithTheLargestUniformPlanWithinCost) {
  const TwoClasses example;
  const auto at = [&](size_t chosen) {
    return *EvaluatePlan(example.graph, example.data, example.PlanOf(chosen), nullptr, {}, {});
  };
  const Evaluation of_three = at(1);
  ASSERT_EQ(of_three.uniform.size(), 3);
  EXPECT_THAT(of_three.compared, ElementsAre(Resource::kSize));
  EXPECT_EQ(of_three.uniform[0].name, "uniform 2 bit");
  EXPECT_TRUE(of_three.uniform[0].within_cost && of_three.uniform[1].within_cost);
  EXPECT_FALSE(of_three.uniform[2].within_cost);
  EXPECT_EQ(of_three.uniform[1].costs.at(Resource::kSize), 12);
  EXPECT_EQ(of_three.reference_bits, 3);
  EXPECT_EQ(of_three.uniform[1].loss, of_three.plan.loss);
  EXPECT_EQ(of_three.verdict, "the plan does not beat uniform 3 bit: the losses are equal");

  // A plan that does what 2 bits do at the price of 3.
  Plan dear = example.PlanOf(0);
  dear.layers[0].chosen->costs[Resource::kSize] = 12;
  const Evaluation worse = *EvaluatePlan(example.graph, example.data, dear, nullptr, {}, {});
  EXPECT_EQ(worse.reference_bits, 3);
  // The third sample is wrong by more: losses of 2 bits are higher by about 0.26 on average, with a wide spread.
  EXPECT_NEAR(worse.loss_below_reference->mean, worse.float_network.loss.mean - worse.plan.loss.mean, 1e-6);
  EXPECT_THAT(worse.verdict, ::testing::AllOf(HasSubstr("the plan does not beat uniform 3 bit: its loss is higher by"),
                                              HasSubstr("less than two standard errors")));
  // With the third sample's label turned 2 bits are better on every sample.
  TwoClasses turned;
  turned.data.targets = ClassLabels{0, 1, 0};
  Plan cheap = turned.PlanOf(0);
  cheap.layers[0].alternatives[0].costs[Resource::kSize] = 8;  // 3 bits at the price of 2
  const Evaluation better = *EvaluatePlan(turned.graph, turned.data, cheap, nullptr, {}, {});
  EXPECT_EQ(better.reference_bits, 3);
  EXPECT_GT(better.loss_below_reference->mean, 0);
  EXPECT_THAT(better.verdict, HasSubstr("the plan beats uniform 3 bit: its loss is lower by 0.0"));
}

// With several options of a width: activations of that width first, then symmetric, then per_channel.
TEST(EvaluatePlan, UniformPlansPreferEqualWidthsThenSymmetricPerChannel) {
  const TwoClasses example;
  const Option channel{.weight_bits = 4, .granularity = Granularity::kPerChannel};
  Option affine = channel;
  affine.scheme = "affine";
  Option equal = PerTensor(4, 4);
  Plan plan = MakePlan(example.graph.layers, {{affine, PerTensor(4), channel}}, {0});
  plan.layers[0].alternatives[1].costs[Resource::kSize] = 5;  // per_channel
  const auto price = [&] {
    return EvaluatePlan(example.graph, example.data, plan, nullptr, {}, {})->uniform[0].costs.at(Resource::kSize);
  };
  EXPECT_EQ(price(), 5);
  plan.layers[0].alternatives.push_back(Priced(equal, 1));
  EXPECT_EQ(price(), 4);
}

TEST(EvaluatePlan, SaysSoWhereNoUniformPlanIsAsSmall) {
  NetworkFixture network = bitplan::testing::TanhMlp();
  const std::vector<Option> both = {PerTensor(2), PerTensor(4)};
  Plan plan = MakePlan(network.graph.layers, {both, both}, {0, 0});
  for (PlanLayer& layer : plan.layers) layer.chosen->option.scheme = "affine";
  plan.layers[0].chosen->option.weight_bits = 3;
  plan.layers[0].chosen->costs[Resource::kSize] = 1;
  const Evaluation evaluation = *EvaluatePlan(network.graph, network.data, plan, nullptr, {}, {});
  ASSERT_EQ(evaluation.uniform.size(), 1);  // layer 0 has 3 and 4 bits, layer 1 has 2 and 4
  EXPECT_EQ(evaluation.uniform[0].uniform_bits, 4);
  EXPECT_FALSE(evaluation.reference_bits.has_value());
  EXPECT_THAT(evaluation.verdict, HasSubstr("no uniform plan costs as little"));
}

// The losses are those of Objective with the weights that the quantizer makes, for all layers at once.
TEST(EvaluatePlan, LossIsThatOfTheQuantizedWeights) {
  for (const NetworkFixture& network : bitplan::testing::AllNetworks()) {
    const size_t num_layers = network.graph.layers.layers.size();
    const std::vector<std::vector<Option>> options(num_layers, {PerTensor(2), PerTensor(4)});
    std::vector<size_t> chosen(num_layers);
    for (size_t l = 0; l < num_layers; ++l) chosen[l] = l % 2;
    const auto evaluation = EvaluatePlan(network.graph, network.data, MakePlan(network.graph.layers, options, chosen),
                                         nullptr, {}, {.num_threads = 2});
    ASSERT_TRUE(evaluation.ok()) << evaluation.status();
    const auto objective = *Objective::Create(network.graph, network.data, {});
    std::vector<float> weights(objective->weights().begin(), objective->weights().end());
    for (size_t l = 0; l < num_layers; ++l) {
      const auto [offset, size] = objective->slices()[l];
      const Layer& layer = network.graph.layers.layers[l];
      const auto d = *quantization::Perturb(TensorView(objective->weights().subspan(offset, size), layer.weight_shape),
                                            layer.output_channel_axis, options[l][chosen[l]]);
      for (int64_t i = 0; i < size; ++i) weights[offset + i] += d.delta[i];
    }
    const double loss = *objective->Loss(weights, {});
    EXPECT_NEAR(evaluation->plan.loss.mean, loss, 1e-13 * (1 + loss)) << network.name;
    EXPECT_EQ(evaluation->plan.accuracy.has_value(), evaluation->loss == "cross_entropy") << network.name;
  }
}

// Activations at 2 bits over the calibration range 0..3: x = (1, 0), (0, 1), (2, 1) stays, 2.4 would go to 2.
TEST(EvaluatePlan, QuantizesActivationsOverTheRangesOfTheCalibrationData) {
  TwoClasses example;
  Plan plan = MakePlan(example.graph.layers, {{PerTensor(3, 2)}}, {0});
  Dataset calibration = example.data;
  calibration.inputs[0].values.data = {0, 1, 1, 3, 0, 0};
  example.data.inputs[0].values.data = {1, 0, 0, 1, 2.4F, 1};
  const auto evaluation = EvaluatePlan(example.graph, example.data, plan, &calibration, {}, {});
  ASSERT_TRUE(evaluation.ok()) << evaluation.status();
  EXPECT_TRUE(evaluation->quantized_activations);
  EXPECT_NEAR(evaluation->plan.loss.mean, (CrossEntropy(2) + CrossEntropy(2) + CrossEntropy(-2)) / 3, 1e-6);
  EXPECT_NEAR(evaluation->float_network.loss.mean, (CrossEntropy(2) + CrossEntropy(2) + CrossEntropy(-2.8)) / 3, 1e-6);
  // Signal 1 + 1 + 2.4^2 + 1 = 8.76, error 0.4^2.
  EXPECT_NEAR(*evaluation->layers[0].activation_sqnr_db, 10 * std::log10(8.76 / 0.16), 1e-5);
  EXPECT_FALSE(evaluation->layers[0].weight_sqnr_db.has_value());  // exact
  EXPECT_THAT(evaluation->notes, ElementsAre());
}

TEST(EvaluatePlan, SameBitsForAnyNumberOfThreads) {
  const NetworkFixture network = bitplan::testing::KinkedConvNet();
  const std::vector<std::vector<Option>> options(network.graph.layers.layers.size(), {PerTensor(3, 4)});
  const Plan plan = MakePlan(network.graph.layers, options, std::vector<size_t>(network.graph.layers.layers.size(), 0));
  const auto once = EvaluatePlan(network.graph, network.data, plan, &network.data, {}, {});
  ASSERT_TRUE(once.ok()) << once.status();
  EXPECT_EQ(*EvaluatePlan(network.graph, network.data, plan, &network.data, {}, {.num_threads = 3}), *once);
}

TEST(EvaluatePlan, SaysWhatIsWrong) {
  const TwoClasses example;
  const auto message = [&](const Plan& plan, const EvaluationOptions& options = {}) {
    return MessageOf(EvaluatePlan(example.graph, example.data, plan, nullptr, options, {}).status());
  };
  Plan plan = example.PlanOf(0);
  EXPECT_THAT(message(plan, {.max_samples = -1}), HasSubstr("evaluation.max_samples: got -1"));
  EXPECT_THAT(message(plan, {.label_smoothing = 2}), HasSubstr("evaluation.label_smoothing: got 2"));
  EXPECT_THAT(message(plan, {.activation_range = "magic"}), HasSubstr("got 'magic'"));
  plan.layers[0].layer.name = "v";
  EXPECT_EQ(message(plan), "plan.layers[0]: got 'v' of 4 weights, the network has 'w' of 4");
  plan.layers[0].chosen.reset();
  EXPECT_EQ(message(plan), "plan: it has no choice to evaluate");
  plan.layers.push_back(plan.layers[0]);
  plan = example.PlanOf(0);
  plan.layers.push_back(plan.layers[0]);
  EXPECT_EQ(message(plan), "plan.layers: got 2, the network has 1");
  plan = MakePlan(example.graph.layers, {{PerTensor(3, 20)}}, {0});
  EXPECT_THAT(MessageOf(EvaluatePlan(example.graph, example.data, plan, &example.data, {}, {}).status()),
              HasSubstr("plan.layers[0]: activation_bits: got 20, want 1..16"));
}

TEST(EvaluationJson, HoldsWhatWasMeasured) {
  const TwoClasses example;
  const Evaluation evaluation = *EvaluatePlan(example.graph, example.data, example.PlanOf(1), &example.data, {}, {});
  const nlohmann::json json = nlohmann::json::parse(ToJson(evaluation));
  EXPECT_EQ(json["format"], "bitplan.evaluation/1");
  EXPECT_EQ(json["plan"]["loss"]["mean"], evaluation.plan.loss.mean);
  EXPECT_EQ(json["plan"]["costs"]["size_bits"], 12);
  EXPECT_EQ(json["uniform"].size(), 3);
  EXPECT_EQ(json["reference_bits"], 3);
  EXPECT_EQ(json["layers"][0]["option"], "w3a8/symmetric/per_tensor");
  EXPECT_TRUE(json["layers"][0]["weight_sqnr_db"].is_null());
  EXPECT_GT(json["layers"][0]["huffman_size_bits"], 0);
  EXPECT_EQ(json["activation_range"], "minmax");
}

}  // namespace
}  // namespace bitplan::evaluation
