#ifndef BITPLAN_SEARCH_ALLOCATION_PROBLEM_H_
#define BITPLAN_SEARCH_ALLOCATION_PROBLEM_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace bitplan {

// One option of one layer, as the solvers see it.
struct ProblemOption {
  double objective = 0;       // sensitivity, units of loss; finite, may be negative
  std::vector<int64_t> cost;  // one entry a resource of Problem::resources, in its base unit; each >= 0
  bool allowed = true;        // false: never taken (forbidden, or the layer is pinned to others)
};

struct ProblemLayer {
  std::string name;  // for messages only; may be empty
  std::vector<ProblemOption> options;
};

enum class BudgetSense {
  kAtMost,   // sum <= limit
  kAtLeast,  // sum >= limit
};

// Limit on the sum of one resource over all layers. A sum equal to the limit is allowed.
struct ProblemBudget {
  int resource = 0;   // index into Problem::resources
  int64_t limit = 0;  // >= 0, base unit of the resource
  BudgetSense sense = BudgetSense::kAtMost;
};

// Layers that take options of one class, such as one activation width, and may differ otherwise.
struct ClassTie {
  std::vector<int> layers;                // indices, each once
  std::vector<std::vector<int>> classes;  // [j][k]: class of option k of layers[j]; any numbers
};

// One moment of a schedule: the layers whose tensors are live then, and an upper limit on what they take together. A
// maximum over the schedule is within a limit if every step is.
struct ProblemStep {
  std::string name;                           // for messages only; may be empty
  std::vector<int> layers;                    // indices, each once
  std::vector<std::vector<int64_t>> amounts;  // [j][k]: of option k of layers[j]; each >= 0
  int64_t limit = 0;                          // >= 0
};

// Two options of two layers that meet: not allowed together, or at a price, such as that of converting widths where
// neighbours differ. Several entries on one pair of options add up.
struct ProblemPair {
  int layer_a = 0;
  int option_a = 0;
  int layer_b = 0;  // not layer_a
  int option_b = 0;
  bool forbidden = false;
  double objective = 0;       // added if both are taken; finite, may be negative
  std::vector<int64_t> cost;  // the same for costs: one entry a resource, each >= 0; empty: none
};

// Bit allocation as an integer linear program with x[i][k] in {0, 1}:
//
//   minimise    sum_i sum_k x[i][k] * layers[i].options[k].objective + sum over the pairs that meet of their objective
//   subject to  sum_k x[i][k] = 1                                       for every layer i
//               x[i][k] = 0                                             for options that are not allowed
//               U[r] <= limit or U[r] >= limit                          for every budget (r, limit)
//               sum_{i in S} sum_k x[i][k] * amount[i][k] <= limit      for every step (S, amount, limit)
//               x[i][k] = x[j][k]                                       for i, j in one group of `ties`
//               class of i's option = class of j's option               for i, j in one entry of `class_ties`
//               x[i][k] + x[j][l] <= 1                                  for every forbidden pair
//
// U[r]: the sum of resource r over the choice, costs of pairs that meet included.
// Pure numbers: nothing here knows networks. Without budgets every layer (or group of ties) takes its best option.
struct Problem {
  std::vector<std::string> resources;  // names, such as "size_bits"; unique
  std::vector<ProblemLayer> layers;
  std::vector<ProblemBudget> budgets;  // may name a resource twice (both hold) or never (it is added up all the same)
  std::vector<std::vector<int>> ties;  // groups of layer indices that take the same option index; groups that overlap
                                       // count as one
  std::vector<ClassTie> class_ties;
  std::vector<ProblemStep> steps;
  std::vector<ProblemPair> pairs;
  // Index of a resource: of several best choices that with the least sum of it is wanted (tie_break.h).
  std::optional<int> tie_break;
};

namespace allocation {

// Whether the problem asks for more than upper budgets and ties: options that are not allowed, lower budgets, class
// ties, steps or pairs.
bool HasRules(const Problem& problem);

// OK, or kInvalidArgument with a message that begins with the path of the field: no layers, a layer without options,
// ragged costs, a negative cost or limit, an objective that is not finite, an unknown resource or layer index, tied
// layers with different option counts, a layer without an allowed option, bad entries of class ties, steps or pairs,
// and costs or objectives whose sum could overflow: for every resource the sum of the layers' largest costs and of all
// pairs' costs fits in int64, likewise the sum of the largest amounts of every step, so no sum over a choice can
// overflow afterwards.
absl::Status Validate(const Problem& problem);

// What a choice takes in a step. Shapes: as in a valid problem.
int64_t UsedInStep(const ProblemStep& step, std::span<const int> choice);

}  // namespace allocation
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_ALLOCATION_PROBLEM_H_
