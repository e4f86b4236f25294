// Estimators on real networks small enough for their dense Hessian, which is made without any code of search/ops.

#include <gtest/gtest.h>

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "search/curvature/hessian.h"
#include "search/curvature/hutch_plus_plus.h"
#include "search/curvature/hutchinson.h"
#include "search/curvature/lanczos.h"
#include "search/curvature/lanczos_quadrature.h"
#include "search/curvature/power_iteration.h"
#include "search/curvature/subspace_iteration.h"
#include "search/curvature/xtrace.h"
#include "search/quantization/options.h"
#include "search/sensitivity/estimate.h"
#include "tests/testing/graph_fixtures.h"
#include "tests/testing/memory_checkpoints.h"
#include "tests/testing/reference_network.h"

namespace bitplan {
namespace {

using ::bitplan::testing::NetworkFixture;

// Relative error that float products leave in traces and eigenvalues.
constexpr double kFloatError = 1e-4;

class CurvatureOfSmallNetworks : public ::testing::TestWithParam<NetworkFixture (*)()> {
 protected:
  void SetUp() override {
    fixture_ = GetParam()();
    auto objective = Objective::Create(fixture_.graph, fixture_.data, {});
    ASSERT_TRUE(objective.ok()) << objective.status();
    objective_ = *std::move(objective);
    hessian_ = testing::DenseHessian(fixture_.graph, fixture_.data);
  }
  Eigen::MatrixXd Block(size_t l) const {
    const auto [offset, size] = objective_->slices()[l];
    return hessian_.block(offset, offset, size, size);
  }

  NetworkFixture fixture_;
  std::unique_ptr<Objective> objective_;
  Eigen::MatrixXd hessian_;
};

// The eigenvalue of largest magnitude.
double TopEigenvalue(const Eigen::MatrixXd& matrix) {
  const Eigen::VectorXd spectrum = Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(matrix).eigenvalues();
  const double lowest = spectrum[0];
  const double highest = spectrum[spectrum.size() - 1];
  return std::abs(lowest) > std::abs(highest) ? lowest : highest;
}

TEST_P(CurvatureOfSmallNetworks, TracesAreWithinFourStandardErrors) {
  for (uint64_t seed = 0; seed < 3; ++seed) {
    const auto traces = curvature::HutchinsonBlockTraces(
        HessianOperator::OfNetwork(*objective_), objective_->slices(),
        {.seed = seed, .relative_error = 1e-9, .min_probes = 300, .max_probes = 300}, {});
    ASSERT_TRUE(traces.ok()) << traces.status();
    for (size_t l = 0; l < traces->size(); ++l) {
      const double exact = Block(l).trace();
      EXPECT_LE(std::abs((*traces)[l].trace - exact), 4 * (*traces)[l].standard_error + kFloatError * std::abs(exact))
          << fixture_.name << " layer " << l << " seed " << seed;
    }
  }
}

// With unit vectors for probes there is no sampling error left: the diagonal summed is the trace.
TEST_P(CurvatureOfSmallNetworks, DiagonalBlocksSumToTheExactTrace) {
  for (size_t l = 0; l < objective_->slices().size(); ++l) {
    const HessianOperator block = HessianOperator::OfLayer(*objective_, static_cast<int>(l));
    double trace = 0;
    for (int64_t i = 0; i < block.dimension(); ++i) {
      std::vector<float> unit(block.dimension());
      std::vector<double> column(block.dimension());
      unit[i] = 1;
      ASSERT_TRUE(block.Apply(unit, column, {}).ok());
      trace += column[i];
    }
    EXPECT_NEAR(trace, Block(l).trace(), kFloatError * Block(l).diagonal().cwiseAbs().sum()) << fixture_.name << l;
  }
}

TEST_P(CurvatureOfSmallNetworks, TopEigenvaluesAreThoseOfTheDenseHessian) {
  const PowerIterationOptions options{.tolerance = 1e-3, .max_iterations = 3000};
  const auto check = [&](const HessianOperator& A, const Eigen::MatrixXd& dense, std::string_view what) {
    const auto top = curvature::PowerIteration(A, options, {});
    ASSERT_TRUE(top.ok()) << top.status();
    const double exact = TopEigenvalue(dense);
    EXPECT_LE(std::abs(top->value), std::abs(exact) * (1 + kFloatError)) << what;
    if (top->converged) {
      EXPECT_NEAR(top->value, exact, kFloatError * std::abs(exact)) << fixture_.name << " " << what;
    }
  };
  check(HessianOperator::OfNetwork(*objective_), hessian_, "network");
  for (size_t l = 0; l < objective_->slices().size(); ++l) {
    check(HessianOperator::OfLayer(*objective_, static_cast<int>(l)), Block(l), fixture_.graph.layers.layers[l].name);
  }
}

TEST_P(CurvatureOfSmallNetworks, LanczosFindsBothEndsOfNetworkAndBlocks) {
  const auto check = [&](const HessianOperator& A, const Eigen::MatrixXd& dense, std::string_view what) {
    const Eigen::VectorXd spectrum = Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(dense).eigenvalues();
    const double size = spectrum.cwiseAbs().maxCoeff();
    const auto ends = curvature::Lanczos(A, {.tolerance = 1e-4, .max_products = 500}, {});
    ASSERT_TRUE(ends.ok()) << ends.status();
    EXPECT_TRUE(ends->converged) << what;
    EXPECT_NEAR(ends->top[0].value, spectrum[spectrum.size() - 1], 2 * kFloatError * size) << fixture_.name << what;
    EXPECT_NEAR(ends->bottom[0].value, spectrum[0], 2 * kFloatError * size) << fixture_.name << what;
  };
  check(HessianOperator::OfNetwork(*objective_), hessian_, "network");
  for (size_t l = 0; l < objective_->slices().size(); ++l) {
    check(HessianOperator::OfLayer(*objective_, static_cast<int>(l)), Block(l), fixture_.graph.layers.layers[l].name);
  }
}

TEST_P(CurvatureOfSmallNetworks, TopEigenpairsAreThoseOfTheDenseHessian) {
  const Eigen::VectorXd spectrum = Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(hessian_).eigenvalues();
  std::vector<double> magnitudes(spectrum.begin(), spectrum.end());
  std::ranges::sort(magnitudes, std::greater<>(), [](double x) { return std::abs(x); });
  const auto pairs = curvature::SubspaceIteration(HessianOperator::OfNetwork(*objective_),
                                                  {.num_eigenpairs = 4, .tolerance = 1e-3, .max_products = 20'000}, {});
  ASSERT_TRUE(pairs.ok()) << pairs.status();
  EXPECT_TRUE(pairs->converged);
  for (int i = 0; i < 4; ++i) {
    EXPECT_NEAR(pairs->eigenvalues[i].value, magnitudes[i], 1e-3 * std::abs(magnitudes[0])) << fixture_.name << i;
  }
}

TEST_P(CurvatureOfSmallNetworks, DeflatedTracesAreWithinFourStandardErrors) {
  const HessianOperator A = HessianOperator::OfNetwork(*objective_);
  const double exact = hessian_.trace();
  const double rounding = kFloatError * hessian_.diagonal().cwiseAbs().sum();
  for (uint64_t seed = 0; seed < 3; ++seed) {
    const auto hutch = curvature::HutchPlusPlus(A, {.seed = seed, .max_products = 200}, {});
    ASSERT_TRUE(hutch.ok()) << hutch.status();
    EXPECT_LE(std::abs(hutch->trace - exact), 4 * hutch->standard_error + rounding) << fixture_.name << seed;
    const auto xtrace = curvature::XTrace(A, {.seed = seed, .max_products = 200}, {});
    ASSERT_TRUE(xtrace.ok()) << xtrace.status();
    EXPECT_LE(std::abs(xtrace->trace - exact), 4 * xtrace->standard_error + rounding) << fixture_.name << seed;
  }
}

TEST_P(CurvatureOfSmallNetworks, SpectralMomentsAreThoseOfTheDenseHessian) {
  const auto estimate =
      curvature::StochasticLanczosQuadrature(HessianOperator::OfNetwork(*objective_), {.num_steps = 12}, {});
  ASSERT_TRUE(estimate.ok()) << estimate.status();
  const Eigen::VectorXd spectrum = Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(hessian_).eigenvalues();
  for (int power = 1; power <= 3; ++power) {
    const ProbeAverage moment = curvature::SpectralMoment(estimate->density, power);
    const double rounding = kFloatError * std::pow(spectrum.cwiseAbs().maxCoeff(), power);
    EXPECT_LE(std::abs(moment.mean - spectrum.array().pow(power).mean()), 5 * moment.standard_error + rounding)
        << fixture_.name << power;
  }
}

TEST_P(CurvatureOfSmallNetworks, SameBitsOnAnyNumberOfThreads) {
  const HessianOperator A = HessianOperator::OfNetwork(*objective_);
  const auto lanczos = [&](int threads) { return *curvature::Lanczos(A, {}, {.num_threads = threads}); };
  const auto xtrace = [&](int threads) { return *curvature::XTrace(A, {}, {.num_threads = threads}); };
  EXPECT_EQ(lanczos(2), lanczos(1));
  EXPECT_EQ(lanczos(4), lanczos(1));
  EXPECT_EQ(xtrace(4), xtrace(1));
}

TEST_P(CurvatureOfSmallNetworks, SameSeedSameBitsOnAnyNumberOfThreadsAndAfterResuming) {
  const auto options = quantization::ListOptions(fixture_.graph.layers, {});
  ASSERT_TRUE(options.ok()) << options.status();
  const SensitivityOptions settings{
      .seed = 4, .trace_estimator = "hutchinson", .max_probes = 30, .max_iterations = 30, .all_curvature = true};
  const auto estimate = [&](const RunContext& context) {
    return sensitivity::Estimate(fixture_.graph, fixture_.data, *options, settings, context);
  };
  const auto one = estimate({.num_threads = 1});
  ASSERT_TRUE(one.ok()) << one.status();
  EXPECT_EQ(*estimate({.num_threads = 2}), *one);
  EXPECT_EQ(*estimate({.num_threads = 4}), *one);

  testing::MemoryCheckpoints checkpoints;
  std::stop_source source;
  RunContext interrupted{.stop = source.get_token(), .checkpoints = &checkpoints, .num_threads = 2};
  interrupted.progress = [&](const Progress& report) {
    if (report.stage == "traces" && report.probes == 10) source.request_stop();
  };
  EXPECT_EQ(estimate(interrupted).status().code(), absl::StatusCode::kCancelled);
  EXPECT_FALSE(checkpoints.values.empty());
  EXPECT_EQ(*estimate({.checkpoints = &checkpoints, .num_threads = 4}), *one);
}

INSTANTIATE_TEST_SUITE_P(Fixtures, CurvatureOfSmallNetworks,
                         ::testing::Values(&testing::TanhMlp, &testing::SmoothConvNet, &testing::KinkedConvNet,
                                           &testing::SharedWeightNet));

}  // namespace
}  // namespace bitplan
