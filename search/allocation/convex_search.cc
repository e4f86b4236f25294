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
#include "search/allocation/convex_branch.h"
#include "search/allocation/convex_instance.h"
#include "search/allocation/convex_relaxation.h"
#include "search/allocation/diagonal_split.h"
#include "search/allocation/local_search.h"
#include "search/allocation/quadratic_exchange.h"
#include "search/allocation/run_limits.h"
#include "search/allocation/solve.h"
#include "search/base/rng.h"
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

// Up to so many options (of tied groups) branch and bound keeps J x J matrices; beyond, only the hull bounds.
constexpr int kMostDense = 800;
// What a node counts against SolverOptions::node_limit, up to so many options; then it grows with their square. The
// default limit is some seconds.
constexpr double kWeightOfNode = 500;
constexpr double kWeightOfGeneralNode = 10'000;
constexpr double kOptionsOfWeight = 150;
// Rounds in which the split of the curvature and the relaxation's mixture are fitted to each other.
constexpr int kSplitRounds = 60;
constexpr int kRoundsBetweenFits = 1;
constexpr double kFirstMu = 0.1;
constexpr double kMuShrinks = 0.88;
constexpr double kShareOfMixture = 0.4;
// A proof need not go below this share of the value.
constexpr double kRelativeTolerance = 1e-9;
// Sums to start from: so many with sensitivities disturbed by this much (of their logarithms).
constexpr int kDisturbedSums = 6;
constexpr double kDisturbance = 0.4;
// Restarts of the quadratic local search.
constexpr int kRestarts = 40;
constexpr uint64_t kSeed = 1;

class ConvexSearch {
 public:
  ConvexSearch(const Problem& problem, const ConvexObjective& objective, const SolverOptions& options,
               const RunContext& context)
      : problem_(problem),
        linear_(problem),
        objective_(objective),
        instance_(problem, objective),
        options_(options),
        context_(context),
        of_sums_(WithoutProgress(context)) {
    options_.relative_gap = 0;
    options_.time_limit_s.reset();  // in the context already
  }

  absl::StatusOr<Solution> Run(std::span<const std::vector<int>> starts, double relative_gap) {
    BITPLAN_ASSIGN_OR_RETURN(answer_, Solve(problem_, options_, of_sums_));
    if (answer_.choice.empty()) return std::move(answer_);
    answer_.bound = objective_.least();
    best_ = {.choice = answer_.choice, .value = objective_.Value(OneHot(problem_, answer_.choice))};
    mixture_ = OneHot(problem_, answer_.choice);
    best_ = ImproveLocally(problem_, objective_, best_, context_);
    for (const std::vector<int>& start : starts) {
      if (Keeps(start)) Consider({.choice = start, .value = objective_.Value(OneHot(problem_, start))}, 0);
    }
    BITPLAN_RETURN_IF_ERROR(TrySums(starts));
    if (!IsClosed(relative_gap) && !Branch(relative_gap)) BITPLAN_RETURN_IF_ERROR(RunRounds(relative_gap));
    return Finish();
  }

 private:
  absl::Status RunRounds(double relative_gap) {
    for (int round = 0; round < kMaxRounds && !IsClosed(relative_gap) && !IsStalled(round); ++round) {
      Report({.fraction = static_cast<double>(round) / kMaxRounds});
      BITPLAN_ASSIGN_OR_RETURN(const bool goes_on, Round(round));
      if (!goes_on) break;
    }
    return absl::OkStatus();
  }

  // Whether a choice keeps budgets and ties.
  bool Keeps(const std::vector<int>& choice) const {
    Solution candidate = answer_;
    candidate.choice = choice;
    return Audit(problem_, candidate).ok();
  }

  // Choices that are best for sums: of what f rises by when one layer alone leaves the best choice, or a start, for
  // another option, and of the same disturbed. Sums miss what layers do to each other; local search then looks at that.
  absl::Status TrySums(std::span<const std::vector<int>> starts) {
    std::vector<std::vector<int>> bases = {best_.choice};
    for (const std::vector<int>& start : starts) {
      if (std::ranges::find(bases, start) == bases.end()) bases.push_back(start);
    }
    for (const std::vector<int>& base : bases) {
      if (StopReason(context_)) return absl::OkStatus();
      BITPLAN_RETURN_IF_ERROR(TrySum(RisesFrom(base)));
    }
    const std::vector<double> rises = RisesFrom(best_.choice);
    for (int k = 0; k < kDisturbedSums && !StopReason(context_); ++k) {
      Rng rng(kSeed, k);
      std::vector<double> disturbed = rises;
      for (double& rise : disturbed) rise *= std::exp(kDisturbance * rng.NextGaussian());
      BITPLAN_RETURN_IF_ERROR(TrySum(disturbed));
    }
    return absl::OkStatus();
  }

  std::vector<double> RisesFrom(const std::vector<int>& base) const {
    std::vector<double> x = OneHot(problem_, base);
    const double value = objective_.Value(x);
    std::vector<double> rises;
    size_t first = 0;
    for (size_t l = 0; l < base.size(); ++l) {
      const size_t taken = first + base[l];
      const size_t options = problem_.layers[l].options.size();
      for (size_t k = first; k < first + options; ++k) {
        x[taken] = 0;
        x[k] = 1;
        rises.push_back(k == taken || StopReason(context_) ? 0 : objective_.Value(x) - value);
        x[k] = 0;
        x[taken] = 1;
      }
      first += options;
    }
    return rises;
  }

  absl::Status TrySum(std::span<const double> objectives) {
    if (!std::ranges::all_of(objectives, [](double value) { return std::isfinite(value); })) return absl::OkStatus();
    SetObjectives(objectives);
    BITPLAN_ASSIGN_OR_RETURN(const Solution next, Solve(linear_, options_, of_sums_));
    answer_.nodes += next.nodes;
    if (next.choice.empty() || next.choice == best_.choice) return absl::OkStatus();
    ScoredChoice found{.choice = next.choice, .value = objective_.Value(OneHot(problem_, next.choice))};
    found = ImproveLocally(problem_, objective_, std::move(found), context_);
    if (found.value < best_.value) best_ = std::move(found);
    return absl::OkStatus();
  }

  double Tolerance() const { return std::max(objective_.tolerance(), kRelativeTolerance * std::abs(best_.value)); }

  // How far the search is, with the best choice so far and the largest bound.
  void Report(Progress report) const {
    report.stage = "solve";
    report.objective = best_.value;
    const double bound = std::max(report.bound.value_or(answer_.bound), answer_.bound);
    report.bound.reset();
    if (std::isfinite(bound)) report.bound = std::min(bound, best_.value);
    context_.Report(report);
  }

  // Branch and bound, with matrices over all options. False: too many options, or not in time.
  bool Branch(double relative_gap) {
    const int n = instance_.size();
    const auto layers = static_cast<size_t>(mixture_.size());
    if (n > kMostDense || layers > 2 * static_cast<size_t>(kMostDense)) return false;
    if (StopReason(context_)) return true;  // with what there is
    std::vector<double> of_layers(layers * layers);
    std::vector<double> floor;
    if (objective_.CurvatureFloor(of_layers, context_)) floor = instance_.Merge(of_layers);
    if (objective_.is_quadratic() && floor.empty()) return false;
    std::vector<double> metric(floor.begin(), floor.end());
    if (!objective_.is_quadratic()) metric = CurvatureAt(instance_.OfGroups(best_.choice));
    if (metric.empty()) return false;
    Report({});
    if (StopReason(context_)) return true;
    const std::vector<uint8_t> open = instance_.Allowed();
    ConvexRelaxation relaxation(instance_, metric, {});
    ConvexRelaxation::Point root = relaxation.Start(open);
    RaiseBound(relaxation.Solve(open, best_.value - Tolerance(), context_, root), relaxation, root);
    if (!floor.empty()) FitSplit(floor, metric, open, relaxation, root);
    Restart(relaxation);
    if (IsClosed(relative_gap) || StopReason(context_)) return true;
    ConvexBranch branch(instance_, relaxation, [&](const std::vector<int>& option, bool searches) {
      return Offer(relaxation, option, searches);
    });
    const double size = std::max(1.0, n / kOptionsOfWeight);
    const auto weight =
        static_cast<int64_t>((objective_.is_quadratic() ? kWeightOfNode : kWeightOfGeneralNode) * size * size);
    const ConvexBranch::Limits limits{
        .nodes = (options_.node_limit - 1) / weight + 1, .relative_gap = relative_gap, .tolerance = Tolerance()};
    RunContext of_branch = context_;
    of_branch.progress = [&](const Progress& of_nodes) {
      Report({.fraction = static_cast<double>(of_nodes.probes) / static_cast<double>(limits.nodes),
              .probes = of_nodes.probes,
              .bound = branch.bound()});
    };
    proven_ = branch.Run(open, root, best_.value, limits, of_branch);
    answer_.nodes += branch.nodes();
    answer_.bound = std::max(answer_.bound, branch.bound());
    return true;
  }

  void RaiseBound(double bound, const ConvexRelaxation& relaxation, const ConvexRelaxation::Point& point) {
    if (!(bound > answer_.bound) || !std::isfinite(bound)) return;
    answer_.bound = bound;
    for (int r = 0; r < instance_.num_rows(); ++r) {
      answer_.budgets[instance_.budgets()[r]].multiplier = relaxation.Price(point, r);
    }
  }

  // Splits the floor for the mixture that the relaxation has with the split before, as long as that lifts the bound.
  void FitSplit(std::span<const double> floor, std::span<const double> metric, std::span<const uint8_t> open,
                ConvexRelaxation& relaxation, ConvexRelaxation::Point& root) {
    std::vector<int> first;
    for (int g = 0; g <= instance_.num_groups(); ++g) first.push_back(instance_.first(g));
    DiagonalSplit split(floor, first);
    split.MixWorth(root.y, kShareOfMixture);
    double best_bound = answer_.bound;
    ConvexRelaxation::Point point = root;
    double mu = kFirstMu;
    for (int round = 0; round < kSplitRounds && !IsClosed(0) && split.Pass(mu, context_); ++round, mu *= kMuShrinks) {
      if (round % kRoundsBetweenFits != 0) continue;
      Report({});
      const std::vector<double> blocks = split.Certified();
      if (blocks.empty()) return;
      ConvexRelaxation next(instance_, metric, blocks);
      const double bound = next.Solve(open, best_.value - Tolerance(), context_, point);
      RaiseBound(bound, next, point);
      split.MixWorth(point.y, kShareOfMixture);
      if (bound > best_bound) {
        best_bound = bound;
        relaxation = std::move(next);
        root = point;
      }
      if (StopReason(context_)) return;
    }
  }

  // f'' between mixtures near a choice, from differences of gradients: a guide for steps, never part of a proof.
  std::vector<double> CurvatureAt(const std::vector<int>& option) const {
    const int n = instance_.size();
    std::vector<double> middle = instance_.OneHot(option);
    for (int g = 0; g < instance_.num_groups(); ++g) {
      const double share = 0.3 / (instance_.first(g + 1) - instance_.first(g));
      for (int j = instance_.first(g); j < instance_.first(g + 1); ++j) middle[j] = 0.7 * middle[j] + share;
    }
    std::vector<double> at_middle(n);
    instance_.ValueAndGradient(middle, at_middle);
    std::vector<double> curvature(static_cast<size_t>(n) * n);
    std::vector<double> gradient(n);
    for (int j = 0; j < n; ++j) {
      if (StopReason(context_)) return {};
      constexpr double kStep = 0.5;
      std::vector<double> moved = middle;
      const int g = instance_.group_of(j);
      for (int i = instance_.first(g); i < instance_.first(g + 1); ++i) moved[i] *= 1 - kStep;
      moved[j] += kStep;
      instance_.ValueAndGradient(moved, gradient);
      for (int i = 0; i < n; ++i) curvature[static_cast<size_t>(i) * n + j] = (gradient[i] - at_middle[i]) / kStep;
    }
    // Row i, less what the middle of i's group has of it: M (e_j - y_h) from both sides.
    for (int j = 0; j < n; ++j) {
      for (int g = 0; g < instance_.num_groups(); ++g) {
        double mean = 0;
        for (int i = instance_.first(g); i < instance_.first(g + 1); ++i) {
          mean += middle[i] * curvature[static_cast<size_t>(i) * n + j];
        }
        for (int i = instance_.first(g); i < instance_.first(g + 1); ++i)
          curvature[static_cast<size_t>(i) * n + j] -= mean;
      }
    }
    for (int i = 0; i < n; ++i) {
      for (int j = 0; j < i; ++j) {
        double& a = curvature[static_cast<size_t>(i) * n + j];
        double& b = curvature[static_cast<size_t>(j) * n + i];
        a = b = (a + b) / 2;
      }
    }
    return curvature;
  }

  // The best choice with some groups moved at random, improved again.
  void Restart(const ConvexRelaxation& relaxation) {
    if (!objective_.is_quadratic()) return;
    for (int k = 0; k < kRestarts && !StopReason(context_); ++k) {
      Rng rng(kSeed, 1000 + k);
      std::vector<int> option = instance_.OfGroups(best_.choice);
      const int moves = 1 + static_cast<int>(rng.NextBelow(1 + option.size() / 4));
      for (int i = 0; i < moves; ++i) {
        const auto g = static_cast<int>(rng.NextBelow(option.size()));
        const int before = option[g];
        option[g] = static_cast<int>(rng.NextBelow(instance_.first(g + 1) - instance_.first(g)));
        if (!instance_.Keeps(option)) option[g] = before;
      }
      Offer(relaxation, option, true);
    }
  }

  double Offer(const ConvexRelaxation& relaxation, std::vector<int> option, bool searches) {
    // Exchanges know budgets and ties only: where they break other rules, what was offered counts.
    if (searches && objective_.is_quadratic()) {
      std::vector<int> improved = option;
      QuadraticExchange(instance_, relaxation.linear(), relaxation.metric()).Improve(improved, context_);
      if (instance_.Keeps(improved)) option = std::move(improved);
    }
    ScoredChoice found{.choice = instance_.OfLayers(option), .value = instance_.Value(instance_.OneHot(option))};
    if (searches && !objective_.is_quadratic()) {
      ScoredChoice improved = ImproveLocally(problem_, objective_, found, context_);
      if (Keeps(improved.choice)) found = std::move(improved);
    }
    if (found.value < best_.value) best_ = std::move(found);
    return best_.value;
  }

  double Gap() const { return RelativeGap(best_.value, std::min(answer_.bound, best_.value)); }
  bool IsClosed(double relative_gap) const {
    return best_.value - answer_.bound <= Tolerance() || Gap() <= relative_gap;
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
    BITPLAN_ASSIGN_OR_RETURN(const Solution next, Solve(linear_, options_, of_sums_));
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
    answer_.optimality_tolerance = Tolerance();
    answer_.bound = std::min(answer_.bound, best_.value);
    answer_.gap = RelativeGap(answer_.objective, answer_.bound);
    answer_.termination = Termination::kFeasible;
    if (proven_ || best_.value - answer_.bound <= Tolerance()) {
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
  ConvexInstance instance_;
  SolverOptions options_;
  const RunContext& context_;
  RunContext of_sums_;  // for solves of sums in between: their objectives are not f
  Solution answer_;
  ScoredChoice best_;
  std::vector<double> mixture_;
  bool proven_ = false;                                           // by branch and bound
  double best_round_ = -std::numeric_limits<double>::infinity();  // largest bound that a round gave
  double gap_before_ = std::numeric_limits<double>::infinity();   // kPatience rounds ago
};

}  // namespace

absl::StatusOr<Solution> SolveConvex(const Problem& problem, const ConvexObjective& objective,
                                     std::span<const std::vector<int>> starts, const SolverOptions& options,
                                     const RunContext& context) {
  BITPLAN_RETURN_IF_ERROR(Validate(options));
  for (size_t i = 0; i < problem.pairs.size(); ++i) {
    if (problem.pairs[i].objective != 0) {
      return InvalidArgument("pairs[{}].objective: got {}, want 0: the objective is of the whole choice", i,
                             problem.pairs[i].objective);
    }
  }
  const RunContext limited = WithTimeLimit(context, options);
  return ConvexSearch(problem, objective, options, limited).Run(starts, options.relative_gap);
}

}  // namespace bitplan::allocation
