// Losses and accuracies of the bundled networks under quantization against values from PyTorch (tests/data/README.md).

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "search/data/npz.h"
#include "search/evaluation/evaluate_plan.h"
#include "search/onnx/parse_model.h"
#include "search/quantization/options.h"
#include "search/sensitivity/estimate.h"
#include "tests/testing/golden_file.h"

namespace bitplan {
namespace {

using Json = nlohmann::json;

const std::string kData = BITPLAN_TEST_DATA_DIR;

// Float forward passes of two implementations: logits differ by up to 1e-4 (bundled_networks_test), mean losses by
// less. A code that rounds the other way at a tie would move one weight by a step; none does.
constexpr double kTolerance = 2e-5;

struct TrainedNetwork {
  explicit TrainedNetwork(const std::string& name)
      : graph(onnx::ParseModel(testing::ReadFile(kData + "/models/" + name + ".onnx")).value()),
        data(data::ParseNpz(testing::ReadFile(kData + "/models/fmnist_calibration_128.npz")).value()),
        golden(Json::parse(testing::ReadFile(kData + "/golden/" + name + ".json"))) {}

  int IndexOf(const Json& layer) const {
    for (size_t l = 0; l < graph.layer_weights.size(); ++l) {
      if (graph.values[graph.layer_weights[l].weight].name == layer["initializer"]) return static_cast<int>(l);
    }
    ADD_FAILURE() << "the graph has no layer " << layer["name"];
    return 0;
  }

  Graph graph;
  Dataset data;
  Json golden;
};

class Fmnist : public ::testing::TestWithParam<std::string_view> {};

TEST_P(Fmnist, MeasuredLossesOfSingleLayersAreThoseOfPyTorch) {
  const TrainedNetwork network{std::string(GetParam())};
  const std::vector<int> bits = {2, 3, 4, 8};
  const OptionTable options = *quantization::ListOptions(
      network.graph.layers,
      {.weight_bits = bits, .schemes = {"symmetric"}, .granularities = {Granularity::kPerChannel}});
  const auto table =
      sensitivity::Estimate(network.graph, network.data, options, {.method = "measured_loss"}, {.num_threads = 2});
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_NEAR(*table->base_loss, network.golden["base"]["loss_batch128"].get<double>(), kTolerance);
  int compared = 0;
  for (const Json& layer : network.golden["layers"]) {
    if (!layer.contains("quant")) continue;
    const int l = network.IndexOf(layer);
    for (size_t o = 0; o < bits.size(); ++o) {
      const auto expected = layer["quant"].find(std::to_string(bits[o]));
      if (expected == layer["quant"].end()) continue;
      EXPECT_NEAR(*table->base_loss + table->score[l][o], (*expected)["loss_batch128"].get<double>(), kTolerance)
          << layer["name"] << " at " << bits[o] << " bits";
      ++compared;
    }
  }
  EXPECT_GE(compared, 15);
}

// The uniform plan of 4 bit as a plan, and what it is compared with.
TEST_P(Fmnist, UniformPlansHaveLossAndAccuracyOfPyTorch) {
  const TrainedNetwork network{std::string(GetParam())};
  Plan plan{.termination = Termination::kOptimal};
  for (const Layer& layer : network.graph.layers.layers) {
    const auto priced = [&](int bits) {
      return PlanOption{.option = {.weight_bits = bits}, .costs = {{Resource::kSize, bits * layer.num_weights}}};
    };
    plan.layers.push_back({.layer = layer, .chosen = priced(4), .alternatives = {priced(8)}});
  }
  const auto evaluation = evaluation::EvaluatePlan(network.graph, network.data, plan, nullptr, {}, {.num_threads = 2});
  ASSERT_TRUE(evaluation.ok()) << evaluation.status();
  const auto expect = [&](const EvaluatedNetwork& measured, const Json& golden) {
    EXPECT_NEAR(measured.loss.mean, golden["loss_batch128"].get<double>(), kTolerance) << measured.name;
    EXPECT_EQ(measured.accuracy->mean, golden["acc_batch128"].get<double>()) << measured.name;
  };
  expect(evaluation->float_network, network.golden["base"]);
  expect(evaluation->plan, network.golden["uniform"]["4"]);
  ASSERT_EQ(evaluation->uniform.size(), 2);
  expect(evaluation->uniform[0], network.golden["uniform"]["4"]);
  expect(evaluation->uniform[1], network.golden["uniform"]["8"]);
  EXPECT_EQ(evaluation->reference_bits, 4);
}

INSTANTIATE_TEST_SUITE_P(Networks, Fmnist,
                         ::testing::Values("fmnist_resnet8", "fmnist_mobilenet", "fmnist_mobilenet_bn", "fmnist_vit"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace bitplan
