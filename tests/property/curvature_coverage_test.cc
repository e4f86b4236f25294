// Do the reported standard errors say the truth? Over many seeds the exact trace must lie within two of them as often
// as for a Student variable. One run is a few seconds; every figure below is printed when a check fails.

#include <gtest/gtest.h>

#include <cmath>

#include "search/curvature/hutchinson.h"
#include "tests/testing/dense_operator.h"

namespace bitplan::curvature {
namespace {

using ::bitplan::testing::DenseOperator;
using ::bitplan::testing::RandomDecaying;
using ::bitplan::testing::RandomSymmetric;

constexpr int kSeeds = 4000;
// Standard deviation of the share of hits among kSeeds runs at 95 %: 0.0034. Five of them are kept as margin.
constexpr double kMargin = 5 * 0.0034;

// Share of seeds for which `exact` lies within two standard errors.
double Coverage(const LinearOperator& A, double exact, ProbeOptions options) {
  int hits = 0;
  for (int seed = 0; seed < kSeeds; ++seed) {
    options.seed = seed;
    const auto trace = HutchinsonTrace(A, options, {});
    if (!trace.ok()) return -1;
    if (std::abs(trace->trace - exact) <= 2 * trace->standard_error) ++hits;
  }
  return static_cast<double>(hits) / kSeeds;
}

TEST(CurvatureCoverage, FixedNumberOfProbes) {
  const DenseOperator A(RandomSymmetric(40, 3));
  const double coverage = Coverage(A, A.matrix().trace(), {.relative_error = 1e-9, .min_probes = 32, .max_probes = 32});
  // P(|t| <= 2) with 31 degrees of freedom is 0.946.
  EXPECT_NEAR(coverage, 0.946, kMargin);
}

TEST(CurvatureCoverage, StoppingOnTheErrorCostsLittle) {
  // Stopping early happens rather when the error is underestimated: coverage falls a little below the 0.94 of a fixed
  // number of 24 probes. min_probes keeps the loss small.
  const DenseOperator A(RandomDecaying(40, 0.9, 3));
  const double coverage = Coverage(A, A.matrix().trace(), {.relative_error = 0.05, .max_probes = 2000});
  EXPECT_GT(coverage, 0.90);
  EXPECT_LT(coverage, 0.97);
}

TEST(CurvatureCoverage, ADiagonalOperatorIsExactForEverySeed) {
  const DenseOperator A = testing::DiagonalOperator(Eigen::VectorXd::LinSpaced(16, -3, 12));
  EXPECT_EQ(Coverage(A, A.matrix().trace(), {}), 1.0);
}

TEST(CurvatureCoverage, MeanOverSeedsIsUnbiased) {
  const DenseOperator A(RandomSymmetric(40, 8));
  double sum = 0;
  double squares = 0;
  for (int seed = 0; seed < kSeeds; ++seed) {
    const double t =
        HutchinsonTrace(A, {.seed = static_cast<uint64_t>(seed), .min_probes = 2, .max_probes = 2}, {})->trace;
    sum += t;
    squares += t * t;
  }
  const double mean = sum / kSeeds;
  const double standard_error = std::sqrt((squares / kSeeds - mean * mean) / kSeeds);
  EXPECT_LE(std::abs(mean - A.matrix().trace()), 4 * standard_error);
}

}  // namespace
}  // namespace bitplan::curvature
