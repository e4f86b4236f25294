#include "search/curvature/confidence.h"

#include <gtest/gtest.h>

#include <cmath>
#include <utility>
#include <vector>

namespace bitplan::curvature {
namespace {

TEST(Confidence, StudentPointsAreThoseOfTheTables) {
  // scipy.stats.t.ppf(0.975, v)
  const std::vector<std::pair<int64_t, double>> table = {
      {1, 12.7062}, {2, 4.30265},  {3, 3.18245},  {4, 2.77645},  {5, 2.57058},   {6, 2.44691},
      {7, 2.36462}, {10, 2.22814}, {15, 2.13145}, {30, 2.04227}, {100, 1.98397}, {100000, 1.95999}};
  for (const auto& [degrees, point] : table) EXPECT_NEAR(StudentPoint975(degrees), point, 1e-3 * point) << degrees;
  EXPECT_NEAR(HalfWidth95(2, 16), 2 * 2.13145, 1e-3);
}

TEST(Confidence, MomentsOfAKnownSample) {
  Moments moments;
  int64_t count = 0;
  for (const double x : {1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16}) AddSample(moments, x, ++count);
  EXPECT_DOUBLE_EQ(moments.mean, 1e9 + 10);
  EXPECT_NEAR(StandardErrorOfMean(moments, 4), std::sqrt(30.0 / 4), 1e-6);  // sample variance 30
}

TEST(Confidence, ATargetIsReachedWhenTheWiderIntervalFits) {
  EXPECT_FALSE(HasReached(1.0, 8, 1.0));
  EXPECT_TRUE(HasReached(0.82, 8, 1.0));  // 1.95996 / 2.36462 = 0.829
  EXPECT_FALSE(HasReached(0.84, 8, 1.0));
  EXPECT_TRUE(HasReached(0, 2, 0));
}

}  // namespace
}  // namespace bitplan::curvature
