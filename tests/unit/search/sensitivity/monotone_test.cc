#include "search/sensitivity/monotone.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "search/base/rng.h"
#include "search/base/status.h"

namespace bitplan::sensitivity {
namespace {

using ::testing::DoubleEq;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// One layer: bits 2, 3, .. in one scheme.
OptionTable Widths(int count) {
  OptionTable table{.options = {{}}};
  for (int i = 0; i < count; ++i) table.options[0].push_back({.weight_bits = 2 + i});
  return table;
}

SensitivityTable Scores(std::vector<double> scores, std::vector<double> errors) {
  SensitivityTable table{.method = "measured_loss", .score = {std::move(scores)}};
  if (!errors.empty()) table.standard_error = {std::move(errors)};
  return table;
}

// 5 | 1, 3 -> 2, 2 | 0: violators are replaced by their mean.
TEST(RepairMonotonicity, PoolsViolators) {
  const MonotoneRepair repair = *RepairMonotonicity(Widths(4), Scores({5, 1, 3, 0}, {}));
  EXPECT_THAT(repair.table.score[0], ElementsAre(5, 2, 2, 0));
  EXPECT_EQ(repair.num_changed, 2);
  EXPECT_EQ(repair.num_layers, 1);
  EXPECT_EQ(repair.largest_change, 1);
  EXPECT_EQ(Describe(repair),
            "monotonicity was repaired: 2 scores in 1 layer changed, by at most 1, so that more weight bits are never "
            "predicted to be worse");
}

// Weights 4 : 1 where errors are 1 and 2: (4 * 1 + 1 * 6) / 5 = 2. An error of 0 is an unknown one: weights are equal.
TEST(RepairMonotonicity, WeighsByTheErrorsWhereAllAreKnown) {
  EXPECT_THAT(RepairMonotonicity(Widths(2), Scores({1, 6}, {1, 2}))->table.score[0],
              ElementsAre(DoubleEq(2), DoubleEq(2)));
  EXPECT_THAT(RepairMonotonicity(Widths(2), Scores({1, 6}, {0, 2}))->table.score[0], ElementsAre(3.5, 3.5));
  const MonotoneRepair repair = *RepairMonotonicity(Widths(2), Scores({1, 6}, {1, 2}));
  EXPECT_THAT(repair.table.standard_error[0], ElementsAre(1, 2));
}

TEST(RepairMonotonicity, LeavesWhatIsInOrderAlone) {
  const SensitivityTable table = Scores({3, 3, 1, -2}, {1, 2, 3, 4});
  const MonotoneRepair repair = *RepairMonotonicity(Widths(4), table);
  EXPECT_EQ(repair, MonotoneRepair{.table = table});
  EXPECT_EQ(Describe(repair), "");
}

// Options come in any order; those of another scheme, granularity or activation width are compared among themselves.
TEST(RepairMonotonicity, ComparesOptionsThatDifferInWeightBitsOnly) {
  const OptionTable options{.options = {{{.weight_bits = 8},
                                         {.weight_bits = 2, .scheme = "affine"},
                                         {.weight_bits = 4, .granularity = Granularity::kPerTensor},
                                         {.weight_bits = 2},
                                         {.weight_bits = 3, .activation_bits = 4},
                                         {.weight_bits = 6, .range = "mse"}},
                                        {{.weight_bits = 4}, {.weight_bits = 8}}}};
  SensitivityTable table{.score = {{3, 0, 1, 1, 2, 7}, {0, 2}}};
  const MonotoneRepair repair = *RepairMonotonicity(options, table);
  EXPECT_THAT(repair.table.score, ElementsAre(ElementsAre(2, 0, 1, 2, 2, 7), ElementsAre(1, 1)));
  EXPECT_EQ(repair.num_changed, 4);
  EXPECT_EQ(repair.num_layers, 2);
}

// The solution in closed form: r_i = min over j <= i of max over k >= i of the weighted mean of s_j .. s_k
// (Robertson, Wright, Dykstra 1988, theorem 1.4.4).
TEST(RepairMonotonicity, AgreesWithTheMinMaxFormula) {
  constexpr int kTables = 300;
  for (int seed = 0; seed < kTables; ++seed) {
    Rng rng(seed, 0);
    const int n = 1 + seed % 8;
    std::vector<double> scores;
    std::vector<double> errors;
    for (int i = 0; i < n; ++i) {
      scores.push_back(rng.NextUniform() - 0.3);
      errors.push_back(0.1 + rng.NextUniform());
    }
    const MonotoneRepair repair = *RepairMonotonicity(Widths(n), Scores(scores, errors));
    const std::vector<double>& repaired = repair.table.score[0];
    for (int i = 0; i < n; ++i) {
      double least = std::numeric_limits<double>::infinity();
      for (int j = 0; j <= i; ++j) {
        double largest = -std::numeric_limits<double>::infinity();
        for (int k = i; k < n; ++k) {
          double sum = 0;
          double weight = 0;
          for (int m = j; m <= k; ++m) {
            sum += scores[m] / (errors[m] * errors[m]);
            weight += 1 / (errors[m] * errors[m]);
          }
          largest = std::max(largest, sum / weight);
        }
        least = std::min(least, largest);
      }
      EXPECT_NEAR(repaired[i], least, 1e-12) << "seed " << seed;
    }
    EXPECT_TRUE(std::ranges::is_sorted(repaired, std::greater<>())) << "seed " << seed;
    const MonotoneRepair again = *RepairMonotonicity(Widths(n), repair.table);
    EXPECT_EQ(again.num_changed, 0) << "seed " << seed;
  }
}

// Neither sums of large scores nor weights of tiny errors leave the finite numbers.
TEST(RepairMonotonicity, StaysFinite) {
  constexpr double kLarge = 1.5e308;
  EXPECT_THAT(RepairMonotonicity(Widths(2), Scores({-kLarge, kLarge}, {1e-300, 1e-300}))->table.score[0],
              ElementsAre(0, 0));
  EXPECT_THAT(RepairMonotonicity(Widths(3), Scores({0, 1, 3}, {1e-300, 1e10, 1e10}))->table.score[0],
              ElementsAre(0, 0, 0));
}

TEST(RepairMonotonicity, RefusesWholePlansAndOtherSizes) {
  SensitivityTable table = Scores({1, 2}, {});
  table.method = "quadratic";
  table.responses.emplace();
  const absl::Status status = RepairMonotonicity(Widths(2), table).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(MessageOf(status), HasSubstr("repair_monotonicity: method 'quadratic' predicts whole plans"));
  EXPECT_EQ(CheckRepairable("quadratic"), status);
  EXPECT_EQ(CheckRepairable("measured_loss"), absl::OkStatus());
  EXPECT_EQ(CheckRepairable("given"), absl::OkStatus());
  EXPECT_EQ(CheckRepairable("magic").code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(MessageOf(RepairMonotonicity(Widths(3), Scores({1, 2}, {})).status()),
              HasSubstr("score[0]: got 2 options, want 3"));
  EXPECT_THAT(MessageOf(RepairMonotonicity(Widths(2), Scores({1, 2}, {1})).status()), HasSubstr("standard_error[0]"));
  EXPECT_THAT(MessageOf(RepairMonotonicity({}, Scores({1, 2}, {})).status()), HasSubstr("got 1 layers"));
}

}  // namespace
}  // namespace bitplan::sensitivity
