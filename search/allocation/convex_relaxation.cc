#include "search/allocation/convex_relaxation.h"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace bitplan::allocation {
namespace {

using Vector = Eigen::Map<Eigen::VectorXd>;
using ConstVector = Eigen::Map<const Eigen::VectorXd>;
using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using ConstMatrix = Eigen::Map<const RowMajor>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Passes of a model between two bounds, and bounds at most.
constexpr int kPasses = 6;
constexpr int kRoundsOfQuadratic = 40;
constexpr int kRoundsOfGeneral = 12;
constexpr int kPassesOfModel = 30;
// A bound is good enough when so much of what is left to the cut-off is uncertain.
constexpr double kUncertain = 0.05;
constexpr int kDualSteps = 14;

ConstVector View(std::span<const double> values) { return {values.data(), static_cast<Eigen::Index>(values.size())}; }

}  // namespace

ConvexRelaxation::ConvexRelaxation(const ConvexInstance& instance, std::span<const double> metric,
                                   std::span<const double> split)
    : instance_(&instance),
      is_quadratic_(instance.objective().is_quadratic()),
      metric_(metric.begin(), metric.end()),
      split_(split.begin(), split.end()),
      curvature_(metric_) {
  const int n = instance.size();
  for (size_t i = 0; i < split_.size(); ++i) curvature_[i] -= split_[i];
  gradient_.resize(n);
  reduced_.resize(n);
  const Point start = Start(std::vector<uint8_t>(n, 1));
  constant_ = instance.ValueAndGradient(start.y, gradient_);
  if (is_quadratic_) {
    const Eigen::VectorXd bent = ConstMatrix(metric_.data(), n, n) * View(start.y);
    linear_ = gradient_;
    Vector(linear_.data(), n) -= bent;
    constant_ -= View(linear_).dot(View(start.y)) + View(start.y).dot(bent) / 2;
  }
  double steepness = 0;  // of F, about, for one group
  for (int g = 0; g < instance.num_groups(); ++g) {
    const auto [least, most] =
        std::minmax_element(gradient_.begin() + instance.first(g), gradient_.begin() + instance.first(g + 1));
    steepness += (*most - *least) / instance.num_groups();
  }
  for (int j = 0; j < n; ++j) steepness += std::abs(curvature_[static_cast<size_t>(j) * n + j]) / n;
  for (int r = 0; r < instance.num_rows(); ++r) {
    std::vector<int64_t> cost(n);
    int64_t least_sum = 0;
    for (int g = 0; g < instance.num_groups(); ++g) {
      int64_t least = std::numeric_limits<int64_t>::max();
      for (int j = instance.first(g); j < instance.first(g + 1); ++j) least = std::min(least, instance.cost(j, r));
      for (int j = instance.first(g); j < instance.first(g + 1); ++j) cost[j] = instance.cost(j, r) - least;
      least_sum += least;
    }
    scale_.push_back(std::max(1.0, static_cast<double>(instance.limit(r) - least_sum)));
    double square = 0;
    for (const int64_t c : cost) {
      cost_.push_back(static_cast<double>(c) / scale_.back());
      square += cost_.back() * cost_.back() / n;
    }
    penalty_.push_back(square > 0 ? std::max(steepness, 1e-300) / square : 1);
  }
}

ConvexRelaxation::Point ConvexRelaxation::Start(std::span<const uint8_t> open) const {
  Point point{.y = std::vector<double>(instance_->size(), 0.0),
              .price = std::vector<double>(instance_->num_rows(), 0.0)};
  for (int g = 0; g < instance_->num_groups(); ++g) {
    const int count = std::accumulate(open.begin() + instance_->first(g), open.begin() + instance_->first(g + 1), 0);
    for (int j = instance_->first(g); j < instance_->first(g + 1); ++j) point.y[j] = open[j] != 0 ? 1.0 / count : 0;
  }
  return point;
}

double ConvexRelaxation::Slack(int group, std::span<const double> y) const {
  if (split_.empty()) return 0;
  const int first = instance_->first(group);
  const int size = instance_->first(group + 1) - first;
  double slack = 0;
  for (int i = first; i < first + size; ++i) {
    const double* row = split_.data() + static_cast<size_t>(i) * instance_->size();
    slack += y[i] * row[i];
    for (int j = first; j < first + size; ++j) slack -= y[i] * row[j] * y[j];
  }
  return slack / 2;
}

// F - f, its gradient added.
double ConvexRelaxation::Correction(std::span<const double> y, std::span<double> gradient) const {
  if (split_.empty()) return 0;
  double sum = 0;
  for (int i = 0; i < instance_->size(); ++i) {
    const int g = instance_->group_of(i);
    const double* row = split_.data() + static_cast<size_t>(i) * instance_->size();
    double product = 0;
    for (int j = instance_->first(g); j < instance_->first(g + 1); ++j) product += row[j] * y[j];
    sum += y[i] * (row[i] - product) / 2;
    if (!gradient.empty()) gradient[i] += row[i] / 2 - product;
  }
  return sum;
}

double ConvexRelaxation::Quadratic(std::span<const double> y) const {
  const int n = instance_->size();
  return constant_ + View(linear_).dot(View(y)) + View(y).dot(ConstMatrix(metric_.data(), n, n) * View(y)) / 2;
}

double ConvexRelaxation::TrueValue(std::span<const double> y) const {
  return (is_quadratic_ ? Quadratic(y) : instance_->Value(y)) + Correction(y, {});
}

double ConvexRelaxation::TrueValueAndGradient(std::span<const double> y) {
  const int n = instance_->size();
  double value = 0;
  if (is_quadratic_) {
    Vector gradient(gradient_.data(), n);
    gradient = ConstMatrix(metric_.data(), n, n) * View(y);
    value = constant_ + View(linear_).dot(View(y)) + gradient.dot(View(y)) / 2;
    gradient += View(linear_);
  } else {
    value = instance_->ValueAndGradient(y, gradient_);
  }
  return value + Correction(y, gradient_);
}

double ConvexRelaxation::Solve(std::span<const uint8_t> open, double cutoff, const RunContext& context, Point& point) {
  return is_quadratic_ ? SolveQuadratic(open, cutoff, context, point) : SolveGeneral(open, cutoff, context, point);
}

double ConvexRelaxation::SolveQuadratic(std::span<const uint8_t> open, double cutoff, const RunContext& context,
                                        Point& point) {
  double best = -kInfinity;
  double before = -kInfinity;
  std::vector<double> kept;
  for (int round = 0; round < kRoundsOfQuadratic; ++round) {
    TrueValueAndGradient(point.y);
    Descend(open, context, kPasses, point);
    const double value = TrueValueAndGradient(point.y);
    Point priced = point;
    const double bound = Bound(open, value, cutoff, priced);
    if (bound > best) {
      best = bound;
      kept = reduced_;
    }
    if (bound >= cutoff || !context.CheckStop().ok()) break;
    const double uncertain = value - best;
    const double left = std::isfinite(cutoff) ? cutoff - best : std::abs(value) + std::abs(best);
    if (uncertain <= kUncertain * left) break;
    // Progress has ended: what is missing will not come.
    if (round % 8 == 7) {
      if (best - before <= 0.01 * left) break;
      before = best;
    }
  }
  if (!kept.empty()) reduced_ = kept;
  return best;
}

double ConvexRelaxation::SolveGeneral(std::span<const uint8_t> open, double cutoff, const RunContext& context,
                                      Point& point) {
  double best = -kInfinity;
  std::vector<double> kept;
  for (int round = 0; round < kRoundsOfGeneral; ++round) {
    const double value = TrueValueAndGradient(point.y);
    Point priced = point;
    const double bound = Bound(open, value, cutoff, priced);
    if (bound > best) {
      best = bound;
      kept = reduced_;
    }
    if (bound >= cutoff || !context.CheckStop().ok()) break;
    const double left = std::isfinite(cutoff) ? cutoff - best : std::abs(value) + std::abs(best);
    if (round > 0 && value - best <= kUncertain * left) break;
    const std::vector<double> from = point.y;
    Descend(open, context, kPassesOfModel, point);
    // Along the way to the model's minimum, with what breaking the budgets costs. The prices moved with the model.
    const auto merit = [&](std::span<const double> y) {
      double sum = TrueValue(y);
      for (int r = 0; r < instance_->num_rows(); ++r) {
        const double over =
            View(std::span(cost_).subspan(static_cast<size_t>(r) * y.size(), y.size())).dot(View(y)) - 1;
        const double pressed = std::max(0.0, point.price[r] + penalty_[r] * over);
        sum += pressed * pressed / (2 * penalty_[r]);
      }
      return sum;
    };
    const double here = merit(from);
    double step = 1;
    std::vector<double> target = point.y;
    for (int halving = 0; halving < 6 && merit(point.y) > here; ++halving) {
      step /= 2;
      for (size_t j = 0; j < from.size(); ++j) point.y[j] = from[j] + step * (target[j] - from[j]);
    }
  }
  if (!kept.empty()) reduced_ = kept;
  return best;
}

void ConvexRelaxation::Descend(std::span<const uint8_t> open, const RunContext& context, int passes, Point& point) {
  const int n = instance_->size();
  used_.assign(instance_->num_rows(), 0.0);
  pressed_.assign(instance_->num_rows(), 0.0);
  price_ = point.price;
  for (int r = 0; r < instance_->num_rows(); ++r) {
    used_[r] = View(std::span(cost_).subspan(static_cast<size_t>(r) * n, n)).dot(View(point.y));
    pressed_[r] = std::max(0.0, price_[r] + penalty_[r] * (used_[r] - 1));
  }
  for (int pass = 0; pass < passes && context.CheckStop().ok(); ++pass) {
    for (int g = 0; g < instance_->num_groups(); ++g) StepInGroup(g, open, point.y);
    if (pass % 2 == 1) UpdatePrices(point);
  }
}

// The best step between the option of the group that should give most and the one that should gain most.
void ConvexRelaxation::StepInGroup(int group, std::span<const uint8_t> open, std::vector<double>& y) {
  const int n = instance_->size();
  const int rows = instance_->num_rows();
  int gains = -1;
  int gives = -1;
  double least = kInfinity;
  double most = -kInfinity;
  for (int j = instance_->first(group); j < instance_->first(group + 1); ++j) {
    if (open[j] == 0) continue;
    double slope = gradient_[j];
    for (int r = 0; r < rows; ++r) slope += pressed_[r] * cost_[static_cast<size_t>(r) * n + j];
    if (slope < least) {
      least = slope;
      gains = j;
    }
    if (y[j] > 0 && slope > most) {
      most = slope;
      gives = j;
    }
  }
  if (gains < 0 || gives < 0 || gains == gives || !(most > least)) return;
  const double* row_a = curvature_.data() + static_cast<size_t>(gains) * n;
  const double* row_b = curvature_.data() + static_cast<size_t>(gives) * n;
  double bend = row_a[gains] + row_b[gives] - 2 * row_a[gives];
  for (int r = 0; r < rows; ++r) {
    const double change = cost_[static_cast<size_t>(r) * n + gains] - cost_[static_cast<size_t>(r) * n + gives];
    if (pressed_[r] > 0 || change > 0) bend += penalty_[r] * change * change;
  }
  const double step = bend * y[gives] > most - least ? (most - least) / bend : y[gives];
  if (!(step > 0)) return;
  y[gains] += step;
  y[gives] = step < y[gives] ? y[gives] - step : 0;
  Vector(gradient_.data(), n) += step * (ConstVector(row_a, n) - ConstVector(row_b, n));
  for (int r = 0; r < rows; ++r) {
    used_[r] += step * (cost_[static_cast<size_t>(r) * n + gains] - cost_[static_cast<size_t>(r) * n + gives]);
    pressed_[r] = std::max(0.0, price_[r] + penalty_[r] * (used_[r] - 1));
  }
}

void ConvexRelaxation::UpdatePrices(Point& point) {
  price_ = pressed_;
  point.price = price_;
  for (int r = 0; r < instance_->num_rows(); ++r) pressed_[r] = std::max(0.0, price_[r] + penalty_[r] * (used_[r] - 1));
}

// sum_g min_k (dF + A'u) - u b at these prices, and its slope by the price of a row.
double ConvexRelaxation::Dual(std::span<const uint8_t> open, std::span<const double> price, int row,
                              double* slope) const {
  const int n = instance_->size();
  double sum = 0;
  for (const double p : price) sum -= p;
  double used = 0;
  for (int g = 0; g < instance_->num_groups(); ++g) {
    double least = kInfinity;
    int at = -1;
    for (int j = instance_->first(g); j < instance_->first(g + 1); ++j) {
      if (open[j] == 0) continue;
      double cost = gradient_[j];
      for (size_t r = 0; r < price.size(); ++r) cost += price[r] * cost_[r * n + j];
      if (cost < least) {
        least = cost;
        at = j;
      }
    }
    sum += least;
    if (slope != nullptr) used += cost_[static_cast<size_t>(row) * n + at];
  }
  if (slope != nullptr) *slope = used - 1;
  return sum;
}

// Kelley's method in one price: the dual is concave and piecewise linear in it.
void ConvexRelaxation::MaximiseDual(std::span<const uint8_t> open, double cutoff, int row,
                                    std::vector<double>& price) const {
  struct Side {
    double at = 0;
    double value = 0;
    double slope = 0;
  };
  const auto look = [&](double at) {
    price[row] = at;
    Side side{.at = at};
    side.value = Dual(open, price, row, &side.slope);
    return side;
  };
  Side low = look(price[row]);
  Side best = low;
  const auto keep = [&](const Side& side) {
    if (side.value > best.value) best = side;
  };
  Side high = low;
  double width = std::max(std::abs(low.at), penalty_[row] * 1e-2) * 0.1;
  for (int i = 0; i < 60 && high.slope > 0 && high.value < cutoff; ++i, width *= 3) {
    low = high;
    high = look(high.at + width);
    keep(high);
  }
  for (int i = 0; i < 60 && low.slope < 0 && low.at > 0; ++i, width *= 3) {
    high = low;
    low = look(std::max(0.0, low.at - width));
    keep(low);
  }
  for (int i = 0; i < kDualSteps && low.slope > 0 && high.slope < 0 && best.value < cutoff; ++i) {
    const double cross =
        (high.value - low.value + low.slope * low.at - high.slope * high.at) / (low.slope - high.slope);
    if (!(cross > low.at && cross < high.at)) break;
    const Side middle = look(cross);
    keep(middle);
    (middle.slope > 0 ? low : high) = middle;
    if (middle.slope == 0) break;
  }
  price[row] = best.at;
}

// gradient_ is that of F at point.y; sets the point's prices to the best found, and the reduced costs.
double ConvexRelaxation::Bound(std::span<const uint8_t> open, double value, double cutoff, Point& point) {
  const int n = instance_->size();
  const double offset = value - View(gradient_).dot(View(point.y));
  const int turns = instance_->num_rows() > 1 ? 2 : 1;
  for (int turn = 0; turn < turns; ++turn) {
    for (int r = 0; r < instance_->num_rows(); ++r) MaximiseDual(open, cutoff - offset, r, point.price);
  }
  double size = std::abs(value);
  for (int g = 0; g < instance_->num_groups(); ++g) {
    double least = kInfinity;
    double largest = 0;
    for (int j = instance_->first(g); j < instance_->first(g + 1); ++j) {
      if (open[j] == 0) continue;
      double cost = gradient_[j];
      largest = std::max(largest, std::abs(gradient_[j]));
      for (size_t r = 0; r < point.price.size(); ++r) cost += point.price[r] * cost_[r * n + j];
      reduced_[j] = cost;
      least = std::min(least, cost);
    }
    for (int j = instance_->first(g); j < instance_->first(g + 1); ++j)
      reduced_[j] = open[j] != 0 ? reduced_[j] - least : kInfinity;
    size += 2 * largest + std::abs(least);
  }
  for (const double p : point.price) size += 2 * p;
  const double rounding = (n + 8) * std::numeric_limits<double>::epsilon() * size;
  return offset + Dual(open, point.price, 0, nullptr) - rounding;
}

}  // namespace bitplan::allocation
