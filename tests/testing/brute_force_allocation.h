#ifndef BITPLAN_TESTS_TESTING_BRUTE_FORCE_ALLOCATION_H_
#define BITPLAN_TESTS_TESTING_BRUTE_FORCE_ALLOCATION_H_

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "search/allocation/problem.h"

namespace bitplan::testing {

// All there is to know about a problem, by looking at every choice. Shares no code with the solvers.
struct BruteForceAnswer {
  bool feasible = false;
  double objective = 0;              // least over the choices within the budgets, each added in layer order
  std::vector<int> choice;           // the first choice that attains it
  int64_t least_tie_break = 0;       // least sum of Problem::tie_break over those that attain it to the last bit
  bool rules_conflict = false;       // no choice keeps ties, class ties, allowed options and forbidden pairs
  std::vector<int64_t> least_alone;  // of each budget: least sum (lower budget: most) over choices that keep the rules
  std::vector<std::optional<int64_t>> least_given_rest;  // the same over choices that keep all the rest, too
  std::vector<std::optional<int64_t>> least_of_steps_given_rest;
};

// Product of the option counts must be small (some 10^6).
BruteForceAnswer SolveByBruteForce(const Problem& problem);

// Whether `choice` keeps every budget, step and rule.
bool KeepsEverything(const Problem& problem, std::span<const int> choice);

// Exact optimum of a problem with at most one budget by Bellman's recursion over the costs 0..limit: for problems too
// large for brute force with small limits. Objectives must be whole numbers below 2^40 so that double sums are exact.
// nullopt if infeasible. Ties must be empty.
std::optional<double> SolveByBellman(const Problem& problem);

}  // namespace bitplan::testing

#endif  // BITPLAN_TESTS_TESTING_BRUTE_FORCE_ALLOCATION_H_
