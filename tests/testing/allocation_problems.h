#ifndef BITPLAN_TESTS_TESTING_ALLOCATION_PROBLEMS_H_
#define BITPLAN_TESTS_TESTING_ALLOCATION_PROBLEMS_H_

#include <cstdint>
#include <string>

#include "search/allocation/problem.h"

namespace bitplan::testing {

// Shape of a random problem for the small solvers' tests. Features (ties, negative or equal or tiny objectives, zero,
// equal, huge or lattice-like costs, dominated options, budgets that fit exactly or are one short) are mixed by the
// seed.
struct RandomProblemSpec {
  uint64_t seed = 1;
  int min_layers = 1;
  int max_layers = 6;
  int max_options = 4;
  int min_budgets = 0;
  int max_budgets = 1;
  bool whole_objectives = false;  // objectives are integers: sums in double are exact
  // What else may be there, each with some chance: options that are not allowed, class ties, priced and forbidden
  // pairs, lower budgets, steps of a schedule.
  bool rules = false;
};
Problem RandomProblem(const RandomProblemSpec& spec);

// One budget, costs below `max_cost`, objective nearly proportional to minus the cost plus a bonus a step: the kind
// that bounds do not help with. `noise` 0 gives whole objectives.
Problem CorrelatedProblem(uint64_t seed, int num_layers, int num_options, int64_t max_cost, double noise);

// Several budgets, costs drawn at random and sorted, gain within half a percent of the mean cost: 20 x 8 x 3 keeps CBC
// busy for minutes, so tests can interrupt it.
Problem HardProblem(uint64_t seed, int num_layers, int num_options, int num_budgets);

// What a network gives: layer sizes over three orders of magnitude, sensitivities that fall about fourfold a bit.
// Resources size, bops, latency; `num_budgets` of them limited, at `level` of the way from least to most.
Problem NetworkLikeProblem(uint64_t seed, int num_layers, int num_options, int num_budgets, double level);

// A step whose amounts are what the layers use of one resource; without a limit (0).
ProblemStep StepOn(const Problem& problem, int resource, std::vector<int> layers);

// For failure messages: everything needed to type the problem in again.
std::string Describe(const Problem& problem);

}  // namespace bitplan::testing

#endif  // BITPLAN_TESTS_TESTING_ALLOCATION_PROBLEMS_H_
