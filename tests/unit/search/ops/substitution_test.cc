#include "search/ops/substitution.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "search/base/rng.h"
#include "search/base/status.h"
#include "search/graph/activation_points.h"
#include "search/ops/objective.h"
#include "tests/testing/graph_fixtures.h"

namespace bitplan {
namespace {

using ::bitplan::testing::AllNetworks;
using ::bitplan::testing::GraphBuilder;
using ::bitplan::testing::NetworkFixture;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Outputs and losses of every run, by sample.
struct Runs {
  std::vector<std::vector<float>> outputs;
  std::vector<std::vector<double>> losses;

  bool operator==(const Runs&) const = default;
};

Runs RunAll(const Objective& objective, std::span<const Substitution> substitutions, int num_threads = 1) {
  const int64_t n = objective.num_samples();
  Runs runs{.outputs = std::vector(substitutions.size(), std::vector<float>(n * objective.num_outputs())),
            .losses = std::vector(substitutions.size(), std::vector<double>(n))};
  RunContext context;
  context.num_threads = num_threads;
  const absl::Status status = objective.RunSubstituted(
      substitutions,
      [&](int k, int64_t first, std::span<const float> outputs, std::span<const double> losses) {
        std::ranges::copy(outputs, runs.outputs[k].begin() + first * objective.num_outputs());
        std::ranges::copy(losses, runs.losses[k].begin() + first);
      },
      context);
  EXPECT_TRUE(status.ok()) << status;
  return runs;
}

std::unique_ptr<Objective> MakeObjective(const Graph& graph, const Dataset& data) {
  auto objective = Objective::Create(graph, data, {.samples_per_shard = 3});
  EXPECT_TRUE(objective.ok()) << objective.status();
  return objective.ok() ? *std::move(objective) : nullptr;
}

// The network's weights with noise on some layers.
std::vector<float> Noisy(const Objective& objective, const std::vector<int>& layers) {
  std::vector<float> weights(objective.weights().begin(), objective.weights().end());
  for (const int l : layers) {
    const auto [offset, size] = objective.slices()[l];
    std::vector<float> noise(size);
    Rng(7, l).FillGaussian(noise);
    for (int64_t i = 0; i < size; ++i) weights[offset + i] += 0.1F * noise[i];
  }
  return weights;
}

Substitution OfLayers(const Objective& objective, const std::vector<float>& weights, const std::vector<int>& layers) {
  Substitution substitution;
  for (const int l : layers) {
    const auto [offset, size] = objective.slices()[l];
    substitution.weights[l] = std::span<const float>(weights).subspan(offset, size);
  }
  return substitution;
}

class SubstitutedNetwork : public ::testing::TestWithParam<NetworkFixture> {};
INSTANTIATE_TEST_SUITE_P(All, SubstitutedNetwork, ::testing::ValuesIn(AllNetworks()),
                         [](const auto& info) { return info.param.name; });

// Single layers, all layers, nothing: what comes out has the bits of a run with those weights, for any threads.
TEST_P(SubstitutedNetwork, EqualsAWholeRunWithReplacedWeightsBitForBit) {
  const auto objective = MakeObjective(GetParam().graph, GetParam().data);
  const int num_layers = static_cast<int>(objective->slices().size());
  std::vector<std::vector<int>> changes(num_layers + 2);
  for (int l = 0; l < num_layers; ++l) {
    changes[l] = {l};
    changes[num_layers].push_back(l);
  }
  std::vector<std::vector<float>> weights;
  std::vector<Substitution> substitutions;
  for (const auto& layers : changes) {
    weights.push_back(Noisy(*objective, layers));
    substitutions.push_back(OfLayers(*objective, weights.back(), layers));
  }
  const Runs runs = RunAll(*objective, substitutions);
  for (size_t k = 0; k < changes.size(); ++k) {
    const auto whole = objective->Outputs(weights[k], {});
    EXPECT_THAT(runs.outputs[k], ::testing::ElementsAreArray(whole->data)) << k;
    double sum = 0;
    for (const double loss : runs.losses[k]) sum += loss;
    const double loss = *objective->Loss(weights[k], {});
    // Sums of a few doubles in another order.
    EXPECT_NEAR(sum / static_cast<double>(runs.losses[k].size()), loss, 1e-13 * (1 + std::abs(loss))) << k;
  }
  EXPECT_EQ(RunAll(*objective, substitutions, 3), runs);
}

// The graph with value `id` doubled for all who read it.
Graph WithDoubled(Graph graph, ValueId id) {
  const auto add = [&](const std::string& name) {
    graph.values.push_back({.name = name, .integer = false});
    return static_cast<ValueId>(graph.values.size()) - 1;
  };
  const ValueId two = add("two");
  graph.values[two].constant = Tensor{.shape = {1}, .data = {2}};
  const ValueId before = add("before");
  size_t at = 0;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    for (ValueId& output : graph.nodes[i].outputs) {
      if (output == id) {
        output = before;
        at = i + 1;
      }
    }
  }
  for (GraphInput& input : graph.inputs) {
    if (input.value == id) {
      graph.values[before].name = std::exchange(graph.values[id].name, "doubled");
      input.value = before;
    }
  }
  graph.nodes.insert(graph.nodes.begin() + static_cast<int64_t>(at),
                     Node{.name = "double", .op_type = "Mul", .inputs = {before, two}, .outputs = {id}});
  for (LayerWeight& layer : graph.layer_weights) layer.node += layer.node >= static_cast<int>(at) ? 1 : 0;
  EXPECT_TRUE(CheckInvariants(graph).ok()) << CheckInvariants(graph);
  return graph;
}

// Doubling is exact, so a transform must have the bits of a Mul node behind the tensor; alone and with a new weight of
// a layer.
TEST_P(SubstitutedNetwork, TransformsEqualANodeBehindTheTensorBitForBit) {
  const Graph& graph = GetParam().graph;
  const auto objective = MakeObjective(graph, GetParam().data);
  const auto twice = [](std::span<float> values, int64_t /*first*/, int64_t /*count*/) {
    for (float& v : values) v *= 2;
  };
  const int last = static_cast<int>(objective->slices().size()) - 1;
  const std::vector<float> weights = Noisy(*objective, {last});
  for (const ActivationPoint& point : FindActivationPoints(graph)) {
    std::vector<Substitution> substitutions(2);
    substitutions[1] = OfLayers(*objective, weights, {last});
    for (Substitution& substitution : substitutions) substitution.transforms[point.value] = twice;
    const Runs runs = RunAll(*objective, substitutions);
    const Graph doubled = WithDoubled(graph, point.value);
    const auto reference = MakeObjective(doubled, GetParam().data);
    EXPECT_THAT(runs.outputs[0], ::testing::ElementsAreArray(reference->Outputs({}, {})->data));
    EXPECT_THAT(runs.outputs[1], ::testing::ElementsAreArray(reference->Outputs(weights, {})->data));
  }
}

// x -> Gemm -> Relu -> Gemm -> Relu -> Gemm: five steps.
TEST(SubstitutedRuns, ComputeOnlyWhatDependsOnTheChange) {
  GraphBuilder b;
  const ValueId x = b.Input("x", {kDynamic, 4});
  const ValueId h = b.Node("Relu", {b.Node("Gemm", {x, b.RandomWeight("a", {4, 4})})});
  const ValueId g = b.Node("Relu", {b.Node("Gemm", {h, b.RandomWeight("b", {4, 4})})});
  const Graph graph = b.Build(b.Node("Gemm", {g, b.RandomWeight("c", {4, 4})}));
  const auto program = ops::Program::Compile(graph, 2);
  ASSERT_TRUE(program.ok()) << program.status();
  const std::vector<float> weight(16);
  const Substitution::Transform nothing = [](std::span<float>, int64_t, int64_t) {};
  const std::vector<Substitution> layers = {{.weights = {{0, weight}}, .transforms = {}},
                                            {.weights = {{1, weight}}, .transforms = {}},
                                            {.weights = {{2, weight}}, .transforms = {}},
                                            {.weights = {}, .transforms = {{h, nothing}}},
                                            {}};
  const ops::SubstitutedRuns runs(*program, layers);
  EXPECT_EQ(runs.num_own_steps(0), 5);
  EXPECT_EQ(runs.num_own_steps(1), 3);
  EXPECT_EQ(runs.num_own_steps(2), 1);
  EXPECT_EQ(runs.num_own_steps(3), 3);
  EXPECT_EQ(runs.num_own_steps(4), 0);
  EXPECT_EQ(runs.num_shared_steps(), 5);
  // A change of everything shares nothing.
  const std::vector<Substitution> all = {{.weights = {{0, weight}, {1, weight}, {2, weight}}, .transforms = {}}};
  EXPECT_EQ(ops::SubstitutedRuns(*program, all).num_shared_steps(), 0);
}

TEST(RunSubstituted, TransformsSeeWhichSamplesTheyGet) {
  const NetworkFixture network = bitplan::testing::TanhMlp();  // 8 samples, shards of 3, 3, 2
  const auto objective = MakeObjective(network.graph, network.data);
  std::vector<std::pair<int64_t, int64_t>> seen;
  const ValueId input = network.graph.inputs[0].value;
  const std::vector<Substitution> look = {
      {.weights = {}, .transforms = {{input, [&](std::span<float> values, int64_t first, int64_t count) {
                                        EXPECT_EQ(values.size(), 5U * count);
                                        seen.emplace_back(first, count);
                                      }}}}};
  RunAll(*objective, look);
  EXPECT_THAT(seen, ElementsAre(std::pair(0, 3), std::pair(3, 3), std::pair(6, 2)));
}

TEST(RunSubstituted, SaysWhatIsWrong) {
  const NetworkFixture network = bitplan::testing::TanhMlp();
  const auto objective = MakeObjective(network.graph, network.data);
  const auto message = [&](Substitution substitution) {
    const std::vector<Substitution> list = {{}, std::move(substitution)};
    return MessageOf(objective->RunSubstituted(list, [](int, int64_t, auto, auto) {}, {}));
  };
  const std::vector<float> weight(30);
  EXPECT_EQ(message({.weights = {{2, weight}}, .transforms = {}}), "substitutions[1].weights: got layer 2, want 0..1");
  EXPECT_EQ(message({.weights = {{1, weight}}, .transforms = {}}),
            "substitutions[1].weights: got 30 entries for layer 1, want 18");
  const ValueId constant = network.graph.layer_weights[0].weight;
  EXPECT_THAT(message({.weights = {}, .transforms = {{constant, nullptr}}}), HasSubstr("is not computed at run time"));
  const std::vector<float> bad(18, std::numeric_limits<float>::infinity());
  EXPECT_EQ(message({.weights = {{1, bad}}, .transforms = {}}),
            "substitutions[1]: the output is not finite for samples 0..2");
  RunContext stopped;
  std::stop_source stop;
  stop.request_stop();
  stopped.stop = stop.get_token();
  const std::vector<Substitution> list(1);
  EXPECT_EQ(objective
                ->RunSubstituted(
                    list, [](int, int64_t, auto, auto) {}, stopped)
                .code(),
            absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace bitplan
