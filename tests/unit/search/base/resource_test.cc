#include "search/base/resource.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "search/base/status.h"

namespace bitplan {
namespace {

TEST(Resource, NamesAndKeysComeBack) {
  for (const Resource resource : kResources) {
    EXPECT_EQ(ParseResource(ToString(resource)).value(), resource);
    EXPECT_EQ(ParseResourceKey(ResourceKey(resource)).value(), resource);
    EXPECT_FALSE(BaseUnit(resource).empty());
  }
}

TEST(Resource, UnknownNameListsTheKnownOnes) {
  EXPECT_EQ(MessageOf(ParseResource("speed").status()),
            "resource: got 'speed', want one of size, bops, latency, memory, energy, traffic");
  EXPECT_EQ(ParseResourceKey("size").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(CheckedArithmetic, RefusesWhatDoesNotFit) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(CheckedAdd(kMax - 1, 1), kMax);
  EXPECT_EQ(CheckedAdd(kMax, 1), std::nullopt);
  EXPECT_EQ(CheckedMultiply(3037000499, 3037000499), 9223372030926249001);
  EXPECT_EQ(CheckedMultiply(3037000500, 3037000500), std::nullopt);
}

}  // namespace
}  // namespace bitplan
