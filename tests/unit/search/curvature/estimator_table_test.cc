#include "search/curvature/estimator_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <Eigen/Eigenvalues>
#include <cmath>
#include <limits>
#include <set>
#include <stop_token>

#include "search/base/status.h"
#include "tests/testing/dense_operator.h"

// What every estimator promises, asked of each row of the table.

namespace bitplan::curvature {
namespace {

using ::bitplan::testing::DenseOperator;
using ::bitplan::testing::RandomDecaying;

// Estimators see the matrix through float vectors.
constexpr double kRounding = 1e-6;

double Exact(CurvatureQuantity quantity, const Eigen::MatrixXd& matrix) {
  switch (quantity) {
    case CurvatureQuantity::kTrace:
    case CurvatureQuantity::kSpectralDensity:
      return matrix.trace();
    case CurvatureQuantity::kTopEigenvalue:
    case CurvatureQuantity::kTopEigenvalues:
    case CurvatureQuantity::kExtremeEigenvalues: {
      const Eigen::VectorXd spectrum = Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(matrix).eigenvalues();
      return std::abs(spectrum[0]) > std::abs(spectrum.tail(1)[0]) ? spectrum[0] : spectrum.tail(1)[0];
    }
  }
  return std::numeric_limits<double>::quiet_NaN();
}

// A density's error needs more products than a number's: it is a whole function.
double Scaled(const EstimatorEntry& entry, double relative_error) {
  return entry.quantity == CurvatureQuantity::kSpectralDensity ? 5 * relative_error : relative_error;
}

class EveryEstimator : public ::testing::TestWithParam<EstimatorEntry> {};

TEST_P(EveryEstimator, AgreesWithTheDenseMatrixWithinFourErrors) {
  for (uint64_t seed = 0; seed < 25; ++seed) {
    const Eigen::MatrixXd matrix = (seed % 2 == 0 ? 1 : -1) * RandomDecaying(30, 0.7, seed);
    const EstimatorOptions options{.seed = seed, .relative_error = Scaled(GetParam(), 0.01), .max_products = 100'000};
    const auto estimate = GetParam().estimate(DenseOperator(matrix), options, {});
    ASSERT_TRUE(estimate.ok()) << estimate.status();
    EXPECT_TRUE(estimate->converged);
    EXPECT_LE(std::abs(estimate->value - Exact(GetParam().quantity, matrix)),
              4 * estimate->error + kRounding * matrix.norm())
        << "seed " << seed;
  }
}

TEST_P(EveryEstimator, ConvergedMeansTheWantedErrorWasMet) {
  // Flat enough that none reaches the tight error with its first products.
  const DenseOperator A(RandomDecaying(60, 0.9, 1));
  const double tight_error = Scaled(GetParam(), 0.02);
  const auto loose = GetParam().estimate(A, {.relative_error = 0.2, .max_products = 100'000}, {});
  const auto tight = GetParam().estimate(A, {.relative_error = tight_error, .max_products = 100'000}, {});
  ASSERT_TRUE(loose->converged && tight->converged);
  if (GetParam().quantity == CurvatureQuantity::kSpectralDensity) {
    EXPECT_LE(IntegrateStandardError(PlotDensity(loose->density, {})), 0.2);
    EXPECT_LE(IntegrateStandardError(PlotDensity(tight->density, {})), 0.1);
  } else {
    EXPECT_LE(loose->error, 0.2 * std::abs(loose->value));
    EXPECT_LE(tight->error, 0.02 * std::abs(tight->value));
  }
  EXPECT_LT(loose->num_products, tight->num_products);
}

TEST_P(EveryEstimator, SpendsNoMoreThanItMayAndSaysSo) {
  const DenseOperator A(RandomDecaying(30, 0.99, 1));
  const auto estimate = GetParam().estimate(A, {.relative_error = 1e-6, .max_products = 5}, {});
  ASSERT_TRUE(estimate.ok()) << estimate.status();
  EXPECT_FALSE(estimate->converged);
  // What five products are too few for, pairs or a block, stays unspent.
  EXPECT_LE(estimate->num_products, 5);
  EXPECT_GE(estimate->num_products, 4);
  EXPECT_EQ(A.num_products(), estimate->num_products);
}

TEST_P(EveryEstimator, HoldsWhatItsQuantityPromises) {
  const Eigen::MatrixXd matrix = testing::RandomSymmetric(30, 4);
  const Eigen::VectorXd spectrum = Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(matrix).eigenvalues();
  const EstimatorOptions options{
      .relative_error = Scaled(GetParam(), 0.02), .max_products = 5000, .num_eigenvalues = 2};
  const auto estimate = GetParam().estimate(DenseOperator(matrix), options, {});
  ASSERT_TRUE(estimate.ok()) << estimate.status();
  const double tolerance = 0.02 * spectrum.cwiseAbs().maxCoeff();
  switch (GetParam().quantity) {
    case CurvatureQuantity::kTrace:
    case CurvatureQuantity::kTopEigenvalue:
      EXPECT_TRUE(estimate->eigenvalues.empty() && estimate->density.rules.empty());
      break;
    case CurvatureQuantity::kTopEigenvalues:
      ASSERT_EQ(estimate->eigenvalues.size(), 2);
      EXPECT_EQ(estimate->eigenvalues[0].value, estimate->value);
      EXPECT_NEAR(std::abs(estimate->eigenvalues[0].value), spectrum.cwiseAbs().maxCoeff(), tolerance);
      break;
    case CurvatureQuantity::kExtremeEigenvalues:
      ASSERT_EQ(estimate->eigenvalues.size(), 2);
      EXPECT_NEAR(estimate->eigenvalues[0].value, spectrum[0], tolerance);
      EXPECT_NEAR(estimate->eigenvalues[1].value, spectrum[29], tolerance);
      break;
    case CurvatureQuantity::kSpectralDensity:
      EXPECT_EQ(estimate->density.dimension, 30);
      EXPECT_NEAR(SpectralMoment(estimate->density, 0).mean, 1, 1e-12);
      break;
  }
}

TEST_P(EveryEstimator, SameSeedSameBits) {
  const DenseOperator A(RandomDecaying(30, 0.9, 1));
  EXPECT_EQ(*GetParam().estimate(A, {.seed = 5}, {}), *GetParam().estimate(A, {.seed = 5}, {.num_threads = 4}));
  EXPECT_NE(*GetParam().estimate(A, {.seed = 5}, {}), *GetParam().estimate(A, {.seed = 6}, {}));
}

TEST_P(EveryEstimator, SameBitsForAnyNumberOfThreadsInLargeDimensions) {
  const testing::DiagonalPlusRankOne A(40'000, 2);  // five row chunks
  const EstimatorOptions options{.seed = 3, .relative_error = 0.1, .max_products = 40};
  const auto one = GetParam().estimate(A, options, {.num_threads = 1});
  ASSERT_TRUE(one.ok()) << one.status();
  EXPECT_EQ(*GetParam().estimate(A, options, {.num_threads = 2}), *one);
  EXPECT_EQ(*GetParam().estimate(A, options, {.num_threads = 4}), *one);
}

TEST_P(EveryEstimator, TakesTheSmallestOperatorsAndTheZeroMatrix) {
  const auto one_by_one = GetParam().estimate(testing::DiagonalOperator(Eigen::VectorXd::Constant(1, -2.5)), {}, {});
  ASSERT_TRUE(one_by_one.ok()) << one_by_one.status();
  EXPECT_NEAR(one_by_one->value, -2.5, 1e-6);
  EXPECT_TRUE(one_by_one->converged);
  for (const int n : {1, 2, 3, 12}) {
    const auto zero = GetParam().estimate(DenseOperator(Eigen::MatrixXd::Zero(n, n)), {}, {});
    ASSERT_TRUE(zero.ok()) << zero.status();
    EXPECT_EQ(zero->value, 0) << n;
    EXPECT_EQ(zero->error, 0) << n;
    EXPECT_TRUE(zero->converged) << n;
  }
}

TEST_P(EveryEstimator, FindsTheOneEigenvalueOfARankOneMatrix) {
  Eigen::VectorXd spectrum = Eigen::VectorXd::Zero(40);
  spectrum[0] = -7;
  const auto estimate = GetParam().estimate(DenseOperator(testing::WithSpectrum(spectrum, 5)),
                                            {.relative_error = 0.05, .max_products = 5000}, {});
  ASSERT_TRUE(estimate.ok()) << estimate.status();
  EXPECT_TRUE(estimate->converged);
  EXPECT_LE(std::abs(estimate->value + 7), 4 * estimate->error + 1e-5);
}

TEST_P(EveryEstimator, RefusesAnEmptyOperatorAndAProductThatIsNotFinite) {
  Eigen::Matrix3d matrix = Eigen::Matrix3d::Identity();
  matrix(1, 1) = std::numeric_limits<double>::quiet_NaN();
  const auto not_finite = GetParam().estimate(DenseOperator(matrix), {}, {});
  EXPECT_EQ(not_finite.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(MessageOf(not_finite.status()), ::testing::HasSubstr("not finite"));
  const auto empty = GetParam().estimate(DenseOperator(Eigen::MatrixXd(0, 0)), {}, {});
  EXPECT_EQ(empty.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_P(EveryEstimator, ObeysAStopRequest) {
  std::stop_source source;
  source.request_stop();
  const auto estimate = GetParam().estimate(DenseOperator(RandomDecaying(5, 0.9, 1)), {}, {.stop = source.get_token()});
  EXPECT_EQ(estimate.status().code(), absl::StatusCode::kCancelled);
}

INSTANTIATE_TEST_SUITE_P(Table, EveryEstimator, ::testing::ValuesIn(Estimators().begin(), Estimators().end()),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(EstimatorTable, NamesAreUniqueAndFound) {
  std::set<std::string_view> names;
  for (const EstimatorEntry& entry : Estimators()) {
    EXPECT_TRUE(names.insert(entry.name).second) << entry.name;
    EXPECT_EQ(FindEstimator(entry.name)->name, entry.name);
    EXPECT_FALSE(entry.summary.empty() || entry.source.empty());
  }
  const auto unknown = FindEstimator("slq");
  EXPECT_EQ(unknown.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(MessageOf(unknown.status()),
              ::testing::StartsWith("estimator: got 'slq', want one of hutchinson, power_iteration"));
}

}  // namespace
}  // namespace bitplan::curvature
