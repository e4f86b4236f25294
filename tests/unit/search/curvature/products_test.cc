#include "search/curvature/products.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "search/base/status.h"
#include "tests/testing/dense_operator.h"
#include "tests/testing/memory_checkpoints.h"

namespace bitplan::curvature {
namespace {

using ::bitplan::testing::DenseOperator;
using ::bitplan::testing::MemoryCheckpoints;

DenseOperator TwoByTwo() { return DenseOperator((Eigen::Matrix2d() << 3, 2, 2, 5).finished()); }

const std::vector<float> kV = {1, 1};
const std::vector<float> kW = {1, -1};

TEST(Products, ReplaysWhatWasMadeBefore) {
  MemoryCheckpoints checkpoints;
  const RunContext context{.checkpoints = &checkpoints};
  const DenseOperator A = TwoByTwo();
  std::vector<double> out(2);
  Products first(A, {.estimator = "test", .checkpoint_key = "A"});
  ASSERT_TRUE(first.Multiply(kV, out, context).ok());
  Products second(A, {.estimator = "test", .checkpoint_key = "A"});
  std::vector<double> again(2);
  ASSERT_TRUE(second.Multiply(kV, again, context).ok());
  EXPECT_EQ(again, out);
  EXPECT_EQ(A.num_products(), 1);
  EXPECT_EQ(second.count(), 1);
}

TEST(Products, AnotherVectorAtTheSamePlaceIsNotMistaken) {
  MemoryCheckpoints checkpoints;
  const RunContext context{.checkpoints = &checkpoints};
  const DenseOperator A = TwoByTwo();
  std::vector<double> out(2);
  ASSERT_TRUE(Products(A, {.estimator = "test", .checkpoint_key = "A"}).Multiply(kV, out, context).ok());
  ASSERT_TRUE(Products(A, {.estimator = "test", .checkpoint_key = "A"}).Multiply(kW, out, context).ok());
  EXPECT_EQ(out, (std::vector<double>{1, -3}));
  for (auto& [key, value] : checkpoints.values) value.pop_back();  // damaged
  ASSERT_TRUE(Products(A, {.estimator = "test", .checkpoint_key = "A"}).Multiply(kW, out, context).ok());
  EXPECT_EQ(out, (std::vector<double>{1, -3}));
  EXPECT_EQ(A.num_products(), 3);
}

TEST(Products, KeepsNoMoreThanItsBudgetAndForgets) {
  MemoryCheckpoints checkpoints;
  const RunContext context{.checkpoints = &checkpoints};
  const DenseOperator A = TwoByTwo();
  std::vector<double> out(2);
  Products products(A, {.estimator = "test", .checkpoint_key = "A", .max_checkpoint_bytes = 40});  // two of 16 bytes
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(products.Multiply(kV, out, context).ok());
  EXPECT_EQ(checkpoints.values.size(), 2);
  products.Forget(context);
  for (const auto& [key, value] : checkpoints.values) EXPECT_TRUE(value.empty()) << key;
}

TEST(Products, RefusesWhatIsNotFiniteAndObeysAStop) {
  Eigen::Matrix2d matrix = Eigen::Matrix2d::Identity();
  matrix(0, 0) = std::numeric_limits<double>::infinity();
  const DenseOperator A(matrix);
  std::vector<double> out(2);
  Products products(A, {.estimator = "test"});
  EXPECT_EQ(MessageOf(products.Multiply(kV, out, {})), "test: product 1 with the operator is not finite");
  std::stop_source source;
  source.request_stop();
  EXPECT_EQ(products.Multiply(kV, out, {.stop = source.get_token()}).code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace bitplan::curvature
