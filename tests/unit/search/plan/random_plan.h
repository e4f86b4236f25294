#ifndef BITPLAN_TESTS_UNIT_SEARCH_PLAN_RANDOM_PLAN_H_
#define BITPLAN_TESTS_UNIT_SEARCH_PLAN_RANDOM_PLAN_H_

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "search/allocation/problem.h"
#include "search/allocation/solution.h"
#include "search/layer/width_rule.h"
#include "search/plan/plan.h"

namespace bitplan {

inline constexpr Resource kUsed[] = {Resource::kSize, Resource::kBops, Resource::kLatency};

// Layers of 2 to 4 options, one to three budgets, some layers tied.
inline Problem RandomProblem(std::mt19937& rng) {
  const auto draw = [&](int least, int most) { return std::uniform_int_distribution(least, most)(rng); };
  Problem problem;
  const int num_rows = draw(1, 3);
  for (int r = 0; r < num_rows; ++r) problem.resources.push_back(std::string(ToString(kUsed[r])));
  const int num_layers = draw(2, 7);
  const int tied_options = draw(2, 4);
  std::vector<int64_t> least(num_rows);
  std::vector<int64_t> most(num_rows);
  for (int l = 0; l < num_layers; ++l) {
    ProblemLayer layer;
    const int num_options = l < 2 ? tied_options : draw(2, 4);
    for (int k = 0; k < num_options; ++k) {
      ProblemOption option{.objective = draw(-20, 200) / 64.0};
      for (int r = 0; r < num_rows; ++r) option.cost.push_back(draw(0, 30));
      layer.options.push_back(option);
    }
    for (int r = 0; r < num_rows; ++r) {
      const auto [low, high] = std::ranges::minmax(layer.options, {}, [r](const auto& o) { return o.cost[r]; });
      least[r] += low.cost[r];
      most[r] += high.cost[r];
    }
    problem.layers.push_back(layer);
  }
  if (draw(0, 1) == 1) problem.ties = {{0, 1}};
  for (int r = 0; r < num_rows; ++r) {
    problem.budgets.push_back({.resource = r, .limit = least[r] + draw(0, 60) * (most[r] - least[r]) / 100});
  }
  return problem;
}

// As a plan: option k has k + 2 bits, the chosen one first.
inline Plan PlanOf(const Problem& problem, const Solution& solution) {
  Plan plan{.termination = solution.termination};
  for (size_t l = 0; l < problem.layers.size(); ++l) {
    PlanLayer layer{.layer = {.name = "layer" + std::to_string(l), .num_weights = 1}};
    for (int k = 0; k < std::ssize(problem.layers[l].options); ++k) {
      const ProblemOption& option = problem.layers[l].options[k];
      PlanOption priced{.option = {.weight_bits = k + 2}, .sensitivity = option.objective};
      for (size_t r = 0; r < option.cost.size(); ++r) priced.costs[kUsed[r]] = option.cost[r];
      if (!solution.choice.empty() && solution.choice[l] == k) {
        layer.chosen = priced;
      } else {
        layer.alternatives.push_back(priced);
      }
    }
    plan.layers.push_back(layer);
  }
  for (size_t b = 0; b < problem.budgets.size(); ++b) {
    const BudgetUsage& usage = solution.budgets[b];
    plan.budgets.push_back({.resource = kUsed[b],
                            .limit = usage.limit,
                            .least_achievable = usage.least_achievable,
                            .used = usage.used,
                            .slack = usage.slack,
                            .multiplier = usage.multiplier});
  }
  for (const std::vector<int>& tie : problem.ties) {
    plan.ties.push_back({"layer" + std::to_string(tie[0]), "layer" + std::to_string(tie[1])});
  }
  plan.objective = solution.objective;
  plan.bound = solution.bound;
  plan.gap = solution.gap;
  plan.optimality_tolerance = solution.optimality_tolerance;
  return plan;
}

// Rules for a plan of RandomProblem, drawn: a forbidden width, a pinned one, activation widths that two layers share, a
// lower budget on the first resource. `problem` gets the same. Options k and k + 2 differ in activation bits.
inline void AddRules(std::mt19937& rng, Problem& problem, Plan& plan) {
  const auto draw = [&](int least, int most) { return std::uniform_int_distribution(least, most)(rng); };
  const auto for_each_option = [&](auto visit) {
    for (size_t l = 0; l < plan.layers.size(); ++l) {
      for (PlanOption& option : plan.layers[l].alternatives) {
        visit(l, option.option, problem.layers[l].options[option.option.weight_bits - 2]);
      }
    }
  };
  for_each_option(
      [](size_t, Option& option, ProblemOption&) { option.activation_bits = option.weight_bits < 4 ? 4 : 8; });
  const int last = static_cast<int>(plan.layers.size()) - 1;
  const WidthRule rule{.kind = draw(0, 1) == 0 ? WidthRuleKind::kForbid : WidthRuleKind::kPin,
                       .layer = plan.layers[last].layer.name,
                       .weight_bits = draw(2, 3)};
  plan.rules = {rule};
  for_each_option([&](size_t l, Option& option, ProblemOption& in_problem) {
    in_problem.allowed = IsAllowed(plan.rules, plan.layers[l].layer.name, option);
  });
  if (last >= 2 && draw(0, 1) == 1) {
    plan.activation_ties = {{plan.layers[1].layer.name, plan.layers[last].layer.name}};
    ClassTie tie{.layers = {1, last}};
    for (const int l : tie.layers) {
      std::vector<int>& widths = tie.classes.emplace_back();
      for (int k = 0; k < std::ssize(problem.layers[l].options); ++k) widths.push_back(k < 2 ? 4 : 8);
    }
    problem.class_ties = {tie};
  }
  if (last >= 1 && draw(0, 1) == 1) {
    plan.runtime = PlanRuntime{.name = "some",
                               .groups = {{.rule = "pair",
                                           .agree = {Agreement::kWeightBits},
                                           .layers = {plan.layers[0].layer.name, plan.layers[1].layer.name}}}};
    ClassTie tie{.layers = {0, 1}};
    for (const int l : tie.layers) {
      std::vector<int>& widths = tie.classes.emplace_back();
      for (int k = 0; k < std::ssize(problem.layers[l].options); ++k) widths.push_back(k);
    }
    problem.class_ties.push_back(tie);
  }
  if (draw(0, 1) == 1) {
    const int64_t limit = draw(0, 100);
    problem.budgets.push_back({.resource = 0, .limit = limit, .sense = BudgetSense::kAtLeast});
    plan.budgets.push_back({.resource = kUsed[0], .limit = limit, .sense = BudgetSense::kAtLeast});
  }
}

// The plan with a solution of its problem: choice, budgets and proof.
inline void SetSolution(const Solution& solution, Plan& plan) {
  for (size_t l = 0; l < solution.choice.size(); ++l) {
    auto& alternatives = plan.layers[l].alternatives;
    const auto chosen = std::ranges::find(alternatives, solution.choice[l] + 2,
                                          [](const PlanOption& option) { return option.option.weight_bits; });
    plan.layers[l].chosen = *chosen;
    alternatives.erase(chosen);
  }
  plan.termination = solution.termination;
  for (size_t b = 0; b < plan.budgets.size(); ++b) plan.budgets[b].multiplier = solution.budgets[b].multiplier;
  plan.objective = solution.objective;
  plan.bound = solution.bound;
  plan.gap = solution.gap;
  plan.optimality_tolerance = solution.optimality_tolerance;
}

}  // namespace bitplan

#endif  // BITPLAN_TESTS_UNIT_SEARCH_PLAN_RANDOM_PLAN_H_
