#ifndef BITPLAN_SEARCH_CURVATURE_HESSIAN_H_
#define BITPLAN_SEARCH_CURVATURE_HESSIAN_H_

#include <cstdint>
#include <optional>
#include <span>

#include "absl/status/status.h"
#include "search/base/run_context.h"
#include "search/curvature/linear_operator.h"
#include "search/ops/objective.h"

namespace bitplan {

// H = d2L/dw2 at the network's own weights (or another curvature matrix), the whole of it or the diagonal block of one
// layer.
//
// Units: loss / weight^2. Cost of Apply: about 2.5 gradients, less for a block. `objective` must outlive the operator.
class HessianOperator final : public LinearOperator {
 public:
  // Of all layers; dimension() = objective.num_weights().
  static HessianOperator OfNetwork(const Objective& objective, CurvatureMatrix matrix = CurvatureMatrix::kHessian);
  // Of one layer, 0 <= layer < objective.slices().size(); dimension() = that slice's size.
  static HessianOperator OfLayer(const Objective& objective, int layer,
                                 CurvatureMatrix matrix = CurvatureMatrix::kHessian);

  int64_t dimension() const override;
  absl::Status Apply(std::span<const float> v, std::span<double> out, const RunContext& context) const override;

 private:
  HessianOperator(const Objective& objective, std::optional<int> layer, CurvatureMatrix matrix)
      : objective_(&objective), layer_(layer), matrix_(matrix) {}

  const Objective* objective_;
  std::optional<int> layer_;
  CurvatureMatrix matrix_;
};

}  // namespace bitplan

#endif  // BITPLAN_SEARCH_CURVATURE_HESSIAN_H_
