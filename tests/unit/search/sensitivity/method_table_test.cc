#include "search/sensitivity/method_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string_view>

#include "search/base/status.h"
#include "tests/testing/quadratic_objective.h"

namespace bitplan::sensitivity {
namespace {

using ::bitplan::testing::QuadraticObjective;
using ::testing::DoubleEq;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Two layers of 4 and 10 weights; layer 1 has an indefinite block.
struct Example {
  LayerTable layers{{{.name = "a", .num_weights = 4}, {.name = "b", .num_weights = 10}}};
  OptionTable options{{{{.weight_bits = 2}, {.weight_bits = 8}}, {{.weight_bits = 4}}}};
  std::vector<std::vector<double>> perturbation_sq = {{0.5, 0}, {0.2}};
  std::vector<LayerCurvature> curvature = {{.trace = TraceEstimate{.trace = 12, .standard_error = 2},
                                            .top_eigenvalue = EigenvalueEstimate{.value = 8, .residual = 0.4}},
                                           {.trace = TraceEstimate{.trace = -5, .standard_error = 1},
                                            .top_eigenvalue = EigenvalueEstimate{.value = -3, .residual = 0.1}}};
  // Perturbations of those squared norms: weights 0 and 3 of layer 0 by half, weights 0 and 1 of layer 1 by 0.4 and
  // 0.2.
  curvature::Perturbations perturbations = {{{0.5, 0, 0, 0.5}, {0, 0, 0, 0}}, {{0.4F, 0.2F, 0, 0, 0, 0, 0, 0, 0, 0}}};
  SensitivityOptions settings;
  std::string checkpoint_prefix;
  QuadraticObjective objective{Hessian(), std::vector<float>(14), {4, 10}};

  // The identity, but weights 0 and 3 of layer 0 go together: d'Hd of its first option is 0.5 + 2 * 0.25 * 0.6.
  static Eigen::MatrixXd Hessian() {
    Eigen::MatrixXd hessian = Eigen::MatrixXd::Identity(14, 14);
    hessian(0, 3) = hessian(3, 0) = 0.6;
    return hessian;
  }
  MethodInput Input() const {
    return {objective, layers, options, perturbation_sq, curvature, perturbations, settings, checkpoint_prefix};
  }
};

TEST(HawqV1, IsMagnitudeOfTheEigenvaluePerWeightTimesSquaredPerturbation) {
  const Example example;
  const auto scores = FindMethod("hawq_v1")->score(example.Input(), {});
  ASSERT_TRUE(scores.ok()) << scores.status();
  EXPECT_THAT(scores->score[0], ElementsAre(DoubleEq(8.0 / 4 * 0.5), 0));
  EXPECT_THAT(scores->score[1], ElementsAre(DoubleEq(3.0 / 10 * 0.2)));
  EXPECT_THAT(scores->standard_error[0], ElementsAre(DoubleEq(0.4 / 4 * 0.5), 0));
  EXPECT_THAT(scores->standard_error[1], ElementsAre(DoubleEq(0.1 / 10 * 0.2)));
}

TEST(HawqV2, IsAverageTraceTimesSquaredPerturbationWithItsSign) {
  const Example example;
  const auto scores = FindMethod("hawq_v2")->score(example.Input(), {});
  ASSERT_TRUE(scores.ok()) << scores.status();
  EXPECT_THAT(scores->score[0], ElementsAre(DoubleEq(12.0 / 4 * 0.5), 0));
  EXPECT_THAT(scores->score[1], ElementsAre(DoubleEq(-5.0 / 10 * 0.2)));
  EXPECT_THAT(scores->standard_error[0], ElementsAre(DoubleEq(2.0 / 4 * 0.5), 0));
  EXPECT_THAT(scores->standard_error[1], ElementsAre(DoubleEq(1.0 / 10 * 0.2)));
}

// Few outputs, so that taking all columns is cheaper than sampling to 5 %: exact.
TEST(GaussNewtonDirect, IsHalfTheFormOfThePerturbation) {
  const Example example;
  const auto scores = FindMethod("gauss_newton_direct")->score(example.Input(), {});
  ASSERT_TRUE(scores.ok()) << scores.status();
  EXPECT_THAT(scores->score[0], ElementsAre(DoubleNear(0.8 / 2, 1e-6), 0));
  EXPECT_THAT(scores->score[1], ElementsAre(DoubleNear(0.2 / 2, 1e-6)));
  EXPECT_THAT(scores->standard_error, ElementsAre(ElementsAre(0, 0), ElementsAre(0)));
  EXPECT_NEAR(scores->traces[0].trace, 4, 1e-5);
  EXPECT_THAT(scores->notes, ElementsAre());
}

TEST(FisherDiagonal, LeavesOutWhatWeightsDoTogether) {
  const Example example;
  const auto scores = FindMethod("fisher_diagonal")->score(example.Input(), {});
  ASSERT_TRUE(scores.ok()) << scores.status();
  EXPECT_THAT(scores->score[0], ElementsAre(DoubleNear(0.5 / 2, 1e-6), 0));
  EXPECT_THAT(scores->score[1], ElementsAre(DoubleNear(0.2 / 2, 1e-6)));
}

// What every method that scores promises.
TEST(MethodTable, ScoresFollowTheOptionsAndAZeroPerturbationScoresZero) {
  Example example;
  for (const MethodEntry& method : Methods()) {
    if (method.score == nullptr || method.predicts_plans)
      continue;  // whole_plan_test.cc: they want a loss of the table
    for (auto& row : example.perturbation_sq) std::ranges::fill(row, 0);
    for (auto& of_layer : example.perturbations) {
      for (auto& row : of_layer) std::ranges::fill(row, 0.0F);
    }
    const auto scores = method.score(example.Input(), {});
    ASSERT_TRUE(scores.ok()) << method.name << scores.status();
    for (const auto* table : {&scores->score, &scores->standard_error}) {
      ASSERT_EQ(table->size(), 2U) << method.name;
      EXPECT_THAT((*table)[0], ElementsAre(0, 0)) << method.name;
      EXPECT_THAT((*table)[1], ElementsAre(0)) << method.name;
    }
  }
}

TEST(MethodTable, ScoresScaleWithTheLoss) {
  // Twice the loss has twice the curvature and must have twice the scores.
  const Example example;
  Example doubled;
  const QuadraticObjective twice_the_loss(2 * Example::Hessian(), std::vector<float>(14), {4, 10});
  for (LayerCurvature& curvature : doubled.curvature) {
    curvature.trace->trace *= 2;
    curvature.top_eigenvalue->value *= 2;
  }
  for (const MethodEntry& method : Methods()) {
    if (method.score == nullptr || method.predicts_plans)
      continue;  // whole_plan_test.cc: they want a loss of the table
    const auto once = method.score(example.Input(), {});
    const MethodInput input{twice_the_loss,    doubled.layers,        doubled.options,  doubled.perturbation_sq,
                            doubled.curvature, doubled.perturbations, doubled.settings, doubled.checkpoint_prefix};
    const auto twice = method.score(input, {});
    for (size_t l = 0; l < once->score.size(); ++l) {
      for (size_t o = 0; o < once->score[l].size(); ++o) {
        EXPECT_NEAR(twice->score[l][o], 2 * once->score[l][o], 1e-6 * std::abs(once->score[l][o])) << method.name;
      }
    }
  }
}

TEST(MethodTable, NamesAreUniqueAndFound) {
  std::set<std::string_view> names;
  for (const MethodEntry& entry : Methods()) {
    EXPECT_TRUE(names.insert(entry.name).second) << entry.name;
    EXPECT_EQ(FindMethod(entry.name)->name, entry.name);
    EXPECT_FALSE(entry.summary.empty() || entry.source.empty() || entry.error_meaning.empty());
  }
  const auto unknown = FindMethod("magic");
  EXPECT_EQ(unknown.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(MessageOf(unknown.status()),
            "method: got 'magic', want one of hawq_v1, hawq_v2, fisher_diagonal, gauss_newton_direct, measured_loss, "
            "quadratic, "
            "logit_superposition, given");
}

}  // namespace
}  // namespace bitplan::sensitivity
