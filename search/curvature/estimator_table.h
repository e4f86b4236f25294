#ifndef BITPLAN_SEARCH_CURVATURE_ESTIMATOR_TABLE_H_
#define BITPLAN_SEARCH_CURVATURE_ESTIMATOR_TABLE_H_

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "search/base/run_context.h"
#include "search/curvature/eigenvalues.h"
#include "search/curvature/linear_operator.h"
#include "search/curvature/spectral_density.h"

namespace bitplan {

// What an estimator is after, and what its CurvatureEstimate holds.
enum class CurvatureQuantity {
  kTrace,               // value: the trace
  kTopEigenvalue,       // value: the eigenvalue of largest magnitude
  kTopEigenvalues,      // the same, and in `eigenvalues` the num_eigenvalues of largest magnitude, largest first
  kExtremeEigenvalues,  // the same, and in `eigenvalues` the smallest and the largest, in this order
  kSpectralDensity,     // value: the trace (n times the mean of the density), and the density
};

struct EstimatorOptions {
  uint64_t seed = 0;
  // Wanted error / |value|, in the estimator's own kind of error; for a density its integrated standard error.
  double relative_error = 0.1;
  int64_t max_products = 512;   // with the operator
  int64_t num_eigenvalues = 3;  // for kTopEigenvalues
};

// One number about an operator, how far to trust it, and what its quantity has beyond one number (else empty).
struct CurvatureEstimate {
  double value = 0;
  double error = 0;  // traces: standard error; eigenvalues: residual, a bound for the distance to an eigenvalue
  int64_t num_products = 0;
  bool converged = false;
  std::vector<EigenvalueBound> eigenvalues;
  SpectralDensity density;

  bool operator==(const CurvatureEstimate&) const = default;
};

// One row of the table of estimators.
struct EstimatorEntry {
  std::string_view name;
  CurvatureQuantity quantity = CurvatureQuantity::kTrace;
  std::string_view summary;  // one line for help texts
  std::string_view source;
  absl::StatusOr<CurvatureEstimate> (*estimate)(const LinearOperator& A, const EstimatorOptions& options,
                                                const RunContext& context) = nullptr;
};

namespace curvature {

// The only list of estimators, each on a plain operator; capability lists and the conformance tests read it.
std::span<const EstimatorEntry> Estimators();

// kNotFound, listing the known names.
absl::StatusOr<EstimatorEntry> FindEstimator(std::string_view name);

}  // namespace curvature
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_CURVATURE_ESTIMATOR_TABLE_H_
