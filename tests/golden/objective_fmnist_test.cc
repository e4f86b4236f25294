// Loss, outputs, gradients and Hessian products of the bundled trained networks against values from PyTorch
// (tests/data/README.md).

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "search/data/npz.h"
#include "search/onnx/parse_model.h"
#include "search/ops/objective.h"
#include "search/quantization/quantizer.h"
#include "tests/testing/golden_file.h"

namespace bitplan {
namespace {

using Json = nlohmann::json;

class ObjectiveOnFmnist : public ::testing::TestWithParam<std::string_view> {
 protected:
  void SetUp() override {
    const std::string folder = BITPLAN_TEST_DATA_DIR;
    const std::string name(GetParam());
    graph_ = onnx::ParseModel(testing::ReadFile(folder + "/models/" + name + ".onnx")).value();
    data_ = data::ParseNpz(testing::ReadFile(folder + "/models/fmnist_calibration_128.npz")).value();
    golden_ = Json::parse(testing::ReadFile(folder + "/golden/" + name + ".json"));
    objective_ = Objective::Create(graph_, data_, {}).value();
  }

  int LayerIndex(const std::string& initializer) const {
    for (int i = 0; i < static_cast<int>(graph_.layers.layers.size()); ++i) {
      if (graph_.values[graph_.layer_weights[i].weight].name == initializer) return i;
    }
    ADD_FAILURE() << "the graph has no layer of " << initializer;
    return 0;
  }

  // Q(W) - W of the golden quantizer.
  std::vector<float> Perturbation(int layer, int bits) const {
    const Tensor& weight = std::get<Tensor>(graph_.values[graph_.layer_weights[layer].weight].constant);
    const Option option{.weight_bits = bits, .granularity = Granularity::kPerChannel};
    return quantization::Perturb(weight, graph_.layers.layers[layer].output_channel_axis, option)->delta;
  }

  Graph graph_;
  Dataset data_;
  Json golden_;
  std::unique_ptr<Objective> objective_;
};

TEST_P(ObjectiveOnFmnist, LossIsThatOfPyTorch) {
  EXPECT_NEAR(*objective_->Loss({}, {}), golden_["base"]["loss_batch128"].get<double>(), 1e-6);
}

TEST_P(ObjectiveOnFmnist, OutputsAreThoseOfPyTorch) {
  const Tensor outputs = objective_->Outputs({}, {}).value();
  ASSERT_EQ(outputs.shape, (Shape{128, 10}));
  for (size_t n = 0; n < 4; ++n) {
    for (size_t k = 0; k < 10; ++k) {
      EXPECT_NEAR(outputs.data[n * 10 + k], golden_["reference_logits_first4"][n][k].get<double>(), 2e-5);
    }
  }
}

// g'd and d'Hd/2 for d = Q(W) - W of one layer: the gradient and the layer's block of the Hessian along real
// directions. Both sides work in float: 1e-3 of the value, and for g'd, which nearly cancels, of |g||d| as well.
TEST_P(ObjectiveOnFmnist, GradientAndHessianAlongPerturbationsAreThoseOfPyTorch) {
  constexpr double kTolerance = 1e-3;
  const std::vector<double> gradient = objective_->Gradient({}, {}).value().gradient;
  int compared = 0;
  for (const Json& golden : golden_["layers"]) {
    if (!golden.contains("quant")) continue;
    const int layer = LayerIndex(golden["initializer"]);
    const WeightSlice slice = objective_->slices()[layer];
    for (const auto& [bits, expected] : golden["quant"].items()) {
      const std::vector<float> d = Perturbation(layer, std::stoi(bits));
      std::vector<double> product(d.size());
      ASSERT_TRUE(objective_->HessianVectorProduct(d, layer, product, {}).ok());
      double g_d = 0;
      double d_h_d = 0;
      double g_g = 0;
      double d_d = 0;
      for (size_t i = 0; i < d.size(); ++i) {
        const double g = gradient[slice.offset + i];
        g_d += g * d[i];
        g_g += g * g;
        d_d += static_cast<double>(d[i]) * d[i];
        d_h_d += d[i] * product[i];
      }
      const double half_dhd = expected["half_dHd"];
      const double grad_dot_delta = expected["grad_dot_delta"];
      EXPECT_NEAR(d_h_d / 2, half_dhd, kTolerance * std::abs(half_dhd)) << golden["name"] << " at " << bits << " bits";
      EXPECT_NEAR(g_d, grad_dot_delta, kTolerance * (std::abs(grad_dot_delta) + std::sqrt(g_g * d_d)))
          << golden["name"] << " at " << bits << " bits";
      ++compared;
    }
  }
  EXPECT_GE(compared, 20);
}

INSTANTIATE_TEST_SUITE_P(Networks, ObjectiveOnFmnist,
                         ::testing::Values("fmnist_resnet8", "fmnist_mobilenet", "fmnist_mobilenet_bn", "fmnist_vit"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace bitplan
