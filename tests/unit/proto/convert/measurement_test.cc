#include "proto/convert/measurement.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>

#include "search/base/rng.h"
#include "search/base/status.h"
#include "search/pipeline/run_search.h"

namespace bitplan::convert {
namespace {

GivenSensitivities ResNet18() {
  std::ifstream file(std::string(BITPLAN_TEST_DATA_DIR) + "/hawq/resnet18_t4.sensitivities.json");
  std::ostringstream text;
  text << file.rdbuf();
  return *sensitivity::ParseGiven(text.str());
}

v1::MeasurementTable TableOf(const GivenSensitivities& given) {
  const v1::Measurement message = FromMeasurement(*pipeline::FromGiven(given));
  v1::MeasurementTable table;
  *table.mutable_layers() = message.layers();
  *table.mutable_ties() = message.ties();
  *table.mutable_origin() = message.origin();
  table.set_method(message.method());
  table.set_loss(message.loss());
  return table;
}

TEST(ConvertMeasurement, RoundTripKeepsEveryBit) {
  const GivenSensitivities given = ResNet18();
  const auto back = ToGiven(TableOf(given));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(sensitivity::ToJson(*back), sensitivity::ToJson(given));
}

TEST(ConvertMeasurement, NotesSurvive) {
  GivenSensitivities given = ResNet18();
  given.sensitivity.notes = {"the network ends in Softmax"};
  const v1::Measurement message = FromMeasurement(*pipeline::FromGiven(given));
  ASSERT_EQ(message.notes_size(), 1);
  EXPECT_EQ(message.notes(0), "the network ends in Softmax");
}

TEST(ConvertMeasurement, CurvatureSurvives) {
  GivenSensitivities given = ResNet18();
  given.sensitivity.curvature.resize(given.layers.layers.size());
  given.sensitivity.curvature[3].trace =
      TraceEstimate{.trace = -0.5, .standard_error = 0.25, .num_probes = 7, .converged = true};
  given.sensitivity.curvature[4].top_eigenvalue = EigenvalueEstimate{.value = 2, .residual = 0.125, .iterations = 9};
  const v1::MeasurementTable table = TableOf(given);
  EXPECT_EQ(table.layers(3).curvature().average_trace(), -0.5 / given.layers.layers[3].num_weights);
  EXPECT_FALSE(table.layers(3).curvature().has_top_eigenvalue());
  const auto back = ToGiven(table);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->sensitivity.curvature, given.sensitivity.curvature);
}

TEST(ConvertMeasurement, ErrorsNameTheFieldOfTheMessage) {
  const auto error_of = [](auto spoil) {
    v1::MeasurementTable table = TableOf(ResNet18());
    spoil(*table.mutable_layers(2));
    return MessageOf(ToGiven(table).status());
  };
  const std::string layer = "layers[2] '" + ResNet18().layers.layers[2].name + "'";
  EXPECT_TRUE(error_of([](auto& l) {
                l.mutable_options(1)->set_sensitivity(std::nan(""));
              }).starts_with(layer + ".options[1].sensitivity: got nan"));
  EXPECT_TRUE(error_of([](auto& l) {
                l.mutable_options(0)->set_perturbation_squared(-1);
              }).starts_with(layer + ".options[0].perturbation_squared: got -1"));
  EXPECT_TRUE(error_of([](auto& l) {
                l.mutable_options(0)->set_standard_error(-1);
              }).starts_with(layer + ".options[0].standard_error: got -1"));
  EXPECT_TRUE(error_of([](auto& l) {
                l.mutable_layer()->set_num_weights(0);
              }).starts_with(layer + ".layer.num_weights: got 0"));
  EXPECT_TRUE(error_of([](auto& l) { l.clear_options(); }).starts_with(layer + ".options: is empty"));
}

TEST(ConvertMeasureConfig, EmptyMeansTheDefaultsOfTheCore) {
  const auto quantization = ToQuantizationOptions({});
  const auto sensitivity = ToSensitivityOptions({});
  ASSERT_TRUE(quantization.ok() && sensitivity.ok());
  const QuantizationOptions default_quantization;
  EXPECT_EQ(quantization->weight_bits, default_quantization.weight_bits);
  EXPECT_EQ(quantization->schemes, default_quantization.schemes);
  EXPECT_EQ(quantization->granularities, default_quantization.granularities);
  const SensitivityOptions default_sensitivity;
  EXPECT_EQ(sensitivity->method, default_sensitivity.method);
  EXPECT_EQ(sensitivity->max_probes, default_sensitivity.max_probes);
  EXPECT_EQ(sensitivity->trace_relative_error, default_sensitivity.trace_relative_error);
}

TEST(ConvertMeasureConfig, RoundTrip) {
  const QuantizationOptions quantization{
      .weight_bits = {8, 3}, .activation_bits = {4}, .schemes = {"affine"}, .granularities = {Granularity::kPerTensor}};
  const SensitivityOptions sensitivity{.method = "hawq_v1",
                                       .loss = "mean_squared_error",
                                       .label_smoothing = 0.125,
                                       .max_samples = 12,
                                       .seed = std::numeric_limits<uint64_t>::max(),
                                       .trace_estimator = "hutchinson",
                                       .trace_relative_error = 0.25,
                                       .max_probes = 99,
                                       .eigenvalue_tolerance = 0.5,
                                       .max_iterations = 3,
                                       .max_memory_bytes = 1 << 30,
                                       .all_curvature = true};
  const v1::MeasureConfig message = FromOptions(quantization, sensitivity);
  const auto back = ToSensitivityOptions(message);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(FromOptions(*ToQuantizationOptions(message), *back).SerializeAsString(), message.SerializeAsString());
  EXPECT_EQ(back->seed, sensitivity.seed);
}

TEST(ConvertMeasureConfig, CarriesActivationsForMethodsThatScoreThem) {
  const SensitivityOptions sensitivity{
      .method = "measured_loss", .quantize_activations = true, .activation_range = "percentile"};
  v1::MeasureConfig message = FromOptions({}, sensitivity);
  const auto back = ToSensitivityOptions(message);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_TRUE(back->quantize_activations);
  EXPECT_EQ(back->activation_range, "percentile");
  message.set_method("hawq_v2");
  EXPECT_EQ(MessageOf(ToSensitivityOptions(message).status()),
            "quantize_activations: method 'hawq_v2' scores weights only");
  message.set_method("measured_loss");
  message.set_activation_range("magic");
  EXPECT_TRUE(MessageOf(ToSensitivityOptions(message).status()).starts_with("activation_range: "));
}

TEST(ConvertMeasureConfig, RoundTripOfGroupsRangesAndRoundings) {
  const QuantizationOptions options{.weight_bits = {4},
                                    .schemes = {"symmetric", "nvfp4"},
                                    .granularities = {Granularity::kPerGroup, Granularity::kPerChannelGroup},
                                    .group_sizes = {32, 128},
                                    .channel_group_sizes = {8},
                                    .range_rules = {"mse", "minmax"},
                                    .roundings = {Rounding::kStochastic}};
  const auto back = ToQuantizationOptions(FromOptions(options, {}));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->granularities, options.granularities);
  EXPECT_EQ(back->group_sizes, options.group_sizes);
  EXPECT_EQ(back->channel_group_sizes, options.channel_group_sizes);
  EXPECT_EQ(back->range_rules, options.range_rules);
  EXPECT_EQ(back->roundings, options.roundings);
  // Defaults are not written: older servers and stored configurations stay as they are.
  EXPECT_EQ(FromOptions({}, {}).options().range_rules_size(), 0);
  EXPECT_EQ(FromOptions({}, {}).options().group_sizes_size(), 0);
  v1::MeasureConfig wrong;
  wrong.mutable_options()->add_range_rules("max");
  EXPECT_TRUE(MessageOf(ToQuantizationOptions(wrong).status()).starts_with("options.range_rules[0]: "));
  wrong.mutable_options()->clear_range_rules();
  wrong.mutable_options()->add_roundings("up");
  EXPECT_TRUE(MessageOf(ToQuantizationOptions(wrong).status()).starts_with("options.roundings[0]: got 'up'"));
}

TEST(ConvertMeasureConfig, RoundTripOfActivationWidths) {
  for (const std::vector<int>& bits : {std::vector<int>{8}, {4}, {4, 8}, {kSameAsWeights}}) {
    const auto back = ToQuantizationOptions(FromOptions({.activation_bits = bits}, {}));
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(back->activation_bits, bits);
  }
  EXPECT_EQ(FromOptions({}, {}).options().activation_widths_size(), 0);
}

// Whatever bytes arrive, the answer is a value or an error with a message.
TEST(ConvertMeasurement, SurvivesDamagedMessages) {
  const std::string whole = TableOf(ResNet18()).SerializeAsString();
  for (uint64_t k = 0; k < 2000; ++k) {
    Rng rng(20261123, k);
    std::string bytes = whole.substr(0, 200 + rng.NextBelow(2000));
    for (int flips = 0; flips < 8; ++flips) bytes[rng.NextBelow(bytes.size())] = static_cast<char>(rng.NextBits());
    v1::MeasurementTable table;
    table.ParseFromString(bytes);  // a prefix is good enough
    const auto given = ToGiven(table);
    EXPECT_TRUE(given.ok() || !given.status().message().empty()) << "stream " << k;
  }
}

}  // namespace
}  // namespace bitplan::convert
