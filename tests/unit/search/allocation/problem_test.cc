#include "search/allocation/problem.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "search/base/status.h"

namespace bitplan::allocation {
namespace {

// Two layers of two options, one resource, one budget.
Problem Valid() {
  return {.resources = {"size"},
          .layers = {{"conv1", {{0.5, {10}}, {0.1, {20}}}}, {"", {{0.4, {10}}, {0.2, {20}}}}},
          .budgets = {{0, 30}},
          .ties = {{0, 1}}};
}

void ExpectInvalid(const Problem& problem, const std::string& message) {
  const absl::Status status = Validate(problem);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(MessageOf(status), message);
}

TEST(ValidateProblem, AcceptsAValidOne) { EXPECT_TRUE(Validate(Valid()).ok()); }

TEST(ValidateProblem, AcceptsNoBudgetsNoTiesNoResources) {
  EXPECT_TRUE(Validate({.layers = {{"", {{-1.0, {}}}}}}).ok());
}

TEST(ValidateProblem, RefusesNoLayers) { ExpectInvalid({}, "layers: got none, want at least one"); }

TEST(ValidateProblem, RefusesALayerWithoutOptions) {
  Problem problem = Valid();
  problem.layers[0].options.clear();
  ExpectInvalid(problem, "layers[0] 'conv1'.options: got none, want at least one");
}

TEST(ValidateProblem, RefusesObjectivesThatAreNotFinite) {
  Problem problem = Valid();
  problem.layers[0].options[1].objective = std::nan("");
  ExpectInvalid(problem, "layers[0] 'conv1'.options[1].objective: got nan, want a finite number");
  problem.layers[0].options[1].objective = 0;
  problem.layers[1].options[0].objective = -std::numeric_limits<double>::infinity();
  ExpectInvalid(problem, "layers[1].options[0].objective: got -inf, want a finite number");
}

TEST(ValidateProblem, RefusesRaggedCosts) {
  Problem problem = Valid();
  problem.layers[1].options[0].cost = {1, 2};
  ExpectInvalid(problem, "layers[1].options[0].cost: got 2 entries, want one for each of the 1 resources");
}

TEST(ValidateProblem, RefusesNegativeCostsAndLimits) {
  Problem problem = Valid();
  problem.layers[0].options[0].cost[0] = -1;
  ExpectInvalid(problem, "layers[0] 'conv1'.options[0].cost[0] 'size': got -1, want at least 0");
  problem = Valid();
  problem.budgets[0].limit = -5;
  ExpectInvalid(problem, "budgets[0].limit 'size': got -5, want at least 0");
}

TEST(ValidateProblem, RefusesUnknownResources) {
  Problem problem = Valid();
  problem.budgets[0].resource = 1;
  ExpectInvalid(problem, "budgets[0].resource: got 1, want 0..0");
  problem.budgets[0].resource = -1;
  ExpectInvalid(problem, "budgets[0].resource: got -1, want 0..0");
}

TEST(ValidateProblem, RefusesResourcesWithoutOrWithTheSameName) {
  Problem problem = Valid();
  problem.resources[0] = "";
  ExpectInvalid(problem, "resources[0]: got an empty name");
  problem.resources = {"size", "size"};
  ExpectInvalid(problem, "resources[1]: 'size' is listed twice");
}

TEST(ValidateProblem, RefusesBadTies) {
  Problem problem = Valid();
  problem.ties = {{}};
  ExpectInvalid(problem, "ties[0]: got no layers, want at least one");
  problem.ties = {{0, 1}, {0, 2}};
  ExpectInvalid(problem, "ties[1][1]: got layer 2, want 0..1");
  problem.ties = {{0, 0}};
  ExpectInvalid(problem, "ties[0][1]: layer 0 is listed twice");
}

TEST(ValidateProblem, RefusesTiesOfDifferentOptionCounts) {
  Problem problem = Valid();
  problem.layers[1].options.pop_back();
  ExpectInvalid(problem,
                "ties[0][1]: layers[1] has 1 options, layers[0] 'conv1' has 2; tied layers need the same number");
}

TEST(ValidateProblem, RefusesCostSumsBeyondInt64) {
  Problem problem = Valid();
  problem.layers[0].options[1].cost[0] = std::numeric_limits<int64_t>::max() - 19;
  ExpectInvalid(problem,
                "layers[1].cost[0] 'size': the sum of the largest costs of the layers up to here exceeds 2^63 - 1");
  problem.layers[0].options[1].cost[0] -= 1;
  EXPECT_TRUE(Validate(problem).ok());
}

TEST(ValidateProblem, RefusesObjectiveSumsBeyondDouble) {
  Problem problem = Valid();
  problem.layers[0].options[0].objective = -1e308;
  problem.layers[1].options[0].objective = 1e308;
  ExpectInvalid(problem, "layers: the sum of the largest objectives is not a finite number");
}

}  // namespace
}  // namespace bitplan::allocation
