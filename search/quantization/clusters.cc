#include "search/quantization/clusters.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <numeric>
#include <utility>

namespace bitplan::quantization {
namespace {

constexpr int kMaxSteps = 1000;

// One row of the dynamic program: best[i] = least cost of the first i + 1 values in so many clusters.
struct Row {
  std::vector<double> best;
  std::vector<int32_t> split;  // first value of the last cluster
};

// Fills next.best[first..last] knowing that the split points lie in low..high and grow with the index.
void FillRow(const WeightedLine& line, const Row& previous, int first, int last, int low, int high, Row& next) {
  if (first > last) return;
  const int middle = (first + last) / 2;
  next.best[middle] = std::numeric_limits<double>::infinity();
  for (int split = std::max(low, 1); split <= std::min(high, middle); ++split) {
    const double cost = previous.best[split - 1] + line.Cost(split, middle + 1);
    if (cost < next.best[middle]) {
      next.best[middle] = cost;
      next.split[middle] = split;
    }
  }
  FillRow(line, previous, first, middle - 1, low, next.split[middle], next);
  FillRow(line, previous, middle + 1, last, next.split[middle], high, next);
}

// First value of each level's cell: values nearest to levels[j] are bounds[j] .. bounds[j + 1] - 1.
std::vector<size_t> CellsOf(const std::vector<double>& values, const std::vector<double>& levels) {
  std::vector<size_t> bounds = {0};
  for (size_t j = 1; j < levels.size(); ++j) {
    const double border = levels[j - 1] + (levels[j] - levels[j - 1]) / 2;
    bounds.push_back(std::ranges::lower_bound(values, border) - values.begin());
  }
  bounds.push_back(values.size());
  return bounds;
}

}  // namespace

WeightedLine::WeightedLine(std::span<const float> numbers, std::span<const float> weights) {
  const bool has_weights = std::ranges::any_of(weights, [](float weight) { return weight > 0; });
  std::vector<size_t> order(numbers.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::sort(order, [&](size_t a, size_t b) { return std::pair(numbers[a], a) < std::pair(numbers[b], b); });
  for (const size_t i : order) Append(numbers[i], has_weights ? weights[i] : 1.0);
  Sum();
}

void WeightedLine::Append(double value, double weight) {
  if (weight == 0) return;
  if (values_.empty() || values_.back() != value) {
    values_.push_back(value);
    weights_.push_back(0);
  }
  weights_.back() += weight;
}

void WeightedLine::Sum() {
  const double total = std::accumulate(weights_.begin(), weights_.end(), 0.0);
  origin_ = std::inner_product(values_.begin(), values_.end(), weights_.begin(), 0.0) / total;
  mass_ = moment_ = square_ = {0};
  for (size_t i = 0; i < values_.size(); ++i) {
    const double x = values_[i] - origin_;
    mass_.push_back(mass_.back() + weights_[i]);
    moment_.push_back(moment_.back() + weights_[i] * x);
    square_.push_back(square_.back() + weights_[i] * x * x);
  }
}

double WeightedLine::Mean(size_t first, size_t last) const {
  if (last == first + 1) return values_[first];
  const double mean = origin_ + (moment_[last] - moment_[first]) / (mass_[last] - mass_[first]);
  return std::clamp(mean, values_[first], values_[last - 1]);
}

double WeightedLine::Cost(size_t first, size_t last) const {
  if (last <= first + 1) return 0;
  const double moment = moment_[last] - moment_[first];
  return std::max(0.0, square_[last] - square_[first] - moment * moment / (mass_[last] - mass_[first]));
}

WeightedLine WeightedLine::Coarsened(size_t max_values) const {
  if (values_.size() <= max_values) return *this;
  WeightedLine coarse;
  const double parts = static_cast<double>(max_values) / (values_.back() - values_.front());
  for (size_t first = 0; first < values_.size();) {
    const auto part_of = [&](size_t i) {
      return std::min(static_cast<size_t>((values_[i] - values_.front()) * parts), max_values - 1);
    };
    size_t last = first + 1;
    while (last < values_.size() && part_of(last) == part_of(first)) ++last;
    coarse.Append(Mean(first, last), mass_[last] - mass_[first]);
    first = last;
  }
  coarse.Sum();
  return coarse;
}

std::vector<double> OptimalMeans(const WeightedLine& line, int num_clusters) {
  const auto count = static_cast<int>(line.values().size());
  if (count <= num_clusters) return line.values();
  std::vector<Row> rows(num_clusters);
  for (Row& row : rows) row = {std::vector<double>(count, 0.0), std::vector<int32_t>(count, 0)};
  for (int i = 0; i < count; ++i) rows[0].best[i] = line.Cost(0, i + 1);
  for (int k = 1; k < num_clusters; ++k) {
    // Fewer values than clusters are not wanted: they cost nothing in fewer clusters already.
    FillRow(line, rows[k - 1], k, count - 1, k, count - 1, rows[k]);
    rows[k - 1].best.clear();
  }
  std::vector<double> means;
  int last = count;
  for (int k = num_clusters - 1; k >= 0; --k) {
    const int first = rows[k].split[last - 1];
    means.push_back(line.Mean(first, last));
    last = first;
  }
  std::ranges::reverse(means);
  return means;
}

std::vector<float> RefinedLevels(const WeightedLine& line, std::vector<double> levels) {
  std::vector<size_t> cells;
  for (int step = 0; step < kMaxSteps; ++step) {
    std::vector<size_t> bounds = CellsOf(line.values(), levels);
    if (bounds == cells) break;
    levels.clear();
    for (size_t j = 0; j + 1 < bounds.size(); ++j) {
      if (bounds[j] < bounds[j + 1]) levels.push_back(static_cast<float>(line.Mean(bounds[j], bounds[j + 1])));
    }
    levels.erase(std::unique(levels.begin(), levels.end()), levels.end());
    cells = std::move(bounds);
  }
  return {levels.begin(), levels.end()};
}

}  // namespace bitplan::quantization
