#include "search/curvature/power_iteration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <Eigen/Eigenvalues>
#include <cmath>
#include <limits>
#include <stop_token>

#include "search/base/status.h"
#include "tests/testing/dense_operator.h"
#include "tests/testing/memory_checkpoints.h"

namespace bitplan::curvature {
namespace {

using ::bitplan::testing::DenseOperator;
using ::bitplan::testing::DiagonalOperator;
using ::bitplan::testing::MemoryCheckpoints;
using ::bitplan::testing::RandomDecaying;
using ::bitplan::testing::RandomSymmetric;
using ::testing::HasSubstr;

// Vectors are rounded to float: |value| may pass the top eigenvalue by a few units in the last place of a float.
constexpr double kRounding = 1 + 1e-6;

TEST(PowerIteration, FindsTheLargestByMagnitudeAlsoIfNegative) {
  const DenseOperator A = DiagonalOperator(Eigen::Vector4d(3, -10, 5, 1));
  const auto top = PowerIteration(A, {.tolerance = 1e-4}, {});
  ASSERT_TRUE(top.ok()) << top.status();
  EXPECT_TRUE(top->converged);
  EXPECT_NEAR(top->value, -10, 1e-6);  // the value's error is the residual squared over the gap
  EXPECT_LE(top->residual, 1e-4 * 10);
  EXPECT_EQ(top->iterations, A.num_products());
}

TEST(PowerIteration, AgreesWithTheDenseSpectrum) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const DenseOperator A(RandomDecaying(40, 0.8, seed));
    const auto top = PowerIteration(A, {.seed = seed, .tolerance = 1e-3}, {});
    ASSERT_TRUE(top.ok()) << top.status();
    EXPECT_TRUE(top->converged) << seed;
    EXPECT_NEAR(top->value, 1, 1e-4) << seed;
    EXPECT_LE(top->value, kRounding);
  }
}

TEST(PowerIteration, ConvergedOrNotTheResidualBoundsTheDistanceAndTheValueIsALowerBound) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    const DenseOperator A(RandomSymmetric(25, seed));
    const Eigen::VectorXd spectrum = Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(A.matrix()).eigenvalues();
    for (const int64_t iterations : {1, 3, 10, 40}) {
      const auto top = PowerIteration(A, {.seed = seed, .max_iterations = iterations}, {});
      ASSERT_TRUE(top.ok()) << top.status();
      EXPECT_LE((spectrum.array() - top->value).abs().minCoeff(), top->residual * kRounding);
      EXPECT_LE(std::abs(top->value), spectrum.cwiseAbs().maxCoeff() * kRounding);
      EXPECT_EQ(top->converged, top->residual <= 0.01 * std::abs(top->value));
    }
  }
}

TEST(PowerIteration, NotConvergedIsAnAnswer) {
  // +1 and -1 keep their shares for ever.
  const auto top = PowerIteration(DiagonalOperator(Eigen::Vector2d(1, -1)), {.max_iterations = 30}, {});
  ASSERT_TRUE(top.ok()) << top.status();
  EXPECT_FALSE(top->converged);
  EXPECT_EQ(top->iterations, 30);
  EXPECT_GT(top->residual, 0.01);
}

TEST(PowerIteration, TheZeroMatrixHasEigenvalueZero) {
  const auto top = PowerIteration(DenseOperator(Eigen::Matrix3d::Zero()), {}, {});
  ASSERT_TRUE(top.ok()) << top.status();
  EXPECT_EQ(*top, (EigenvalueEstimate{.value = 0, .residual = 0, .iterations = 1, .converged = true}));
}

TEST(PowerIteration, OneByOneNeedsOneProduct) {
  const auto top = PowerIteration(DiagonalOperator(Eigen::VectorXd::Constant(1, -2.5)), {}, {});
  ASSERT_TRUE(top.ok()) << top.status();
  EXPECT_TRUE(top->converged);
  EXPECT_EQ(top->iterations, 1);
  EXPECT_DOUBLE_EQ(top->value, -2.5);
}

TEST(PowerIteration, HandlesVeryLargeAndVerySmallOperators) {
  for (const double scale : {1e-60, 1e60}) {
    const auto top = PowerIteration(DiagonalOperator(scale * Eigen::Vector3d(1, 2, 9)), {}, {});
    ASSERT_TRUE(top.ok()) << top.status();
    EXPECT_NEAR(top->value / scale, 9, 0.01);
  }
}

TEST(PowerIteration, SeedAndStreamPickTheStartAndNothingElseDoes) {
  const DenseOperator A(RandomSymmetric(20, 1));
  const PowerIterationOptions options{.seed = 1, .stream = 2, .max_iterations = 3};
  const auto first = PowerIteration(A, options, {});
  EXPECT_EQ(*first, *PowerIteration(A, options, {}));
  EXPECT_NE(first->value, PowerIteration(A, {.seed = 1, .stream = 3, .max_iterations = 3}, {})->value);
  EXPECT_NE(first->value, PowerIteration(A, {.seed = 2, .stream = 2, .max_iterations = 3}, {})->value);
}

TEST(PowerIteration, RefusesWhatCannotWork) {
  const DenseOperator A(RandomSymmetric(3, 1));
  const auto message = [](const PowerIterationOptions& options) { return MessageOf(Validate(options)); };
  EXPECT_THAT(message({.tolerance = 0}), HasSubstr("tolerance: got 0, want above 0 and below 1"));
  EXPECT_THAT(message({.tolerance = 1}), HasSubstr("tolerance: got 1"));
  EXPECT_THAT(message({.tolerance = std::nan("")}), HasSubstr("tolerance: got nan"));
  EXPECT_THAT(message({.max_iterations = 0}), HasSubstr("max_iterations: got 0, want at least 1"));
  EXPECT_THAT(MessageOf(PowerIteration(DenseOperator(Eigen::MatrixXd(0, 0)), {}, {}).status()),
              HasSubstr("dimension 0"));
  Eigen::Matrix2d nan = Eigen::Matrix2d::Constant(std::numeric_limits<double>::quiet_NaN());
  const auto top = PowerIteration(DenseOperator(nan), {}, {});
  EXPECT_EQ(top.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(MessageOf(top.status()), HasSubstr("product 1 with the operator is not finite"));
}

TEST(PowerIteration, StopsWithinOneIterationWhenAskedTo) {
  const DenseOperator A(RandomSymmetric(20, 1));
  std::stop_source source;
  RunContext context;
  context.stop = source.get_token();
  context.progress = [&](const Progress& report) {
    if (report.probes == 4) source.request_stop();
  };
  const auto top = PowerIteration(A, {.tolerance = 1e-9}, context);
  EXPECT_EQ(top.status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(A.num_products(), 4);
}

TEST(PowerIteration, FinishedEstimatesAreKeptByOperatorAndOptions) {
  MemoryCheckpoints checkpoints;
  const RunContext context{.checkpoints = &checkpoints};
  const DenseOperator A(RandomSymmetric(20, 1));
  const PowerIterationOptions options{.max_iterations = 7, .checkpoint_key = "operator"};
  const auto first = PowerIteration(A, options, context);
  ASSERT_EQ(A.num_products(), 7);
  EXPECT_EQ(*PowerIteration(A, options, context), *first);
  EXPECT_EQ(A.num_products(), 7);
  PowerIterationOptions longer = options;
  longer.max_iterations = 8;
  EXPECT_NE(*PowerIteration(A, longer, context), *first);
  PowerIterationOptions elsewhere = options;
  elsewhere.checkpoint_key = "other operator";
  ASSERT_TRUE(PowerIteration(A, elsewhere, context).ok());
  EXPECT_EQ(A.num_products(), 7 + 8 + 7);
}

}  // namespace
}  // namespace bitplan::curvature
