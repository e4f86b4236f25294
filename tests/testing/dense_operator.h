#ifndef BITPLAN_TESTS_TESTING_DENSE_OPERATOR_H_
#define BITPLAN_TESTS_TESTING_DENSE_OPERATOR_H_

#include <Eigen/Dense>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <span>
#include <utility>

#include "absl/status/status.h"
#include "search/base/rng.h"
#include "search/curvature/linear_operator.h"

namespace bitplan::testing {

// A matrix written out: the estimators' fixture with known answers. Counts its products.
class DenseOperator final : public LinearOperator {
 public:
  explicit DenseOperator(Eigen::MatrixXd matrix) : matrix_(std::move(matrix)) {}

  int64_t dimension() const override { return matrix_.rows(); }
  absl::Status Apply(std::span<const float> v, std::span<double> out, const RunContext& /*context*/) const override {
    ++num_products_;
    const Eigen::VectorXd x = Eigen::Map<const Eigen::VectorXf>(v.data(), std::ssize(v)).cast<double>();
    Eigen::Map<Eigen::VectorXd>(out.data(), std::ssize(out)).noalias() = matrix_ * x;
    return absl::OkStatus();
  }

  const Eigen::MatrixXd& matrix() const { return matrix_; }
  int64_t num_products() const { return num_products_; }

 private:
  Eigen::MatrixXd matrix_;
  mutable std::atomic<int64_t> num_products_ = 0;
};

inline DenseOperator DiagonalOperator(const Eigen::VectorXd& diagonal) {
  return DenseOperator(Eigen::MatrixXd(diagonal.asDiagonal()));
}

// Independent standard normal entries on and above the diagonal, mirrored below.
inline Eigen::MatrixXd RandomSymmetric(int n, uint64_t seed) {
  Rng rng(seed, 0);
  Eigen::MatrixXd matrix(n, n);
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j <= i; ++j) matrix(i, j) = matrix(j, i) = rng.NextGaussian();
  }
  return matrix;
}

// Positive semidefinite with a spectrum that falls geometrically, as Hessian blocks of trained networks have it:
// eigenvalues 1, decay, decay^2, .. in a random basis.
inline Eigen::MatrixXd RandomDecaying(int n, double decay, uint64_t seed) {
  const Eigen::MatrixXd basis = Eigen::HouseholderQR<Eigen::MatrixXd>(RandomSymmetric(n, seed)).householderQ();
  Eigen::VectorXd eigenvalues(n);
  for (int i = 0; i < n; ++i) eigenvalues[i] = std::pow(decay, i);
  const Eigen::MatrixXd matrix = basis * eigenvalues.asDiagonal() * basis.transpose();
  return (matrix + matrix.transpose()) / 2;
}

// Symmetric with the given eigenvalues in a random basis.
inline Eigen::MatrixXd WithSpectrum(const Eigen::VectorXd& eigenvalues, uint64_t seed) {
  const auto n = static_cast<int>(eigenvalues.size());
  const Eigen::MatrixXd basis = Eigen::HouseholderQR<Eigen::MatrixXd>(RandomSymmetric(n, seed)).householderQ();
  const Eigen::MatrixXd matrix = basis * eigenvalues.asDiagonal() * basis.transpose();
  return (matrix + matrix.transpose()) / 2;
}

// diag(d) + u u' with d_i in [-1, 1] and u_i of order 1/sqrt(n), for dimensions at which a dense matrix is too large.
class DiagonalPlusRankOne final : public LinearOperator {
 public:
  DiagonalPlusRankOne(int64_t n, uint64_t seed) : diagonal_(n), u_(n) {
    Rng rng(seed, 0);
    for (int64_t i = 0; i < n; ++i) {
      diagonal_[i] = 2 * rng.NextUniform() - 1;
      u_[i] = 2 * rng.NextGaussian() / std::sqrt(static_cast<double>(n));
    }
  }

  int64_t dimension() const override { return diagonal_.size(); }
  absl::Status Apply(std::span<const float> v, std::span<double> out, const RunContext& /*context*/) const override {
    const Eigen::VectorXd x = Eigen::Map<const Eigen::VectorXf>(v.data(), std::ssize(v)).cast<double>();
    Eigen::Map<Eigen::VectorXd>(out.data(), std::ssize(out)) = diagonal_.cwiseProduct(x) + u_ * u_.dot(x);
    return absl::OkStatus();
  }

  double trace() const { return diagonal_.sum() + u_.squaredNorm(); }

 private:
  Eigen::VectorXd diagonal_;
  Eigen::VectorXd u_;
};

}  // namespace bitplan::testing

#endif  // BITPLAN_TESTS_TESTING_DENSE_OPERATOR_H_
