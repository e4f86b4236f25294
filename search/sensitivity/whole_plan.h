#ifndef BITPLAN_SEARCH_SENSITIVITY_WHOLE_PLAN_H_
#define BITPLAN_SEARCH_SENSITIVITY_WHOLE_PLAN_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "search/base/run_context.h"
#include "search/data/dataset.h"
#include "search/sensitivity/method_table.h"

namespace bitplan::sensitivity {

// Where whole-plan methods take the outputs' changes from (SensitivityOptions::output_changes):
//   measured     each option applied, alone (MeasureChanges)
//   first_order  J_n d (curvature::MeasureResponses): a backward pass for each sample and output
inline constexpr auto kOutputChanges = std::to_array<std::string_view>({"measured", "first_order"});

// Most bytes of changes that are kept with a measurement; fewer under a memory limit. The first samples count, as many
// as fit: a note says how many.
inline constexpr int64_t kMaxResponseBytes = int64_t{128} << 20;

// Methods that predict whole plans: they give responses for PlanPredictor, and as scores what it predicts for each
// option alone.
//
// Loss:  as asked for; "auto" stands for the label-free loss here (LossOfMethod): over some hundred samples a loss with
//        labels rewards changes that happen to suit these samples, which does not carry over to others
//        (docs/benchmarks.md).
// Error: standard error over samples. Cost: that of the changes. Progress, Checkpoints: theirs.
absl::StatusOr<MethodScores> Quadratic(const MethodInput& input, const RunContext& context);
absl::StatusOr<MethodScores> LogitSuperposition(const MethodInput& input, const RunContext& context);

// The loss that a measurement of `method` on such targets uses: options.loss, but for whole-plan methods "auto" without
// label smoothing becomes the label-free loss of the kind that "auto" would take.
std::string LossOfMethod(const MethodEntry& method, const SensitivityOptions& options, const Targets& targets);

}  // namespace bitplan::sensitivity

#endif  // BITPLAN_SEARCH_SENSITIVITY_WHOLE_PLAN_H_
