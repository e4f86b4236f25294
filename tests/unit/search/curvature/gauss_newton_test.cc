#include "search/curvature/gauss_newton.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "search/base/rng.h"
#include "search/base/status.h"
#include "search/curvature/output_responses.h"
#include "tests/testing/graph_fixtures.h"
#include "tests/testing/memory_checkpoints.h"
#include "tests/testing/reference_network.h"

namespace bitplan {
namespace {

using ::testing::HasSubstr;
using testing::NetworkFixture;
using enum GaussNewtonOptions::Sampling;

std::unique_ptr<Objective> MakeObjective(const NetworkFixture& network, const std::string& loss = "auto") {
  auto objective = Objective::Create(network.graph, network.data, {.loss = loss, .samples_per_shard = 3});
  EXPECT_TRUE(objective.ok()) << objective.status();
  return std::move(objective).value();
}

// Conv, Relu, MaxPool, Conv, Relu, Gemm: linear between its kinks.
NetworkFixture PiecewiseLinearNet() {
  testing::GraphBuilder b(13, 3);
  const ValueId x = b.Input("images", {kDynamic, 2, 6, 6});
  const ValueId a = b.Node(
      "Relu", {b.Node("Conv", {x, b.RandomWeight("w1", {4, 2, 3, 3})}, {{"pads", std::vector<int64_t>{1, 1, 1, 1}}})});
  const ValueId pooled =
      b.Node("MaxPool", {a}, {{"kernel_shape", std::vector<int64_t>{2, 2}}, {"strides", std::vector<int64_t>{2, 2}}});
  const ValueId c =
      b.Node("Relu", {b.Node("Conv", {pooled, b.RandomWeight("w2", {4, 2, 2, 2})}, {{"group", int64_t{2}}})});
  const ValueId logits =
      b.Node("Gemm", {b.Node("Flatten", {c}), b.RandomWeight("w3", {3, 16})}, {{"transB", int64_t{1}}});
  return {"PiecewiseLinear", b.Build(logits), testing::RandomClassification(8, {2, 6, 6}, 3, 4)};
}

// Keeps every gradient that is pulled back.
class Collector final : public PullBackVisitor {
 public:
  Collector(const Objective& objective, size_t num_factors)
      : slices_(objective.slices()),
        gradients(Eigen::MatrixXd::Zero(static_cast<int64_t>(num_factors), objective.num_weights())),
        squared_norms(Eigen::MatrixXd::Zero(static_cast<int64_t>(num_factors), std::ssize(slices_))) {}
  bool wants_gradient(int /*layer*/) const override { return true; }
  void Visit(int64_t k, int layer, std::span<const float> gradient, double squared_norm) override {
    const auto [offset, size] = slices_[layer];
    gradients.row(k).segment(offset, size) = Eigen::Map<const Eigen::VectorXf>(gradient.data(), size).cast<double>();
    squared_norms(k, layer) = squared_norm;
  }

 private:
  const std::vector<WeightSlice>& slices_;

 public:
  Eigen::MatrixXd gradients;
  Eigen::MatrixXd squared_norms;
};

class NormCollector final : public PullBackVisitor {
 public:
  explicit NormCollector(Eigen::MatrixXd zeros) : squared_norms(std::move(zeros)) {}
  bool wants_gradient(int /*layer*/) const override { return false; }
  void Visit(int64_t k, int layer, std::span<const float> /*gradient*/, double squared_norm) override {
    squared_norms(k, layer) = squared_norm;
  }
  Eigen::MatrixXd squared_norms;
};

std::vector<OutputFactor> AllColumns(const Objective& objective, OutputFactor::Kind kind) {
  return curvature::AllColumns(objective, kind, 0, objective.num_samples());
}

Eigen::MatrixXd PulledBack(const Objective& objective, const std::vector<OutputFactor>& factors, int num_threads = 1) {
  Collector collector(objective, factors.size());
  const absl::Status status = objective.PullBack(factors, collector, {.num_threads = num_threads});
  EXPECT_TRUE(status.ok()) << status;
  return collector.gradients;
}

// G from its definition: rows of S'J of all samples.
Eigen::MatrixXd DenseGaussNewton(const Objective& objective) {
  const Eigen::MatrixXd rows = PulledBack(objective, AllColumns(objective, OutputFactor::Kind::kLossColumn));
  return rows.transpose() * rows / static_cast<double>(objective.num_samples());
}

Eigen::VectorXd Product(const Objective& objective, const std::vector<float>& v, std::optional<int> layer,
                        CurvatureMatrix matrix = CurvatureMatrix::kGaussNewton) {
  std::vector<double> out(v.size());
  const absl::Status status = objective.VectorProduct(matrix, v, layer, out, {});
  EXPECT_TRUE(status.ok()) << status;
  return Eigen::Map<Eigen::VectorXd>(out.data(), std::ssize(out));
}

std::vector<float> Gaussian(int64_t size, uint64_t seed) {
  std::vector<float> v(size);
  Rng(seed, 0).FillGaussian(v);
  return v;
}

class GaussNewtonOnNetworks : public ::testing::TestWithParam<NetworkFixture> {
 protected:
  std::unique_ptr<Objective> objective_ = MakeObjective(GetParam());
};

// J e_c against central differences of the outputs along a random direction of the weights.
class PullBackOnNetworks : public GaussNewtonOnNetworks {};

TEST_P(PullBackOnNetworks, OutputColumnsAreDerivativesOfTheOutputs) {
  const Eigen::MatrixXd jacobian = PulledBack(*objective_, AllColumns(*objective_, OutputFactor::Kind::kOutputColumn));
  const std::vector<float> v = Gaussian(objective_->num_weights(), 1);
  const auto outputs_at = [&](double step) {
    std::vector<float> weights(objective_->weights().begin(), objective_->weights().end());
    for (size_t i = 0; i < v.size(); ++i) weights[i] += static_cast<float>(step * v[i]);
    return objective_->Outputs(weights, {}).value().data;
  };
  const double h = 1e-3;
  const FloatVector ahead = outputs_at(h);
  const FloatVector behind = outputs_at(-h);
  const Eigen::VectorXd predicted =
      jacobian * Eigen::Map<const Eigen::VectorXf>(v.data(), std::ssize(v)).cast<double>();
  for (size_t i = 0; i < ahead.size(); ++i) {
    EXPECT_NEAR(predicted[i], (ahead[i] - behind[i]) / (2 * h), 5e-3 * (1 + std::abs(predicted[i]))) << i;
  }
}

// A change of a tensor for tests: e(a) = 0.3 a + 0.1 + 0.2 change.
void ChangeTensor(int change, std::span<const float> values, std::span<float> error) {
  for (size_t i = 0; i < values.size(); ++i) error[i] = 0.3F * values[i] + 0.1F + 0.2F * static_cast<float>(change);
}

// Two changes of every point; option 0 of a point's owner takes the second, option 1 the first, option 2 none.
struct ChangedActivations {
  explicit ChangedActivations(const Objective& objective) {
    for (const WeightSlice& slice : objective.slices()) {
      no_weights.push_back(std::vector<std::vector<float>>(3, std::vector<float>(slice.size)));
      activations.of_option.push_back({1, 0, -1});
    }
    for (size_t p = 0; p < objective.activation_points().size(); ++p) {
      auto& of_point = activations.errors.emplace_back();
      for (const int change : {0, 1}) {
        of_point.push_back(
            [change](std::span<const float> values, std::span<float> error) { ChangeTensor(change, values, error); });
      }
    }
  }
  curvature::Perturbations no_weights;
  ActivationChanges activations;
};

// Outputs where the tensors of all points that `layer` owns go by `step` along a change.
FloatVector OutputsAlongChange(const Objective& objective, int layer, int change, double step) {
  Substitution substitution;
  for (const ActivationPoint& point : objective.activation_points()) {
    if (point.layers[0] != layer) continue;
    substitution.transforms[point.value] = [=](std::span<float> values, int64_t /*first*/, int64_t /*count*/) {
      std::vector<float> error(values.size());
      ChangeTensor(change, values, error);
      for (size_t i = 0; i < values.size(); ++i) values[i] += static_cast<float>(step) * error[i];
    };
  }
  FloatVector outputs(objective.num_samples() * objective.num_outputs());
  const auto keep = [&](int /*k*/, int64_t first, std::span<const float> of_shard, std::span<const double> /*losses*/) {
    std::ranges::copy(of_shard, &outputs[first * objective.num_outputs()]);
  };
  const absl::Status status = objective.RunSubstituted({&substitution, 1}, keep, {});
  EXPECT_TRUE(status.ok()) << status;
  return outputs;
}

TEST_P(PullBackOnNetworks, ResponsesToActivationsAreDerivativesOfTheOutputs) {
  const ChangedActivations changed(*objective_);
  ASSERT_FALSE(objective_->activation_points().empty());
  const auto responses =
      curvature::MeasureResponses(*objective_, changed.no_weights, {}, {.num_threads = 2}, changed.activations);
  ASSERT_TRUE(responses.ok()) << responses.status();
  const double h = 1e-3;
  for (int l = 0; l < std::ssize(objective_->slices()); ++l) {
    for (const int option : {0, 1, 2}) {
      const int change = 1 - option;
      const double step = option == 2 ? 0 : h;
      const FloatVector ahead = OutputsAlongChange(*objective_, l, change, step);
      const FloatVector behind = OutputsAlongChange(*objective_, l, change, -step);
      for (int64_t i = 0; i < std::ssize(ahead); ++i) {
        const double response =
            responses->row(i / objective_->num_outputs(), i % objective_->num_outputs())[responses->first[l] + option];
        EXPECT_NEAR(response, (ahead[i] - behind[i]) / (2 * h), 5e-3 * (1 + std::abs(response)))
            << "layer " << l << ", option " << option << ", output " << i;
      }
    }
  }
}

// A layer's weights and its tensor change together: (1/N) sum over outputs of the squared response, cross terms
// included.
TEST_P(GaussNewtonOnNetworks, FormsOfWeightsAndActivationsAreSquaredResponses) {
  ChangedActivations changed(*objective_);
  for (auto& of_layer : changed.no_weights) {
    for (auto& row : of_layer) row = Gaussian(std::ssize(row), 8);
  }
  const auto factors = curvature::MeasureResponses(
      *objective_, changed.no_weights, {.kind = curvature::ResponseKind::kFactors}, {}, changed.activations);
  ASSERT_TRUE(factors.ok()) << factors.status();
  const std::vector<double> terms = curvature::CrossTerms(*factors);
  const auto exact = curvature::EstimateGaussNewton(*objective_, changed.no_weights, {.sampling = kNever},
                                                    {.num_threads = 2}, changed.activations);
  const auto sampled = curvature::EstimateGaussNewton(*objective_, changed.no_weights, {.seed = 2, .sampling = kAlways},
                                                      {.num_threads = 2}, changed.activations);
  ASSERT_TRUE(exact.ok() && sampled.ok());
  for (size_t l = 0; l < exact->forms.size(); ++l) {
    for (size_t o = 0; o < 3; ++o) {
      const int64_t j = factors->first[l] + static_cast<int64_t>(o);
      const double wanted = terms[j * factors->num_perturbations + j];
      EXPECT_NEAR(exact->forms[l][o].value, wanted, 1e-4 * wanted) << l << o;
      EXPECT_NEAR(sampled->forms[l][o].value, wanted, 5 * sampled->forms[l][o].standard_error + 1e-4 * wanted) << l;
    }
  }
}

TEST_P(GaussNewtonOnNetworks, ProductsEqualTheDenseMatrix) {
  const Eigen::MatrixXd dense = DenseGaussNewton(*objective_);
  const std::vector<float> v = Gaussian(objective_->num_weights(), 2);
  const Eigen::VectorXd wanted = dense * Eigen::Map<const Eigen::VectorXf>(v.data(), std::ssize(v)).cast<double>();
  EXPECT_LT((Product(*objective_, v, std::nullopt) - wanted).norm(), 1e-4 * wanted.norm());
  for (int l = 0; l < std::ssize(objective_->slices()); ++l) {
    const auto [offset, size] = objective_->slices()[l];
    const std::vector<float> part(v.begin() + offset, v.begin() + offset + size);
    const Eigen::VectorXd block =
        dense.block(offset, offset, size, size) * Eigen::Map<const Eigen::VectorXf>(part.data(), size).cast<double>();
    EXPECT_LT((Product(*objective_, part, l) - block).norm(), 1e-4 * block.norm() + 1e-9) << l;
  }
}

TEST_P(GaussNewtonOnNetworks, HessianIsGaussNewtonAndRemainder) {
  const std::vector<float> v = Gaussian(objective_->num_weights(), 3);
  const Eigen::VectorXd hessian = Product(*objective_, v, std::nullopt, CurvatureMatrix::kHessian);
  const Eigen::VectorXd remainder = Product(*objective_, v, std::nullopt, CurvatureMatrix::kRemainder);
  EXPECT_LT((Product(*objective_, v, std::nullopt) + remainder - hessian).norm(), 1e-5 * hessian.norm());
}

TEST_P(GaussNewtonOnNetworks, NormsDoNotNeedGradients) {
  const std::vector<OutputFactor> factors = AllColumns(*objective_, OutputFactor::Kind::kLossColumn);
  Collector with(*objective_, factors.size());
  NormCollector without(Eigen::MatrixXd::Zero(with.squared_norms.rows(), with.squared_norms.cols()));
  ASSERT_TRUE(objective_->PullBack(factors, with, {}).ok());
  ASSERT_TRUE(objective_->PullBack(factors, without, {}).ok());
  EXPECT_LT((with.squared_norms - without.squared_norms).norm(), 1e-5 * with.squared_norms.norm());
}

TEST_P(GaussNewtonOnNetworks, ExactValuesEqualTheDenseMatrix) {
  const Eigen::MatrixXd dense = DenseGaussNewton(*objective_);
  curvature::Perturbations perturbations;
  for (const WeightSlice& slice : objective_->slices()) {
    const std::vector<float> d = Gaussian(slice.size, 7);
    perturbations.push_back({std::vector<float>(d.begin(), d.end()), std::vector<float>(slice.size, 0.01F)});
  }
  const auto estimate =
      curvature::EstimateGaussNewton(*objective_, perturbations, {.sampling = kNever, .diagonal = true}, {});
  ASSERT_TRUE(estimate.ok()) << estimate.status();
  EXPECT_TRUE(estimate->converged);
  for (size_t l = 0; l < objective_->slices().size(); ++l) {
    const auto [offset, size] = objective_->slices()[l];
    const Eigen::MatrixXd block = dense.block(offset, offset, size, size);
    EXPECT_NEAR(estimate->traces[l].trace, block.trace(), 1e-5 * block.trace()) << l;
    EXPECT_EQ(estimate->traces[l].standard_error, 0);
    for (size_t o = 0; o < 2; ++o) {
      const Eigen::VectorXd d = Eigen::Map<const Eigen::VectorXf>(perturbations[l][o].data(), size).cast<double>();
      EXPECT_NEAR(estimate->forms[l][o].value, d.dot(block * d), 1e-5 * block.norm() * d.squaredNorm()) << l << o;
    }
    for (int64_t i = 0; i < size; ++i) {
      EXPECT_NEAR(estimate->diagonal[offset + i], block(i, i), 1e-5 * block.trace()) << l << i;
    }
  }
}

TEST_P(GaussNewtonOnNetworks, ResponsesAreTheJacobianTimesThePerturbations) {
  const Eigen::MatrixXd jacobian = PulledBack(*objective_, AllColumns(*objective_, OutputFactor::Kind::kOutputColumn));
  curvature::Perturbations perturbations;
  Eigen::MatrixXd directions = Eigen::MatrixXd::Zero(objective_->num_weights(), 2 * std::ssize(objective_->slices()));
  for (const auto& [offset, size] : objective_->slices()) {
    auto& of_layer = perturbations.emplace_back();
    for (const uint64_t seed : {21, 22}) {
      const std::vector<float> d = Gaussian(size, seed);
      directions.col(2 * std::ssize(perturbations) - 2 + std::ssize(of_layer)).segment(offset, size) =
          Eigen::Map<const Eigen::VectorXf>(d.data(), size).cast<double>();
      of_layer.emplace_back(d.begin(), d.end());
    }
  }
  const auto logits = curvature::MeasureResponses(*objective_, perturbations, {}, {.num_threads = 2});
  ASSERT_TRUE(logits.ok()) << logits.status();
  const Eigen::MatrixXd wanted = jacobian * directions;
  for (int64_t n = 0; n < logits->num_samples; ++n) {
    for (int64_t c = 0; c < logits->num_outputs; ++c) {
      const auto row = logits->row(n, c);
      for (int64_t j = 0; j < std::ssize(row); ++j) {
        EXPECT_NEAR(row[j], wanted(n * logits->num_outputs + c, j), 1e-4 * (1 + wanted.cwiseAbs().maxCoeff()));
      }
    }
  }
  const auto factors =
      curvature::MeasureResponses(*objective_, perturbations, {.kind = curvature::ResponseKind::kFactors}, {});
  ASSERT_TRUE(factors.ok()) << factors.status();
  const std::vector<double> terms = curvature::CrossTerms(*factors);
  const Eigen::MatrixXd dense = directions.transpose() * DenseGaussNewton(*objective_) * directions;
  for (int64_t j = 0; j < dense.rows(); ++j) {
    for (int64_t k = 0; k < dense.rows(); ++k) {
      EXPECT_NEAR(terms[j * dense.rows() + k], dense(j, k), 1e-4 * dense.norm()) << j << ", " << k;
    }
  }
}

// Sampled values: within five standard errors, and the error met.
TEST_P(GaussNewtonOnNetworks, SampledValuesAgreeWithExactOnes) {
  curvature::Perturbations perturbations;
  for (const WeightSlice& slice : objective_->slices())
    perturbations.push_back({std::vector<float>(slice.size, 0.01F)});
  const auto exact =
      curvature::EstimateGaussNewton(*objective_, perturbations, {.sampling = kNever, .diagonal = true}, {});
  const auto sampled = curvature::EstimateGaussNewton(
      *objective_, perturbations, {.seed = 3, .relative_error = 0.05, .sampling = kAlways, .diagonal = true}, {});
  ASSERT_TRUE(exact.ok() && sampled.ok()) << exact.status() << sampled.status();
  EXPECT_TRUE(sampled->converged);
  double diagonal_sum = 0;
  double trace_sum = 0;
  for (size_t l = 0; l < exact->traces.size(); ++l) {
    const TraceEstimate& trace = sampled->traces[l];
    EXPECT_NEAR(trace.trace, exact->traces[l].trace, 5 * trace.standard_error + 1e-9) << l;
    const QuadraticForm& form = sampled->forms[l][0];
    EXPECT_NEAR(form.value, exact->forms[l][0].value, 5 * form.standard_error + 1e-12) << l;
    trace_sum += trace.trace;
  }
  for (const double entry : sampled->diagonal) diagonal_sum += entry;
  EXPECT_NEAR(diagonal_sum, trace_sum, 1e-4 * trace_sum);
}

INSTANTIATE_TEST_SUITE_P(Networks, GaussNewtonOnNetworks, ::testing::ValuesIn([] {
                           std::vector<NetworkFixture> networks = testing::AllNetworks();
                           networks.push_back(PiecewiseLinearNet());
                           return networks;
                         }()),
                         [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(Networks, PullBackOnNetworks, ::testing::ValuesIn(testing::AllNetworks()),
                         [](const auto& info) { return info.param.name; });

// Between kinks the second derivative of the outputs by one layer's weights is zero: H_ll = G_ll.
TEST(GaussNewton, BlocksOfPiecewiseLinearNetworksAreThoseOfTheHessian) {
  const NetworkFixture network = PiecewiseLinearNet();
  const auto objective = MakeObjective(network);
  const Eigen::MatrixXd hessian = testing::DenseHessian(network.graph, network.data);
  const Eigen::MatrixXd gauss_newton = DenseGaussNewton(*objective);
  for (const auto& [offset, size] : objective->slices()) {
    const Eigen::MatrixXd wanted = hessian.block(offset, offset, size, size);
    EXPECT_LT((gauss_newton.block(offset, offset, size, size) - wanted).norm(), 1e-5 * wanted.norm());
  }
  for (int l = 0; l < std::ssize(objective->slices()); ++l) {
    const std::vector<float> v = Gaussian(objective->slices()[l].size, 6);
    EXPECT_EQ(Product(*objective, v, l, CurvatureMatrix::kRemainder).norm(), 0) << l;
  }
}

// Label-free losses have no gradient at the network's own weights, so nothing but G is left of H.
TEST(GaussNewton, IsTheHessianOfLabelFreeLosses) {
  for (const NetworkFixture& network : testing::AllNetworks()) {
    const auto objective = MakeObjective(network, "label_free_mean_squared_error");
    const std::vector<float> v = Gaussian(objective->num_weights(), 5);
    std::vector<double> hessian(v.size());
    ASSERT_TRUE(objective->HessianVectorProduct(v, std::nullopt, hessian, {}).ok());
    const Eigen::VectorXd wanted = Product(*objective, v, std::nullopt);
    EXPECT_LT((Eigen::Map<Eigen::VectorXd>(hessian.data(), std::ssize(hessian)) - wanted).norm(), 1e-4 * wanted.norm())
        << network.name;
  }
}

TEST(GaussNewton, SameBitsForAnyNumberOfThreadsAndAfterAResume) {
  const NetworkFixture network = testing::KinkedConvNet();
  const auto objective = MakeObjective(network);
  curvature::Perturbations perturbations;
  for (const WeightSlice& slice : objective->slices()) perturbations.push_back({std::vector<float>(slice.size, 0.1F)});
  GaussNewtonOptions options{
      .seed = 11, .relative_error = 0.02, .max_draws = 640, .sampling = kAlways, .checkpoint_key = "k"};
  const auto one = curvature::EstimateGaussNewton(*objective, perturbations, options, {.num_threads = 1});
  const auto four = curvature::EstimateGaussNewton(*objective, perturbations, options, {.num_threads = 4});
  ASSERT_TRUE(one.ok() && four.ok());
  EXPECT_EQ(one->traces, four->traces);
  EXPECT_EQ(one->forms, four->forms);

  testing::MemoryCheckpoints checkpoints;
  std::stop_source stop;
  RunContext stopped{.stop = stop.get_token(), .checkpoints = &checkpoints};
  stopped.progress = [&](const Progress& progress) {
    if (progress.probes >= 256) stop.request_stop();
  };
  EXPECT_EQ(curvature::EstimateGaussNewton(*objective, perturbations, options, stopped).status().code(),
            absl::StatusCode::kCancelled);
  const auto resumed =
      curvature::EstimateGaussNewton(*objective, perturbations, options, {.checkpoints = &checkpoints});
  ASSERT_TRUE(resumed.ok());
  EXPECT_EQ(one->traces, resumed->traces);
  EXPECT_EQ(one->forms, resumed->forms);
  EXPECT_EQ(one->num_samples, resumed->num_samples);
}

TEST(GaussNewton, TurnsToExactValuesWhereSamplingWouldTakeLonger) {
  const NetworkFixture network = testing::KinkedConvNet();
  const auto objective = MakeObjective(network);
  const auto exact = curvature::EstimateGaussNewton(*objective, {}, {.sampling = kNever}, {});
  const auto fine = curvature::EstimateGaussNewton(*objective, {}, {.relative_error = 1e-3}, {});
  ASSERT_TRUE(exact.ok() && fine.ok());
  EXPECT_EQ(fine->traces, exact->traces);
  EXPECT_TRUE(fine->converged);

  testing::MemoryCheckpoints checkpoints;
  const GaussNewtonOptions kept{.sampling = kNever, .checkpoint_key = "k"};
  ASSERT_TRUE(curvature::EstimateGaussNewton(*objective, {}, kept, {.checkpoints = &checkpoints}).ok());
  EXPECT_FALSE(checkpoints.values.empty());
  EXPECT_EQ(curvature::EstimateGaussNewton(*objective, {}, kept, {.checkpoints = &checkpoints})->traces, exact->traces);
}

// 95 % intervals hold the exact value in 90 % to 98 % of 200 seeds, over all layers and forms.
TEST(GaussNewton, IntervalsCover) {
  const NetworkFixture network = testing::SmoothConvNet();
  const auto objective = MakeObjective(network);
  curvature::Perturbations perturbations;
  for (const WeightSlice& slice : objective->slices()) {
    const std::vector<float> d = Gaussian(slice.size, 17);
    perturbations.push_back({std::vector<float>(d.begin(), d.end())});
  }
  const auto exact = curvature::EstimateGaussNewton(*objective, perturbations, {.sampling = kNever}, {});
  ASSERT_TRUE(exact.ok());
  int64_t covered = 0;
  int64_t total = 0;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const auto sampled = curvature::EstimateGaussNewton(*objective, perturbations,
                                                        {.seed = seed, .relative_error = 0.1, .sampling = kAlways}, {});
    ASSERT_TRUE(sampled.ok());
    for (size_t l = 0; l < exact->traces.size(); ++l) {
      covered +=
          std::abs(sampled->traces[l].trace - exact->traces[l].trace) <= 1.96 * sampled->traces[l].standard_error;
      covered +=
          std::abs(sampled->forms[l][0].value - exact->forms[l][0].value) <= 1.96 * sampled->forms[l][0].standard_error;
      total += 2;
    }
  }
  const double share = static_cast<double>(covered) / static_cast<double>(total);
  EXPECT_GT(share, 0.90);
  EXPECT_LT(share, 0.98);
  RecordProperty("coverage", std::to_string(share));
}

TEST(GaussNewton, RefusesBadArguments) {
  const NetworkFixture network = testing::TanhMlp();
  const auto objective = MakeObjective(network);
  const auto message = [&](const curvature::Perturbations& perturbations, const GaussNewtonOptions& options) {
    const absl::Status status = curvature::EstimateGaussNewton(*objective, perturbations, options, {}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_THAT(message({}, {.relative_error = 0}), HasSubstr("relative_error: got 0"));
  EXPECT_THAT(message({}, {.min_draws = 1}), HasSubstr("min_draws: got 1"));
  EXPECT_THAT(message({}, {.max_draws = 3}), HasSubstr("max_draws: got 3"));
  EXPECT_THAT(message({}, {.uniform_share = 0}), HasSubstr("uniform_share: got 0"));
  EXPECT_THAT(message({{}}, {}), HasSubstr("got 1 layers, want 2"));
  EXPECT_THAT(message({{}, {std::vector<float>(3)}}, {}), HasSubstr("perturbations[1][0]: got 3 entries"));
  ChangedActivations changed(*objective);
  const auto of_activations = [&] {
    return MessageOf(
        curvature::EstimateGaussNewton(*objective, changed.no_weights, {}, {}, changed.activations).status());
  };
  changed.activations.of_option[0][1] = 2;
  EXPECT_THAT(of_activations(), HasSubstr("activations.of_option[0]: got 2, but point 0 has 2 changes"));
  changed.activations.of_option[0].pop_back();
  EXPECT_THAT(of_activations(), HasSubstr("activations.of_option[0]: got 2 options, want 3"));
  changed.activations.errors.pop_back();
  EXPECT_THAT(of_activations(), HasSubstr("activations: got "));
  const curvature::Perturbations unit = {{std::vector<float>(30, 1.0F)}, {std::vector<float>(18, 1.0F)}};
  const auto refused = curvature::MeasureResponses(*objective, unit, {.max_bytes = 100}, {}).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("8 samples x 3 outputs x 2 perturbations take 192 bytes"));
  Collector collector(*objective, 1);
  const OutputFactor outside{.sample = 99};
  EXPECT_THAT(std::string(objective->PullBack({&outside, 1}, collector, {}).message()), HasSubstr("got 99, want 0..7"));
}

}  // namespace
}  // namespace bitplan
