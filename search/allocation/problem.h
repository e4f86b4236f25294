#ifndef BITPLAN_SEARCH_ALLOCATION_PROBLEM_H_
#define BITPLAN_SEARCH_ALLOCATION_PROBLEM_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace bitplan {

// One option of one layer, as the solvers see it.
struct ProblemOption {
  double objective = 0;       // sensitivity, units of loss; finite, may be negative
  std::vector<int64_t> cost;  // one entry a resource of Problem::resources, in its base unit; each >= 0
};

struct ProblemLayer {
  std::string name;  // for messages only; may be empty
  std::vector<ProblemOption> options;
};

// Upper limit on the sum of one resource over all layers. A sum equal to the limit is allowed.
struct ProblemBudget {
  int resource = 0;   // index into Problem::resources
  int64_t limit = 0;  // >= 0, base unit of the resource
};

// Bit allocation as an integer linear program with x[i][k] in {0, 1}:
//
//   minimise    sum_i sum_k x[i][k] * layers[i].options[k].objective
//   subject to  sum_k x[i][k] = 1                                                  for every layer i
//               sum_i sum_k x[i][k] * layers[i].options[k].cost[r] <= limit        for every budget (r, limit)
//               x[i][k] = x[j][k]                                                  for i, j in one group of `ties`
//
// Pure numbers: nothing here knows networks. Without budgets every layer (or group of ties) takes its best option.
struct Problem {
  std::vector<std::string> resources;  // names, such as "size_bits"; unique
  std::vector<ProblemLayer> layers;
  std::vector<ProblemBudget> budgets;  // may name a resource twice (both hold) or never (it is added up all the same)
  std::vector<std::vector<int>> ties;  // groups of layer indices that take the same option index; groups that overlap
                                       // count as one
};

namespace allocation {

// OK, or kInvalidArgument with a message that begins with the path of the field: no layers, a layer without options,
// ragged costs, a negative cost or limit, an objective that is not finite, an unknown resource or layer index, tied
// layers with different option counts, and costs or objectives whose sum over the layers could overflow: for every
// resource the sum of the layers' largest costs fits in int64, so no sum over a choice can overflow afterwards.
absl::Status Validate(const Problem& problem);

}  // namespace allocation
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_ALLOCATION_PROBLEM_H_
