#include "search/allocation/quadratic_exchange.h"

#include <cmath>

namespace bitplan::allocation {
namespace {

// Falls below this share of the moves' sizes are rounding.
constexpr double kRounding = 1e-12;
constexpr int kMostSteps = 10'000;

}  // namespace

std::vector<QuadraticExchange::Move> QuadraticExchange::MovesFrom(std::span<const int> taken,
                                                                  std::span<const double> gradient) const {
  std::vector<Move> moves;
  for (int j = 0; j < instance_.size(); ++j) {
    const int g = instance_.group_of(j);
    const int from = taken[g];
    if (j == from) continue;
    const double change = gradient[j] - gradient[from] + (At(j, j) + At(from, from)) / 2 - At(j, from);
    moves.push_back({.group = g, .to = j, .change = change});
  }
  return moves;
}

bool QuadraticExchange::Fits(const Move& a, const Move* b, std::span<const int> taken,
                             std::span<const int64_t> spare) const {
  for (int r = 0; r < instance_.num_rows(); ++r) {
    int64_t change = instance_.cost(a.to, r) - instance_.cost(taken[a.group], r);
    if (b != nullptr) change += instance_.cost(b->to, r) - instance_.cost(taken[b->group], r);
    if (change > spare[r]) return false;
  }
  return true;
}

bool QuadraticExchange::ImproveOnce(std::vector<int>& taken, std::vector<double>& gradient,
                                    std::vector<int64_t>& spare) const {
  const std::vector<Move> moves = MovesFrom(taken, gradient);
  double size = 0;
  for (const int j : taken) size += std::abs(gradient[j]);
  double best = -kRounding * size;
  const Move* first = nullptr;
  const Move* second = nullptr;
  for (const Move& a : moves) {
    if (a.change >= best || !Fits(a, nullptr, taken, spare)) continue;
    best = a.change;
    first = &a;
  }
  for (size_t i = 0; i < moves.size(); ++i) {
    const Move& a = moves[i];
    const int a_from = taken[a.group];
    for (size_t k = i + 1; k < moves.size(); ++k) {
      const Move& b = moves[k];
      if (b.group == a.group) continue;
      const int b_from = taken[b.group];
      const double change =
          a.change + b.change + At(a.to, b.to) - At(a.to, b_from) - At(a_from, b.to) + At(a_from, b_from);
      if (change >= best || !Fits(a, &b, taken, spare)) continue;
      best = change;
      first = &a;
      second = &b;
    }
  }
  if (first == nullptr) return false;
  for (const Move* move : {first, second}) {
    if (move == nullptr) continue;
    const int from = taken[move->group];
    for (int j = 0; j < instance_.size(); ++j) gradient[j] += At(move->to, j) - At(from, j);
    for (int r = 0; r < instance_.num_rows(); ++r) spare[r] -= instance_.cost(move->to, r) - instance_.cost(from, r);
    taken[move->group] = move->to;
  }
  return true;
}

void QuadraticExchange::Improve(std::vector<int>& option, const RunContext& context) const {
  std::vector<int> taken;
  std::vector<double> gradient(linear_.begin(), linear_.end());
  std::vector<int64_t> spare;
  spare.reserve(instance_.num_rows());
  for (int r = 0; r < instance_.num_rows(); ++r) spare.push_back(instance_.limit(r));
  for (int g = 0; g < instance_.num_groups(); ++g) {
    taken.push_back(instance_.first(g) + option[g]);
    for (int j = 0; j < instance_.size(); ++j) gradient[j] += At(taken[g], j);
    for (int r = 0; r < instance_.num_rows(); ++r) spare[r] -= instance_.cost(taken[g], r);
  }
  int steps = 0;
  while (steps++ < kMostSteps && context.CheckStop().ok() && ImproveOnce(taken, gradient, spare)) {
  }
  for (int g = 0; g < instance_.num_groups(); ++g) option[g] = taken[g] - instance_.first(g);
}

}  // namespace bitplan::allocation
