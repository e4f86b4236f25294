#include "proto/convert/field_path.h"

#include <gtest/gtest.h>

#include "search/base/status.h"

namespace bitplan::convert {
namespace {

TEST(FieldPath, IsWhatStandsBeforeTheColon) {
  EXPECT_EQ(FieldPathOf("parent: got '', want projects/{project}"), "parent");
  EXPECT_EQ(FieldPathOf("search.budgets[0].limit: got -1, want >= 0"), "search.budgets[0].limit");
  EXPECT_EQ(FieldPathOf("layers[3] 'conv2'.options[1].weight_bits: got 9, want 2..8"),
            "layers[3] 'conv2'.options[1].weight_bits");
}

TEST(FieldPath, IsEmptyForProse) {
  for (const char* text :
       {"", ":", ": x", "the queue is full: 64 jobs", "a.: x", "a[: x", "a", "a:b", "1a: x", "a 'b: x"}) {
    EXPECT_EQ(FieldPathOf(text), "") << text;
  }
}

TEST(FieldPath, NestsUnderTheField) {
  EXPECT_EQ(MessageOf(AtField("config.budgets[0]", InvalidArgument("limit: got -1"))),
            "config.budgets[0].limit: got -1");
  EXPECT_EQ(MessageOf(AtField("json", InvalidArgument("not a JSON object"))), "json: not a JSON object");
  EXPECT_EQ(AtField("x", NotFound("y")).code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(AtField("x", absl::OkStatus()).ok());
}

}  // namespace
}  // namespace bitplan::convert
