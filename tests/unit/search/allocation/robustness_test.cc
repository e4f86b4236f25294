#include "search/allocation/robustness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <stop_token>
#include <vector>

#include "search/allocation/solve.h"
#include "tests/testing/allocation_problems.h"

namespace bitplan::allocation {
namespace {

using ::bitplan::testing::NetworkLikeProblem;
using Table = std::vector<std::vector<double>>;

double NormalDensity(double x) { return std::exp(-x * x / 2) / std::sqrt(2 * std::acos(-1.0)); }
double NormalTail(double x) { return std::erfc(x / std::sqrt(2.0)) / 2; }

Table ErrorsOf(const Problem& problem, double share) {
  Table errors;
  for (const ProblemLayer& layer : problem.layers) {
    auto& row = errors.emplace_back();
    for (const ProblemOption& option : layer.options) row.push_back(share * std::abs(option.objective));
  }
  return errors;
}

// Two options without a budget, apart by d with error s on one: the first is kept with probability P(z > -d / s), and
// the expected regret is E max(0, -(d + s z)) = s phi(d / s) - d P(z > d / s). It is the value of information, too.
TEST(AssessRobustness, MatchesClosedFormsOfTwoOptions) {
  const double d = 0.5;
  const double s = 0.8;
  Problem problem;
  problem.layers = {{.options = {{.objective = 1}, {.objective = 1 + d}}}, {.options = {{.objective = 3}}}};
  const auto solution = Solve(problem, {}, {});
  ASSERT_TRUE(solution.ok());
  for (const OptionErrors errors : {OptionErrors::kShared, OptionErrors::kIndependent}) {
    const auto found =
        AssessRobustness(problem, *solution, {{0, s}, {5}}, {.num_resamples = 20000, .seed = 3, .errors = errors}, {});
    ASSERT_TRUE(found.ok()) << found.status();
    const double keep = 1 - NormalTail(d / s);
    const double regret = s * NormalDensity(d / s) - d * NormalTail(d / s);
    const LayerRobustness& first = found->layers[0];
    EXPECT_NEAR(first.keep_standard_error, std::sqrt(keep * (1 - keep) / 20000), 1e-4);
    EXPECT_NEAR(first.keep_probability, keep, 4 * first.keep_standard_error);
    EXPECT_NEAR(found->mean_regret, regret, 4 * found->regret_standard_error);
    EXPECT_NEAR(first.value_of_information, regret, 4 * first.value_standard_error);
    EXPECT_DOUBLE_EQ(found->same_plan_probability, first.keep_probability);
    EXPECT_EQ(found->layers[1].keep_probability, 1);
    EXPECT_EQ(found->layers[1].value_of_information, 0);
    EXPECT_EQ(found->num_unproven, 0);
    EXPECT_TRUE(std::ranges::is_sorted(found->regrets));
  }
}

TEST(AssessRobustness, WithoutErrorsEverythingIsKept) {
  const Problem problem = NetworkLikeProblem(4, 20, 4, 2, 0.4);
  const auto solution = Solve(problem, {}, {});
  ASSERT_TRUE(solution.ok());
  const auto found = AssessRobustness(problem, *solution, ErrorsOf(problem, 0), {.num_resamples = 5}, {});
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->same_plan_probability, 1);
  EXPECT_EQ(found->mean_regret, 0);
  for (const LayerRobustness& layer : found->layers) {
    EXPECT_EQ(layer.keep_probability, 1);
    EXPECT_NEAR(layer.value_of_information, 0, 1e-12);
  }
}

TEST(AssessRobustness, RegretIsTheDistanceToEachResamplesBest) {
  const Problem problem = NetworkLikeProblem(6, 15, 4, 1, 0.4);
  const auto solution = Solve(problem, {}, {});
  ASSERT_TRUE(solution.ok());
  const auto resampler = [](int r, Table& objectives) {
    for (size_t i = 0; i < objectives.size(); ++i) {
      for (double& value : objectives[i]) value *= 1 + 0.5 * std::sin(static_cast<double>(r + 1) * (i + 1));
    }
  };
  const auto found = AssessRobustness(problem, *solution, {}, {.num_resamples = 12, .resampler = resampler}, {});
  ASSERT_TRUE(found.ok()) << found.status();
  std::vector<double> regrets;
  for (int r = 0; r < 12; ++r) {
    Problem other = problem;
    Table objectives;
    for (const ProblemLayer& layer : problem.layers) {
      auto& row = objectives.emplace_back();
      for (const ProblemOption& option : layer.options) row.push_back(option.objective);
    }
    resampler(r, objectives);
    double own = 0;
    for (size_t i = 0; i < objectives.size(); ++i) {
      own += objectives[i][solution->choice[i]];
      for (size_t k = 0; k < objectives[i].size(); ++k) other.layers[i].options[k].objective = objectives[i][k];
    }
    regrets.push_back(own - Solve(other, {}, {})->objective);
  }
  std::ranges::sort(regrets);
  EXPECT_EQ(found->regrets, regrets);
}

TEST(AssessRobustness, SameBitsForAnyNumberOfThreads) {
  const Problem problem = NetworkLikeProblem(8, 25, 4, 2, 0.4);
  const auto solution = Solve(problem, {}, {});
  ASSERT_TRUE(solution.ok());
  const Table errors = ErrorsOf(problem, 0.3);
  const auto one = AssessRobustness(problem, *solution, errors, {.num_resamples = 40}, {.num_threads = 1});
  const auto four = AssessRobustness(problem, *solution, errors, {.num_resamples = 40}, {.num_threads = 4});
  ASSERT_TRUE(one.ok() && four.ok());
  EXPECT_EQ(one->regrets, four->regrets);
  EXPECT_GT(one->mean_regret, 0);
  for (size_t i = 0; i < one->layers.size(); ++i) {
    EXPECT_EQ(one->layers[i].keep_probability, four->layers[i].keep_probability);
    EXPECT_EQ(one->layers[i].value_of_information, four->layers[i].value_of_information);
  }
}

TEST(AssessRobustness, TiedLayersKeepTheirOptionTogether) {
  Problem problem = NetworkLikeProblem(9, 12, 3, 1, 0.4);
  problem.ties = {{2, 7}};
  const auto solution = Solve(problem, {}, {});
  ASSERT_TRUE(solution.ok());
  const auto found = AssessRobustness(problem, *solution, ErrorsOf(problem, 0.5), {.num_resamples = 50}, {});
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->layers[2].keep_probability, found->layers[7].keep_probability);
  EXPECT_EQ(found->layers[2].value_of_information, found->layers[7].value_of_information);
}

TEST(AssessRobustness, RefusesWhatDoesNotFitAndStops) {
  const Problem problem = NetworkLikeProblem(9, 6, 3, 1, 0.4);
  const auto solution = Solve(problem, {}, {});
  ASSERT_TRUE(solution.ok());
  const Table errors = ErrorsOf(problem, 0.1);
  const auto message = [&](const Solution& of, const Table& with, const RobustnessOptions& options) {
    const auto found = AssessRobustness(problem, of, with, options, {});
    EXPECT_EQ(found.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(found.status().message());
  };
  EXPECT_THAT(message(*solution, errors, {.num_resamples = 1}), ::testing::HasSubstr("num_resamples: got 1"));
  EXPECT_THAT(message(*solution, {}, {}), ::testing::HasSubstr("standard_error: got 0 layers, want 6"));
  EXPECT_THAT(message({}, errors, {}), ::testing::HasSubstr("solution: got a choice for 0 layers"));
  Table negative = errors;
  negative[3][1] = -1;
  EXPECT_THAT(message(*solution, negative, {}), ::testing::HasSubstr("standard_error[3][1]: got -1"));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(AssessRobustness(problem, *solution, errors, {}, {.stop = stop.get_token()}).status().code(),
            absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace bitplan::allocation
