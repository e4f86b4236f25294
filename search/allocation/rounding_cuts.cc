#include "search/allocation/rounding_cuts.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "search/allocation/gub_simplex.h"

namespace bitplan::allocation {
namespace {

constexpr int kPasses = 12;
constexpr size_t kCutsPerPass = 4;
constexpr int kMostRowsAdded = 12;
// In units of D - e: a cut that is broken by less is not worth a row.
constexpr double kLeastViolation = 1e-3;
// Shares of the gap between bound and cutoff that a pass, and all of them, must close.
constexpr double kLeastGainOfPass = 0.02;
constexpr double kLeastGain = 0.1;
// Larger costs could overflow in sums over the groups.
constexpr double kLargestSum = 0x1p61;

int64_t FloorQuotient(int64_t a, int64_t b) { return a / b - ((a % b != 0 && (a < 0) != (b < 0)) ? 1 : 0); }

// F of the header.
struct Rounding {
  int64_t divisor;
  int64_t rest;  // e

  int64_t operator()(int64_t y) const {
    const int64_t quotient = FloorQuotient(y, divisor);
    return quotient * (divisor - rest) + std::max<int64_t>(0, y - quotient * divisor - rest);
  }
};

struct Cut {
  double violation = 0;
  int row = 0;
  Rounding rounding;
};

// One solution of the relaxation of a knapsack.
struct Relaxed {
  bool solved = false;
  Basis basis;
  double bound = 0;
  std::vector<double> prices;
  std::vector<double> share;
  std::vector<int> key;  // of each group
};

Relaxed Solve(const MultiKnapsack& knapsack, const RunContext& context) {
  ItemSet alive(knapsack.num_items());
  for (int i = 0; i < knapsack.num_items(); ++i) alive.Add(i);
  const GroupShapes no_shapes;
  const std::vector<CountRow> no_counts;
  const CountLimits limits{no_shapes, no_counts};
  OpenItems open;
  Relaxed relaxed;
  if (!OpenWhatFits(knapsack, limits, std::vector<bool>(knapsack.num_groups(), true), alive, open)) return relaxed;
  GubSimplex simplex(knapsack);
  const double no_cutoff = std::numeric_limits<double>::infinity();
  relaxed.solved = simplex.Solve(open, limits, no_cutoff, context, relaxed.basis) == RelaxationStatus::kSolved;
  relaxed.bound = simplex.bound();
  relaxed.prices = simplex.prices();
  relaxed.share = simplex.share();
  relaxed.key = simplex.key_item();
  return relaxed;
}

int64_t Cost(const MultiKnapsack& knapsack, int item, int row) { return knapsack.CostOf(item)[row]; }

// b' of the header.
int64_t Rest(const MultiKnapsack& knapsack, const Relaxed& relaxed, int row) {
  int64_t rest = knapsack.capacity[row];
  for (const int key : relaxed.key) rest -= Cost(knapsack, key, row);
  return rest;
}

std::vector<int64_t> Divisors(const MultiKnapsack& knapsack, const Relaxed& relaxed, int row) {
  std::vector<int64_t> divisors;
  for (const BasicColumn& column : relaxed.basis.columns) {
    if (column.row >= 0) continue;
    const int g = knapsack.group_of[column.key];
    for (int i = knapsack.first[g]; i < knapsack.first[g + 1]; ++i) {
      const int64_t difference = std::abs(Cost(knapsack, i, row) - Cost(knapsack, column.key, row));
      if (difference > 1) divisors.push_back(difference);
    }
  }
  std::sort(divisors.begin(), divisors.end());
  divisors.erase(std::unique(divisors.begin(), divisors.end()), divisors.end());
  return divisors;
}

double Violation(const MultiKnapsack& knapsack, const Relaxed& relaxed, int row, const Rounding& rounding,
                 int64_t rest) {
  double sum = -static_cast<double>(rounding(rest));
  for (size_t p = 0; p < relaxed.basis.columns.size(); ++p) {
    const BasicColumn& column = relaxed.basis.columns[p];
    if (column.row >= 0) continue;
    sum += relaxed.share[p] *
           static_cast<double>(rounding(Cost(knapsack, column.item, row) - Cost(knapsack, column.key, row)));
  }
  return sum / static_cast<double>(rounding.divisor - rounding.rest);
}

// The most violated cut of a row; violation 0: none.
Cut BestCut(const MultiKnapsack& knapsack, const Relaxed& relaxed, int row) {
  Cut best{.row = row};
  const int64_t rest = Rest(knapsack, relaxed, row);
  for (const int64_t divisor : Divisors(knapsack, relaxed, row)) {
    const Rounding rounding{divisor, rest - divisor * FloorQuotient(rest, divisor)};
    if (rounding.rest == 0) continue;
    const double violation = Violation(knapsack, relaxed, row, rounding, rest);
    if (violation > best.violation) best = {violation, row, rounding};
  }
  return best;
}

std::vector<Cut> BestCuts(const MultiKnapsack& knapsack, const Relaxed& relaxed) {
  std::vector<Cut> cuts;
  for (int row = 0; row < knapsack.num_rows; ++row) {
    if (relaxed.prices[row] <= 0) continue;
    if (const Cut cut = BestCut(knapsack, relaxed, row); cut.violation > kLeastViolation) cuts.push_back(cut);
  }
  std::stable_sort(cuts.begin(), cuts.end(), [](const Cut& a, const Cut& b) { return a.violation > b.violation; });
  if (cuts.size() > kCutsPerPass) cuts.resize(kCutsPerPass);
  return cuts;
}

// A row of its own: costs of each item and a capacity.
struct Row {
  std::vector<int64_t> cost;
  int64_t capacity = 0;
};

Row MakeRow(const MultiKnapsack& knapsack, const Relaxed& relaxed, const Cut& cut) {
  Row row{.capacity = cut.rounding(Rest(knapsack, relaxed, cut.row))};
  for (int g = 0; g < knapsack.num_groups(); ++g) {
    const int64_t base = Cost(knapsack, relaxed.key[g], cut.row);
    int64_t least = std::numeric_limits<int64_t>::max();
    for (int i = knapsack.first[g]; i < knapsack.first[g + 1]; ++i) {
      row.cost.push_back(cut.rounding(Cost(knapsack, i, cut.row) - base));
      least = std::min(least, row.cost.back());
    }
    for (int i = knapsack.first[g]; i < knapsack.first[g + 1]; ++i) row.cost[i] -= least;
    row.capacity -= least;
  }
  const int64_t unit = std::accumulate(row.cost.begin(), row.cost.end(), int64_t{0},
                                       [](int64_t a, int64_t b) { return std::gcd(a, b); });
  if (unit > 1) {
    for (int64_t& cost : row.cost) cost /= unit;
    row.capacity = FloorQuotient(row.capacity, unit);
  }
  return row;
}

// The knapsack with the rows for which `keep` is set and those of `added`.
MultiKnapsack WithRows(const MultiKnapsack& knapsack, const std::vector<bool>& keep, const std::vector<Row>& added) {
  MultiKnapsack out = knapsack;
  out.row.clear();
  out.capacity.clear();
  out.row_factor.clear();
  out.row_divisor.clear();
  out.cost.clear();
  out.scaled_cost.clear();
  for (int r = 0; r < knapsack.num_rows; ++r) {
    if (!keep[r]) continue;
    out.row.push_back(knapsack.row[r]);
    out.capacity.push_back(knapsack.capacity[r]);
    out.row_factor.push_back(knapsack.row_factor[r]);
    out.row_divisor.push_back(knapsack.row_divisor[r]);
  }
  for (const Row& row : added) {
    int exponent = 0;
    std::frexp(static_cast<double>(std::max<int64_t>(row.capacity, 1)), &exponent);
    out.row.push_back(-1);
    out.capacity.push_back(row.capacity);
    out.row_factor.push_back(std::ldexp(1.0, -exponent));
    out.row_divisor.push_back(1);
  }
  out.num_rows = static_cast<int>(out.row.size());
  for (int i = 0; i < knapsack.num_items(); ++i) {
    for (int r = 0; r < knapsack.num_rows; ++r) {
      if (keep[r]) out.cost.push_back(Cost(knapsack, i, r));
    }
    for (const Row& row : added) out.cost.push_back(row.cost[i]);
    for (int r = 0; r < out.num_rows; ++r) {
      const int64_t cost = out.cost[static_cast<size_t>(i) * out.num_rows + r];
      out.scaled_cost.push_back(static_cast<double>(cost) * out.row_factor[r]);
    }
  }
  return out;
}

bool SumsStaySmall(const MultiKnapsack& knapsack) {
  for (int r = 0; r < knapsack.num_rows; ++r) {
    int64_t most = knapsack.capacity[r];
    for (int i = 0; i < knapsack.num_items(); ++i) most = std::max(most, Cost(knapsack, i, r));
    if (4.0 * static_cast<double>(most) * (knapsack.num_groups() + 1) > kLargestSum) return false;
  }
  return true;
}

}  // namespace

std::optional<MultiKnapsack> WithRoundingCuts(const MultiKnapsack& knapsack, double cutoff, const RunContext& context) {
  Relaxed relaxed = Solve(knapsack, context);
  if (!relaxed.solved) return std::nullopt;
  const double start = relaxed.bound;
  const double missing = cutoff - start;
  MultiKnapsack best = knapsack;
  for (int pass = 0; pass < kPasses && SumsStaySmall(best); ++pass) {
    std::vector<Row> added;
    for (const Cut& cut : BestCuts(best, relaxed)) added.push_back(MakeRow(best, relaxed, cut));
    std::vector<bool> keep(best.num_rows);
    for (int r = 0; r < best.num_rows; ++r) keep[r] = r < knapsack.num_rows || relaxed.prices[r] > 0;
    const auto kept = static_cast<int>(std::count(keep.begin(), keep.end(), true));
    added.resize(std::min<size_t>(added.size(), std::max(0, knapsack.num_rows + kMostRowsAdded - kept)));
    if (added.empty()) break;
    MultiKnapsack next = WithRows(best, keep, added);
    Relaxed again = Solve(next, context);
    if (!again.solved || again.bound - relaxed.bound < kLeastGainOfPass * missing) break;
    best = std::move(next);
    relaxed = std::move(again);
  }
  if (best.num_rows == knapsack.num_rows || relaxed.bound - start < kLeastGain * missing) return std::nullopt;
  return best;
}

}  // namespace bitplan::allocation
