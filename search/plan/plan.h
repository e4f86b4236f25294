#ifndef BITPLAN_SEARCH_PLAN_PLAN_H_
#define BITPLAN_SEARCH_PLAN_PLAN_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "search/allocation/solution.h"
#include "search/base/resource.h"
#include "search/layer/agreement.h"
#include "search/layer/boundary_cost.h"
#include "search/layer/layer.h"
#include "search/layer/peak_memory.h"
#include "search/layer/width_rule.h"

namespace bitplan {

// An option with its price: what it is predicted to do to the loss and what it uses.
struct PlanOption {
  Option option;
  double sensitivity = 0;     // units of loss
  double standard_error = 0;  // same units; 0 where not known
  Costs costs;                // a resource that is absent has no known cost
  // Of the chosen option: where its costs come from, less those that are exact by definition (kModel). Empty for
  // alternatives and in plans older than this field.
  CostSources cost_sources = {};

  bool operator==(const PlanOption&) const = default;
};

// One layer: what it got and what else it could have had.
struct PlanLayer {
  Layer layer;
  std::optional<PlanOption> chosen;      // absent in every layer if the plan has no choice
  std::vector<PlanOption> alternatives;  // the layer's other options, in the order of its option table
  // How sure `chosen` is, given the errors of the sensitivities (allocation::AssessRobustness); both or none.
  std::optional<double> keep_probability;
  std::optional<double> value_of_information;  // units of loss

  bool operator==(const PlanLayer&) const;
};

struct PlanBudget {
  Resource resource = Resource::kSize;
  std::string spec;              // as asked for, canonical: "size=0.5x"
  int64_t limit = 0;             // base unit
  int64_t least_achievable = 0;  // smallest sum any choice has, this budget looked at alone, ties respected
  int64_t used = 0;              // 0 without a choice
  int64_t slack = 0;             // limit - used, of a lower budget used - limit; 0 without a choice
  // About how much the predicted loss would fall for one more base unit; absent if the solver has none.
  std::optional<double> multiplier;
  BudgetSense sense = BudgetSense::kAtMost;
  int64_t most_achievable = 0;  // of a lower budget: largest sum any choice has, likewise; else 0

  bool operator==(const PlanBudget&) const = default;
};

// A budget that cannot be kept; see BudgetShortage.
struct PlanShortage {
  Resource resource = Resource::kSize;
  std::optional<int64_t> least_achievable;
  std::optional<int64_t> short_by;
  BudgetSense sense = BudgetSense::kAtMost;  // of the budget; kAtLeast: least_achievable is the most achievable

  bool operator==(const PlanShortage&) const = default;
};

// Why no choice keeps the budgets; see Infeasibility.
struct PlanInfeasibility {
  bool joint = false;
  std::vector<PlanShortage> shortages;
  bool rules_conflict = false;  // ties, activation ties and rules leave no choice at all; no shortages then

  bool operator==(const PlanInfeasibility&) const = default;
};

// What a plan rests on. Digests are 64 lower-case hexadecimal digits of SHA-256, empty where the ingredient does not
// apply.
struct PlanProvenance {
  std::string model_digest;
  std::string dataset_digest;
  std::string measurement_digest;
  std::string method;                      // of the sensitivities: "hawq_v2", "given", ...
  std::string loss;                        // that they are of: "cross_entropy", ...; empty if not known
  std::optional<bool> activations_scored;  // they count what quantizing activations does; absent if not known
  std::string profile;
  std::string profile_digest;
  std::map<Resource, std::string> cost_sources;  // "profile 'generic'" or "given"
  uint64_t seed = 0;
  std::string bitplan_version;
  std::map<std::string, std::string> versions;  // of what the numbers depend on
  std::map<std::string, std::string> origin;    // free text that came with given sensitivities

  bool operator==(const PlanProvenance&) const = default;
};

// The runtime whose rules a plan obeys, and what they tied in this network.
struct PlanRuntime {
  std::string name;
  std::string version;               // of its rules
  std::string digest;                // of their document
  std::vector<RuntimeGroup> groups;  // those of whole options are in Plan::ties, too
  std::vector<std::string> unseen;   // rules on the network's graph, of which the measurement said nothing

  bool operator==(const PlanRuntime&) const = default;
};

// One option for each layer with names, prices and provenance: what users keep, export and load. See
// docs/formats/plan.md. What means something by termination: as for Solution; without a choice `layers` lists the
// options, `totals` is empty and `diagnosis` says why.
struct Plan {
  Termination termination = Termination::kCancelled;
  std::vector<PlanLayer> layers;  // in execution order
  Costs totals;                   // sums over the choice, for each resource that every chosen option has a cost of
  std::map<int, Costs> uniform;   // totals of uniform 4 and 8 bits, cheapest option each, where every layer has one
  std::vector<PlanBudget> budgets;
  // What memory is the maximum of, in totals, uniform and budgets; absent: memory is a sum over layers or not known.
  std::optional<PeakMemory> peak_memory;
  // What layers that meet cost together: part of totals and of what budgets use, not of uniform nor least_achievable's
  // lower limit; see plan::Verify.
  std::vector<BoundaryCost> boundaries;
  std::vector<std::vector<std::string>> ties;             // names of layers that share bits, scheme and granularity
  std::vector<std::vector<std::string>> activation_ties;  // names of layers that share activation bits
  std::optional<PlanRuntime> runtime;                     // absent: searched without
  std::vector<WidthRule> rules;                           // pinned and forbidden widths, and why

  double objective = 0;   // predicted loss increase: sum of the chosen sensitivities in layer order, or by `predictor`
  std::string predictor;  // a method that predicts whole plans; empty: the sum
  double objective_standard_error = 0;  // over samples; of a predictor's objective, else 0
  double bound = 0;  // no choice within the budgets has a smaller objective (up to optimality_tolerance)
  double gap = 0;    // allocation::RelativeGap(objective, bound)
  double optimality_tolerance = 0;
  // With keep_probability of the layers: what the plan's objective is above the best plan's on average, should the
  // sensitivities be off by their errors; units of loss.
  std::optional<double> mean_regret;
  std::string solver;
  int64_t solver_nodes = 0;
  std::optional<PlanInfeasibility> infeasibility;  // present exactly for kInfeasible
  std::string diagnosis;  // plain words on an infeasible or unproven answer; empty for an optimal one
  // Plain words on the sensitivities: their notes, and what they lack, such as estimates that missed their error
  // target; empty: nothing known.
  std::vector<std::string> warnings;

  PlanProvenance provenance;
  std::string created;      // RFC 3339 in UTC, from the caller; may be empty; not part of the fingerprint
  std::string fingerprint;  // plan::Fingerprint

  // Whether a resource is a maximum over the execution, not a sum over layers.
  bool is_peak(Resource resource) const { return resource == Resource::kMemory && peak_memory.has_value(); }
  bool has_choice() const { return !layers.empty() && layers.front().chosen.has_value(); }
  bool operator==(const Plan&) const = default;
};

namespace plan {

// SHA-256 of the plan's JSON without `created` and `fingerprint`: the same search gives the same fingerprint anywhere.
std::string Fingerprint(const Plan& plan);

}  // namespace plan
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_PLAN_PLAN_H_
