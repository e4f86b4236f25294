#include "search/layer/uniform.h"

#include <gtest/gtest.h>

#include <vector>

namespace bitplan {
namespace {

Costs Size(int64_t amount) { return {{Resource::kSize, amount}}; }

TEST(CheapestOfWidth, PrefersEqualWidths) {
  const std::vector<Option> options = {{8, 4}, {8, 8}, {8, 8, "affine"}, {4, 4}};
  const std::vector<Costs> costs = {Size(1), Size(9), Size(7), Size(2)};
  EXPECT_EQ(CheapestOfWidth(options, costs, Resource::kSize, 8), 7);
  EXPECT_EQ(CheapestOfWidth(options, costs, Resource::kSize, 4), 2);
  EXPECT_EQ(CheapestOfWidth(options, costs, Resource::kSize, 6), std::nullopt);
  EXPECT_EQ(CheapestOfWidth(options, costs, Resource::kBops, 8), std::nullopt);
}

TEST(CheapestOfWidth, TakesAnyActivationsWhereNoneAreEqual) {
  EXPECT_EQ(
      CheapestOfWidth(std::vector<Option>{{4, 8}, {4, 16}}, std::vector<Costs>{Size(5), Size(3)}, Resource::kSize, 4),
      3);
}

TEST(CheapestOfWidth, AnUnpricedOptionIsNoOption) {
  EXPECT_EQ(
      CheapestOfWidth(std::vector<Option>{{8, 8}, {8, 4}}, std::vector<Costs>{Costs{}, Size(3)}, Resource::kSize, 8),
      std::nullopt);
}

TEST(UniformOption, PrefersEqualWidthsThenSymmetricThenPerChannel) {
  const Option affine{4, 4, "affine", Granularity::kPerChannel};
  const Option tensor{4, 4, "symmetric", Granularity::kPerTensor};
  const Option channel{4, 4, "symmetric", Granularity::kPerChannel};
  const Option other_activations{4, 8, "symmetric", Granularity::kPerChannel};
  EXPECT_EQ(UniformOption(std::vector{affine, other_activations, tensor, channel}, 4), 3);
  EXPECT_EQ(UniformOption(std::vector{affine, other_activations, tensor}, 4), 2);
  EXPECT_EQ(UniformOption(std::vector{other_activations, affine}, 4), 1);
  EXPECT_EQ(UniformOption(std::vector{affine}, 8), -1);
}

}  // namespace
}  // namespace bitplan
