#ifndef BITPLAN_SEARCH_CURVATURE_EIGENVALUES_H_
#define BITPLAN_SEARCH_CURVATURE_EIGENVALUES_H_

namespace bitplan {

// An eigenvalue as far as found: the symmetric matrix has an eigenvalue within `residual` of `value`, up to the
// rounding of its products (about 1e-6 of its norm for products in float).
struct EigenvalueBound {
  double value = 0;
  double residual = 0;
  bool converged = false;  // the residual met the estimator's tolerance

  bool operator==(const EigenvalueBound&) const = default;
};

namespace curvature {

// Vectors are floats, and so are the products of real operators: what is smaller than this share of the matrix's norm
// is rounding, not structure.
inline constexpr double kFloatRounding = 1e-6;

}  // namespace curvature
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_CURVATURE_EIGENVALUES_H_
