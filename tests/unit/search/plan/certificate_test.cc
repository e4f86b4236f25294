#include "search/plan/certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "search/allocation/solve.h"
#include "search/base/status.h"
#include "search/plan/verifier.h"
#include "tests/testing/small_plan.h"
#include "tests/unit/search/plan/random_plan.h"

namespace bitplan::plan {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kManyStates = 1'000'000;

Certificate Check(const Plan& plan) {
  const absl::StatusOr<Certificate> certificate = CheckProof(plan, kManyStates, {});
  EXPECT_TRUE(certificate.ok()) << certificate.status();
  return certificate.value_or(Certificate());
}

TEST(CheckProof, ProvesTheSmallPlanAgain) {
  const Certificate certificate = Check(SmallPlan());
  EXPECT_EQ(certificate.check, ProofCheck::kOptimal);
  EXPECT_EQ(certificate.bound, SmallPlan().objective);
  EXPECT_EQ(certificate.gap, 0);
  EXPECT_THAT(certificate.summary, HasSubstr("optimal: proven again"));
  EXPECT_EQ(Check(InfeasiblePlan()).check, ProofCheck::kInfeasible);
}

// Three layers, each loses 1 or costs 2, under a limit of 3: one of them can be paid for, the loss is 2. At u = 1/2
// both options of every layer are worth 1: L = 3 - 3/2.
Plan ThreeEqualLayers() {
  Problem problem{.resources = {"size"}, .budgets = {{.resource = 0, .limit = 3}}};
  for (int l = 0; l < 3; ++l) {
    problem.layers.push_back({.options = {{.objective = 1, .cost = {0}}, {.objective = 0, .cost = {2}}}});
  }
  return PlanOf(problem, *allocation::Solve(problem, {}, {}));
}

TEST(CheckProof, GivesTheLagrangianBoundWhereItCannotLookAtAll) {
  Plan plan = ThreeEqualLayers();
  EXPECT_EQ(plan.objective, 2);
  plan.budgets[0].multiplier = 0.5;
  const Certificate certificate = *CheckProof(plan, 0, {});
  EXPECT_EQ(certificate.check, ProofCheck::kBound);
  EXPECT_NEAR(*certificate.bound, 1.5, 1e-12);
  EXPECT_LT(*certificate.bound, 1.5);  // rounded down
  EXPECT_NEAR(certificate.gap, 0.25, 1e-12);
  EXPECT_THAT(certificate.multipliers, ElementsAre(0.5));
  EXPECT_EQ(certificate.open_layers, 3);
  EXPECT_THAT(certificate.summary, HasSubstr("too many to look at every choice"));
  EXPECT_EQ(Check(plan).check, ProofCheck::kOptimal);
}

TEST(CheckProof, FindsItsOwnMultipliersWhereThePlanHasNone) {
  Plan plan = ThreeEqualLayers();
  plan.budgets[0].multiplier.reset();
  EXPECT_EQ(Check(plan).check, ProofCheck::kOptimal);
  EXPECT_NEAR(*CheckProof(plan, 0, {})->bound, 1.5, 1e-2);
}

TEST(CheckProof, LeavesPredictorsToTheMeasurement) {
  Plan plan = SmallPlan();
  plan.predictor = "quadratic";
  const Certificate certificate = Check(plan);
  EXPECT_EQ(certificate.check, ProofCheck::kUnchecked);
  EXPECT_FALSE(certificate.bound.has_value());
  EXPECT_THAT(certificate.summary, HasSubstr("rests on the outputs' changes of quadratic"));
}

// The choice a4 b4 c4 called optimal: everything in the plan adds up, only the claim is wrong.
TEST(CheckProof, RefutesAWorseChoiceThatIsCalledOptimal) {
  Plan plan = SmallPlan();
  std::swap(*plan.layers[0].chosen, plan.layers[0].alternatives[0]);
  plan.totals = {{Resource::kSize, 410}};
  plan.budgets[0].used = 410;
  plan.budgets[0].slack = 102;
  plan.objective = plan.bound = 0.78125;
  plan.fingerprint = Fingerprint(plan);
  ASSERT_TRUE(Verify(plan).ok()) << Verify(plan);
  const absl::Status status = CheckProof(plan, kManyStates, {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(
      MessageOf(status),
      "result: optimal with 0.78125, but a choice within the budgets has 0.40625: 'a' w8a8/symmetric/per_channel");

  plan.termination = Termination::kFeasible;  // a bound above what there is
  plan.bound = 0.5;
  plan.gap = allocation::RelativeGap(plan.objective, plan.bound);
  EXPECT_THAT(MessageOf(CheckProof(plan, kManyStates, {}).status()), HasSubstr("a bound of 0.5, but a choice"));
  plan.bound = 0.4;  // true, if weak
  const Certificate certificate = Check(plan);
  EXPECT_EQ(certificate.check, ProofCheck::kBound);
  EXPECT_EQ(certificate.better, 0.40625);
  EXPECT_THAT(certificate.summary, HasSubstr("not optimal"));
}

TEST(CheckProof, RefutesInfeasibilityOfWhatCanBeKept) {
  Plan plan = InfeasiblePlan();
  plan.budgets[0].limit = 410;
  EXPECT_THAT(MessageOf(CheckProof(plan, kManyStates, {}).status()), HasSubstr("infeasible, but a choice keeps"));
}

TEST(CheckProof, CanBeStopped) {
  std::stop_source source;
  source.request_stop();
  EXPECT_EQ(CheckProof(SmallPlan(), kManyStates, {.stop = source.get_token()}).status().code(),
            absl::StatusCode::kCancelled);
}

TEST(CheckProof, AgreesWithTheSolverOnRandomProblems) {
  std::mt19937 rng(20);
  int optimal = 0;
  int infeasible = 0;
  for (int i = 0; i < 3000; ++i) {
    const Problem problem = RandomProblem(rng);
    const absl::StatusOr<Solution> solution = allocation::Solve(problem, {}, {});
    ASSERT_TRUE(solution.ok()) << solution.status();
    const absl::StatusOr<Certificate> certificate = CheckProof(PlanOf(problem, *solution), kManyStates, {});
    ASSERT_TRUE(certificate.ok()) << i << " " << certificate.status();
    const bool has_choice = solution->termination == Termination::kOptimal;
    EXPECT_EQ(certificate->check, has_choice ? ProofCheck::kOptimal : ProofCheck::kInfeasible) << i;
    (has_choice ? optimal : infeasible) += 1;
  }
  EXPECT_GT(optimal, 1000);
  EXPECT_GT(infeasible, 100);
}

// The same with pinned and forbidden widths, shared activation widths and lower budgets.
TEST(CheckProof, KnowsRules) {
  std::mt19937 rng(22);
  int optimal = 0;
  int infeasible = 0;
  for (int i = 0; i < 3000; ++i) {
    Problem problem = RandomProblem(rng);
    Solution none{.budgets = std::vector<BudgetUsage>(problem.budgets.size())};
    for (size_t b = 0; b < problem.budgets.size(); ++b) none.budgets[b].limit = problem.budgets[b].limit;
    Plan plan = PlanOf(problem, none);
    AddRules(rng, problem, plan);
    const absl::StatusOr<Solution> solution = allocation::Solve(problem, {}, {});
    if (!solution.ok()) continue;  // a layer without an option
    SetSolution(*solution, plan);
    const absl::StatusOr<Certificate> certificate = CheckProof(plan, kManyStates, {});
    ASSERT_TRUE(certificate.ok()) << i << " " << certificate.status();
    const bool has_choice = solution->termination == Termination::kOptimal;
    EXPECT_EQ(certificate->check, has_choice ? ProofCheck::kOptimal : ProofCheck::kInfeasible) << i;
    (has_choice ? optimal : infeasible) += 1;
  }
  EXPECT_GT(optimal, 500);
  EXPECT_GT(infeasible, 100);
}

// Every choice that is worse than the best one and keeps the budgets, called optimal, is refuted; so are bounds above
// the best objective, and infeasibility.
TEST(CheckProof, RefutesEveryFalseClaimOnRandomProblems) {
  std::mt19937 rng(21);
  int refuted = 0;
  for (int i = 0; i < 300; ++i) {
    const Problem problem = RandomProblem(rng);
    const Solution best = *allocation::Solve(problem, {}, {});
    if (best.choice.empty()) continue;
    Problem without_best = problem;  // any other choice: least of all in another objective
    for (ProblemLayer& layer : without_best.layers) {
      for (ProblemOption& option : layer.options) option.objective = std::uniform_real_distribution<>(0, 1)(rng);
    }
    Solution other = *allocation::Solve(without_best, {}, {});
    other.objective = 0;
    for (size_t l = 0; l < other.choice.size(); ++l) {
      other.objective += problem.layers[l].options[other.choice[l]].objective;
    }
    Plan plan = PlanOf(problem, other);
    for (PlanBudget& budget : plan.budgets) budget.multiplier.reset();
    plan.bound = plan.objective;
    plan.optimality_tolerance = 0;
    const bool is_worse = other.objective > best.objective;
    const absl::StatusOr<Certificate> certificate = CheckProof(plan, kManyStates, {});
    EXPECT_EQ(certificate.ok(), !is_worse) << i << " " << certificate.status();
    refuted += is_worse ? 1 : 0;

    Plan raised = PlanOf(problem, best);
    raised.termination = Termination::kFeasible;
    raised.bound = raised.objective + 1.0 / 64;  // Verify refuses it first; a bound from elsewhere would not be seen
    raised.objective = raised.bound + 1;
    EXPECT_EQ(CheckProof(raised, kManyStates, {}).status().code(), absl::StatusCode::kDataLoss) << i;

    Solution none = best;
    none.choice.clear();
    none.termination = Termination::kInfeasible;
    EXPECT_EQ(CheckProof(PlanOf(problem, none), kManyStates, {}).status().code(), absl::StatusCode::kDataLoss) << i;
  }
  EXPECT_GT(refuted, 100);
}

}  // namespace
}  // namespace bitplan::plan
