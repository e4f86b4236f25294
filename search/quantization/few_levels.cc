#include "search/quantization/few_levels.h"

#include <algorithm>
#include <cmath>

namespace bitplan::quantization {
namespace {

struct Counted {
  double value = 0;
  double count = 0;
};

std::vector<Counted> ValuesOf(const Histogram& histogram) {
  std::vector<Counted> values;
  for (int i = 0; i < std::ssize(histogram.bins()); ++i) {
    const auto count = static_cast<double>(histogram.bins()[i]);
    if (count == 0) continue;
    const double middle = histogram.lower_edge(i) + histogram.bin_width() / 2;
    const double least = histogram.min();
    const double most = histogram.max();
    values.push_back({.value = std::clamp(middle, least, most), .count = count});
  }
  return values;
}

std::vector<Counted> ValuesOf(std::span<const float> values) {
  std::vector<Counted> counted;
  for (const float value : values) {
    if (std::isfinite(value)) counted.push_back({.value = value, .count = 1});
  }
  return counted;
}

// The alpha whose multiples 0 .. num_steps are the best levels of the magnitudes of `values`; 0 if all are zero.
double BestStep(std::span<const Counted> values, int num_steps) {
  // Where alpha falls below `alpha`, the code of the magnitude becomes `code`.
  struct Change {
    double alpha = 0;
    double magnitude = 0;
    double count = 0;
    int code = 0;
  };
  std::vector<Change> changes;
  for (const auto& [value, count] : values) {
    if (value == 0) continue;
    const double magnitude = std::abs(value);
    for (int code = 1; code <= num_steps; ++code) {
      changes.push_back({.alpha = magnitude / (code - 0.5), .magnitude = magnitude, .count = count, .code = code});
    }
  }
  std::ranges::stable_sort(changes, std::ranges::greater(), &Change::alpha);
  double products = 0;  // sum |x| q
  double squares = 0;   // sum q^2
  double best = 0;      // products^2 / squares
  double step = 0;
  for (const Change& change : changes) {
    products += change.count * change.magnitude;
    squares += change.count * (2 * change.code - 1);
    const double gain = products / squares * products;
    if (gain <= best) continue;
    best = gain;
    step = products / squares;
  }
  return step;
}

bool HasBothSigns(std::span<const Counted> values) {
  const auto is_negative = [](const Counted& counted) { return counted.value < 0; };
  const auto is_positive = [](const Counted& counted) { return counted.value > 0; };
  return std::ranges::any_of(values, is_negative) && std::ranges::any_of(values, is_positive);
}

// Codes least .. most times the step.
std::vector<float> Multiples(double step, int least, int most) {
  if (step == 0) return {0};
  std::vector<float> levels;
  for (int code = least; code <= most; ++code) levels.push_back(static_cast<float>(step * code));
  return levels;
}

std::vector<float> OneSided(std::span<const Counted> values, int num_steps) {
  const bool is_negative = std::ranges::any_of(values, [](const Counted& counted) { return counted.value < 0; });
  const double step = BestStep(values, num_steps);
  return is_negative ? Multiples(step, -num_steps, 0) : Multiples(step, 0, num_steps);
}

std::vector<float> Binary(std::span<const Counted> values) {
  if (!HasBothSigns(values)) return OneSided(values, 1);
  double sum = 0;
  double count = 0;
  for (const Counted& counted : values) {
    sum += counted.count * std::abs(counted.value);
    count += counted.count;
  }
  const auto alpha = static_cast<float>(sum / count);
  return {-alpha, alpha};
}

}  // namespace

std::vector<float> BinaryActivationLevels(std::span<const float> values) { return Binary(ValuesOf(values)); }

std::vector<float> BinaryActivationLevels(const Histogram& histogram) { return Binary(ValuesOf(histogram)); }

std::vector<float> TernaryActivationLevels(const Histogram& histogram) {
  const std::vector<Counted> values = ValuesOf(histogram);
  return HasBothSigns(values) ? Multiples(BestStep(values, 1), -1, 1) : OneSided(values, 2);
}

void FakeQuantizeToLevels(std::span<const float> levels, std::span<float> values) {
  for (float& value : values) {
    if (std::isnan(value)) continue;
    size_t k = 0;
    while (k + 1 < levels.size()) {
      const double middle = (static_cast<double>(levels[k]) + levels[k + 1]) / 2;
      const bool is_upper = middle > 0 ? value > middle : value >= middle;  // halves towards zero
      if (!is_upper) break;
      ++k;
    }
    value = levels[k];
  }
}

}  // namespace bitplan::quantization
