#ifndef BITPLAN_TESTS_TESTING_SMALL_PLAN_H_
#define BITPLAN_TESTS_TESTING_SMALL_PLAN_H_

#include <string>

#include "search/plan/plan.h"

namespace bitplan {

inline PlanOption MakeOption(int bits, double sensitivity, int64_t size) {
  return {.option = {.weight_bits = bits},
          .sensitivity = sensitivity,
          .standard_error = sensitivity / 8,
          .costs = {{Resource::kSize, size}}};
}

// Three layers with 4 or 8 bits, b and c tied, under size=0.625x:
//
//            w4: loss, size     w8: loss, size
//   a        0.5      100       0.125    200
//   b        0.25     300       0.0625   600
//   c        0.03125   10       0         20
//
// Uniform 8 bit: 820, so the limit is floor(512.5) = 512. Uniform 4 bit and least achievable: 410. Of the four choices
// that obey the tie only a8 b4 c4 (510) beats a4 b4 c4: loss 0.125 + 0.25 + 0.03125 = 0.40625.
inline Plan SmallPlan() {
  Plan plan{.termination = Termination::kOptimal};
  plan.layers = {
      {.layer = {.name = "a", .kind = LayerKind::kConv, .weight_shape = {5, 5}, .num_weights = 25, .macs = 50},
       .chosen = MakeOption(8, 0.125, 200),
       .alternatives = {MakeOption(4, 0.5, 100)}},
      {.layer = {.name = "b", .kind = LayerKind::kGemm, .num_weights = 75, .macs = 75},
       .chosen = MakeOption(4, 0.25, 300),
       .alternatives = {MakeOption(8, 0.0625, 600)}},
      {.layer = {.name = "c, \"the last\"", .num_weights = 2, .macs = 2},
       .chosen = MakeOption(4, 0.03125, 10),
       .alternatives = {MakeOption(8, 0, 20)}}};
  plan.totals = {{Resource::kSize, 510}};
  plan.uniform = {{4, {{Resource::kSize, 410}}}, {8, {{Resource::kSize, 820}}}};
  plan.budgets = {{.resource = Resource::kSize,
                   .spec = "size=0.625x",
                   .limit = 512,
                   .least_achievable = 410,
                   .used = 510,
                   .slack = 2,
                   .multiplier = 0.00375}};
  plan.ties = {{"b", "c, \"the last\""}};
  plan.objective = 0.40625;
  plan.bound = 0.40625;
  plan.solver = "one_budget";
  plan.solver_nodes = 4;
  plan.provenance = {.model_digest = std::string(64, '1'),
                     .dataset_digest = std::string(64, '2'),
                     .measurement_digest = std::string(64, '3'),
                     .method = "hawq_v2",
                     .profile = "generic",
                     .profile_digest = std::string(64, '4'),
                     .cost_sources = {{Resource::kSize, "profile 'generic'"}},
                     .seed = 18446744073709551615U,
                     .bitplan_version = "0.1.0",
                     .versions = {{"estimators", "1"}},
                     .origin = {{"source", "a paper"}}};
  plan.warnings = {"1 of 2 traces missed the wanted error"};
  plan.created = "2024-05-06T07:08:09Z";
  plan.fingerprint = plan::Fingerprint(plan);
  return plan;
}

// The same under size=400bit: 10 bits short.
inline Plan InfeasiblePlan() {
  Plan plan = SmallPlan();
  plan.termination = Termination::kInfeasible;
  for (PlanLayer& layer : plan.layers) {
    layer.alternatives.insert(layer.alternatives.begin(), *layer.chosen);
    layer.chosen.reset();
  }
  plan.totals.clear();
  plan.budgets[0] = {.resource = Resource::kSize, .spec = "size=400bit", .limit = 400, .least_achievable = 410};
  plan.objective = plan.bound = 0;
  plan.infeasibility = PlanInfeasibility{
      .joint = false, .shortages = {{.resource = Resource::kSize, .least_achievable = 410, .short_by = 10}}};
  plan.diagnosis = "size: at least 410 is needed";
  plan.fingerprint = plan::Fingerprint(plan);
  return plan;
}

}  // namespace bitplan

#endif  // BITPLAN_TESTS_TESTING_SMALL_PLAN_H_
