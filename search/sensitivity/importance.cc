#include "search/sensitivity/importance.h"

#include <algorithm>

#include "search/base/status.h"
#include "search/curvature/gauss_newton.h"
#include "search/quantization/quantizer_table.h"

namespace bitplan::sensitivity {

bool WantsImportance(std::string_view scheme) {
  const absl::StatusOr<QuantizerEntry> quantizer = quantization::FindQuantizer(scheme);
  return quantizer.ok() && quantizer->takes_importance;
}

bool WantsImportance(const OptionTable& options) {
  return std::ranges::any_of(options.options, [](const std::vector<Option>& of_layer) {
    return std::ranges::any_of(of_layer, [](const Option& option) { return WantsImportance(option.scheme); });
  });
}

absl::StatusOr<std::vector<float>> WeightImportance(const Objective& objective, uint64_t seed,
                                                    const RunContext& context) {
  RunContext of_importance = context;
  of_importance.progress = [&context](const Progress& of_draws) {
    Progress report = of_draws;
    report.stage = "importance";
    context.Report(report);
  };
  const int64_t columns = objective.num_samples() * objective.num_outputs();
  using Sampling = GaussNewtonOptions::Sampling;
  const GaussNewtonOptions options{.seed = seed,
                                   .min_draws = kImportanceDraws,
                                   .max_draws = kImportanceDraws,
                                   .sampling = columns <= kImportanceDraws ? Sampling::kNever : Sampling::kAlways,
                                   .diagonal = true};
  BITPLAN_ASSIGN_OR_RETURN(const GaussNewtonEstimate estimate,
                           curvature::EstimateGaussNewton(objective, {}, options, of_importance));
  return std::vector<float>(estimate.diagonal.begin(), estimate.diagonal.end());
}

}  // namespace bitplan::sensitivity
