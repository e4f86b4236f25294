#include "search/curvature/spectral_density.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace bitplan::curvature {
namespace {

// Two probes of a matrix with eigenvalues 0 and 2: their shares differ.
SpectralDensity TwoProbes() {
  return {.dimension = 10,
          .rules = {{.nodes = {0, 2}, .weights = {0.7, 0.3}}, {.nodes = {0, 2}, .weights = {0.5, 0.5}}}};
}

TEST(SpectralDensity, MomentsAreMeansOverProbes) {
  const ProbeAverage mean = SpectralMoment(TwoProbes(), 1);
  EXPECT_DOUBLE_EQ(mean.mean, 0.8);              // of 0.6 and 1.0
  EXPECT_NEAR(mean.standard_error, 0.2, 1e-12);  // deviation 0.2828 over sqrt(2)
  EXPECT_DOUBLE_EQ(SpectralMoment(TwoProbes(), 2).mean, 1.6);
  EXPECT_DOUBLE_EQ(SpectralMoment(TwoProbes(), 0).mean, 1);
  EXPECT_EQ(SpectralMoment(TwoProbes(), 0).standard_error, 0);
}

TEST(SpectralDensity, OneProbeKnowsNoError) {
  const SpectralDensity one{.dimension = 2, .rules = {{.nodes = {1}, .weights = {1}}}};
  EXPECT_TRUE(std::isinf(SpectralMoment(one, 1).standard_error));
}

TEST(SpectralDensity, SmoothedDensityIsASumOfGaussians) {
  const DensityPoint at_two = SmoothedDensity(TwoProbes(), 2, 0.1);
  const double peak = 1 / (0.1 * std::sqrt(2 * std::numbers::pi));
  EXPECT_NEAR(at_two.density, 0.4 * peak, 1e-9);
  EXPECT_NEAR(at_two.standard_error, 0.1 * peak, 1e-9);
}

TEST(SpectralDensity, WidthsFollowTheRangeThenTheSizeThenOne) {
  EXPECT_DOUBLE_EQ(SmoothingWidth(TwoProbes(), 0.05), 0.1);
  const auto single = [](double node) {
    return SpectralDensity{.dimension = 1, .rules = {{.nodes = {node}, .weights = {1}}}};
  };
  EXPECT_DOUBLE_EQ(SmoothingWidth(single(-4), 0.05), 0.2);
  EXPECT_DOUBLE_EQ(SmoothingWidth(single(0), 0.05), 1);
  EXPECT_DOUBLE_EQ(SmoothingWidth({}, 0.05), 1);
}

TEST(SpectralDensity, PlotsCoverTheNodesAndIntegrateToOne) {
  const auto plot = PlotDensity(TwoProbes(), {.width = 0.1, .num_points = 500});
  ASSERT_EQ(plot.size(), 500);
  EXPECT_NEAR(plot.front().x, -0.4, 1e-9);
  EXPECT_NEAR(plot.back().x, 2.4, 1e-9);
  EXPECT_NEAR(IntegrateDensity(plot), 1, 1e-3);
  EXPECT_NEAR(IntegrateStandardError(plot), 0.2, 1e-3);  // 0.1 at either eigenvalue
  EXPECT_TRUE(PlotDensity({}, {}).empty());
}

}  // namespace
}  // namespace bitplan::curvature
