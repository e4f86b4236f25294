#include "server/service/names.h"

#include <gtest/gtest.h>

#include "search/base/digest.h"
#include "search/base/status.h"

namespace bitplan::service {
namespace {

TEST(Names, ParsesParents) {
  EXPECT_EQ(*ParseParent("parent", "projects/p"), "p");
  EXPECT_EQ(*ParseParent("parent", "projects/team-7"), "team-7");
}

TEST(Names, RefusesOtherParents) {
  for (const char* parent :
       {"", "projects", "projects/", "projects/p/", "projects/P", "projects/-p", "projects/p/models", "project/p",
        "projects/a b", "projects/..", "/projects/p", "projects//p"}) {
    const auto project = ParseParent("parent", parent);
    ASSERT_FALSE(project.ok()) << parent;
    EXPECT_EQ(MessageOf(project.status()), fmt::format("parent: got '{}', want projects/{{project}}", parent));
  }
  EXPECT_FALSE(ParseParent("parent", "projects/" + std::string(64, 'a')).ok());
  EXPECT_TRUE(ParseParent("parent", "projects/" + std::string(63, 'a')).ok());
}

TEST(Names, ParsesResourceNames) {
  const auto key = ParseName("name", "projects/p/models/0a1b", "models");
  ASSERT_TRUE(key.ok());
  EXPECT_EQ(*key, (store::ResourceKey{.project = "p", .collection = "models", .id = "0a1b"}));
  EXPECT_EQ(store::ResourceName(*key), "projects/p/models/0a1b");
}

TEST(Names, RefusesOtherResourceNames) {
  for (const char* name :
       {"", "projects/p/models", "projects/p/models/", "projects/p/models/a/", "projects/p/models/a/b",
        "projects/p/plans/a", "projects/p/models/../a", "models/a", "projects//models/a"}) {
    const auto key = ParseName("config.model", name, "models");
    ASSERT_FALSE(key.ok()) << name;
    EXPECT_EQ(MessageOf(key.status()),
              fmt::format("config.model: got '{}', want projects/{{project}}/models/{{id}}", name));
  }
}

TEST(Names, QuotesHostileNamesCleanly) {
  const auto key = ParseName("name", std::string("\x1b[31m\0\xff", 7) + std::string(5000, 'x'), "models");
  EXPECT_LT(MessageOf(key.status()).size(), 200u);
  EXPECT_EQ(MessageOf(key.status()).find('\x1b'), std::string::npos);
}

TEST(Names, ContentIdsAreIds) {
  EXPECT_TRUE(ParseName("name", "projects/p/models/" + IdOfDigest(Sha256Hex("x")), "models").ok());
}

TEST(Names, LimitsTexts) {
  EXPECT_TRUE(CheckDisplayName("display_name", "ResNet 8 für Träumer").ok());
  EXPECT_EQ(MessageOf(CheckDisplayName("display_name", std::string(129, 'x'))),
            "display_name: got 129 bytes, want at most 128");
  EXPECT_EQ(MessageOf(CheckRequestId("request_id", "a\nb\x01")), "request_id: got control characters or invalid UTF-8");
}

}  // namespace
}  // namespace bitplan::service
