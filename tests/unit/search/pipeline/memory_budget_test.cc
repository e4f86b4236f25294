// Budgets on peak memory: a maximum over the execution.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "search/base/rng.h"
#include "search/base/status.h"
#include "search/pipeline/measurement.h"
#include "search/pipeline/run_frontier.h"
#include "search/pipeline/run_search.h"
#include "search/plan/certificate.h"
#include "search/plan/explanation.h"
#include "search/plan/plan_json.h"
#include "search/plan/verifier.h"

namespace bitplan {
namespace {

using pipeline::ParseBudget;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Option Given(int weight_bits, int activation_bits) {
  return {weight_bits, activation_bits, "given", Granularity::kPerTensor};
}

// a, b, c read x (64 elements), t (128) and u (32); c writes y (10, float: 40 bytes). Scores at 4 bits 3, 2, 1, else 0.
// Bytes at 4 and 8 bits: x 32 64, t 64 128, u 16 32. Steps: a: x + t, b: t + u, c: u + y.
//   all 8 bits  192 160  72
//   all 4 bits   96  80  56
// Weights, where they are resident: 50, 100, 150 bytes at 4 bits, twice that at 8.
Measurement ThreeLayers() {
  GivenSensitivities given;
  given.sensitivity.method = "given";
  for (int i = 0; i < 3; ++i) {
    given.layers.layers.push_back(
        {.name = std::string(1, static_cast<char>('a' + i)), .num_weights = 100 * (i + 1), .macs = 10});
    given.options.options.push_back({Given(4, 4), Given(8, 8)});
    given.sensitivity.score.push_back({3.0 - i, 0});
    given.sensitivity.standard_error.push_back({0, 0});
  }
  Measurement measured = pipeline::FromGiven(given).value();
  measured.data_flow = {.steps = {"a", "b", "c"},
                        .buffers = {{.name = "x", .elements = 64, .layers = {0}, .first_step = 0, .last_step = 0},
                                    {.name = "t", .elements = 128, .layers = {1}, .first_step = 0, .last_step = 1},
                                    {.name = "u", .elements = 32, .layers = {2}, .first_step = 1, .last_step = 2},
                                    {.name = "y", .elements = 10, .layers = {}, .first_step = 2, .last_step = 2}},
                        .boundaries = {}};
  return measured;
}

SearchRequest Request(const std::vector<std::string>& budgets, bool weights_resident = false) {
  SearchRequest request{
      .profile = {.name = "device",
                  .size = SizeModel{},
                  .memory = MemoryModel{.min_activation_bits = 4, .weights_resident = weights_resident}}};
  for (const std::string& budget : budgets) request.budgets.push_back(ParseBudget(budget).value());
  return request;
}

Plan Solve(const Measurement& measured, const SearchRequest& request) {
  const absl::StatusOr<Plan> plan = pipeline::Search(measured, request, {});
  EXPECT_TRUE(plan.ok()) << plan.status();
  return plan.ok() ? *plan : Plan{};
}

std::vector<int> Bits(const Plan& plan) {
  std::vector<int> bits;
  for (const PlanLayer& layer : plan.layers) bits.push_back(layer.chosen ? layer.chosen->option.weight_bits : 0);
  return bits;
}

// Everything that can be checked of a plan.
void ExpectProven(const Plan& plan) {
  const absl::Status verified = plan::Verify(plan);
  EXPECT_TRUE(verified.ok()) << verified;
  const absl::StatusOr<Certificate> certificate = plan::CheckProof(plan, 100000, {});
  ASSERT_TRUE(certificate.ok()) << certificate.status();
  EXPECT_EQ(certificate->check, plan.has_choice() ? ProofCheck::kOptimal : ProofCheck::kInfeasible);
  const absl::StatusOr<Plan> read = plan::ParsePlan(plan::ToJson(plan));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, plan);
}

// With 8 bits b takes 128 + 32 at the first step; so it has 4, and a and c may have 8: 64 + 64 and 64 + 32.
TEST(MemoryBudget, IsAMaximumOverTheExecution) {
  const Plan plan = Solve(ThreeLayers(), Request({"memory=128B"}));
  EXPECT_EQ(plan.termination, Termination::kOptimal);
  EXPECT_THAT(Bits(plan), ElementsAre(8, 4, 8));
  EXPECT_EQ(plan.objective, 2);
  EXPECT_EQ(plan.budgets[0].limit, 128);
  EXPECT_EQ(plan.budgets[0].used, 128);
  EXPECT_EQ(plan.budgets[0].slack, 0);
  EXPECT_EQ(plan.budgets[0].least_achievable, 96);
  EXPECT_EQ(plan.totals.at(Resource::kMemory), 128);
  EXPECT_EQ(plan.uniform.at(8).at(Resource::kMemory), 192);
  EXPECT_EQ(plan.uniform.at(4).at(Resource::kMemory), 96);
  EXPECT_FALSE(plan.layers[0].chosen->costs.contains(Resource::kMemory));  // no layer has a share of a maximum
  ExpectProven(plan);
}

TEST(MemoryBudget, OneByteLessChangesThePlan) {
  const Plan plan = Solve(ThreeLayers(), Request({"memory=127B"}));
  EXPECT_THAT(Bits(plan), ElementsAre(4, 4, 8));
  EXPECT_EQ(plan.budgets[0].used, 96);
  EXPECT_EQ(plan.budgets[0].slack, 31);
  ExpectProven(plan);
}

TEST(MemoryBudget, RelativeToUniform8Bits) {
  const Plan plan = Solve(ThreeLayers(), Request({"memory=0.5x"}));
  EXPECT_EQ(plan.budgets[0].limit, 96);
  EXPECT_THAT(Bits(plan), ElementsAre(4, 4, 8));
  ExpectProven(plan);
}

// 4 bits everywhere take 96 + 300 bytes, 8 bits 192 + 600. 8 bits of a alone: 128 + 350.
TEST(MemoryBudget, CountsWeightsWhereTheyAreResident) {
  const Plan plan = Solve(ThreeLayers(), Request({"memory=478B"}, /*weights_resident=*/true));
  EXPECT_THAT(Bits(plan), ElementsAre(8, 4, 4));
  EXPECT_EQ(plan.budgets[0].used, 478);
  EXPECT_EQ(plan.budgets[0].least_achievable, 396);
  EXPECT_EQ(plan.uniform.at(8).at(Resource::kMemory), 792);
  ExpectProven(plan);
}

TEST(MemoryBudget, TooSmallOneIsExplained) {
  const Plan plan = Solve(ThreeLayers(), Request({"memory=95B"}));
  EXPECT_EQ(plan.termination, Termination::kInfeasible);
  ASSERT_EQ(plan.infeasibility->shortages.size(), 1);
  EXPECT_EQ(plan.infeasibility->shortages[0].resource, Resource::kMemory);
  EXPECT_EQ(plan.infeasibility->shortages[0].least_achievable, 96);
  EXPECT_EQ(plan.infeasibility->shortages[0].short_by, 1);
  EXPECT_EQ(plan.budgets[0].least_achievable, 96);
  EXPECT_THAT(plan.diagnosis, HasSubstr("memory"));
  ExpectProven(plan);
}

TEST(MemoryBudget, ExplanationPricesIt) {
  const absl::StatusOr<Explanation> explanation = plan::Explain(Solve(ThreeLayers(), Request({"memory=127B"})), {}, {});
  ASSERT_TRUE(explanation.ok()) << explanation.status();
}

TEST(MemoryBudget, LowerOneIsRefused) {
  const absl::StatusOr<Plan> plan = pipeline::Search(ThreeLayers(), Request({"memory>=96B"}), {});
  EXPECT_EQ(plan.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(MessageOf(plan.status()), HasSubstr("memory"));
}

// Without a network memory is not known.
TEST(MemoryBudget, NeedsTheNetwork) {
  Measurement measured = ThreeLayers();
  measured.data_flow = {};
  const absl::StatusOr<Plan> plan = pipeline::Search(measured, Request({"memory=128B"}), {});
  EXPECT_EQ(plan.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(MessageOf(plan.status()), HasSubstr("memory"));
}

TEST(MemoryBudget, FrontierOverItIsRefused) {
  FrontierSearch request{.search = Request({}), .resource = Resource::kMemory, .num_points = 3};
  const absl::StatusOr<LossFrontier> frontier = pipeline::ComputeFrontier(ThreeLayers(), request, {}, {});
  EXPECT_EQ(frontier.status().code(), absl::StatusCode::kUnimplemented) << frontier.status();
}

// A frontier of another resource keeps it.
TEST(MemoryBudget, HoldsAlongAFrontier) {
  FrontierSearch request{.search = Request({"memory=128B"}), .resource = Resource::kSize, .complete = true};
  const absl::StatusOr<LossFrontier> frontier = pipeline::ComputeFrontier(ThreeLayers(), request, {}, {});
  ASSERT_TRUE(frontier.ok()) << frontier.status();
  for (const auto& point : frontier->frontier.points) EXPECT_EQ(point.objective < 2, false);  // b has 4 bits
}

TEST(MemoryBudget, MeasurementKeepsTheDataFlow) {
  const Measurement measured = ThreeLayers();
  const absl::StatusOr<Measurement> read = pipeline::ParseMeasurement(pipeline::MeasurementToJson(measured));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->data_flow, measured.data_flow);
}

TEST(MemoryBudget, MeasurementWithABadDataFlowIsRefused) {
  Measurement measured = ThreeLayers();
  measured.data_flow.buffers[1].layers = {7};
  const absl::StatusOr<Measurement> read = pipeline::ParseMeasurement(pipeline::MeasurementToJson(measured));
  EXPECT_THAT(MessageOf(read.status()), HasSubstr("data_flow.buffers[1]"));
}

// Five layers with three options each, random tensors that live for random stretches, two budgets.
struct RandomCase {
  Measurement measured;
  std::vector<std::vector<int64_t>> sizes;  // bits
  SearchRequest request;
};

RandomCase MakeCase(uint64_t seed) {
  Rng rng(seed, 0);
  const auto below = [&](uint64_t n) { return static_cast<int64_t>(rng.NextBelow(n)); };
  RandomCase made;
  GivenSensitivities given;
  given.sensitivity.method = "given";
  for (int i = 0; i < 5; ++i) {
    given.layers.layers.push_back(
        {.name = std::string(1, static_cast<char>('a' + i)), .num_weights = 1 + below(99), .macs = 10});
    given.options.options.push_back({Given(2, 4), Given(4, 8), Given(8, 8)});
    given.sensitivity.score.push_back({static_cast<double>(below(50)), static_cast<double>(below(20)), 0});
    given.sensitivity.standard_error.push_back({0, 0, 0});
    std::vector<int64_t>& sizes = made.sizes.emplace_back();
    for (const int bits : {2, 4, 8}) sizes.push_back(given.layers.layers[i].num_weights * bits);
  }
  made.measured = pipeline::FromGiven(given).value();
  DataFlow& flow = made.measured.data_flow;
  for (int t = 0; t < 6; ++t) flow.steps.push_back("step" + std::to_string(t));
  for (int b = 0; b < 7; ++b) {
    ActivationBuffer& buffer = flow.buffers.emplace_back();
    buffer.name = "t" + std::to_string(b);
    buffer.elements = 1 + below(60);
    if (below(4) > 0) buffer.layers = {static_cast<int>(below(5))};
    buffer.first_step = static_cast<int>(below(6));
    buffer.last_step = std::min(5, buffer.first_step + static_cast<int>(below(4)));
  }
  made.request = Request({}, /*weights_resident=*/below(2) == 0);
  made.request.budgets = {ParseBudget("memory=" + std::to_string(100 + below(350)) + "B").value()};
  if (below(2) == 0) {
    made.request.budgets.push_back(ParseBudget("size=" + std::to_string(500 + below(1500)) + "bit").value());
  }
  return made;
}

// Largest sum over the steps, as the words of PeakMemory say.
int64_t PeakByHand(const RandomCase& made, const std::vector<int>& choice) {
  int64_t peak = 0;
  for (int t = 0; t < 6; ++t) {
    int64_t bytes = 0;
    for (const ActivationBuffer& buffer : made.measured.data_flow.buffers) {
      if (t < buffer.first_step || t > buffer.last_step) continue;
      const int bits = buffer.layers.empty() ? 32 : (choice[buffer.layers[0]] == 0 ? 4 : 8);
      bytes += (buffer.elements * bits + 7) / 8;
    }
    for (int i = 0; i < 5 && made.request.profile.memory->weights_resident; ++i) {
      bytes += (made.sizes[i][choice[i]] + 7) / 8;
    }
    peak = std::max(peak, bytes);
  }
  return peak;
}

TEST(MemoryBudget, AgreesWithBruteForce) {
  int infeasible = 0;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    const RandomCase made = MakeCase(seed);
    const int64_t memory_limit = std::stoll(pipeline::FormatBudget(made.request.budgets[0]).substr(7));
    std::optional<double> best;
    int64_t least = std::numeric_limits<int64_t>::max();
    for (int code = 0; code < 243; ++code) {
      std::vector<int> choice;
      for (int rest = code, i = 0; i < 5; ++i, rest /= 3) choice.push_back(rest % 3);
      double objective = 0;
      int64_t size = 0;
      for (int i = 0; i < 5; ++i) {
        objective += made.measured.sensitivity.score[i][choice[i]];
        size += made.sizes[i][choice[i]];
      }
      const int64_t peak = PeakByHand(made, choice);
      least = std::min(least, peak);
      const bool fits = made.request.budgets.size() == 1 ||
                        size <= std::stoll(pipeline::FormatBudget(made.request.budgets[1]).substr(5));
      if (peak <= memory_limit && fits && (!best || objective < *best)) best = objective;
    }
    const Plan plan = Solve(made.measured, made.request);
    ASSERT_EQ(plan.has_choice(), best.has_value()) << "seed " << seed;
    const absl::Status verified = plan::Verify(plan);
    ASSERT_TRUE(verified.ok()) << "seed " << seed << ": " << verified;
    ASSERT_TRUE(plan::CheckProof(plan, 100000, {}).ok()) << "seed " << seed;
    if (!best) {
      ++infeasible;
      continue;
    }
    ASSERT_EQ(plan.objective, *best) << "seed " << seed;
    ASSERT_LE(plan.budgets[0].least_achievable, least) << "seed " << seed;
    ASSERT_LE(plan.budgets[0].used, memory_limit) << "seed " << seed;
  }
  EXPECT_GT(infeasible, 10);
  EXPECT_LT(infeasible, 250);
}

}  // namespace
}  // namespace bitplan
