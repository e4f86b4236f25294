#ifndef BITPLAN_SEARCH_QUANTIZATION_FLOAT_FORMATS_H_
#define BITPLAN_SEARCH_QUANTIZATION_FLOAT_FORMATS_H_

#include <vector>

#include "search/quantization/quantizer_table.h"

namespace bitplan::quantization {

// All finite values of a floating-point format, ascending, zero once: its levels at scale 1.
//
//   value = (-1)^s 2^(e - bias) (1 + m / 2^mantissa_bits), subnormal at e = 0, up to `largest`
//
// Source: OCP 8-bit Floating Point Specification 1.0 (2023) and OCP Microscaling Formats (MX) 1.0 (2023).
std::vector<double> Fp8E4M3Levels(int bits);  // bias 7, largest 448: no infinity, one NaN of each sign
std::vector<double> Fp8E5M2Levels(int bits);  // bias 15, largest 57344
std::vector<double> Fp4E2M1Levels(int bits);  // bias 1: 0, 0.5, 1, 1.5, 2, 3, 4, 6

// MXFP4: blocks of 32 values of FP4 E2M1 with a power of two (E8M0, 8 bits) as the scale,
//
//   scale = 2^(floor(log2(largest of the block)) - 2),   clamped to 2^-127 .. 2^127;
//
// magnitudes between 6 and 8 scales saturate at 6. A block of zeros has scale 1. Source: MX 1.0, section 6.3.
float Mxfp4Scale(const WeightGroup& group);

// NVFP4: blocks of 16 values of FP4 E2M1, a scale in FP8 E4M3 (8 bits) for each, and a float for the tensor,
//
//   g = largest of the tensor / (6 * 448),   scale = g * E4M3(largest of the block / (6 g)),
//
// E4M3 rounding to nearest even, at least its smallest value 2^-9, so that small blocks do not vanish. g is rounded so
// that a second calibration finds it; where all block scales are normal in E4M3 (no block below 2^-6 / 448 of the
// tensor's largest) the whole format is a projection. Source: NVIDIA, Pretraining Large Language Models with NVFP4
// (2025).
float Nvfp4Scale(const WeightGroup& group);

}  // namespace bitplan::quantization

#endif  // BITPLAN_SEARCH_QUANTIZATION_FLOAT_FORMATS_H_
