#include "search/quantization/binary.h"

#include <cmath>

namespace bitplan::quantization {
namespace {

constexpr double kThresholdShare = 0.7;  // of mean |w|: near the optimum for uniform and normal weights

constexpr int kMaxSteps = 100;  // ten or so are taken

// Mean of the magnitudes above `threshold`, 0 if there is none.
double MeanAbove(std::span<const float> values, double threshold) {
  double sum = 0;
  int64_t count = 0;
  for (const float w : values) {
    const double magnitude = std::abs(w);
    if (magnitude <= threshold) continue;
    sum += magnitude;
    ++count;
  }
  return count == 0 ? 0 : sum / static_cast<double>(count);
}

}  // namespace

std::vector<float> BinaryLevels(const WeightGroup& group, int /*bits*/) {
  const auto alpha = static_cast<float>(MeanAbove(group.values, -1));
  return alpha == 0 ? std::vector<float>{0} : std::vector<float>{-alpha, alpha};
}

std::vector<float> TernaryLevels(const WeightGroup& group, int /*bits*/) {
  auto alpha = static_cast<float>(MeanAbove(group.values, kThresholdShare * MeanAbove(group.values, -1)));
  for (int i = 0; i < kMaxSteps; ++i) {
    const auto better = static_cast<float>(MeanAbove(group.values, alpha / 2.0));
    if (better == alpha) break;
    alpha = better;
  }
  return alpha == 0 ? std::vector<float>{0} : std::vector<float>{-alpha, 0, alpha};
}

}  // namespace bitplan::quantization
