#include "search/plan/explanation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "search/allocation/solve.h"
#include "search/base/status.h"
#include "tests/testing/small_plan.h"
#include "tests/unit/search/plan/random_plan.h"

namespace bitplan::plan {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

Explanation ExplainWell(const Plan& plan) {
  const absl::StatusOr<Explanation> explanation = Explain(plan, {}, {});
  EXPECT_TRUE(explanation.ok()) << explanation.status();
  return explanation.value_or(Explanation());
}

// Without a8 only a4 b4 c4 keeps 512: 0.78125. Without b4 c4 the least size is 720. At 0.00375 a bit a8 costs as much
// as a4 does; b8 c8 costs 0.0625 + 620 * 0.00375 = 2.3875 against 0.28125 + 1.1625 = 1.44375.
TEST(Explain, TellsWhyTheSmallPlanIsAsItIs) {
  const Explanation explanation = ExplainWell(SmallPlan());
  ASSERT_EQ(explanation.layers.size(), 2U);
  const LayerExplanation& a = explanation.layers[0];
  EXPECT_THAT(a.layers, ElementsAre("a"));
  EXPECT_EQ(a.chosen.weight_bits, 8);
  EXPECT_EQ(a.instead->weight_bits, 4);
  EXPECT_DOUBLE_EQ(*a.regret, 0.375);
  EXPECT_NEAR(*a.price_margin, 0, 1e-12);
  EXPECT_TRUE(a.is_proven);
  EXPECT_FALSE(a.is_needed);
  EXPECT_EQ(a.num_others, 0);
  const LayerExplanation& tied = explanation.layers[1];
  EXPECT_THAT(tied.layers, ElementsAre("b", "c, \"the last\""));
  EXPECT_TRUE(tied.is_needed);
  EXPECT_TRUE(tied.is_proven);
  EXPECT_FALSE(tied.regret.has_value());
  EXPECT_NEAR(*tied.price_margin, 0.94375, 1e-12);
  EXPECT_EQ(tied.next->weight_bits, 8);

  ASSERT_EQ(explanation.budgets.size(), 1U);
  EXPECT_EQ(explanation.budgets[0].price, 0.00375);
  const std::vector<OtherLimit>& others = explanation.budgets[0].other_limits;
  ASSERT_EQ(others.size(), 4U);
  EXPECT_EQ(others[0].limit, 460);  // 0.9 of 512: only a4 b4 c4
  EXPECT_EQ(others[0].objective, 0.78125);
  EXPECT_EQ(others[3].limit, 563);
  EXPECT_EQ(others[3].objective, 0.40625);
  EXPECT_TRUE(others[3].is_proven);
  EXPECT_FALSE(explanation.conflict.has_value());
}

TEST(Explain, ListsEveryOptionWithItsPrice) {
  const Explanation explanation = ExplainWell(SmallPlan());
  const LayerExplanation& a = explanation.layers[0];
  EXPECT_THAT(a.reasons, IsEmpty());
  ASSERT_EQ(a.options.size(), 2U);
  EXPECT_EQ(a.options[0].option.weight_bits, 8);
  EXPECT_EQ(a.options[0].margin, 0);
  EXPECT_EQ(a.options[1].sensitivity, 0.5);
  EXPECT_NEAR(*a.options[1].margin, 0, 1e-12);
  const LayerExplanation& tied = explanation.layers[1];
  EXPECT_THAT(tied.reasons, ElementsAre("b, c, \"the last\" take one option"));
  EXPECT_EQ(tied.options[1].sensitivity, 0.0625);
  EXPECT_THAT(tied.options[1].costs, ElementsAre(Pair(Resource::kSize, 620)));
  EXPECT_NEAR(*tied.options[1].margin, 0.94375, 1e-12);
}

TEST(Explain, SaysWhyAnOptionTakesNoPart) {
  Plan plan = SmallPlan();
  plan.rules = {{.kind = WidthRuleKind::kPin, .layer = "a", .weight_bits = 8, .reason = "first layer"}};
  plan.layers[1].alternatives[0].costs.clear();
  const Explanation explanation = ExplainWell(plan);
  EXPECT_THAT(explanation.layers[0].reasons, ElementsAre("pin a=w8 (first layer)"));
  EXPECT_EQ(explanation.layers[0].options[1].why_not, "pin a=w8 (first layer)");
  EXPECT_FALSE(explanation.layers[0].options[1].margin.has_value());
  EXPECT_TRUE(explanation.layers[0].is_needed);
  EXPECT_EQ(explanation.layers[1].options[1].why_not, "its size is not known");
}

TEST(Explain, OneLayerAlone) {
  const Explanation explanation = Explain(SmallPlan(), {.layer = "b"}, {}).value();
  ASSERT_EQ(explanation.layers.size(), 1U);
  EXPECT_THAT(explanation.layers[0].layers, ElementsAre("b", "c, \"the last\""));
  const absl::Status status = Explain(SmallPlan(), {.layer = "nobody"}, {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
}

TEST(Explain, TellsTheSmallestRelaxation) {
  const Explanation explanation = ExplainWell(InfeasiblePlan());
  EXPECT_TRUE(explanation.layers.empty());
  ASSERT_TRUE(explanation.conflict.has_value());
  EXPECT_THAT(explanation.conflict->budgets, ElementsAre(0));
  EXPECT_TRUE(explanation.conflict->is_proven);
  EXPECT_NEAR(*explanation.conflict->factor, 410.0 / 400, 2e-6);
  EXPECT_THAT(explanation.conflict->limits, ElementsAre(410));
}

TEST(Explain, SolvesNothingWhereAPredictorGaveTheObjective) {
  Plan plan = SmallPlan();
  plan.predictor = "quadratic";
  const Explanation explanation = ExplainWell(plan);
  EXPECT_FALSE(explanation.solves_again);
  EXPECT_FALSE(explanation.layers[0].regret.has_value());
  EXPECT_TRUE(explanation.layers[0].price_margin.has_value());
  EXPECT_TRUE(explanation.budgets[0].other_limits.empty());
  EXPECT_FALSE(nlohmann::json::parse(ToJson(explanation))["layers"][0].contains("regret"));
}

TEST(Explain, IsADocument) {
  const nlohmann::json json = nlohmann::json::parse(ToJson(ExplainWell(SmallPlan())));
  EXPECT_EQ(json["format"], "bitplan.explanation/1");
  EXPECT_EQ(json["layers"][0]["regret"], 0.375);
  EXPECT_EQ(json["layers"][1]["is_needed"], true);
  EXPECT_TRUE(json["layers"][1]["instead"].is_null());
  EXPECT_EQ(json["budgets"][0]["other_limits"][0]["limit"], 460);
  const nlohmann::json conflict = nlohmann::json::parse(ToJson(ExplainWell(InfeasiblePlan())))["conflict"];
  EXPECT_EQ(conflict["budgets"], nlohmann::json::array({"size"}));
}

TEST(Explain, CanBeStopped) {
  std::stop_source source;
  source.request_stop();
  EXPECT_EQ(Explain(SmallPlan(), {}, {.stop = source.get_token()}).status().code(), absl::StatusCode::kCancelled);
}

// Calls `visit` with every choice that obeys the ties.
void ForEachChoice(const Problem& problem, const std::function<void(const std::vector<int>&)>& visit) {
  std::vector<int> choice(problem.layers.size(), 0);
  for (;;) {
    if (problem.ties.empty() || choice[0] == choice[1]) visit(choice);
    size_t l = 0;
    while (l < choice.size() && ++choice[l] == std::ssize(problem.layers[l].options)) choice[l++] = 0;
    if (l == choice.size()) return;
  }
}

std::vector<int64_t> UsedBy(const Problem& problem, const std::vector<int>& choice) {
  std::vector<int64_t> used(problem.resources.size());
  for (size_t l = 0; l < choice.size(); ++l) {
    for (size_t r = 0; r < used.size(); ++r) used[r] += problem.layers[l].options[choice[l]].cost[r];
  }
  return used;
}

bool Keeps(const Problem& problem, const std::vector<int64_t>& used, const std::vector<int>& budgets, double factor) {
  for (const int b : budgets) {
    if (static_cast<double>(used[b]) > std::floor(static_cast<double>(problem.budgets[b].limit) * factor)) return false;
  }
  return true;
}

// With rules, against a solve of the problem without the option.
TEST(Explain, KnowsRules) {
  std::mt19937 rng(32);
  int num_regrets = 0;
  for (int i = 0; i < 500; ++i) {
    Problem problem = RandomProblem(rng);
    problem.ties.clear();
    Solution none{.budgets = std::vector<BudgetUsage>(problem.budgets.size())};
    for (size_t b = 0; b < problem.budgets.size(); ++b) none.budgets[b].limit = problem.budgets[b].limit;
    Plan plan = PlanOf(problem, none);
    AddRules(rng, problem, plan);
    const absl::StatusOr<Solution> solution = allocation::Solve(problem, {}, {});
    if (!solution.ok() || solution->choice.empty()) continue;
    SetSolution(*solution, plan);
    const Explanation explanation = ExplainWell(plan);
    for (size_t l = 0; l < explanation.layers.size(); ++l) {
      Problem without = problem;
      without.layers[l].options[solution->choice[l]].allowed = false;
      const absl::StatusOr<Solution> other = allocation::Solve(without, {}, {});
      const bool is_needed = !other.ok() || other->choice.empty();
      EXPECT_EQ(explanation.layers[l].is_needed, is_needed) << i;
      if (is_needed) continue;
      EXPECT_NEAR(explanation.layers[l].regret.value_or(-1), other->objective - solution->objective, 1e-9) << i;
      ++num_regrets;
    }
  }
  EXPECT_GT(num_regrets, 300);
}

// Regrets of all layers against enumeration; of infeasible problems the conflict.
TEST(Explain, AgreesWithEnumeration) {
  std::mt19937 rng(31);
  int num_regrets = 0;
  int num_conflicts = 0;
  for (int i = 0; i < 1500; ++i) {
    Problem problem = RandomProblem(rng);
    if (i % 3 == 0) {  // tight enough to clash
      for (ProblemBudget& budget : problem.budgets) budget.limit = 1 + budget.limit * 8 / 10;
    }
    const Solution solution = *allocation::Solve(problem, {}, {});
    const Explanation explanation = ExplainWell(PlanOf(problem, solution));
    std::vector<int> all;
    for (int b = 0; b < std::ssize(problem.budgets); ++b) all.push_back(b);
    for (const LayerExplanation& of_layer : explanation.layers) {
      const size_t l = std::stoul(of_layer.layers[0].substr(5));
      std::optional<double> least;
      ForEachChoice(problem, [&](const std::vector<int>& choice) {
        if (choice[l] == solution.choice[l] || !Keeps(problem, UsedBy(problem, choice), all, 1)) return;
        double objective = 0;
        for (size_t k = 0; k < choice.size(); ++k) objective += problem.layers[k].options[choice[k]].objective;
        if (!least || objective < *least) least = objective;
      });
      EXPECT_TRUE(of_layer.is_proven);
      EXPECT_EQ(of_layer.is_needed, !least.has_value()) << i;
      if (!least) continue;
      EXPECT_NEAR(of_layer.regret.value_or(-1), *least - solution.objective, 1e-9) << i;
      ++num_regrets;
    }
    if (!explanation.conflict) continue;
    ++num_conflicts;
    const ConflictExplanation& conflict = *explanation.conflict;
    const auto can_be_kept = [&](const std::vector<int>& budgets, double factor) {
      bool found = false;
      ForEachChoice(problem, [&](const std::vector<int>& choice) {
        found = found || Keeps(problem, UsedBy(problem, choice), budgets, factor);
      });
      return found;
    };
    EXPECT_FALSE(can_be_kept(conflict.budgets, 1));
    for (const int b : conflict.budgets) {
      std::vector<int> rest = conflict.budgets;
      std::erase(rest, b);
      EXPECT_TRUE(can_be_kept(rest, 1)) << i;
    }
    ASSERT_TRUE(conflict.factor.has_value()) << i;
    EXPECT_TRUE(can_be_kept(conflict.budgets, *conflict.factor)) << i;
    EXPECT_FALSE(can_be_kept(conflict.budgets, *conflict.factor * (1 - 0x1p-19))) << i;
  }
  EXPECT_GT(num_regrets, 1500);
  EXPECT_GT(num_conflicts, 200);
}

}  // namespace
}  // namespace bitplan::plan
