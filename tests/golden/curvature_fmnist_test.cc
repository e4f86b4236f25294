// Curvature and quantization of the bundled trained networks against values from PyTorch (tests/data/README.md).

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "search/curvature/gauss_newton.h"
#include "search/curvature/hessian.h"
#include "search/curvature/hutchinson.h"
#include "search/curvature/power_iteration.h"
#include "search/data/npz.h"
#include "search/onnx/parse_model.h"
#include "search/quantization/options.h"
#include "search/quantization/quantizer.h"
#include "search/sensitivity/estimate.h"
#include "search/sensitivity/trace_estimators.h"
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

// The perturbations that the golden values belong to: [layer][bits 2, 3, 4, 8].
constexpr auto kGoldenBits = std::to_array({2, 3, 4, 8});
curvature::Perturbations GoldenPerturbations(const Graph& graph) {
  curvature::Perturbations perturbations;
  for (size_t l = 0; l < graph.layers.layers.size(); ++l) {
    const Tensor& weight = std::get<Tensor>(graph.values[graph.layer_weights[l].weight].constant);
    auto& of_layer = perturbations.emplace_back();
    for (const int bits : kGoldenBits) {
      const Option option{.weight_bits = bits, .granularity = Granularity::kPerChannel};
      of_layer.push_back(quantization::Perturb(weight, graph.layers.layers[l].output_channel_axis, option)->delta);
    }
  }
  return perturbations;
}

TEST_P(Fmnist, FirstAndSecondOrderTermsAreThoseOfPyTorch) {
  const TrainedNetwork network = Load(std::string(GetParam()));
  const auto objective = Objective::Create(network.graph, network.data, {});
  ASSERT_TRUE(objective.ok()) << objective.status();
  const auto gradient = (*objective)->Gradient({}, {.num_threads = 2});
  ASSERT_TRUE(gradient.ok()) << gradient.status();
  const curvature::Perturbations perturbations = GoldenPerturbations(network.graph);
  for (size_t i = 0; i < network.index_of.size(); ++i) {
    const Json& golden = network.golden["layers"][i];
    if (!golden.contains("quant")) continue;
    const int l = network.index_of[i];
    const auto [offset, size] = (*objective)->slices()[l];
    for (size_t o = 0; o < kGoldenBits.size(); ++o) {
      const Json& expected = golden["quant"][std::to_string(kGoldenBits[o])];
      const std::vector<float>& d = perturbations[l][o];
      std::vector<double> product(size);
      ASSERT_TRUE((*objective)->HessianVectorProduct(d, l, product, {.num_threads = 2}).ok());
      double first = 0;
      double second = 0;
      double norms = 0;
      for (int64_t k = 0; k < size; ++k) {
        first += gradient->gradient[offset + k] * d[k];
        second += product[k] * d[k];
        norms += std::abs(product[k] * d[k]);
      }
      EXPECT_NEAR(first, expected["grad_dot_delta"].get<double>(), 1e-3 * std::abs(first) + 1e-6) << golden["name"];
      EXPECT_NEAR(second / 2, expected["half_dHd"].get<double>(), 1e-4 * norms) << golden["name"] << kGoldenBits[o];
    }
  }
}

// The Hessian's own traces, however they are split.
TEST_P(Fmnist, SplitTracesAgreeWithinFourStandardErrors) {
  const TrainedNetwork network = Load(std::string(GetParam()));
  const auto objective = Objective::Create(network.graph, network.data, {});
  ASSERT_TRUE(objective.ok()) << objective.status();
  const auto traces =
      sensitivity::FindTraceEstimator("hessian_split")
          ->estimate(**objective, {.seed = 3, .relative_error = 0.1, .max_probes = 256}, {.num_threads = 2});
  ASSERT_TRUE(traces.ok()) << traces.status();
  for (size_t i = 0; i < network.index_of.size(); ++i) {
    const Json& golden = network.golden["layers"][i];
    if (!golden.contains("hessian_trace")) continue;
    const TraceEstimate& trace = (*traces)[network.index_of[i]];
    const double expected = golden["hessian_trace"];
    const double error = std::hypot(trace.standard_error, golden["hessian_trace_stderr"].get<double>());
    EXPECT_NEAR(trace.trace, expected, 4 * error + 1e-4 * expected) << golden["name"];
    EXPECT_TRUE(trace.converged) << golden["name"];
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, Fmnist,
                         ::testing::Values("fmnist_resnet8", "fmnist_mobilenet", "fmnist_mobilenet_bn", "fmnist_vit"),
                         [](const auto& info) { return std::string(info.param); });

// Piecewise linear: the Gauss-Newton blocks are those of the Hessian, traces and forms alike.
TEST(FmnistResnet8, ExactGaussNewtonIsTheHessian) {
  const TrainedNetwork network = Load("fmnist_resnet8");
  const auto objective = Objective::Create(network.graph, network.data, {});
  ASSERT_TRUE(objective.ok()) << objective.status();
  const auto exact =
      curvature::EstimateGaussNewton(**objective, GoldenPerturbations(network.graph),
                                     {.sampling = GaussNewtonOptions::Sampling::kNever}, {.num_threads = 2});
  ASSERT_TRUE(exact.ok()) << exact.status();
  for (size_t i = 0; i < network.index_of.size(); ++i) {
    const Json& golden = network.golden["layers"][i];
    if (!golden.contains("hessian_trace")) continue;
    const int l = network.index_of[i];
    const double trace = golden["hessian_trace"];
    EXPECT_NEAR(exact->traces[l].trace, trace, 1e-4 * trace) << golden["name"];
    for (size_t o = 0; o < kGoldenBits.size(); ++o) {
      const double half = golden["quant"][std::to_string(kGoldenBits[o])]["half_dHd"];
      EXPECT_NEAR(exact->forms[l][o].value / 2, half, 1e-3 * half) << golden["name"] << kGoldenBits[o];
    }
  }
}

// The method's scores of a piecewise linear network are half of d'Hd, within their standard errors.
TEST(FmnistResnet8, GaussNewtonDirectScoresAreHalfTheHessianForms) {
  const TrainedNetwork network = Load("fmnist_resnet8");
  const auto options = quantization::ListOptions(
      network.graph.layers,
      {.weight_bits = {2, 3, 4, 8}, .schemes = {"symmetric"}, .granularities = {Granularity::kPerChannel}});
  ASSERT_TRUE(options.ok()) << options.status();
  const auto table = sensitivity::Estimate(network.graph, network.data, *options,
                                           {.method = "gauss_newton_direct", .seed = 4, .trace_relative_error = 0.1},
                                           {.num_threads = 2});
  ASSERT_TRUE(table.ok()) << table.status();
  int beyond_two = 0;
  int compared = 0;
  for (size_t i = 0; i < network.index_of.size(); ++i) {
    const Json& golden = network.golden["layers"][i];
    if (!golden.contains("quant")) continue;
    const int l = network.index_of[i];
    for (size_t o = 0; o < kGoldenBits.size(); ++o, ++compared) {
      const double half = golden["quant"][std::to_string(kGoldenBits[o])]["half_dHd"];
      const double error = table->standard_error[l][o] + 1e-3 * half;
      EXPECT_NEAR(table->score[l][o], half, 4 * error) << golden["name"] << kGoldenBits[o];
      beyond_two += std::abs(table->score[l][o] - half) > 2 * error;
    }
    EXPECT_TRUE(table->curvature[l].trace);
  }
  EXPECT_GE(compared, 20);
  EXPECT_LE(beyond_two, compared / 5);  // 5 % expected; scores of one run share draws
}

// d'Gd does not depend on how batch normalization is folded, though traces do: scaling a channel by s scales its
// perturbation by s and its gradient by 1 / s.
TEST(FmnistMobilenet, FormsAreTheSameWithBatchNormalizationFoldedOrKept) {
  const auto estimate = [](const std::string& name) {
    const TrainedNetwork network = Load(name);
    const auto objective = Objective::Create(network.graph, network.data, {.max_samples = 32});
    return curvature::EstimateGaussNewton(**objective, GoldenPerturbations(network.graph),
                                          {.sampling = GaussNewtonOptions::Sampling::kNever}, {.num_threads = 2});
  };
  const auto folded = estimate("fmnist_mobilenet");
  const auto kept = estimate("fmnist_mobilenet_bn");
  ASSERT_TRUE(folded.ok() && kept.ok());
  double largest = 0;
  for (size_t l = 0; l < folded->traces.size(); ++l) {
    for (size_t o = 0; o < kGoldenBits.size(); ++o) {
      EXPECT_NEAR(kept->forms[l][o].value, folded->forms[l][o].value, 1e-4 * folded->forms[l][o].value)
          << l << " " << o;
    }
    largest = std::max(largest, std::abs(kept->traces[l].trace / folded->traces[l].trace - 1));
  }
  EXPECT_GT(largest, 0.3);
}

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
