#include "search/allocation/convex_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "search/allocation/audit.h"
#include "search/allocation/local_search.h"
#include "search/allocation/run_limits.h"
#include "search/allocation/solve.h"
#include "search/base/status.h"

namespace bitplan::allocation {
namespace {

constexpr int kMaxRounds = 200;
// Rounds end when the mixture's own gap, which bounds what more rounds can add to the bound, is this share of f.
constexpr double kMixtureGap = 1e-3;
constexpr int kLineSearchSteps = 10;
// And when so many rounds together have closed less than this share of the gap.
constexpr int kPatience = 15;
constexpr double kLeastProgress = 0.02;
// Rounds whose choice is improved by local search, besides the first and the best.
constexpr int kRoundsBetweenSearches = 10;

class ConvexSearch {
 public:
  ConvexSearch(const Problem& problem, const ConvexObjective& objective, const SolverOptions& options,
               const RunContext& context)
      : problem_(problem), linear_(problem), objective_(objective), options_(options), context_(context) {
    options_.relative_gap = 0;
    options_.time_limit_s.reset();  // in the context already
  }

  absl::StatusOr<Solution> Run(std::span<const std::vector<int>> starts, double relative_gap) {
    BITPLAN_ASSIGN_OR_RETURN(answer_, Solve(problem_, options_, context_));
    if (answer_.choice.empty()) return std::move(answer_);
    answer_.bound = objective_.least();
    best_ = {.choice = answer_.choice, .value = objective_.Value(OneHot(problem_, answer_.choice))};
    mixture_ = OneHot(problem_, answer_.choice);
    best_ = ImproveLocally(problem_, objective_, best_, context_);
    for (const std::vector<int>& start : starts) {
      if (Keeps(start)) Consider({.choice = start, .value = objective_.Value(OneHot(problem_, start))}, 0);
    }
    for (int round = 0; round < kMaxRounds && !IsClosed(relative_gap) && !IsStalled(round); ++round) {
      context_.Report({.stage = "solve", .fraction = static_cast<double>(round) / kMaxRounds});
      BITPLAN_ASSIGN_OR_RETURN(const bool goes_on, Round(round));
      if (!goes_on) break;
    }
    return Finish();
  }

 private:
  // Whether a choice keeps budgets and ties.
  bool Keeps(const std::vector<int>& choice) const {
    Solution candidate = answer_;
    candidate.choice = choice;
    return Audit(problem_, candidate).ok();
  }

  double Gap() const { return RelativeGap(best_.value, std::min(answer_.bound, best_.value)); }
  bool IsClosed(double relative_gap) const {
    return best_.value - answer_.bound <= objective_.tolerance() || Gap() <= relative_gap;
  }

  bool IsStalled(int round) {
    if (round % kPatience != 0) return false;
    const double gap = best_.value - best_round_;
    const bool stalled = gap > (1 - kLeastProgress) * gap_before_;
    gap_before_ = gap;
    return stalled;
  }

  // False: more rounds would add nothing, or the search was stopped.
  absl::StatusOr<bool> Round(int round) {
    std::vector<double> gradient(mixture_.size());
    const double value = objective_.ValueAndGradient(mixture_, gradient);
    SetObjectives(gradient);
    BITPLAN_ASSIGN_OR_RETURN(const Solution next, Solve(linear_, options_, context_));
    answer_.nodes += next.nodes;
    const double least = value + next.bound - next.optimality_tolerance -
                         std::inner_product(gradient.begin(), gradient.end(), mixture_.begin(), 0.0);
    if (std::isfinite(least) && least > best_round_) {
      best_round_ = least;
      answer_.bound = std::max(answer_.bound, least);
      answer_.budgets = next.budgets;
    }
    if (next.choice.empty() || StopReason(context_)) return false;
    const std::vector<double> vertex = OneHot(problem_, next.choice);
    Consider({.choice = next.choice, .value = objective_.Value(vertex)}, round);
    if (value - answer_.bound <= kMixtureGap * std::abs(value)) return false;
    StepTowards(vertex);
    return true;
  }

  void SetObjectives(std::span<const double> gradient) {
    size_t next = 0;
    for (ProblemLayer& layer : linear_.layers) {
      for (ProblemOption& option : layer.options) option.objective = gradient[next++];
    }
  }

  void Consider(ScoredChoice found, int round) {
    if (found.value < best_.value || round % kRoundsBetweenSearches == kRoundsBetweenSearches - 1) {
      found = ImproveLocally(problem_, objective_, std::move(found), context_);
    }
    if (found.value < best_.value) best_ = std::move(found);
  }

  // The best point between the mixture and the vertex, by golden section.
  void StepTowards(std::span<const double> vertex) {
    constexpr double kGolden = 0.6180339887498949;
    std::vector<double> point(mixture_.size());
    const auto at = [&](double step) -> std::span<const double> {
      for (size_t i = 0; i < point.size(); ++i) point[i] = mixture_[i] + step * (vertex[i] - mixture_[i]);
      return point;
    };
    double low = 0;
    double high = 1;
    double left = high - kGolden * (high - low);
    double right = low + kGolden * (high - low);
    double at_left = objective_.Value(at(left));
    double at_right = objective_.Value(at(right));
    for (int i = 0; i < kLineSearchSteps; ++i) {
      if (at_left <= at_right) {
        high = right;
        right = std::exchange(left, right - kGolden * (right - low));
        at_right = std::exchange(at_left, objective_.Value(at(left)));
      } else {
        low = left;
        left = std::exchange(right, left + kGolden * (high - left));
        at_left = std::exchange(at_right, objective_.Value(at(right)));
      }
    }
    const std::span<const double> chosen = at((low + high) / 2);
    mixture_.assign(chosen.begin(), chosen.end());
  }

  absl::StatusOr<Solution> Finish() {
    answer_.choice = best_.choice;
    // The sum of the layers' objectives stands in for a moment: Audit adds the budgets up again.
    BITPLAN_RETURN_IF_ERROR(Audit(problem_, answer_));
    answer_.objective = best_.value;
    answer_.optimality_tolerance = objective_.tolerance();
    answer_.bound = std::min(answer_.bound, best_.value);
    answer_.gap = RelativeGap(answer_.objective, answer_.bound);
    answer_.termination = Termination::kFeasible;
    if (best_.value - answer_.bound <= objective_.tolerance()) {
      answer_.termination = Termination::kOptimal;
      answer_.bound = best_.value;
      answer_.gap = 0;
    } else if (const auto stopped = StopReason(context_)) {
      answer_.termination = *stopped;
    }
    return std::move(answer_);
  }

  const Problem& problem_;
  Problem linear_;  // problem_ with the slopes as objectives
  const ConvexObjective& objective_;
  SolverOptions options_;
  const RunContext& context_;
  Solution answer_;
  ScoredChoice best_;
  std::vector<double> mixture_;
  double best_round_ = -std::numeric_limits<double>::infinity();  // largest bound that a round gave
  double gap_before_ = std::numeric_limits<double>::infinity();   // kPatience rounds ago
};

}  // namespace

absl::StatusOr<Solution> SolveConvex(const Problem& problem, const ConvexObjective& objective,
                                     std::span<const std::vector<int>> starts, const SolverOptions& options,
                                     const RunContext& context) {
  BITPLAN_RETURN_IF_ERROR(Validate(options));
  const RunContext limited = WithTimeLimit(context, options);
  return ConvexSearch(problem, objective, options, limited).Run(starts, options.relative_gap);
}

}  // namespace bitplan::allocation
