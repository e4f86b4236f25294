#include "search/base/json_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "search/base/status.h"

namespace bitplan {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string ParseError(std::string_view text, JsonLimits limits = {}) {
  return MessageOf(JsonDocument::Parse(text, limits).status());
}

TEST(JsonReader, ReadsEveryKindOfValue) {
  const auto document = JsonDocument::Parse(
      R"({"s": "x", "i": -3, "u": 18446744073709551615, "d": 0.1, "b": true, "o": {"k": 1}, "a": [1, 2]})", {});
  ASSERT_TRUE(document.ok());
  JsonObject root = document->Root();
  EXPECT_EQ(root.String("s"), "x");
  EXPECT_EQ(root.Integer("i"), -3);
  EXPECT_EQ(root.At("u").Unsigned(), 18446744073709551615U);
  EXPECT_EQ(root.Number("d"), 0.1);
  EXPECT_TRUE(root.Bool("b"));
  EXPECT_THAT(root.Object("o").Keys(), ElementsAre("k"));
  EXPECT_EQ(root.Array("a").size(), 2);
  EXPECT_FALSE(root.Has("z"));
  root.RefuseUnknownKeys();
  EXPECT_TRUE(document->status().ok());
}

TEST(JsonReader, KeepsTheFirstErrorWithItsPath) {
  const auto document = JsonDocument::Parse(R"({"a": [{"b": 1.5}]})", {.what = "profile"});
  ASSERT_TRUE(document.ok());
  JsonObject element = document->Root().Array("a")[0].Object();
  EXPECT_EQ(element.Integer("b"), 0);
  EXPECT_EQ(element.String("c"), "");
  EXPECT_EQ(MessageOf(document->status()), "profile.a[0].b: got number, want an integer");
}

TEST(JsonReader, NamesRangeMissingAndUnknown) {
  const auto error = [](auto read) {
    const auto document = JsonDocument::Parse(R"({"bits": 9, "x": 1, "big": 9223372036854775808})", {});
    JsonObject root = document->Root();
    read(root);
    return MessageOf(document->status());
  };
  EXPECT_EQ(error([](JsonObject& o) { o.Integer("bits", {.least = 2, .most = 8}); }),
            "document.bits: got 9, want 2..8");
  EXPECT_EQ(error([](JsonObject& o) { o.Integer("big"); }),
            "document.big: got 9223372036854775808, want -9223372036854775808..9223372036854775807");
  EXPECT_EQ(error([](JsonObject& o) { o.String("name"); }), "document: missing field 'name'");
  EXPECT_EQ(error([](JsonObject& o) {
              o.Has("bits");
              o.Has("big");
              o.RefuseUnknownKeys();
            }),
            "document: unknown field 'x', want only big, bits");
  EXPECT_EQ(error([](JsonObject& o) { o.Object("bits").Object("deeper").String("still"); }),
            "document.bits: got number, want an object");
}

TEST(JsonReader, RefusesHostileTexts) {
  EXPECT_THAT(ParseError("{"), HasSubstr("document: not JSON"));
  EXPECT_THAT(ParseError(""), HasSubstr("document: not JSON"));
  EXPECT_THAT(ParseError("{} x"), HasSubstr("document: not JSON"));
  EXPECT_THAT(ParseError(R"({"a": NaN})"), HasSubstr("document: not JSON"));
  EXPECT_THAT(ParseError(R"({"a": 1e999})"), HasSubstr("document: not JSON"));
  EXPECT_THAT(ParseError("{\"a\": \"\xff\"}"), HasSubstr("document: not JSON"));
  EXPECT_EQ(ParseError(R"({"a": 1, "a": 2})"), "document: field 'a' comes twice in one object");
  EXPECT_EQ(ParseError(std::string(1'000'000, '[')), "document: nested deeper than 16 levels");
  EXPECT_EQ(ParseError("{  }", {.max_bytes = 3}), "document: got 4 bytes, want at most 3");
}

TEST(JsonReader, RootMustBeAnObject) {
  const auto document = JsonDocument::Parse("[1]", {.what = "plan"});
  ASSERT_TRUE(document.ok());
  document->Root().String("format");
  EXPECT_EQ(MessageOf(document->status()), "plan: got array, want an object");
}

}  // namespace
}  // namespace bitplan
