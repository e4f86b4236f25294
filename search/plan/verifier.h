#ifndef BITPLAN_SEARCH_PLAN_VERIFIER_H_
#define BITPLAN_SEARCH_PLAN_VERIFIER_H_

#include "absl/status/status.h"
#include "search/plan/plan.h"

namespace bitplan::plan {

// Adds everything in `plan` again from its own tables and compares: totals, uniform totals, budgets (used, slack, least
// achievable, limit kept), objective, bound, gap, ties, groups of the runtime's rules, uniqueness of names and options,
// fingerprint. Integers must be equal; the objective is added in layer order and must be equal as well, bit for bit.
// kDataLoss with the path of what does not hold. Does not know the model: whether the sensitivities are right is a
// question for a new measurement.
absl::Status Verify(const Plan& plan);

}  // namespace bitplan::plan

#endif  // BITPLAN_SEARCH_PLAN_VERIFIER_H_
