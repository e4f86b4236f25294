#include "proto/convert/plan.h"

#include <gtest/gtest.h>

#include <cmath>

#include "search/base/rng.h"
#include "search/base/status.h"

namespace bitplan::convert {
namespace {

TEST(ConvertBudget, RoundTrip) {
  const BudgetSpec specs[] = {
      {.resource = Resource::kSize, .amount = AbsoluteLimit{0}},
      {.resource = Resource::kBops, .amount = AbsoluteLimit{INT64_MAX}},
      {.resource = Resource::kLatency, .amount = RelativeLimit{0.7}},
      {.resource = Resource::kSize, .amount = RelativeLimit{0.7}, .sense = BudgetSense::kAtLeast},
      {.resource = Resource::kEnergy, .amount = InterpolatedLimit{.fraction = 0.25, .low_bits = 2, .high_bits = 6}},
      {.resource = Resource::kMemory, .amount = DeviceLimit{}}};
  for (const BudgetSpec& spec : specs) {
    const auto back = ToBudget(FromBudget(spec));
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(*back, spec);
  }
}

TEST(ConvertBudget, InterpolationDefaultsToFourAndEight) {
  v1::Budget message;
  message.set_resource("size");
  message.mutable_interpolation()->set_fraction(0.5);
  EXPECT_EQ(std::get<InterpolatedLimit>(ToBudget(message)->amount),
            (InterpolatedLimit{.fraction = 0.5, .low_bits = 4, .high_bits = 8}));
}

TEST(ConvertBudget, RefusesWhatMakesNoSense) {
  const auto refuses = [](auto spoil) {
    v1::Budget message;
    message.set_resource("size");
    spoil(message);
    return absl::IsInvalidArgument(ToBudget(message).status());
  };
  EXPECT_TRUE(refuses([](auto&) {}));
  EXPECT_TRUE(refuses([](auto& b) { b.set_limit(-1); }));
  for (const double factor : {0.0, -1.0, 17.0, std::nan(""), HUGE_VAL}) {
    EXPECT_TRUE(refuses([&](auto& b) { b.set_relative_to_uniform_8(factor); })) << factor;
    EXPECT_TRUE(refuses([&](auto& b) { b.mutable_interpolation()->set_fraction(factor == 0 ? 1.5 : factor); }))
        << factor;
  }
  EXPECT_TRUE(refuses([](auto& b) { b.mutable_interpolation()->set_low_bits(8); }));
  EXPECT_TRUE(refuses([](auto& b) { b.mutable_interpolation()->set_high_bits(99); }));
}

TEST(ConvertSolver, DefaultsAndLimits) {
  v1::SolverConfig message;
  EXPECT_EQ(*ToSolverOptions(message, 10)->time_limit_s, 10);
  EXPECT_EQ(ToSolverOptions(message, 10)->solver, "auto");
  EXPECT_EQ(ToSolverOptions(message, 10)->node_limit, SolverOptions().node_limit);
  message.mutable_time_limit()->set_nanos(500'000'000);
  EXPECT_EQ(*ToSolverOptions(message, 10)->time_limit_s, 0.5);
  message.mutable_time_limit()->set_nanos(0);
  EXPECT_TRUE(MessageOf(ToSolverOptions(message, 10).status()).starts_with("time_limit: got 0 s"));
  message.mutable_time_limit()->set_seconds(INT64_MAX);
  EXPECT_TRUE(absl::IsInvalidArgument(ToSolverOptions(message, 10).status()));
  message.clear_time_limit();
  message.set_node_limit(-1);
  EXPECT_TRUE(MessageOf(ToSolverOptions(message, 10).status()).starts_with("node_limit: got -1"));
}

TEST(ConvertSearch, PathsAreNested) {
  v1::SearchConfig message;
  message.add_budgets()->set_resource("size");
  EXPECT_TRUE(MessageOf(ToSearchRequest(message, 1).status()).starts_with("budgets[0].amount: "));
  message.mutable_budgets(0)->set_limit(1);
  message.mutable_solver()->set_relative_gap(-1);
  EXPECT_TRUE(MessageOf(ToSearchRequest(message, 1).status()).starts_with("solver.relative_gap: "));
}

TEST(ConvertSearch, TakesOverWhatIsAskedFor) {
  v1::SearchConfig message;
  EXPECT_FALSE(ToSearchRequest(message, 1)->repair_monotonicity);
  EXPECT_FALSE(ToSearchRequest(message, 1)->leave_out_unpriced);
  message.set_repair_monotonicity(true);
  message.set_leave_out_unpriced(true);
  message.set_robustness_resamples(7);
  EXPECT_EQ(ToSearchRequest(message, 1)->robustness_resamples, 7);
  EXPECT_TRUE(ToSearchRequest(message, 1)->repair_monotonicity);
  EXPECT_TRUE(ToSearchRequest(message, 1)->leave_out_unpriced);
}

TEST(ConvertSearch, TakesRules) {
  const WidthRule pin{.kind = WidthRuleKind::kPin, .layer = "a", .weight_bits = 8, .reason = "first layer"};
  const WidthRule forbid{.kind = WidthRuleKind::kForbid, .layer = "b", .weight_bits = 4, .activation_bits = 8};
  v1::SearchConfig message;
  for (const WidthRule& rule : {pin, forbid}) *message.add_rules() = FromWidthRule(rule);
  message.set_untie_activations(true);
  const auto request = ToSearchRequest(message, 1);
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->rules, (std::vector<WidthRule>{pin, forbid}));
  EXPECT_TRUE(request->untie_activations);
  message.mutable_rules(1)->set_weight_bits(0);
  EXPECT_EQ(MessageOf(ToSearchRequest(message, 1).status()),
            "rules[1]: weight_bits, activation_bits: got w0a8, want 1..32");
  message.mutable_rules(0)->clear_kind();
  EXPECT_EQ(MessageOf(ToSearchRequest(message, 1).status()), "rules[0].kind: got 0, want PIN or FORBID");
}

TEST(ConvertSearch, TakesARuntimeByNameOrAsADocument) {
  v1::SearchConfig message;
  EXPECT_FALSE(ToSearchRequest(message, 1)->runtime.has_value());
  message.set_runtime("vllm");
  EXPECT_EQ(ToSearchRequest(message, 1)->runtime->name, "vllm");
  message.set_runtime("tflite");
  EXPECT_EQ(ToSearchRequest(message, 1).status().code(), absl::StatusCode::kNotFound);
  message.set_runtime_json("{}");
  EXPECT_EQ(MessageOf(ToSearchRequest(message, 1).status()), "runtime: got a name and runtime_json, want one of them");
  message.clear_runtime();
  EXPECT_EQ(MessageOf(ToSearchRequest(message, 1).status()), "runtime: missing field 'format'");
}

TEST(ConvertPlan, KeepsTheRuntime) {
  Plan plan;
  EXPECT_FALSE(FromPlan(plan).has_runtime());
  plan.runtime = PlanRuntime{.name = "vllm",
                             .version = "1",
                             .digest = "d",
                             .groups = {{.rule = "qkv", .agree = {Agreement::kOption}, .layers = {"a", "b"}}},
                             .unseen = {"gate_up"}};
  const v1::PlanRuntime message = FromPlan(plan).runtime();
  EXPECT_EQ(message.name(), "vllm");
  EXPECT_EQ(message.version(), "1");
  EXPECT_EQ(message.digest(), "d");
  ASSERT_EQ(message.groups_size(), 1);
  EXPECT_EQ(message.groups(0).rule(), "qkv");
  EXPECT_EQ(message.groups(0).agree(0), "option");
  EXPECT_EQ(message.groups(0).layers(1), "b");
  EXPECT_EQ(message.unseen(0), "gate_up");
}

TEST(ConvertPlan, KeepsChoicesCostsAndProvenance) {
  Plan plan;
  plan.termination = Termination::kFeasible;
  const PlanOption w4{
      .option = {.weight_bits = 4}, .sensitivity = 0.5, .standard_error = 0.1, .costs = {{Resource::kSize, 40}}};
  const PlanOption w8{.option = {.weight_bits = 8}, .sensitivity = 0.25, .costs = {{Resource::kSize, 80}}};
  plan.layers = {{.layer = {.name = "a", .kind = LayerKind::kGemm, .num_weights = 10, .macs = 10},
                  .chosen = w4,
                  .alternatives = {w8}}};
  plan.totals = {{Resource::kSize, 40}};
  plan.uniform = {{8, {{Resource::kSize, 80}}}};
  plan.budgets = {{.resource = Resource::kSize,
                   .spec = "size=0.5x",
                   .limit = 41,
                   .least_achievable = 40,
                   .used = 40,
                   .slack = 1,
                   .multiplier = 0.125}};
  plan.ties = {{"a", "b"}};
  plan.objective = 0.5;
  plan.bound = 0.25;
  plan.gap = 0.5;
  plan.provenance.method = "given";
  plan.provenance.loss = "cross_entropy";
  plan.provenance.cost_sources = {{Resource::kSize, "given"}};
  plan.fingerprint = "f";
  const v1::Plan message = FromPlan(plan);
  EXPECT_EQ(message.termination(), v1::TERMINATION_FEASIBLE);
  ASSERT_EQ(message.choices_size(), 1);
  EXPECT_EQ(message.choices(0).layer(), "a");
  EXPECT_EQ(message.choices(0).kind(), "gemm");
  EXPECT_EQ(message.choices(0).option().weight_bits(), 4);
  EXPECT_EQ(message.choices(0).standard_error(), 0.1);
  EXPECT_EQ(message.choices(0).costs(0).amount(), 40);
  EXPECT_EQ(message.choices(0).alternatives(0).option().weight_bits(), 8);
  EXPECT_EQ(message.uniform(0).bits(), 8);
  EXPECT_EQ(message.uniform(0).totals(0).amount(), 80);
  EXPECT_EQ(message.budgets(0).spec(), "size=0.5x");
  EXPECT_EQ(message.budgets(0).multiplier(), 0.125);
  EXPECT_EQ(message.ties(0).layers(1), "b");
  EXPECT_EQ(message.gap(), 0.5);
  EXPECT_EQ(message.provenance().loss(), "cross_entropy");
  EXPECT_EQ(message.provenance().cost_sources().at("size"), "given");
  EXPECT_EQ(message.digest(), "f");
}

TEST(ConvertPlan, WithoutAChoiceTheOptionIsAbsent) {
  Plan plan;
  plan.termination = Termination::kInfeasible;
  plan.layers = {{.layer = {.name = "a"}, .alternatives = {PlanOption{}}}};
  plan.infeasibility =
      PlanInfeasibility{.joint = true,
                        .shortages = {{.resource = Resource::kSize, .least_achievable = 5, .short_by = 2},
                                      {.resource = Resource::kBops}}};
  plan.warnings = {"noisy"};
  const v1::Plan message = FromPlan(plan);
  EXPECT_TRUE(message.infeasibility().joint());
  ASSERT_EQ(message.infeasibility().shortages_size(), 2);
  EXPECT_EQ(message.infeasibility().shortages(0).short_by(), 2);
  EXPECT_FALSE(message.infeasibility().shortages(1).has_least_achievable());
  EXPECT_EQ(message.warnings(0), "noisy");
  EXPECT_FALSE(message.choices(0).has_option());
  EXPECT_EQ(message.choices(0).alternatives_size(), 1);
}

TEST(ConvertSearch, SurvivesDamagedMessages) {
  v1::SearchConfig whole;
  whole.set_profile("generic");
  for (const char* resource : {"size", "bops", "latency"}) {
    auto* budget = whole.add_budgets();
    budget->set_resource(resource);
    budget->mutable_interpolation()->set_fraction(0.5);
  }
  whole.add_ties()->add_layers("a");
  whole.mutable_solver()->mutable_time_limit()->set_seconds(5);
  const std::string bytes_of_whole = whole.SerializeAsString();
  for (uint64_t k = 0; k < 5000; ++k) {
    Rng rng(20261123, k);
    std::string bytes = bytes_of_whole;
    for (int flips = 0; flips < 4; ++flips) bytes[rng.NextBelow(bytes.size())] = static_cast<char>(rng.NextBits());
    v1::SearchConfig message;
    message.ParseFromString(bytes);
    const auto request = ToSearchRequest(message, 10);
    EXPECT_TRUE(request.ok() || !request.status().message().empty()) << "stream " << k;
  }
}

}  // namespace
}  // namespace bitplan::convert
