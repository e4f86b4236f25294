#include "search/allocation/exchange_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>
#include <utility>

namespace bitplan::allocation {
namespace {

constexpr int kMostRepairs = 200;
constexpr int kMostImprovements = 200;
// Smaller gains are rounding.
constexpr double kLeastGain = 1e-15;

double Priced(const MultiKnapsack& knapsack, std::span<const double> price, int item) {
  double sum = knapsack.value[item];
  const double* cost = knapsack.ScaledCostOf(item).data();
  for (size_t r = 0; r < price.size(); ++r) sum += price[r] * cost[r];
  return sum;
}

}  // namespace

ExchangeSearch::ExchangeSearch(const MultiKnapsack& knapsack, std::span<const double> price, int most)
    : knapsack_(knapsack) {
  std::vector<std::pair<double, int>> by_reduced_cost;
  by_reduced_cost.reserve(knapsack.num_items());
  std::vector<double> priced(knapsack.num_items());
  for (int g = 0; g < knapsack.num_groups(); ++g) {
    double least = std::numeric_limits<double>::infinity();
    for (int i = knapsack.first[g]; i < knapsack.first[g + 1]; ++i) {
      priced[i] = Priced(knapsack, price, i);
      least = std::min(least, priced[i]);
    }
    for (int i = knapsack.first[g]; i < knapsack.first[g + 1]; ++i) by_reduced_cost.emplace_back(priced[i] - least, i);
  }
  // A group whose best item is the chosen one needs no move there, so best items are not counted.
  const auto most_items = std::min<std::ptrdiff_t>(most + knapsack.num_groups(), std::ssize(by_reduced_cost));
  if (most_items < std::ssize(by_reduced_cost)) {
    std::nth_element(by_reduced_cost.begin(), by_reduced_cost.begin() + most_items, by_reduced_cost.end());
    by_reduced_cost.resize(most_items);
  }
  for (const auto& [reduced, item] : by_reduced_cost) candidates_.push_back(item);
  std::sort(candidates_.begin(), candidates_.end());
  for (const int item : candidates_) priced_.push_back(priced[item]);
}

std::vector<int64_t> ExchangeSearch::Spare(std::span<const int> choice) const {
  std::vector<int64_t> spare = knapsack_.capacity;
  for (const int item : choice) {
    const int64_t* cost = knapsack_.CostOf(item).data();
    for (size_t r = 0; r < spare.size(); ++r) spare[r] -= cost[r];
  }
  return spare;
}

void ExchangeSearch::Apply(const Move& move, std::vector<int>& choice, std::vector<int64_t>& spare) const {
  const int64_t* before = knapsack_.CostOf(choice[move.group]).data();
  const int64_t* after = knapsack_.CostOf(move.item).data();
  for (size_t r = 0; r < spare.size(); ++r) spare[r] += before[r] - after[r];
  choice[move.group] = move.item;
}

double ExchangeSearch::Excess(std::span<const int64_t> spare) const {
  double excess = 0;
  for (size_t r = 0; r < spare.size(); ++r) {
    if (spare[r] < 0) excess -= static_cast<double>(spare[r]) * knapsack_.row_factor[r];
  }
  return excess;
}

double ExchangeSearch::ExcessAfter(const Move& move, std::span<const int> choice,
                                   std::span<const int64_t> spare) const {
  const int64_t* before = knapsack_.CostOf(choice[move.group]).data();
  const int64_t* after = knapsack_.CostOf(move.item).data();
  double excess = 0;
  for (size_t r = 0; r < spare.size(); ++r) {
    const int64_t left = spare[r] + before[r] - after[r];
    if (left < 0) excess -= static_cast<double>(left) * knapsack_.row_factor[r];
  }
  return excess;
}

bool ExchangeSearch::Repair(std::vector<int>& choice) const {
  std::vector<int64_t> spare = Spare(choice);
  for (int round = 0; round < kMostRepairs; ++round) {
    const double excess = Excess(spare);
    if (excess == 0) return true;
    Move best;
    std::pair<double, double> best_rate{std::numeric_limits<double>::infinity(), 0};
    for (size_t c = 0; c < candidates_.size(); ++c) {
      const Move move{knapsack_.group_of[candidates_[c]], candidates_[c]};
      const double freed = excess - ExcessAfter(move, choice, spare);
      if (freed <= 0) continue;
      // Value lost for the excess freed; a move that frees all is as good as one that frees more.
      const double lost = std::max(knapsack_.value[move.item] - knapsack_.value[choice[move.group]], 0.0);
      const std::pair<double, double> rate{lost / freed, -freed};
      if (rate < best_rate) {
        best_rate = rate;
        best = move;
      }
    }
    if (best.item < 0) return false;
    Apply(best, choice, spare);
  }
  return false;
}

std::vector<ExchangeSearch::Move> ExchangeSearch::Moves(std::span<const int> choice) const {
  std::vector<Move> moves;
  moves.reserve(candidates_.size());
  for (const int item : candidates_) {
    const int g = knapsack_.group_of[item];
    if (choice[g] != item) moves.push_back({g, item, knapsack_.value[item] - knapsack_.value[choice[g]]});
  }
  std::sort(moves.begin(), moves.end(),
            [](const Move& a, const Move& b) { return std::tie(a.value, a.item) < std::tie(b.value, b.item); });
  return moves;
}

bool ExchangeSearch::ImproveOnce(std::vector<int>& choice, std::vector<int64_t>& spare) const {
  for (const Move& move : Moves(choice)) {
    if (move.value > -kLeastGain) return false;
    if (ExcessAfter(move, choice, spare) > 0) continue;
    Apply(move, choice, spare);
    return true;
  }
  return false;
}

// The best pair of moves of two groups that fits together.
bool ExchangeSearch::ImproveByPair(std::vector<int>& choice, std::vector<int64_t>& spare) const {
  const std::vector<Move> moves = Moves(choice);
  const size_t num_rows = spare.size();
  std::vector<int64_t> change(moves.size() * num_rows);
  for (size_t a = 0; a < moves.size(); ++a) {
    const int64_t* before = knapsack_.CostOf(choice[moves[a].group]).data();
    const int64_t* after = knapsack_.CostOf(moves[a].item).data();
    for (size_t r = 0; r < num_rows; ++r) change[a * num_rows + r] = after[r] - before[r];
  }
  double best = -kLeastGain;
  std::pair<size_t, size_t> pair{0, 0};
  for (size_t a = 0; a < moves.size() && 2 * moves[a].value < best; ++a) {
    for (size_t b = a + 1; b < moves.size() && moves[a].value + moves[b].value < best; ++b) {
      if (moves[a].group == moves[b].group) continue;
      bool fits = true;
      for (size_t r = 0; r < num_rows; ++r) {
        fits = fits && change[a * num_rows + r] + change[b * num_rows + r] <= spare[r];
      }
      if (!fits) continue;
      best = moves[a].value + moves[b].value;
      pair = {a, b};
    }
  }
  if (pair.second == 0) return false;
  Apply(moves[pair.first], choice, spare);
  Apply(moves[pair.second], choice, spare);
  return true;
}

void ExchangeSearch::Improve(std::vector<int>& choice) const {
  std::vector<int64_t> spare = Spare(choice);
  for (int step = 0; step < kMostImprovements; ++step) {
    if (!ImproveOnce(choice, spare) && !ImproveByPair(choice, spare)) return;
  }
}

}  // namespace bitplan::allocation
