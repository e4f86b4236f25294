#ifndef BITPLAN_TESTS_TESTING_EXPORT_PLANS_H_
#define BITPLAN_TESTS_TESTING_EXPORT_PLANS_H_

#include <optional>
#include <string>
#include <vector>

#include "search/plan/plan.h"

namespace bitplan::testing {

// A plan with one layer for every option that a search can produce, for each of several kinds and shapes of layers: all
// quantizers of the quantizer table with their widths, granularities, range rules and roundings, activations of 1, 3,
// 4, 8, 16 and 32 bits, and given options of 1..32 bits. Names are those of PyTorch modules; some need quoting. Costs
// and sums are left out.
Plan PlanOfEveryOption(std::optional<bool> activations_scored);

// Seven layers of a small network with the options that people use most.
Plan TypicalPlan();

}  // namespace bitplan::testing

#endif  // BITPLAN_TESTS_TESTING_EXPORT_PLANS_H_
