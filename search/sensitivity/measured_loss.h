#ifndef BITPLAN_SEARCH_SENSITIVITY_MEASURED_LOSS_H_
#define BITPLAN_SEARCH_SENSITIVITY_MEASURED_LOSS_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "search/base/run_context.h"
#include "search/curvature/output_responses.h"
#include "search/sensitivity/method_table.h"

namespace bitplan::sensitivity {

// Scores by doing it: each option of each layer is applied, alone, and the loss measured again.
//
//   score(l, o) = (1/N) sum_n [ loss(f(x_n; W with Q_o(W_l)), y_n) - loss(f(x_n; W), y_n) ]
//
// With input.activations the tensors that layer l owns (ActivationPoint) are quantized to the option's activation bits
// in the same run; without, activations stay float.
//
// Error: standard error over samples, sd(d_n) / sqrt(N) of the paired differences d_n; 0 for a single sample. It says
//        how well N samples stand for the population, not how well the score stands for these samples: that is exact.
// Sign:  negative where the change happens to help; reported as it is.
// Fails: knows nothing of what two layers do together; docs/math.md.
// Cost:  a forward pass over all samples for each option, less the unchanged part before the layer, which is computed
//        once for a batch of layers (Objective::RunSubstituted). Memory: kMaxBatchBytes of quantized weights.
// Progress:    stage "measured loss". Checkpoints: the scores of each batch of layers.
absl::StatusOr<MethodScores> MeasuredLoss(const MethodInput& input, const RunContext& context);

struct MeasuredChanges {
  MethodScores scores;        // as MeasuredLoss
  OutputResponses responses;  // [n, c, j] = f(x_n; W with option j) - f(x_n; W), j = first[l] + o
};

// The same with the changes of all outputs of the first samples, as many as fit into max_bytes, from the same runs: not
// to first order as curvature::MeasureResponses has them, but as they are. Errors: kResourceExhausted if those of a
// single sample take more. Checkpoints hold the changes, too.
absl::StatusOr<MeasuredChanges> MeasureChanges(const MethodInput& input, int64_t max_bytes, const RunContext& context);

}  // namespace bitplan::sensitivity

#endif  // BITPLAN_SEARCH_SENSITIVITY_MEASURED_LOSS_H_
