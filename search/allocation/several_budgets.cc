#include "search/allocation/several_budgets.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "search/allocation/branch_search.h"
#include "search/allocation/incumbent.h"
#include "search/allocation/multi_knapsack.h"
#include "search/allocation/rounding_cuts.h"
#include "search/allocation/run_limits.h"

namespace bitplan::allocation {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Nodes of the first round; each further round has so many times more.
constexpr int64_t kFirstRound = 100;
constexpr int64_t kRoundGrowth = 10;
// A node with limits on counts takes about so many times longer.
constexpr int64_t kNodesPerCountNode = 4;
// A round that leaves more of the gap than this share of what the one before left, with a tenth of the nodes, is stuck.
constexpr double kStuck = 0.97;
// A way is given up when it leaves this many times more of the gap than another.
constexpr double kWorthTrying = 2.5;
// The same when the other has just had its ten times larger round.
constexpr double kStillWorthTrying = 10;
// Groups in the cores that are searched for better choices, and nodes for each.
constexpr std::array kCoreSizes = {30, 60, 120, 240};
constexpr int64_t kCoreNodes = 250;
constexpr double kCoreShare = 0.05;  // of the nodes of the round
// Reduce again before branching while that leaves at most this share of the items.
constexpr double kWorthReducing = 0.8;

class Rounds {
 public:
  Rounds(const Instance& instance, const SolverOptions& options, const RunContext& context, WatchedChoice* watched)
      : instance_(instance),
        options_(options),
        context_(context),
        watched_(watched),
        scale_(ScaleOfValues(instance)),
        of_search_(context),
        incumbent_(instance, scale_),
        open_(AllOptions(instance)) {
    limits_.relative_gap = options.relative_gap;
    limits_.zero = scale_.Scaled(-scale_.least);
    of_search_.progress = [this](const Progress& of_nodes) {
      if (searching_ != nullptr) Report(*searching_, of_nodes.probes, *of_nodes.bound);
    };
  }
  Rounds(const Rounds&) = delete;  // the search reports to `this`

  // What is left to choose from, and a choice to begin with; empty: none.
  void Begin(OpenOptions open, std::vector<int> start) {
    open_ = std::move(open);
    if (start.size() == open_.size()) incumbent_.OfferOptions(std::move(start));
  }

  InstanceSolution Solve() {
    std::optional<Termination> end = StopReason(context_);
    for (int64_t nodes = kFirstRound; !end.has_value(); nodes *= kRoundGrowth) {
      const std::array worth = {IsWorthTrying(kLayers, kWorthTrying), IsWorthTrying(kCuts, kWorthTrying),
                                IsWorthTrying(kCounts, kWorthTrying)};
      for (const Way way : {kLayers, kCuts, kCounts}) {
        if (end.has_value() || !worth[way] || !IsWorthTrying(way, kStillWorthTrying)) continue;
        end = Round(way == kCounts ? nodes / kNodesPerCountNode : nodes, way);
      }
    }
    return Answer(*end);
  }

 private:
  // Ways to search: branching on layers, the same with cuts added to the relaxation, branching on counts.
  enum Way { kLayers, kCuts, kCounts };

  // Did the last round of this way leave at most `times` as much of the gap as the best of the others?
  bool IsWorthTrying(Way way, double times) const {
    return left_[way] <= times * *std::min_element(left_.begin(), left_.end());
  }

  // Termination::kOptimal: everything is proven. nullopt: go on.
  std::optional<Termination> Round(int64_t max_nodes, Way way) {
    for (;;) {
      MultiKnapsack knapsack = Reduce(instance_, scale_, std::move(open_), context_);
      if (knapsack.infeasible) return Termination::kOptimal;
      if (const auto stopped = StopReason(context_)) return stopped;
      if (way == kCuts) {
        std::optional<MultiKnapsack> cut = WithRoundingCuts(knapsack, incumbent_.cutoff(), context_);
        if (!cut.has_value()) return GiveUp(way, knapsack);
        knapsack = *std::move(cut);
      }
      BranchSearch search(instance_, knapsack, incumbent_, of_search_, watched_);
      const bool rest = search.Start();
      if (multipliers_.empty()) NoteMultipliers(knapsack, search.root_prices());
      if (!rest) return Termination::kOptimal;
      bound_ = std::max(bound_, search.root_bound());
      if (const auto stopped = StopReason(context_)) return stopped;
      open_ = Kept(knapsack, search.root_items());
      if (Rescale()) continue;
      if (CountItems() <= kWorthReducing * knapsack.num_items()) continue;
      limits_.by_counts = way == kCounts;
      if (rounds_ == 1 || (rounds_ > 1 && way != kCounts))
        SearchCores(knapsack, search, std::max(kCoreNodes, static_cast<int64_t>(kCoreShare * max_nodes)));
      ++rounds_;
      return Search(search, max_nodes, way);
    }
  }

  // Better choices: the groups that the relaxation is least sure of are searched with all others as it has them.
  void SearchCores(const MultiKnapsack& knapsack, const BranchSearch& search, int64_t max_nodes) {
    std::vector<int> order(knapsack.num_groups());
    std::iota(order.begin(), order.end(), 0);
    const std::vector<double>& margins = search.root_margins();
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return margins[a] < margins[b]; });
    for (const int size : kCoreSizes) {
      if (2 * size > knapsack.num_groups()) return;  // hardly smaller than the whole
      std::vector<bool> kept(knapsack.num_items(), false);
      for (const int item : search.root_choice()) kept[item] = true;
      for (int at = 0; at < size; ++at) {
        for (int i = knapsack.first[order[at]]; i < knapsack.first[order[at] + 1]; ++i) {
          if (search.root_items().Has(i)) kept[i] = true;
        }
      }
      const MultiKnapsack core = Reduce(instance_, scale_, OptionsKept(knapsack, kept), context_);
      if (core.infeasible) continue;
      BranchSearch inner(instance_, core, incumbent_, context_);
      BranchLimits limits = limits_;
      limits.max_nodes = std::min(max_nodes, options_.node_limit - nodes_);
      if (inner.Start()) nodes_ += inner.Run(limits).nodes;
    }
  }

  // The way has nothing to offer here; what the reduction left stays open for the others.
  std::optional<Termination> GiveUp(Way way, const MultiKnapsack& knapsack) {
    left_[way] = kInfinity;
    open_ = OptionsKept(knapsack, std::vector<bool>(knapsack.num_items(), true));
    return std::nullopt;
  }

  std::optional<Termination> Search(BranchSearch& search, int64_t max_nodes, Way way) {
    limits_.max_nodes = std::min(max_nodes, options_.node_limit - nodes_);
    searching_ = &search;
    const BranchResult result = search.Run(limits_);
    searching_ = nullptr;
    Report(search, result.nodes, result.bound);
    nodes_ += result.nodes;
    const double left = incumbent_.cutoff() - result.bound;
    left_[way] = left_[way] > 0 && left > kStuck * left_[way] ? kInfinity : left;
    bound_ = std::max(bound_, std::min(result.bound, incumbent_.cutoff()));
    if (result.termination != Termination::kFeasible) return result.termination;
    if (nodes_ >= options_.node_limit || GapIsSmallEnough()) return Termination::kFeasible;
    return std::nullopt;
  }

  // What a search has done so far, with its least open bound, scaled.
  void Report(const BranchSearch& search, int64_t nodes, double least_open) const {
    const double gap = incumbent_.cutoff() - search.root_bound();
    const double closed = gap > 0 ? (least_open - search.root_bound()) / gap : 0;
    Progress report{.stage = "solve", .fraction = std::clamp(closed, 0.0, 1.0), .probes = nodes_ + nodes};
    if (incumbent_.exists()) report.objective = ObjectiveOf(incumbent_.scaled_value());
    const double bound = std::max(bound_, std::min(least_open, incumbent_.cutoff()));
    if (std::isfinite(bound)) report.bound = ObjectiveOf(bound);
    context_.Report(report);
  }

  // Units of the objective from scaled ones.
  double ObjectiveOf(double scaled) const {
    return FromFixedPoint(scale_.least, instance_.shift) + std::ldexp(scaled, scale_.exponent - instance_.shift);
  }

  bool GapIsSmallEnough() const {
    if (options_.relative_gap <= 0 || !incumbent_.exists()) return false;
    const double value = incumbent_.scaled_value();
    return value - bound_ <=
           options_.relative_gap * std::max(std::abs(value - limits_.zero), std::abs(bound_ - limits_.zero));
  }

  static OpenOptions Kept(const MultiKnapsack& knapsack, const ItemSet& items) {
    std::vector<bool> kept(knapsack.num_items());
    for (int i = 0; i < knapsack.num_items(); ++i) kept[i] = items.Has(i);
    return OptionsKept(knapsack, kept);
  }

  // The first choice tells how large values can be that matter: with it as the unit the tolerance is relative to what
  // the best choice is worth above the least, not to the worst options. False: done before, or there is no choice yet.
  bool Rescale() {
    if (rescaled_ || !incumbent_.exists() || incumbent_.scaled_value() <= 0) return false;
    rescaled_ = true;
    int exponent = 0;
    std::frexp(incumbent_.scaled_value(), &exponent);
    scale_.exponent += exponent;
    scale_.step = std::ldexp(scale_.step, -exponent);
    bound_ = std::ldexp(bound_, -exponent);
    limits_.zero = std::ldexp(limits_.zero, -exponent);
    return true;
  }

  // Items of groups that are still open.
  double CountItems() const {
    size_t count = 0;
    for (const std::vector<int>& options : open_) count += options.size() > 1 ? options.size() : 0;
    return static_cast<double>(count);
  }

  // From scaled values per scaled cost to objective units per base unit of the budget.
  void NoteMultipliers(const MultiKnapsack& knapsack, const std::vector<double>& prices) {
    multipliers_.assign(instance_.num_rows(), 0);
    for (int r = 0; r < knapsack.num_rows; ++r) {
      multipliers_[knapsack.row[r]] =
          std::ldexp(prices[r] * knapsack.row_factor[r], scale_.exponent - instance_.shift) /
          static_cast<double>(knapsack.row_divisor[r]);
    }
  }

  InstanceSolution Answer(Termination end) const {
    InstanceSolution solution{.termination = end, .option = incumbent_.option(), .nodes = nodes_};
    solution.optimality_tolerance =
        instance_.rounding + std::ldexp(scale_.tolerance, scale_.exponent - instance_.shift);
    solution.multipliers = multipliers_;
    if (end == Termination::kOptimal && !incumbent_.exists()) solution.termination = Termination::kInfeasible;
    if (end == Termination::kFeasible && !incumbent_.exists()) solution.termination = Termination::kTimeLimit;
    const double bound = end == Termination::kOptimal ? incumbent_.scaled_value() : bound_;
    solution.bound = ObjectiveOf(bound);
    return solution;
  }

  const Instance& instance_;
  const SolverOptions& options_;
  const RunContext& context_;
  WatchedChoice* watched_;
  ValueScale scale_;
  RunContext of_search_;
  Incumbent incumbent_;
  OpenOptions open_;
  BranchLimits limits_;
  const BranchSearch* searching_ = nullptr;  // whose reports are passed on
  double bound_ = -kInfinity;
  int64_t nodes_ = 0;
  std::array<double, 3> left_ = {0, 0, 0};  // gap that the last round of each way left; 0: not tried yet
  bool rescaled_ = false;
  int rounds_ = 0;
  std::vector<double> multipliers_;
};

}  // namespace

InstanceSolution SolveWatching(const Instance& instance, const SolverOptions& options, const RunContext& context,
                               WatchedChoice* watched) {
  return Rounds(instance, options, context, watched).Solve();
}

InstanceSolution SolveSeveralFrom(const Instance& instance, const SolverOptions& options, const RunContext& context,
                                  OpenOptions open, std::vector<int> start) {
  Rounds rounds(instance, options, context, nullptr);
  rounds.Begin(std::move(open), std::move(start));
  return rounds.Solve();
}

absl::StatusOr<InstanceSolution> SolveSeveralBudgets(const Instance& instance, const SolverOptions& options,
                                                     const RunContext& context) {
  return SolveWatching(instance, options, context, nullptr);
}

}  // namespace bitplan::allocation
