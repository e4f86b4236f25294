#include "search/base/text.h"

#include <gtest/gtest.h>

namespace bitplan {
namespace {

TEST(IsPlainText, AcceptsUtf8) {
  for (const char* text : {"", "blocks.0.conv1/Conv",
                           "Gr\xC3\xB6\xC3\x9F"
                           "e",
                           "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xED\x9F\xBF"}) {
    EXPECT_TRUE(IsPlainText(text)) << text;
  }
}

TEST(IsPlainText, RefusesControlCharacters) {
  for (const char* text : {"a\nb", "\x1B[31mred", "\x7F", "\t"}) EXPECT_FALSE(IsPlainText(text));
  EXPECT_FALSE(IsPlainText(std::string_view("a\0b", 3)));
}

// The classes of ill-formed sequences in Unicode 15, table 3-7.
TEST(IsPlainText, RefusesIllFormedUtf8) {
  for (const char* text : {"\x80", "\xC3", "\xC3(", "\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF0\x80\x80\xAF",
                           "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xE2\x82", "abc\xE2\x82"}) {
    EXPECT_FALSE(IsPlainText(text)) << Printable(text);
  }
}

TEST(Printable, EscapesAndCuts) {
  EXPECT_EQ(Printable("conv1"), "conv1");
  EXPECT_EQ(Printable("a\xFF\n"), "a\\xff\\x0a");
  EXPECT_EQ(Printable("abcdef", 3), "abc...");
  EXPECT_EQ(Printable("abc", 3), "abc");
}

}  // namespace
}  // namespace bitplan
