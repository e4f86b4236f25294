#ifndef BITPLAN_SEARCH_QUANTIZATION_FAKE_QUANTIZE_H_
#define BITPLAN_SEARCH_QUANTIZATION_FAKE_QUANTIZE_H_

#include <span>

#include "absl/status/status.h"
#include "search/quantization/quantizer.h"

namespace bitplan::quantization {

// Widths that activations may be simulated with: 1 is binary (few_levels.h), from 2 on they have a grid; kFloatBits
// stands for not quantized.
inline constexpr int kBinaryBits = 1;
inline constexpr int kMinGridBits = 2;
inline constexpr int kMaxActivationBits = 16;
inline constexpr int kFloatBits = 32;

// kInvalidArgument unless bits is 1..16 or 32.
absl::Status CheckActivationBits(int bits);

// The grid of an activation tensor whose values were seen in `range`: AffineGrid, so that zero (padding, ReLU) is
// exact and all codes are spent on one side where the tensor has one sign. kMinGridBits <= bits <=
// kMaxActivationBits is the caller's.
QuantizationGrid ActivationGrid(Range range, int bits);

// values[i] = Decode(Encode(values[i])): what comes out of integer hardware, in floats. Values outside the grid go to
// its ends, infinities too; NaN stays. A second time changes nothing.
void FakeQuantize(const QuantizationGrid& grid, std::span<float> values);

}  // namespace bitplan::quantization

#endif  // BITPLAN_SEARCH_QUANTIZATION_FAKE_QUANTIZE_H_
