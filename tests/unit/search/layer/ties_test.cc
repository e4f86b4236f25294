#include "search/layer/ties.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "search/base/status.h"

namespace bitplan {
namespace {

using ::testing::ElementsAre;

const std::vector<std::string_view> kNames = {"a", "b", "c", "d", "e"};

TEST(GroupByTies, LayersWithoutTiesAreAlone) {
  EXPECT_THAT(GroupByTies(kNames, {}).value(),
              ElementsAre(ElementsAre(0), ElementsAre(1), ElementsAre(2), ElementsAre(3), ElementsAre(4)));
}

TEST(GroupByTies, TiesThatShareALayerAreOneGroup) {
  EXPECT_THAT(GroupByTies(kNames, {{"e", "b"}, {"d", "c"}, {"b", "d"}}).value(),
              ElementsAre(ElementsAre(0), ElementsAre(1, 2, 3, 4)));
}

TEST(GroupByTies, ErrorsNameTheTie) {
  EXPECT_EQ(GroupByTies(kNames, {{"a", "x"}}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(MessageOf(GroupByTies(kNames, {{"a", "b"}, {"a", "x"}}).status()),
            "ties[1]: there is no layer 'x', only a, b, c, d, e");
  EXPECT_EQ(MessageOf(GroupByTies(kNames, {{"a"}}).status()), "ties[0]: got 1 layers, want at least 2");
  EXPECT_EQ(MessageOf(GroupByTies(kNames, {{"a", "a"}}).status()), "ties[0]: layer 'a' is listed twice");
}

}  // namespace
}  // namespace bitplan
