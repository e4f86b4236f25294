#include "search/allocation/one_budget.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "search/allocation/knapsack.h"
#include "search/allocation/knapsack_bound.h"
#include "search/allocation/knapsack_dp.h"
#include "search/base/check.h"

namespace bitplan::allocation {
namespace {

// States are numbered with 32 bits.
constexpr int64_t kMostStates = int64_t{1} << 31;

// Without a budget all costs are 0 and so is the capacity.
Knapsack MakeKnapsack(const Instance& instance) {
  const bool limited = instance.num_rows() == 1;
  Knapsack knapsack{.capacity = limited ? instance.limits[0] : 0};
  knapsack.groups.reserve(instance.groups.size());
  for (const InstanceGroup& group : instance.groups) {
    std::vector<KnapsackItem>& items = knapsack.groups.emplace_back();
    for (size_t k = 0; k < group.value.size(); ++k) {
      items.push_back({limited ? group.cost[k] : 0, group.value[k], static_cast<int>(k)});
    }
  }
  return knapsack;
}

std::vector<int> OptionsOf(const Knapsack& knapsack, const std::vector<int>& item) {
  std::vector<int> option(item.size());
  for (size_t g = 0; g < item.size(); ++g) option[g] = knapsack.groups[g][item[g]].option;
  return option;
}

}  // namespace

// BITPLAN_CHECK: a caller gave more than one row.
ExactSolution SolveExactly(const Instance& instance, const SolverOptions& options, const RunContext& context) {
  BITPLAN_CHECK(instance.num_rows() <= 1);
  const ReducedKnapsack reduced = ReduceKnapsack(MakeKnapsack(instance));
  if (reduced.infeasible) return {.termination = Termination::kInfeasible};
  const Relaxation relaxation = Relax(reduced.knapsack);
  const ListSearchLimits limits{.max_states = std::min(options.node_limit, kMostStates),
                                .relative_gap = options.relative_gap};
  const ListSearchResult found =
      SearchLists(reduced, relaxation, GreedyChoice(reduced.knapsack, relaxation), limits, context);
  return {.termination = found.termination,
          .option = OptionsOf(reduced.knapsack, found.item),
          .value = found.value,
          .bound = found.bound,
          .multiplier = FromFixedPoint(relaxation.multiplier, instance.shift) / static_cast<double>(reduced.cost_unit),
          .nodes = found.states};
}

absl::StatusOr<InstanceSolution> SolveOneBudget(const Instance& instance, const SolverOptions& options,
                                                const RunContext& context) {
  ExactSolution exact = SolveExactly(instance, options, context);
  InstanceSolution solution{.termination = exact.termination,
                            .option = std::move(exact.option),
                            .bound = FromFixedPoint(exact.bound, instance.shift),
                            .optimality_tolerance = instance.rounding,
                            .nodes = exact.nodes};
  if (instance.num_rows() == 1) solution.multipliers = {exact.multiplier};
  return solution;
}

}  // namespace bitplan::allocation
