#include "server/store/page_token.h"

#include <gtest/gtest.h>

#include <limits>

#include "server/store/store.h"

namespace bitplan::store {
namespace {

TEST(PageToken, RoundTrips) {
  for (int64_t row : {int64_t{0}, int64_t{1}, int64_t{255}, std::numeric_limits<int64_t>::max()}) {
    EXPECT_EQ(*ParsePageToken("list", MakePageToken("list", row)), row);
  }
}

TEST(PageToken, BelongsToOneList) {
  EXPECT_TRUE(absl::IsInvalidArgument(ParsePageToken("other", MakePageToken("list", 7)).status()));
}

TEST(PageToken, AnyChangedCharacterIsNoticed) {
  const std::string token = MakePageToken("list", 1234567);
  for (size_t i = 0; i < token.size(); ++i) {
    std::string changed = token;
    changed[i] = changed[i] == '0' ? '1' : '0';
    EXPECT_TRUE(absl::IsInvalidArgument(ParsePageToken("list", changed).status())) << changed;
  }
}

TEST(PageToken, RefusesWhatIsNoToken) {
  for (const char* token :
       {"", "0", "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", "7fffffffffffffff", "99999999999999999999999999999999"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParsePageToken("list", token).status())) << token;
  }
}

TEST(EffectivePageSize, HasDefaultAndLimit) {
  EXPECT_EQ(*EffectivePageSize(0), kDefaultPageSize);
  EXPECT_EQ(*EffectivePageSize(7), 7);
  EXPECT_EQ(*EffectivePageSize(kMaxPageSize + 1), kMaxPageSize);
  EXPECT_TRUE(absl::IsInvalidArgument(EffectivePageSize(-1).status()));
}

}  // namespace
}  // namespace bitplan::store
