#include "search/pipeline/run_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "search/base/status.h"
#include "search/hardware/shipped_profiles.h"
#include "search/plan/plan_json.h"
#include "search/plan/verifier.h"

namespace bitplan {
namespace {

using pipeline::FromGiven;
using pipeline::ParseBudget;
using pipeline::Search;
using pipeline::ValidateProfileFor;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

Option Given(int weight_bits, int activation_bits) {
  return {weight_bits, activation_bits, "given", Granularity::kPerTensor};
}

// Three layers of 100, 200 and 300 weights and 10 MACs each, options w4a4 and w8a8, scores at 4 bits 3, 2 and 1, at 8
// bits 0. Sizes in bits: w4 400, 800, 1200 (2400 in all), w8 800, 1600, 2400 (4800).
GivenSensitivities SmallTable() {
  GivenSensitivities given;
  given.sensitivity.method = "given";
  for (int i = 0; i < 3; ++i) {
    given.layers.layers.push_back(
        {.name = std::string(1, static_cast<char>('a' + i)), .num_weights = 100 * (i + 1), .macs = 10});
    given.options.options.push_back({Given(4, 4), Given(8, 8)});
    given.sensitivity.score.push_back({3.0 - i, 0});
    given.sensitivity.standard_error.push_back({0, 0});
  }
  return given;
}

SearchRequest Request(const std::vector<std::string>& budgets, std::string_view profile = "generic") {
  SearchRequest request{.profile = hardware::FindShippedProfile(profile).value()};
  for (const std::string& budget : budgets) request.budgets.push_back(ParseBudget(budget).value());
  return request;
}

std::vector<int> Bits(const Plan& plan) {
  std::vector<int> bits;
  for (const PlanLayer& layer : plan.layers) bits.push_back(layer.chosen ? layer.chosen->option.weight_bits : 0);
  return bits;
}

Plan Solve(const GivenSensitivities& given, const SearchRequest& request) {
  const absl::StatusOr<Plan> plan = Search(FromGiven(given).value(), request, {});
  EXPECT_TRUE(plan.ok()) << plan.status();
  return plan.ok() ? *plan : Plan{};
}

std::string SearchError(const GivenSensitivities& given, const SearchRequest& request) {
  return MessageOf(Search(FromGiven(given).value(), request, {}).status());
}

// Budget 3600: a and b may have 8 bits (800 + 1600 + 1200), which leaves only c's loss of 1.
TEST(Search, FindsTheBestPlanWithinTheBudget) {
  const Plan plan = Solve(SmallTable(), Request({"size=3600bit"}));
  EXPECT_EQ(plan.termination, Termination::kOptimal);
  EXPECT_THAT(Bits(plan), ElementsAre(8, 8, 4));
  EXPECT_EQ(plan.objective, 1);
  EXPECT_EQ(plan.budgets[0].limit, 3600);
  EXPECT_EQ(plan.budgets[0].used, 3600);
  EXPECT_EQ(plan.budgets[0].least_achievable, 2400);
  EXPECT_EQ(plan.totals.at(Resource::kBops), 10 * (64 + 64 + 16));
  EXPECT_EQ(plan.uniform.at(8).at(Resource::kSize), 4800);
  EXPECT_EQ(plan.uniform.at(4).at(Resource::kBops), 480);
  EXPECT_EQ(plan.diagnosis, "");
  EXPECT_TRUE(plan::Verify(plan).ok());
}

TEST(Search, RepeatsNotesOfTheSensitivitiesAsWarnings) {
  GivenSensitivities given = SmallTable();
  given.sensitivity.notes = {"the network ends in Softmax"};
  EXPECT_THAT(Solve(given, Request({"size=3600bit"})).warnings, ElementsAre("the network ends in Softmax"));
}

TEST(Search, TakesSeveralBudgets) {
  const Plan plan = Solve(SmallTable(), Request({"size=0.75x", "bops=0.5x"}));  // bops: one layer may have 8 bits
  EXPECT_EQ(plan.termination, Termination::kOptimal);
  EXPECT_THAT(Bits(plan), ElementsAre(8, 4, 4));
  ASSERT_EQ(plan.budgets.size(), 2);
  EXPECT_EQ(plan.budgets[0].spec, "size=0.75x");
  EXPECT_EQ(plan.budgets[1].spec, "bops=0.5x");
}

// 4000 bits: a and c with 8 bits take all of it (800 + 2400, b 800). A tie of a and b as well leaves only all or none.
TEST(Search, ObeysTiesOfRequestAndMeasurement) {
  SearchRequest request = Request({"size=4000bit"});
  EXPECT_THAT(Bits(Solve(SmallTable(), request)), ElementsAre(8, 8, 4));
  request.ties = {{"c", "a"}};
  EXPECT_THAT(Bits(Solve(SmallTable(), request)), ElementsAre(8, 4, 8));
  GivenSensitivities given = SmallTable();
  given.ties = {{"b", "a"}};
  const Plan plan = Solve(given, request);
  EXPECT_THAT(Bits(plan), ElementsAre(4, 4, 4));
  EXPECT_EQ(plan.ties.size(), 2);
}

// 3600 bits: a and b have 8 bits without rules. Pinned c takes 2400, which leaves 1200 for a and b: 4 bits each.
TEST(Search, ObeysPinsAndForbiddenWidths) {
  SearchRequest request = Request({"size=3600bit"});
  request.rules = {{.kind = WidthRuleKind::kPin, .layer = "c", .weight_bits = 8, .reason = "last layer"}};
  const Plan pinned = Solve(SmallTable(), request);
  EXPECT_THAT(Bits(pinned), ElementsAre(4, 4, 8));
  EXPECT_EQ(pinned.rules, request.rules);
  EXPECT_EQ(pinned.budgets[0].least_achievable, 400 + 800 + 2400);
  request.rules = {{.kind = WidthRuleKind::kForbid, .layer = "a", .activation_bits = 8}};
  EXPECT_THAT(Bits(Solve(SmallTable(), request)), ElementsAre(4, 8, 4));
}

TEST(Search, RulesThatLeaveNothingSayWhatTheLayerHas) {
  SearchRequest request = Request({"size=1x"});
  request.rules = {{.kind = WidthRuleKind::kPin, .layer = "c", .weight_bits = 3}};
  EXPECT_EQ(SearchError(SmallTable(), request), "rules: pin c=w3 leaves no option to layer 'c', which has w4a4, w8a8");
  request.rules = {{.kind = WidthRuleKind::kForbid, .layer = "a", .weight_bits = 4},
                   {.kind = WidthRuleKind::kForbid, .layer = "b", .weight_bits = 8}};
  request.ties = {{"a", "b"}};
  EXPECT_EQ(SearchError(SmallTable(), request),
            "rules: forbid a=w4, forbid b=w8 leave no option to the tied layers 'a', 'b', which have w4a4, w8a8");
  request.rules[0].layer = "d";
  EXPECT_EQ(SearchError(SmallTable(), request), "forbid 'd=w4': there is no layer 'd', only a, b, c");
}

// 4000 to 4500 bits: a and c with 8 bits (4000, loss 2 of b) or b and c (4400, loss 3 of a).
TEST(Search, TakesLowerBudgets) {
  const Plan plan = Solve(SmallTable(), Request({"size>=4000bit", "size<=4500bit"}));
  EXPECT_EQ(plan.termination, Termination::kOptimal);
  EXPECT_THAT(Bits(plan), ElementsAre(8, 4, 8));
  EXPECT_EQ(plan.budgets[0].spec, "size>=4000bit");
  EXPECT_EQ(plan.budgets[0].used, 4000);
  EXPECT_EQ(plan.budgets[0].slack, 0);
  EXPECT_EQ(plan.budgets[0].most_achievable, 4800);
  EXPECT_EQ(plan.budgets[1].slack, 500);
  const Plan none = Solve(SmallTable(), Request({"size>=5000bit"}));
  EXPECT_EQ(none.termination, Termination::kInfeasible);
  EXPECT_EQ(none.diagnosis, "size_bits: lower limit 5000 is too high by 200; the most achievable is 4800");
}

// Options w4a4, w8a4, w4a8, w8a8: with a free choice a takes 8 bit activations and c 4; joined they agree.
TEST(Search, LayersThatMeetInAnAdditionShareTheirActivationWidth) {
  GivenSensitivities given = SmallTable();
  for (int i = 0; i < 3; ++i) {
    given.options.options[i] = {Given(4, 4), Given(8, 4), Given(4, 8), Given(8, 8)};
    given.sensitivity.score[i] = {3.0 - i, 1.0, 2.0 - i, 0.0};
    given.sensitivity.standard_error[i] = {0, 0, 0, 0};
  }
  Measurement measured = FromGiven(given).value();
  measured.activation_ties = {{"a", "c"}};
  SearchRequest request = Request({"bops=1600"});
  const auto activations = [](const Plan& plan) {
    std::vector<int> bits;
    for (const PlanLayer& layer : plan.layers) bits.push_back(layer.chosen->option.activation_bits);
    return bits;
  };
  const absl::StatusOr<Plan> tied = Search(measured, request, {});
  ASSERT_TRUE(tied.ok()) << tied.status();
  EXPECT_EQ(tied->termination, Termination::kOptimal);
  EXPECT_EQ(activations(*tied)[0], activations(*tied)[2]);
  EXPECT_EQ(tied->activation_ties, measured.activation_ties);
  request.untie_activations = true;
  const absl::StatusOr<Plan> free = Search(measured, request, {});
  ASSERT_TRUE(free.ok()) << free.status();
  EXPECT_LE(free->objective, tied->objective);
  EXPECT_THAT(free->activation_ties, IsEmpty());
  // One width for all: nothing to tie.
  request.untie_activations = false;
  request.rules.clear();
  Measurement one_width = FromGiven(SmallTable()).value();
  one_width.options.options = {{Given(4, 8), Given(8, 8)}, {Given(4, 8), Given(8, 8)}, {Given(4, 8), Given(8, 8)}};
  one_width.activation_ties = {{"a", "c"}};
  EXPECT_THAT(pipeline::ActivationTiesOf(one_width, request), IsEmpty());
}

// Layer b claims that 8 bits are worse than 4 by 2: repaired, both cost 1 (and the cheaper one is as good).
TEST(Search, RepairsMonotonicityIfAskedToAndSaysSo) {
  GivenSensitivities given = SmallTable();
  for (auto& options : given.options.options) options[0].activation_bits = 8;
  given.sensitivity.score[1] = {0, 2};
  SearchRequest request = Request({"size=1x"});
  const Plan as_given = Solve(given, request);
  EXPECT_THAT(Bits(as_given), ElementsAre(8, 4, 8));
  EXPECT_TRUE(as_given.warnings.empty());
  request.repair_monotonicity = true;
  const Plan plan = Solve(given, request);
  EXPECT_EQ(plan.objective, 1);
  EXPECT_EQ(plan.layers[1].chosen->sensitivity, 1);
  EXPECT_THAT(plan.warnings, ElementsAre(HasSubstr("2 scores in 1 layer changed, by at most 1")));
  EXPECT_EQ(plan::Verify(plan), absl::OkStatus());
  given.sensitivity.score[1] = {2, 0};
  const Plan in_order = Solve(given, request);
  EXPECT_TRUE(in_order.warnings.empty());
  request.repair_monotonicity = false;
  EXPECT_EQ(in_order, Solve(given, request));
}

// Layer a's gain of its 8 bits is known to 1e-9 of itself; the others have no errors.
TEST(Search, SaysHowSureEachLayersOptionIsIfAskedTo) {
  GivenSensitivities given = SmallTable();
  SearchRequest request = Request({"size=1x"});
  request.robustness_resamples = 20;
  EXPECT_EQ(Solve(given, request).mean_regret, std::nullopt);  // no errors known
  given.sensitivity.standard_error.assign(given.sensitivity.score.size(), {});
  for (size_t l = 0; l < given.sensitivity.score.size(); ++l) {
    given.sensitivity.standard_error[l].assign(given.sensitivity.score[l].size(), 1e-9);
  }
  const Plan sure = Solve(given, request);
  EXPECT_EQ(sure.mean_regret, 0);
  for (const PlanLayer& layer : sure.layers) EXPECT_EQ(layer.keep_probability, 1);
  for (auto& row : given.sensitivity.standard_error) row.assign(row.size(), 100);
  const Plan unsure = Solve(given, request);
  EXPECT_GT(unsure.mean_regret, 1);
  EXPECT_EQ(plan::Verify(unsure), absl::OkStatus());
  const auto read = plan::ParsePlan(plan::ToJson(unsure));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, unsure);
  request.robustness_resamples = 0;
  EXPECT_EQ(Solve(given, request).mean_regret, std::nullopt);
  request.robustness_resamples = 1;
  EXPECT_THAT(MessageOf(pipeline::ValidateSearchRequest(request)), HasSubstr("robustness_resamples: got 1"));
}

TEST(ValidateMethodFor, RefusesRepairsOfWholePlans) {
  SearchRequest request = Request({"size=1x"});
  EXPECT_EQ(pipeline::ValidateMethodFor({.method = "quadratic"}, request), absl::OkStatus());
  request.repair_monotonicity = true;
  EXPECT_EQ(pipeline::ValidateMethodFor({.method = "hawq_v2"}, request), absl::OkStatus());
  EXPECT_THAT(MessageOf(pipeline::ValidateMethodFor({.method = "quadratic"}, request)),
              HasSubstr("method 'quadratic' predicts whole plans"));
}

TEST(Search, TiedLayersMayListTheirOptionsInAnyOrder) {
  GivenSensitivities given = SmallTable();
  std::swap(given.options.options[0][0], given.options.options[0][1]);
  std::swap(given.sensitivity.score[0][0], given.sensitivity.score[0][1]);
  SearchRequest request = Request({"size=2400bit"});
  request.ties = {{"a", "b", "c"}};
  EXPECT_THAT(Bits(Solve(given, request)), ElementsAre(4, 4, 4));
  request.budgets = {ParseBudget("size=1x").value()};
  EXPECT_THAT(Bits(Solve(given, request)), ElementsAre(8, 8, 8));
}

TEST(Search, TiesOfDifferentOptionsNameBothLayers) {
  GivenSensitivities given = SmallTable();
  given.options.options[2][0].weight_bits = 3;
  SearchRequest request = Request({"size=1x"});
  request.ties = {{"a", "c"}};
  EXPECT_EQ(SearchError(given, request),
            "ties: layers 'a' and 'c' have different options, only one of them has w3a4/given/per_tensor, "
            "w4a4/given/per_tensor");
}

TEST(Search, UnknownTieIsNotFound) {
  SearchRequest request = Request({"size=1x"});
  request.ties = {{"a", "z"}};
  const absl::Status status = Search(FromGiven(SmallTable()).value(), request, {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(MessageOf(status), "ties[0]: there is no layer 'z', only a, b, c");
}

TEST(Search, InfeasibleIsAnAnswer) {
  const Plan plan = Solve(SmallTable(), Request({"size=2000bit", "bops=1G"}));
  EXPECT_EQ(plan.termination, Termination::kInfeasible);
  EXPECT_THAT(Bits(plan), ElementsAre(0, 0, 0));
  EXPECT_THAT(plan.totals, IsEmpty());
  ASSERT_TRUE(plan.infeasibility);
  EXPECT_EQ(plan.infeasibility->shortages,
            (std::vector<PlanShortage>{{.resource = Resource::kSize, .least_achievable = 2400, .short_by = 400}}));
  EXPECT_EQ(plan.budgets[0].least_achievable, 2400);
  EXPECT_THAT(plan.diagnosis, HasSubstr("2400"));
  EXPECT_EQ(plan.layers[0].alternatives.size(), 2);
  EXPECT_TRUE(plan::Verify(plan).ok());
}

// Two layers where the small option is the slow one: each budget can be kept alone, both together cannot.
TEST(Search, BudgetsThatConflictAreExplained) {
  GivenSensitivities given = SmallTable();
  given.costs.assign(
      3, {{{Resource::kSize, 1}, {Resource::kLatency, 10}}, {{Resource::kSize, 10}, {Resource::kLatency, 1}}});
  const Plan plan = Solve(given, Request({"size=5bit", "latency=5ns"}));
  EXPECT_EQ(plan.termination, Termination::kInfeasible);
  ASSERT_TRUE(plan.infeasibility);
  EXPECT_TRUE(plan.infeasibility->joint);
  EXPECT_EQ(plan.infeasibility->shortages.size(), 2);
}

TEST(Search, GivenCostsTakeThePlaceOfTheProfile) {
  GivenSensitivities given = SmallTable();
  given.costs.assign(3, {{{Resource::kLatency, 1}}, {{Resource::kLatency, 5}}});
  const Plan plan = Solve(given, Request({"latency=7ns"}));
  EXPECT_THAT(Bits(plan), ElementsAre(8, 4, 4));
  EXPECT_EQ(plan.totals.at(Resource::kLatency), 7);
  EXPECT_EQ(plan.provenance.cost_sources.at(Resource::kLatency), "given");
  EXPECT_EQ(plan.provenance.cost_sources.at(Resource::kSize), "profile 'generic'");
}

TEST(Search, NoLatencyAtAllSaysWhatTheProfileHas) {
  EXPECT_EQ(
      SearchError(SmallTable(), Request({"latency=1ms"})),
      "budget 'latency=1000000ns': profile 'generic' has no latency for these layers, only size, bops. It knows any "
      "width; size; bops");
}

// nvidia-t4 computes with w4a4 and w8a8 only and has a latency for layer a alone.
GivenSensitivities PartlyMeasured() {
  GivenSensitivities given = SmallTable();
  given.layers.layers[0] = {.name = "stage1.unit1.conv1", .num_weights = 36864, .macs = 115605504};
  given.options.options[0].push_back(Given(6, 8));
  given.sensitivity.score[0].push_back(0.5);
  given.sensitivity.standard_error[0].push_back(0);
  return given;
}

// A request to nvidia-t4 that knows its measured layers only.
SearchRequest MeasuredT4(const std::vector<std::string>& budgets) {
  SearchRequest request = Request(budgets, "nvidia-t4");
  request.profile.roofline.reset();
  return request;
}

TEST(ValidateProfileFor, KnowsBeforeMeasuringWhatTheProfileLacks) {
  EXPECT_EQ(ValidateProfileFor({}, Request({"size=1x", "bops=1x"}, "generic")), absl::OkStatus());
  EXPECT_EQ(MessageOf(ValidateProfileFor({}, Request({"size=1x", "latency=1ms"}, "generic"))),
            "budget 'latency=1000000ns': profile 'generic' does not price latency, only size, bops");
  SearchRequest request = Request({"latency=1ms"}, "nvidia-t4");
  EXPECT_THAT(MessageOf(ValidateProfileFor({.weight_bits = {2, 8}, .activation_bits = {4}}, request)),
              HasSubstr("profile 'nvidia-t4' supports none of the widths w2a4, w8a4, only w4a4, w8a8. List other"));
  EXPECT_EQ(ValidateProfileFor({.weight_bits = {2, 4, 8}}, request), absl::OkStatus());
}

TEST(DefaultWidthsFor, AreThoseOfTheDevice) {
  const auto widths = [](std::string_view profile) {
    const QuantizationOptions options =
        pipeline::DefaultWidthsFor(hardware::FindShippedProfile(profile).value(), QuantizationOptions());
    return std::pair(options.weight_bits, options.activation_bits);
  };
  using List = std::vector<int>;
  EXPECT_EQ(widths("generic"), std::pair(List({2, 3, 4, 5, 6, 8}), List({8})));
  EXPECT_EQ(widths("nvidia-t4"), std::pair(List({4, 8}), List({kSameAsWeights})));
  EXPECT_EQ(widths("nvidia-h100"), std::pair(List({4, 8}), List({8})));
  EXPECT_EQ(widths("edge-tpu"), std::pair(List({8}), List({8})));
  EXPECT_EQ(widths("apple-ane-like"), std::pair(List({2, 3, 4, 6, 8}), List({16})));
}

// w4a8 is no width of the device: it takes no part, and the plan says so.
TEST(Search, LeavesOutWhatTheDeviceDoesNotRun) {
  GivenSensitivities given = SmallTable();
  for (int i = 0; i < 3; ++i) {
    given.options.options[i].push_back(Given(4, 8));
    given.sensitivity.score[i].push_back(-100);
    given.sensitivity.standard_error[i].push_back(0);
  }
  const Plan plan = Solve(given, Request({"size=3600bit"}, "nvidia-t4"));
  EXPECT_THAT(Bits(plan), ElementsAre(8, 8, 4));
  EXPECT_EQ(plan.objective, 1);
  EXPECT_THAT(plan.warnings, ElementsAre(HasSubstr("3 options left out, as nvidia-t4 does not run them: w4a8 (want")));
  EXPECT_TRUE(plan::Verify(plan).ok());
}

TEST(Search, UnpricedOptionsAreAllNamed) {
  const std::string message = SearchError(PartlyMeasured(), MeasuredT4({"latency=1ms"}));
  // The list comes last: it may be long, and the rest must survive a cut.
  EXPECT_THAT(message, EndsWith("Unpriced: 'b': all 2 options; 'c': all 2 options"));
  EXPECT_THAT(message, HasSubstr("profile 'nvidia-t4' does not price all options (latency). "));
  EXPECT_THAT(message, HasSubstr("It knows widths w4a4, w8a8; size; bops; traffic; latency of 96 layers of ResNet18"));
  EXPECT_THAT(message, HasSubstr("Leave unpriced options out (leave_out_unpriced), measure fewer widths, use another "
                                 "profile, or give costs with the sensitivities."));
}

TEST(Search, UnsupportedOptionsAreListedWithoutAPrice) {
  GivenSensitivities given = PartlyMeasured();
  const Plan plan = Solve(given, Request({"size=0.9x"}, "nvidia-t4"));
  EXPECT_EQ(plan.termination, Termination::kOptimal);
  ASSERT_EQ(plan.layers[0].alternatives.size(), 2);  // w6a8 is still listed, without a price
  EXPECT_THAT(plan.layers[0].alternatives[1].costs, IsEmpty());
}

TEST(Search, ALayerWithoutAnyPricedOptionIsAnError) {
  SearchRequest request = MeasuredT4({"latency=1ms"});
  request.leave_out_unpriced = true;
  EXPECT_THAT(SearchError(PartlyMeasured(), request),
              HasSubstr("profile 'nvidia-t4' leaves no option with a known cost (latency) in layers 'b', 'c'"));
}

TEST(Search, ThePlanSaysWhereItsCostsComeFrom) {
  SearchRequest request = Request({"latency=1ms"}, "nvidia-t4");
  request.leave_out_unpriced = true;
  const Plan plan = Solve(PartlyMeasured(), request);
  ASSERT_TRUE(plan.has_choice());
  EXPECT_THAT(plan.layers[0].chosen->cost_sources, ElementsAre(Pair(Resource::kLatency, CostSource::kMeasured)));
  EXPECT_THAT(plan.layers[1].chosen->cost_sources, ElementsAre(Pair(Resource::kLatency, CostSource::kRoofline)));
  EXPECT_THAT(plan.layers[0].alternatives[0].cost_sources, IsEmpty());
}

TEST(Search, ALayerThatTheDeviceDoesNotRunIsAnError) {
  SearchRequest request = Request({"size=1x"}, "edge-tpu");
  request.leave_out_unpriced = true;
  GivenSensitivities given = SmallTable();
  given.options.options[1] = {Given(4, 4), Given(6, 6)};
  EXPECT_THAT(SearchError(given, request),
              HasSubstr("profile 'edge-tpu' supports no option of 1 of 3 layers: 'b': w4a4 (want w8a8): the device has "
                        "no such widths"));
}

TEST(Search, LeavesOutOptionsThatATiedLayerCannotHave) {
  const Measurement measured = FromGiven(SmallTable()).value();
  CostTable costs = pipeline::PriceMeasurement(measured, Request({})).value();
  costs.costs[1][1].clear();  // b cannot have 8 bits
  SearchRequest request = Request({"size=10bit"});
  request.ties = {{"a", "b"}};
  request.leave_out_unpriced = true;
  const absl::StatusOr<BuiltProblem> built = pipeline::BuildProblem(measured, costs, request);
  ASSERT_TRUE(built.ok()) << built.status();
  EXPECT_THAT(built->kept, ElementsAre(ElementsAre(0), ElementsAre(0), ElementsAre(0, 1)));
}

TEST(Search, ReferencesThatDoNotExistAreNamed) {
  GivenSensitivities given = SmallTable();
  given.options.options[1][1].weight_bits = 6;
  EXPECT_EQ(SearchError(given, Request({"size=0.5x"})),
            "budget 'size=0.5x': no size of uniform 8 bit: no option of that width with a known cost in layers 'b'");
}

TEST(Search, RefusesUnsoundRequests) {
  const auto error = [](const SearchRequest& request) { return SearchError(SmallTable(), request); };
  EXPECT_EQ(error(Request({})), "budgets: got none, want at least one such as size=0.5x");
  EXPECT_EQ(error(Request({"size=1x", "size=2MB"})), "budgets: two for size, want at most one a resource");
  SearchRequest request = Request({"size=1x"});
  request.solver.solver = "magic";
  EXPECT_EQ(Search(FromGiven(SmallTable()).value(), request, {}).status().code(), absl::StatusCode::kNotFound);
  request = Request({"size=1x"});
  request.solver.relative_gap = 2;
  EXPECT_EQ(Search(FromGiven(SmallTable()).value(), request, {}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Search, StoppedIsAnAnswerWithoutAClaim) {
  std::stop_source stop;
  stop.request_stop();
  const absl::StatusOr<Plan> plan =
      Search(FromGiven(SmallTable()).value(), Request({"size=3600bit"}), {.stop = stop.get_token()});
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->termination, Termination::kCancelled);
  EXPECT_THAT(plan->diagnosis, HasSubstr("Stopped (cancelled)"));
  EXPECT_TRUE(plan::Verify(*plan).ok());
}

TEST(Search, ReportsItsStages) {
  std::vector<std::string> stages;
  const RunContext context{.progress = [&](const Progress& progress) { stages.push_back(progress.stage); }};
  ASSERT_TRUE(Search(FromGiven(SmallTable()).value(), Request({"size=3600bit"}), context).ok());
  ASSERT_GE(stages.size(), 2);
  EXPECT_EQ(stages[0], "price");
  EXPECT_EQ(stages[1], "solve");
}

TEST(Search, SameSearchSameFingerprint) {
  SearchRequest request = Request({"size=3600bit"});
  const Plan one = Solve(SmallTable(), request);
  request.created = "2024-05-06T07:08:09Z";
  const Plan two = Solve(SmallTable(), request);
  EXPECT_EQ(one.fingerprint, two.fingerprint);
  EXPECT_EQ(two.created, request.created);
  EXPECT_EQ(one.provenance.profile_digest, request.profile.digest);
  EXPECT_EQ(one.provenance.measurement_digest, FromGiven(SmallTable())->digest);
}

// The small table with outputs: one sample, one output z = 0, squared error against 0. Quantized to 4 bits, layers a
// and b change it by 2 and -2, c by 3; to 8 bits by nothing.
GivenSensitivities TableWithResponses() {
  GivenSensitivities given = SmallTable();
  PlanResponses plan{.loss = "mean_squared_error", .output_shape = {1, 1}, .outputs = {0}};
  plan.targets = Tensor{.shape = {1, 1}, .data = {0}};
  plan.responses = {.num_samples = 1, .num_outputs = 1, .num_perturbations = 6, .first = {0, 2, 4}};
  plan.responses.values = {2, 0, -2, 0, 3, 0};
  given.sensitivity.responses = plan;
  given.sensitivity.method = "logit_superposition";
  given.sensitivity.score = {{4, 0}, {4, 0}, {9, 0}};
  return given;
}

// Budget 3600: alone a and b cost 4 each at 4 bits and c 9; together a and b cancel.
TEST(Search, KnowsWhatLayersDoTogether) {
  const Plan plan = Solve(TableWithResponses(), Request({"size=3600bit"}));
  EXPECT_THAT(Bits(plan), ElementsAre(4, 4, 8));
  EXPECT_NEAR(plan.objective, 0, 1e-6);
  EXPECT_EQ(plan.termination, Termination::kOptimal);
  EXPECT_EQ(plan.predictor, "logit_superposition");
  EXPECT_TRUE(plan::Verify(plan).ok());
  GivenSensitivities alone = TableWithResponses();
  alone.sensitivity.responses.reset();
  const Plan of_sum = Solve(alone, Request({"size=3600bit"}));
  EXPECT_EQ(of_sum.predictor, "");
  EXPECT_EQ(of_sum.objective, 8);
}

TEST(Search, MapsOptionsThatWereLeftOut) {
  GivenSensitivities given = TableWithResponses();
  given.costs.assign(3, {Costs{{Resource::kLatency, 1}}, Costs{{Resource::kLatency, 2}}});
  const Plan whole = Solve(given, Request({"latency=4ns"}));
  EXPECT_THAT(Bits(whole), ElementsAre(4, 4, 8));
}

// Branch and bound closes the gap that mixtures leave, unless it is stopped.
TEST(Search, SaysThatAGapIsOfMixtures) {
  GivenSensitivities given = TableWithResponses();
  given.sensitivity.responses->responses.values = {2, 0, 2, 0, -3, 0};  // -1 or 1 in a plan, 0 between
  SearchRequest request = Request({"size=3600bit"});
  EXPECT_EQ(Solve(given, request).termination, Termination::kOptimal);
  request.solver.node_limit = 1;
  const Plan plan = Solve(given, request);
  EXPECT_EQ(plan.termination, Termination::kFeasible);
  EXPECT_LE(plan.bound, plan.objective);
  EXPECT_GT(plan.gap, 0);
  EXPECT_THAT(plan.diagnosis, HasSubstr("the bound is of mixtures of plans"));
  EXPECT_TRUE(plan::Verify(plan).ok());
}

}  // namespace
}  // namespace bitplan
