// Changed problems by WhatIf against a fresh Solve of each.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "search/allocation/solve.h"
#include "search/allocation/what_if.h"
#include "search/base/rng.h"
#include "tests/testing/allocation_problems.h"
#include "tests/testing/brute_force_allocation.h"

namespace bitplan {
namespace {

using ::bitplan::testing::Describe;
using ::bitplan::testing::KeepsEverything;
using ::bitplan::testing::NetworkLikeProblem;
using ::bitplan::testing::RandomProblem;

// The changed problem: options that are not allowed cost and lose more than all limits and sums, but keep their index.
// An infeasible problem stays so, a feasible one never takes them.
Problem Changed(Problem problem, const ProblemChange& change) {
  for (const LimitChange& limit : change.limits) problem.budgets[limit.budget].limit = limit.limit;
  const int barred = static_cast<int>(problem.resources.size());
  problem.resources.emplace_back("barred");
  problem.budgets.push_back({.resource = barred, .limit = 0});
  for (ProblemLayer& layer : problem.layers) {
    for (ProblemOption& option : layer.options) option.cost.push_back(0);
  }
  for (ProblemPair& pair : problem.pairs) {
    if (!pair.cost.empty()) pair.cost.push_back(0);
  }
  for (const LayerOptions& allowed : change.layers) {
    auto& options = problem.layers[allowed.layer].options;
    for (int k = 0; k < std::ssize(options); ++k) {
      if (std::ranges::find(allowed.options, k) == allowed.options.end()) options[k].cost.back() = 1;
    }
  }
  return problem;
}

ProblemChange RandomChange(const Problem& problem, Rng& rng) {
  ProblemChange change;
  for (int b = 0; b < std::ssize(problem.budgets); ++b) {
    if (rng.NextBelow(2) == 0) continue;
    const int64_t limit = problem.budgets[b].limit;
    change.limits.push_back({b, limit / 2 + static_cast<int64_t>(rng.NextBelow(static_cast<uint64_t>(limit) + 2))});
  }
  for (int layer = 0; layer < std::ssize(problem.layers); ++layer) {
    if (rng.NextBelow(4) != 0) continue;
    LayerOptions allowed{.layer = layer, .options = {}};
    for (int k = 0; k < std::ssize(problem.layers[layer].options); ++k) {
      if (rng.NextBelow(2) == 0) allowed.options.push_back(k);
    }
    if (!allowed.options.empty()) change.layers.push_back(std::move(allowed));
  }
  return change;
}

void ExpectSameAsFresh(const Problem& problem, const ProblemChange& change, allocation::WhatIf& what_if,
                       double tolerance) {
  const auto answer = what_if.Solve(change, {}, {});
  const Problem changed = Changed(problem, change);
  const auto fresh = allocation::Solve(changed, {}, {});
  ASSERT_TRUE(fresh.ok()) << fresh.status();
  if (!answer.ok()) {  // only tied layers without a common option
    EXPECT_EQ(answer.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(fresh->termination, Termination::kInfeasible) << answer.status() << Describe(changed);
    return;
  }
  ASSERT_EQ(answer->termination, fresh->termination) << Describe(changed);
  ASSERT_EQ(answer->budgets.size(), problem.budgets.size());
  if (fresh->termination == Termination::kInfeasible) {
    EXPECT_TRUE(answer->infeasibility.has_value());
    return;
  }
  EXPECT_NEAR(answer->objective, fresh->objective, tolerance) << Describe(changed);
  EXPECT_TRUE(KeepsEverything(changed, answer->choice)) << Describe(changed);
  for (size_t b = 0; b < problem.budgets.size(); ++b) {
    EXPECT_EQ(answer->budgets[b].limit, changed.budgets[b].limit);
    const int64_t slack = answer->budgets[b].limit - answer->budgets[b].used;
    EXPECT_EQ(answer->budgets[b].slack, problem.budgets[b].sense == BudgetSense::kAtMost ? slack : -slack);
  }
}

TEST(WhatIf, AnswersAsAFreshSolveDoes) {
  for (uint64_t seed = 1; seed <= 3000; ++seed) {
    const Problem problem =
        RandomProblem({.seed = seed, .max_layers = 6, .min_budgets = 0, .max_budgets = 3, .whole_objectives = true});
    auto what_if = allocation::WhatIf::Create(problem);
    ASSERT_TRUE(what_if.ok()) << what_if.status();
    Rng rng(seed, 5);
    for (int question = 0; question < 4; ++question) {
      ExpectSameAsFresh(problem, RandomChange(problem, rng), *what_if, 0);
    }
    ExpectSameAsFresh(problem, {}, *what_if, 0);  // nothing of the changes is left
  }
}

TEST(WhatIf, AnswersWhereRulesHold) {
  int with_rules = 0;
  for (uint64_t seed = 1; seed <= 1000; ++seed) {
    const Problem problem =
        RandomProblem({.seed = seed, .max_layers = 5, .max_budgets = 3, .whole_objectives = true, .rules = true});
    with_rules += allocation::HasRules(problem) ? 1 : 0;
    auto what_if = allocation::WhatIf::Create(problem);
    ASSERT_TRUE(what_if.ok()) << what_if.status();
    Rng rng(seed, 5);
    for (int question = 0; question < 2; ++question) {
      ExpectSameAsFresh(problem, RandomChange(problem, rng), *what_if, 1e-9);
    }
    ExpectSameAsFresh(problem, {}, *what_if, 1e-9);
  }
  EXPECT_GT(with_rules, 500);
}

TEST(WhatIf, AnswersForNetworks) {
  for (const int num_budgets : {1, 3}) {
    const Problem problem = NetworkLikeProblem(9, 120, 8, num_budgets, 0.5);
    auto what_if = allocation::WhatIf::Create(problem);
    ASSERT_TRUE(what_if.ok()) << what_if.status();
    Rng rng(9, 5);
    for (int question = 0; question < 12; ++question) {
      ProblemChange change;
      change.limits.push_back({0, problem.budgets[0].limit * static_cast<int64_t>(90 + rng.NextBelow(30)) / 100});
      change.layers.push_back({static_cast<int>(rng.NextBelow(120)), {static_cast<int>(rng.NextBelow(8))}});
      change.layers.push_back({static_cast<int>(rng.NextBelow(120)), {1, 3, 5, 7}});
      ExpectSameAsFresh(problem, change, *what_if, 1e-9);
    }
  }
}

TEST(WhatIf, RefusesWhatMakesNoSense) {
  auto what_if = allocation::WhatIf::Create(NetworkLikeProblem(9, 5, 3, 1, 0.5));
  ASSERT_TRUE(what_if.ok());
  const auto is_refused = [&](const ProblemChange& change, const SolverOptions& options = {}) {
    return what_if->Solve(change, options, {}).status().code() == absl::StatusCode::kInvalidArgument;
  };
  EXPECT_TRUE(is_refused({.limits = {{1, 5}}}));
  EXPECT_TRUE(is_refused({.limits = {{0, -5}}}));
  EXPECT_TRUE(is_refused({.layers = {{5, {0}}}}));
  EXPECT_TRUE(is_refused({.layers = {{0, {3}}}}));
  EXPECT_TRUE(is_refused({.layers = {{0, {}}}}));
  EXPECT_TRUE(is_refused({.layers = {{0, {1}}, {0, {2}}}}));
  EXPECT_TRUE(is_refused({}, {.solver = "cbc"}));
  EXPECT_FALSE(is_refused({.layers = {{0, {1, 2}}, {0, {2}}}}));
}

}  // namespace
}  // namespace bitplan
