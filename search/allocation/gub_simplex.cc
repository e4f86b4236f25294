#include "search/allocation/gub_simplex.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>

#include "search/allocation/run_limits.h"

namespace bitplan::allocation {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Amounts are shares of items (0..1) and slacks in units of about a capacity.
constexpr double kAmountTolerance = 1e-9;
// A rise of L below this is no rise: a slope of 5e-17 instead of 0 must not walk past the last crossing.
constexpr double kSlopeTolerance = 1e-11;
// Slopes along an edge, relative to its largest entry, below which a line counts as parallel.
constexpr double kParallel = 1e-13;
constexpr double kSingular = 1e-13;
// Of two bounds this near the later one is taken, so that the last prices need no second pass.
constexpr double kBoundNoise = 1e-14;
constexpr int kPivotsBefore = 100;
constexpr int kPivotsPerRow = 20;
constexpr int kPivotsPerPoll = 4;

// Rounding of a sum of `terms` non-negative doubles (each itself a sum over the rows), relative to the sum.
double RoundingOf(int terms, int num_rows) {
  return static_cast<double>(terms + num_rows + 8) * std::numeric_limits<double>::epsilon();
}

double LargestMagnitude(std::span<const double> values) {
  double largest = 0;
  for (const double value : values) largest = std::max(largest, std::abs(value));
  return largest;
}

// Gauss-Jordan with partial pivoting; false if singular. `matrix` is destroyed.
bool Invert(int n, std::vector<double>& matrix, std::vector<double>& inverse) {
  inverse.assign(static_cast<size_t>(n) * n, 0);
  for (int i = 0; i < n; ++i) inverse[i * n + i] = 1;
  for (int column = 0; column < n; ++column) {
    int best = column;
    for (int i = column + 1; i < n; ++i) {
      if (std::abs(matrix[i * n + column]) > std::abs(matrix[best * n + column])) best = i;
    }
    const double pivot = matrix[best * n + column];
    if (!(std::abs(pivot) > kSingular)) return false;
    for (int j = 0; j < n; ++j) {
      std::swap(matrix[column * n + j], matrix[best * n + j]);
      std::swap(inverse[column * n + j], inverse[best * n + j]);
      matrix[column * n + j] /= pivot;
      inverse[column * n + j] /= pivot;
    }
    for (int i = 0; i < n; ++i) {
      const double factor = matrix[i * n + column];
      if (i == column || factor == 0) continue;
      for (int j = 0; j < n; ++j) {
        matrix[i * n + j] -= factor * matrix[column * n + j];
        inverse[i * n + j] -= factor * inverse[column * n + j];
      }
    }
  }
  return true;
}

}  // namespace

GubSimplex::GubSimplex(const MultiKnapsack& knapsack)
    : knapsack_(knapsack), local_of_(knapsack.num_items(), -1), local_group_of_(knapsack.num_groups(), -1) {}

// Scaled cost of any item of the knapsack, open or not.
double GubSimplex::Cost(int row, int item) const {
  if (row < knapsack_.num_rows) return knapsack_.ScaledCostOf(item)[row];
  const int count = row - knapsack_.num_rows;
  return limits_->rows[count].Counts(limits_->shapes, knapsack_, item) ? open_->count_factor[count] : 0;
}

void GubSimplex::Attach(const OpenItems& open, const CountLimits& limits, Basis& basis) {
  open_ = &open;
  limits_ = &limits;
  num_rows_ = open.num_rows();
  for (int i = 0; i < open.num_items(); ++i) local_of_[open.item[i]] = i;
  for (int g = 0; g < open.num_groups(); ++g) local_group_of_[open.group[g]] = g;
  for (auto* of_item : {&priced_, &slope_of_}) of_item->resize(open.num_items());
  least_.resize(open.num_groups());
  for (auto* of_group : {&least_item_, &key_, &line_item_}) of_group->assign(open.num_groups(), -1);
  if (std::ssize(basis.columns) != num_rows_) {
    basis.columns.assign(num_rows_, {});
    for (int r = 0; r < num_rows_; ++r) basis.columns[r].row = r;
  }
  bound_ = -kInfinity;
  pivots_ = 0;
  price_.assign(num_rows_, 0);
  best_ = price_;
  amount_.assign(num_rows_, 0);
}

void GubSimplex::Detach() {
  for (const int item : open_->item) local_of_[item] = -1;
  for (const int group : open_->group) local_group_of_[group] = -1;
}

// out = (value or 0) + price * cost of every open item.
void GubSimplex::Passes(std::span<const double> price, std::vector<double>& out, bool with_value) const {
  const int count = open_->num_items();
  if (with_value) {
    std::copy(open_->value.begin(), open_->value.end(), out.begin());
  } else {
    std::fill(out.begin(), out.end(), 0.0);
  }
  for (int r = 0; r < num_rows_; ++r) {
    if (price[r] == 0) continue;
    const double factor = price[r];
    const double* cost = open_->row[r].data();
    double* sum = out.data();
    for (int i = 0; i < count; ++i) sum[i] += factor * cost[i];
  }
}

void GubSimplex::PriceItems() {
  Passes(price_, priced_, true);
  for (int g = 0; g < open_->num_groups(); ++g) {
    int best = open_->first[g];
    for (int i = best + 1; i < open_->first[g + 1]; ++i) {
      if (priced_[i] < priced_[best]) best = i;
    }
    least_item_[g] = best;
    least_[g] = priced_[best];
  }
}

// Everything added is >= 0, so rounding is relative to the sums.
double GubSimplex::SafeBound() const {
  double sum = open_->fixed_value;
  for (const double least : least_) sum += least;
  const double paid = std::inner_product(price_.begin(), price_.end(), open_->capacity.begin(), 0.0);
  return sum - paid - RoundingOf(knapsack_.num_groups(), num_rows_) * (sum + paid);
}

void GubSimplex::ChooseKeys() {
  for (int g = 0; g < open_->num_groups(); ++g) key_[g] = open_->item[least_item_[g]];
}

// Columns that are slacks are unit vectors, so only the others count: their rows are those whose slack is not basic.
bool GubSimplex::Factor(const Basis& basis) {
  split_.clear();
  tight_.clear();
  std::vector<bool>& has_slack = row_has_slack_;
  has_slack.assign(num_rows_, false);
  for (int p = 0; p < num_rows_; ++p) {
    if (basis.columns[p].row >= 0) {
      has_slack[basis.columns[p].row] = true;
    } else {
      split_.push_back(p);
    }
  }
  for (int r = 0; r < num_rows_; ++r) {
    if (!has_slack[r]) tight_.push_back(r);
  }
  const int size = static_cast<int>(split_.size());
  if (size != std::ssize(tight_)) return false;
  column_.resize(static_cast<size_t>(size) * num_rows_);
  matrix_.resize(static_cast<size_t>(size) * size);
  for (int j = 0; j < size; ++j) {
    const BasicColumn& column = basis.columns[split_[j]];
    for (int r = 0; r < num_rows_; ++r) column_[j * num_rows_ + r] = Cost(r, column.item) - Cost(r, column.key);
    for (int i = 0; i < size; ++i) matrix_[i * size + j] = column_[j * num_rows_ + tight_[i]];
  }
  return Invert(size, matrix_, inverse_);
}

// What the basic columns amount to: B^-1 (capacity - costs of the keys).
void GubSimplex::Amounts(const Basis& basis) {
  for (const BasicColumn& column : basis.columns) {
    if (column.row < 0) key_[local_group_of_[knapsack_.group_of[column.key]]] = column.key;
  }
  rest_ = open_->capacity;
  line_item_.clear();
  for (const int key : key_) {
    if (IsOpen(key)) {
      line_item_.push_back(local_of_[key]);
      continue;
    }
    for (int r = 0; r < num_rows_; ++r) rest_[r] -= Cost(r, key);
  }
  for (int r = 0; r < num_rows_; ++r) {
    const double* cost = open_->row[r].data();
    double sum = 0;
    for (const int item : line_item_) sum += cost[item];
    rest_[r] -= sum;
  }
  const size_t size = split_.size();
  for (size_t j = 0; j < size; ++j) {
    double amount = 0;
    for (size_t i = 0; i < size; ++i) amount += inverse_[j * size + i] * rest_[tight_[i]];
    amount_[split_[j]] = amount;
  }
  for (int p = 0; p < num_rows_; ++p) {
    const int row = basis.columns[p].row;
    if (row < 0) continue;
    amount_[p] = rest_[row];
    for (size_t j = 0; j < size; ++j) amount_[p] -= column_[j * num_rows_ + row] * amount_[split_[j]];
  }
}

// The row of B^-1 that belongs to a position: along it only that position's reduced cost changes.
void GubSimplex::EdgeOf(const Leaving& leaving, const Basis& basis) {
  direction_.assign(num_rows_, 0);
  const size_t size = split_.size();
  const int row = basis.columns[leaving.position].row;
  for (size_t j = 0; j < size; ++j) {
    const double factor = row >= 0 ? -column_[j * num_rows_ + row] : (split_[j] == leaving.position ? 1.0 : 0.0);
    if (factor == 0) continue;
    for (size_t i = 0; i < size; ++i) direction_[tight_[i]] += leaving.sign * factor * inverse_[j * size + i];
  }
  if (row >= 0) direction_[row] = leaving.sign;
}

bool GubSimplex::LeavesFirst(const BasicColumn& column) const { return column.row < 0 && !IsOpen(column.item); }

// Makes the item of the column at `position` the key of its group.
void GubSimplex::SwapKey(Basis& basis, int group, int position) const {
  const int old_key = basis.columns[position].key;
  const int new_key = basis.columns[position].item;
  for (BasicColumn& column : basis.columns) {
    if (column.row < 0 && knapsack_.group_of[column.key] == group) column.key = new_key;
  }
  basis.columns[position].item = old_key;
}

// Position -1: primal feasible, so optimal. May swap a key into a column: then position is -2 and all is to be worked
// out again.
GubSimplex::Leaving GubSimplex::ChooseLeaving(Basis& basis) {
  Leaving leaving;
  for (int p = 0; p < num_rows_; ++p) {
    const BasicColumn& column = basis.columns[p];
    if (LeavesFirst(column)) return {p, amount_[p] < 0 ? 1.0 : -1.0, std::abs(amount_[p])};
    if (column.row < 0 && !IsOpen(column.key)) {
      SwapKey(basis, knapsack_.group_of[column.key], p);
      return {.position = -2};
    }
  }
  int swap = -1;
  double worst = -kAmountTolerance;
  for (int p = 0; p < num_rows_; ++p) {
    if (amount_[p] < worst) {
      worst = amount_[p];
      leaving = {p, 1, -amount_[p]};
      swap = -1;
    }
    if (basis.columns[p].row >= 0) continue;
    double key_share = 1;
    for (int q = 0; q < num_rows_; ++q) {
      if (basis.columns[q].row < 0 && basis.columns[q].key == basis.columns[p].key) key_share -= amount_[q];
    }
    if (key_share < worst) {
      worst = key_share;
      swap = p;
    }
  }
  if (swap < 0) return leaving;
  SwapKey(basis, knapsack_.group_of[basis.columns[swap].key], swap);
  return {.position = -2};
}

bool GubSimplex::IsBasic(const Basis& basis, int item) {
  return std::any_of(basis.columns.begin(), basis.columns.end(), [item](const BasicColumn& column) {
    return column.row < 0 && (column.item == item || column.key == item);
  });
}

// The first open item of `group` that falls below the line at or after `from`.
void GubSimplex::PushCrossing(const Basis& basis, int group, const Line& line, double from) {
  const double parallel = kParallel * LargestMagnitude(direction_);
  Crossing first{kInfinity, group, -1};
  double first_slope = 0;
  for (int i = open_->first[group]; i < open_->first[group + 1]; ++i) {
    const double fall = line.slope - slope_of_[i];
    if (fall <= parallel || (stops_[group] && IsBasic(basis, open_->item[i]))) continue;
    const double at = std::max(from, (priced_[i] - line.start) / fall);
    if (std::tie(at, slope_of_[i]) < std::tie(first.at, first_slope)) {
      first = {at, group, i};
      first_slope = slope_of_[i];
    }
  }
  if (first.item >= 0) crossings_.push_back(first);
}

void GubSimplex::FirstCrossings(const Basis& basis, const Leaving& leaving) {
  crossings_.clear();
  line_item_.resize(open_->num_groups());
  stops_.assign(open_->num_groups(), false);
  for (int p = 0; p < num_rows_; ++p) {
    const BasicColumn& column = basis.columns[p];
    if (column.row >= 0) continue;
    const int g = local_group_of_[knapsack_.group_of[column.key]];
    if (p != leaving.position || !IsOpen(column.key)) stops_[g] = true;
  }
  for (int g = 0; g < open_->num_groups(); ++g) {
    line_item_[g] = local_of_[key_[g]];
    Line line{knapsack_.value[key_[g]], 0};
    if (line_item_[g] >= 0) {
      line = {priced_[line_item_[g]], slope_of_[line_item_[g]]};
    } else {
      for (int r = 0; r < num_rows_; ++r) {
        line.start += price_[r] * Cost(r, key_[g]);
        line.slope += direction_[r] * Cost(r, key_[g]);
      }
    }
    PushCrossing(basis, g, line, 0);
  }
  const double parallel = kParallel * LargestMagnitude(direction_);
  for (int r = 0; r < num_rows_; ++r) {
    if (direction_[r] < -parallel && price_[r] > 0) crossings_.push_back({price_[r] / -direction_[r], -1, r});
  }
}

// Does L rise for ever along the direction, by more than rounding?
bool GubSimplex::IsRay() const {
  std::vector<double> ray = direction_;
  for (double& entry : ray) entry = std::max(entry, 0.0);
  std::vector<double> rise(open_->num_items());
  Passes(ray, rise, false);
  double sum = 0;
  for (int g = 0; g < open_->num_groups(); ++g) {
    sum += *std::min_element(rise.begin() + open_->first[g], rise.begin() + open_->first[g + 1]);
  }
  const double paid = std::inner_product(ray.begin(), ray.end(), open_->capacity.begin(), 0.0);
  return sum - paid > RoundingOf(knapsack_.num_groups(), num_rows_) * (sum + paid);
}

RelaxationStatus GubSimplex::Step(const Leaving& leaving, Basis& basis) {
  EdgeOf(leaving, basis);
  Passes(direction_, slope_of_, false);
  FirstCrossings(basis, leaving);
  const auto later = [](const Crossing& a, const Crossing& b) {
    return std::tie(a.at, a.group, a.item) > std::tie(b.at, b.group, b.item);
  };
  std::make_heap(crossings_.begin(), crossings_.end(), later);
  double slope = leaving.slope;
  while (!crossings_.empty()) {
    std::pop_heap(crossings_.begin(), crossings_.end(), later);
    const Crossing crossing = crossings_.back();
    crossings_.pop_back();
    BasicColumn& column = basis.columns[leaving.position];
    if (crossing.group < 0) {
      column = {.row = crossing.item};
      return RelaxationStatus::kSolved;
    }
    const int g = crossing.group;
    const int item = open_->item[crossing.item];
    if (stops_[g]) {
      column = {.key = key_[g], .item = item};
      return RelaxationStatus::kSolved;
    }
    const double fall = slope_of_[line_item_[g]] - slope_of_[crossing.item];
    if (slope - fall <= kSlopeTolerance) {
      column = {.key = open_->item[line_item_[g]], .item = item};
      return RelaxationStatus::kSolved;
    }
    slope -= fall;
    line_item_[g] = crossing.item;
    const size_t before = crossings_.size();
    PushCrossing(basis, g, {priced_[crossing.item], slope_of_[crossing.item]}, crossing.at);
    if (crossings_.size() > before) std::push_heap(crossings_.begin(), crossings_.end(), later);
  }
  return IsRay() ? RelaxationStatus::kInfeasible : RelaxationStatus::kStopped;
}

// Prices at which every basic column's reduced cost is 0; false if they are not numbers or far from dual feasible.
bool GubSimplex::PricesFromBasis(const Basis& basis) {
  if (!Factor(basis)) return false;
  price_.assign(num_rows_, 0);
  const size_t size = split_.size();
  for (size_t j = 0; j < size; ++j) {
    const BasicColumn& column = basis.columns[split_[j]];
    const double difference = knapsack_.value[column.item] - knapsack_.value[column.key];
    for (size_t i = 0; i < size; ++i) price_[tight_[i]] -= difference * inverse_[j * size + i];
  }
  for (double& price : price_) {
    if (!std::isfinite(price)) return false;
    price = std::max(price, 0.0);
  }
  return true;
}

RelaxationStatus GubSimplex::Solve(const OpenItems& open, const CountLimits& limits, double cutoff,
                                   const RunContext& context, Basis& basis) {
  Attach(open, limits, basis);
  const int limit = kPivotsBefore + kPivotsPerRow * num_rows_;
  RelaxationStatus status = RelaxationStatus::kSolved;
  if (!PricesFromBasis(basis)) {
    basis.columns.clear();
    Detach();
    Attach(open, limits, basis);
    PricesFromBasis(basis);
  }
  while (status == RelaxationStatus::kSolved) {
    PriceItems();
    if (const double bound = SafeBound(); bound > bound_ - kBoundNoise) {
      bound_ = bound;
      best_ = price_;
    }
    if (bound_ >= cutoff) {
      status = RelaxationStatus::kCutOff;
      break;
    }
    ChooseKeys();
    Amounts(basis);
    Leaving leaving = ChooseLeaving(basis);
    // Two keys can change places for ever where the numbers are bad, so this counts as a pivot.
    while (leaving.position == -2 && ++pivots_ <= limit && Factor(basis)) {
      Amounts(basis);
      leaving = ChooseLeaving(basis);
    }
    if (leaving.position == -1) break;
    if (leaving.position < 0 || ++pivots_ > limit || (pivots_ % kPivotsPerPoll == 0 && StopReason(context))) {
      status = RelaxationStatus::kStopped;
      break;
    }
    status = Step(leaving, basis);
    if (status == RelaxationStatus::kSolved && !PricesFromBasis(basis)) status = RelaxationStatus::kStopped;
  }
  if (best_ != price_) {  // bound and reduced costs must come from the same prices
    price_ = best_;
    PriceItems();
  }
  Detach();
  return status;
}

}  // namespace bitplan::allocation
