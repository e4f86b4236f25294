#include "search/curvature/lanczos_quadrature.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <Eigen/Eigenvalues>
#include <array>
#include <cmath>
#include <numbers>

#include "search/base/status.h"
#include "tests/testing/dense_operator.h"
#include "tests/testing/resume.h"

namespace bitplan::curvature {
namespace {

using ::bitplan::testing::DenseOperator;
using ::bitplan::testing::DiagonalOperator;
using ::bitplan::testing::RandomDecaying;
using ::bitplan::testing::RandomSymmetric;
using ::testing::HasSubstr;

LanczosQuadratureOptions Exactly(int64_t num_probes, int64_t num_steps) {
  return {.num_steps = num_steps, .error = 1e-12, .min_probes = num_probes, .max_probes = num_probes};
}

Eigen::VectorXd Spectrum(const Eigen::MatrixXd& matrix) {
  return Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(matrix).eigenvalues();
}

TEST(StochasticLanczosQuadrature, MomentsAreThoseOfTheSpectrum) {
  const DenseOperator A(RandomSymmetric(50, 4) / std::sqrt(50.0));
  const Eigen::VectorXd spectrum = Spectrum(A.matrix());
  const auto estimate = StochasticLanczosQuadrature(A, Exactly(60, 8), {});
  ASSERT_TRUE(estimate.ok()) << estimate.status();
  EXPECT_EQ(estimate->num_products, 60 * 8);
  EXPECT_EQ(A.num_products(), 60 * 8);
  for (int power = 1; power <= 5; ++power) {
    const ProbeAverage moment = SpectralMoment(estimate->density, power);
    const double exact = spectrum.array().pow(power).mean();
    EXPECT_LE(std::abs(moment.mean - exact), 4 * moment.standard_error) << power;
    EXPECT_GT(moment.standard_error, 0) << power;
  }
}

// Gauss rules of a probe are exact for polynomials of degree below twice the steps: v'A^p v / n, whatever the probe.
TEST(StochasticLanczosQuadrature, ARuleIsExactUpToItsDegree) {
  const DenseOperator A(RandomSymmetric(30, 4) / std::sqrt(30.0));
  const auto few = StochasticLanczosQuadrature(A, Exactly(2, 4), {});
  const auto all = StochasticLanczosQuadrature(A, Exactly(2, 30), {});
  for (int power = 0; power < 8; ++power) {
    EXPECT_NEAR(SpectralMoment(few->density, power).mean, SpectralMoment(all->density, power).mean, 1e-5) << power;
  }
  EXPECT_GT(std::abs(SpectralMoment(few->density, 8).mean - SpectralMoment(all->density, 8).mean), 1e-3);
}

TEST(StochasticLanczosQuadrature, SmoothedDensityAgreesWithTheDenseSpectrum) {
  const DenseOperator A(RandomSymmetric(80, 6));
  const Eigen::VectorXd spectrum = Spectrum(A.matrix());
  const auto estimate = StochasticLanczosQuadrature(A, Exactly(100, 80), {});
  ASSERT_TRUE(estimate.ok()) << estimate.status();
  const double width = 1.5;
  int within_two = 0;
  constexpr int kPoints = 60;
  for (int i = 0; i < kPoints; ++i) {
    const double x = -20 + 40.0 * i / (kPoints - 1);
    double exact = 0;
    for (const double e : spectrum) exact += std::exp(-0.5 * std::pow((x - e) / width, 2));
    exact /= 80 * width * std::sqrt(2 * std::numbers::pi);
    const DensityPoint point = SmoothedDensity(estimate->density, x, width);
    EXPECT_LE(std::abs(point.density - exact), 5 * point.standard_error + 1e-6) << x;
    if (std::abs(point.density - exact) <= 2 * point.standard_error + 1e-6) ++within_two;
  }
  EXPECT_GE(within_two, kPoints * 3 / 4);  // neighbouring points are correlated
}

TEST(StochasticLanczosQuadrature, PlotsIntegrateToOneAndErrorsFallWithTheRootOfTheProbes) {
  const DenseOperator A(RandomSymmetric(60, 6));
  const auto few = StochasticLanczosQuadrature(A, Exactly(16, 40), {});
  const auto many = StochasticLanczosQuadrature(A, Exactly(256, 40), {});
  EXPECT_NEAR(IntegrateDensity(PlotDensity(few->density, {})), 1, 1e-3);
  EXPECT_NEAR(IntegrateDensity(PlotDensity(many->density, {.num_points = 400})), 1, 1e-3);
  EXPECT_NEAR(few->error / many->error, 4, 0.8);
}

TEST(StochasticLanczosQuadrature, StopsWhenTheIntegratedErrorIsMet) {
  const DenseOperator A(RandomDecaying(80, 0.9, 2));
  const auto loose = StochasticLanczosQuadrature(A, {.error = 0.2}, {});
  const auto tight = StochasticLanczosQuadrature(A, {.error = 0.08, .max_probes = 1000}, {});
  EXPECT_TRUE(loose->converged && tight->converged);
  EXPECT_LE(tight->error, 0.08);
  EXPECT_LT(loose->density.rules.size(), tight->density.rules.size());
  const auto never = StochasticLanczosQuadrature(A, {.error = 1e-9, .max_probes = 9}, {});
  EXPECT_FALSE(never->converged);
  EXPECT_EQ(never->density.rules.size(), 9);
}

TEST(StochasticLanczosQuadrature, TheQuadratureErrorSaysWhetherTheStepsResolveTheDensity) {
  const DenseOperator A = DiagonalOperator(Eigen::VectorXd::LinSpaced(400, 0, 1));
  const auto coarse = StochasticLanczosQuadrature(A, Exactly(4, 8), {});
  const auto fine = StochasticLanczosQuadrature(A, Exactly(4, 100), {});
  EXPECT_GT(coarse->quadrature_error, 0.3);
  EXPECT_LT(fine->quadrature_error, 0.2 * coarse->quadrature_error);
}

TEST(StochasticLanczosQuadrature, FewDistinctEigenvaluesEndTheProbesEarly) {
  Eigen::VectorXd spectrum = Eigen::VectorXd::Zero(40);
  spectrum.head(10).setConstant(2);
  spectrum[10] = -1;
  const DenseOperator A(testing::WithSpectrum(spectrum, 3));
  const auto estimate = StochasticLanczosQuadrature(A, Exactly(50, 30), {});
  ASSERT_TRUE(estimate.ok()) << estimate.status();
  EXPECT_LE(estimate->num_products, 50 * 4);
  EXPECT_LT(estimate->quadrature_error, 1e-3);
  const ProbeAverage share = SpectralMean(estimate->density, [](double x) { return x > 1.5 ? 1.0 : 0.0; });
  EXPECT_LE(std::abs(share.mean - 0.25), 4 * share.standard_error);
}

TEST(StochasticLanczosQuadrature, ResumesBitForBit) {
  const DenseOperator A(RandomSymmetric(40, 3));
  const LanczosQuadratureOptions options{.seed = 4, .num_steps = 6, .error = 0.15, .checkpoint_key = "A"};
  constexpr std::array<int64_t, 3> kStops = {1, 6, 20};
  testing::ExpectResumesBitForBit(A, kStops, [&](const LinearOperator& operand, const RunContext& context) {
    return StochasticLanczosQuadrature(operand, options, context);
  });
}

TEST(LanczosQuadratureOptions, SayWhatIsWrong) {
  const auto message = [](const LanczosQuadratureOptions& options) { return MessageOf(Validate(options)); };
  EXPECT_THAT(message({.num_steps = 0}), HasSubstr("num_steps: got 0, want at least 1"));
  EXPECT_THAT(message({.error = 0}), HasSubstr("error: got 0, want above 0"));
  EXPECT_THAT(message({.smoothing = -1}), HasSubstr("smoothing: got -1, want above 0"));
  EXPECT_THAT(message({.min_probes = 1}), HasSubstr("one probe has no standard error"));
  EXPECT_THAT(message({.min_probes = 9, .max_probes = 8}), HasSubstr("max_probes: got 8, want at least min_probes, 9"));
}

}  // namespace
}  // namespace bitplan::curvature
