#include "search/ops/losses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "search/base/status.h"

namespace bitplan::ops {
namespace {

using ::testing::HasSubstr;

// Two samples of three outputs.
struct Batch {
  std::vector<float> outputs = {0.5F, -1.0F, 2.0F, 0.1F, 0.2F, -0.3F};
  std::vector<int64_t> labels = {2, 0};
  std::vector<float> targets = {1, 0, 2, 0.5F, 0.5F, 0.5F};

  LossBatch View(const LossEntry& loss) const {
    LossBatch view{.outputs = outputs, .num_samples = 2, .width = 3};
    (loss.takes_labels ? void(view.labels = labels) : void(view.targets = targets));
    return view;
  }
};

TEST(CrossEntropy, EqualsHandComputedValue) {
  const LossEntry& loss = **FindLoss("cross_entropy");
  const double first = std::log(std::exp(0.5) + std::exp(-1.0) + std::exp(2.0)) - 2.0;
  const double second = std::log(std::exp(0.1) + std::exp(0.2) + std::exp(-0.3)) - 0.1;
  EXPECT_NEAR(loss.value(Batch().View(loss)), first + second, 1e-6);
}

TEST(CrossEntropy, StandsLargeLogits) {
  const LossEntry& loss = **FindLoss("cross_entropy");
  Batch batch;
  batch.outputs = {1e30F, -1e30F, 0, 1e4F, 1e4F, -1e4F};
  batch.labels = {0, 0};
  EXPECT_NEAR(loss.value(batch.View(loss)), std::log(2.0), 1e-9);
  std::vector<float> gradient(6);
  loss.gradient(batch.View(loss), 1, gradient);
  EXPECT_THAT(gradient, ::testing::ElementsAre(0, 0, 0, -0.5F, 0.5F, 0));
}

TEST(CrossEntropy, PassesNaNOn) {
  const LossEntry& loss = **FindLoss("cross_entropy");
  for (int i = 0; i < 3; ++i) {
    Batch batch;
    batch.outputs[i] = std::nanf("");
    EXPECT_TRUE(std::isnan(loss.value(batch.View(loss)))) << i;
  }
}

// Squared errors .25 + 1 + 0 and .16 + .09 + .64, mean over three outputs.
TEST(MeanSquaredError, IsMeanOverOutputs) {
  const LossEntry& loss = **FindLoss("mean_squared_error");
  EXPECT_NEAR(loss.value(Batch().View(loss)), (1.25 + 0.89) / 3, 1e-6);
}

class LossDerivatives : public ::testing::TestWithParam<LossEntry> {};

TEST_P(LossDerivatives, GradientEqualsCentralDifferences) {
  const LossEntry& loss = GetParam();
  constexpr double kScale = 0.5;
  std::vector<float> gradient(6);
  loss.gradient(Batch().View(loss), kScale, gradient);
  for (int i = 0; i < 6; ++i) {
    constexpr float kStep = 1.0F / 64;
    Batch ahead;
    Batch behind;
    ahead.outputs[i] += kStep;
    behind.outputs[i] -= kStep;
    const double difference = (loss.value(ahead.View(loss)) - loss.value(behind.View(loss))) / (2 * kStep);
    EXPECT_NEAR(gradient[i], kScale * difference, 1e-4) << i;  // step^2 times a third derivative below 1
  }
}

TEST_P(LossDerivatives, CurvatureEqualsDifferencesOfGradient) {
  const LossEntry& loss = GetParam();
  const std::vector<float> v = {1, -0.5F, 0.25F, 2, 0, -1};
  std::vector<float> product(6);
  loss.curvature(Batch().View(loss), v, 1, product);
  constexpr float kStep = 1.0F / 256;
  Batch ahead;
  Batch behind;
  for (int i = 0; i < 6; ++i) {
    ahead.outputs[i] += kStep * v[i];
    behind.outputs[i] -= kStep * v[i];
  }
  std::vector<float> plus(6);
  std::vector<float> minus(6);
  loss.gradient(ahead.View(loss), 1, plus);
  loss.gradient(behind.View(loss), 1, minus);
  for (int i = 0; i < 6; ++i) EXPECT_NEAR(product[i], (plus[i] - minus[i]) / (2 * kStep), 1e-4) << i;
}

INSTANTIATE_TEST_SUITE_P(Losses, LossDerivatives, ::testing::ValuesIn(LossTable().begin(), LossTable().end()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(FindLoss, ListsKnownNames) {
  const absl::Status status = FindLoss("hinge").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(MessageOf(status), HasSubstr("got 'hinge', want one of auto, cross_entropy, mean_squared_error"));
}

}  // namespace
}  // namespace bitplan::ops
