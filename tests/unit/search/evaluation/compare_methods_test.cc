#include "search/evaluation/compare_methods.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "search/base/status.h"
#include "search/quantization/options.h"
#include "tests/testing/graph_fixtures.h"

namespace bitplan::evaluation {
namespace {

using ::bitplan::testing::GraphBuilder;
using ::bitplan::testing::NetworkFixture;
using ::testing::DoubleNear;
using ::testing::HasSubstr;
using ::testing::Optional;

TEST(RankCorrelation, IsThatOfRanksWithSharedOnes) {
  EXPECT_THAT(RankCorrelation({1, 2, 3}, {10, 200, 3000}), Optional(DoubleNear(1, 1e-15)));
  EXPECT_THAT(RankCorrelation({1, 2, 3}, {3, 2, 1}), Optional(DoubleNear(-1, 1e-15)));
  // Ranks 0.5, 0.5, 2 and 0, 1, 2: covariance 1.5, variances 1.5 and 2.
  EXPECT_THAT(RankCorrelation({1, 1, 7}, {1, 2, 3}), Optional(DoubleNear(1.5 / std::sqrt(1.5 * 2), 1e-15)));
  EXPECT_EQ(RankCorrelation({1, 1, 1}, {1, 2, 3}), std::nullopt);
  EXPECT_EQ(RankCorrelation({1}, {1}), std::nullopt);
}

// Three layers side by side: outputs are linear in all of them together, so superposition is exact.
NetworkFixture ThreeBranches() {
  GraphBuilder b;
  const ValueId x = b.Input("x", {kDynamic, 2});
  const ValueId first = b.Node("MatMul", {x, b.Floats("a", {2, 3}, {0.9F, -0.35F, 0.2F, 0.5F, 0.77F, -0.6F})});
  const ValueId second = b.Node("MatMul", {x, b.Floats("b", {2, 3}, {-0.31F, 0.8F, 0.45F, 0.12F, -0.7F, 1.0F})});
  const ValueId third = b.Node("MatMul", {x, b.Floats("c", {2, 3}, {0.66F, 0.1F, -0.83F, 0.3F, 0.21F, 0.4F})});
  NetworkFixture network{.name = "ThreeBranches",
                         .graph = b.Build(b.Node("Add", {b.Node("Add", {first, second}), third}))};
  network.data.num_samples = 4;
  network.data.inputs = {{.name = "x", .values = {.shape = {4, 2}, .data = {1, 2, -1, 0.5F, 3, -2, 0.1F, 1}}}};
  network.data.targets = ClassLabels{0, 1, 2, 1};
  return network;
}

OptionTable Options(const Graph& graph) {
  return *quantization::ListOptions(
      graph.layers, {.weight_bits = {2, 3, 4}, .schemes = {"symmetric"}, .granularities = {Granularity::kPerTensor}});
}

const MethodAgreement& Find(const MethodComparison& comparison, const std::string& method) {
  return *std::ranges::find(comparison.methods, method, &MethodAgreement::method);
}

TEST(CompareMethods, FindsWhatPredictsPlansExactly) {
  const NetworkFixture network = ThreeBranches();
  const auto comparison =
      CompareMethods(network.graph, network.data, &network.data, Options(network.graph), {.num_plans = 27}, {});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_EQ(comparison->num_samples, 4);
  EXPECT_EQ(comparison->num_held_out_samples, 4);
  EXPECT_THAT(comparison->measured_on_both, Optional(DoubleNear(1, 1e-12)));
  EXPECT_EQ(comparison->methods.size(), 7U);
  const MethodAgreement& exact = Find(*comparison, "logit_superposition");
  EXPECT_EQ(exact.loss, "label_free_cross_entropy");
  EXPECT_THAT(exact.calibration.divergence, Optional(DoubleNear(1, 1e-12)));
  EXPECT_NEAR(exact.slope, 1, 1e-5);
  EXPECT_GT(exact.cost_in_gradients, 0);
  for (const MethodAgreement& method : comparison->methods) {
    EXPECT_EQ(method.scores.size(), 9U);
    EXPECT_EQ(method.held_out, method.calibration) << method.method;  // the same data
    EXPECT_LE(*method.calibration.divergence, 1 + 1e-12);
  }
  for (size_t i = 0; i < comparison->between.size(); ++i) {
    EXPECT_NEAR(comparison->between[i][i], 1, 1e-12);
    for (size_t j = 0; j < i; ++j) EXPECT_EQ(comparison->between[i][j], comparison->between[j][i]);
  }
}

TEST(CompareMethods, SameBitsForAnyNumberOfThreadsAndPlansBySeed) {
  const NetworkFixture network = bitplan::testing::KinkedConvNet();
  const OptionTable options = Options(network.graph);
  const auto run = [&](int threads, uint64_t seed) {
    return *CompareMethods(network.graph, network.data, nullptr, options,
                           {.methods = {"measured_loss", "quadratic"}, .num_plans = 10, .sensitivity = {.seed = seed}},
                           {.num_threads = threads});
  };
  const MethodComparison one = run(1, 3);
  const MethodComparison four = run(4, 3);
  const MethodComparison other = run(1, 4);
  EXPECT_EQ(one.between, four.between);
  for (size_t m = 0; m < 2; ++m) {
    EXPECT_EQ(one.methods[m].scores, four.methods[m].scores);
    EXPECT_EQ(one.methods[m].calibration, four.methods[m].calibration);
    EXPECT_EQ(one.methods[m].slope, four.methods[m].slope);
    EXPECT_FALSE(one.methods[m].held_out);
  }
  EXPECT_NE(one.methods[0].slope, other.methods[0].slope);
}

TEST(CompareMethods, LeavesOutMethodsThatCannotScoreActivations) {
  const NetworkFixture network = bitplan::testing::KinkedConvNet();
  ComparisonOptions options{.num_plans = 5};
  options.sensitivity.quantize_activations = true;
  const auto comparison = CompareMethods(network.graph, network.data, nullptr, Options(network.graph), options, {});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  std::set<std::string> names;
  for (const MethodAgreement& method : comparison->methods) names.insert(method.method);
  EXPECT_FALSE(names.contains("hawq_v1") || names.contains("hawq_v2"));
  EXPECT_TRUE(names.contains("logit_superposition") && names.contains("fisher_diagonal"));
  options.methods = {"hawq_v2"};
  EXPECT_THAT(
      MessageOf(CompareMethods(network.graph, network.data, nullptr, Options(network.graph), options, {}).status()),
      HasSubstr("method 'hawq_v2' scores weights only"));
}

TEST(ComparisonOptions, AreChecked) {
  EXPECT_EQ(MessageOf(Validate(ComparisonOptions{.num_plans = 1})), "comparison.num_plans: got 1, want at least 2");
  EXPECT_THAT(MessageOf(Validate(ComparisonOptions{.methods = {"magic"}})), HasSubstr("method: got 'magic'"));
}

}  // namespace
}  // namespace bitplan::evaluation
