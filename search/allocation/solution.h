#ifndef BITPLAN_SEARCH_ALLOCATION_SOLUTION_H_
#define BITPLAN_SEARCH_ALLOCATION_SOLUTION_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "search/allocation/problem.h"

namespace bitplan {

// How a search ended.
enum class Termination {
  kOptimal,     // proven: no choice within the budgets is better by more than Solution::optimality_tolerance
  kFeasible,    // stopped by the node limit or at the gap asked for; a choice, not proven best
  kInfeasible,  // proven: no choice keeps every budget; Solution::infeasibility says why
  kTimeLimit,   // stopped by a time limit or deadline; a choice may be there
  kCancelled,   // stopped on request; a choice may be there
};

// What a choice uses of one budget. One entry for each budget of the problem, in its order.
struct BudgetUsage {
  std::string resource;  // name of the resource
  int64_t limit = 0;     // as in the problem
  // Smallest (largest) sum that any choice has that keeps the rules (ties, class ties, allowed options, forbidden
  // pairs), this budget looked at alone; exact. The largest is worked out for lower budgets only (0 for upper ones).
  int64_t least_achievable = 0;
  int64_t used = 0;   // sum over the choice, exact; 0 without a choice
  int64_t slack = 0;  // limit - used, of a lower budget used - limit; 0 without a choice
  // Lagrange multiplier: about how much the objective would fall if the limit were loosened by one base unit (raised,
  // or lowered for a lower budget); >= 0. Taken from the linear relaxation, so a price for small changes, not a
  // promise. Absent if the solver has none.
  std::optional<double> multiplier;
  BudgetSense sense = BudgetSense::kAtMost;  // as in the problem
  int64_t most_achievable = 0;
};

// What a choice uses in one step of the schedule. One entry for each step of the problem, in its order.
struct StepUsage {
  int64_t used = 0;   // exact; 0 without a choice
  int64_t slack = 0;  // limit - used; 0 without a choice
};

// One budget that cannot be kept.
struct BudgetShortage {
  int budget = 0;  // index into Problem::budgets; -1: a step
  // Least achievable sum (of a lower budget the most achievable one): of this budget alone, or, if
  // Infeasibility::joint, while every other budget is kept. Absent if others_conflict, or if the question was cut
  // short.
  std::optional<int64_t> least_achievable;
  std::optional<int64_t> short_by;  // least_achievable - limit (lower: limit - least_achievable), > 0; absent with it
  bool others_conflict = false;     // the other budgets cannot be kept together even without this one
  int step = -1;                    // index into Problem::steps; -1: a budget
};

struct Infeasibility {
  // False: each entry of `shortages` is a budget that no choice keeps, whatever the others are.
  // True:  every budget can be kept alone, but not all together; `shortages` then has one entry for each budget that
  // can
  //        bind at all (not those that every choice keeps).
  bool joint = false;
  std::vector<BudgetShortage> shortages;  // in the order of Problem::budgets, then Problem::steps
  // True: no choice keeps even the rules (ties, class ties, allowed options, forbidden pairs), whatever the budgets
  // are; there are no shortages then.
  bool rules_conflict = false;
};

// Answer of a solver. What means something, by termination:
//
//   field                     kOptimal   kFeasible  kInfeasible  kTimeLimit, kCancelled
//   choice                    yes        yes        empty        if one was found, else empty
//   objective, used, slack    yes        yes        -            with a choice
//   bound                     yes        yes        -            yes
//   gap                       yes        yes        -            with a choice, else +infinity
//   infeasibility             -          -          yes          -
//   budgets[].limit, .least_achievable, solver, nodes            always
//
// A search that was cut short is never kOptimal, even if its choice happens to be best.
struct Solution {
  Termination termination = Termination::kCancelled;
  std::vector<int> choice;  // option index of each layer; empty: none
  double objective = 0;     // sum of the choice's objectives, added in layer order
  double bound = 0;         // no choice within the budgets is better than this by more than optimality_tolerance
  double gap = 0;           // RelativeGap(objective, bound); 0 exactly for kOptimal
  // Units of the objective. The exact solver compares sums in 128-bit integers and states what rounding into them may
  // have lost (mostly 0); "cbc" works in floating point and states its tolerances.
  double optimality_tolerance = 0;
  std::vector<BudgetUsage> budgets;
  std::optional<Infeasibility> infeasibility;  // present exactly for kInfeasible
  std::string solver;                          // name in solver_table.h, never "auto"
  int64_t nodes = 0;                           // states or branch-and-bound nodes looked at
  std::vector<StepUsage> steps;
};

namespace allocation {

// "optimal", "feasible", "infeasible", "time_limit", "cancelled".
std::string_view TerminationName(Termination termination);
// Inverse of TerminationName; nullopt for any other text.
std::optional<Termination> ParseTermination(std::string_view name);

// max(0, objective - bound) / max(|objective|, |bound|); 0 if both are 0.
double RelativeGap(double objective, double bound);

// One sentence for each short budget of an infeasible solution, for people: which, by how much, what is least. Empty
// for any other termination.
std::string ExplainInfeasibility(const Solution& solution);

}  // namespace allocation
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_ALLOCATION_SOLUTION_H_
