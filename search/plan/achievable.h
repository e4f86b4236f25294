#ifndef BITPLAN_SEARCH_PLAN_ACHIEVABLE_H_
#define BITPLAN_SEARCH_PLAN_ACHIEVABLE_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "search/base/resource.h"
#include "search/plan/plan.h"
#include "search/plan/plan_table.h"

namespace bitplan {

// Smallest and largest amount.
struct SumRange {
  int64_t least = 0;
  int64_t most = 0;
};

namespace plan {

// A layer's options, the chosen one first if there is one.
std::vector<PlanOption> OptionsOf(const PlanLayer& layer);

// The least amount of a resource that a choice which keeps ties and rules can use; see AchievableRange. kDataLoss: ties
// of unknown layers; nothing is achievable.
absl::StatusOr<int64_t> LeastAchievable(const Plan& plan, Resource resource);

// What choices that keep ties and rules use of a resource, budgets not looked at: exact for sums. Of a maximum over the
// execution `least` is the largest of what each step takes at least, and `most` is 0.
// `groups`: tied layers (indices); `sets`: groups that links join (LinkedSets).
// nullopt: no choice keeps ties and rules, or a sum does not fit in int64.
std::optional<SumRange> AchievableRange(const Plan& plan, const std::vector<std::vector<int>>& groups,
                                        const std::vector<PlanLinkedSet>& sets, Resource resource);

}  // namespace plan
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_PLAN_ACHIEVABLE_H_
