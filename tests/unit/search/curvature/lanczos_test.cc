#include "search/curvature/lanczos.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <Eigen/Eigenvalues>
#include <array>
#include <cmath>

#include "search/base/status.h"
#include "search/curvature/power_iteration.h"
#include "tests/testing/dense_operator.h"
#include "tests/testing/resume.h"

namespace bitplan::curvature {
namespace {

using ::bitplan::testing::DenseOperator;
using ::bitplan::testing::DiagonalOperator;
using ::bitplan::testing::RandomDecaying;
using ::bitplan::testing::RandomSymmetric;
using ::bitplan::testing::WithSpectrum;
using ::testing::HasSubstr;

// Basis vectors are floats: values may be off by this share of the norm, beside what residuals say.
constexpr double kRounding = 1e-6;

Eigen::VectorXd Spectrum(const Eigen::MatrixXd& matrix) {
  return Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(matrix).eigenvalues();
}

TEST(Lanczos, FindsBothEndsOfAnIndefiniteMatrix) {
  const DenseOperator A = DiagonalOperator(Eigen::VectorXd::LinSpaced(60, -3, 10));
  const auto ends = Lanczos(A, {.num_top = 2, .num_bottom = 2, .tolerance = 1e-5}, {});
  ASSERT_TRUE(ends.ok()) << ends.status();
  EXPECT_TRUE(ends->converged);
  ASSERT_EQ(ends->top.size(), 2);
  ASSERT_EQ(ends->bottom.size(), 2);
  EXPECT_NEAR(ends->top[0].value, 10, 1e-4);
  EXPECT_NEAR(ends->top[1].value, 10 - 13.0 / 59, 1e-4);
  EXPECT_NEAR(ends->bottom[0].value, -3, 1e-4);
  EXPECT_NEAR(ends->bottom[1].value, -3 + 13.0 / 59, 1e-4);
  EXPECT_EQ(ends->Dominant(), ends->top[0]);
  EXPECT_EQ(ends->num_products, A.num_products());
}

TEST(Lanczos, ResidualsBoundTheDistanceAndValuesStayInsideAlsoBeforeConvergence) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const DenseOperator A(RandomSymmetric(40, seed));
    const Eigen::VectorXd spectrum = Spectrum(A.matrix());
    const double rounding = kRounding * spectrum.cwiseAbs().maxCoeff();
    for (const int64_t products : {1, 3, 8, 20, 39}) {
      const auto ends = Lanczos(A, {.seed = seed, .tolerance = 1e-9, .max_products = products}, {});
      ASSERT_TRUE(ends.ok()) << ends.status();
      for (const EigenvalueBound& e : {ends->top[0], ends->bottom[0]}) {
        EXPECT_LE((spectrum.array() - e.value).abs().minCoeff(), e.residual + rounding);
      }
      EXPECT_LE(ends->top[0].value, spectrum[39] + rounding);
      EXPECT_GE(ends->bottom[0].value, spectrum[0] - rounding);
    }
  }
}

// A tenth of the basis, so that many restarts are needed: thick restarts must not lose what was found.
TEST(Lanczos, RestartsReachTheSameEigenvalues) {
  const DenseOperator A(RandomSymmetric(120, 3));
  const Eigen::VectorXd spectrum = Spectrum(A.matrix());
  const auto ends = Lanczos(A, {.num_top = 3, .tolerance = 1e-5, .max_products = 2000, .max_basis = 12}, {});
  ASSERT_TRUE(ends.ok()) << ends.status();
  ASSERT_TRUE(ends->converged);
  EXPECT_GT(ends->num_products, 24);
  for (int i = 0; i < 3; ++i) EXPECT_NEAR(ends->top[i].value, spectrum[119 - i], 2e-5 * spectrum[119]) << i;
  EXPECT_NEAR(ends->bottom[0].value, spectrum[0], 2e-5 * spectrum[119]);
}

TEST(Lanczos, ClusteredEigenvaluesAreToldApartWhereTheResidualsSaySo) {
  Eigen::VectorXd spectrum = Eigen::VectorXd::LinSpaced(50, 0, 1);
  spectrum[49] = 2;
  spectrum[48] = 2 - 1e-3;
  spectrum[47] = 2 - 2e-3;
  const auto ends = Lanczos(DenseOperator(WithSpectrum(spectrum, 1)), {.num_top = 3, .tolerance = 1e-5}, {});
  ASSERT_TRUE(ends->converged);
  for (int i = 0; i < 3; ++i) EXPECT_NEAR(ends->top[i].value, spectrum[49 - i], 1e-5);
}

TEST(Lanczos, GoesOnAfterAnInvariantSubspace) {
  // Two distinct eigenvalues: the space is full after two products, and the copies come from fresh vectors.
  Eigen::VectorXd spectrum = Eigen::VectorXd::Constant(20, 1);
  spectrum.head(3).setConstant(5);
  const auto ends = Lanczos(DenseOperator(WithSpectrum(spectrum, 2)), {.num_top = 3, .num_bottom = 1}, {});
  ASSERT_TRUE(ends.ok()) << ends.status();
  EXPECT_TRUE(ends->converged);
  EXPECT_EQ(ends->missed_share, 0);
  EXPECT_NEAR(ends->top[0].value, 5, 1e-5);
  EXPECT_NEAR(ends->bottom[0].value, 1, 1e-5);
}

TEST(Lanczos, SmallOperatorsAreExhausted) {
  const auto one = Lanczos(DiagonalOperator(Eigen::VectorXd::Constant(1, -2.5)), {}, {});
  ASSERT_TRUE(one.ok()) << one.status();
  EXPECT_TRUE(one->converged);
  EXPECT_EQ(one->num_products, 1);
  EXPECT_NEAR(one->top[0].value, -2.5, 1e-6);
  EXPECT_EQ(one->top, one->bottom);
  const auto three = Lanczos(DiagonalOperator(Eigen::Vector3d(1, 2, 3)), {.num_top = 5, .num_bottom = 5}, {});
  ASSERT_TRUE(three.ok()) << three.status();
  ASSERT_EQ(three->top.size(), 3);
  for (int i = 0; i < 3; ++i) EXPECT_NEAR(three->top[i].value, 3 - i, 1e-5);
  for (int i = 0; i < 3; ++i) EXPECT_NEAR(three->bottom[i].value, 1 + i, 1e-5);
}

TEST(Lanczos, HandlesVeryLargeAndVerySmallOperators) {
  for (const double scale : {1e-60, 1e60}) {
    const auto ends = Lanczos(DiagonalOperator(scale * Eigen::Vector4d(-1, 2, 9, 4)), {.tolerance = 1e-4}, {});
    ASSERT_TRUE(ends.ok()) << ends.status();
    EXPECT_NEAR(ends->top[0].value / scale, 9, 1e-3);
    EXPECT_NEAR(ends->bottom[0].value / scale, -1, 1e-3);
  }
}

TEST(Lanczos, NeverWorseThanPowerIterationFromTheSameStart) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const DenseOperator A(RandomDecaying(60, 0.97, seed));
    const auto power = PowerIteration(A, {.seed = seed, .tolerance = 1e-9, .max_iterations = 15}, {});
    const auto ends = Lanczos(A, {.seed = seed, .num_bottom = 0, .tolerance = 1e-9, .max_products = 15}, {});
    EXPECT_GE(ends->top[0].value, power->value - kRounding) << seed;
  }
}

// On a flat spectrum the outermost values are found late; the share that may be missed must cover what is.
TEST(Lanczos, TheMissedShareHoldsFarOftenerThanItClaims) {
  const Eigen::VectorXd spectrum = Eigen::VectorXd::LinSpaced(300, -1, 4);
  const DenseOperator A = DiagonalOperator(spectrum);
  int misses = 0;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const auto ends = Lanczos(A, {.seed = seed, .tolerance = 1e-9, .max_products = 20}, {});
    EXPECT_LT(ends->missed_share, 0.1);
    if (4 - ends->top[0].value > ends->missed_share * 5) ++misses;
    if (ends->bottom[0].value + 1 > ends->missed_share * 5) ++misses;
  }
  EXPECT_LE(misses, 4);  // 2 of 200 at most are claimed
}

TEST(Lanczos, ResumesBitForBitAcrossRestarts) {
  const DenseOperator A(RandomSymmetric(60, 3));
  const LanczosOptions options{
      .seed = 4, .num_top = 2, .tolerance = 1e-4, .max_products = 500, .max_basis = 10, .checkpoint_key = "A"};
  constexpr std::array<int64_t, 4> kStops = {1, 9, 11, 25};
  testing::ExpectResumesBitForBit(A, kStops, [&](const LinearOperator& operand, const RunContext& context) {
    return Lanczos(operand, options, context);
  });
}

TEST(Lanczos, KeepsTheEstimateInsteadOfTheProducts) {
  testing::MemoryCheckpoints checkpoints;
  const DenseOperator A(RandomSymmetric(30, 3));
  const RunContext context{.checkpoints = &checkpoints};
  const auto first = Lanczos(A, {.checkpoint_key = "A"}, context);
  size_t bytes = 0;
  for (const auto& [key, value] : checkpoints.values) bytes += value.size();
  EXPECT_LT(bytes, 100);
  const int64_t spent = A.num_products();
  EXPECT_EQ(*Lanczos(A, {.checkpoint_key = "A"}, context), *first);
  EXPECT_EQ(A.num_products(), spent);
  EXPECT_NE(*Lanczos(A, {.seed = 1, .checkpoint_key = "A"}, context), *first);
}

TEST(LanczosOptions, SayWhatIsWrong) {
  const auto message = [](const LanczosOptions& options) { return MessageOf(Validate(options)); };
  EXPECT_THAT(message({.num_top = 0, .num_bottom = 0}), HasSubstr("got 0 and 0"));
  EXPECT_THAT(message({.num_top = -1}), HasSubstr("got -1 and 1"));
  EXPECT_THAT(message({.tolerance = 1}), HasSubstr("tolerance: got 1, want above 0 and below 1"));
  EXPECT_THAT(message({.max_products = 0}), HasSubstr("max_products: got 0, want at least 1"));
  EXPECT_THAT(message({.max_basis = 3}), HasSubstr("max_basis: got 3, want at least num_top + num_bottom + 2, 4"));
}

}  // namespace
}  // namespace bitplan::curvature
