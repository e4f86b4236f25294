#include "search/curvature/hutch_plus_plus.h"

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

// A fixed split: `rank` columns, `num_probes` probes, no stop before.
HutchPlusPlusOptions Exactly(int64_t rank, int64_t num_probes, uint64_t seed = 0) {
  return {.seed = seed,
          .relative_error = 1e-12,
          .min_probes = num_probes,
          .min_rank = rank,
          .max_rank = rank,
          .max_products = 2 * rank + num_probes};
}

TEST(HutchPlusPlus, WithoutColumnsIsHutchinson) {
  const DenseOperator A(RandomSymmetric(30, 1));
  const auto plain = HutchinsonTrace(A, {.seed = 5, .relative_error = 1e-12, .min_probes = 20, .max_probes = 20}, {});
  const auto ours = HutchPlusPlus(A, Exactly(0, 20, 5), {});
  ASSERT_TRUE(ours.ok()) << ours.status();
  EXPECT_NEAR(ours->trace, plain->trace, 1e-10);
  EXPECT_NEAR(ours->standard_error, plain->standard_error, 1e-10);
}

// Given Q, the samples are those of plain probing of B = (I - QQ') A (I - QQ'): the same Q made by Eigen from the same
// sketch, mean and variance in closed form.
TEST(HutchPlusPlus, SamplesHaveTheVarianceOfTheDeflatedMatrix) {
  constexpr int kN = 40;
  constexpr int kRank = 6;
  constexpr int64_t kProbes = 6000;
  const Eigen::MatrixXd A = RandomDecaying(kN, 0.85, 3) - 0.3 * RandomDecaying(kN, 0.9, 4);
  const auto estimate = HutchPlusPlus(DenseOperator(A), Exactly(kRank, kProbes, 7), {});
  ASSERT_TRUE(estimate.ok()) << estimate.status();
  EXPECT_EQ(estimate->rank, kRank);
  EXPECT_EQ(estimate->num_products, 2 * kRank + kProbes);
  Eigen::MatrixXd S(kN, kRank);
  for (int i = 0; i < kRank; ++i) {
    std::vector<float> s(kN);
    Rng(7, (uint64_t{1} << 48) + i).FillGaussian(s);
    S.col(i) = Eigen::Map<const Eigen::VectorXf>(s.data(), kN).cast<double>();
  }
  const Eigen::MatrixXd Q =
      Eigen::HouseholderQR<Eigen::MatrixXd>(A * S).householderQ() * Eigen::MatrixXd::Identity(kN, kRank);
  const Eigen::MatrixXd P = Eigen::MatrixXd::Identity(kN, kN) - Q * Q.transpose();
  const Eigen::MatrixXd B = P * A * P;
  const double variance = 2 * (B.squaredNorm() - B.diagonal().squaredNorm());
  const double measured = estimate->standard_error * estimate->standard_error * kProbes;
  EXPECT_NEAR(measured, variance, 0.1 * variance);  // a sample variance of 6000 draws is known to about 3 %
  EXPECT_LE(std::abs(estimate->trace - A.trace()), 4 * std::sqrt(variance / kProbes));
  EXPECT_LT(variance, 0.5 * 2 * (A.squaredNorm() - A.diagonal().squaredNorm())) << "deflation must pay here";
}

TEST(HutchPlusPlus, NeedsFarFewerProductsThanProbingOnADecayingSpectrum) {
  Eigen::VectorXd spectrum(200);
  for (int i = 0; i < 200; ++i) spectrum[i] = std::pow(i + 1, -2);
  const DenseOperator A(WithSpectrum(spectrum, 1));
  const auto plain = HutchinsonTrace(A, {.relative_error = 0.02, .max_probes = 10'000}, {});
  const auto ours = HutchPlusPlus(A, {.relative_error = 0.02, .max_products = 10'000}, {});
  ASSERT_TRUE(plain->converged && ours->converged);
  EXPECT_LT(ours->num_products * 10, plain->num_probes);
  EXPECT_LE(std::abs(ours->trace - A.matrix().trace()), 4 * ours->standard_error);
}

TEST(HutchPlusPlus, ProbesOnlyWhereDeflationDoesNotPay) {
  const DenseOperator A(Eigen::MatrixXd::Identity(80, 80) * 3 + RandomSymmetric(80, 1));
  const auto plain = HutchinsonTrace(A, {.relative_error = 0.03, .max_probes = 10'000}, {});
  const auto ours = HutchPlusPlus(A, {.relative_error = 0.03, .max_products = 10'000}, {});
  ASSERT_TRUE(ours->converged);
  EXPECT_LT(ours->num_products, 1.5 * plain->num_probes);
}

TEST(HutchPlusPlus, NegativeTracesAndTheAbsoluteFloor) {
  const DenseOperator negative(-RandomDecaying(50, 0.9, 1));
  EXPECT_LT(HutchPlusPlus(negative, {}, {})->trace, -5);
  // Trace 0: only an absolute target can be met.
  Eigen::MatrixXd A = RandomSymmetric(50, 1);
  A.diagonal().array() -= A.trace() / 50;
  const auto without = HutchPlusPlus(DenseOperator(A), {.max_products = 200}, {});
  EXPECT_FALSE(without->converged);
  EXPECT_LE(without->num_products, 200);
  const auto with = HutchPlusPlus(DenseOperator(A), {.absolute_error = 5, .max_products = 2000}, {});
  EXPECT_TRUE(with->converged);
  EXPECT_LE(with->standard_error, 5);
  EXPECT_LE(std::abs(with->trace), 4 * with->standard_error);
}

// Eigenvalues of +-1000 that cancel to a trace of 30: deflation takes them out; what is left is rounding and the rest.
TEST(HutchPlusPlus, CancellingEigenvaluesAreDeflated) {
  Eigen::VectorXd spectrum = Eigen::VectorXd::Constant(60, 0.5);
  spectrum.head(4) << 1000, -1000, 1000, -1000;
  spectrum[4] += 2;
  const DenseOperator A(WithSpectrum(spectrum, 9));
  const auto estimate = HutchPlusPlus(A, Exactly(12, 60), {});
  EXPECT_NEAR(estimate->trace, spectrum.sum(), 4 * estimate->standard_error + 0.05);
  EXPECT_LT(estimate->standard_error, 1);
}

TEST(HutchPlusPlus, IsExactWhenTheColumnsSpanTheSpace) {
  const DenseOperator A(RandomSymmetric(10, 2));
  const auto estimate = HutchPlusPlus(A, Exactly(10, 2), {});
  ASSERT_TRUE(estimate.ok()) << estimate.status();
  EXPECT_EQ(estimate->standard_error, 0);
  EXPECT_NEAR(estimate->trace, A.matrix().trace(), 1e-4);
}

TEST(HutchPlusPlus, ResumesBitForBit) {
  const DenseOperator A(RandomDecaying(60, 0.9, 3));
  const HutchPlusPlusOptions options{.seed = 4, .relative_error = 0.03, .checkpoint_key = "A"};
  constexpr std::array<int64_t, 4> kStops = {1, 16, 21, 40};
  testing::ExpectResumesBitForBit(A, kStops, [&](const LinearOperator& operand, const RunContext& context) {
    return HutchPlusPlus(operand, options, context);
  });
}

TEST(HutchPlusPlusOptions, SayWhatIsWrong) {
  const auto message = [](const HutchPlusPlusOptions& options) { return MessageOf(Validate(options)); };
  EXPECT_THAT(message({.relative_error = 0}), HasSubstr("relative_error: got 0, want above 0"));
  EXPECT_THAT(message({.absolute_error = -1}), HasSubstr("absolute_error: got -1, want at least 0"));
  EXPECT_THAT(message({.min_probes = 1}), HasSubstr("one probe has no standard error"));
  EXPECT_THAT(message({.min_rank = 5, .max_rank = 4}), HasSubstr("got 5 and 4"));
  EXPECT_THAT(message({.min_rank = 8, .max_products = 31}),
              HasSubstr("got 31, want at least 2 min_rank + min_probes, 32"));
}

}  // namespace
}  // namespace bitplan::curvature
