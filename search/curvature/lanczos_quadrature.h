#ifndef BITPLAN_SEARCH_CURVATURE_LANCZOS_QUADRATURE_H_
#define BITPLAN_SEARCH_CURVATURE_LANCZOS_QUADRATURE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "search/base/run_context.h"
#include "search/curvature/linear_operator.h"
#include "search/curvature/spectral_density.h"

namespace bitplan {

struct LanczosQuadratureOptions {
  uint64_t seed = 0;
  int64_t num_steps = 40;  // Lanczos steps, that is products and nodes, a probe; >= 1
  // Wanted standard error of the smoothed density, integrated over x; the density itself integrates to 1. > 0.
  double error = 0.1;
  double smoothing = 0.02;  // width of the smoothing Gaussian as a share of the spectrum's width; > 0
  int64_t min_probes = 8;   // >= 2
  int64_t max_probes = 64;  // >= min_probes
  // Where each probe's rule is kept in context.checkpoints, together with the options above; empty: nowhere. Must name
  // the operator, contents included.
  std::string checkpoint_key;
};
absl::Status Validate(const LanczosQuadratureOptions& options);

struct SpectralDensityEstimate {
  SpectralDensity density;
  double width = 0;  // of the Gaussian that the errors refer to
  double error = 0;  // integral of the standard error of the smoothed density
  // What the last quarter of the steps changed in a probe's smoothed density: the integral of the magnitude of the
  // change, mean over probes. Large (beside 1) where num_steps cannot resolve the smoothed density; more probes do not
  // help then.
  double quadrature_error = 0;
  int64_t num_products = 0;
  bool converged = false;  // the wanted error was met; false: max_probes came first

  bool operator==(const SpectralDensityEstimate&) const = default;
};

namespace curvature {

// The spectral density by stochastic Lanczos quadrature: for a probe v (entries +1 and -1, over sqrt(n)), v'f(A)v is
// the integral of f over the eigenvalues weighted by v's shares in their eigenvectors, with mean (1/n) tr f(A). Lanczos
// with full reorthogonalization from v gives its Gauss rule: nodes the eigenvalues of T, weights the squared first
// entries of T's eigenvectors, exact for polynomials of degree below twice the steps.
//
// Source:   Golub and Welsch (1969); Bai, Fahey, Golub (1996); Lin, Saad, Yang (2016); Ubaru, Chen, Saad (2017); for
//           networks Ghorbani, Krishnan, Xiao (2019), PyHessian (Yao et al., 2020).
// Shapes:   A is n x n and symmetric.
// Units:    nodes those of A; density their inverse.
// Cost:     num_steps products a probe, fewer if the Krylov space ends before; memory 4 n num_steps + 24 n bytes. The
//           target is looked at after min_probes and whenever the probes have grown by a quarter.
// Fails:    single eigenvalues are seen as the weight of nodes near them, at least about 1/n, which a plot does not
// show
//           for large n: use Lanczos for the edges. Details finer than about width / num_steps of the spectrum are
//           lost.
// Errors:   kInvalidArgument (options, dimension 0, a product that is not finite); kCancelled, kDeadlineExceeded. Not
//           converged is no error.
// Progress: stage "density", probes = probes, relative_error = the integrated standard error.
// Same seed, same bits, for any number of threads, and also when resumed from a checkpoint.
absl::StatusOr<SpectralDensityEstimate> StochasticLanczosQuadrature(const LinearOperator& A,
                                                                    const LanczosQuadratureOptions& options,
                                                                    const RunContext& context);

}  // namespace curvature
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_CURVATURE_LANCZOS_QUADRATURE_H_
