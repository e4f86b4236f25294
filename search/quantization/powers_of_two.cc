#include "search/quantization/powers_of_two.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "search/quantization/levels.h"

namespace bitplan::quantization {
namespace {

constexpr int kLeastExponent = -126;  // of a normal float
constexpr int kBitsOfATerm = 2;

}  // namespace

std::vector<double> PowerOfTwoLevels(int bits) {
  std::vector<double> magnitudes((1 << (bits - 1)) - 1);
  for (size_t i = 0; i < magnitudes.size(); ++i) magnitudes[i] = std::ldexp(1.0, -static_cast<int>(i));
  return WithSigns(std::move(magnitudes));
}

float PowerOfTwoScale(const WeightGroup& group) {
  const double largest =
      std::max(std::abs(static_cast<double>(group.range.min)), std::abs(static_cast<double>(group.range.max)));
  if (largest == 0) return 1;
  return std::ldexp(1.0F, std::clamp(std::ilogb(4 * largest / 3), kLeastExponent, 127));
}

std::vector<double> AdditivePowerOfTwoLevels(int bits) {
  const int magnitude_bits = bits - 1;
  const int terms = (magnitude_bits + kBitsOfATerm - 1) / kBitsOfATerm;
  std::vector<double> sums = {0};
  for (int i = 0; i < terms; ++i) {
    const bool is_short = i == terms - 1 && magnitude_bits % kBitsOfATerm != 0;
    const int powers = is_short ? 1 : (1 << kBitsOfATerm) - 1;
    const std::vector<double> without = sums;
    for (int k = 0; k < powers; ++k) {
      for (const double sum : without) sums.push_back(sum + std::ldexp(1.0, -(i + k * terms)));
    }
  }
  const double largest = *std::ranges::max_element(sums);
  std::erase(sums, 0.0);
  for (double& sum : sums) sum /= largest;
  return WithSigns(std::move(sums));
}

}  // namespace bitplan::quantization
