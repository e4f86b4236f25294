#include "search/curvature/confidence.h"

#include <array>
#include <cmath>

namespace bitplan::curvature {

void AppendNumbers(std::span<const Moments> moments, std::vector<double>& numbers) {
  for (const auto& [mean, squared_deviations] : moments) {
    numbers.push_back(mean);
    numbers.push_back(squared_deviations);
  }
}

void ReadNumbers(std::span<const double> numbers, std::span<Moments> moments) {
  for (size_t i = 0; i < moments.size(); ++i) moments[i] = {numbers[2 * i], numbers[2 * i + 1]};
}

void AddSample(Moments& moments, double sample, int64_t num_samples) {
  const double deviation = sample - moments.mean;
  moments.mean += deviation / static_cast<double>(num_samples);
  moments.squared_deviations += deviation * (sample - moments.mean);
}

double StandardErrorOfMean(const Moments& moments, int64_t num_samples) {
  const double m = static_cast<double>(num_samples);
  return std::sqrt(moments.squared_deviations / (m - 1) / m);
}

// The 97.5 % point of the normal distribution.
constexpr double kNormal = 1.959964;

double StudentPoint975(int64_t degrees_of_freedom) {
  constexpr std::array<double, 4> kFirst = {12.706205, 4.302653, 3.182446, 2.776445};
  if (degrees_of_freedom <= std::ssize(kFirst)) return kFirst[degrees_of_freedom - 1];
  const double x = kNormal;
  const double g1 = (std::pow(x, 3) + x) / 4;
  const double g2 = (5 * std::pow(x, 5) + 16 * std::pow(x, 3) + 3 * x) / 96;
  const double g3 = (3 * std::pow(x, 7) + 19 * std::pow(x, 5) + 17 * std::pow(x, 3) - 15 * x) / 384;
  const double g4 =
      (79 * std::pow(x, 9) + 776 * std::pow(x, 7) + 1482 * std::pow(x, 5) - 1920 * std::pow(x, 3) - 945 * x) / 92160;
  const double v = static_cast<double>(degrees_of_freedom);
  return x + g1 / v + g2 / std::pow(v, 2) + g3 / std::pow(v, 3) + g4 / std::pow(v, 4);
}

double HalfWidth95(double standard_error, int64_t num_samples) {
  return StudentPoint975(num_samples - 1) * standard_error;
}

bool HasReached(double standard_error, int64_t num_samples, double target) {
  return HalfWidth95(standard_error, num_samples) <= kNormal * target;
}

}  // namespace bitplan::curvature
