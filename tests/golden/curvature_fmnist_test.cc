// Curvature and quantization of the bundled trained networks against values from PyTorch (tests/data/README.md).

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "search/curvature/hessian.h"
#include "search/curvature/hutchinson.h"
#include "search/curvature/power_iteration.h"
#include "search/data/npz.h"
#include "search/onnx/parse_model.h"
#include "search/quantization/options.h"
#include "search/quantization/quantizer.h"
#include "search/sensitivity/estimate.h"
#include "tests/testing/golden_file.h"

namespace bitplan {
namespace {

using Json = nlohmann::json;

const std::string kData = BITPLAN_TEST_DATA_DIR;

// A network with its golden values; golden["layers"][l] belongs to layer index_of[l] of the graph.
struct TrainedNetwork {
  Graph graph;
  Dataset data;
  Json golden;
  std::vector<int> index_of;
};

TrainedNetwork Load(const std::string& name) {
  TrainedNetwork network;
  network.graph = onnx::ParseModel(testing::ReadFile(kData + "/models/" + name + ".onnx")).value();
  network.data = data::ParseNpz(testing::ReadFile(kData + "/models/fmnist_calibration_128.npz")).value();
  network.golden = Json::parse(testing::ReadFile(kData + "/golden/" + name + ".json"));
  for (const Json& layer : network.golden["layers"]) {
    int index = -1;
    for (int l = 0; l < std::ssize(network.graph.layers.layers); ++l) {
      const ValueId weight = network.graph.layer_weights[l].weight;
      if (network.graph.values[weight].name == layer["initializer"]) index = l;
    }
    EXPECT_GE(index, 0) << "the graph has no layer " << layer["name"];
    network.index_of.push_back(index);
  }
  return network;
}

class Fmnist : public ::testing::TestWithParam<std::string_view> {};

TEST_P(Fmnist, SquaredPerturbationsAreThoseOfPyTorch) {
  const TrainedNetwork network = Load(std::string(GetParam()));
  int compared = 0;
  for (size_t i = 0; i < network.index_of.size(); ++i) {
    const Json& golden = network.golden["layers"][i];
    if (!golden.contains("quant")) continue;
    const int l = network.index_of[i];
    const Tensor& weight = std::get<Tensor>(network.graph.values[network.graph.layer_weights[l].weight].constant);
    for (const auto& [bits, expected] : golden["quant"].items()) {
      const Option option{.weight_bits = std::stoi(bits), .granularity = Granularity::kPerChannel};
      const auto d = quantization::Perturb(weight, network.graph.layers.layers[l].output_channel_axis, option);
      ASSERT_TRUE(d.ok()) << d.status();
      // Both sides compute d in float; only the order of the sum differs.
      const double sq_error = expected["sq_error"];
      EXPECT_NEAR(d->squared_norm, sq_error, 1e-5 * sq_error) << golden["name"] << " at " << bits << " bits";
      ++compared;
    }
  }
  EXPECT_GE(compared, 20);
}

TEST_P(Fmnist, TracesAgreeWithinFourStandardErrors) {
  const TrainedNetwork network = Load(std::string(GetParam()));
  const auto objective = Objective::Create(network.graph, network.data, {});
  ASSERT_TRUE(objective.ok()) << objective.status();
  constexpr int64_t kProbes = 48;
  const auto traces = curvature::HutchinsonBlockTraces(
      HessianOperator::OfNetwork(**objective), (*objective)->slices(),
      {.seed = 1, .relative_error = 1e-9, .min_probes = kProbes, .max_probes = kProbes}, {.num_threads = 2});
  ASSERT_TRUE(traces.ok()) << traces.status();
  for (size_t i = 0; i < network.index_of.size(); ++i) {
    const Json& golden = network.golden["layers"][i];
    if (!golden.contains("hessian_trace")) continue;
    const TraceEstimate& trace = (*traces)[network.index_of[i]];
    // The golden spread of one probe, not our own estimate of it: 48 probes know their deviation only to 10 %.
    const double probe_error = golden["hutchinson_per_probe_std_joint"].get<double>() / std::sqrt(kProbes);
    const double error = std::hypot(probe_error, golden["hessian_trace_stderr"].get<double>());
    EXPECT_LE(std::abs(trace.trace - golden["hessian_trace"].get<double>()), 4 * error) << golden["name"];
    EXPECT_GT(trace.standard_error, 0.4 * probe_error) << golden["name"];
    EXPECT_LT(trace.standard_error, 2.5 * probe_error) << golden["name"];
  }
}

TEST_P(Fmnist, TopEigenvaluesAgreeWithinTheResidual) {
  const TrainedNetwork network = Load(std::string(GetParam()));
  const auto objective = Objective::Create(network.graph, network.data, {});
  ASSERT_TRUE(objective.ok()) << objective.status();
  for (size_t i = 0; i < network.index_of.size(); ++i) {
    const Json& golden = network.golden["layers"][i];
    if (!golden.contains("lambda_max")) continue;
    const auto top = curvature::PowerIteration(HessianOperator::OfLayer(**objective, network.index_of[i]),
                                               {.seed = 1, .tolerance = 0.02}, {.num_threads = 2});
    ASSERT_TRUE(top.ok()) << top.status();
    EXPECT_TRUE(top->converged) << golden["name"];
    const double expected = golden["lambda_max"];
    EXPECT_NEAR(top->value, expected, top->residual + 1e-4 * expected) << golden["name"];
    EXPECT_LE(top->value, expected * (1 + 1e-4)) << golden["name"];
  }
  const auto top = curvature::PowerIteration(HessianOperator::OfNetwork(**objective), {.seed = 1, .tolerance = 0.02},
                                             {.num_threads = 2});
  ASSERT_TRUE(top.ok()) << top.status();
  const double expected = network.golden["network"]["weights_only"]["lambda_max"];
  EXPECT_NEAR(top->value, expected, top->residual + 1e-4 * expected);
}

INSTANTIATE_TEST_SUITE_P(Networks, Fmnist,
                         ::testing::Values("fmnist_resnet8", "fmnist_mobilenet", "fmnist_mobilenet_bn", "fmnist_vit"),
                         [](const auto& info) { return std::string(info.param); });

TEST(FmnistResnet8, SameSeedSameBitsOnOneTwoAndFourThreads) {
  const TrainedNetwork network = Load("fmnist_resnet8");
  const auto options = quantization::ListOptions(network.graph.layers, {.weight_bits = {2, 4, 8}});
  ASSERT_TRUE(options.ok()) << options.status();
  const SensitivityOptions few{.max_samples = 64,
                               .seed = 9,
                               .max_probes = 3,
                               .eigenvalue_tolerance = 0.5,
                               .max_iterations = 2,
                               .all_curvature = true};
  const auto one = sensitivity::Estimate(network.graph, network.data, *options, few, {.num_threads = 1});
  ASSERT_TRUE(one.ok()) << one.status();
  EXPECT_EQ(one->num_samples, 64);
  for (const int threads : {2, 4}) {
    const auto many = sensitivity::Estimate(network.graph, network.data, *options, few, {.num_threads = threads});
    ASSERT_TRUE(many.ok()) << many.status();
    EXPECT_EQ(*many, *one) << threads << " threads";
  }
}

}  // namespace
}  // namespace bitplan
