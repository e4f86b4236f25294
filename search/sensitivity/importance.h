#ifndef BITPLAN_SEARCH_SENSITIVITY_IMPORTANCE_H_
#define BITPLAN_SEARCH_SENSITIVITY_IMPORTANCE_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "search/base/run_context.h"
#include "search/layer/layer.h"
#include "search/ops/objective.h"

namespace bitplan::sensitivity {

// Draws that an importance is made from, unless all columns of all samples are no more: then it is exact. An entry has
// a relative error of at least about sqrt(2 / draws); a codebook averages over the weights of each of its levels.
inline constexpr int64_t kImportanceDraws = 512;

// Whether the scheme, or one among the options, takes the importance of each weight (QuantizerEntry::takes_importance).
bool WantsImportance(std::string_view scheme);
bool WantsImportance(const OptionTable& options);

// What an error of 1 costs at each weight, up to a factor of 2: the diagonal of the Gauss-Newton matrix over the
// objective's samples, G_ii = (1/N) sum_n sum_c (J_n' S_n e_c)_i^2, from drawn samples and signs
// (curvature::EstimateGaussNewton), in the order of the weights. For PerturbInputs::importance of codebooks.
//
// Source:   Choi, El-Khamy, Lee (2017), Towards the limit of network quantization, section 3, with the Hessian's
//           diagonal replaced by that of its positive part.
// Units:    loss / weight^2.
// Cost:     kImportanceDraws draws: a forward and a backward pass of one sample each; 12 bytes a weight, and some
//           gradients while it runs. Not kept in checkpoints: a resumed run draws again.
// Errors:   those of EstimateGaussNewton.
// Progress: stage "importance".
// Same seed, same bits, for any number of threads.
absl::StatusOr<std::vector<float>> WeightImportance(const Objective& objective, uint64_t seed,
                                                    const RunContext& context);

}  // namespace bitplan::sensitivity

#endif  // BITPLAN_SEARCH_SENSITIVITY_IMPORTANCE_H_
