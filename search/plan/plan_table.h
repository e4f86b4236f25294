#ifndef BITPLAN_SEARCH_PLAN_PLAN_TABLE_H_
#define BITPLAN_SEARCH_PLAN_PLAN_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "search/plan/plan.h"

namespace bitplan {

// An option of a layer, or of tied layers together.
struct PlanTableItem {
  Option option;
  std::string label;          // Label(option)
  long double value = 0;      // sum of the layers' sensitivities
  std::vector<int64_t> cost;  // of each budget: sum over the layers
};

// A layer, or layers that are tied.
struct PlanTableGroup {
  std::string name;         // of the first layer
  std::vector<int> layers;  // indices into Plan::layers, ascending
  std::vector<PlanTableItem> items;
  int chosen = -1;  // index into items; -1: the plan has no choice
};

// The choice that a plan is about, as numbers, from the plan's own tables.
struct PlanTable {
  std::vector<PlanTableGroup> groups;  // in the order of their first layers
  std::vector<int64_t> limits;         // of each budget, in the plan's order

  size_t num_rows() const { return limits.size(); }
};

namespace plan {

// Options that lack a cost of a budget, or that not every layer of a tie has, take no part. kDataLoss: a group without
// options or with a chosen one that takes no part, ties of unknown layers, costs that do not add up in 64 bits.
absl::StatusOr<PlanTable> TableOf(const Plan& plan);

}  // namespace plan
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_PLAN_PLAN_TABLE_H_
