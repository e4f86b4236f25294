#include "search/ops/sample_loss.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "search/base/rng.h"
#include "search/base/status.h"

namespace bitplan::ops {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

std::vector<double> Softmax(std::vector<double> z) {
  double sum = 0;
  for (double& value : z) sum += value = std::exp(value);
  for (double& value : z) value /= sum;
  return z;
}

FloatVector Gaussian(size_t size, uint64_t stream) {
  FloatVector values(size);
  Rng(5, stream).FillGaussian(values);
  return values;
}

Dataset LabelData(int64_t num_samples, ClassLabels labels) {
  return {.inputs = {}, .targets = std::move(labels), .num_samples = num_samples};
}

Dataset TargetData(Shape shape, FloatVector values) {
  const int64_t num_samples = shape[0];
  return {.inputs = {},
          .targets = Tensor{.shape = std::move(shape), .data = std::move(values)},
          .num_samples = num_samples};
}

SampleLoss Make(const LossOptions& options, const Dataset& data, const Shape& output) {
  absl::StatusOr<SampleLoss> loss = SampleLoss::Create(options, data, data.num_samples, output, output[0]);
  EXPECT_TRUE(loss.ok()) << loss.status();
  return *std::move(loss);
}

// Losses with data they fit, on outputs of the given shape.
struct LossCase {
  std::string name;
  LossOptions options;
  Dataset data;
  Shape output;
};

std::vector<LossCase> Cases() {
  FloatVector shares(24);
  for (size_t i = 0; i < shares.size(); ++i) shares[i] = std::abs(std::sin(static_cast<float>(i)));
  FloatVector distribution(24);
  for (size_t row = 0; row < 8; ++row) {
    const double sum = shares[3 * row] + shares[3 * row + 1] + shares[3 * row + 2];
    for (size_t k = 0; k < 3; ++k) distribution[3 * row + k] = static_cast<float>(shares[3 * row + k] / sum);
  }
  return {
      {"Labels", {.loss = "cross_entropy"}, LabelData(4, {2, 0, 1, 1}), {4, 3}},
      {"SmoothedLabels", {.loss = "cross_entropy", .label_smoothing = 0.2}, LabelData(4, {2, 0, 1, 1}), {4, 3}},
      {"SoftLabels", {.loss = "cross_entropy"}, TargetData({4, 2, 3}, distribution), {4, 2, 3}},
      {"TokenLabels", {.loss = "cross_entropy"}, LabelData(2, {2, 0, 1, 1, 0, 2, 2, 1}), {2, 4, 3}},
      {"TokensWithPadding", {.loss = "cross_entropy"}, LabelData(2, {2, 0, -100, 1, 0, -100, -100, 1}), {2, 4, 3}},
      {"PixelLabels", {.loss = "cross_entropy"}, LabelData(2, {2, 0, 1, 1, 0, 2, 2, 1}), {2, 3, 2, 2}},
      {"Squared", {.loss = "mean_squared_error"}, TargetData({4, 6}, Gaussian(24, 9)), {4, 6}},
      {"Binary", {.loss = "binary_cross_entropy"}, TargetData({4, 6}, shares), {4, 6}},
      {"LabelFree", {}, {.num_samples = 4}, {4, 3}},
      {"LabelFreeTokens", {.loss = "label_free_cross_entropy"}, {.num_samples = 2}, {2, 4, 3}},
      {"LabelFreeBinary", {.loss = "label_free_binary_cross_entropy"}, LabelData(4, {1, 1, 1, 1}), {4, 3}},
      {"LabelFreeSquared", {.loss = "label_free_mean_squared_error"}, {.num_samples = 4}, {4, 3}},
  };
}

class SampleLossCase : public ::testing::TestWithParam<LossCase> {
 protected:
  SampleLossCase() : loss_(Make(GetParam().options, GetParam().data, GetParam().output)) {
    const auto size = static_cast<size_t>(NumElements(GetParam().output));
    z_ = Gaussian(size, 0);
    v_ = Gaussian(size, 1);
    if (loss_.label_free()) loss_.SetOwnOutputs(Gaussian(size, 2));
  }

  FloatVector Shifted(const FloatVector& direction, double step) const {
    FloatVector shifted = z_;
    for (size_t i = 0; i < z_.size(); ++i) shifted[i] += static_cast<float>(step * direction[i]);
    return shifted;
  }
  double Dot(const std::vector<float>& a, const FloatVector& b) const {
    double sum = 0;
    for (size_t i = 0; i < b.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
    return sum;
  }
  std::vector<float> Curvature(const FloatVector& v) const {
    std::vector<float> out(z_.size());
    loss_.Curvature(0, z_, v, 1, out);
    return out;
  }

  SampleLoss loss_;
  FloatVector z_;
  FloatVector v_;
};

TEST_P(SampleLossCase, GradientIsThatOfTheValue) {
  std::vector<float> gradient(z_.size());
  loss_.Gradient(0, z_, 2, gradient);
  const double h = 1e-3;
  const double slope = (loss_.Value(0, Shifted(v_, h)) - loss_.Value(0, Shifted(v_, -h))) / (2 * h);
  EXPECT_NEAR(Dot(gradient, v_), 2 * slope, 1e-3 * (1 + std::abs(slope)));
}

TEST_P(SampleLossCase, CurvatureIsThatOfTheGradient) {
  const double h = 1e-3;
  std::vector<float> ahead(z_.size());
  std::vector<float> behind(z_.size());
  loss_.Gradient(0, Shifted(v_, h), 1, ahead);
  loss_.Gradient(0, Shifted(v_, -h), 1, behind);
  const std::vector<float> curvature = Curvature(v_);
  for (size_t i = 0; i < z_.size(); ++i) EXPECT_NEAR(curvature[i], (ahead[i] - behind[i]) / (2 * h), 1e-3) << i;
}

// S S' = F, column by column, and tr F is the sum of squares of S.
TEST_P(SampleLossCase, FactorSquaredIsCurvature) {
  const size_t size = z_.size();
  const auto num_samples = static_cast<size_t>(GetParam().output[0]);
  std::vector<std::vector<float>> columns;
  for (size_t c = 0; c < size; ++c) {
    FloatVector unit(size, 0.0F);
    unit[c] = 1;
    columns.emplace_back(size);
    loss_.Factor(0, z_, unit, columns.back());
  }
  std::vector<double> traces(num_samples, 0.0);
  for (size_t i = 0; i < size; ++i) {
    FloatVector unit(size, 0.0F);
    unit[i] = 1;
    const std::vector<float> curvature = Curvature(unit);
    for (size_t j = 0; j < size; ++j) {
      double product = 0;
      for (size_t c = 0; c < size; ++c) product += static_cast<double>(columns[c][i]) * columns[c][j];
      EXPECT_NEAR(product, curvature[j], 1e-6) << i << ", " << j;
      if (i == j) traces[i / (size / num_samples)] += curvature[j];
    }
  }
  std::vector<double> reported(num_samples);
  loss_.CurvatureTrace(0, z_, reported);
  for (size_t n = 0; n < num_samples; ++n) EXPECT_NEAR(reported[n], traces[n], 1e-6) << n;
}

// A part of the samples gives its part of everything.
TEST_P(SampleLossCase, SamplesAreIndependent) {
  const auto num_samples = GetParam().output[0];
  const size_t one = z_.size() / num_samples;
  double sum = 0;
  std::vector<float> whole(z_.size());
  loss_.Gradient(0, z_, 1, whole);
  for (int64_t n = 0; n < num_samples; ++n) {
    const std::span<const float> outputs = std::span<const float>(z_).subspan(n * one, one);
    sum += loss_.Value(n, outputs);
    std::vector<float> part(one);
    loss_.Gradient(n, outputs, 1, part);
    for (size_t i = 0; i < one; ++i) EXPECT_EQ(part[i], whole[n * one + i]);
  }
  EXPECT_NEAR(sum, loss_.Value(0, z_), 1e-12);
}

// At the outputs that made the targets a label-free loss is 0 and flat.
TEST_P(SampleLossCase, LabelFreeLossIsLeastAtItsOwnOutputs) {
  if (!loss_.label_free()) return;
  loss_.SetOwnOutputs(z_);
  EXPECT_NEAR(loss_.Value(0, z_), 0, 1e-6);
  std::vector<float> gradient(z_.size());
  loss_.Gradient(0, z_, 1, gradient);
  EXPECT_THAT(gradient, Each(::testing::FloatNear(0, 1e-6F)));
  EXPECT_GT(loss_.Value(0, Shifted(v_, 0.3)), 1e-4);
}

INSTANTIATE_TEST_SUITE_P(All, SampleLossCase, ::testing::ValuesIn(Cases()),
                         [](const auto& info) { return info.param.name; });

TEST(SampleLoss, TokensCountAsTheirMean) {
  const Dataset data = LabelData(1, {2, 0, 1, -100});
  const SampleLoss loss = Make({}, data, {1, 4, 3});
  const FloatVector z = Gaussian(12, 3);
  double sum = 0;
  for (int64_t t = 0; t < 3; ++t) {
    const std::vector<double> p = Softmax({z[3 * t], z[3 * t + 1], z[3 * t + 2]});
    sum -= std::log(p[std::get<ClassLabels>(data.targets)[t]]);
  }
  EXPECT_NEAR(loss.Value(0, z), sum / 4, 1e-6);
}

TEST(SampleLoss, SmoothedLabelsAreTheDocumentedDistribution) {
  const Dataset soft = TargetData({1, 3}, {0.1F, 0.8F, 0.1F});
  const SampleLoss same = Make({.loss = "cross_entropy"}, soft, {1, 3});
  const FloatVector z = {0.5F, -1, 2};
  const Dataset labels = LabelData(1, {1});
  const SampleLoss smoothed = Make({.label_smoothing = 0.3}, labels, {1, 3});
  EXPECT_NEAR(smoothed.Value(0, z), same.Value(0, z), 1e-6);
}

struct BadCase {
  LossOptions options;
  Dataset data;
  Shape output;
  std::string message;
};

TEST(SampleLoss, RefusesWhatDoesNotFit) {
  const std::vector<BadCase> cases = {
      {{.loss = "cross_entropy"}, {.num_samples = 2}, {2, 3}, "neither labels nor targets"},
      {{.loss = "binary_cross_entropy"},
       LabelData(2, {0, 1}),
       {2, 3},
       "needs real targets, but the dataset has class labels"},
      {{.loss = "binary_cross_entropy"},
       TargetData({1, 2}, {0.5F, 1.5F}),
       {1, 2},
       "element 1 is 1.5, want probabilities"},
      {{.label_smoothing = 1.5}, LabelData(2, {0, 1}), {2, 3}, "label_smoothing: got 1.5, want 0..1"},
      {{.label_smoothing = 0.1}, TargetData({1, 2}, {1, 2}), {1, 2}, "mean_squared_error has no labels to smooth"},
      {{}, LabelData(2, {0, 1, 2}), {2, 3}, "dataset.labels: got 3, want 2 for the network's output [2, 3]"},
      {{}, LabelData(2, {0, 3}), {2, 3}, "dataset.labels[1]: got 3, want 0..2"},
      {{}, LabelData(2, {0, 1}), {2}, "want [N, classes]"},
  };
  for (const BadCase& bad : cases) {
    const absl::Status status =
        SampleLoss::Create(bad.options, bad.data, bad.data.num_samples, bad.output, bad.output[0]).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bad.message;
    EXPECT_THAT(std::string(status.message()), HasSubstr(bad.message));
  }
}

}  // namespace
}  // namespace bitplan::ops
