#include "search/sensitivity/method_checkpoint.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "search/sensitivity/activation_ranges.h"
#include "tests/testing/quadratic_objective.h"

namespace bitplan::sensitivity {
namespace {

// Whatever numbers depend on has a key of its own: part, network, options, seed (stochastic rounding), range rule.
TEST(MethodCheckpointKey, DiffersWhereNumbersMay) {
  const testing::QuadraticObjective objective(Eigen::MatrixXd::Identity(1, 1), {1}, {1});
  const LayerTable layers{{{.name = "a", .num_weights = 1}}};
  const std::vector<std::vector<double>> squares;
  const std::vector<LayerCurvature> curvature;
  const curvature::Perturbations perturbations;
  const auto key = [&](const std::string& what, const std::string& prefix, int bits, uint64_t seed, const char* range) {
    const OptionTable options{{{{.weight_bits = bits}}}};
    const SensitivityOptions settings{.seed = seed};
    const ActivationCalibration activations{.range = range == nullptr ? "" : range};
    return MethodCheckpointKey({objective, layers, options, squares, curvature, perturbations, settings, prefix,
                                range == nullptr ? nullptr : &activations},
                               what);
  };
  const std::string first = key("forms", "net", 4, 1, nullptr);
  EXPECT_EQ(key("forms", "net", 4, 1, nullptr), first);
  const std::set<std::string> keys = {first,
                                      key("measured", "net", 4, 1, nullptr),
                                      key("forms", "other", 4, 1, nullptr),
                                      key("forms", "net", 5, 1, nullptr),
                                      key("forms", "net", 4, 2, nullptr),
                                      key("forms", "net", 4, 1, "minmax"),
                                      key("forms", "net", 4, 1, "mse")};
  EXPECT_EQ(keys.size(), 7U);
  EXPECT_EQ(key("forms", "", 4, 1, nullptr), "");
}

}  // namespace
}  // namespace bitplan::sensitivity
