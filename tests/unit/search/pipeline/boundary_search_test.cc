// Searches whose layers cost something together where their activation widths differ.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "search/base/rng.h"
#include "search/base/status.h"
#include "search/pipeline/measurement.h"
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
using ::testing::SizeIs;

constexpr int kLayers = 5;
constexpr int kOptions = 2;

Option Given(int bits) { return {bits, bits, "given", Granularity::kPerTensor}; }

// Layers of 1,000 MACs, 4 or 8 bits, in a chain with some shortcuts. The device takes 1 ns a MAC at 8 bits and half of
// that at 4, and moves 1 byte a ns between widths.
struct Case {
  Measurement measured;
  SearchRequest request;
};

Case MakeCase(uint64_t seed) {
  Rng rng(seed, 0);
  const auto below = [&](uint64_t n) { return static_cast<int64_t>(rng.NextBelow(n)); };
  Case made;
  GivenSensitivities given;
  given.sensitivity.method = "given";
  for (int i = 0; i < kLayers; ++i) {
    given.layers.layers.push_back(
        {.name = std::string(1, static_cast<char>('a' + i)), .num_weights = 100, .macs = 1000});
    given.options.options.push_back({Given(4), Given(8)});
    given.sensitivity.score.push_back({static_cast<double>(below(100)), 0});
    given.sensitivity.standard_error.push_back({0, 0});
  }
  made.measured = pipeline::FromGiven(given).value();
  DataFlow& flow = made.measured.data_flow;
  flow.steps = {"only"};
  for (int i = 0; i + 1 < kLayers; ++i) flow.boundaries.push_back({.from = i, .to = i + 1, .elements = 1 + below(300)});
  if (below(2) == 0) flow.boundaries.push_back({.from = 0, .to = 3, .elements = 1 + below(300)});
  made.request.profile = {.name = "device",
                          .size = SizeModel{},
                          .roofline = RooflineModel{.rates = {{.widths = {4, 4}, .macs_per_second = 2'000'000'000},
                                                              {.widths = {8, 8}, .macs_per_second = 1'000'000'000}}},
                          .boundary = BoundaryModel{.overhead_ns = below(50), .bytes_per_second = 1'000'000'000}};
  const int64_t limit = 2400 + below(2800);
  made.request.budgets = {ParseBudget("latency=" + std::to_string(limit) + "ns").value()};
  return made;
}

// What a choice (bit i: layer i has 8 bits) takes, by the words of the documentation.
int64_t LatencyByHand(const Case& made, int code) {
  const auto bits = [&](int layer) { return (code >> layer & 1) == 0 ? 4 : 8; };
  int64_t latency = 0;
  for (int i = 0; i < kLayers; ++i) latency += bits(i) == 4 ? 500 : 1000;
  for (const PrecisionBoundary& boundary : made.measured.data_flow.boundaries) {
    if (bits(boundary.from) == bits(boundary.to)) continue;
    latency += made.request.profile.boundary->overhead_ns;
    latency += (boundary.elements * 4 + 7) / 8 + boundary.elements;  // one side has 4 bits, the other 8
  }
  return latency;
}

TEST(BoundarySearch, AgreesWithBruteForce) {
  int with_choice = 0;
  int with_conversion = 0;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    const Case made = MakeCase(seed);
    const int64_t limit = std::get<AbsoluteLimit>(made.request.budgets[0].amount).limit;
    std::optional<double> best;
    std::optional<int64_t> least;
    for (int code = 0; code < 1 << kLayers; ++code) {
      double objective = 0;
      for (int i = 0; i < kLayers; ++i) objective += made.measured.sensitivity.score[i][code >> i & 1];
      const int64_t latency = LatencyByHand(made, code);
      if (!least || latency < *least) least = latency;
      if (latency <= limit && (!best || objective < *best)) best = objective;
    }
    const absl::StatusOr<Plan> plan = pipeline::Search(made.measured, made.request, {});
    ASSERT_TRUE(plan.ok()) << plan.status();
    ASSERT_THAT(plan->boundaries, SizeIs(made.measured.data_flow.boundaries.size()));
    const absl::Status verified = plan::Verify(*plan);
    ASSERT_TRUE(verified.ok()) << "seed " << seed << ": " << verified;
    ASSERT_EQ(plan->has_choice(), best.has_value()) << "seed " << seed;
    ASSERT_EQ(plan->budgets[0].least_achievable, *least) << "seed " << seed;
    const absl::StatusOr<Plan> read = plan::ParsePlan(plan::ToJson(*plan));
    ASSERT_TRUE(read.ok()) << read.status();
    ASSERT_EQ(*read, *plan);
    const absl::StatusOr<Certificate> certificate = plan::CheckProof(*plan, 1000, {});
    ASSERT_TRUE(certificate.ok()) << "seed " << seed << ": " << certificate.status();
    if (!best) continue;
    ++with_choice;
    ASSERT_EQ(plan->termination, Termination::kOptimal);
    ASSERT_EQ(plan->objective, *best) << "seed " << seed;
    int code = 0;
    for (int i = 0; i < kLayers; ++i) code |= (plan->layers[i].chosen->option.weight_bits == 8 ? 1 : 0) << i;
    ASSERT_EQ(plan->totals.at(Resource::kLatency), LatencyByHand(made, code)) << "seed " << seed;
    ASSERT_EQ(plan->budgets[0].used, plan->totals.at(Resource::kLatency));
    if (code != 0 && code != (1 << kLayers) - 1) ++with_conversion;
    ASSERT_LE(*certificate->bound, *best) << "seed " << seed;
  }
  EXPECT_GT(with_choice, 150);
  EXPECT_GT(with_conversion, 50);
}

// Relative limits are of uniform widths, which convert nothing.
TEST(BoundarySearch, UniformWidthsConvertNothing) {
  Case made = MakeCase(1);
  made.request.budgets = {ParseBudget("latency=0.8x").value()};
  const Plan plan = pipeline::Search(made.measured, made.request, {}).value();
  EXPECT_EQ(plan.uniform.at(8).at(Resource::kLatency), 5000);
  EXPECT_EQ(plan.budgets[0].limit, 4000);
}

TEST(BoundarySearch, LowerLimitIsRefused) {
  Case made = MakeCase(1);
  made.request.budgets = {ParseBudget("latency>=3us").value()};
  const absl::Status status = pipeline::Search(made.measured, made.request, {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(MessageOf(status), HasSubstr("conversions"));
}

TEST(BoundarySearch, ExplanationSolvesWithThem) {
  const Case made = MakeCase(3);
  const Plan plan = pipeline::Search(made.measured, made.request, {}).value();
  const absl::StatusOr<Explanation> explanation = plan::Explain(plan, {}, {});
  ASSERT_TRUE(explanation.ok()) << explanation.status();
}

// Costs that were given are whole: the giver has measured them.
TEST(BoundarySearch, GivenCostsAreTakenAsTheyAre) {
  Case made = MakeCase(1);
  for (int i = 0; i < kLayers; ++i) {
    made.measured.given_costs.push_back({{{Resource::kLatency, 10}}, {{Resource::kLatency, 20}}});
  }
  made.request.budgets = {ParseBudget("latency=80ns").value()};
  const Plan plan = pipeline::Search(made.measured, made.request, {}).value();
  EXPECT_THAT(plan.boundaries, SizeIs(0));
}

TEST(BoundarySearch, VerifyFindsForgedConversions) {
  const Case made = MakeCase(2);
  Plan plan = pipeline::Search(made.measured, made.request, {}).value();
  ASSERT_TRUE(plan.has_choice());
  plan.boundaries[0].from = "nobody";
  plan.fingerprint = plan::Fingerprint(plan);
  EXPECT_THAT(MessageOf(plan::Verify(plan)), HasSubstr("boundaries[0]"));
}

}  // namespace
}  // namespace bitplan
