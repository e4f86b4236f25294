#ifndef BITPLAN_SEARCH_QUANTIZATION_ACIQ_H_
#define BITPLAN_SEARCH_QUANTIZATION_ACIQ_H_

#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "search/quantization/range_rule_table.h"

namespace bitplan::quantization {

// Expected squared error of a density of spread 1 (Laplace: mean |x| = 1, Gauss: variance 1) that is clipped at +-clip
// and rounded to 2^bits equal cells of [-clip, clip]: clipped part plus rounding noise clip^2 / (3 * 4^bits).
//
//   Laplace  2 exp(-c) + c^2 / (3 * 4^bits)
//   Gauss    (c^2 + 1) (1 - erf(c / sqrt 2)) - sqrt(2 / pi) c exp(-c^2 / 2) + c^2 / (3 * 4^bits)
//
// Source: Banner, Nahshan, Soudry (NeurIPS 2019), equations 5 and 16.
double LaplaceClippingError(double clip, int bits);
double GaussClippingError(double clip, int bits);

// The clip that makes it least: 2.83, 3.89, 5.03, .. for Laplace and 1.71, 2.15, 2.55, .. for Gauss at 2, 3, 4, ..
// bits.
double LaplaceClip(int bits);
double GaussClip(int bits);

// The clip of the density that fits better: with b = mean |x - mean| and sigma the standard deviation, Laplace if its
// likelihood is greater, which is b / sigma < sqrt(pi / (2 e)) = 0.760; else Gauss. Symmetric: the range is what of
// [-T, T], T = |mean| + clip, the numbers reach; otherwise of [mean - clip, mean + clip].
Range AciqRange(const Distribution& numbers, const RangeTarget& target);

// Bits for channels whose ranges are `clips` wide such that all together have at most clips.size() * 2^mean_bits levels
// and the rounding noise sum of clip_i^2 / (3 * 4^M_i) is small: the optimum for real M_i is 2^M_i proportional to
// clip_i^(2/3). Rounded down from that, then the levels left over go, one bit at a time, where a bit removes most noise
// for the levels it takes. 0 bits (the channel is not stored and takes no level) to 8.
// Source: Banner et al. (2019), section 4. Errors: kInvalidArgument (no channel, a clip that is negative or not finite,
// mean_bits outside 1..8).
absl::StatusOr<std::vector<int>> AciqBitAllocation(std::span<const double> clips, int mean_bits);

}  // namespace bitplan::quantization

#endif  // BITPLAN_SEARCH_QUANTIZATION_ACIQ_H_
