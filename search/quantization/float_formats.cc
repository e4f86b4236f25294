#include "search/quantization/float_formats.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "search/quantization/levels.h"

namespace bitplan::quantization {
namespace {

constexpr double kLargestE4M3 = 448;
constexpr double kLargestE2M1 = 6;
constexpr int kExponentOfE2M1 = 2;  // of its largest value

std::vector<double> FormatLevels(int mantissa_bits, int bias, double largest) {
  std::vector<double> magnitudes;
  const int steps = 1 << mantissa_bits;
  for (int code = 1; magnitudes.empty() || magnitudes.back() < largest; ++code) {
    const int exponent = std::max(code / steps, 1);
    const int significand = code % steps + (code >= steps ? steps : 0);
    magnitudes.push_back(std::ldexp(significand, exponent - bias - mantissa_bits));
  }
  return WithSigns(std::move(magnitudes));
}

double LargestOf(Range range) {
  return std::max(std::abs(static_cast<double>(range.min)), std::abs(static_cast<double>(range.max)));
}

// Scale of a tensor: what the largest block's scale, 448 times it, gives back.
float TensorScale(float largest) {
  constexpr double kTop = kLargestE4M3 * kLargestE2M1;
  float scale = std::max(static_cast<float>(largest / kTop), std::numeric_limits<float>::min());
  for (int i = 0; i < 8; ++i) {
    const auto block = static_cast<float>(scale * kLargestE4M3);
    const auto again = static_cast<float>(static_cast<float>(block * kLargestE2M1) / kTop);
    if (again == scale || !std::isfinite(again)) break;
    scale = again;
  }
  return scale;
}

}  // namespace

std::vector<double> Fp8E4M3Levels(int /*bits*/) { return FormatLevels(3, 7, kLargestE4M3); }
std::vector<double> Fp8E5M2Levels(int /*bits*/) { return FormatLevels(2, 15, 57'344); }
std::vector<double> Fp4E2M1Levels(int /*bits*/) { return FormatLevels(1, 1, kLargestE2M1); }

float Mxfp4Scale(const WeightGroup& group) {
  const double largest = LargestOf(group.range);
  if (largest == 0) return 1;
  return std::ldexp(1.0F, std::clamp(std::ilogb(largest) - kExponentOfE2M1, -127, 127));
}

float Nvfp4Scale(const WeightGroup& group) {
  if (group.tensor_largest == 0) return 1;
  static const std::vector<double> kScales = Fp8E4M3Levels(8);
  const float tensor_scale = TensorScale(group.tensor_largest);
  const double wanted = LargestOf(group.range) / (kLargestE2M1 * tensor_scale);
  const double block = std::max(kScales[NearestLevel(kScales, wanted)], std::ldexp(1.0, -9));
  return static_cast<float>(block * tensor_scale);
}

}  // namespace bitplan::quantization
