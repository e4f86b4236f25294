#ifndef BITPLAN_SEARCH_CURVATURE_SPECTRAL_DENSITY_H_
#define BITPLAN_SEARCH_CURVATURE_SPECTRAL_DENSITY_H_

#include <cstdint>
#include <functional>
#include <vector>

namespace bitplan {

// The distribution of a matrix's eigenvalues, (1/n) sum_i delta(x - lambda_i), as sampled by probes: probe k stands for
// it with the discrete distribution of rules[k], a Gauss quadrature rule of the matrix for that probe. Their mean is
// the estimate, their spread its error.
struct SpectralDensity {
  struct Rule {
    std::vector<double> nodes;    // rising; Ritz values, in units of the matrix
    std::vector<double> weights;  // of the nodes: >= 0, sum 1

    bool operator==(const Rule&) const = default;
  };
  int64_t dimension = 0;  // n; 0: no density
  std::vector<Rule> rules;

  bool operator==(const SpectralDensity&) const = default;
};

// A mean over probes; the error is infinite for a single probe.
struct ProbeAverage {
  double mean = 0;
  double standard_error = 0;
};

struct DensityPoint {
  double x = 0;
  double density = 0;  // share of the eigenvalues in a unit of x
  double standard_error = 0;
};

struct DensityPlotOptions {
  double width = 0;          // of the Gaussian, in units of x; 0: SmoothingWidth(density, 0.02)
  int64_t num_points = 256;  // >= 2
};

namespace curvature {

// (1/n) tr f(A), the mean of f over the eigenvalues.
ProbeAverage SpectralMean(const SpectralDensity& density, const std::function<double(double)>& f);

// (1/n) tr A^power, power >= 0. Unbiased if power < 2 x nodes of the rules; the first is the mean eigenvalue.
ProbeAverage SpectralMoment(const SpectralDensity& density, int power);

// The given share of the distance from the smallest to the largest node; of the largest magnitude if that is zero; 1 if
// all nodes are zero.
double SmoothingWidth(const SpectralDensity& density, double share);

// The density smoothed by a Gaussian of standard deviation `width` > 0:
//   (1/n) sum_i N(x; lambda_i, width^2), estimated by the mean over probes of sum_j weight_j N(x; node_j, width^2).
// Source: Lin, Saad, Yang (2016), section 3.2.
DensityPoint SmoothedDensity(const SpectralDensity& density, double x, double width);

// The smoothed density at evenly spaced points from four widths below the smallest to four above the largest node;
// empty without rules.
std::vector<DensityPoint> PlotDensity(const SpectralDensity& density, const DensityPlotOptions& options);

// Integral over x of the density, and of its standard error, by the trapezoidal rule. The first is 1 up to rounding.
double IntegrateDensity(const std::vector<DensityPoint>& plot);
double IntegrateStandardError(const std::vector<DensityPoint>& plot);

}  // namespace curvature
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_CURVATURE_SPECTRAL_DENSITY_H_
