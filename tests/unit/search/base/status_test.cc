#include "search/base/status.h"

#include <gtest/gtest.h>

#include <memory>

namespace bitplan {
namespace {

absl::StatusOr<std::unique_ptr<int>> Half(int value) {
  if (value % 2 != 0) return InvalidArgument("value: got {}, want an even number", value);
  return std::make_unique<int>(value / 2);
}

absl::StatusOr<int> Quarter(int value) {
  BITPLAN_ASSIGN_OR_RETURN(const std::unique_ptr<int> half, Half(value));
  BITPLAN_ASSIGN_OR_RETURN(const std::unique_ptr<int> quarter, Half(*half));
  return *quarter;
}

TEST(StatusMacros, PassValuesAndErrorsOn) {
  EXPECT_EQ(*Quarter(12), 3);
  EXPECT_EQ(MessageOf(Quarter(6).status()), "value: got 3, want an even number");
  EXPECT_EQ(Quarter(6).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(WithContext, PrefixesErrorsAndLeavesOkAlone) {
  EXPECT_TRUE(WithContext(absl::OkStatus(), "here").ok());
  EXPECT_EQ(MessageOf(WithContext(NotFound("no layer 'a'"), "ties[0]")), "ties[0]: no layer 'a'");
}

}  // namespace
}  // namespace bitplan
