#ifndef BITPLAN_SEARCH_PLAN_EXPLANATION_H_
#define BITPLAN_SEARCH_PLAN_EXPLANATION_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "search/allocation/solver_options.h"
#include "search/base/run_context.h"
#include "search/plan/plan.h"

namespace bitplan {

// The best plan under another limit of one budget, all else equal.
struct OtherLimit {
  double factor = 1;                // of the plan's limit
  int64_t limit = 0;                // rounded down
  std::optional<double> objective;  // absent: no choice keeps the budgets, or none was found in time
  bool is_proven = false;           // that it is the least objective, or that there is no choice
};

struct BudgetExplanation {
  PlanBudget budget;
  // Loss a base unit: the plan's multiplier. About what one more unit would bring, or one less would cost.
  std::optional<double> price;
  std::vector<OtherLimit> other_limits;
};

// An option of a layer, or of tied layers together, at the plan's prices.
struct ExplainedOption {
  Option option;
  double sensitivity = 0;  // sum over the layers, units of loss
  Costs costs;             // sums over the layers, of resources that each of them has a cost of
  // Sensitivity and priced costs together, less those of the chosen option. Absent for one that takes no part.
  std::optional<double> margin;
  std::string why_not;  // why it takes no part; empty: it does
};

// Why a layer, or tied layers together, has its option.
struct LayerExplanation {
  std::vector<std::string> layers;
  Option chosen;
  // What limits their options, in words: pins and widths that are ruled out, ties, rules of the plan's runtime.
  std::vector<std::string> reasons;
  std::vector<ExplainedOption> options;  // all there are, the chosen one first
  // Of the option that comes next at the plan's prices: how much sensitivity and priced costs together exceed those of
  // the chosen one. An error of this size in the sensitivities may change the choice. Absent for a single option.
  std::optional<double> price_margin;
  std::optional<Option> next;
  // What the best plan without this option loses against this plan, by solving again. Absent: see `is_needed`.
  std::optional<double> regret;
  bool is_proven = false;         // that the regret is no less, or that the option is needed
  bool is_needed = false;         // no choice without it keeps the budgets
  std::optional<Option> instead;  // what the layer has then
  int num_others = 0;             // layers or ties besides it that change, too
};

// Which budgets clash.
struct ConflictExplanation {
  // A smallest set in the sense that without any one of it the others can be kept: indices into Plan::budgets. Empty:
  // ties and rules alone leave no choice.
  std::vector<int> budgets;
  // The smallest common factor with which they can be kept, upper limits times it and lower ones divided by it, up to
  // 2^-20 of it, and the limits then.
  // Absent where a question was not answered in time, or where factors do not help (a limit of 0).
  std::optional<double> factor;
  std::vector<int64_t> limits;
  bool is_proven = false;  // of `budgets`; false: a question was not answered in time
};

struct Explanation {
  std::vector<BudgetExplanation> budgets;
  std::vector<LayerExplanation> layers;         // of a plan with a choice, in layer order
  std::optional<ConflictExplanation> conflict;  // of an infeasible plan
  // Regrets and other limits are of the sum of sensitivities; a plan whose objective is a predictor's has none.
  bool solves_again = true;
};

// What to explain.
struct ExplainRequest {
  SolverOptions solver;  // of each question
  std::string layer;     // only this layer (with those it is tied to); empty: all
};

namespace plan {

// Explains a plan by its own tables: prices, margins, and the questions "what if this layer could not have its option"
// and "what if this budget were larger or smaller", each answered by allocation::Solve within `solver`; of an
// infeasible plan, which budgets clash. Cost: a solve for each layer and for each other limit.
// Errors: kDataLoss (a plan whose tables do not hold together), kNotFound (no such layer), as Solve otherwise.
// Progress: stage "explain".
absl::StatusOr<Explanation> Explain(const Plan& plan, const ExplainRequest& request, const RunContext& context);

// docs/formats/explanation.md.
std::string ToJson(const Explanation& explanation);

}  // namespace plan
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_PLAN_EXPLANATION_H_
