#include "search/quantization/distribution.h"

#include <algorithm>
#include <cstdint>
#include <numeric>

namespace bitplan {

double Distribution::count() const { return std::accumulate(counts.begin(), counts.end(), 0.0); }

double Distribution::mean() const {
  const double total = count();
  return total == 0 ? 0 : std::inner_product(values.begin(), values.end(), counts.begin(), 0.0) / total;
}

namespace quantization {

Distribution DistributionOf(std::span<const float> numbers) {
  Distribution distribution;
  if (numbers.empty()) return distribution;
  std::vector<float> sorted(numbers.begin(), numbers.end());
  std::ranges::sort(sorted);
  distribution.range = {.min = sorted.front(), .max = sorted.back()};
  for (const float x : sorted) {
    if (distribution.values.empty() || distribution.values.back() != x) {
      distribution.values.push_back(x);
      distribution.counts.push_back(0);
    }
    distribution.counts.back() += 1;
  }
  return distribution;
}

Distribution DistributionOf(const Histogram& histogram) {
  Distribution distribution{.range = {.min = histogram.min(), .max = histogram.max()}, .width = histogram.bin_width()};
  for (int i = 0; i < static_cast<int>(histogram.bins().size()); ++i) {
    if (histogram.bins()[i] == 0) continue;
    const double middle = histogram.lower_edge(i) + distribution.width / 2;
    distribution.values.push_back(std::clamp<double>(middle, histogram.min(), histogram.max()));
    distribution.counts.push_back(static_cast<double>(histogram.bins()[i]));
  }
  return distribution;
}

Distribution Coarsened(const Distribution& distribution, size_t max_values) {
  if (distribution.values.size() <= max_values) return distribution;
  Distribution coarse{.range = distribution.range, .width = distribution.width};
  const double lowest = distribution.values.front();
  const double parts = static_cast<double>(max_values) / (distribution.values.back() - lowest);
  int64_t last_part = -1;
  for (size_t i = 0; i < distribution.values.size(); ++i) {
    const auto part =
        std::min(static_cast<int64_t>((distribution.values[i] - lowest) * parts), static_cast<int64_t>(max_values) - 1);
    if (part != last_part) {
      coarse.values.push_back(0);
      coarse.counts.push_back(0);
      last_part = part;
    }
    coarse.values.back() += distribution.counts[i] * distribution.values[i];  // a sum until all are in
    coarse.counts.back() += distribution.counts[i];
  }
  for (size_t i = 0; i < coarse.values.size(); ++i) coarse.values[i] /= coarse.counts[i];
  return coarse;
}

}  // namespace quantization
}  // namespace bitplan
