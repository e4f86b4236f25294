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

double Exact(CurvatureQuantity quantity, const Eigen::MatrixXd& matrix) {
  switch (quantity) {
    case CurvatureQuantity::kTrace:
      return matrix.trace();
    case CurvatureQuantity::kTopEigenvalue: {
      const Eigen::VectorXd spectrum = Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(matrix).eigenvalues();
      return std::abs(spectrum[0]) > std::abs(spectrum.tail(1)[0]) ? spectrum[0] : spectrum.tail(1)[0];
    }
  }
  return std::numeric_limits<double>::quiet_NaN();
}

class EveryEstimator : public ::testing::TestWithParam<EstimatorEntry> {};

TEST_P(EveryEstimator, AgreesWithTheDenseMatrixWithinFourErrors) {
  for (uint64_t seed = 0; seed < 25; ++seed) {
    const Eigen::MatrixXd matrix = (seed % 2 == 0 ? 1 : -1) * RandomDecaying(30, 0.7, seed);
    const EstimatorOptions options{.seed = seed, .relative_error = 0.01, .max_products = 20'000};
    const auto estimate = GetParam().estimate(DenseOperator(matrix), options, {});
    ASSERT_TRUE(estimate.ok()) << estimate.status();
    EXPECT_TRUE(estimate->converged);
    EXPECT_LE(std::abs(estimate->value - Exact(GetParam().quantity, matrix)), 4 * estimate->error) << "seed " << seed;
  }
}

TEST_P(EveryEstimator, ConvergedMeansTheWantedErrorWasMet) {
  const DenseOperator A(RandomDecaying(30, 0.7, 1));
  const auto loose = GetParam().estimate(A, {.relative_error = 0.2, .max_products = 100'000}, {});
  const auto tight = GetParam().estimate(A, {.relative_error = 0.02, .max_products = 100'000}, {});
  ASSERT_TRUE(loose->converged && tight->converged);
  EXPECT_LE(loose->error, 0.2 * std::abs(loose->value));
  EXPECT_LE(tight->error, 0.02 * std::abs(tight->value));
  EXPECT_LT(loose->num_products, tight->num_products);
}

TEST_P(EveryEstimator, SpendsNoMoreThanItMayAndSaysSo) {
  const DenseOperator A(RandomDecaying(30, 0.99, 1));
  const auto estimate = GetParam().estimate(A, {.relative_error = 1e-6, .max_products = 5}, {});
  ASSERT_TRUE(estimate.ok()) << estimate.status();
  EXPECT_FALSE(estimate->converged);
  EXPECT_EQ(estimate->num_products, 5);
  EXPECT_EQ(A.num_products(), 5);
}

TEST_P(EveryEstimator, SameSeedSameBits) {
  const DenseOperator A(RandomDecaying(30, 0.9, 1));
  EXPECT_EQ(*GetParam().estimate(A, {.seed = 5}, {}), *GetParam().estimate(A, {.seed = 5}, {.num_threads = 4}));
  EXPECT_NE(*GetParam().estimate(A, {.seed = 5}, {}), *GetParam().estimate(A, {.seed = 6}, {}));
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
  EXPECT_EQ(MessageOf(unknown.status()), "estimator: got 'slq', want one of hutchinson, power_iteration");
}

}  // namespace
}  // namespace bitplan::curvature
