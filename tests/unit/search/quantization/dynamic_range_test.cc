#include "search/quantization/dynamic_range.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "search/base/rng.h"
#include "search/base/status.h"
#include "search/quantization/fake_quantize.h"
#include "search/quantization/options.h"
#include "search/quantization/range_rule_table.h"

namespace bitplan::quantization {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<float> Rows(int bits, int64_t row_size, std::vector<float> values) {
  FakeQuantizeRows(bits, row_size, values);
  return values;
}

// At 2 bits: 0..3 by steps of 1; 0..6 by steps of 2, where 5 is half way and goes to the even code; -3..1.5 by 1.5.
TEST(FakeQuantizeRows, GivesEachRowItsOwnGrid) {
  EXPECT_THAT(Rows(2, 3, {0, 1, 3, 0, 5, 6, -3, 1, 1.5F}), ElementsAre(0, 1, 3, 0, 4, 6, -3, 1.5F, 1.5F));
  EXPECT_THAT(Rows(2, 9, {0, 1, 3, 0, 5, 6, -3, 1, 1.5F}), ElementsAre(0, 0, 3, 0, 6, 6, -3, 0, 0));
  EXPECT_THAT(Rows(2, 1, {0, 0, 0}), ElementsAre(0, 0, 0));
  EXPECT_THAT(Rows(2, 4, {}), ElementsAre());
}

TEST(FakeQuantizeRows, TakesRangesOfFiniteValues) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<float> row = Rows(2, 5, {std::nanf(""), kInfinity, 0, 3, -kInfinity});
  EXPECT_TRUE(std::isnan(row[0]));
  EXPECT_THAT(std::vector(row.begin() + 1, row.end()), ElementsAre(3, 0, 3, 0));
  EXPECT_THAT(Rows(8, 2, {kInfinity, kInfinity}), ElementsAre(255, 255));  // no finite value: a step of 1
}

// Rows of both signs: mean |x| with the sign; of one sign 0 and the mean of what is above half of it.
TEST(FakeQuantizeRows, AreBinaryAtOneBit) {
  EXPECT_THAT(Rows(1, 3, {-3, 0, 1.5F, 0, 1, 9, -8, -8, 0}), ElementsAre(-1.5F, 1.5F, 1.5F, 0, 0, 9, -8, -8, 0));
}

// The error of each value is at most half a step of its row, and zero stays.
TEST(FakeQuantizeRows, KeepsTheBoundOfEachRow) {
  constexpr int64_t kRow = 7;
  std::vector<float> values(kRow * 50);
  Rng(5, 0).FillGaussian(values);
  for (size_t i = 0; i < values.size(); i += kRow) values[i] = 0;
  for (const int bits : {2, 4, 8, 16}) {
    const std::vector<float> quantized = Rows(bits, kRow, values);
    for (size_t i = 0; i < values.size(); i += kRow) {
      const auto row = std::span<const float>(values).subspan(i, kRow);
      const auto [least, most] = std::ranges::minmax(row);
      const double step = (static_cast<double>(most) - least) / ((1 << bits) - 1);
      EXPECT_EQ(quantized[i], 0);
      for (int64_t k = 0; k < kRow; ++k) {
        EXPECT_LE(std::abs(quantized[i + k] - row[k]), step / 2 + 1e-6 * std::abs(row[k])) << bits;
      }
    }
  }
}

TEST(DynamicRanges, AreNoRangeRulesAndAreRefusedForWeights) {
  const std::vector<std::string> names = ActivationRangeNames();
  EXPECT_EQ(std::set(names.begin(), names.end()).size(), RangeRules().size() + 1 + DynamicRanges().size());
  for (const DynamicRangeEntry& entry : DynamicRanges()) {
    EXPECT_EQ(FindDynamicRange(entry.name)->summary, entry.summary);
    EXPECT_EQ(CheckActivationRange(entry.name), absl::OkStatus());
    EXPECT_EQ(FindRangeRule(entry.name).status().code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(MessageOf(Validate(QuantizationOptions{.range_rules = {std::string(entry.name)}})),
                HasSubstr(fmt::format("got '{}', want one of minmax", entry.name)));
    const std::vector<float> weight = {1, 2};
    EXPECT_EQ(Quantize(TensorView(weight, {2, 1}), 0, {.range = std::string(entry.name)}).status().code(),
              absl::StatusCode::kNotFound);
  }
  for (const RangeRuleEntry& entry : RangeRules()) {
    EXPECT_EQ(FindDynamicRange(entry.name), nullptr);
    EXPECT_EQ(CheckActivationRange(entry.name), absl::OkStatus());
  }
  const absl::Status unknown = CheckActivationRange("dynamic");
  EXPECT_EQ(unknown.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(
      MessageOf(unknown),
      "range: got 'dynamic', want one of minmax, percentile, kl, mse, aciq, ternary, dynamic_sample, dynamic_token");
}

}  // namespace
}  // namespace bitplan::quantization
