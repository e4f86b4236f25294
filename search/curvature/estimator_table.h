#ifndef BITPLAN_SEARCH_CURVATURE_ESTIMATOR_TABLE_H_
#define BITPLAN_SEARCH_CURVATURE_ESTIMATOR_TABLE_H_

#include <cstdint>
#include <span>
#include <string_view>

#include "absl/status/statusor.h"
#include "search/base/run_context.h"
#include "search/curvature/linear_operator.h"

namespace bitplan {

// What an estimator is after.
enum class CurvatureQuantity { kTrace, kTopEigenvalue };

struct EstimatorOptions {
  uint64_t seed = 0;
  double relative_error = 0.1;  // wanted error / |value|, in the estimator's own kind of error
  int64_t max_products = 512;   // with the operator
};

// One number about an operator, and how far to trust it.
struct CurvatureEstimate {
  double value = 0;
  double error = 0;  // traces: standard error; eigenvalues: residual, a bound for the distance to an eigenvalue
  int64_t num_products = 0;
  bool converged = false;

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
