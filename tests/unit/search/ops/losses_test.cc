#include "search/ops/losses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "search/base/status.h"

namespace bitplan::ops {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Row = std::vector<double>;

TEST(CrossEntropy, EqualsHandComputedValue) {
  const LossEntry& loss = **FindLoss("cross_entropy");
  const double log_sum = std::log(std::exp(0.5) + std::exp(-1.0) + std::exp(2.0));
  EXPECT_NEAR(loss.value(Row{0.5, -1, 2}, Row{0, 0, 1}), log_sum - 2, 1e-12);
  EXPECT_NEAR(loss.value(Row{0.5, -1, 2}, Row{0.25, 0, 0.75}), log_sum - 0.125 - 1.5, 1e-12);
}

TEST(CrossEntropy, StandsLargeLogits) {
  const LossEntry& loss = **FindLoss("cross_entropy");
  const Row z = {1e4, 1e4, -1e30};
  EXPECT_NEAR(loss.value(z, Row{1, 0, 0}), std::log(2.0), 1e-9);
  Row gradient(3);
  loss.gradient(z, Row{1, 0, 0}, gradient);
  EXPECT_THAT(gradient, ElementsAre(DoubleNear(-0.5, 1e-9), DoubleNear(0.5, 1e-9), 0));
  EXPECT_NEAR(loss.curvature_trace(z), 0.5, 1e-12);
}

TEST(CrossEntropy, KeepsDigitsWhereItIsCertain) {
  const LossEntry& loss = **FindLoss("cross_entropy");
  const Row z = {40, 0};
  const double rare = std::exp(-40.0);
  EXPECT_NEAR(loss.curvature_trace(z) / (2 * rare), 1, 1e-9);
  Row column(2);
  loss.factor(z, Row{0, 1}, column);
  EXPECT_NEAR(column[1] / std::sqrt(rare), 1, 1e-9);
}

TEST(LossTable, PassesNaNOn) {
  for (const LossEntry& loss : LossTable()) {
    for (int i = 0; i < 3; ++i) {
      Row z = {1, 2, 3};
      z[i] = std::nan("");
      EXPECT_TRUE(std::isnan(loss.value(z, Row{1, 0, 0}))) << loss.name << i;
    }
  }
}

TEST(MeanSquaredError, IsMeanOverOutputs) {
  const LossEntry& loss = **FindLoss("mean_squared_error");
  EXPECT_NEAR(loss.value(Row{0.5, -1, 2}, Row{1, 0, 2}), 1.25 / 3, 1e-12);
}

TEST(BinaryCrossEntropy, EqualsHandComputedValueAndStandsLargeLogits) {
  const LossEntry& loss = **FindLoss("binary_cross_entropy");
  const double p = 1 / (1 + std::exp(-0.5));
  EXPECT_NEAR(loss.value(Row{0.5, 800}, Row{0.25, 1}), -(0.25 * std::log(p) + 0.75 * std::log(1 - p)) / 2, 1e-12);
  EXPECT_NEAR(loss.value(Row{-800}, Row{1}), 800, 1e-9);
}

// What a network believes is where its own loss is least.
TEST(LossTable, PredictionsMakeTheGradientZero) {
  for (const LossEntry& loss : LossTable()) {
    const Row z = {0.5, -1, 2};
    Row y(3);
    Row gradient(3);
    loss.predict(z, y);
    loss.gradient(z, y, gradient);
    EXPECT_THAT(gradient, ::testing::Each(::testing::DoubleNear(0, 1e-15))) << loss.name;
    EXPECT_NEAR(loss.value(z, y), loss.least(y), 1e-12) << loss.name;
  }
}

TEST(LossTable, EveryLossHasALabelFreeTwin) {
  std::set<std::string> names;
  for (const LossEntry& loss : LossTable()) names.emplace(loss.name);
  for (const LossEntry& loss : LossTable()) {
    if (loss.label_free) continue;
    EXPECT_TRUE(names.contains("label_free_" + std::string(loss.name))) << loss.name;
  }
}

TEST(FindLoss, ListsKnownNames) {
  const absl::Status status = FindLoss("hinge").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(MessageOf(status), HasSubstr("got 'hinge', want one of auto, cross_entropy, mean_squared_error"));
}

}  // namespace
}  // namespace bitplan::ops
