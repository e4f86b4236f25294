#include "search/ops/objective.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "search/base/rng.h"
#include "search/base/status.h"
#include "tests/testing/graph_fixtures.h"
#include "tests/testing/reference_network.h"

namespace bitplan {
namespace {

using ::testing::HasSubstr;
using testing::NetworkFixture;

class ObjectiveOnNetworks : public ::testing::TestWithParam<NetworkFixture> {
 protected:
  const NetworkFixture& network() const { return GetParam(); }
  std::unique_ptr<Objective> Make(ObjectiveOptions options = {.samples_per_shard = 3}) const {
    auto objective = Objective::Create(network().graph, network().data, options);
    EXPECT_TRUE(objective.ok()) << objective.status();
    return std::move(objective).value();
  }
};

std::vector<float> Gaussian(int64_t size, uint64_t seed) {
  std::vector<float> v(size);
  Rng(seed, 0).FillGaussian(v);
  return v;
}

Eigen::VectorXd Product(const Objective& objective, const std::vector<float>& v, std::optional<int> layer,
                        int num_threads = 1) {
  std::vector<double> out(v.size());
  const absl::Status status = objective.HessianVectorProduct(v, layer, out, {.num_threads = num_threads});
  EXPECT_TRUE(status.ok()) << status;
  return Eigen::Map<Eigen::VectorXd>(out.data(), static_cast<int64_t>(out.size()));
}

Eigen::VectorXd ToEigen(const std::vector<float>& v) {
  return Eigen::Map<const Eigen::VectorXf>(v.data(), static_cast<int64_t>(v.size())).cast<double>();
}

// Float storage: sums of some hundred products lose about four digits of seven.
constexpr double kFloatTolerance = 2e-5;
// Required of Hessian products on nets under 2,000 weights.
constexpr double kHessianTolerance = 1e-4;

TEST_P(ObjectiveOnNetworks, LossEqualsReference) {
  const absl::StatusOr<double> loss = Make()->Loss({}, {});
  ASSERT_TRUE(loss.ok()) << loss.status();
  EXPECT_NEAR(*loss, testing::ReferenceLoss(network().graph, network().data), kFloatTolerance);
}

TEST_P(ObjectiveOnNetworks, OutputsEqualReference) {
  const absl::StatusOr<Tensor> outputs = Make()->Outputs({}, {});
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  const testing::DoubleTensor expected = testing::ReferenceOutputs(network().graph, network().data);
  ASSERT_EQ(outputs->shape, expected.shape);
  for (size_t i = 0; i < expected.data.size(); ++i) EXPECT_NEAR(outputs->data[i], expected.data[i], kFloatTolerance);
}

TEST_P(ObjectiveOnNetworks, GradientEqualsReference) {
  const absl::StatusOr<LossAndGradient> got = Make()->Gradient({}, {});
  ASSERT_TRUE(got.ok()) << got.status();
  const Eigen::VectorXd expected = testing::ReferenceGradient(network().graph, network().data);
  const Eigen::Map<const Eigen::VectorXd> gradient(got->gradient.data(), static_cast<int64_t>(got->gradient.size()));
  EXPECT_LT((gradient - expected).norm(), kFloatTolerance * expected.norm());
  EXPECT_NEAR(got->loss, testing::ReferenceLoss(network().graph, network().data), kFloatTolerance);
}

TEST_P(ObjectiveOnNetworks, HessianProductsEqualDenseHessian) {
  const auto objective = Make();
  const Eigen::MatrixXd hessian = testing::DenseHessian(network().graph, network().data);
  const std::vector<float> v = Gaussian(objective->num_weights(), 21);
  const Eigen::VectorXd expected = hessian * ToEigen(v);
  EXPECT_LT((Product(*objective, v, std::nullopt) - expected).norm(), kHessianTolerance * expected.norm());
}

TEST_P(ObjectiveOnNetworks, BlockProductsEqualBlocksOfDenseHessian) {
  const auto objective = Make();
  const Eigen::MatrixXd hessian = testing::DenseHessian(network().graph, network().data);
  for (int layer = 0; layer < static_cast<int>(objective->slices().size()); ++layer) {
    const auto [offset, size] = objective->slices()[layer];
    const std::vector<float> v = Gaussian(size, 22);
    const Eigen::VectorXd expected = hessian.block(offset, offset, size, size) * ToEigen(v);
    EXPECT_LT((Product(*objective, v, layer) - expected).norm(), kHessianTolerance * expected.norm()) << layer;
  }
}

TEST_P(ObjectiveOnNetworks, HessianIsSymmetric) {
  const auto objective = Make();
  const std::vector<float> u = Gaussian(objective->num_weights(), 23);
  const std::vector<float> v = Gaussian(objective->num_weights(), 24);
  const double uhv = ToEigen(u).dot(Product(*objective, v, std::nullopt));
  const double vhu = ToEigen(v).dot(Product(*objective, u, std::nullopt));
  EXPECT_NEAR(uhv, vhu, kHessianTolerance * std::abs(uhv) + kFloatTolerance);
}

// Central differences of our own float gradient: step 2e-3 leaves about 1e-7 / 2e-3 of rounding and a curvature of the
// Hessian term of the same order.
TEST_P(ObjectiveOnNetworks, HessianProductIsDerivativeOfGradient) {
  const auto objective = Make();
  const std::vector<float> v = Gaussian(objective->num_weights(), 25);
  constexpr float kStep = 2e-3F;
  std::vector<float> ahead(objective->weights().begin(), objective->weights().end());
  std::vector<float> behind = ahead;
  for (size_t i = 0; i < v.size(); ++i) {
    ahead[i] += kStep * v[i];
    behind[i] -= kStep * v[i];
  }
  const auto plus = objective->Gradient(ahead, {});
  const auto minus = objective->Gradient(behind, {});
  ASSERT_TRUE(plus.ok() && minus.ok());
  Eigen::VectorXd difference(static_cast<int64_t>(v.size()));
  for (size_t i = 0; i < v.size(); ++i) difference[i] = (plus->gradient[i] - minus->gradient[i]) / (2 * kStep);
  const Eigen::VectorXd product = Product(*objective, v, std::nullopt);
  // A kink crossed within the step changes the difference, not the product: piecewise linear nets get more room.
  const double tolerance = network().name == "KinkedConvNet" ? 0.3 : 0.01;
  EXPECT_LT((difference - product).norm(), tolerance * product.norm());
}

TEST_P(ObjectiveOnNetworks, ThreadsChangeNoBit) {
  const auto objective = Make({.samples_per_shard = 1});
  const std::vector<float> v = Gaussian(objective->num_weights(), 26);
  const auto gradient = objective->Gradient({}, {.num_threads = 1});
  const auto loss = objective->Loss({}, {.num_threads = 1});
  const Eigen::VectorXd product = Product(*objective, v, std::nullopt, 1);
  ASSERT_TRUE(gradient.ok() && loss.ok());
  for (const int num_threads : {2, 4}) {
    const auto again = objective->Gradient({}, {.num_threads = num_threads});
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(again->gradient, gradient->gradient);
    EXPECT_EQ(again->loss, gradient->loss);
    EXPECT_EQ(*objective->Loss({}, {.num_threads = num_threads}), *loss);
    EXPECT_EQ(Product(*objective, v, std::nullopt, num_threads), product);
  }
}

TEST_P(ObjectiveOnNetworks, ShardSizeChangesRoundingOnly) {
  const auto small = Make({.samples_per_shard = 1})->Gradient({}, {});
  const auto large = Make({.samples_per_shard = 100})->Gradient({}, {});
  ASSERT_TRUE(small.ok() && large.ok());
  EXPECT_NEAR(small->loss, large->loss, kFloatTolerance);
  for (size_t i = 0; i < small->gradient.size(); ++i) {
    EXPECT_NEAR(small->gradient[i], large->gradient[i], kFloatTolerance);
  }
}

TEST_P(ObjectiveOnNetworks, FirstSamplesOnly) {
  const auto objective = Make({.max_samples = 2});
  EXPECT_EQ(objective->num_samples(), 2);
  Dataset first = network().data;
  const int64_t size = static_cast<int64_t>(first.inputs[0].values.data.size()) / first.num_samples;
  first.inputs[0].values.data.resize(2 * size);
  first.inputs[0].values.shape[0] = 2;
  first.num_samples = 2;
  if (auto* labels = std::get_if<ClassLabels>(&first.targets)) {
    labels->resize(2);
  } else {
    Tensor& targets = std::get<Tensor>(first.targets);
    targets.data.resize(targets.data.size() / targets.shape[0] * 2);
    targets.shape[0] = 2;
  }
  EXPECT_NEAR(*objective->Loss({}, {}), testing::ReferenceLoss(network().graph, first), kFloatTolerance);
}

INSTANTIATE_TEST_SUITE_P(Networks, ObjectiveOnNetworks, ::testing::ValuesIn(testing::AllNetworks()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace bitplan
