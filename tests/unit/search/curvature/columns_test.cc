#include "search/curvature/columns.h"

#include <gtest/gtest.h>

#include <Eigen/Core>
#include <utility>

#include "search/base/rng.h"

namespace bitplan::curvature {
namespace {

// Three row chunks and a rest.
constexpr int64_t kRows = 30'000;

std::vector<double> Gaussian(uint64_t stream) {
  std::vector<float> x(kRows);
  Rng(1, stream).FillGaussian(x);
  return {x.begin(), x.end()};
}

Columns ThreeColumns() {
  Columns Q(kRows);
  for (uint64_t j = 0; j < 3; ++j) {
    std::vector<double> x = Gaussian(j);
    EXPECT_TRUE(Orthogonalize(Q, x, {}).ok());
    Q.Append(x, Norm(x));
  }
  return Q;
}

Eigen::MatrixXd ToMatrix(const Columns& Q) {
  Eigen::MatrixXd matrix(Q.num_rows(), Q.size());
  for (int64_t j = 0; j < Q.size(); ++j) {
    matrix.col(j) = Eigen::Map<const Eigen::VectorXf>(Q[j].data(), Q.num_rows()).cast<double>();
  }
  return matrix;
}

TEST(Columns, DotsAreThoseOfTheMatrix) {
  const Columns Q = ThreeColumns();
  const std::vector<double> x = Gaussian(7);
  const Eigen::VectorXd expected = ToMatrix(Q).transpose() * Eigen::Map<const Eigen::VectorXd>(x.data(), kRows);
  const std::vector<double> dots = *Dots(Q, std::span<const double>(x), {});
  for (int j = 0; j < 3; ++j) EXPECT_NEAR(dots[j], expected[j], 1e-10);
  EXPECT_EQ(*Dots(Q, std::span<const double>(x), {.num_threads = 3}), dots);
}

TEST(Columns, OrthogonalizeLeavesNothingInTheSpan) {
  const Columns Q = ThreeColumns();
  std::vector<double> x = Gaussian(8);
  const std::vector<double> before = x;
  const std::vector<double> taken = *Orthogonalize(Q, x, {.num_threads = 2});
  const std::vector<double> left = *Dots(Q, std::span<const double>(x), {});
  for (const double dot : left) EXPECT_NEAR(dot, 0, 1e-10 * Norm(before));
  const Eigen::VectorXd restored = Eigen::Map<const Eigen::VectorXd>(x.data(), kRows) +
                                   ToMatrix(Q) * Eigen::Map<const Eigen::VectorXd>(taken.data(), 3);
  EXPECT_LE((restored - Eigen::Map<const Eigen::VectorXd>(before.data(), kRows)).norm(), 1e-10 * Norm(before));
}

TEST(Columns, RotateMultipliesFromTheRightAndDropsTheRest) {
  Columns Q = ThreeColumns();
  const Eigen::MatrixXd before = ToMatrix(Q);
  const std::vector<double> U = {0, 1, 0, 0.6, 0, 0.8};  // two columns
  ASSERT_TRUE(Rotate(Q, U, 2, {.num_threads = 2}).ok());
  const Eigen::MatrixXd expected = before * Eigen::Map<const Eigen::MatrixXd>(U.data(), 3, 2);
  ASSERT_EQ(Q.size(), 2);
  EXPECT_LE((ToMatrix(Q) - expected).cwiseAbs().maxCoeff(), 1e-8);  // rounded to float, entries of order 0.01
}

TEST(Columns, StopRequestsAreObeyed) {
  const Columns Q = ThreeColumns();
  std::stop_source source;
  source.request_stop();
  std::vector<double> x = Gaussian(8);
  EXPECT_EQ(Orthogonalize(Q, x, {.stop = source.get_token()}).status().code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace bitplan::curvature
