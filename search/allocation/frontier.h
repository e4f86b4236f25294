#ifndef BITPLAN_SEARCH_ALLOCATION_FRONTIER_H_
#define BITPLAN_SEARCH_ALLOCATION_FRONTIER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "search/allocation/convex_objective.h"
#include "search/allocation/problem.h"
#include "search/allocation/solution.h"
#include "search/allocation/solver_options.h"
#include "search/base/run_context.h"

namespace bitplan {

// Which limits of one resource to solve for.
struct FrontierRequest {
  int resource = 0;  // index into Problem::resources; no budget of the problem may be on it
  // In base units, any order; repeated ones count once. Empty: num_points evenly spaced ones, from the least sum that
  // keeps the other budgets to the sum beyond which nothing improves.
  std::vector<int64_t> limits;
  int num_points = 20;  // 2..100,000
  // Every point of the exact Pareto front in place of limits: each (used, objective) that no choice improves on in one
  // without losing in the other. Where that is more than max_points, or a limit of states or time is reached first, the
  // answer is num_points evenly spaced limits instead, and Frontier::note says so.
  bool complete = false;
  int64_t max_points = 100'000;  // >= 1
};

// The best choice for one limit. Fields mean what they mean in Solution.
struct FrontierPoint {
  int64_t limit = 0;  // of a complete front: what the choice uses
  Termination termination = Termination::kCancelled;
  std::vector<int> choice;      // empty: none
  std::vector<int64_t> totals;  // over the choice, of each resource; empty without a choice
  double objective = 0;
  double bound = 0;
  double gap = 0;
  double optimality_tolerance = 0;
  std::optional<double> multiplier;  // objective units per base unit of the swept resource
  // Known to be a vertex of the lower convex hull of all (used, objective): best for some price of the resource.
  bool supported = false;
};

// A vertex of the lower convex hull of all (used, objective).
struct HullPoint {
  int64_t used = 0;
  double objective = 0;
  double multiplier = 0;  // what the objective fell for each base unit since the vertex before; 0: the first
};

struct Frontier {
  std::vector<FrontierPoint> points;  // by rising limit
  bool complete = false;              // the points are the whole exact front
  std::string note;                   // plain words, if the answer is not what was asked for; else empty
  // All vertices, by rising use: the Lagrangian frontier. Only where the objective is the sum of the layers' and no
  // other budget can bind; else empty.
  std::vector<HullPoint> hull;
  int64_t nodes = 0;
};

namespace allocation {

// Called from the computing thread with each point as it is found, its index in the order of limits, and how many there
// are. With a convex objective a point may come again when another one's choice or bound has improved it; the last one
// counts.
using FrontierSink = std::function<void(const FrontierPoint& point, size_t index, size_t count)>;

// Solves for many limits of one resource, the problem's budgets on others fixed. Each point is the answer that Solve
// gives for that limit (same termination, objective and bound; of several best choices maybe another one), audited by
// adding its costs again; what does not depend on the limit is done once.
//
// Limits:   first the largest and the smallest, then halfway between neighbours. Where the next larger limit's choice
//           fits, or the next smaller one's is as good, that is the answer; else the search starts from the smaller
//           one's choice. Where no other budget can bind: shared_knapsack.h, else several_budgets.h.
// Complete: no other budget can bind: list dynamic programming (front_list.h). Else one solve a point, the limit each
//           time one unit below what the last one used (epsilon constraints; Haimes, Lasdon, Wismer 1971); equal up to
//           the solver's tolerance.
// Hull:     the steps of the layers' convex hulls by falling slope, exactly.
// Limits of options: node_limit and relative_gap hold for each point, time_limit_s for all of them together; each gets
//           an equal share of what is left.
// Solver:   "auto" is all of the above; any other name is one Solve with it for each limit, none for a complete front.
// Errors:   kInvalidArgument: problem, request or options; kInternal: an audit failed. Infeasible limits, a time limit
//           and a stop request are terminations of points. If the other budgets cannot be kept there are no points, and
//           the note says why.
// Same bits for any number of threads, unless a limit of time or a stop request ended the search.
absl::StatusOr<Frontier> ComputeFrontier(const Problem& problem, const FrontierRequest& request,
                                         const SolverOptions& options, const RunContext& context,
                                         const FrontierSink& sink);

// The same for a convex objective of the whole choice: each point is SolveConvex's answer, started from `starts` and
// from its neighbours' choices; then bounds of larger limits and choices of smaller ones are handed on, so that both
// fall as limits rise. There is no complete front.
absl::StatusOr<Frontier> ComputeConvexFrontier(const Problem& problem, const ConvexObjective& objective,
                                               std::span<const std::vector<int>> starts, const FrontierRequest& request,
                                               const SolverOptions& options, const RunContext& context,
                                               const FrontierSink& sink);

}  // namespace allocation
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_ALLOCATION_FRONTIER_H_
