#ifndef BITPLAN_SEARCH_CURVATURE_LANCZOS_H_
#define BITPLAN_SEARCH_CURVATURE_LANCZOS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "search/base/run_context.h"
#include "search/curvature/eigenvalues.h"
#include "search/curvature/linear_operator.h"

namespace bitplan {

struct LanczosOptions {
  uint64_t seed = 0;           // of the start vector
  uint64_t stream = 0;         // which start vector of that seed; callers use the layer index
  int64_t num_top = 1;         // largest eigenvalues wanted; >= 0, one of the two above 0
  int64_t num_bottom = 1;      // smallest eigenvalues wanted, the most negative ones; >= 0
  double tolerance = 0.01;     // residual <= tolerance * largest |eigenvalue| found; 0 < tolerance < 1
  int64_t max_products = 200;  // >= 1
  // Basis vectors held at a time, >= num_top + num_bottom + 2: memory 4 n bytes each. A full basis is restarted.
  int64_t max_basis = 80;
  // Where products are kept in context.checkpoints until the estimate is done, and then the estimate, together with the
  // options above; empty: nowhere. Must name the operator, contents included.
  std::string checkpoint_key;
};
absl::Status Validate(const LanczosOptions& options);

// Both ends of the spectrum, as far as found. Whether converged or not, values at the top are at most, values at the
// bottom at least the eigenvalues they stand for, up to the rounding of the products.
struct LanczosEstimate {
  std::vector<EigenvalueBound> top;     // largest first; fewer than wanted if the products ended before or n is smaller
  std::vector<EigenvalueBound> bottom;  // smallest first
  int64_t num_products = 0;
  bool converged = false;  // as many as wanted, all converged
  // A residual tells the distance to *an* eigenvalue, not that none lies beyond (subspace_iteration.h measures how
  // often one does: rarely at a tolerance of 0.01). With a probability of 99 % over the start vectors (each end by
  // itself) none lies further beyond the outermost value found than this share of the spectrum's whole width, largest
  // minus smallest eigenvalue. 0: the Krylov space was exhausted.
  double missed_share = 1;

  // Of largest magnitude; the top one if equal.
  const EigenvalueBound& Dominant() const;
  bool operator==(const LanczosEstimate&) const = default;
};

namespace curvature {

// The extreme eigenvalues by the Lanczos recurrence with full reorthogonalization and thick restarts: eigenvalues
// (Ritz values) of T = Q'AQ, Q an orthonormal basis of span{v, Av, A^2 v, ..} from a seeded Gaussian start, with the
// residuals |beta s_m|, beta the norm of what A q_m leaves outside the basis and s_m the last entry of T's eigenvector.
//
// Source:   Lanczos (1950); Paige (1971); thick restart: Wu and Simon (2000); missed_share: Kuczynski and Wozniakowski
//           (1992), theorem 4.2, for the first basis: probability of missing by a share e of the width
//           <= 1.648 sqrt(n) exp(-sqrt(e) (2 q - 1)) after q products.
// Shapes:   A is n x n and symmetric.
// Units:    those of A: loss / weight^2 for a Hessian.
// Cost:     one product a step and 8 n m flops for a basis of m; memory 4 n max_basis + 24 n bytes. Never worse than
//           power iteration with the same products and start (its vector lies in the same space); finds +x and -x.
// Fails:    copies of a multiple eigenvalue: one start vector sees each distinct eigenvalue once (unless the space is
//           exhausted, after which a fresh vector goes on). SubspaceIteration finds copies.
// Errors:   kInvalidArgument (options, dimension 0, a product that is not finite); kCancelled, kDeadlineExceeded. Not
//           converged is no error.
// Progress: stage "eigenvalues", probes = products, relative_error = worst residual / largest |value|.
// Same seed and stream, same bits, for any number of threads, and also when resumed from a checkpoint.
absl::StatusOr<LanczosEstimate> Lanczos(const LinearOperator& A, const LanczosOptions& options,
                                        const RunContext& context);

}  // namespace curvature
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_CURVATURE_LANCZOS_H_
