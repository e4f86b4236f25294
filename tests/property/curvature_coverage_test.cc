// Do the reported standard errors say the truth? Over many seeds the exact trace must lie within two of them as often
// as for a Student variable. One run is a few seconds; every figure below is printed when a check fails.

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "search/curvature/confidence.h"
#include "search/curvature/hutch_plus_plus.h"
#include "search/curvature/hutchinson.h"
#include "search/curvature/lanczos_quadrature.h"
#include "search/curvature/xtrace.h"
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

// Spectra of different kinds, all of dimension 60 to 100.
std::vector<std::pair<std::string, Eigen::MatrixXd>> Spectra() {
  Eigen::VectorXd clustered(100);
  Eigen::VectorXd polynomial(100);
  for (int i = 0; i < 100; ++i) {
    clustered[i] = i < 9 ? 10 - 0.01 * i : 0.02 * (1 + i % 3);
    polynomial[i] = 1.0 / (i + 1);
  }
  Eigen::VectorXd indefinite(80);
  for (int i = 0; i < 80; ++i) indefinite[i] = std::pow(0.9, i) * (i % 3 == 2 ? -0.5 : 1);
  return {{"geometric 0.9", RandomDecaying(60, 0.9, 3)},
          {"geometric 0.97", RandomDecaying(80, 0.97, 3)},
          {"polynomial", testing::WithSpectrum(polynomial, 5)},
          {"indefinite", testing::WithSpectrum(indefinite, 5)},
          {"clustered", testing::WithSpectrum(clustered, 5)}};
}

// What one run says: the estimate, its standard error, the number of samples behind it.
struct Report {
  double value = 0;
  double standard_error = 0;
  int64_t num_samples = 0;
};

struct Summary {
  double coverage = 0;     // share of 95 % intervals that hold the exact value
  double bias = 0;         // mean error in standard errors of that mean
  double error_ratio = 0;  // root mean square of the reported errors over that of the true ones
};

Summary Summarize(int num_seeds, double exact, const std::function<Report(uint64_t)>& run) {
  int hits = 0;
  double sum = 0;
  double squares = 0;
  double reported = 0;
  for (int seed = 0; seed < num_seeds; ++seed) {
    const Report report = run(seed);
    const double error = report.value - exact;
    if (std::abs(error) <= HalfWidth95(report.standard_error, report.num_samples)) ++hits;
    sum += error;
    squares += error * error;
    reported += report.standard_error * report.standard_error;
  }
  return {.coverage = static_cast<double>(hits) / num_seeds,
          .bias = sum / std::sqrt(squares),
          .error_ratio = std::sqrt(reported / squares)};
}

// The wanted range, 0.90 to 0.98, and two to three standard deviations of the share of hits among 200 runs.
constexpr int kRuns = 200;
constexpr double kLowest = 0.90 - 2 * 0.021;
constexpr double kHighest = 0.98 + 3 * 0.010;

TEST(CurvatureCoverage, NinetyFivePercentIntervalsOfAFixedEffort) {
  for (const auto& [name, matrix] : Spectra()) {
    const DenseOperator A(matrix);
    const Summary xtrace = Summarize(kRuns, matrix.trace(), [&, &A = A](uint64_t seed) {
      const auto t = XTrace(A, {.seed = seed, .relative_error = 1e-12, .min_samples = 14, .max_products = 28}, {});
      return Report{t->trace, t->standard_error, t->num_samples};
    });
    EXPECT_GE(xtrace.coverage, 0.90) << name;
    EXPECT_LE(xtrace.coverage, 0.985) << name;
    EXPECT_LE(std::abs(xtrace.bias), 4) << name;
    // The variance estimate is unbiased but for the cut at zero; 200 heavy-tailed runs know it to about 15 %.
    EXPECT_NEAR(xtrace.error_ratio, 1.05, 0.35) << name;

    const Summary hutch = Summarize(kRuns, matrix.trace(), [&, &A = A](uint64_t seed) {
      const HutchPlusPlusOptions options{
          .seed = seed, .relative_error = 1e-12, .min_probes = 24, .min_rank = 6, .max_rank = 6, .max_products = 36};
      const auto t = HutchPlusPlus(A, options, {});
      return Report{t->trace, t->standard_error, t->num_samples};
    });
    EXPECT_GE(hutch.coverage, 0.90) << name;
    EXPECT_LE(hutch.coverage, 0.985) << name;
    EXPECT_LE(std::abs(hutch.bias), 4) << name;
    EXPECT_NEAR(hutch.error_ratio, 1, 0.2) << name;

    const Summary plain = Summarize(kRuns, matrix.trace(), [&, &A = A](uint64_t seed) {
      const auto t =
          HutchinsonTrace(A, {.seed = seed, .relative_error = 1e-12, .min_probes = 24, .max_probes = 24}, {});
      return Report{t->trace, t->standard_error, t->num_probes};
    });
    EXPECT_GE(plain.coverage, 0.90) << name;
    EXPECT_LE(plain.coverage, 0.985) << name;
  }
}

// Stopping looks for a small error and so finds one that is too small a little oftener.
TEST(CurvatureCoverage, NinetyFivePercentIntervalsOfRunsThatStopOnTheirError) {
  for (const auto& [name, matrix] : Spectra()) {
    const DenseOperator A(matrix);
    for (const double wanted : {0.1, 0.05}) {
      const Summary xtrace = Summarize(kRuns, matrix.trace(), [&, &A = A, wanted = wanted](uint64_t seed) {
        const auto t = XTrace(A, {.seed = seed, .relative_error = wanted, .max_products = 2000}, {});
        EXPECT_TRUE(t->converged);
        return Report{t->trace, t->standard_error, t->num_samples};
      });
      EXPECT_GE(xtrace.coverage, kLowest) << name << " " << wanted;
      EXPECT_LE(xtrace.coverage, kHighest) << name << " " << wanted;
      const Summary hutch = Summarize(kRuns, matrix.trace(), [&, &A = A, wanted = wanted](uint64_t seed) {
        const auto t = HutchPlusPlus(A, {.seed = seed, .relative_error = wanted, .max_products = 5000}, {});
        EXPECT_TRUE(t->converged);
        return Report{t->trace, t->standard_error, t->num_samples};
      });
      EXPECT_GE(hutch.coverage, kLowest) << name << " " << wanted;
      EXPECT_LE(hutch.coverage, kHighest) << name << " " << wanted;
    }
  }
}

TEST(CurvatureCoverage, MomentsOfTheSpectralDensity) {
  const Eigen::MatrixXd matrix = RandomDecaying(60, 0.9, 3);
  const DenseOperator A(matrix);
  for (const int power : {1, 2, 3}) {
    Eigen::MatrixXd product = matrix;
    for (int i = 1; i < power; ++i) product = product * matrix;
    const Summary moment = Summarize(kRuns, product.trace() / 60, [&](uint64_t seed) {
      const auto density = StochasticLanczosQuadrature(
          A, {.seed = seed, .num_steps = 4, .error = 1e-12, .min_probes = 24, .max_probes = 24}, {});
      const ProbeAverage average = SpectralMoment(density->density, power);
      return Report{average.mean, average.standard_error, 24};
    });
    EXPECT_GE(moment.coverage, 0.88) << power;  // higher powers are more skewed
    EXPECT_LE(moment.coverage, 0.985) << power;
    EXPECT_LE(std::abs(moment.bias), 4) << power;
  }
}

}  // namespace
}  // namespace bitplan::curvature
