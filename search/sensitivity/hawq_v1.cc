#include "search/sensitivity/hawq_v1.h"

#include <cmath>
#include <cstddef>

namespace bitplan::sensitivity {

absl::StatusOr<MethodScores> HawqV1(const MethodInput& input, const RunContext& /*context*/) {
  MethodScores scores;
  for (size_t l = 0; l < input.layers.layers.size(); ++l) {
    const EigenvalueEstimate& top = input.curvature[l].top_eigenvalue.value();
    const auto num_weights = static_cast<double>(input.layers.layers[l].num_weights);
    std::vector<double>& score = scores.score.emplace_back();
    std::vector<double>& error = scores.standard_error.emplace_back();
    for (const double squared_norm : input.perturbation_sq[l]) {
      score.push_back(std::abs(top.value) / num_weights * squared_norm);
      error.push_back(top.residual / num_weights * squared_norm);
    }
  }
  return scores;
}

}  // namespace bitplan::sensitivity
