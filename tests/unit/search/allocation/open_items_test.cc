#include "search/allocation/open_items.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bitplan::allocation {
namespace {

using ::testing::ElementsAre;

// Two groups of three items, one row of capacity 10: costs 0, 4, 8 and 0, 5, 9.
MultiKnapsack TwoGroups() {
  MultiKnapsack knapsack{.num_rows = 1, .row = {0}, .group = {0, 1}, .first = {0, 3, 6}};
  knapsack.option = {0, 1, 2, 0, 1, 2};
  knapsack.group_of = {0, 0, 0, 1, 1, 1};
  knapsack.value = {3, 2, 1, 6, 5, 4};
  knapsack.cost = {0, 4, 8, 0, 5, 9};
  knapsack.capacity = {10};
  knapsack.scaled_cost = {0, 4, 8, 0, 5, 9};
  knapsack.row_factor = {1};
  knapsack.row_divisor = {1};
  knapsack.fixed_option = {-1, -1};
  knapsack.fixed_value = 100;
  return knapsack;
}

ItemSet Items(std::initializer_list<int> items) {
  ItemSet set(6);
  for (const int item : items) set.Add(item);
  return set;
}

TEST(OpenItems, DropsWhatDoesNotFitAndFixesGroupsWithOneItem) {
  const MultiKnapsack knapsack = TwoGroups();
  const GroupShapes shapes;
  ItemSet alive = Items({1, 3, 4, 5});  // group 0 costs 4: 6 are left for group 1
  OpenItems open;
  ASSERT_TRUE(OpenWhatFits(knapsack, {shapes, {}}, {false, false}, alive, open));
  EXPECT_FALSE(alive.Has(5));
  EXPECT_THAT(open.item, ElementsAre(3, 4));
  EXPECT_THAT(open.group, ElementsAre(1));
  EXPECT_THAT(open.fixed_item, ElementsAre(1));
  EXPECT_EQ(open.fixed_value, 102);
  EXPECT_THAT(open.spare, ElementsAre(6));
  EXPECT_THAT(open.row[0], ElementsAre(0, 5));
}

TEST(OpenItems, KeepsGroupsOpenOnRequest) {
  const MultiKnapsack knapsack = TwoGroups();
  const GroupShapes shapes;
  ItemSet alive = Items({1, 3, 4});
  OpenItems open;
  ASSERT_TRUE(OpenWhatFits(knapsack, {shapes, {}}, {true, false}, alive, open));
  EXPECT_THAT(open.item, ElementsAre(1, 3, 4));
  EXPECT_THAT(open.spare, ElementsAre(10));
}

TEST(OpenItems, ProvesThatNothingFits) {
  const MultiKnapsack knapsack = TwoGroups();
  const GroupShapes shapes;
  OpenItems open;
  ItemSet too_dear = Items({2, 4});
  EXPECT_FALSE(OpenWhatFits(knapsack, {shapes, {}}, {false, false}, too_dear, open));
  ItemSet none_of_a_group = Items({3});
  EXPECT_FALSE(OpenWhatFits(knapsack, {shapes, {}}, {false, false}, none_of_a_group, open));
}

TEST(OpenItems, CountsFixedGroupsAgainstLimits) {
  const MultiKnapsack knapsack = TwoGroups();
  const GroupShapes shapes{
      .shape = {0, 0}, .num_groups = {2}, .regular = {true}, .raw_cost = {0, 4, 8, 0, 5, 9}, .num_rows = 1};
  ItemSet alive = Items({0, 3, 4});
  OpenItems open;
  const std::vector<CountRow> one_cheap = {{.shape = 0, .row = 0, .threshold = 0, .limit = 1}};
  ASSERT_TRUE(OpenWhatFits(knapsack, {shapes, one_cheap}, {false, false}, alive, open));
  EXPECT_THAT(open.spare, ElementsAre(10, 0));  // group 0 is one already
  EXPECT_THAT(open.row[1], ElementsAre(open.count_factor[0], 0));
  const std::vector<CountRow> none_cheap = {{.shape = 0, .row = 0, .threshold = 0, .limit = 0}};
  EXPECT_FALSE(OpenWhatFits(knapsack, {shapes, none_cheap}, {false, false}, alive, open));
}

TEST(ItemSet, ListsItsMembers) {
  ItemSet set(200);
  for (const int item : {0, 63, 64, 127, 199}) set.Add(item);
  set.Remove(64);
  std::vector<int> items;
  set.List(items);
  EXPECT_THAT(items, ElementsAre(0, 63, 127, 199));
}

}  // namespace
}  // namespace bitplan::allocation
