#include "search/sensitivity/paired_difference.h"

#include <gtest/gtest.h>

#include <vector>

namespace bitplan::sensitivity {
namespace {

// Differences 1, 2, 3: mean 2, variance 1, standard error 1 / sqrt(3); what the samples share drops out.
TEST(PairedDifference, IsMeanAndStandardErrorOfTheDifferences) {
  const SampleMean difference = PairedDifference(std::vector<double>{100, -50, 7}, std::vector<double>{101, -48, 10});
  EXPECT_DOUBLE_EQ(difference.mean, 2);
  EXPECT_DOUBLE_EQ(difference.standard_error, 0.57735026918962576);
}

TEST(PairedDifference, OfOneSampleHasNoStandardError) {
  EXPECT_EQ(PairedDifference(std::vector<double>{1}, std::vector<double>{3}),
            (SampleMean{.mean = 2, .standard_error = 0}));
}

}  // namespace
}  // namespace bitplan::sensitivity
