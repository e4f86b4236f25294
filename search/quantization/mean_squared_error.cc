#include "search/quantization/mean_squared_error.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <vector>

#include "search/quantization/affine.h"

namespace bitplan::quantization {
namespace {

constexpr size_t kMaxChanges = 65'536;
constexpr size_t kFewestParts = 1024;
constexpr size_t kAffineParts = 512;
constexpr int kPowersTried = 24;  // below 2^-24 of min-max all but the smallest numbers are clipped

// A number moves to the next level outwards when the scale falls below `scale`.
struct LevelChange {
  double scale = 0;
  double cross = 0;   // what it adds to sum of u x
  double square = 0;  // what it adds to sum of u^2
};

// Levels outwards from zero on the side of x, as magnitudes.
std::vector<double> Outwards(const std::vector<double>& levels, bool positive) {
  std::vector<double> magnitudes;
  for (const double level : levels) {
    if (level == 0 || (level > 0) == positive) magnitudes.push_back(std::abs(level));
  }
  std::ranges::sort(magnitudes);
  return magnitudes;
}

std::vector<LevelChange> ChangesOf(const Distribution& numbers, const std::vector<double>& levels) {
  const std::array<std::vector<double>, 2> sides = {Outwards(levels, false), Outwards(levels, true)};
  std::vector<LevelChange> changes;
  for (size_t i = 0; i < numbers.values.size(); ++i) {
    const double x = std::abs(numbers.values[i]);
    if (x == 0) continue;
    const std::vector<double>& u = sides[numbers.values[i] > 0 ? 1 : 0];
    for (size_t j = 1; j < u.size(); ++j) {
      changes.push_back({.scale = 2 * x / (u[j - 1] + u[j]),
                         .cross = numbers.counts[i] * x * (u[j] - u[j - 1]),
                         .square = numbers.counts[i] * (u[j] * u[j] - u[j - 1] * u[j - 1])});
    }
  }
  std::ranges::sort(changes, std::greater<>(), &LevelChange::scale);
  return changes;
}

// The scale of least error, 0 if every number is zero. The sum of x^2 is left out of the errors.
double BestScale(const std::vector<LevelChange>& changes) {
  double cross = 0;
  double square = 0;
  double least = 0;  // all at level zero
  double best = changes.empty() ? 0 : changes.front().scale;
  for (size_t i = 0; i < changes.size(); ++i) {
    cross += changes[i].cross;
    square += changes[i].square;
    const double low = i + 1 < changes.size() ? changes[i + 1].scale : 0;
    const double scale = std::clamp(cross / square, low, changes[i].scale);
    const double error = scale * (scale * square - 2 * cross);
    if (error < least) {
      least = error;
      best = scale;
    }
  }
  return best;
}

double NearestLevel(const std::vector<double>& levels, double x) {
  const auto above = std::ranges::lower_bound(levels, x);
  if (above == levels.begin()) return levels.front();
  if (above == levels.end()) return levels.back();
  return *above - x < x - *(above - 1) ? *above : *(above - 1);
}

double ErrorAtScale(const Distribution& numbers, const std::vector<double>& levels, double scale) {
  double error = 0;
  for (size_t i = 0; i < numbers.values.size(); ++i) {
    const double delta = scale * NearestLevel(levels, numbers.values[i] / scale) - numbers.values[i];
    error += numbers.counts[i] * delta * delta;
  }
  return error;
}

double BestPowerOfTwo(const Distribution& numbers, const std::vector<double>& levels) {
  const double largest = std::max(std::abs(numbers.range.min), std::abs(numbers.range.max));
  if (largest == 0) return 0;
  double best = 0;
  double least = std::numeric_limits<double>::infinity();
  const int top = std::ilogb(largest / levels.back()) + 1;
  for (int exponent = top; exponent > top - kPowersTried; --exponent) {
    const double scale = std::ldexp(1.0, exponent);
    const double error = ErrorAtScale(numbers, levels, scale);
    if (error < least) {
      least = error;
      best = scale;
    }
  }
  return best;
}

double AffineError(const Distribution& numbers, Range range, int bits) {
  const QuantizationGrid grid = AffineGrid(range, bits);
  double error = 0;
  for (size_t i = 0; i < numbers.values.size(); ++i) {
    const double delta = Decode(grid, Encode(grid, static_cast<float>(numbers.values[i]))) - numbers.values[i];
    error += numbers.counts[i] * delta * delta;
  }
  return error;
}

// Both ends as shares of min-max, in 1024ths.
struct Shares {
  int low = 1024;
  int high = 1024;
};

Range Shrunk(Range range, Shares shares) {
  return {.min = std::min(range.min, 0.0F) * (static_cast<float>(shares.low) / 1024),
          .max = std::max(range.max, 0.0F) * (static_cast<float>(shares.high) / 1024)};
}

// Tries the points of a square around `centre`, `reach` steps to either side, and keeps the best.
void SearchAround(const Distribution& numbers, int bits, Shares centre, int step, int reach, Shares& best,
                  double& least) {
  const auto tries = [&](int middle, bool is_end) {
    std::vector<int> shares;
    for (int i = -reach; i <= reach; ++i) {
      if (is_end && middle + i * step >= 1 && middle + i * step <= 1024) shares.push_back(middle + i * step);
    }
    return shares.empty() ? std::vector<int>{1024} : shares;
  };
  for (const int low : tries(centre.low, numbers.range.min < 0)) {
    for (const int high : tries(centre.high, numbers.range.max > 0)) {
      const double error = AffineError(numbers, Shrunk(numbers.range, {low, high}), bits);
      if (error < least) {
        least = error;
        best = {low, high};
      }
    }
  }
}

Range BestAffine(const Distribution& all, int bits) {
  const Distribution numbers = Coarsened(all, kAffineParts);
  Shares best;
  double least = AffineError(numbers, numbers.range, bits);
  SearchAround(numbers, bits, {}, 64, 15, best, least);
  SearchAround(numbers, bits, best, 32, 2, best, least);
  for (int step = 16; step >= 1; step /= 2) SearchAround(numbers, bits, best, step, 1, best, least);
  return Shrunk(numbers.range, best);
}

}  // namespace

Range MeanSquaredErrorRange(const Distribution& numbers, const RangeTarget& target) {
  if (numbers.values.empty()) return numbers.range;
  if (!target.symmetric) return BestAffine(numbers, target.bits);
  const Distribution parts = Coarsened(numbers, std::max(kFewestParts, 2 * kMaxChanges / target.levels.size()));
  const double scale =
      target.power_of_two_scale ? BestPowerOfTwo(parts, target.levels) : BestScale(ChangesOf(parts, target.levels));
  // Scales beyond min-max may win; the range stays a float.
  constexpr double kLargest = std::numeric_limits<float>::max();
  return {.min = static_cast<float>(std::max(scale * target.levels.front(), -kLargest)),
          .max = static_cast<float>(std::min(scale * target.levels.back(), kLargest))};
}

}  // namespace bitplan::quantization
