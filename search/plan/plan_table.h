#ifndef BITPLAN_SEARCH_PLAN_PLAN_TABLE_H_
#define BITPLAN_SEARCH_PLAN_PLAN_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "search/layer/agreement.h"
#include "search/plan/plan.h"

namespace bitplan {

// An option of a layer, or of tied layers together.
struct PlanTableItem {
  Option option;
  std::string label;          // Label(option)
  long double value = 0;      // sum of the layers' sensitivities
  std::vector<int64_t> cost;  // of each row: sum over the layers
};

// A layer, or layers that are tied.
struct PlanTableGroup {
  std::string name;         // of the first layer
  std::vector<int> layers;  // indices into Plan::layers, ascending
  std::vector<PlanTableItem> items;
  int chosen = -1;  // index into items; -1: the plan has no choice
};

// Groups whose items agree in some parts of their options: activation ties, and groups of a runtime's rules.
struct PlanLink {
  std::vector<int> groups;       // indices, ascending
  std::vector<Agreement> agree;  // ascending
};

// Groups that links join, directly or through others.
struct PlanLinkedSet {
  std::vector<int> groups;  // indices, ascending
  std::vector<PlanLink> links;
};

// Two items of two groups that cost something together (Plan::boundaries).
struct PlanTablePair {
  int group_a = 0;
  int item_a = 0;
  int group_b = 0;  // not group_a
  int item_b = 0;
  std::vector<int64_t> cost;  // of each row
};

// The choice that a plan is about, as numbers, from the plan's own tables: one item of each group, items of linked
// groups that agree as their links say, and sum of costs, those of pairs included, <= limit in each row.
struct PlanTable {
  std::vector<PlanTableGroup> groups;      // in the order of their first layers
  std::vector<PlanLinkedSet> linked_sets;  // of two or more groups each
  std::vector<int64_t> limits;             // of each row
  std::vector<int> budget_of;              // of each row, ascending: one row a budget, one a step of the peak memory
  // Of an upper budget what no option changes (fixed bytes of a step, else 0): its row's limit is the budget's -
  // offset. Of a lower budget the sum over the groups of their largest costs: its row counts what each option has less
  // than its group's largest cost, and its limit is offset - the budget's.
  std::vector<int64_t> offsets;
  std::vector<PlanTablePair> pairs;

  size_t num_rows() const { return limits.size(); }
};

namespace plan {

// Options that the plan's rules forbid, that lack a cost of a budget, or that not every layer of a tie has, take no
// part. kDataLoss: a chosen option that takes no part, a plan with a choice and a group without items, ties of unknown
// layers, costs that do not add up in 64 bits.
absl::StatusOr<PlanTable> TableOf(const Plan& plan);

// The groups (indices into `groups`, which list layers) by what links join; a group without a link is alone. Links of
// equal parts that have a group in common are one. A group of tied layers agrees with itself. kDataLoss: a tie of an
// unknown layer.
absl::StatusOr<std::vector<PlanLinkedSet>> LinkedSets(const Plan& plan, const std::vector<std::vector<int>>& groups);

// What an option, or a combination of them, says of each link of a set: the parts that agree; empty: nothing, as no
// group of the link is among its own, or all have been.
using LinkKeys = std::vector<std::string>;
LinkKeys KeysOf(const PlanLinkedSet& set, int group, const Option& option);
// The keys of both together; nullopt where they differ on a link. Links whose last group is `group` are dropped:
// passing the groups in order, equal keys are what combinations must have in common to be continued alike.
std::optional<LinkKeys> AgreedKeys(const PlanLinkedSet& set, int group, const LinkKeys& a, const LinkKeys& b);

// The row's limit where its budget has another one.
int64_t RowLimit(const Plan& plan, const PlanTable& table, size_t row, int64_t budget_limit);

}  // namespace plan
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_PLAN_PLAN_TABLE_H_
