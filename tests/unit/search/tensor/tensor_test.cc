#include "search/tensor/tensor.h"

#include <gtest/gtest.h>

#include <limits>

namespace bitplan {
namespace {

TEST(Shape, CountsElements) {
  EXPECT_EQ(NumElements({}), 1);
  EXPECT_EQ(NumElements({2, 3, 4}), 24);
  EXPECT_EQ(NumElements({2, 0}), 0);
  EXPECT_EQ(ToString({2, 3}), "[2, 3]");
  EXPECT_EQ(ToString(Shape{}), "[]");
}

TEST(CheckedNumElements, RefusesNegativeSizesOverflowAndTooMany) {
  constexpr int64_t kBig = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(CheckedNumElements({2, 3}, 6), 6);
  EXPECT_EQ(CheckedNumElements({2, 3}, 5), -1);
  EXPECT_EQ(CheckedNumElements({2, -1}, kBig), -1);
  EXPECT_EQ(CheckedNumElements({kBig, 2}, kBig), -1);
}

TEST(Tensor, ZerosHasTheRightSize) {
  const Tensor tensor = Tensor::Zeros({2, 3});
  EXPECT_EQ(tensor.data.size(), 6U);
  EXPECT_EQ(tensor.data[5], 0.0F);
  EXPECT_EQ(TensorView(tensor).data.size(), 6U);
}

}  // namespace
}  // namespace bitplan
