// Searches for a runtime: its rules as ties, in the plan, and checked again.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "search/base/status.h"
#include "search/exporters/check_runtime.h"
#include "search/hardware/shipped_profiles.h"
#include "search/hardware/shipped_runtimes.h"
#include "search/pipeline/run_search.h"
#include "search/plan/certificate.h"
#include "search/plan/explanation.h"
#include "search/plan/plan_json.h"
#include "search/plan/verifier.h"
#include "tests/testing/brute_force_allocation.h"

namespace bitplan {
namespace {

using exporters::CheckRuntime;
using pipeline::FromGiven;
using pipeline::ParseBudget;
using pipeline::Search;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Option Given(int weight_bits, int activation_bits) {
  return {weight_bits, activation_bits, "given", Granularity::kPerTensor};
}

// Layers with all pairs of 4 and 8 bits; scores are drawn, 100 weights and 10 MACs each.
Measurement Measured(const std::vector<std::string>& names, uint32_t seed) {
  std::mt19937 rng(seed);
  GivenSensitivities given;
  given.sensitivity.method = "given";
  for (const std::string& name : names) {
    given.layers.layers.push_back({.name = name, .num_weights = 100, .macs = 10});
    given.options.options.push_back({Given(4, 4), Given(8, 4), Given(4, 8), Given(8, 8)});
    std::vector<double>& scores = given.sensitivity.score.emplace_back();
    for (int k = 0; k < 4; ++k) scores.push_back(static_cast<double>(rng() % 64) / 16);
    given.sensitivity.standard_error.emplace_back(4, 0.0);
  }
  return FromGiven(given).value();
}

SearchRequest Request(const std::vector<std::string>& budgets, std::string_view runtime) {
  SearchRequest request{.profile = hardware::FindShippedProfile("generic").value(),
                        .runtime = hardware::FindShippedRuntime(runtime).value()};
  for (const std::string& budget : budgets) request.budgets.push_back(ParseBudget(budget).value());
  return request;
}

const Option& Chosen(const Plan& plan, int layer) { return plan.layers[layer].chosen->option; }

TEST(RuntimeSearch, VllmGivesPackedLayersOneOption) {
  const Measurement measured = Measured({"l.0.q_proj", "l.0.k_proj", "l.0.v_proj", "l.0.gate_proj", "l.0.up_proj"}, 1);
  const Plan plan = Search(measured, Request({"size=0.7x"}, "vllm"), {}).value();
  ASSERT_EQ(plan.termination, Termination::kOptimal);
  EXPECT_EQ(Chosen(plan, 0), Chosen(plan, 1));
  EXPECT_EQ(Chosen(plan, 0), Chosen(plan, 2));
  EXPECT_EQ(Chosen(plan, 3), Chosen(plan, 4));
  ASSERT_TRUE(plan.runtime.has_value());
  EXPECT_EQ(plan.runtime->name, "vllm");
  ASSERT_EQ(plan.runtime->groups.size(), 2U);
  EXPECT_EQ(plan.runtime->groups[0].rule, "qkv");
  EXPECT_THAT(plan.runtime->groups[1].layers, ElementsAre("l.0.gate_proj", "l.0.up_proj"));
  EXPECT_THAT(plan.warnings, ElementsAre(HasSubstr("rules qkv, gate_up look at the network's graph")));
  EXPECT_EQ(plan::ParsePlan(plan::ToJson(plan)).value(), plan);
  const Explanation explanation = plan::Explain(plan, {}, {}).value();
  EXPECT_THAT(explanation.layers[0].reasons, Contains("l.0.q_proj, l.0.k_proj, l.0.v_proj are tied in option by "
                                                      "vllm's rule qkv"));
}

TEST(RuntimeSearch, StructureTiesLayersOfAnyName) {
  Measurement measured = Measured({"a", "b", "c", "d"}, 2);
  measured.structure = LayerStructure{{StructureKind::kAttention, {"a", "c", "d"}}};
  const Plan plan = Search(measured, Request({"size=0.8x"}, "vllm"), {}).value();
  ASSERT_EQ(plan.termination, Termination::kOptimal);
  EXPECT_EQ(Chosen(plan, 0), Chosen(plan, 2));
  EXPECT_EQ(Chosen(plan, 0), Chosen(plan, 3));
  EXPECT_THAT(plan.warnings, IsEmpty());
}

// Activation widths agree, weight widths need not; untied activations do not untie a runtime's rules.
TEST(RuntimeSearch, RulesOnPartsOfOptionsAreClassTies) {
  Measurement measured = Measured({"a", "b", "c"}, 3);
  measured.structure = LayerStructure{{StructureKind::kAddedInputs, {"a", "c"}}};
  SearchRequest request = Request({"bops=0.6x"}, "onnxruntime");
  request.untie_activations = true;
  const Plan plan = Search(measured, request, {}).value();
  ASSERT_EQ(plan.termination, Termination::kOptimal);
  EXPECT_EQ(Chosen(plan, 0).activation_bits, Chosen(plan, 2).activation_bits);
  EXPECT_THAT(plan.ties, IsEmpty());
  EXPECT_THAT(plan::Explain(plan, {}, {})->layers[2].reasons,
              Contains("c tied to a in activation_bits by onnxruntime's rule add"));
}

TEST(RuntimeSearch, PinsAgainstRulesSayWhichRule) {
  const Measurement measured = Measured({"l.q_proj", "l.k_proj", "x"}, 4);
  SearchRequest request = Request({"size=1x"}, "vllm");
  request.rules = {{.kind = WidthRuleKind::kPin, .layer = "l.q_proj", .weight_bits = 8},
                   {.kind = WidthRuleKind::kPin, .layer = "l.k_proj", .weight_bits = 4}};
  const absl::Status status = Search(measured, request, {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(MessageOf(status), HasSubstr("leave no option to the tied layers 'l.k_proj', 'l.q_proj', tied by vllm's "
                                           "rule qkv"));
}

TEST(RuntimeSearch, PinsAgainstClassTiesAreInfeasible) {
  Measurement measured = Measured({"a", "b"}, 5);
  measured.structure = LayerStructure{{StructureKind::kConcatenatedInputs, {"a", "b"}}};
  SearchRequest request = Request({"size=1x"}, "tensorrt");
  request.rules = {{.kind = WidthRuleKind::kPin, .layer = "a", .activation_bits = 8},
                   {.kind = WidthRuleKind::kPin, .layer = "b", .activation_bits = 4}};
  const Plan plan = Search(measured, request, {}).value();
  EXPECT_EQ(plan.termination, Termination::kInfeasible);
  EXPECT_TRUE(plan.infeasibility->rules_conflict);
}

TEST(RuntimeSearch, LayersWithDifferentOptionsCannotBeTied) {
  Measurement measured = Measured({"l.q_proj", "l.k_proj"}, 6);
  measured.options.options[1][0].weight_bits = 3;
  const absl::Status status = Search(measured, Request({"size=1x"}, "vllm"), {}).status();
  EXPECT_THAT(MessageOf(status), HasSubstr("runtime 'vllm', rule 'qkv': ties: layers 'l.q_proj' and 'l.k_proj' have "
                                           "different options"));
}

// Rules that tie wholes and parts, overlapping: the plan is the best of all choices that keep them, and its own proof,
// least achievable sums included, can be repeated from the plan alone.
TEST(RuntimeSearch, EqualsBruteForce) {
  constexpr const char* kRuntime = R"json({
    "format": "bitplan.runtime/1", "name": "mixed", "version": "1", "written_against": "none", "description": "all",
    "rules": [
      {"name": "whole", "reason": "r", "agree": ["option"], "names": ["(x)[ab]"], "source": "s", "date": "2026"},
      {"name": "weights", "reason": "r", "agree": ["weight_bits"], "names": ["(.)[bc]"], "source": "s", "date": "2026"},
      {"name": "activations", "reason": "r", "agree": ["activation_bits", "scheme"], "names": ["(.)[cd]"],
       "source": "s", "date": "2026"}]})json";
  const RuntimeRules runtime = hardware::ParseRuntime(kRuntime).value();
  int num_feasible = 0;
  for (uint32_t seed = 0; seed < 60; ++seed) {
    Measurement measured = Measured({"xa", "xb", "xc", "xd", "y"}, seed);
    measured.activation_ties = {{"xd", "y"}};
    SearchRequest request = Request(
        {fmt::format("size={}bit", 2000 + 400 * (seed % 6)), fmt::format("bops={}", 800 + 250 * (seed % 7))}, "vllm");
    request.runtime = runtime;
    const CostTable costs = pipeline::PriceMeasurement(measured, request).value();
    const Problem problem = pipeline::BuildProblem(measured, costs, request)->problem;
    const testing::BruteForceAnswer answer = testing::SolveByBruteForce(problem);
    const Plan plan = Search(measured, request, {}).value();
    ASSERT_EQ(plan.termination == Termination::kOptimal, answer.feasible) << seed;
    EXPECT_EQ(plan::Verify(plan), absl::OkStatus()) << seed;
    for (size_t b = 0; b < plan.budgets.size(); ++b) {
      EXPECT_EQ(plan.budgets[b].least_achievable, answer.least_alone[b]) << seed;
    }
    if (!answer.feasible) continue;
    ++num_feasible;
    EXPECT_EQ(plan.objective, answer.objective) << seed;
    EXPECT_EQ(Chosen(plan, 0), Chosen(plan, 1));
    EXPECT_EQ(Chosen(plan, 1).weight_bits, Chosen(plan, 2).weight_bits);
    EXPECT_EQ(Chosen(plan, 2).activation_bits, Chosen(plan, 3).activation_bits);
    EXPECT_EQ(Chosen(plan, 3).activation_bits, Chosen(plan, 4).activation_bits);
    EXPECT_EQ(plan::CheckProof(plan, 100'000, {})->check, ProofCheck::kOptimal) << seed;
    EXPECT_THAT(CheckRuntime(plan, runtime).violations, IsEmpty());
  }
  EXPECT_GT(num_feasible, 20);
}

TEST(CheckRuntime, FindsWhatAPlanWithoutTheRuntimeBreaks) {
  Measurement measured = Measured({"l.q_proj", "l.k_proj", "x"}, 7);
  SearchRequest request = Request({"size=1x"}, "vllm");
  request.runtime.reset();
  request.rules = {{.kind = WidthRuleKind::kPin, .layer = "l.q_proj", .weight_bits = 8},
                   {.kind = WidthRuleKind::kPin, .layer = "l.k_proj", .weight_bits = 4}};
  const Plan plan = Search(measured, request, {}).value();
  EXPECT_FALSE(plan.runtime.has_value());
  const RuntimeRules vllm = hardware::FindShippedRuntime("vllm").value();
  const RuntimeCheck check = CheckRuntime(plan, vllm);
  ASSERT_EQ(check.violations.size(), 1U);
  EXPECT_THAT(check.violations[0].message, HasSubstr("qkv: 'l.q_proj' has w8"));
  EXPECT_THAT(check.violations[0].message, HasSubstr("; packed into qkv_proj"));
  EXPECT_THAT(check.unseen, ElementsAre("qkv", "gate_up"));
  const LayerStructure structure = {{StructureKind::kGated, {"l.k_proj", "x"}}};
  request.rules.push_back({.kind = WidthRuleKind::kPin, .layer = "x", .weight_bits = 8});
  const RuntimeCheck seen = CheckRuntime(Search(measured, request, {}).value(), vllm, structure);
  EXPECT_EQ(seen.violations.size(), 2U);
  EXPECT_THAT(seen.unseen, IsEmpty());
}

}  // namespace
}  // namespace bitplan
