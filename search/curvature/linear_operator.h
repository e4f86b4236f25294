#ifndef BITPLAN_SEARCH_CURVATURE_LINEAR_OPERATOR_H_
#define BITPLAN_SEARCH_CURVATURE_LINEAR_OPERATOR_H_

#include <cstdint>
#include <span>

#include "absl/status/status.h"
#include "search/base/run_context.h"

namespace bitplan {

// A symmetric matrix that offers nothing but its product with a vector. Estimators know a Hessian only through this,
// so that they can be tested on matrices with known answers.
//
// Shapes:  A is dimension() x dimension().
// Threads: Apply is const and may use context.num_threads threads inside; its bits do not depend on their number.
class LinearOperator {
 public:
  virtual ~LinearOperator() = default;

  virtual int64_t dimension() const = 0;

  // out = A v; both have dimension() entries. Errors: kCancelled, kDeadlineExceeded, or what the product itself meets.
  virtual absl::Status Apply(std::span<const float> v, std::span<double> out, const RunContext& context) const = 0;
};

}  // namespace bitplan

#endif  // BITPLAN_SEARCH_CURVATURE_LINEAR_OPERATOR_H_
