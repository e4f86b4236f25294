#ifndef BITPLAN_SEARCH_QUANTIZATION_FEW_LEVELS_H_
#define BITPLAN_SEARCH_QUANTIZATION_FEW_LEVELS_H_

#include <span>
#include <string_view>
#include <vector>

#include "search/quantization/histogram.h"

namespace bitplan::quantization {

// Activation range that makes 2 bits ternary; other widths take minmax. Static, of activations only.
inline constexpr std::string_view kTernary = "ternary";
inline constexpr std::string_view kTernarySummary =
    "three levels of least squared error at 2 bits, minmax at others (Li et al. 2016)";

// Binary and ternary activations: levels of least squared error over the values x seen, one scale alpha a tensor.
//
//             of both signs           of one sign
//   binary    -alpha, alpha           0, alpha  (or -alpha, 0)
//   ternary   -alpha, 0, alpha        0, alpha, 2 alpha  (or negative)
//
// Binary of both signs: alpha = mean |x|, sum (Q(x) - x)^2 = sum x^2 - n alpha^2 (XNOR-Net, Rastegari et al. 2016).
// Zero is no level then: Q(0) = alpha. The others round |x| / alpha, halves down, to q = 0 .. m: m = 2 levels besides
// zero for ternary of one sign, else 1. alpha = sum |x| q / sum q^2 is optimal for given q, so the best alpha maximises
// (sum |x| q)^2 / sum q^2 over the q that some alpha gives: those change only at alpha = |x_i| / (j - 1/2), j = 1 .. m,
// and a sweep over these visits all. (m = 1: TWN's problem, Li et al. 2016, solved exactly; half-wave Gaussian
// quantization, Cai et al. 2017, is it for one sign and a Gaussian.) O(n m log(n m)).
//
// Ascending, without repetition; {0} where all values are zero or there are none.
std::vector<float> BinaryActivationLevels(std::span<const float> values);
// The same of a histogram: each value stands in the middle of its bin, cut to minimum and maximum.
std::vector<float> BinaryActivationLevels(const Histogram& histogram);
std::vector<float> TernaryActivationLevels(const Histogram& histogram);

// Each value to its nearest level, of two equally near ones the one nearer to zero, of -alpha and alpha the latter.
// Infinities go to the ends, NaN stays. `levels` as above, not empty.
void FakeQuantizeToLevels(std::span<const float> levels, std::span<float> values);

}  // namespace bitplan::quantization

#endif  // BITPLAN_SEARCH_QUANTIZATION_FEW_LEVELS_H_
