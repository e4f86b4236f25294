#include "search/onnx/topology.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "search/base/rng.h"

namespace bitplan::onnx {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(SortTopologically, KeepsAnOrderThatIsGood) {
  EXPECT_THAT(SortTopologically({{}, {0}, {0}, {1, 2}}).order, ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(SortTopologically({}).order, IsEmpty());
}

TEST(SortTopologically, RepairsAnOrderThatIsNot) {
  // 0 reads 3, 3 reads 2 twice, 1 stands alone.
  EXPECT_THAT(SortTopologically({{3}, {}, {}, {2, 2}}).order, ElementsAre(1, 2, 3, 0));
}

TEST(SortTopologically, ShowsACycle) {
  // 0 -> 1 -> 2 -> 3 -> 1, and 4 behind the cycle.
  const TopologicalOrder sorted = SortTopologically({{}, {0, 3}, {1}, {2}, {3}});
  EXPECT_THAT(sorted.cycle, SizeIs(3));
  for (const int node : sorted.cycle) EXPECT_TRUE(node >= 1 && node <= 3);
  EXPECT_THAT(SortTopologically({{0}}).cycle, ElementsAre(0));
}

TEST(SortTopologically, TakesLongChainsWithoutRecursion) {
  constexpr int kLength = 100'000;
  Predecessors chain(kLength);
  for (int i = 0; i + 1 < kLength; ++i) chain[i] = {i + 1};
  EXPECT_EQ(SortTopologically(chain).order.front(), kLength - 1);
  chain[kLength - 1] = {0};
  EXPECT_THAT(SortTopologically(chain).cycle, SizeIs(kLength));
}

// Random graphs whose edges follow a hidden order must be sorted; each reads only what came before.
TEST(SortTopologically, PutsEveryNodeBehindItsPredecessors) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    Rng rng(seed, 0);
    const int count = 1 + static_cast<int>(rng.NextBelow(40));
    std::vector<int> hidden(count);
    for (int i = 0; i < count; ++i) hidden[i] = i;
    for (int i = count; i > 1; --i) std::swap(hidden[i - 1], hidden[rng.NextBelow(i)]);
    Predecessors predecessors(count);
    for (int i = 1; i < count; ++i) {
      for (uint64_t edges = rng.NextBelow(4); edges > 0; --edges) {
        predecessors[hidden[i]].push_back(hidden[rng.NextBelow(i)]);
      }
    }
    const TopologicalOrder sorted = SortTopologically(predecessors);
    ASSERT_THAT(sorted.order, SizeIs(count)) << "seed " << seed;
    std::vector<bool> done(count, false);
    for (const int node : sorted.order) {
      for (const int from : predecessors[node]) EXPECT_TRUE(done[from]) << "seed " << seed;
      done[node] = true;
    }
  }
}

TEST(FindAncestors, FollowsEveryPath) {
  EXPECT_THAT(FindAncestors({{}, {0}, {}, {1}, {2, 3}}, {3}), ElementsAre(true, true, false, true, false));
  EXPECT_THAT(FindAncestors({{1}, {0}}, {0}), ElementsAre(true, true));
}

}  // namespace
}  // namespace bitplan::onnx
