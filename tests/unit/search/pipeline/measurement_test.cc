#include "search/pipeline/measurement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <optional>
#include <set>
#include <string>

#include "search/base/digest.h"
#include "search/base/status.h"
#include "search/pipeline/run_search.h"
#include "search/pipeline/settings.h"
#include "search/pipeline/version.h"

namespace bitplan {
namespace {

using pipeline::MeasurementDigest;
using pipeline::MeasurementToJson;
using pipeline::ParseMeasurement;
using ::testing::HasSubstr;

// A measured table as Measure makes it, with numbers that no short decimal has.
Measurement Measured() {
  Measurement measured;
  measured.layers.layers = {
      {.name = "conv", .kind = LayerKind::kConv, .weight_shape = {2, 1, 3, 3}, .num_weights = 18, .macs = 100}};
  measured.options.options = {{Option{.weight_bits = 4}, Option{}}};
  measured.sensitivity = {.method = "hawq_v2",
                          .loss = "cross_entropy",
                          .score = {{1.0 / 3, std::nextafter(0.1, 1)}},
                          .standard_error = {{1e-300, 0}},
                          .perturbation_sq = {{2.0 / 3, 0.1}},
                          .curvature = {{.trace = TraceEstimate{-1.0 / 7, 0.01, 64, true},
                                         .top_eigenvalue = EigenvalueEstimate{2.5, 0.125, 12, false}}},
                          .base_loss = 0.3,
                          .num_samples = 128,
                          .seed = 18446744073709551615U};
  measured.ties = {};
  measured.model_digest = std::string(64, 'a');
  measured.dataset_digest = std::string(64, 'b');
  measured.settings = "{\"quantization\":{}}";
  measured.versions = pipeline::MeasureVersions();
  measured.digest = MeasurementDigest(measured.model_digest, measured.dataset_digest, {}, {});
  return measured;
}

GivenSensitivities Given() {
  GivenSensitivities given;
  given.layers.layers = {{.name = "x", .num_weights = 10, .macs = 10}, {.name = "y", .num_weights = 10, .macs = 10}};
  given.options.options.assign(2, {Option{4, 4, "given"}, Option{8, 8, "given"}});
  given.sensitivity.method = "given";
  given.sensitivity.score.assign(2, {0.1, 0.01});
  given.sensitivity.standard_error.assign(2, {0, 0});
  given.costs.assign(2, {{{Resource::kLatency, 1}}, {{Resource::kLatency, 2}}});
  given.ties = {{"x", "y"}};
  given.provenance = {{"source", "a paper"}};
  return given;
}

void ExpectSame(const Measurement& a, const Measurement& b) {
  EXPECT_EQ(a.options.options, b.options.options);
  EXPECT_EQ(a.sensitivity, b.sensitivity);
  EXPECT_EQ(a.given_costs, b.given_costs);
  EXPECT_EQ(a.ties, b.ties);
  EXPECT_EQ(a.structure, b.structure);
  EXPECT_EQ(a.digest, b.digest);
  EXPECT_EQ(a.model_digest, b.model_digest);
  EXPECT_EQ(a.dataset_digest, b.dataset_digest);
  EXPECT_EQ(a.settings, b.settings);
  EXPECT_EQ(a.versions, b.versions);
  EXPECT_EQ(a.origin, b.origin);
  EXPECT_EQ(MeasurementToJson(a), MeasurementToJson(b));
}

TEST(MeasurementJson, ReadsBackBitForBit) {
  Measurement measured = Measured();
  measured.settings = pipeline::SettingsJson({}, {});
  // Without a structure (older ones have none), with an empty one, with groups.
  for (const std::optional<LayerStructure>& structure :
       {std::optional<LayerStructure>(), std::optional(LayerStructure{}),
        std::optional(LayerStructure{{StructureKind::kGated, {"conv", "other"}}})}) {
    measured.structure = structure;
    const absl::StatusOr<Measurement> read = ParseMeasurement(MeasurementToJson(measured));
    ASSERT_TRUE(read.ok()) << read.status();
    ExpectSame(*read, measured);
  }
}

TEST(MeasurementJson, ReadsBackGivenSensitivities) {
  const Measurement given = pipeline::FromGiven(Given()).value();
  const absl::StatusOr<Measurement> read = ParseMeasurement(MeasurementToJson(given));
  ASSERT_TRUE(read.ok()) << read.status();
  ExpectSame(*read, given);
}

std::string ErrorWith(const std::string& from, const std::string& to) {
  std::string text = MeasurementToJson(pipeline::FromGiven(Given()).value());
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  const absl::Status status = ParseMeasurement(text.replace(at, from.size(), to)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return MessageOf(status);
}

TEST(MeasurementJson, RefusesWhatDoesNotHold) {
  EXPECT_EQ(ErrorWith("measurement/1", "measurement/2"),
            "measurement.format: got 'bitplan.measurement/2', want 'bitplan.measurement/1'");
  EXPECT_THAT(ErrorWith("\"score\": 0.1", "\"score\": 0.2"), HasSubstr("measurement.digest: got"));
  EXPECT_THAT(ErrorWith("\"score\": 0.1", "\"score\": null"), HasSubstr("measurement: "));
  EXPECT_THAT(ErrorWith("\"settings\"", "\"setting\""), HasSubstr("missing field 'settings'"));
  EXPECT_FALSE(ParseMeasurement("").ok());
}

TEST(MeasurementJson, DigestCoversTheIngredientsOfAMeasuredTable) {
  Measurement measured = Measured();
  measured.settings = pipeline::SettingsJson({}, {});
  measured.model_digest = std::string(64, 'c');
  EXPECT_THAT(MessageOf(ParseMeasurement(MeasurementToJson(measured)).status()), HasSubstr("measurement.digest: got"));
}

// Each change of one ingredient gives another digest.
TEST(MeasurementDigest, DependsOnEveryIngredient) {
  const std::string a(64, 'a');
  const std::string b(64, 'b');
  std::set<std::string> digests = {MeasurementDigest(a, a, {}, {}), MeasurementDigest(a, b, {}, {}),
                                   MeasurementDigest(b, a, {}, {})};
  const std::vector<QuantizationOptions> quantizations = {{.weight_bits = {4}},
                                                          {.activation_bits = {4}},
                                                          {.activation_bits = {4, 8}},
                                                          {.schemes = {"affine"}},
                                                          {.granularities = {Granularity::kPerTensor}},
                                                          {.group_sizes = {32}},
                                                          {.channel_group_sizes = {8}},
                                                          {.range_rules = {"mse"}},
                                                          {.roundings = {Rounding::kStochastic}}};
  for (const auto& options : quantizations) digests.insert(MeasurementDigest(a, a, options, {}));
  const std::vector<SensitivityOptions> sensitivities = {{.method = "hawq_v1"},
                                                         {.loss = "cross_entropy"},
                                                         {.label_smoothing = 0.1},
                                                         {.max_samples = 1},
                                                         {.seed = 1},
                                                         {.trace_estimator = "hutchinson"},
                                                         {.trace_relative_error = 0.2},
                                                         {.max_probes = 3},
                                                         {.eigenvalue_tolerance = 0.02},
                                                         {.max_iterations = 7},
                                                         {.all_curvature = true},
                                                         {.quantize_activations = true},
                                                         {.activation_range = "mse"},
                                                         {.output_changes = "first_order"}};
  for (const auto& options : sensitivities) digests.insert(MeasurementDigest(a, a, {}, options));
  EXPECT_EQ(digests.size(), 3 + quantizations.size() + sensitivities.size());
}

TEST(SettingsJson, HoldsNewerSettingsOnlyWhereTheyAreNotTheDefault) {
  EXPECT_TRUE(pipeline::SettingsJson({}, {}).starts_with(
      R"({"quantization":{"weight_bits":[2,3,4,5,6,8],"activation_bits":8,"schemes":["symmetric","affine"],)"
      R"("granularities":["per_tensor","per_channel"]},"sensitivity":)"))
      << pipeline::SettingsJson({}, {});
}

TEST(MeasurementDigest, OfARequestIsThatOfItsBytes) {
  const MeasureRequest request{.onnx = "model", .dataset = "data"};
  EXPECT_EQ(MeasurementDigest(request), MeasurementDigest(Sha256Hex("model"), Sha256Hex("data"), {}, {}));
}

TEST(FromGiven, DigestIsThatOfTheContent) {
  GivenSensitivities other = Given();
  other.sensitivity.score[1][1] = std::nextafter(0.01, 1);
  EXPECT_NE(pipeline::FromGiven(Given())->digest, pipeline::FromGiven(other)->digest);
  EXPECT_EQ(pipeline::FromGiven(Given())->digest, pipeline::FromGiven(Given())->digest);
}

TEST(FromGiven, RefusesBrokenTables) {
  GivenSensitivities broken = Given();
  broken.sensitivity.score[0][0] = std::nan("");
  EXPECT_EQ(pipeline::FromGiven(broken).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ValidateMeasureRequest, ChecksWithoutWork) {
  const auto error = [](const MeasureRequest& request) { return MessageOf(pipeline::ValidateMeasureRequest(request)); };
  EXPECT_EQ(error({.onnx = "", .dataset = "x"}), "model: got no bytes");
  EXPECT_EQ(error({.onnx = "x", .dataset = ""}), "dataset: got no bytes");
  EXPECT_EQ(error({.onnx = "12345", .dataset = "x", .model_limits = {.max_file_bytes = 4}}),
            "model: got 5 bytes, want at most 4");
  EXPECT_EQ(error({.onnx = "x", .dataset = "x"}), "");
  EXPECT_THAT(error({.onnx = "x", .dataset = "x", .quantization = {.weight_bits = {9}}}), HasSubstr("9"));
  EXPECT_EQ(pipeline::ValidateMeasureRequest({.onnx = "x", .dataset = "x", .sensitivity = {.method = "magic"}}).code(),
            absl::StatusCode::kNotFound);
}

TEST(Measure, ErrorsOfTheIngredientsComeThrough) {
  EXPECT_EQ(pipeline::Measure({.onnx = "no model", .dataset = "no data"}, {}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(Version, IsThatOfTheProject) {
  EXPECT_THAT(std::string(pipeline::BitplanVersion()), ::testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+"));
  for (const auto& versions : {pipeline::MeasureVersions(), pipeline::SolveVersions()}) {
    for (const auto& [name, version] : versions) EXPECT_FALSE(version.empty()) << name;
  }
}

}  // namespace
}  // namespace bitplan
