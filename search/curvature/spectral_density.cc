#include "search/curvature/spectral_density.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>

#include "search/curvature/confidence.h"

namespace bitplan::curvature {
namespace {

// Smallest and largest node.
struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
};

Range RangeOf(const SpectralDensity& density) {
  Range range;
  for (const SpectralDensity::Rule& rule : density.rules) {
    range.low = std::min(range.low, rule.nodes.front());
    range.high = std::max(range.high, rule.nodes.back());
  }
  return range;
}

double Integrate(const std::vector<DensityPoint>& plot, double DensityPoint::*value) {
  double sum = 0;
  for (size_t i = 1; i < plot.size(); ++i) {
    sum += (plot[i].x - plot[i - 1].x) * (plot[i].*value + plot[i - 1].*value) / 2;
  }
  return sum;
}

}  // namespace

ProbeAverage SpectralMean(const SpectralDensity& density, const std::function<double(double)>& f) {
  Moments moments;
  int64_t num_rules = 0;
  for (const SpectralDensity::Rule& rule : density.rules) {
    double sum = 0;
    for (size_t j = 0; j < rule.nodes.size(); ++j) sum += rule.weights[j] * f(rule.nodes[j]);
    AddSample(moments, sum, ++num_rules);
  }
  const double error =
      num_rules < 2 ? std::numeric_limits<double>::infinity() : StandardErrorOfMean(moments, num_rules);
  return {.mean = moments.mean, .standard_error = error};
}

ProbeAverage SpectralMoment(const SpectralDensity& density, int power) {
  return SpectralMean(density, [power](double x) { return std::pow(x, power); });
}

double SmoothingWidth(const SpectralDensity& density, double share) {
  if (density.rules.empty()) return 1;
  const Range range = RangeOf(density);
  const double size = std::max(std::abs(range.low), std::abs(range.high));
  if (size == 0) return 1;
  // Nodes of one eigenvalue differ by rounding.
  constexpr double kRounding = 1e-6;
  return share * (range.high - range.low > kRounding * size ? range.high - range.low : size);
}

DensityPoint SmoothedDensity(const SpectralDensity& density, double x, double width) {
  const double peak = 1 / (width * std::sqrt(2 * std::numbers::pi));
  const ProbeAverage average = SpectralMean(density, [&](double node) {
    const double z = (x - node) / width;
    return peak * std::exp(-z * z / 2);
  });
  return {.x = x, .density = average.mean, .standard_error = average.standard_error};
}

std::vector<DensityPoint> PlotDensity(const SpectralDensity& density, const DensityPlotOptions& options) {
  if (density.rules.empty()) return {};
  constexpr double kDefaultShare = 0.02;
  constexpr double kMargin = 4;  // widths; beyond is 6e-5 of the mass
  const double width = options.width > 0 ? options.width : SmoothingWidth(density, kDefaultShare);
  const Range range = RangeOf(density);
  const double low = range.low - kMargin * width;
  const double step = (range.high + kMargin * width - low) / static_cast<double>(options.num_points - 1);
  std::vector<DensityPoint> plot;
  for (int64_t i = 0; i < options.num_points; ++i) {
    plot.push_back(SmoothedDensity(density, low + step * static_cast<double>(i), width));
  }
  return plot;
}

double IntegrateDensity(const std::vector<DensityPoint>& plot) { return Integrate(plot, &DensityPoint::density); }

double IntegrateStandardError(const std::vector<DensityPoint>& plot) {
  return Integrate(plot, &DensityPoint::standard_error);
}

}  // namespace bitplan::curvature
