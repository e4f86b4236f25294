#include "search/pipeline/decimal.h"

#include <gtest/gtest.h>

#include <limits>

namespace bitplan::pipeline {
namespace {

std::optional<int64_t> Floor(std::string_view text, int64_t factor) {
  const std::optional<Decimal> number = TakeDecimal(text);
  return number && text.empty() ? FloorProduct(*number, factor) : std::nullopt;
}

TEST(TakeDecimal, ReadsExactly) {
  EXPECT_EQ(Floor("12", 1), 12);
  EXPECT_EQ(Floor("0.7", 10), 7);
  EXPECT_EQ(Floor("0.1", 10), 1);
  EXPECT_EQ(Floor("1.0000000000000000000000000", 3), 3);
  EXPECT_EQ(Floor("0.0000000000000000000000001", 3), 0);
  EXPECT_EQ(Floor("1.5e3", 2), 3000);
  EXPECT_EQ(Floor("1E+3", 1), 1000);
  EXPECT_EQ(Floor("1500e-3", 1), 1);
  EXPECT_EQ(Floor("100000000000000000000", 0), 0);
  EXPECT_EQ(Floor("999999999999999999", 9), 8'999'999'999'999'999'991);
  EXPECT_EQ(Floor("9.007199254740993e15", 1), 9007199254740993);  // no double in between
  EXPECT_EQ(Floor("0e400", 5), 0);
}

TEST(TakeDecimal, LeavesTheUnit) {
  std::string_view text = "1.5MiB";
  EXPECT_TRUE(TakeDecimal(text));
  EXPECT_EQ(text, "MiB");
}

TEST(TakeDecimal, RefusesWhatIsNoNumber) {
  for (std::string_view text : {"", "-1", "+1", ".5", "nan", "inf", "1e", "1e+-3", "1e401", "1e99999999999",
                                "1234567890123456789", "0x10", "1.2.3"}) {
    EXPECT_EQ(Floor(text, 1), std::nullopt) << text;
  }
}

TEST(FloorProduct, SaysWhenItDoesNotFit) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(FloorProduct({1, 0}, kMax), kMax);
  EXPECT_EQ(FloorProduct({2, 0}, kMax), std::nullopt);
  EXPECT_EQ(FloorProduct({1, 400}, 1), std::nullopt);
  EXPECT_EQ(FloorProduct({1, -400}, kMax), 0);
}

TEST(ShortestDecimal, IsWhatPeopleWrote) {
  EXPECT_EQ(FloorProduct(ShortestDecimal(0.7), 10), 7);
  EXPECT_EQ(FloorProduct(ShortestDecimal(0.29), 100), 29);
  EXPECT_EQ(FloorProduct(ShortestDecimal(0), 100), 0);
  EXPECT_EQ(FloorProduct(ShortestDecimal(16), 3), 48);
  EXPECT_EQ(FloorProduct(ShortestDecimal(std::numeric_limits<double>::denorm_min()), 1), 0);
  EXPECT_EQ(FloorProduct(ShortestDecimal(1.0 / 3), 3'000'000'000), 999'999'999);
}

}  // namespace
}  // namespace bitplan::pipeline
