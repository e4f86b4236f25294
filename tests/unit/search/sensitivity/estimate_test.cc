#include "search/sensitivity/estimate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <Eigen/Eigenvalues>
#include <cmath>
#include <limits>
#include <set>
#include <stop_token>

#include "search/base/status.h"
#include "search/quantization/options.h"
#include "search/quantization/quantizer.h"
#include "tests/testing/dense_operator.h"
#include "tests/testing/memory_checkpoints.h"
#include "tests/testing/quadratic_objective.h"

namespace bitplan::sensitivity {
namespace {

using ::bitplan::testing::MemoryCheckpoints;
using ::bitplan::testing::QuadraticObjective;
using ::bitplan::testing::RandomDecaying;
using ::testing::HasSubstr;

// Three layers of 12, 6 and 20 weights under a dense positive definite Hessian.
struct Example {
  LayerTable layers{{{.name = "conv", .kind = LayerKind::kConv, .weight_shape = {4, 3, 1, 1}, .num_weights = 12},
                     {.name = "tiny", .weight_shape = {6}, .num_weights = 6},
                     {.name = "head", .weight_shape = {5, 4}, .output_channel_axis = 1, .num_weights = 20}}};
  OptionTable options = *quantization::ListOptions(layers, {.weight_bits = {2, 8}});
  Eigen::MatrixXd hessian = 5 * RandomDecaying(38, 0.9, 1);
  std::vector<float> weights = RandomWeights(38);
  QuadraticObjective objective{hessian, weights, {12, 6, 20}};

  static std::vector<float> RandomWeights(int n) {
    std::vector<float> weights(n);
    Rng(5, 0).FillGaussian(weights);
    return weights;
  }
  Eigen::MatrixXd Block(int l) const {
    const auto [offset, size] = objective.slices()[l];
    return hessian.block(offset, offset, size, size);
  }
};

// A quadratic form has no outputs to pull factors back from.
const SensitivityOptions kHutchinson{.method = "hawq_v2", .trace_estimator = "hutchinson", .trace_relative_error = 0.1};

// All of it, tightly: a few thousand products of a 38 x 38 matrix.
const SensitivityOptions kTight{.method = "hawq_v2",
                                .trace_estimator = "hutchinson",
                                .trace_relative_error = 0.02,
                                .max_probes = 20'000,
                                .eigenvalue_tolerance = 1e-3,
                                .max_iterations = 2000};

TEST(Estimate, MeasuresCurvatureOfEveryLayer) {
  const Example example;
  SensitivityOptions options = kTight;
  options.all_curvature = true;
  const auto table = Estimate(example.objective, example.layers, example.options, options, {});
  ASSERT_TRUE(table.ok()) << table.status();
  for (int l = 0; l < 3; ++l) {
    const Eigen::MatrixXd block = example.Block(l);
    const LayerCurvature& curvature = table->curvature[l];
    ASSERT_TRUE(curvature.trace && curvature.top_eigenvalue);
    EXPECT_TRUE(curvature.trace->converged && curvature.top_eigenvalue->converged);
    EXPECT_LE(std::abs(curvature.trace->trace - block.trace()), 4 * curvature.trace->standard_error);
    const double top = Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(block).eigenvalues().tail(1)[0];
    EXPECT_NEAR(curvature.top_eigenvalue->value, top, 1e-3 * top);
  }
  ASSERT_TRUE(table->network_top_eigenvalue);
  EXPECT_NEAR(table->network_top_eigenvalue->value, 5, 5e-3);
  EXPECT_EQ(table->loss, "quadratic");
  EXPECT_EQ(table->num_samples, 1);
  EXPECT_DOUBLE_EQ(*table->base_loss, *example.objective.Loss({}, {}));
}

TEST(Estimate, ScoresAreCurvatureTimesThePerturbationOfEachOption) {
  const Example example;
  const auto table = Estimate(example.objective, example.layers, example.options, kTight, {});
  ASSERT_TRUE(table.ok()) << table.status();
  for (size_t l = 0; l < 3; ++l) {
    const auto [offset, size] = example.objective.slices()[l];
    const Layer& layer = example.layers.layers[l];
    ASSERT_EQ(table->score[l].size(), example.options.options[l].size());
    for (size_t o = 0; o < table->score[l].size(); ++o) {
      const TensorView weight(example.objective.weights().subspan(offset, size), layer.weight_shape);
      const auto d = quantization::Perturb(weight, layer.output_channel_axis, example.options.options[l][o]);
      EXPECT_EQ(table->perturbation_sq[l][o], d->squared_norm);
      const TraceEstimate& trace = *table->curvature[l].trace;
      EXPECT_DOUBLE_EQ(table->score[l][o], trace.trace / size * d->squared_norm);
      EXPECT_DOUBLE_EQ(table->standard_error[l][o], trace.standard_error / size * d->squared_norm);
    }
  }
}

TEST(Estimate, KeepsTheNoteOnTheLoss) {
  Example example;
  EXPECT_TRUE(Estimate(example.objective, example.layers, example.options, kTight, {})->notes.empty());
  example.objective.note = "the network ends in Softmax";
  const auto table = Estimate(example.objective, example.layers, example.options, kTight, {});
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_EQ(table->notes, std::vector<std::string>{"the network ends in Softmax"});
}

TEST(Estimate, MeasuresOnlyWhatTheMethodNeeds) {
  const Example example;
  const auto v2 = Estimate(example.objective, example.layers, example.options,
                           {.method = "hawq_v2", .trace_estimator = "hutchinson", .trace_relative_error = 0.1}, {});
  ASSERT_TRUE(v2.ok()) << v2.status();
  EXPECT_TRUE(v2->curvature[0].trace);
  EXPECT_FALSE(v2->curvature[0].top_eigenvalue);
  EXPECT_FALSE(v2->network_top_eigenvalue);
  EXPECT_GE(example.objective.num_products, v2->curvature[0].trace->num_probes);
  const auto v1 = Estimate(example.objective, example.layers, example.options, {.method = "hawq_v1"}, {});
  ASSERT_TRUE(v1.ok()) << v1.status();
  EXPECT_FALSE(v1->curvature[0].trace);
  EXPECT_TRUE(v1->curvature[2].top_eigenvalue);
}

TEST(Estimate, LayersHaveStartVectorsOfTheirOwnAndAllDependOnTheSeed) {
  // Three equal blocks: equal start vectors would give equal residuals.
  const LayerTable layers{{{.name = "a", .weight_shape = {8}, .num_weights = 8},
                           {.name = "b", .weight_shape = {8}, .num_weights = 8},
                           {.name = "c", .weight_shape = {8}, .num_weights = 8}}};
  Eigen::MatrixXd hessian = Eigen::MatrixXd::Zero(24, 24);
  for (int l = 0; l < 3; ++l) hessian.block(8 * l, 8 * l, 8, 8) = RandomDecaying(8, 0.9, 2);
  const QuadraticObjective objective(hessian, Example::RandomWeights(24), {8, 8, 8});
  const OptionTable options = *quantization::ListOptions(layers, {.weight_bits = {4}});
  std::set<double> residuals;
  for (const uint64_t seed : {1, 2}) {
    const auto table = Estimate(objective, layers, options, {.method = "hawq_v1", .seed = seed}, {});
    for (const LayerCurvature& curvature : table->curvature) residuals.insert(curvature.top_eigenvalue->residual);
  }
  EXPECT_EQ(residuals.size(), 6U);
}

TEST(Estimate, SameSeedSameBitsOnAnyNumberOfThreads) {
  const Example example;
  const SensitivityOptions options{
      .method = "hawq_v2", .seed = 3, .trace_estimator = "hutchinson", .all_curvature = true};
  const auto one = Estimate(example.objective, example.layers, example.options, options, {.num_threads = 1});
  for (const int threads : {2, 4}) {
    EXPECT_EQ(*one, *Estimate(example.objective, example.layers, example.options, options, {.num_threads = threads}));
  }
}

TEST(Estimate, ResumesWithTheSameBitsAndWithoutRepeatingWork) {
  const Example example;
  const SensitivityOptions options{
      .method = "hawq_v2", .seed = 3, .trace_estimator = "hutchinson", .all_curvature = true};
  const auto whole = Estimate(example.objective, example.layers, example.options, options, {});
  ASSERT_TRUE(whole.ok()) << whole.status();
  const int64_t products = example.objective.num_products;
  for (int64_t stop_at = 1; stop_at < products; stop_at += 17) {
    MemoryCheckpoints checkpoints;
    std::stop_source source;
    const Example interrupted;
    RunContext context{.stop = source.get_token(), .checkpoints = &checkpoints};
    context.progress = [&](const Progress&) {
      if (interrupted.objective.num_products >= stop_at) source.request_stop();
    };
    const auto cut = Estimate(interrupted.objective, interrupted.layers, interrupted.options, options, context);
    EXPECT_EQ(cut.status().code(), absl::StatusCode::kCancelled);
    const Example rest;
    const auto resumed = Estimate(rest.objective, rest.layers, rest.options, options, {.checkpoints = &checkpoints});
    ASSERT_TRUE(resumed.ok()) << resumed.status();
    EXPECT_EQ(*resumed, *whole) << "stopped after " << stop_at;
    EXPECT_LE(rest.objective.num_products, products);
  }
  MemoryCheckpoints finished;
  ASSERT_TRUE(Estimate(example.objective, example.layers, example.options, options, {.checkpoints = &finished}).ok());
  const Example again;
  ASSERT_TRUE(Estimate(again.objective, again.layers, again.options, options, {.checkpoints = &finished}).ok());
  EXPECT_EQ(again.objective.num_products, 0);
}

TEST(Estimate, CheckpointsOfAnotherNetworkAreNotUsed) {
  MemoryCheckpoints checkpoints;
  const RunContext context{.checkpoints = &checkpoints};
  const Example example;
  ASSERT_TRUE(Estimate(example.objective, example.layers, example.options, kHutchinson, context).ok());
  // The same weights on other data: another loss.
  const QuadraticObjective other(2 * example.hessian, example.weights, {12, 6, 20});
  EXPECT_EQ(*Estimate(other, example.layers, example.options, kHutchinson, context),
            *Estimate(other, example.layers, example.options, kHutchinson, {}));
  // A fine-tuned network: other weights.
  std::vector<float> moved = example.weights;
  moved[3] += 1e-3F;
  const QuadraticObjective tuned(example.hessian, moved, {12, 6, 20});
  const int64_t before = tuned.num_products;
  ASSERT_TRUE(Estimate(tuned, example.layers, example.options, kHutchinson, context).ok());
  EXPECT_GT(tuned.num_products, before);
}

TEST(Estimate, ReportsStagesLayersAndErrors) {
  const Example example;
  std::vector<Progress> reports;
  RunContext context;
  context.progress = [&](const Progress& report) { reports.push_back(report); };
  ASSERT_TRUE(Estimate(example.objective, example.layers, example.options,
                       {.method = "hawq_v2", .trace_estimator = "hutchinson", .all_curvature = true}, context)
                  .ok());
  std::vector<std::string> stages;
  double fraction = 0;
  std::set<std::string> names;
  for (const Progress& report : reports) {
    if (stages.empty() || stages.back() != report.stage) {
      stages.push_back(report.stage);
      fraction = 0;
    }
    if (report.stage == "eigenvalues") {
      EXPECT_GE(report.fraction, fraction);
      fraction = report.fraction;
      names.insert(report.layer_name);
    }
    EXPECT_LE(report.fraction, 1);
  }
  EXPECT_THAT(stages,
              ::testing::ElementsAre("perturbations", "gradient", "traces", "eigenvalues", "network eigenvalue"));
  EXPECT_TRUE(names.contains("tiny"));
}

TEST(Estimate, SaysWhatIsWrong) {
  const Example example;
  const auto message = [&](const SensitivityOptions& options) {
    return MessageOf(Estimate(example.objective, example.layers, example.options, options, {}).status());
  };
  EXPECT_EQ(message({.method = "magic"}),
            "method: got 'magic', want one of hawq_v1, hawq_v2, fisher_diagonal, gauss_newton_direct, measured_loss, "
            "quadratic, "
            "logit_superposition, given");
  EXPECT_THAT(message({.method = "given"}), HasSubstr("takes its scores from a document"));
  EXPECT_THAT(message({.max_samples = -1}), HasSubstr("sensitivity.max_samples: got -1"));
  EXPECT_THAT(message({.max_memory_bytes = -1}), HasSubstr("sensitivity.max_memory_bytes: got -1"));
  EXPECT_THAT(message({.trace_relative_error = 0}), HasSubstr("sensitivity.trace_relative_error: got 0"));
  EXPECT_THAT(
      message({.trace_estimator = "magic"}),
      HasSubstr(
          "trace_estimator: got 'magic', want one of gauss_newton, gauss_newton_exact, hessian_split, hutchinson, "
          "hutch_plus_plus, xtrace"));
  EXPECT_THAT(message({.label_smoothing = 2}), HasSubstr("sensitivity.label_smoothing: got 2, want 0..1"));
  EXPECT_THAT(message({.max_probes = 1}), HasSubstr("sensitivity.max_probes: got 1, want at least 2"));
  EXPECT_THAT(message({.eigenvalue_tolerance = 1}), HasSubstr("sensitivity.eigenvalue_tolerance: got 1"));
  EXPECT_THAT(message({.max_iterations = 0}), HasSubstr("sensitivity.max_iterations: got 0"));
}

TEST(Estimate, RefusesTablesThatDisagreeAndBadWeights) {
  Example example;
  const auto message = [&](const LayerTable& layers, const OptionTable& options) {
    return MessageOf(Estimate(example.objective, layers, options, {}, {}).status());
  };
  LayerTable layers = example.layers;
  layers.layers.pop_back();
  EXPECT_THAT(message(layers, example.options), HasSubstr("the table holds 2, the loss 3 and the options 3"));
  layers = example.layers;
  layers.layers[1].num_weights = 7;
  EXPECT_THAT(message(layers, example.options), HasSubstr("layers[1] 'tiny': got 7 weights"));
  OptionTable options = example.options;
  options.options[2].clear();
  EXPECT_THAT(message(example.layers, options), HasSubstr("layers[2] 'head'.options: is empty"));
  options = example.options;
  options.options[2][1].weight_bits = 12;
  EXPECT_EQ(message(example.layers, options),
            "layers[2] 'head': options[1]: weight_bits: got 12, want 2..8 for symmetric");
  example.weights[13] = std::nanf("");
  const QuadraticObjective bad(example.hessian, example.weights, {12, 6, 20});
  EXPECT_THAT(MessageOf(Estimate(bad, example.layers, example.options, {}, {}).status()),
              HasSubstr("layers[1] 'tiny': options[0]: weight[1]: got nan"));
}

TEST(Estimate, FewProbesAreLegalAndSayThatTheyDidNotConverge) {
  const Example example;
  const auto table = Estimate(
      example.objective, example.layers, example.options,
      {.method = "hawq_v2", .trace_estimator = "hutchinson", .trace_relative_error = 1e-6, .max_probes = 3}, {});
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_EQ(table->curvature[0].trace->num_probes, 3);
  EXPECT_FALSE(table->curvature[0].trace->converged);
}

}  // namespace
}  // namespace bitplan::sensitivity
