#ifndef BITPLAN_SEARCH_QUANTIZATION_LEVELS_H_
#define BITPLAN_SEARCH_QUANTIZATION_LEVELS_H_

#include <cstdint>
#include <span>
#include <vector>

namespace bitplan::quantization {

// Index of the level nearest to x among ascending, different levels. Half way between two, the one an even number of
// places away from the first level >= 0 is taken: for floating-point formats that is rounding half to even.
int32_t NearestLevel(std::span<const double> levels, double x);

// One of the two levels around x: the upper with probability (x - lower) / (upper - lower), decided by `uniform` in
// [0, 1), so that the mean over uniform is x. Outside the levels the outermost one.
int32_t StochasticLevel(std::span<const double> levels, double x, double uniform);

// Positive magnitudes, zero, and the same below zero, ascending.
std::vector<double> WithSigns(std::vector<double> magnitudes);

// `largest` / `top` as a float s > 0 such that s * top / top is s again, all in float: a second calibration with the
// largest value that s can express finds s. 1 for largest = 0; never below the smallest normal float.
float StableScale(double largest, double top);

}  // namespace bitplan::quantization

#endif  // BITPLAN_SEARCH_QUANTIZATION_LEVELS_H_
