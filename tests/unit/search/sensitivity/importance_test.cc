#include "search/sensitivity/importance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "search/quantization/options.h"
#include "search/sensitivity/estimate.h"
#include "search/sensitivity/forecast.h"
#include "tests/testing/graph_fixtures.h"

namespace bitplan::sensitivity {
namespace {

using ::bitplan::testing::GraphBuilder;
using ::testing::ElementsAre;
using ::testing::FloatNear;

OptionTable Codebooks(const LayerTable& layers) {
  return *quantization::ListOptions(
      layers,
      {.weight_bits = {2}, .schemes = {"kmeans", "hessian_kmeans"}, .granularities = {Granularity::kPerTensor}});
}

TEST(WantsImportance, KnowsTheSchemes) {
  EXPECT_TRUE(WantsImportance("hessian_kmeans"));
  EXPECT_FALSE(WantsImportance("kmeans"));
  EXPECT_FALSE(WantsImportance("given"));
  EXPECT_FALSE(WantsImportance(OptionTable{{{{.scheme = "affine"}}}}));
  EXPECT_TRUE(WantsImportance(OptionTable{{{{.scheme = "affine"}}, {{}, {.scheme = "hessian_kmeans"}}}}));
}

// y = w'x with squared error, which bends by 2 in y: G_ii = 2 mean(x_i^2) = 2 (1 + 4) / 2 and 2 (9 + 1) / 2.
TEST(WeightImportance, MatchesTheHandComputedExample) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {kDynamic, 2});
  const Graph graph = b.Build(b.Node("MatMul", {x, b.Floats("w", {2, 1}, {1, 1})}));
  Dataset data{.num_samples = 2};
  data.inputs = {{.name = "x", .values = {.shape = {2, 2}, .data = {1, 3, -2, 1}}}};
  data.targets = Tensor{.shape = {2, 1}, .data = {0, 0}};
  const auto objective = *Objective::Create(graph, data, {});
  EXPECT_THAT(*WeightImportance(*objective, 0, {}), ElementsAre(FloatNear(5, 1e-5), FloatNear(10, 1e-5)));
}

// Few samples: all columns are taken, and entry i is that of G e_i up to float rounding of the products.
TEST(WeightImportance, IsTheDiagonalOfTheGaussNewtonMatrix) {
  for (const auto& network : bitplan::testing::AllNetworks()) {
    const auto objective = *Objective::Create(network.graph, network.data, {});
    ASSERT_LE(objective->num_samples() * objective->num_outputs(), kImportanceDraws);
    const std::vector<float> importance = *WeightImportance(*objective, 0, {});
    ASSERT_EQ(std::ssize(importance), objective->num_weights());
    std::vector<double> column(importance.size());
    for (size_t i = 0; i < importance.size(); i += 7) {
      std::vector<float> unit(importance.size());
      unit[i] = 1;
      ASSERT_TRUE(objective->VectorProduct(CurvatureMatrix::kGaussNewton, unit, std::nullopt, column, {}).ok());
      EXPECT_NEAR(importance[i], column[i], 1e-6 + 1e-4 * std::abs(column[i])) << network.name << i;
    }
  }
}

// 600 samples are drawn from. The entry's exact value is 2 mean(x^2); of Gaussian x, x^2 has the relative deviation
// sqrt(2), so 512 draws have the relative error 6 %: five of them.
TEST(WeightImportance, DrawsFromManySamplesWithTheSameBitsForAnyNumberOfThreads) {
  GraphBuilder b;
  const ValueId x = b.Input("images", {kDynamic, 4});
  const Graph graph = b.Build(b.Node("MatMul", {x, b.RandomWeight("w", {4, 1})}));
  const Dataset data = bitplan::testing::RandomRegression(600, {4}, {1}, 3);
  const auto objective = *Objective::Create(graph, data, {});
  const std::vector<float> importance = *WeightImportance(*objective, 1, {.num_threads = 1});
  EXPECT_EQ(importance, *WeightImportance(*objective, 1, {.num_threads = 3}));
  EXPECT_NE(importance, *WeightImportance(*objective, 2, {}));
  for (int i = 0; i < 4; ++i) {
    double exact = 0;
    for (int n = 0; n < 600; ++n) {
      const double value = data.inputs[0].values.data[n * 4 + i];
      exact += 2 * value * value / 600;
    }
    EXPECT_NEAR(importance[i], exact, 0.31 * exact);
  }
}

// By half of sum G_ii d_i^2, for which hessian_kmeans is the best codebook of 4 levels, it is never worse than kmeans.
TEST(Estimate, GivesImportanceToTheSchemesThatTakeIt) {
  int better = 0;
  for (const auto& network : bitplan::testing::AllNetworks()) {
    const OptionTable options = Codebooks(network.graph.layers);
    std::vector<std::string> stages;
    const RunContext context{.progress = [&](const Progress& report) { stages.push_back(report.stage); }};
    const auto table = Estimate(network.graph, network.data, options, {.method = "fisher_diagonal"}, context);
    ASSERT_TRUE(table.ok()) << table.status();
    EXPECT_THAT(stages, ::testing::Contains("importance"));
    for (size_t l = 0; l < options.options.size(); ++l) {
      ASSERT_EQ(options.options[l].size(), 2U);
      ASSERT_EQ(options.options[l][1].scheme, "hessian_kmeans");
      if (table->standard_error[l][0] > 0) continue;  // from draws: not the same diagonal
      EXPECT_LE(table->score[l][1], table->score[l][0] * (1 + 1e-4) + 1e-9) << network.name << l;
      better += table->score[l][1] < 0.99 * table->score[l][0] ? 1 : 0;
    }
    const auto forecast = Forecast(network.graph, network.data, options, {.method = "fisher_diagonal"}, {});
    EXPECT_TRUE(forecast.ok()) << forecast.status();
  }
  EXPECT_GT(better, 5);
}

}  // namespace
}  // namespace bitplan::sensitivity
