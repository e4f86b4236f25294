#include "search/sensitivity/plan_predictor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "search/base/rng.h"
#include "search/base/status.h"
#include "search/ops/losses.h"
#include "search/sensitivity/method_table.h"

namespace bitplan {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kSamples = 5;
constexpr int64_t kOutputs = 3;

// Two layers of 2 and 3 options, random outputs and changes of size `scale`.
PlanResponses RandomResponses(const std::string& loss, double scale) {
  Rng rng(7, 0);
  PlanResponses plan{.loss = loss, .output_shape = {kSamples, kOutputs}};
  plan.outputs.resize(kSamples * kOutputs);
  rng.FillGaussian(plan.outputs);
  if (loss == "cross_entropy") {
    plan.targets = ClassLabels{0, 2, 1, 1, 0};
  } else {
    Tensor wanted = Tensor::Zeros({kSamples, kOutputs});
    for (float& value : wanted.data) value = rng.NextUniform() < 0.5 ? 0.0F : 1.0F;
    plan.targets = wanted;
  }
  plan.responses = {.num_samples = kSamples, .num_outputs = kOutputs, .num_perturbations = 5, .first = {0, 2}};
  plan.responses.values.resize(kSamples * kOutputs * 5);
  rng.FillGaussian(plan.responses.values);
  for (float& value : plan.responses.values) value *= static_cast<float>(scale);
  return plan;
}

PlanPredictor Make(PlanResponses plan, PlanForm form) {
  plan.form = form;
  return *PlanPredictor::Create(plan);
}

// The loss of one sample by definition: softmax cross-entropy or squared error, in double.
double LossByHand(const PlanResponses& plan, int64_t n, const std::vector<double>& z) {
  if (const auto* labels = std::get_if<ClassLabels>(&plan.targets)) {
    double sum = 0;
    for (const double value : z) sum += std::exp(value);
    return std::log(sum) - z[(*labels)[n]];
  }
  double sum = 0;
  for (int64_t c = 0; c < kOutputs; ++c) {
    sum += std::pow(z[c] - std::get<Tensor>(plan.targets).data[n * kOutputs + c], 2) / kOutputs;
  }
  return sum;
}

double SuperpositionByHand(const PlanResponses& plan, const std::vector<int64_t>& changes) {
  double mean = 0;
  for (int64_t n = 0; n < kSamples; ++n) {
    std::vector<double> own(kOutputs);
    for (int64_t c = 0; c < kOutputs; ++c) own[c] = plan.outputs[n * kOutputs + c];
    std::vector<double> moved = own;
    for (int64_t c = 0; c < kOutputs; ++c) {
      for (const int64_t j : changes) moved[c] += plan.responses.row(n, c)[j];
    }
    mean += (LossByHand(plan, n, moved) - LossByHand(plan, n, own)) / kSamples;
  }
  return mean;
}

class PlanPredictorOf : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(All, PlanPredictorOf, ::testing::Values("cross_entropy", "mean_squared_error"),
                         [](const auto& info) { return info.param; });

TEST_P(PlanPredictorOf, SuperposesTheChangesOfAllLayers) {
  const PlanResponses plan = RandomResponses(GetParam(), 0.7);
  const PlanPredictor predictor = Make(plan, PlanForm::kSuperposition);
  for (int a = 0; a < 2; ++a) {
    for (int b = 0; b < 3; ++b) {
      EXPECT_NEAR(predictor.Predict(std::vector{a, b}).mean, SuperpositionByHand(plan, {a, 2 + b}), 1e-6);
    }
  }
  EXPECT_NEAR(predictor.Predict(std::vector{-1, 1}).mean, SuperpositionByHand(plan, {3}), 1e-6);
  EXPECT_EQ(predictor.Predict(std::vector{-1, -1}), SampleMean{});
}

TEST_P(PlanPredictorOf, IsQuadraticToSecondOrder) {
  const double scale = 1e-2;
  const PlanResponses plan = RandomResponses(GetParam(), scale);
  const PlanPredictor quadratic = Make(plan, PlanForm::kQuadratic);
  const PlanPredictor superposition = Make(plan, PlanForm::kSuperposition);
  const std::vector<int> choice = {1, 2};
  // What is left is of third order (zero for squared errors), and float.
  EXPECT_NEAR(quadratic.Predict(choice).mean, superposition.Predict(choice).mean, 10 * scale * scale * scale);
  EXPECT_GT(std::abs(quadratic.Predict(choice).mean), 100 * scale * scale * scale);
}

TEST_P(PlanPredictorOf, GradientIsThatOfCentralDifferencesAndTheValueIsConvex) {
  const PlanResponses plan = RandomResponses(GetParam(), 0.7);
  for (const PlanForm form : {PlanForm::kQuadratic, PlanForm::kSuperposition}) {
    const PlanPredictor predictor = Make(plan, form);
    const std::vector<double> x = {0.25, 0.75, 0.5, 0.2, 0.3};
    std::vector<double> gradient(5);
    const double value = predictor.ValueAndGradient(x, gradient);
    EXPECT_EQ(value, predictor.Value(x));
    for (int j = 0; j < 5; ++j) {
      constexpr double kStep = 1e-2;
      std::vector<double> above = x;
      std::vector<double> below = x;
      above[j] += kStep;
      below[j] -= kStep;
      EXPECT_NEAR((predictor.Value(above) - predictor.Value(below)) / (2 * kStep), gradient[j], 1e-4);
    }
    // Every plan lies above the tangent at x.
    for (int a = 0; a < 2; ++a) {
      for (int b = 0; b < 3; ++b) {
        double tangent = value;
        for (int j = 0; j < 5; ++j) tangent += gradient[j] * ((j == a || j == 2 + b ? 1 : 0) - x[j]);
        EXPECT_GE(predictor.Predict(std::vector{a, b}).mean, tangent - predictor.tolerance());
      }
    }
  }
}

TEST(PlanPredictor, StandardErrorIsThatOfTheMeanOverSamples) {
  PlanResponses plan = RandomResponses("mean_squared_error", 0);
  plan.outputs = std::get<Tensor>(plan.targets).data;  // loss 0
  for (int64_t n = 0; n < kSamples; ++n) plan.responses.values[n * kOutputs * 5] = static_cast<float>(n);
  // Squared change n^2 / 3 of sample n: 0, 1, 4, 9, 16 over 3; mean 2, variance (4 + 25/9 + 4/9 + 1 + 100/9) / 4.
  const SampleMean mean = Make(plan, PlanForm::kSuperposition).Predict(std::vector{0, 0});
  EXPECT_NEAR(mean.mean, 2, 1e-6);
  EXPECT_NEAR(mean.standard_error, std::sqrt((4 + 25.0 / 9 + 4.0 / 9 + 1 + 100.0 / 9) / 4 / 5), 1e-5);
}

TEST(PlanPredictor, ALabelFreeLossCountsFromTheNetworksOwnPrediction) {
  PlanResponses plan = RandomResponses("cross_entropy", 0.7);
  plan.loss = "label_free_cross_entropy";
  plan.targets = {};
  const PlanPredictor predictor = Make(plan, PlanForm::kSuperposition);
  std::vector<double> gradient(5);
  EXPECT_NEAR(predictor.ValueAndGradient(std::vector<double>(5, 0.0), gradient), 0, 1e-7);
  for (const double slope : gradient) EXPECT_NEAR(slope, 0, 1e-6);
  for (int b = 0; b < 3; ++b) EXPECT_GT(predictor.Predict(std::vector{0, b}).mean, 0);
}

TEST(PlanPredictor, RefusesTargetsAndLossesThatDoNotFit) {
  PlanResponses plan = RandomResponses("cross_entropy", 1);
  std::get<ClassLabels>(plan.targets)[0] = 3;
  EXPECT_THAT(MessageOf(PlanPredictor::Create(plan).status()), HasSubstr("labels[0]: got 3"));
  plan = RandomResponses("cross_entropy", 1);
  plan.loss = "nll";
  EXPECT_EQ(PlanPredictor::Create(plan).status().code(), absl::StatusCode::kUnimplemented);
}

TEST(PlanResponses, AreCheckedAgainstTheOptions) {
  const OptionTable options{{std::vector<Option>(2), std::vector<Option>(3)}};
  const auto error = [&](const PlanResponses& plan) {
    return MessageOf(sensitivity::CheckPlanResponses(plan, options));
  };
  const PlanResponses good = RandomResponses("cross_entropy", 1);
  EXPECT_TRUE(sensitivity::CheckPlanResponses(good, options).ok());
  PlanResponses plan = good;
  plan.outputs.pop_back();
  EXPECT_THAT(error(plan), HasSubstr("14 values, want 5 samples of 3"));
  plan = good;
  plan.responses.values.pop_back();
  EXPECT_THAT(error(plan), HasSubstr("got 74 values, want 15 outputs x 5 changes"));
  plan = good;
  plan.responses.first = {0, 3};
  EXPECT_THAT(error(plan), HasSubstr("got 5 changes in 2 layers, the options are 5 in 2"));
  plan = good;
  plan.responses.values[3] = NAN;
  EXPECT_THAT(error(plan), HasSubstr("responses.changes: a value is not finite"));
  EXPECT_FALSE(plan == good);
  EXPECT_EQ(good, PlanResponses(good));
}

TEST(PlanForm, HasTheMethodsNames) {
  for (const PlanForm form : {PlanForm::kQuadratic, PlanForm::kSuperposition}) {
    EXPECT_EQ(ParsePlanForm(ToString(form)), form);
    EXPECT_TRUE(sensitivity::FindMethod(ToString(form)).ok());
  }
  EXPECT_EQ(ParsePlanForm("hawq_v2"), std::nullopt);
}

}  // namespace
}  // namespace bitplan
