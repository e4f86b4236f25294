#include "search/curvature/hessian.h"

namespace bitplan {

HessianOperator HessianOperator::OfNetwork(const Objective& objective, CurvatureMatrix matrix) {
  return {objective, std::nullopt, matrix};
}

HessianOperator HessianOperator::OfLayer(const Objective& objective, int layer, CurvatureMatrix matrix) {
  return {objective, layer, matrix};
}

int64_t HessianOperator::dimension() const {
  return layer_ ? objective_->slices()[*layer_].size : objective_->num_weights();
}

absl::Status HessianOperator::Apply(std::span<const float> v, std::span<double> out, const RunContext& context) const {
  return objective_->VectorProduct(matrix_, v, layer_, out, context);
}

}  // namespace bitplan
