#include "search/ops/objective.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "search/base/rng.h"
#include "search/base/status.h"
#include "tests/testing/graph_fixtures.h"
#include "tests/testing/reference_network.h"

namespace bitplan {
namespace {

using ::testing::HasSubstr;
using testing::NetworkFixture;

class ObjectiveOnNetworks : public ::testing::TestWithParam<NetworkFixture> {
 protected:
  const NetworkFixture& network() const { return GetParam(); }
  std::unique_ptr<Objective> Make(ObjectiveOptions options = {.samples_per_shard = 3}) const {
    auto objective = Objective::Create(network().graph, network().data, options);
    EXPECT_TRUE(objective.ok()) << objective.status();
    return std::move(objective).value();
  }
};

std::vector<float> Gaussian(int64_t size, uint64_t seed) {
  std::vector<float> v(size);
  Rng(seed, 0).FillGaussian(v);
  return v;
}

Eigen::VectorXd Product(const Objective& objective, const std::vector<float>& v, std::optional<int> layer,
                        int num_threads = 1) {
  std::vector<double> out(v.size());
  const absl::Status status = objective.HessianVectorProduct(v, layer, out, {.num_threads = num_threads});
  EXPECT_TRUE(status.ok()) << status;
  return Eigen::Map<Eigen::VectorXd>(out.data(), static_cast<int64_t>(out.size()));
}

Eigen::VectorXd ToEigen(const std::vector<float>& v) {
  return Eigen::Map<const Eigen::VectorXf>(v.data(), static_cast<int64_t>(v.size())).cast<double>();
}

// Float storage: sums of some hundred products lose about four digits of seven.
constexpr double kFloatTolerance = 2e-5;
// Required of Hessian products on nets under 2,000 weights.
constexpr double kHessianTolerance = 1e-4;

TEST_P(ObjectiveOnNetworks, LossEqualsReference) {
  const absl::StatusOr<double> loss = Make()->Loss({}, {});
  ASSERT_TRUE(loss.ok()) << loss.status();
  EXPECT_NEAR(*loss, testing::ReferenceLoss(network().graph, network().data), kFloatTolerance);
}

TEST_P(ObjectiveOnNetworks, OutputsEqualReference) {
  const absl::StatusOr<Tensor> outputs = Make()->Outputs({}, {});
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  const testing::DoubleTensor expected = testing::ReferenceOutputs(network().graph, network().data);
  ASSERT_EQ(outputs->shape, expected.shape);
  for (size_t i = 0; i < expected.data.size(); ++i) EXPECT_NEAR(outputs->data[i], expected.data[i], kFloatTolerance);
}

TEST_P(ObjectiveOnNetworks, GradientEqualsReference) {
  const absl::StatusOr<LossAndGradient> got = Make()->Gradient({}, {});
  ASSERT_TRUE(got.ok()) << got.status();
  const Eigen::VectorXd expected = testing::ReferenceGradient(network().graph, network().data);
  const Eigen::Map<const Eigen::VectorXd> gradient(got->gradient.data(), static_cast<int64_t>(got->gradient.size()));
  EXPECT_LT((gradient - expected).norm(), kFloatTolerance * expected.norm());
  EXPECT_NEAR(got->loss, testing::ReferenceLoss(network().graph, network().data), kFloatTolerance);
}

TEST_P(ObjectiveOnNetworks, HessianProductsEqualDenseHessian) {
  const auto objective = Make();
  const Eigen::MatrixXd hessian = testing::DenseHessian(network().graph, network().data);
  const std::vector<float> v = Gaussian(objective->num_weights(), 21);
  const Eigen::VectorXd expected = hessian * ToEigen(v);
  EXPECT_LT((Product(*objective, v, std::nullopt) - expected).norm(), kHessianTolerance * expected.norm());
}

TEST_P(ObjectiveOnNetworks, BlockProductsEqualBlocksOfDenseHessian) {
  const auto objective = Make();
  const Eigen::MatrixXd hessian = testing::DenseHessian(network().graph, network().data);
  for (int layer = 0; layer < static_cast<int>(objective->slices().size()); ++layer) {
    const auto [offset, size] = objective->slices()[layer];
    const std::vector<float> v = Gaussian(size, 22);
    const Eigen::VectorXd expected = hessian.block(offset, offset, size, size) * ToEigen(v);
    EXPECT_LT((Product(*objective, v, layer) - expected).norm(), kHessianTolerance * expected.norm()) << layer;
  }
}

TEST_P(ObjectiveOnNetworks, HessianIsSymmetric) {
  const auto objective = Make();
  const std::vector<float> u = Gaussian(objective->num_weights(), 23);
  const std::vector<float> v = Gaussian(objective->num_weights(), 24);
  const double uhv = ToEigen(u).dot(Product(*objective, v, std::nullopt));
  const double vhu = ToEigen(v).dot(Product(*objective, u, std::nullopt));
  EXPECT_NEAR(uhv, vhu, kHessianTolerance * std::abs(uhv) + kFloatTolerance);
}

// Central differences of our own float gradient: step 2e-3 leaves about 1e-7 / 2e-3 of rounding and a curvature of the
// Hessian term of the same order.
TEST_P(ObjectiveOnNetworks, HessianProductIsDerivativeOfGradient) {
  const auto objective = Make();
  const std::vector<float> v = Gaussian(objective->num_weights(), 25);
  constexpr float kStep = 2e-3F;
  std::vector<float> ahead(objective->weights().begin(), objective->weights().end());
  std::vector<float> behind = ahead;
  for (size_t i = 0; i < v.size(); ++i) {
    ahead[i] += kStep * v[i];
    behind[i] -= kStep * v[i];
  }
  const auto plus = objective->Gradient(ahead, {});
  const auto minus = objective->Gradient(behind, {});
  ASSERT_TRUE(plus.ok() && minus.ok());
  Eigen::VectorXd difference(static_cast<int64_t>(v.size()));
  for (size_t i = 0; i < v.size(); ++i) difference[i] = (plus->gradient[i] - minus->gradient[i]) / (2 * kStep);
  const Eigen::VectorXd product = Product(*objective, v, std::nullopt);
  // A kink crossed within the step changes the difference, not the product: piecewise linear nets get more room.
  const double tolerance = network().name == "KinkedConvNet" ? 0.3 : 0.01;
  EXPECT_LT((difference - product).norm(), tolerance * product.norm());
}

TEST_P(ObjectiveOnNetworks, ThreadsChangeNoBit) {
  const auto objective = Make({.samples_per_shard = 1});
  const std::vector<float> v = Gaussian(objective->num_weights(), 26);
  const auto gradient = objective->Gradient({}, {.num_threads = 1});
  const auto loss = objective->Loss({}, {.num_threads = 1});
  const Eigen::VectorXd product = Product(*objective, v, std::nullopt, 1);
  ASSERT_TRUE(gradient.ok() && loss.ok());
  for (const int num_threads : {2, 4}) {
    const auto again = objective->Gradient({}, {.num_threads = num_threads});
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(again->gradient, gradient->gradient);
    EXPECT_EQ(again->loss, gradient->loss);
    EXPECT_EQ(*objective->Loss({}, {.num_threads = num_threads}), *loss);
    EXPECT_EQ(Product(*objective, v, std::nullopt, num_threads), product);
  }
}

TEST_P(ObjectiveOnNetworks, ShardSizeChangesRoundingOnly) {
  const auto small = Make({.samples_per_shard = 1})->Gradient({}, {});
  const auto large = Make({.samples_per_shard = 100})->Gradient({}, {});
  ASSERT_TRUE(small.ok() && large.ok());
  EXPECT_NEAR(small->loss, large->loss, kFloatTolerance);
  for (size_t i = 0; i < small->gradient.size(); ++i) {
    EXPECT_NEAR(small->gradient[i], large->gradient[i], kFloatTolerance);
  }
}

TEST_P(ObjectiveOnNetworks, FirstSamplesOnly) {
  const auto objective = Make({.max_samples = 2});
  EXPECT_EQ(objective->num_samples(), 2);
  Dataset first = network().data;
  const int64_t size = static_cast<int64_t>(first.inputs[0].values.data.size()) / first.num_samples;
  first.inputs[0].values.data.resize(2 * size);
  first.inputs[0].values.shape[0] = 2;
  first.num_samples = 2;
  if (auto* labels = std::get_if<ClassLabels>(&first.targets)) {
    labels->resize(2);
  } else {
    Tensor& targets = std::get<Tensor>(first.targets);
    targets.data.resize(targets.data.size() / targets.shape[0] * 2);
    targets.shape[0] = 2;
  }
  EXPECT_NEAR(*objective->Loss({}, {}), testing::ReferenceLoss(network().graph, first), kFloatTolerance);
}

INSTANTIATE_TEST_SUITE_P(Networks, ObjectiveOnNetworks, ::testing::ValuesIn(testing::AllNetworks()),
                         [](const auto& info) { return info.param.name; });

TEST_P(ObjectiveOnNetworks, CacheChangesNoBit) {
  const auto cached = Make({.samples_per_shard = 2});
  const auto partly = Make({.samples_per_shard = 2, .max_cache_bytes = 20'000});
  const auto uncached = Make({.samples_per_shard = 2, .max_cache_bytes = 0});
  const std::vector<float> v = Gaussian(cached->num_weights(), 27);
  const Eigen::VectorXd first = Product(*cached, v, std::nullopt);
  EXPECT_EQ(Product(*cached, v, std::nullopt), first);
  EXPECT_EQ(Product(*partly, v, std::nullopt), first);
  EXPECT_EQ(Product(*uncached, v, std::nullopt), first);
}

// The limit leaves room for small shards only, which changes the order of additions and no more.
TEST_P(ObjectiveOnNetworks, KeepsToAMemoryLimit) {
  const std::vector<float> v = Gaussian(Make()->num_weights(), 28);
  const Eigen::VectorXd unlimited = Product(*Make({.samples_per_shard = 3}), v, std::nullopt);
  int64_t limit = 1 << 6;  // doubled until one sample fits
  const auto create = [&] { return Objective::Create(network().graph, network().data, {.max_memory_bytes = limit}); };
  while (create().status().code() == absl::StatusCode::kResourceExhausted) limit *= 2;
  EXPECT_GT(limit, 1 << 6);
  const auto limited = create();
  ASSERT_TRUE(limited.ok()) << limited.status();
  const Eigen::VectorXd product = Product(**limited, v, std::nullopt);
  EXPECT_LE((product - unlimited).norm(), 1e-5 * unlimited.norm());
  EXPECT_EQ(Product(**limited, v, std::nullopt), product);
}

// ---- what Create refuses

absl::Status Refused(const Graph& graph, const Dataset& data, const ObjectiveOptions& options = {}) {
  return Objective::Create(graph, data, options).status();
}

void ExpectInvalid(const absl::Status& status, const std::string& message) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(MessageOf(status), HasSubstr(message));
}

TEST(ObjectiveCreate, NamesInputsThatDoNotFit) {
  NetworkFixture net = testing::TanhMlp();
  net.data.inputs[0].name = "tokens";
  ExpectInvalid(Refused(net.graph, net.data), "no array for network input 'x'; the dataset has 'tokens'");
  net.data.inputs[0].name = "x";
  EXPECT_TRUE(Refused(net.graph, net.data).ok());
  net.data.inputs[0].name = "inputs";
  EXPECT_TRUE(Refused(net.graph, net.data).ok());
  net.data.inputs[0].values.shape = {8, 5, 1};
  ExpectInvalid(Refused(net.graph, net.data), "dataset.inputs['x'].shape: got [8, 5, 1], want [8, 5]");
  net.data.inputs.clear();
  ExpectInvalid(Refused(net.graph, net.data), "the dataset has none");
  net.data.num_samples = 0;
  ExpectInvalid(Refused(net.graph, net.data), "no samples");
}

// Ids outside the table, and numbers that are no integers.
TEST(ObjectiveCreate, NamesTokensOutOfRange) {
  NetworkFixture net = testing::TokenNet();
  FloatVector& ids = net.data.inputs[0].values.data;
  const auto message = [&] { return MessageOf(Objective::Create(net.graph, net.data, {}).status()); };
  ids[6] = 7;
  EXPECT_THAT(message(), HasSubstr("element 6 is 7, but the table 'tokens.weight' of node"));
  ids[6] = -7;
  EXPECT_EQ(message(), "");
  ids[6] = 2.5F;
  EXPECT_THAT(message(), HasSubstr("element 6 is 2.5, want integers of at most 2^24"));
}

TEST(ObjectiveCreate, NamesLabelOutOfRange) {
  NetworkFixture net = testing::TanhMlp();
  auto& labels = std::get<ClassLabels>(net.data.targets);
  labels[5] = 3;
  ExpectInvalid(Refused(net.graph, net.data), "dataset.labels[5]: got 3, want 0..2");
  labels[5] = -1;
  ExpectInvalid(Refused(net.graph, net.data), "dataset.labels[5]: got -1, want 0..2");
  EXPECT_TRUE(Refused(net.graph, net.data, {.max_samples = 5}).ok());  // never read
  labels.resize(4);
  ExpectInvalid(Refused(net.graph, net.data), "dataset.labels: got 4, want 8");
}

TEST(ObjectiveCreate, NamesTargetsThatDoNotFit) {
  NetworkFixture net = testing::SharedWeightNet();
  std::get<Tensor>(net.data.targets) = Tensor::Zeros({7, 5});
  ExpectInvalid(Refused(net.graph, net.data), "dataset.targets.shape: got [7, 5], want [7, 4]");
  std::get<Tensor>(net.data.targets) = Tensor::Zeros({7});  // labels saved as floating point
  ExpectInvalid(Refused(net.graph, net.data), "got [7], want [7, 4]; class labels are 'labels' of an integer type");
  std::get<Tensor>(net.data.targets) = Tensor::Zeros({28});
  ExpectInvalid(Refused(net.graph, net.data), "dataset.targets.shape: got [28], want [7, 4]");
}

TEST(ObjectiveCreate, NamesLossThatDoesNotFit) {
  const NetworkFixture net = testing::TanhMlp();
  ExpectInvalid(Refused(net.graph, net.data, {.loss = "mean_squared_error"}), "needs real targets");
  EXPECT_EQ(Refused(net.graph, net.data, {.loss = "hinge"}).code(), absl::StatusCode::kUnimplemented);
  EXPECT_TRUE(Refused(net.graph, net.data, {.loss = "cross_entropy"}).ok());
}

TEST(ObjectiveCreate, RefusesOptionsOutOfRange) {
  const NetworkFixture net = testing::TanhMlp();
  ExpectInvalid(Refused(net.graph, net.data, {.max_samples = -1}), "max_samples: got -1");
  ExpectInvalid(Refused(net.graph, net.data, {.samples_per_shard = 0}), "samples_per_shard: got 0");
  ExpectInvalid(Refused(net.graph, net.data, {.max_cache_bytes = -1}), "max_cache_bytes: got -1");
  ExpectInvalid(Refused(net.graph, net.data, {.max_memory_bytes = -1}), "max_memory_bytes: got -1");
  const absl::Status small = Refused(net.graph, net.data, {.max_memory_bytes = 1});
  EXPECT_EQ(small.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(MessageOf(small), HasSubstr("max_memory_bytes: got 1, but 1 samples need"));
}

TEST(ObjectiveCreate, ClassLabelsWantARowOfLogitsEach) {
  testing::GraphBuilder b;
  const ValueId x = b.Input("x", {kDynamic, 2, 4});
  const Graph rank_three = b.Build(b.Node("MatMul", {x, b.RandomWeight("w", {4, 3})}));
  ExpectInvalid(Refused(rank_three, testing::RandomClassification(4, {2, 4}, 3, 1)),
                "dataset.labels: got 4, want 8 for the network's output [4, 2, 3]");
  Dataset tokens = testing::RandomClassification(4, {2, 4}, 3, 1);
  tokens.targets = ClassLabels{0, 1, 2, 0, -100, 1, 2, 0};
  EXPECT_TRUE(Refused(rank_three, tokens).ok());
}

TEST(ObjectiveCreate, OutputMustKeepTheSamplesApart) {
  testing::GraphBuilder b;
  const ValueId x = b.Input("x", {kDynamic, 4});
  const ValueId y = b.Node("MatMul", {x, b.RandomWeight("w", {4, 3})});
  const Graph graph = b.Build(b.Node("ReduceMean", {y}, {{"axes", std::vector<int64_t>{0}}}));
  ExpectInvalid(Refused(graph, testing::RandomClassification(4, {4}, 3, 1)), "want a first dimension of samples");
}

TEST(ObjectiveCreate, NamesFirstNodeThatIsNotFinite) {
  NetworkFixture net = testing::TanhMlp();
  std::get<Tensor>(net.graph.values[net.graph.layer_weights[1].weight].constant).data[0] = 3e38F;
  std::get<Tensor>(net.graph.values[net.graph.layer_weights[1].weight].constant).data[1] = 3e38F;
  std::get<Tensor>(net.graph.values[net.graph.layer_weights[1].weight].constant).data[2] = NAN;
  ExpectInvalid(Refused(net.graph, net.data), "nodes[2] 'Gemm_2' (Gemm): the output is not finite for samples 0..7");
}

// ---- fixed numbers of samples

NetworkFixture FixedBatchNet(int64_t batch, int64_t num_samples) {
  testing::GraphBuilder b;
  const ValueId x = b.Input("x", {batch, 4});
  ValueId y = b.Node("Tanh", {b.Node("MatMul", {x, b.RandomWeight("w", {4, 6})})});
  y = b.Node("Reshape", {y, b.Ints("shape", {batch, 2, 3})});  // baked in, as exporters do
  y = b.Node("ReduceMean", {y}, {{"axes", std::vector<int64_t>{1}}, {"keepdims", int64_t{0}}});
  return {.name = "Fixed", .graph = b.Build(y), .data = testing::RandomClassification(num_samples, {4}, 3, 5)};
}

TEST(FixedBatchObjective, RunsGroupsOfExactlyThatManySamples) {
  const NetworkFixture net = FixedBatchNet(4, 12);
  const auto objective = Objective::Create(net.graph, net.data, {});
  ASSERT_TRUE(objective.ok()) << objective.status();
  NetworkFixture free = FixedBatchNet(12, 12);  // the same weights, all samples at once
  const auto whole = Objective::Create(free.graph, net.data, {});
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_NEAR(*(*objective)->Loss({}, {}), *(*whole)->Loss({}, {}), 1e-6);
  EXPECT_EQ((*objective)->Outputs({}, {})->shape, (Shape{12, 3}));
}

TEST(FixedBatchObjective, WantsAMultiple) {
  const NetworkFixture net = FixedBatchNet(4, 10);
  ExpectInvalid(Refused(net.graph, net.data), "dataset: 10 samples, but the network takes groups of exactly 4");
  EXPECT_TRUE(Refused(net.graph, net.data, {.max_samples = 8}).ok());
}

// ---- calls

TEST(Objective, CallsCheckSizes) {
  const NetworkFixture net = testing::TanhMlp();
  const auto objective = Objective::Create(net.graph, net.data, {});
  ASSERT_TRUE(objective.ok());
  const std::vector<float> v(7);
  std::vector<double> out(48);
  ExpectInvalid((*objective)->Loss(v, {}).status(), "weights: got 7 entries, want 48");
  ExpectInvalid((*objective)->Gradient(v, {}).status(), "weights: got 7 entries, want 48");
  ExpectInvalid((*objective)->HessianVectorProduct(v, std::nullopt, out, {}), "got 7 and 48 entries, want 48");
  ExpectInvalid((*objective)->HessianVectorProduct(v, 2, out, {}), "layer: got 2, want 0..1");
}

TEST(Objective, StopsOnRequest) {
  const NetworkFixture net = testing::TanhMlp();
  const auto objective = Objective::Create(net.graph, net.data, {});
  ASSERT_TRUE(objective.ok());
  std::stop_source source;
  source.request_stop();
  EXPECT_EQ((*objective)->Loss({}, {.stop = source.get_token()}).status().code(), absl::StatusCode::kCancelled);
}

TEST(Objective, NonFiniteAtGivenWeightsNamesTheNode) {
  const NetworkFixture net = testing::TanhMlp();
  const auto objective = Objective::Create(net.graph, net.data, {});
  ASSERT_TRUE(objective.ok());
  const std::vector<float> weights(48, 3e38F);
  ExpectInvalid((*objective)->Loss(weights, {}).status(), "nodes[0] 'Gemm_0' (Gemm): the output is not finite");
}

// A layer that the output does not depend on, and a node nobody needs.
TEST(Objective, LayerOffThePathHasZeroDerivatives) {
  testing::GraphBuilder b;
  const ValueId x = b.Input("x", {kDynamic, 4});
  b.Node("MatMul", {x, b.RandomWeight("dead.weight", {4, 3})});
  const Graph graph = b.Build(b.Node("MatMul", {x, b.RandomWeight("live.weight", {4, 3})}));
  const Dataset data = testing::RandomClassification(4, {4}, 3, 1);
  const auto objective = Objective::Create(graph, data, {});
  ASSERT_TRUE(objective.ok()) << objective.status();
  const auto gradient = (*objective)->Gradient({}, {});
  ASSERT_TRUE(gradient.ok());
  for (int i = 0; i < 12; ++i) EXPECT_EQ(gradient->gradient[i], 0);
  EXPECT_NE(gradient->gradient[12], 0);
  EXPECT_EQ(Product(**objective, Gaussian(12, 1), 0), Eigen::VectorXd::Zero(12));
}

// One value read three times, twice by the same node.
TEST(Objective, AddsGradientsOfAllReaders) {
  testing::GraphBuilder b;
  const ValueId x = b.Input("x", {kDynamic, 3});
  const ValueId y = b.Node("MatMul", {x, b.RandomWeight("w", {3, 3})});
  const Graph graph = b.Build(b.Node("Sub", {b.Node("Mul", {y, y}), b.Node("Tanh", {y})}));
  const Dataset data = testing::RandomClassification(4, {3}, 3, 1);
  const auto objective = Objective::Create(graph, data, {});
  ASSERT_TRUE(objective.ok()) << objective.status();
  const std::vector<float> v = Gaussian(9, 2);
  const Eigen::VectorXd expected = testing::DenseHessian(graph, data) * ToEigen(v);
  EXPECT_LT((Product(**objective, v, std::nullopt) - expected).norm(), kHessianTolerance * expected.norm());
}

// ---- networks that end in probabilities

// 4 -> 3 classes, as [N, 3, 1, 1] if `deep`, then `last` behind it, then Flatten if `deep`. Weights are always the
// same.
NetworkFixture EndsIn(const std::string& last, Attributes attributes = {}, bool deep = false, int64_t opset = 13) {
  testing::GraphBuilder b(opset, 3);
  const ValueId x = b.Input("x", {kDynamic, 4});
  ValueId y = b.Node("Tanh", {b.Node("MatMul", {x, b.RandomWeight("a.weight", {4, 5})})});
  y = b.Node("MatMul", {y, b.RandomWeight("b.weight", {5, 3})});
  if (deep) y = b.Node("Reshape", {y, b.Ints("shape", {0, 3, 1, 1})});
  if (!last.empty()) y = b.Node(last, {y}, std::move(attributes));
  if (deep) y = b.Node("Dropout", {b.Node("Flatten", {y})});
  return {.name = last, .graph = b.Build(y), .data = testing::RandomClassification(7, {4}, 3, 5)};
}

struct Measured {
  double loss = 0;
  Eigen::VectorXd product;
  std::string note;
};

Measured MeasureEnd(const NetworkFixture& net) {
  const auto objective = Objective::Create(net.graph, net.data, {.samples_per_shard = 3});
  EXPECT_TRUE(objective.ok()) << objective.status();
  if (!objective.ok()) return {};
  return {.loss = (*objective)->Loss({}, {}).value(),
          .product = Product(**objective, Gaussian(35, 1), std::nullopt),
          .note = (*objective)->loss_note()};
}

// Cross-entropy of a network with a Softmax is -log p of that Softmax: exactly the loss on its input.
TEST(ObjectiveOfProbabilities, CrossEntropyReadsTheInputOfASoftmax) {
  const Measured logits = MeasureEnd(EndsIn(""));
  EXPECT_EQ(logits.note, "");
  const Attributes first = {{"axis", int64_t{1}}};
  for (const NetworkFixture& net : {EndsIn("Softmax"), EndsIn("Softmax", first), EndsIn("Softmax", {}, false, 11),
                                    EndsIn("Softmax", first, true), EndsIn("Softmax", {}, true, 11)}) {
    const Measured got = MeasureEnd(net);
    EXPECT_EQ(got.loss, logits.loss);
    EXPECT_EQ(got.product, logits.product);
    EXPECT_THAT(got.note, HasSubstr("the network ends in Softmax ('Softmax_"));
    EXPECT_THAT(got.note, HasSubstr("cross_entropy is taken on its input"));
  }
}

// log_softmax(log_softmax(z)) = log_softmax(z): nothing to do, but for rounding nothing changes.
TEST(ObjectiveOfProbabilities, CrossEntropyOfLogSoftmaxIsThatOfItsInput) {
  const Measured logits = MeasureEnd(EndsIn(""));
  const Measured got = MeasureEnd(EndsIn("LogSoftmax"));
  EXPECT_NEAR(got.loss, logits.loss, 1e-6);
  EXPECT_LT((got.product - logits.product).norm(), kHessianTolerance * logits.product.norm());
  EXPECT_EQ(got.note, "");
}

TEST(ObjectiveOfProbabilities, OtherProbabilitiesAreTakenAsTheyAreAndSaidSo) {
  const Measured logits = MeasureEnd(EndsIn(""));
  const Attributes over_nothing = {{"axis", int64_t{-1}}};  // of [N, 3, 1, 1]
  for (const NetworkFixture& net : {EndsIn("Sigmoid"), EndsIn("Softmax", over_nothing, true)}) {
    const Measured got = MeasureEnd(net);
    EXPECT_NE(got.loss, logits.loss);
    EXPECT_THAT(got.note, HasSubstr("the network ends in " + net.name));
    EXPECT_THAT(got.note, HasSubstr("whose values are no logits"));
  }
}

TEST(ObjectiveOfProbabilities, MeanSquaredErrorReadsTheProbabilities) {
  NetworkFixture net = EndsIn("Softmax");
  net.data = testing::RandomRegression(7, {4}, {3}, 5);
  const auto objective = Objective::Create(net.graph, net.data, {});
  ASSERT_TRUE(objective.ok()) << objective.status();
  EXPECT_NEAR(*(*objective)->Loss({}, {}), testing::ReferenceLoss(net.graph, net.data), kFloatTolerance);
  EXPECT_EQ((*objective)->loss_note(), "");
}

}  // namespace
}  // namespace bitplan
