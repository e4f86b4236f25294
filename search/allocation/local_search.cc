#include "search/allocation/local_search.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <tuple>

#include "search/allocation/audit.h"
#include "search/allocation/instance.h"

namespace bitplan::allocation {
namespace {

// Of each kind, at most so many moves are paired; pairs that are tried before a round gives up.
constexpr size_t kMostPaired = 600;
constexpr size_t kMostTried = 400;

// One tied group takes another option.
struct Move {
  int group = 0;
  int option = 0;
  double slope = 0;           // df'(change of x)
  std::vector<int64_t> cost;  // change of each budget's sum
};

// One move, or two in different groups.
struct Step {
  double slope = 0;
  int first = 0;    // index of a move
  int second = -1;  // -1: none
};

class LocalSearch {
 public:
  LocalSearch(const Problem& problem, const ConvexObjective& objective, ScoredChoice start)
      : problem_(problem), objective_(objective), groups_(TieGroups(problem)), best_(std::move(start)) {
    int64_t next = 0;
    for (const ProblemLayer& layer : problem.layers) {
      first_.push_back(next);
      next += std::ssize(layer.options);
    }
    x_ = OneHot(problem, best_.choice);
    gradient_.resize(x_.size());
  }

  ScoredChoice Run(const RunContext& context) {
    while (context.CheckStop().ok() && Improve(context)) {
    }
    return std::move(best_);
  }

 private:
  double Slope(int group, int option) const {
    double slope = 0;
    for (const int l : groups_[group]) slope += gradient_[first_[l] + option] - gradient_[first_[l] + best_.choice[l]];
    return slope;
  }

  Move MoveTo(int group, int option) const {
    Move move{.group = group, .option = option, .slope = Slope(group, option)};
    for (const ProblemBudget& budget : problem_.budgets) {
      int64_t change = 0;
      for (const int l : groups_[group]) {
        const auto& options = problem_.layers[l].options;
        change += options[option].cost[budget.resource] - options[best_.choice[l]].cost[budget.resource];
      }
      move.cost.push_back(budget.sense == BudgetSense::kAtMost ? change : -change);
    }
    return move;
  }

  std::vector<Move> AllMoves() const {
    std::vector<Move> moves;
    for (int g = 0; g < std::ssize(groups_); ++g) {
      const int layer = groups_[g].front();
      for (int k = 0; k < std::ssize(problem_.layers[layer].options); ++k) {
        if (k != best_.choice[layer]) moves.push_back(MoveTo(g, k));
      }
    }
    std::ranges::sort(moves, {}, [](const Move& move) { return std::tuple(move.slope, move.group, move.option); });
    return moves;
  }

  std::vector<int64_t> Slack() const {
    std::vector<int64_t> slack;
    for (const ProblemBudget& budget : problem_.budgets) {
      int64_t left = budget.limit;
      for (size_t l = 0; l < best_.choice.size(); ++l) {
        left -= problem_.layers[l].options[best_.choice[l]].cost[budget.resource];
      }
      slack.push_back(budget.sense == BudgetSense::kAtMost ? left : -left);
    }
    return slack;
  }

  static bool Fits(const Move& move, const Move* other, std::span<const int64_t> slack) {
    for (size_t b = 0; b < slack.size(); ++b) {
      if (move.cost[b] + (other != nullptr ? other->cost[b] : 0) > slack[b]) return false;
    }
    return true;
  }

  // Steps whose slope is negative and that keep the budgets, the most promising first.
  std::vector<Step> Promising(const std::vector<Move>& moves) const {
    const std::vector<int64_t> slack = Slack();
    std::vector<Step> steps;
    std::vector<int> gaining;
    std::vector<int> freeing;
    for (int m = 0; m < std::ssize(moves); ++m) {
      const Move& move = moves[m];
      if (move.slope < 0 && Fits(move, nullptr, slack)) steps.push_back({.slope = move.slope, .first = m});
      if (move.slope < 0 && gaining.size() < kMostPaired) gaining.push_back(m);
      const bool frees = std::ranges::any_of(move.cost, [](int64_t change) { return change < 0; });
      if (frees && freeing.size() < kMostPaired) freeing.push_back(m);
    }
    for (const int a : gaining) {
      for (const int b : freeing) {
        const double slope = moves[a].slope + moves[b].slope;
        if (slope >= 0 || moves[a].group == moves[b].group) continue;
        if (Fits(moves[a], &moves[b], slack)) steps.push_back({.slope = slope, .first = a, .second = b});
      }
    }
    std::ranges::sort(steps, {}, [](const Step& step) { return std::tuple(step.slope, step.first, step.second); });
    if (steps.size() > kMostTried) steps.resize(kMostTried);
    return steps;
  }

  void Apply(const Move& move, std::vector<int>& choice) const {
    for (const int l : groups_[move.group]) choice[l] = move.option;
  }

  bool Improve(const RunContext& context) {
    best_.value = objective_.ValueAndGradient(x_, gradient_);
    const std::vector<Move> moves = AllMoves();
    for (const Step& step : Promising(moves)) {
      // By convexity f cannot fall by more than the slope says.
      if (step.slope > -objective_.tolerance() || !context.CheckStop().ok()) return false;
      std::vector<int> choice = best_.choice;
      Apply(moves[step.first], choice);
      if (step.second >= 0) Apply(moves[step.second], choice);
      if (!Keeps(problem_, choice)) continue;
      std::vector<double> x = OneHot(problem_, choice);
      const double value = objective_.Value(x);
      if (value >= best_.value - objective_.tolerance()) continue;
      best_ = {.choice = std::move(choice), .value = value};
      x_ = std::move(x);
      return true;
    }
    return false;
  }

  const Problem& problem_;
  const ConvexObjective& objective_;
  std::vector<std::vector<int>> groups_;
  std::vector<int64_t> first_;  // of each layer's options in x
  ScoredChoice best_;
  std::vector<double> x_;  // of best_
  std::vector<double> gradient_;
};

}  // namespace

std::vector<double> OneHot(const Problem& problem, const std::vector<int>& choice) {
  std::vector<double> x;
  for (size_t l = 0; l < choice.size(); ++l) {
    const size_t first = x.size();
    x.resize(first + problem.layers[l].options.size(), 0.0);
    x[first + choice[l]] = 1;
  }
  return x;
}

ScoredChoice ImproveLocally(const Problem& problem, const ConvexObjective& objective, ScoredChoice start,
                            const RunContext& context) {
  return LocalSearch(problem, objective, std::move(start)).Run(context);
}

}  // namespace bitplan::allocation
