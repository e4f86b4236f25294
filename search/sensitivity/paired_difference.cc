#include "search/sensitivity/paired_difference.h"

#include <cmath>
#include <cstddef>
#include <vector>

namespace bitplan::sensitivity {

SampleMean MeanOf(std::span<const double> values) {
  if (values.empty()) return {};
  const auto count = static_cast<double>(values.size());
  double sum = 0;
  for (const double value : values) sum += value;
  SampleMean result{.mean = sum / count};
  if (values.size() < 2) return result;
  double squared_deviations = 0;
  for (const double value : values) squared_deviations += (value - result.mean) * (value - result.mean);
  result.standard_error = std::sqrt(squared_deviations / (count - 1) / count);
  return result;
}

SampleMean PairedDifference(std::span<const double> before, std::span<const double> after) {
  std::vector<double> differences(before.size());
  for (size_t n = 0; n < before.size(); ++n) differences[n] = after[n] - before[n];
  return MeanOf(differences);
}

}  // namespace bitplan::sensitivity
