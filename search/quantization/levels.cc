#include "search/quantization/levels.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace bitplan::quantization {

int32_t NearestLevel(std::span<const double> levels, double x) {
  const auto above = std::ranges::upper_bound(levels, x);
  if (above == levels.begin()) return 0;
  const auto upper = static_cast<int32_t>(above - levels.begin());
  if (above == levels.end()) return upper - 1;
  const double up = levels[upper] - x;
  const double down = x - levels[upper - 1];
  if (up != down) return up < down ? upper : upper - 1;
  const auto zero = static_cast<int32_t>(std::ranges::lower_bound(levels, 0.0) - levels.begin());
  return (upper - zero) % 2 == 0 ? upper : upper - 1;
}

int32_t StochasticLevel(std::span<const double> levels, double x, double uniform) {
  const auto above = std::ranges::upper_bound(levels, x);
  if (above == levels.begin()) return 0;
  const auto upper = static_cast<int32_t>(above - levels.begin());
  if (above == levels.end()) return upper - 1;
  const double down = x - levels[upper - 1];
  return uniform < down / (levels[upper] - levels[upper - 1]) ? upper : upper - 1;
}

std::vector<double> WithSigns(std::vector<double> magnitudes) {
  std::ranges::sort(magnitudes);
  std::vector<double> levels;
  for (auto it = magnitudes.rbegin(); it != magnitudes.rend(); ++it) levels.push_back(-*it);
  levels.push_back(0);
  levels.insert(levels.end(), magnitudes.begin(), magnitudes.end());
  return levels;
}

float StableScale(double largest, double top) {
  if (largest == 0) return 1.0F;
  float scale = std::max(static_cast<float>(largest / top), std::numeric_limits<float>::min());
  // Each step is a rounding; it settles after one or two, and the limit only guards against a cycle.
  for (int i = 0; i < 8; ++i) {
    const auto product = static_cast<float>(scale * top);
    const float again = std::isinf(product) ? std::nextafter(scale, 0.0F) : static_cast<float>(product / top);
    if (again == scale) break;
    scale = again;
  }
  return scale;
}

}  // namespace bitplan::quantization
