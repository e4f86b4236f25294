#include "search/allocation/diagonal_split.h"

#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <limits>

namespace bitplan::allocation {
namespace {

using Matrix = Eigen::MatrixXd;
using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// Of the mean diagonal: how far above M the search begins, so that M - D has an inverse.
constexpr double kLift = 1e-2;
// Where a mixture is one-hot its variance is 0; the barrier wants every W_g > 0.
constexpr double kLeastWorth = 1e-2;

// K x (K - 1), orthonormal columns that sum to 0 (Helmert).
Matrix DifferencesOf(int options) {
  Matrix basis = Matrix::Zero(options, std::max(0, options - 1));
  for (int j = 1; j < options; ++j) {
    const double norm = std::sqrt(static_cast<double>(j) * (j + 1));
    for (int i = 0; i < j; ++i) basis(i, j - 1) = 1 / norm;
    basis(j, j - 1) = -j / norm;
  }
  return basis;
}

}  // namespace

DiagonalSplit::DiagonalSplit(std::span<const double> matrix, std::span<const int> first)
    : first_(first.begin(), first.end()) {
  const int n = first.back();
  const Eigen::Map<const RowMajor> whole(matrix.data(), n, n);
  for (int g = 0; g + 1 < std::ssize(first); ++g) {
    basis_.push_back(DifferencesOf(first[g + 1] - first[g]));
    start_.push_back(start_.back() + static_cast<int>(basis_.back().cols()));
  }
  Matrix right(n, start_.back());  // M B
  for (size_t g = 0; g < basis_.size(); ++g) {
    right.middleCols(start_[g], basis_[g].cols()) = whole.middleCols(first[g], basis_[g].rows()) * basis_[g];
  }
  rest_.resize(start_.back(), start_.back());
  for (size_t g = 0; g < basis_.size(); ++g) {
    rest_.middleRows(start_[g], basis_[g].cols()) =
        basis_[g].transpose() * right.middleRows(first[g], basis_[g].rows());
  }
  rest_ = ((rest_ + rest_.transpose()) / 2).eval();
  if (start_.back() > 0 && rest_.allFinite()) scale_ = rest_.trace() / start_.back();
  std::vector<double> equal(n);
  for (int g = 0; g + 1 < std::ssize(first); ++g) {
    for (int j = first[g]; j < first[g + 1]; ++j) equal[j] = 1.0 / (first[g + 1] - first[g]);
  }
  for (int g = 0; g < std::ssize(basis_); ++g) worth_.push_back(WorthOf(g, equal));
  for (const Matrix& basis : basis_) split_.push_back(-kLift * scale_ * Matrix::Identity(basis.cols(), basis.cols()));
  rest_.diagonal().array() += kLift * scale_;
}

DiagonalSplit::Matrix DiagonalSplit::WorthOf(int g, std::span<const double> mixture) const {
  const auto size = basis_[g].rows();
  const Eigen::Map<const Eigen::VectorXd> y(mixture.data() + first_[g], size);
  Matrix variance = -y * y.transpose();
  variance.diagonal() += y;
  Matrix worth = basis_[g].transpose() * variance * basis_[g];
  worth.diagonal().array() += kLeastWorth;
  return worth;
}

void DiagonalSplit::MixWorth(std::span<const double> mixture, double share) {
  for (int g = 0; g < std::ssize(basis_); ++g) worth_[g] = (1 - share) * worth_[g] + share * WorthOf(g, mixture);
}

bool DiagonalSplit::Invert(const RunContext& context) {
  const Eigen::LLT<Matrix> factor(rest_);
  if (factor.info() != Eigen::Success) return false;
  inverse_.setIdentity(rest_.rows(), rest_.cols());
  constexpr Eigen::Index kColumns = 64;  // between questions whether to stop
  for (Eigen::Index first = 0; first < inverse_.cols(); first += kColumns) {
    if (!context.CheckStop().ok()) return false;
    auto columns = inverse_.middleCols(first, std::min(kColumns, inverse_.cols() - first));
    factor.solveInPlace(columns);
  }
  return inverse_.allFinite();
}

bool DiagonalSplit::Pass(double mu, const RunContext& context) {
  if (is_empty() || !Invert(context)) return false;
  for (int g = 0; g < std::ssize(basis_); ++g) {
    if (!context.CheckStop().ok()) return false;
    if (basis_[g].cols() > 0) Move(g, mu * scale_);
  }
  return true;
}

void DiagonalSplit::Move(int g, double mu) {
  const auto size = basis_[g].cols();
  const Matrix block = inverse_.block(start_[g], start_[g], size, size);
  const Eigen::LLT<Matrix> factor(block);
  if (factor.info() != Eigen::Success) return;
  const Matrix own = factor.solve(Matrix::Identity(size, size));
  Matrix change = own - mu * worth_[g].llt().solve(Matrix::Identity(size, size));
  change = ((change + change.transpose()) / 2).eval();
  const Matrix wanted = worth_[g] / mu;  // of the inverse's block
  const Matrix middle = own * (wanted - block) * own;
  if (!change.allFinite() || !middle.allFinite()) return;
  const Matrix columns = inverse_.middleCols(start_[g], size);
  const Matrix left = columns * middle;
  inverse_.noalias() += left * columns.transpose();
  split_[g] += change;
  rest_.block(start_[g], start_[g], size, size) -= change;
}

std::vector<double> DiagonalSplit::Certified() const {
  const double unit = 64 * static_cast<double>(rest_.rows() + 1) * std::numeric_limits<double>::epsilon() *
                      (scale_ + rest_.diagonal().cwiseAbs().maxCoeff());
  Matrix rest = rest_;
  double margin = unit;
  while (rest.llt().info() != Eigen::Success) {
    if (margin > 1e6 * unit) return {};
    margin *= 8;
    rest = rest_;
    rest.diagonal().array() += margin / 2;
  }
  const int n = first_.back();
  std::vector<double> blocks(static_cast<size_t>(n) * n, 0.0);
  Eigen::Map<RowMajor> map(blocks.data(), n, n);
  for (size_t g = 0; g < basis_.size(); ++g) {
    const auto size = basis_[g].rows();
    Matrix block = split_[g];
    block.diagonal().array() -= margin;
    map.block(first_[g], first_[g], size, size) = basis_[g] * block * basis_[g].transpose();
  }
  return blocks;
}

}  // namespace bitplan::allocation
