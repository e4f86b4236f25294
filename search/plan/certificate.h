#ifndef BITPLAN_SEARCH_PLAN_CERTIFICATE_H_
#define BITPLAN_SEARCH_PLAN_CERTIFICATE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "search/base/run_context.h"
#include "search/plan/plan.h"

namespace bitplan {

// What of a plan's proof could be repeated.
enum class ProofCheck {
  kOptimal,     // no choice within the budgets has a smaller objective: all that the bound leaves were looked at
  kBound,       // `bound` holds; too many choices are left between it and the objective to look at all
  kInfeasible,  // no choice keeps the budgets
  kUnchecked,   // nothing: the numbers that the proof rests on are not in the plan
};

struct Certificate {
  ProofCheck check = ProofCheck::kUnchecked;
  // Lagrangian bound at `multipliers`, rounding taken off; kOptimal: the objective. Absent for kInfeasible, kUnchecked.
  std::optional<double> bound;
  double gap = 0;                   // RelativeGap(objective, bound)
  std::vector<double> multipliers;  // of each budget: units of loss per base unit
  int64_t open_layers = 0;          // layers (or groups of ties) of which the bound leaves several options
  int64_t states = 0;               // partial choices looked at
  std::optional<double> better;     // smallest objective of a choice found that beats an unproven plan's
  std::string summary;              // one sentence
};

namespace plan {

// Repeats the proof of a plan from its own tables, with code that shares nothing with the solvers: this file reads only
// the plan. Plans that do not add up are Verify's business; call it first.
//
// With s the sensitivities, c the costs, B the limits, for any multipliers u >= 0 every choice within the budgets has
//
//   sum s >= L(u) = sum over layers of min over options (s + u'c) - u'B,
//
// (Everett 1963; tied layers count as one), and one that takes an option whose s + u'c is r above its layer's least is
// at least L(u) + r. u are the plan's multipliers, improved by subgradient steps (Polyak 1969). Sums are in long double
// with an allowance for rounding, costs in integers. What options r <= objective - L(u) leaves is looked at, all of it:
// partial choices layer by layer, without those that exceed a limit, that add up to more than the gap, or that another
// one is nowhere worse than. No more than `max_states` of them: then the check ends as kBound.
// Layers that share activation bits count as one whose options are their combinations, up to 4,096; beyond that the
// bound is taken without these ties and nothing is looked at. That no choice keeps several budgets together is proven
// by weights w >= 0 with sum min w'c > w'B, if some are found.
//
// Objectives that a predictor gave (Plan::predictor) are kUnchecked: the changes of outputs are in the measurement.
// Errors: kDataLoss, naming what was found: a choice that beats an optimal plan, that is below the plan's bound, or
// that keeps budgets said to be infeasible. kCancelled, kDeadlineExceeded.
absl::StatusOr<Certificate> CheckProof(const Plan& plan, int64_t max_states, const RunContext& context);

// "optimal", "bound", "infeasible", "unchecked".
std::string_view ToString(ProofCheck check);

// docs/formats/certificate.md.
std::string ToJson(const Certificate& certificate, const Plan& plan);

}  // namespace plan
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_PLAN_CERTIFICATE_H_
