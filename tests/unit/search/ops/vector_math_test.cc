#include "search/ops/vector_math.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

namespace bitplan::ops {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// The largest relative error over 2^21 points of [low, high], 0 left out.
double LargestError(const std::function<float(float)>& function, const std::function<double(double)>& exact, double low,
                    double high) {
  constexpr int kPoints = 1 << 21;
  double largest = 0;
  for (int i = 0; i <= kPoints; ++i) {
    const float x = static_cast<float>(low + (high - low) * i / kPoints);
    const double wanted = exact(x);
    if (wanted == 0) continue;
    largest = std::max(largest, std::abs((function(x) - wanted) / wanted));
  }
  return largest;
}

double ExactExp(double x) { return std::exp(x); }
double ExactTanh(double x) { return std::tanh(x); }
double ExactErf(double x) { return std::erf(x); }
double ExactLog1p(double x) { return std::log1p(x); }

// The bounds are those that the header promises.
TEST(VectorMath, KeepsItsErrors) {
  EXPECT_LT(LargestError(&VectorExp, &ExactExp, -86.5, 88.7), 2e-7);
  EXPECT_LT(LargestError(&VectorExp, &ExactExp, -1e-3, 1e-3), 2e-7);
  EXPECT_LT(LargestError(&VectorTanh, &ExactTanh, -20, 20), 5e-7);
  EXPECT_LT(LargestError(&VectorTanh, &ExactTanh, -1e-3, 1e-3), 5e-7);
  EXPECT_LT(LargestError(&VectorErf, &ExactErf, -20, 20), 5e-7);
  EXPECT_LT(LargestError(&VectorErf, &ExactErf, -1e-3, 1e-3), 5e-7);
  EXPECT_LT(LargestError(&VectorLog1p, &ExactLog1p, 0, 1), 3e-7);
  EXPECT_LT(LargestError(&VectorLog1p, &ExactLog1p, 0, 1e-3), 3e-7);
}

TEST(VectorMath, GoesToItsLimits) {
  EXPECT_EQ(VectorExp(-87), 0);
  EXPECT_EQ(VectorExp(-kInfinity), 0);
  EXPECT_EQ(VectorExp(0), 1);
  EXPECT_EQ(VectorExp(89), kInfinity);
  EXPECT_EQ(VectorExp(kInfinity), kInfinity);
  EXPECT_EQ(VectorSigmoid(-kInfinity), 0);
  EXPECT_EQ(VectorSigmoid(kInfinity), 1);
  EXPECT_NEAR(VectorTanh(kInfinity), 1, 5e-7);
  EXPECT_NEAR(VectorTanh(-kInfinity), -1, 5e-7);
  EXPECT_NEAR(VectorErf(kInfinity), 1, 5e-7);
  EXPECT_EQ(VectorTanh(0), 0);
  EXPECT_EQ(VectorErf(0), 0);
  EXPECT_EQ(VectorLog1p(0), 0);
}

TEST(VectorMath, PassesNanOn) {
  EXPECT_TRUE(std::isnan(VectorExp(NAN)));
  EXPECT_TRUE(std::isnan(VectorSigmoid(NAN)));
  EXPECT_TRUE(std::isnan(VectorTanh(NAN)));
  EXPECT_TRUE(std::isnan(VectorErf(NAN)));
}

}  // namespace
}  // namespace bitplan::ops
