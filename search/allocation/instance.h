#ifndef BITPLAN_SEARCH_ALLOCATION_INSTANCE_H_
#define BITPLAN_SEARCH_ALLOCATION_INSTANCE_H_

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "search/allocation/int128.h"
#include "search/allocation/problem.h"
#include "search/allocation/solution.h"

namespace bitplan::allocation {

// Layers that are decided together, as one: each option of the group says what each of its layers takes.
struct InstanceGroup {
  std::vector<int> layers;    // of a group that BuildInstance made ascending; none: stands for the class of a class tie
  std::vector<Int128> value;  // of each option: objective in units of 2^-shift, summed over the layers
  std::vector<int64_t> cost;  // [option * num_rows + row]: cost summed over the layers
  // [option * layers.size() + j]: option index that layers[j] takes. Empty: option k is index k in every layer.
  std::vector<int> taken;

  int num_options() const { return static_cast<int>(value.size()); }
  // Index that layers[j] takes with `option`.
  int OptionOf(int option, size_t j) const { return taken.empty() ? option : taken[option * layers.size() + j]; }
};

// What two groups cost together, besides what each costs.
struct InstanceLink {
  int a = 0;  // indices into Instance::groups, a < b; no two links have the same two
  int b = 0;
  std::vector<Int128> value;  // [k * options of b + l]: as InstanceGroup::value; kInfiniteValue: not allowed together
  std::vector<int64_t> cost;  // [(k * options of b + l) * num_rows + row], >= 0; empty: none
};

// The canonical form every solver works on: ties merged, objectives as integers, only the budgets that can bind, all
// of them upper ones: a lower budget, sum of c[i] >= limit, is the sum of (most of group - c[i]) <= (sum of the mosts)
// - limit. Class ties of three and more layers are a group without layers, whose options are the classes, linked to
// each.
struct Instance {
  std::vector<InstanceGroup> groups;  // in the order of their first layers
  std::vector<int> rows;              // constraints: of Problem::budgets; budgets.size() + s is Problem::steps[s]
  std::vector<int64_t> limits;        // of each row
  int shift = 0;                      // value = objective * 2^shift
  double rounding = 0;              // objective units: an upper bound on what rounding to integers can change in a sum
  std::vector<InstanceLink> links;  // only `linked` and `cbc` take them (solver_table.h); see merge_links.h
  bool no_choice = false;           // some group has no option left; such an instance goes to no solver

  int num_rows() const { return static_cast<int>(rows.size()); }
};

// What a solver hands back: an answer in terms of groups and rows.
struct InstanceSolution {
  Termination termination = Termination::kCancelled;
  std::vector<int> option;          // of each group; empty: none
  double bound = 0;                 // objective units; kOptimal from an exact solver: the value of the choice
  double optimality_tolerance = 0;  // objective units
  std::vector<double> multipliers;  // of each row, objective units per base unit; empty: the solver has none
  int64_t nodes = 0;
};

// Groups of tied layers, each ascending, ordered by first layer; a layer without ties is a group of its own. Groups of
// problem.ties that share a layer become one.
std::vector<std::vector<int>> TieGroups(const Problem& problem);

// Smallest and largest sum of a resource over all choices that respect ties and allowed options. With class ties or
// pairs the true range may be smaller.
struct CostRange {
  int64_t least = 0;
  int64_t most = 0;
};
// Of each resource, in one pass.
std::vector<CostRange> RangesOfResources(const Problem& problem, std::span<const std::vector<int>> groups);

// Option indices that every layer of each group may take: allowed, of one class under every class tie that the group's
// layers share, in no forbidden pair within the group. Empty ones: no choice keeps the rules.
std::vector<std::vector<int>> AllowedOptions(const Problem& problem, std::span<const std::vector<int>> groups);

// Indices of the budgets that some choice may break; of several budgets of one sense on one resource only the first of
// the tightest.
std::vector<int> BindingBudgets(const Problem& problem, std::span<const std::vector<int>> groups);

// The instance that minimises the objective of `problem`, or the sum of resource `minimised` if given, subject to the
// budgets in `rows`. The shift is the largest that keeps sums below 2^kValueBits: objectives whose largest sum is S
// lose nothing as long as their lowest set bit is worth 2^-117 S or more. `problem` must be valid
// (allocation::Validate).
// Where all options are allowed and there are no class ties, option k of every group is option k of its layers.
Instance BuildInstance(const Problem& problem, std::span<const std::vector<int>> groups, std::vector<int> rows,
                       std::optional<int> minimised);

// The instance that minimises its row `position` (of Instance::rows) subject to the other rows: for a lower budget that
// is the most that its resource can reach.
Instance MinimiseRow(Instance instance, int position);

// Option index of each layer from the option of each group.
std::vector<int> ChoiceOfLayers(const Instance& instance, std::span<const int> option, size_t num_layers);

}  // namespace bitplan::allocation

#endif  // BITPLAN_SEARCH_ALLOCATION_INSTANCE_H_
