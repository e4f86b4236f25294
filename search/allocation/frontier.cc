#include "search/allocation/frontier.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>
#include <limits>
#include <set>
#include <utility>

#include "search/allocation/audit.h"
#include "search/allocation/convex_search.h"
#include "search/allocation/front_list.h"
#include "search/allocation/instance.h"
#include "search/allocation/one_budget.h"
#include "search/allocation/run_limits.h"
#include "search/allocation/several_budgets.h"
#include "search/allocation/shared_knapsack.h"
#include "search/allocation/solve.h"
#include "search/allocation/solver_table.h"
#include "search/base/status.h"

namespace bitplan::allocation {
namespace {

constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();
constexpr int kMostPoints = 100'000;

absl::Status ValidateFrontierRequest(const Problem& problem, const FrontierRequest& request,
                                     const SolverOptions& options) {
  BITPLAN_RETURN_IF_ERROR(Validate(options));
  BITPLAN_RETURN_IF_ERROR(Validate(problem));
  if (options.solver != "auto") BITPLAN_RETURN_IF_ERROR(FindSolver(options.solver).status());
  if (request.resource < 0 || request.resource >= std::ssize(problem.resources)) {
    return InvalidArgument("resource: got {}, want 0..{}", request.resource, std::ssize(problem.resources) - 1);
  }
  for (size_t b = 0; b < problem.budgets.size(); ++b) {
    if (problem.budgets[b].resource != request.resource) continue;
    return InvalidArgument("budgets[{}]: '{}' is the resource of the frontier", b, problem.resources[request.resource]);
  }
  for (size_t i = 0; i < request.limits.size(); ++i) {
    if (request.limits[i] < 0) return InvalidArgument("limits[{}]: got {}, want at least 0", i, request.limits[i]);
  }
  if (request.num_points < 2 || request.num_points > kMostPoints) {
    return InvalidArgument("num_points: got {}, want 2..{}", request.num_points, kMostPoints);
  }
  if (std::ssize(request.limits) > kMostPoints) {
    return InvalidArgument("limits: got {}, want at most {}", request.limits.size(), kMostPoints);
  }
  if (request.max_points < 1) return InvalidArgument("max_points: got {}, want at least 1", request.max_points);
  return absl::OkStatus();
}

// `count` limits from low to high, both included, rounded down; equal ones once.
std::vector<int64_t> EvenLimits(int64_t low, int64_t high, int count) {
  std::set<int64_t> limits;
  for (int i = 0; i < count; ++i) {
    limits.insert(low + static_cast<int64_t>(Int128{high - low} * i / (count - 1)));
  }
  return {limits.begin(), limits.end()};
}

// Solved points on both sides of a limit; null: none.
struct Neighbours {
  const FrontierPoint* below = nullptr;
  const FrontierPoint* above = nullptr;
};

using PointSolver = std::function<absl::StatusOr<FrontierPoint>(int64_t limit, const Neighbours& neighbours,
                                                                const RunContext& context)>;

// Objective and totals of a choice, added up from the problem; bound and gap after its termination. kInternal if it
// breaks a budget or the limit.
absl::Status FinishPoint(const Problem& problem, int resource, FrontierPoint& point) {
  BITPLAN_ASSIGN_OR_RETURN(ChoiceTotals totals, AddUp(problem, point.choice));
  for (const ProblemBudget& budget : problem.budgets) {
    const int64_t used = totals.used[budget.resource];
    if (budget.sense == BudgetSense::kAtMost ? used <= budget.limit : used >= budget.limit) continue;
    return Internal("frontier: the sum of '{}' is {}, beyond the limit {}", problem.resources[budget.resource], used,
                    budget.limit);
  }
  if (totals.used[resource] > point.limit) {
    return Internal("frontier: the sum of '{}' is {}, above the limit {}", problem.resources[resource],
                    totals.used[resource], point.limit);
  }
  point.objective = totals.objective;
  point.totals = std::move(totals.used);
  point.bound = point.termination == Termination::kOptimal ? point.objective : std::min(point.bound, point.objective);
  point.gap = RelativeGap(point.objective, point.bound);
  return absl::OkStatus();
}

// Solves the limits one after another, each between solved neighbours.
class Sweep {
 public:
  Sweep(std::vector<int64_t> limits, int resource, PointSolver solve, const RunContext& context,
        const FrontierSink& sink)
      : limits_(std::move(limits)), resource_(resource), solve_(std::move(solve)), context_(context), sink_(sink) {
    points_.resize(limits_.size());
  }

  absl::Status Run(Frontier& frontier) {
    BITPLAN_RETURN_IF_ERROR(SolveAll());
    HandOn();
    for (std::optional<FrontierPoint>& point : points_) {
      if (point.has_value()) frontier.points.push_back(*std::move(point));
    }
    if (frontier.points.size() < limits_.size()) {
      if (!frontier.note.empty()) frontier.note += " ";
      frontier.note += fmt::format("Stopped after {} of {} limits.", frontier.points.size(), limits_.size());
    }
    return absl::OkStatus();
  }

 private:
  // The ends first, then the middle of every stretch.
  absl::Status SolveAll() {
    const int last = static_cast<int>(limits_.size()) - 1;
    if (last < 0) return absl::OkStatus();
    BITPLAN_RETURN_IF_ERROR(SolveOne(last, {}));
    if (last == 0) return absl::OkStatus();
    BITPLAN_RETURN_IF_ERROR(SolveOne(0, {.above = At(last)}));
    std::deque<std::pair<int, int>> stretches = {{0, last}};
    for (; !stretches.empty(); stretches.pop_front()) {
      const auto [low, high] = stretches.front();
      const int middle = low + (high - low) / 2;
      if (middle == low) continue;
      BITPLAN_RETURN_IF_ERROR(SolveOne(middle, {.below = At(low), .above = At(high)}));
      stretches.emplace_back(low, middle);
      stretches.emplace_back(middle, high);
    }
    return absl::OkStatus();
  }

  const FrontierPoint* At(int i) const { return points_[i].has_value() ? &*points_[i] : nullptr; }

  absl::Status SolveOne(int i, const Neighbours& neighbours) {
    if (StopReason(context_)) return absl::OkStatus();
    points_[i] = FromNeighbours(limits_[i], neighbours);
    if (!points_[i].has_value()) {
      BITPLAN_ASSIGN_OR_RETURN(points_[i], solve_(limits_[i], neighbours, ShareOfTime()));
    }
    ++num_solved_;
    Report(i);
    context_.Report({.stage = "frontier", .fraction = static_cast<double>(num_solved_) / std::ssize(limits_)});
    return absl::OkStatus();
  }

  // The answer, where the neighbours' leave no doubt.
  std::optional<FrontierPoint> FromNeighbours(int64_t limit, const Neighbours& neighbours) const {
    if (neighbours.above == nullptr) return std::nullopt;
    const FrontierPoint& above = *neighbours.above;
    const bool fits = !above.choice.empty() && above.totals[resource_] <= limit;
    if (fits || above.termination == Termination::kInfeasible) {
      FrontierPoint point = above;
      point.limit = limit;
      return point;
    }
    if (neighbours.below == nullptr || neighbours.below->choice.empty()) return std::nullopt;
    if (above.termination != Termination::kOptimal || neighbours.below->objective > above.bound) return std::nullopt;
    FrontierPoint point = *neighbours.below;
    point.limit = limit;
    point.multiplier = above.multiplier;
    point.optimality_tolerance = std::max(point.optimality_tolerance, above.optimality_tolerance);
    Prove(point);
    return point;
  }

  static void Prove(FrontierPoint& point) {
    point.termination = Termination::kOptimal;
    point.bound = point.objective;
    point.gap = 0;
  }

  RunContext ShareOfTime() const {
    RunContext context = context_;
    context.progress = nullptr;
    if (!context.deadline.has_value()) return context;
    const auto now = std::chrono::steady_clock::now();
    context.deadline = now + (*context.deadline - now) / (std::ssize(limits_) - num_solved_);
    return context;
  }

  // A larger limit's bound holds for a smaller one, a smaller limit's choice fits into a larger one.
  void HandOn() {
    std::vector<bool> changed(points_.size(), false);
    const FrontierPoint* above = nullptr;
    for (int i = static_cast<int>(points_.size()) - 1; i >= 0; --i) {
      if (!points_[i].has_value()) continue;
      if (above != nullptr && CanImprove(*points_[i]) && above->bound > points_[i]->bound) {
        points_[i]->bound = above->bound;
        changed[i] = true;
      }
      if (points_[i]->termination != Termination::kInfeasible) above = At(i);
    }
    const FrontierPoint* below = nullptr;
    for (size_t i = 0; i < points_.size(); ++i) {
      if (!points_[i].has_value()) continue;
      if (below != nullptr && CanImprove(*points_[i]) &&
          (points_[i]->choice.empty() || below->objective < points_[i]->objective)) {
        TakeChoice(*below, *points_[i]);
        changed[i] = true;
      }
      if (changed[i]) {
        Settle(*points_[i]);
        Report(static_cast<int>(i));
      }
      if (!points_[i]->choice.empty()) below = At(static_cast<int>(i));
    }
  }

  static bool CanImprove(const FrontierPoint& point) {
    return point.termination != Termination::kOptimal && point.termination != Termination::kInfeasible;
  }

  static void TakeChoice(const FrontierPoint& from, FrontierPoint& to) {
    to.choice = from.choice;
    to.totals = from.totals;
    to.objective = from.objective;
    to.optimality_tolerance = std::max(from.optimality_tolerance, to.optimality_tolerance);
    to.supported = from.supported;
  }

  static void Settle(FrontierPoint& point) {
    if (point.choice.empty()) return;
    point.bound = std::min(point.bound, point.objective);
    point.gap = RelativeGap(point.objective, point.bound);
    if (point.objective - point.bound <= point.optimality_tolerance) Prove(point);
  }

  void Report(int i) const {
    if (sink_) sink_(*points_[i], static_cast<size_t>(i), points_.size());
  }

  const std::vector<int64_t> limits_;
  const int resource_;
  const PointSolver solve_;
  const RunContext& context_;
  const FrontierSink& sink_;
  std::vector<std::optional<FrontierPoint>> points_;
  int64_t num_solved_ = 0;
};

// What both kinds of frontier share.
struct Task {
  const Problem& problem;
  const FrontierRequest& request;
  const SolverOptions& options;
  const RunContext& context;  // with the time limit
  const FrontierSink& sink;
  std::vector<std::vector<int>> groups;
  std::vector<int> others;  // budgets that can bind
};

Task MakeTask(const Problem& problem, const FrontierRequest& request, const SolverOptions& options,
              const RunContext& context, const FrontierSink& sink) {
  Task task{problem, request, options, context, sink, TieGroups(problem), {}};
  task.others = BindingBudgets(problem, task.groups);
  return task;
}

std::vector<int> LayersOf(const Instance& instance, const std::vector<int>& option, size_t num_layers) {
  std::vector<int> choice(num_layers);
  for (size_t g = 0; g < option.size(); ++g) {
    for (const int layer : instance.groups[g].layers) choice[layer] = option[g];
  }
  return choice;
}

std::vector<int> GroupsOf(const Instance& instance, const std::vector<int>& choice) {
  std::vector<int> option;
  if (choice.empty()) return option;
  option.reserve(instance.groups.size());
  for (const InstanceGroup& group : instance.groups) option.push_back(choice[group.layers[0]]);
  return option;
}

// Least sum of the resource that keeps the other budgets; of a search that was cut short, the least that keeps the
// ties.
absl::StatusOr<int64_t> LeastUse(const Task& task) {
  const int64_t alone = RangesOfResources(task.problem, task.groups)[task.request.resource].least;
  if (task.others.empty()) return alone;
  const Instance instance = BuildInstance(task.problem, task.groups, task.others, task.request.resource);
  const auto solver = instance.num_rows() <= 1 ? &SolveOneBudget : &SolveSeveralBudgets;
  SolverOptions to_the_end = task.options;
  to_the_end.relative_gap = 0;
  BITPLAN_ASSIGN_OR_RETURN(const InstanceSolution found, solver(instance, to_the_end, task.context));
  if (found.termination != Termination::kOptimal) return alone;
  BITPLAN_ASSIGN_OR_RETURN(const ChoiceTotals totals,
                           AddUp(task.problem, LayersOf(instance, found.option, task.problem.layers.size())));
  return totals.used[task.request.resource];
}

std::vector<int64_t> SortedLimits(const std::vector<int64_t>& limits) {
  const std::set<int64_t> sorted(limits.begin(), limits.end());
  return {sorted.begin(), sorted.end()};
}

// The problem with the swept budget as its last row, without a limit yet.
Instance InstanceOfSweep(const Task& task) {
  Problem limited = task.problem;
  limited.budgets.push_back({.resource = task.request.resource, .limit = kNoLimit});
  std::vector<int> rows = task.others;
  rows.push_back(static_cast<int>(task.problem.budgets.size()));
  return BuildInstance(limited, task.groups, std::move(rows), std::nullopt);
}

// No other budget can bind.
class OneBudgetFrontier {
 public:
  explicit OneBudgetFrontier(const Task& task)
      : task_(task),
        instance_(InstanceOfSweep(task)),
        shared_(instance_, instance_.num_rows() - 1),
        hull_(shared_.SupportedPoints()) {}

  absl::StatusOr<Frontier> Run() {
    Frontier frontier;
    NoteHull(frontier);
    if (task_.request.complete) {
      BITPLAN_RETURN_IF_ERROR(ListAll(frontier));
      if (frontier.complete) return frontier;
    }
    const PointSolver solve = [&](int64_t limit, const Neighbours& neighbours, const RunContext& context) {
      return SolveAt(limit, neighbours, context, frontier);
    };
    const auto limits = task_.request.limits.empty() || task_.request.complete
                            ? EvenLimits(shared_.least_cost(), shared_.useful_cost(), task_.request.num_points)
                            : SortedLimits(task_.request.limits);
    BITPLAN_RETURN_IF_ERROR(Sweep(limits, task_.request.resource, solve, task_.context, task_.sink).Run(frontier));
    return frontier;
  }

 private:
  void NoteHull(Frontier& frontier) const {
    frontier.hull.reserve(hull_.size());
    for (const SupportedPoint& point : hull_) {
      frontier.hull.push_back({.used = point.cost,
                               .objective = FromFixedPoint(point.value, instance_.shift),
                               .multiplier = std::ldexp(point.slope, -instance_.shift)});
    }
  }

  bool IsOnHull(int64_t cost, Int128 value) const {
    const auto at = std::ranges::lower_bound(hull_, cost, {}, &SupportedPoint::cost);
    return at != hull_.end() && at->cost == cost && at->value == value;
  }

  absl::StatusOr<FrontierPoint> SolveAt(int64_t limit, const Neighbours& neighbours, const RunContext& context,
                                        Frontier& frontier) {
    const std::vector<int> start =
        neighbours.below == nullptr ? std::vector<int>() : GroupsOf(instance_, neighbours.below->choice);
    const ExactSolution found = shared_.Solve(limit, {}, start, task_.options, context);
    frontier.nodes += found.nodes;
    FrontierPoint point{.limit = limit,
                        .termination = found.termination,
                        .bound = FromFixedPoint(found.bound, instance_.shift),
                        .optimality_tolerance = instance_.rounding,
                        .multiplier = found.multiplier};
    if (found.termination == Termination::kInfeasible) return point;
    point.choice = LayersOf(instance_, found.option, task_.problem.layers.size());
    BITPLAN_RETURN_IF_ERROR(FinishPoint(task_.problem, task_.request.resource, point));
    point.supported = IsOnHull(point.totals[task_.request.resource], found.value);
    return point;
  }

  absl::Status ListAll(Frontier& frontier) {
    const FrontLimits limits{.max_states = task_.options.node_limit, .max_points = task_.request.max_points};
    const ListedFront listed = ListFront(shared_.knapsack(), limits, task_.context);
    frontier.nodes += listed.states;
    if (listed.termination != Termination::kOptimal) {
      frontier.note =
          fmt::format("The complete front was given up ({} states, at most {} points); these are {} limits.",
                      listed.states, task_.request.max_points, task_.request.num_points);
      return absl::OkStatus();
    }
    for (size_t i = 0; i < listed.points.size(); ++i) {
      FrontierPoint point{.limit = listed.points[i].cost + shared_.least_cost(),
                          .termination = Termination::kOptimal,
                          .choice = LayersOf(instance_, listed.OptionsOf(i), task_.problem.layers.size()),
                          .optimality_tolerance = instance_.rounding};
      BITPLAN_RETURN_IF_ERROR(FinishPoint(task_.problem, task_.request.resource, point));
      point.supported = IsOnHull(point.limit, listed.points[i].value);
      frontier.points.push_back(std::move(point));
      if (task_.sink) task_.sink(frontier.points.back(), i, listed.points.size());
    }
    frontier.complete = true;
    return absl::OkStatus();
  }

  const Task& task_;
  const Instance instance_;
  SharedKnapsack shared_;
  const std::vector<SupportedPoint> hull_;
};

// Other budgets can bind.
class SeveralBudgetsFrontier {
 public:
  explicit SeveralBudgetsFrontier(const Task& task) : task_(task), instance_(InstanceOfSweep(task)) {}

  absl::StatusOr<Frontier> Run(int64_t least, int64_t most) {
    Frontier frontier;
    if (task_.request.complete) {
      BITPLAN_RETURN_IF_ERROR(ListAll(most, frontier));
      if (frontier.complete) return frontier;
    }
    const PointSolver solve = [&](int64_t limit, const Neighbours& neighbours, const RunContext& context) {
      return SolveAt(limit, neighbours, context, frontier);
    };
    const auto limits = task_.request.limits.empty() || task_.request.complete
                            ? EvenLimits(least, most, task_.request.num_points)
                            : SortedLimits(task_.request.limits);
    BITPLAN_RETURN_IF_ERROR(Sweep(limits, task_.request.resource, solve, task_.context, task_.sink).Run(frontier));
    return frontier;
  }

 private:
  absl::StatusOr<FrontierPoint> SolveAt(int64_t limit, const Neighbours& neighbours, const RunContext& context,
                                        Frontier& frontier) {
    instance_.limits.back() = limit;
    const std::vector<int> start =
        neighbours.below == nullptr ? std::vector<int>() : GroupsOf(instance_, neighbours.below->choice);
    const InstanceSolution found = SolveSeveralFrom(instance_, task_.options, context, AllOptions(instance_), start);
    frontier.nodes += found.nodes;
    FrontierPoint point{.limit = limit,
                        .termination = found.termination,
                        .bound = found.bound,
                        .optimality_tolerance = found.optimality_tolerance};
    if (!found.multipliers.empty()) point.multiplier = found.multipliers.back();
    point.gap = std::numeric_limits<double>::infinity();
    if (found.option.empty()) return point;
    point.choice = LayersOf(instance_, found.option, task_.problem.layers.size());
    BITPLAN_RETURN_IF_ERROR(FinishPoint(task_.problem, task_.request.resource, point));
    return point;
  }

  Int128 ValueOf(const std::vector<int>& choice) const {
    Int128 value = 0;
    for (const InstanceGroup& group : instance_.groups) value += group.value[choice[group.layers[0]]];
    return value;
  }

  // From the largest use down, one solve a point.
  absl::Status ListAll(int64_t most, Frontier& frontier) {
    std::vector<FrontierPoint> points;
    for (int64_t limit = most; limit >= 0; limit = points.back().limit - 1) {
      BITPLAN_ASSIGN_OR_RETURN(FrontierPoint point, SolveAt(limit, {}, task_.context, frontier));
      if (point.termination == Termination::kInfeasible) break;
      const bool is_surplus = std::ssize(points) == task_.request.max_points;
      if (point.termination != Termination::kOptimal || is_surplus) {
        frontier.note = fmt::format(
            "The complete front was given up ({} after {} points, at most {}); these are {} limits.",
            TerminationName(point.termination), points.size(), task_.request.max_points, task_.request.num_points);
        return absl::OkStatus();
      }
      point.limit = point.totals[task_.request.resource];
      // The point before was as good with more.
      if (!points.empty() && ValueOf(point.choice) <= ValueOf(points.back().choice)) points.pop_back();
      points.push_back(std::move(point));
    }
    std::reverse(points.begin(), points.end());
    frontier.points = std::move(points);
    for (size_t i = 0; task_.sink && i < frontier.points.size(); ++i) {
      task_.sink(frontier.points[i], i, frontier.points.size());
    }
    frontier.complete = true;
    return absl::OkStatus();
  }

  const Task& task_;
  Instance instance_;
};

// The answer to the problem with a budget for `limit`, its last, as a point; totals are those of `problem`.
absl::StatusOr<FrontierPoint> PointOf(const Problem& problem, int64_t limit, Solution found) {
  FrontierPoint point{.limit = limit,
                      .termination = found.termination,
                      .choice = std::move(found.choice),
                      .objective = found.objective,
                      .bound = found.bound,
                      .gap = found.gap,
                      .optimality_tolerance = found.optimality_tolerance,
                      .multiplier = found.budgets.back().multiplier};
  if (point.choice.empty()) return point;
  BITPLAN_ASSIGN_OR_RETURN(ChoiceTotals totals, AddUp(problem, point.choice));
  point.totals = std::move(totals.used);
  return point;
}

// One Solve a limit: where a solver is named, or rules hold that the shared reductions do not know.
class SolverFrontier {
 public:
  explicit SolverFrontier(const Task& task) : task_(task), swept_(task.problem), of_point_(task.options) {
    swept_.budgets.push_back({.resource = task.request.resource, .limit = kNoLimit});
    of_point_.time_limit_s.reset();  // in the context already
  }

  absl::StatusOr<Frontier> Run() {
    Frontier frontier;
    const PointSolver solve = [&](int64_t limit, const Neighbours&, const RunContext& context) {
      return SolveAt(limit, context, frontier);
    };
    if (task_.request.complete)
      frontier.note =
          "With rules for layers, or a named solver, there is no complete front; these are evenly spaced limits.";
    std::vector<int64_t> limits = SortedLimits(task_.request.limits);
    if (limits.empty() || task_.request.complete) {
      BITPLAN_ASSIGN_OR_RETURN(const FrontierPoint free, SolveAt(kNoLimit, task_.context, frontier));
      if (free.choice.empty()) {
        BITPLAN_ASSIGN_OR_RETURN(const Solution why, Solve(task_.problem, of_point_, task_.context));
        return Frontier{.note = why.termination == Termination::kInfeasible
                                    ? ExplainInfeasibility(why)
                                    : "Stopped before any choice within the other budgets was found."};
      }
      const int64_t most = free.totals[task_.request.resource];
      BITPLAN_ASSIGN_OR_RETURN(const int64_t least, LeastKept());
      limits = EvenLimits(std::min(least, most), most, task_.request.num_points);
    }
    BITPLAN_RETURN_IF_ERROR(Sweep(limits, task_.request.resource, solve, task_.context, task_.sink).Run(frontier));
    return frontier;
  }

 private:
  absl::StatusOr<FrontierPoint> SolveAt(int64_t limit, const RunContext& context, Frontier& frontier) {
    swept_.budgets.back().limit = limit;
    BITPLAN_ASSIGN_OR_RETURN(Solution found, Solve(swept_, of_point_, context));
    frontier.nodes += found.nodes;
    return PointOf(task_.problem, limit, std::move(found));
  }

  // Least use, as Solve explains a limit that cannot be kept: mostly that of the resource alone.
  absl::StatusOr<int64_t> LeastKept() {
    swept_.budgets.back().limit = 0;
    BITPLAN_ASSIGN_OR_RETURN(const Solution none, Solve(swept_, of_point_, task_.context));
    if (!none.infeasibility.has_value()) return 0;
    for (const BudgetShortage& shortage : none.infeasibility->shortages) {
      if (shortage.budget + 1 == std::ssize(swept_.budgets) && shortage.least_achievable.has_value()) {
        return *shortage.least_achievable;
      }
    }
    return none.budgets.back().least_achievable;
  }

  const Task& task_;
  Problem swept_;
  SolverOptions of_point_;
};

}  // namespace

absl::StatusOr<Frontier> ComputeFrontier(const Problem& problem, const FrontierRequest& request,
                                         const SolverOptions& options, const RunContext& context,
                                         const FrontierSink& sink) {
  BITPLAN_RETURN_IF_ERROR(ValidateFrontierRequest(problem, request, options));
  const RunContext limited = WithTimeLimit(context, options);
  const Task task = MakeTask(problem, request, options, limited, sink);
  if (options.solver != "auto" || HasRules(problem)) return SolverFrontier(task).Run();
  if (task.others.empty()) return OneBudgetFrontier(task).Run();
  BITPLAN_ASSIGN_OR_RETURN(const Solution free, Solve(problem, options, limited));
  if (free.termination == Termination::kInfeasible) return Frontier{.note = ExplainInfeasibility(free)};
  if (free.choice.empty()) return Frontier{.note = "Stopped before any choice within the other budgets was found."};
  BITPLAN_ASSIGN_OR_RETURN(const ChoiceTotals totals, AddUp(problem, free.choice));
  BITPLAN_ASSIGN_OR_RETURN(const int64_t least, LeastUse(task));
  return SeveralBudgetsFrontier(task).Run(least, totals.used[request.resource]);
}

absl::StatusOr<Frontier> ComputeConvexFrontier(const Problem& problem, const ConvexObjective& objective,
                                               std::span<const std::vector<int>> starts, const FrontierRequest& request,
                                               const SolverOptions& options, const RunContext& context,
                                               const FrontierSink& sink) {
  BITPLAN_RETURN_IF_ERROR(ValidateFrontierRequest(problem, request, options));
  const RunContext limited = WithTimeLimit(context, options);
  const Task task = MakeTask(problem, request, options, limited, sink);
  Frontier frontier;
  SolverOptions of_point = options;
  of_point.time_limit_s.reset();  // in the context already
  Problem swept = problem;
  swept.budgets.push_back({.resource = request.resource, .limit = kNoLimit});
  const PointSolver solve = [&](int64_t limit, const Neighbours& neighbours,
                                const RunContext& within) -> absl::StatusOr<FrontierPoint> {
    swept.budgets.back().limit = limit;
    std::vector<std::vector<int>> begin(starts.begin(), starts.end());
    for (const FrontierPoint* neighbour : {neighbours.below, neighbours.above}) {
      if (neighbour != nullptr && !neighbour->choice.empty()) begin.push_back(neighbour->choice);
    }
    BITPLAN_ASSIGN_OR_RETURN(Solution found, SolveConvex(swept, objective, begin, of_point, within));
    frontier.nodes += found.nodes;
    return PointOf(problem, limit, std::move(found));
  };
  if (request.complete) frontier.note = "Losses of whole plans have no complete front; these are evenly spaced limits.";
  std::vector<int64_t> limits = SortedLimits(request.limits);
  if (limits.empty() || request.complete) {
    BITPLAN_ASSIGN_OR_RETURN(const FrontierPoint free, solve(kNoLimit, {}, limited));
    if (free.termination == Termination::kInfeasible) {
      BITPLAN_ASSIGN_OR_RETURN(const Solution why, Solve(problem, options, limited));
      return Frontier{.note = ExplainInfeasibility(why)};
    }
    if (free.choice.empty()) return Frontier{.note = "Stopped before any choice within the other budgets was found."};
    BITPLAN_ASSIGN_OR_RETURN(const int64_t least, LeastUse(task));
    limits = EvenLimits(least, std::max(least, free.totals[request.resource]), request.num_points);
  }
  BITPLAN_RETURN_IF_ERROR(Sweep(limits, request.resource, solve, limited, sink).Run(frontier));
  return frontier;
}

}  // namespace bitplan::allocation
