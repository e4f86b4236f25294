#include "search/sensitivity/given.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <string>

#include "search/base/status.h"

namespace bitplan::sensitivity {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Every field in use.
GivenSensitivities Full() {
  GivenSensitivities given;
  given.layers.layers = {{.name = "conv \"1\"",
                          .kind = LayerKind::kConv,
                          .weight_shape = {2, 3, 1, 1},
                          .num_weights = 6,
                          .macs = 600,
                          .input_elements = 30,
                          .output_elements = 20},
                         {.name = "fc",
                          .kind = LayerKind::kMatMul,
                          .weight_shape = {3, 5},
                          .output_channel_axis = 1,
                          .num_weights = 15,
                          .macs = 15}};
  given.options.options = {{{.weight_bits = 4, .activation_bits = 4}, {.weight_bits = 8, .scheme = "affine"}},
                           {{.weight_bits = 8, .scheme = "given", .granularity = Granularity::kPerTensor}}};
  SensitivityTable& table = given.sensitivity;
  table = {.method = "hawq_v2", .loss = "cross_entropy"};
  table.score = {{0.1, -1.0 / 3}, {5e-324}};
  table.standard_error = {{0.01, 0}, {1e300}};
  table.perturbation_sq = {{2.0 / 7, 0}, {1}};
  table.curvature = {
      {.trace = TraceEstimate{.trace = -0.7, .standard_error = 0.1, .num_probes = 17, .converged = true}},
      {.top_eigenvalue = EigenvalueEstimate{.value = 3.3, .residual = 0.2, .iterations = 9}}};
  table.network_top_eigenvalue =
      EigenvalueEstimate{.value = 60.65, .residual = 1e-4, .iterations = 80, .converged = true};
  table.base_loss = 0.2431198520744815;
  table.num_samples = 128;
  table.seed = std::numeric_limits<uint64_t>::max();
  table.notes = {"the network ends in Softmax", ""};
  given.costs = {{{{Resource::kSize, 24}, {Resource::kLatency, std::numeric_limits<int64_t>::max()}},
                  {{Resource::kSize, 48}, {Resource::kLatency, 0}}},
                 {{{Resource::kSize, 120}, {Resource::kLatency, 7}}}};
  given.ties = {{"conv \"1\"", "fc"}};
  given.provenance = {{"source", "a test, \u00fcber"}};
  return given;
}

constexpr std::string_view kSmallest = R"({
  "format": "bitplan.sensitivities/1", "method": "given",
  "layers": [{"name": "a", "kind": "other", "num_weights": 3, "macs": 0,
              "options": [{"weight_bits": 4, "activation_bits": 8, "scheme": "given", "granularity": "per_tensor",
                           "score": 1}]}]})";

std::string Replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string result(text);
  const size_t at = result.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return result.replace(at, from.size(), to);
}

std::string ParseError(std::string_view json) {
  const auto given = ParseGiven(json);
  EXPECT_EQ(given.status().code(), absl::StatusCode::kInvalidArgument) << json;
  return MessageOf(given.status());
}

// Two samples of two outputs, three options in all.
PlanResponses SomeResponses() {
  PlanResponses plan{.form = PlanForm::kQuadratic, .loss = "cross_entropy", .label_smoothing = 0.1};
  plan.output_shape = {2, 2};
  plan.outputs = {1.5F, -2.25F, 1e-30F, 3.3F};
  plan.targets = ClassLabels{1, 0};
  plan.responses = {.num_samples = 2, .num_outputs = 2, .num_perturbations = 3, .first = {0, 2}};
  for (int i = 0; i < 12; ++i) plan.responses.values.push_back(0.1F * static_cast<float>(i) - 0.5F);
  return plan;
}

TEST(ParseGiven, ReadsBackResponses) {
  GivenSensitivities given = Full();
  given.sensitivity.responses = SomeResponses();
  auto back = ParseGiven(ToJson(given));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->sensitivity, given.sensitivity);
  given.sensitivity.responses->loss = "mean_squared_error";
  given.sensitivity.responses->label_smoothing = 0;
  given.sensitivity.responses->targets = Tensor{.shape = {2, 2}, .data = {1, 2, 3, 4}};
  back = ParseGiven(ToJson(given));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->sensitivity, given.sensitivity);
}

TEST(ParseGiven, RefusesResponsesThatDoNotFit) {
  const auto error = [](auto change) {
    GivenSensitivities given = Full();
    given.sensitivity.responses = SomeResponses();
    change(*given.sensitivity.responses);
    return ParseError(ToJson(given));
  };
  EXPECT_THAT(error([](PlanResponses& plan) { plan.responses.first = {0, 1}; }), HasSubstr("the options are 3 in 2"));
  EXPECT_THAT(error([](PlanResponses& plan) { plan.responses.values.pop_back(); }), HasSubstr("responses.changes"));
  EXPECT_THAT(error([](PlanResponses& plan) { plan.outputs.pop_back(); }), HasSubstr("responses.outputs"));
  EXPECT_THAT(error([](PlanResponses& plan) { plan.targets = ClassLabels{2, 0}; }), HasSubstr("labels[0]: got 2"));
  EXPECT_THAT(error([](PlanResponses& plan) { plan.loss = "nll"; }), HasSubstr("nll"));
  GivenSensitivities given = Full();
  given.sensitivity.responses = SomeResponses();
  const std::string json = ToJson(given);
  EXPECT_THAT(ParseError(Replaced(json, "\"predictor\": \"quadratic\"", "\"predictor\": \"cubic\"")),
              HasSubstr("want quadratic or logit_superposition"));
  EXPECT_THAT(ParseError(Replaced(json, "\"outputs\": \"", "\"outputs\": \"!")), HasSubstr("is not base64"));
}

TEST(ParseGiven, ReadsBackGroupsRangesAndRoundings) {
  GivenSensitivities given = *ParseGiven(kSmallest);
  EXPECT_EQ(ToJson(given).find("group_size"), std::string::npos);
  EXPECT_EQ(ToJson(given).find("range"), std::string::npos);
  given.options.options[0][0] = {.weight_bits = 4,
                                 .scheme = "symmetric",
                                 .granularity = Granularity::kPerGroup,
                                 .group_size = 64,
                                 .range = "mse",
                                 .rounding = Rounding::kStochastic};
  const auto read = ParseGiven(ToJson(given));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->options.options, given.options.options);
}

TEST(ParseGiven, ReadsBackWhatToJsonWrites) {
  const GivenSensitivities given = Full();
  ASSERT_TRUE(Validate(given).ok()) << Validate(given);
  const std::string json = ToJson(given);
  const auto read = ParseGiven(json);
  ASSERT_TRUE(read.ok()) << read.status() << json;
  EXPECT_EQ(read->sensitivity, given.sensitivity);
  EXPECT_EQ(read->options.options, given.options.options);
  EXPECT_EQ(read->costs, given.costs);
  EXPECT_EQ(read->ties, given.ties);
  EXPECT_EQ(read->provenance, given.provenance);
  EXPECT_EQ(read->layers.layers[0].name, "conv \"1\"");
  EXPECT_EQ(read->layers.layers[1].output_channel_axis, 1);
  EXPECT_EQ(ToJson(*read), json);
}

TEST(ParseGiven, TheSmallestDocumentLeavesTheRestUnknown) {
  const auto given = ParseGiven(kSmallest);
  ASSERT_TRUE(given.ok()) << given.status();
  EXPECT_THAT(given->sensitivity.score, ElementsAre(ElementsAre(1.0)));
  EXPECT_THAT(given->sensitivity.standard_error, ElementsAre(ElementsAre(0.0)));
  EXPECT_TRUE(given->sensitivity.perturbation_sq.empty());
  EXPECT_TRUE(given->sensitivity.curvature.empty());
  EXPECT_TRUE(given->costs.empty());
  EXPECT_TRUE(given->ties.empty());
  EXPECT_FALSE(given->sensitivity.base_loss);
}

TEST(ParseGiven, ReadsThePublishedFiguresOfResNet18) {
  std::ifstream file(BITPLAN_TEST_DATA_DIR "/hawq/resnet18_t4.sensitivities.json");
  const std::string json{std::istreambuf_iterator<char>(file), {}};
  const auto given = ParseGiven(json);
  ASSERT_TRUE(given.ok()) << given.status();
  ASSERT_EQ(given->layers.layers.size(), 19U);
  EXPECT_EQ(given->ties.size(), 3U);
  EXPECT_THAT(given->ties[0], ElementsAre("stage2.unit1.conv1", "stage2.unit1.identity"));
  EXPECT_DOUBLE_EQ(given->sensitivity.score[0][0], 0.06857826 * 6.743);
  EXPECT_EQ(Label(given->options.options[18][1]), "w8a8/given/per_channel");
  EXPECT_EQ(given->costs[0][0],
            (Costs{{Resource::kSize, 36864 * 4}, {Resource::kBops, 115605504LL * 16}, {Resource::kLatency, 210944}}));
  int64_t bits = 0;
  for (const auto& row : given->costs) bits += row[1].at(Resource::kSize);
  EXPECT_EQ(bits, int64_t{8} * 11157504);  // all-8 total: 10.640625 MiB
}

TEST(ParseGiven, NamesTheFieldThatIsWrong) {
  const auto error = [](std::string_view from, std::string_view to) {
    return ParseError(Replaced(kSmallest, from, to));
  };
  EXPECT_THAT(error("sensitivities/1", "sensitivities/2"),
              HasSubstr("sensitivities.format: got 'bitplan.sensitivities/2', want 'bitplan.sensitivities/1'"));
  EXPECT_THAT(error("\"method\": \"given\"", "\"method\": \"magic\""),
              HasSubstr("got 'magic', want one of hawq_v1, hawq_v2, "
                        "fisher_diagonal, gauss_newton_direct, measured_loss, quadratic, logit_superposition, given"));
  EXPECT_THAT(error("\"method\"", "\"methods\""), HasSubstr("method"));
  EXPECT_THAT(error("\"weight_bits\": 4", "\"weight_bits\": 33"), HasSubstr("layers[0].options[0].weight_bits"));
  EXPECT_THAT(error("\"weight_bits\": 4", "\"weight_bits\": 4.5"), HasSubstr("weight_bits"));
  EXPECT_THAT(error("\"weight_bits\": 4", "\"weight_bits\": \"4\""), HasSubstr("weight_bits"));
  EXPECT_THAT(error("\"activation_bits\": 8, ", ""), HasSubstr("activation_bits"));
  EXPECT_THAT(error("\"score\": 1", "\"score\": 1, \"scores\": 2"), HasSubstr("scores"));
  EXPECT_THAT(error("\"score\": 1", "\"score\": 1, \"score\": 2"), HasSubstr("score"));
  EXPECT_THAT(error("\"score\": 1", "\"score\": NaN"), HasSubstr("sensitivities"));
  EXPECT_THAT(error("\"score\": 1", "\"score\": 1e999"), HasSubstr("sensitivities"));
  EXPECT_THAT(error("\"score\": 1", "\"score\": null"), HasSubstr("score"));
  EXPECT_THAT(
      error("\"score\": 1", "\"score\": 1, \"standard_error\": -1"),
      HasSubstr("sensitivities.layers[0] 'a'.options[0].standard_error: got -1, want a finite number of at least 0"));
  EXPECT_THAT(error("\"score\": 1", "\"score\": 1, \"costs\": {\"size\": 4}"), HasSubstr("costs"));
  EXPECT_THAT(error("\"score\": 1", "\"score\": 1, \"costs\": {\"size_bits\": -4}"), HasSubstr("costs.size_bits"));
  EXPECT_THAT(error("\"scheme\": \"given\"", "\"scheme\": \"log\""),
              HasSubstr("options[0].scheme: got 'log', want one of symmetric, symmetric_full, "));
  EXPECT_THAT(error("\"score\": 1", "\"score\": 1, \"range\": \"max\""), HasSubstr("options[0].range: got 'max'"));
  EXPECT_THAT(error("\"score\": 1", "\"score\": 1, \"group_size\": 8"),
              HasSubstr("options[0].group_size: only per_group"));
  EXPECT_THAT(error("per_tensor", "per_group"), HasSubstr("missing field 'group_size'"));
  EXPECT_THAT(error("\"score\": 1", "\"score\": 1, \"rounding\": \"up\""), HasSubstr("rounding: got 'up'"));
  EXPECT_THAT(error("per_tensor", "per_row"), HasSubstr("granularity"));
  EXPECT_THAT(error("\"other\"", "\"pool\""), HasSubstr("kind"));
  EXPECT_THAT(error("\"num_weights\": 3", "\"num_weights\": 0"), HasSubstr("num_weights"));
  EXPECT_THAT(error("\"num_weights\": 3", "\"weight_shape\": [2, 2], \"num_weights\": 3"),
              HasSubstr("layers[0] 'a'.weight_shape: got [2, 2], want a product of num_weights, 3"));
  EXPECT_THAT(error("\"num_weights\": 3", "\"weight_shape\": [3], \"output_channel_axis\": 1, \"num_weights\": 3"),
              HasSubstr("output_channel_axis: got 1"));
  EXPECT_THAT(error("\"name\": \"a\"", "\"name\": \"\""), HasSubstr("layers[0] ''.name: is empty"));
  EXPECT_THAT(error("}]}]}", "}]}], \"ties\": [[\"a\"]]}"), HasSubstr("ties[0]: got 1, want two layers or more"));
  EXPECT_THAT(error("}]}]}", "}]}], \"ties\": [[\"a\", \"b\"]]}"), HasSubstr("ties[0]: there is no layer 'b'"));
  EXPECT_THAT(error("}]}]}", "}]}], \"ties\": [[\"a\", \"a\"]]}"), HasSubstr("ties[0]: layer 'a' is in a tie already"));
}

TEST(ParseGiven, RefusesWhatIsNoDocument) {
  for (const std::string_view json : {"", "{", "[]", "null", "{}", "\xff\xfe", "{\"format\": 1}"}) {
    EXPECT_THAT(ParseError(json), HasSubstr("sensitivities")) << json;
  }
  EXPECT_THAT(ParseError(std::string(1 << 20, '[')), HasSubstr("sensitivities"));
  EXPECT_THAT(ParseError(R"({"format": "bitplan.sensitivities/1", "method": "given", "layers": []})"),
              HasSubstr("layers: is empty"));
}

TEST(ParseGiven, TruncationsOfADocumentAreRefused) {
  const std::string json = ToJson(Full());
  for (size_t size = 0; size + 2 < json.size(); size += 7) EXPECT_FALSE(ParseGiven(json.substr(0, size)).ok());
}

TEST(Validate, NamesTheTableThatIsWrong) {
  const auto message = [](const std::function<void(GivenSensitivities&)>& change) {
    GivenSensitivities given = Full();
    change(given);
    return MessageOf(Validate(given));
  };
  EXPECT_THAT(message([](auto& g) { g.layers.layers[1].name = g.layers.layers[0].name; }),
              HasSubstr("layers[1] 'conv \"1\"'.name: repeats an earlier layer's"));
  EXPECT_THAT(message([](auto& g) { g.layers.layers[0].macs = -1; }), HasSubstr("macs: got -1"));
  EXPECT_THAT(message([](auto& g) { g.options.options.pop_back(); }), HasSubstr("options: got 1 layers, want 2"));
  EXPECT_THAT(message([](auto& g) { g.options.options[1].clear(); }), HasSubstr("layers[1] 'fc'.options: is empty"));
  EXPECT_THAT(message([](auto& g) { g.options.options[0][1] = g.options.options[0][0]; }),
              HasSubstr("layers[0] 'conv \"1\"'.options[1]: repeats an earlier option, w4a4/symmetric/per_channel"));
  EXPECT_THAT(message([](auto& g) { g.sensitivity.score[0].pop_back(); }),
              HasSubstr("layers[0] 'conv \"1\"': got 1 of score, want one for each of 2 options"));
  EXPECT_THAT(message([](auto& g) { g.sensitivity.score[1][0] = std::nan(""); }),
              HasSubstr("layers[1] 'fc'.options[0].score: got nan, want a finite number"));
  EXPECT_THAT(message([](auto& g) { g.sensitivity.standard_error.clear(); }),
              HasSubstr("standard_error: got 0 layers"));
  EXPECT_THAT(message([](auto& g) { g.sensitivity.perturbation_sq[0][0] = -1; }), HasSubstr("perturbation_sq: got -1"));
  EXPECT_THAT(message([](auto& g) { g.sensitivity.curvature.pop_back(); }),
              HasSubstr("curvature: got 1 layers, want 2"));
  EXPECT_THAT(message([](auto& g) { g.costs.pop_back(); }), HasSubstr("costs: got 1 layers, want 2"));
  EXPECT_THAT(message([](auto& g) { g.costs[1][0].erase(Resource::kLatency); }),
              HasSubstr("layers[1] 'fc'.options[0].costs: got size_bits, the first option has size_bits, latency_ns: a "
                        "resource is given for every option or for none"));
  EXPECT_THAT(message([](auto& g) { g.costs[1][0][Resource::kSize] = -1; }), HasSubstr("costs.size_bits: got -1"));
  EXPECT_TRUE(Validate(Full()).ok());
}

}  // namespace
}  // namespace bitplan::sensitivity
