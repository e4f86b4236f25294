#include "search/curvature/xtrace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <Eigen/QR>
#include <array>
#include <cmath>

#include "search/base/rng.h"
#include "search/base/status.h"
#include "search/curvature/hutchinson.h"
#include "tests/testing/dense_operator.h"
#include "tests/testing/resume.h"

namespace bitplan::curvature {
namespace {

using ::bitplan::testing::DenseOperator;
using ::bitplan::testing::RandomDecaying;
using ::bitplan::testing::RandomSymmetric;
using ::bitplan::testing::WithSpectrum;
using ::testing::HasSubstr;

XTraceOptions Exactly(int64_t num_samples, uint64_t seed = 0) {
  return {.seed = seed, .relative_error = 1e-12, .min_samples = num_samples, .max_products = 2 * num_samples};
}

// The definition, written out: a QR decomposition for each subset of test vectors.
class Literal {
 public:
  Literal(Eigen::MatrixXd A, int m, uint64_t seed) : A_(std::move(A)), W_(A_.rows(), m) {
    for (int i = 0; i < m; ++i) {
      std::vector<float> w(A_.rows());
      Rng(seed, i).FillGaussian(w);
      W_.col(i) = Eigen::Map<const Eigen::VectorXf>(w.data(), A_.rows()).cast<double>();
      W_.col(i) *= std::sqrt(static_cast<double>(A_.rows())) / W_.col(i).norm();
    }
  }

  // Sample of test vector `i` on the range of those that are neither i nor j.
  double Sample(int i, int j) const {
    std::vector<int> others;
    for (int k = 0; k < W_.cols(); ++k) {
      if (k != i && k != j) others.push_back(k);
    }
    const auto rank = static_cast<int>(others.size());
    const Eigen::MatrixXd Y = A_ * W_(Eigen::all, others);
    const Eigen::MatrixXd Q =
        Eigen::HouseholderQR<Eigen::MatrixXd>(Y).householderQ() * Eigen::MatrixXd::Identity(A_.rows(), rank);
    const Eigen::VectorXd r = W_.col(i) - Q * (Q.transpose() * W_.col(i));
    const double scale = static_cast<double>(A_.rows() - rank) / r.squaredNorm();
    return (Q.transpose() * A_ * Q).trace() + scale * r.dot(A_ * r);
  }

  DeflatedTraceEstimate Estimate() const {
    const auto m = static_cast<int>(W_.cols());
    Eigen::VectorXd t(m);
    for (int i = 0; i < m; ++i) t[i] = Sample(i, i);
    double covariance = 0;
    for (int i = 0; i < m; ++i) {
      for (int j = 0; j < m; ++j) {
        if (i != j) covariance += (t[j] - Sample(j, i)) * (t[i] - Sample(i, j)) / (m * (m - 1));
      }
    }
    const double variance = (t.array() - t.mean()).square().sum() / (m - 1) / m + std::max(0.0, covariance);
    return {.trace = t.mean(), .standard_error = std::sqrt(variance)};
  }

 private:
  Eigen::MatrixXd A_;
  Eigen::MatrixXd W_;
};

TEST(XTrace, IsItsDefinitionWrittenOut) {
  for (uint64_t seed = 0; seed < 5; ++seed) {
    const Eigen::MatrixXd A = seed % 2 == 0 ? RandomSymmetric(30, seed) : RandomDecaying(30, 0.8, seed);
    const DeflatedTraceEstimate literal = Literal(A, 9, seed).Estimate();
    const auto estimate = XTrace(DenseOperator(A), Exactly(9, seed), {});
    ASSERT_TRUE(estimate.ok()) << estimate.status();
    EXPECT_NEAR(estimate->trace, literal.trace, 1e-5 * A.norm()) << seed;
    EXPECT_NEAR(estimate->standard_error, literal.standard_error, 1e-4 * A.norm()) << seed;
    EXPECT_EQ(estimate->num_products, 18);
    EXPECT_EQ(estimate->rank, 9);
  }
}

TEST(XTrace, NeedsFarFewerProductsThanProbingOnADecayingSpectrum) {
  Eigen::VectorXd spectrum(200);
  for (int i = 0; i < 200; ++i) spectrum[i] = std::pow(i + 1, -2);
  const DenseOperator A(WithSpectrum(spectrum, 1));
  const auto plain = HutchinsonTrace(A, {.relative_error = 0.02, .max_probes = 10'000}, {});
  const auto ours = XTrace(A, {.relative_error = 0.02}, {});
  ASSERT_TRUE(plain->converged && ours->converged);
  EXPECT_LT(ours->num_products * 20, plain->num_probes);
  EXPECT_LE(std::abs(ours->trace - A.matrix().trace()), 4 * ours->standard_error);
}

TEST(XTrace, LowRankMatricesAreExact) {
  Eigen::VectorXd spectrum = Eigen::VectorXd::Zero(50);
  spectrum.head(3) << 4, -2, 1;
  const auto estimate = XTrace(DenseOperator(WithSpectrum(spectrum, 2)), {}, {});
  ASSERT_TRUE(estimate.ok()) << estimate.status();
  EXPECT_TRUE(estimate->converged);
  EXPECT_EQ(estimate->rank, 3);
  EXPECT_NEAR(estimate->trace, 3, 1e-4);
  EXPECT_LT(estimate->standard_error, 1e-4);
}

TEST(XTrace, IsExactWhenTheTestVectorsSpanTheSpace) {
  for (const int n : {1, 2, 3, 10}) {
    const DenseOperator A(RandomSymmetric(n, 2));
    const auto estimate = XTrace(A, {.relative_error = 1e-9}, {});
    ASSERT_TRUE(estimate.ok()) << estimate.status();
    EXPECT_TRUE(estimate->converged);
    EXPECT_LE(estimate->num_products, 2 * n);
    EXPECT_NEAR(estimate->trace, A.matrix().trace(), 1e-5 * (1 + A.matrix().norm())) << n;
  }
}

TEST(XTrace, NegativeTracesAndTheAbsoluteFloor) {
  EXPECT_LT(XTrace(DenseOperator(-RandomDecaying(50, 0.9, 1)), {}, {})->trace, -5);
  Eigen::MatrixXd A = RandomSymmetric(80, 1);
  A.diagonal().array() -= A.trace() / 80;
  const auto without = XTrace(DenseOperator(A), {.max_products = 60}, {});
  EXPECT_FALSE(without->converged);
  EXPECT_LE(without->num_products, 60);
  const auto with = XTrace(DenseOperator(A), {.absolute_error = 12, .max_products = 150}, {});
  EXPECT_TRUE(with->converged);
  EXPECT_LE(with->standard_error, 12);
  EXPECT_LE(std::abs(with->trace), 4 * with->standard_error);
}

TEST(XTrace, CancellingEigenvaluesAreDeflated) {
  Eigen::VectorXd spectrum = Eigen::VectorXd::Constant(60, 0.5);
  spectrum.head(4) << 1000, -1000, 1000, -1000;
  spectrum[4] += 2;
  const auto estimate = XTrace(DenseOperator(WithSpectrum(spectrum, 9)), Exactly(16), {});
  EXPECT_NEAR(estimate->trace, spectrum.sum(), 4 * estimate->standard_error + 0.1);
  EXPECT_LT(estimate->standard_error, 1);
}

TEST(XTrace, ResumesBitForBit) {
  const DenseOperator A(RandomDecaying(60, 0.9, 3));
  const XTraceOptions options{.seed = 4, .relative_error = 0.02, .checkpoint_key = "A"};
  constexpr std::array<int64_t, 4> kStops = {1, 2, 20, 27};
  testing::ExpectResumesBitForBit(A, kStops, [&](const LinearOperator& operand, const RunContext& context) {
    return XTrace(operand, options, context);
  });
}

TEST(XTraceOptions, SayWhatIsWrong) {
  const auto message = [](const XTraceOptions& options) { return MessageOf(Validate(options)); };
  EXPECT_THAT(message({.relative_error = std::nan("")}), HasSubstr("relative_error: got nan"));
  EXPECT_THAT(message({.absolute_error = -1}), HasSubstr("absolute_error: got -1, want at least 0"));
  EXPECT_THAT(message({.min_samples = 1}), HasSubstr("one sample has no standard error"));
  EXPECT_THAT(message({.min_samples = 8, .max_products = 15}), HasSubstr("got 15, want at least 2 min_samples, 16"));
}

}  // namespace
}  // namespace bitplan::curvature
