#include "proto/convert/evaluation.h"

#include <gtest/gtest.h>

#include <cmath>

#include "search/base/status.h"

namespace bitplan::convert {
namespace {

EvaluatedNetwork Network(const std::string& name, double loss) {
  return {.name = name,
          .within_cost = true,
          .loss = {.mean = loss, .standard_error = 0.1},
          .loss_increase = {.mean = -1.0 / 3, .standard_error = std::nextafter(0.0, 1.0)},
          .accuracy = SampleMean{.mean = 0.9, .standard_error = 0.01},
          .agreement = SampleMean{.mean = 1, .standard_error = 0},
          .costs = {{Resource::kSize, 12}, {Resource::kBops, INT64_MAX}}};
}

// Every field differs from its default.
Evaluation Full() {
  Evaluation evaluation{.loss = "cross_entropy",
                        .num_samples = 100,
                        .quantized_activations = true,
                        .activation_range = "percentile",
                        .plan_fingerprint = "f00d",
                        .float_network = {.name = "float", .loss = {.mean = 0.25, .standard_error = 0.01}},
                        .plan = Network("plan", 0.5),
                        .uniform = {Network("uniform 2 bit", 3), Network("uniform 4 bit", 1)},
                        .predicted_increase = 0.125,
                        .compared = {Resource::kBops, Resource::kSize},
                        .reference_bits = 4,
                        .loss_below_reference = SampleMean{.mean = 0.5, .standard_error = 0.2},
                        .verdict = "the plan beats uniform 4 bit",
                        .notes = {"one", "two"}};
  evaluation.uniform[0].uniform_bits = 2;
  evaluation.uniform[0].within_cost = false;
  evaluation.uniform[0].accuracy.reset();
  evaluation.uniform[1].uniform_bits = 4;
  evaluation.uniform[1].agreement.reset();
  const Option option{.weight_bits = 3,
                      .activation_bits = 5,
                      .scheme = "affine",
                      .granularity = Granularity::kPerGroup,
                      .group_size = 32,
                      .range = "mse",
                      .rounding = Rounding::kStochastic};
  evaluation.layers = {
      {.layer = "a", .option = option, .weight_sqnr_db = 20.5, .activation_sqnr_db = -1.0, .huffman_size_bits = 77},
      {.layer = "b", .option = option}};
  return evaluation;
}

TEST(ConvertEvaluation, RoundTrip) {
  for (const Evaluation& evaluation : {Evaluation{}, Full()}) {
    Evaluation valid = evaluation;
    const auto back = ToEvaluation(FromEvaluation(valid));
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(*back, valid);
  }
}

TEST(ConvertEvaluation, ErrorsNameTheField) {
  const auto error = [](auto spoil) {
    v1::Evaluation message = FromEvaluation(Full());
    spoil(message);
    return MessageOf(ToEvaluation(message).status());
  };
  EXPECT_TRUE(error([](auto& m) { m.add_compared("beauty"); }).starts_with("compared[2]: "));
  EXPECT_TRUE(error([](auto& m) {
                m.mutable_uniform(1)->mutable_costs(0)->set_amount(-1);
              }).starts_with("uniform[1].costs[0].amount: got -1"));
  EXPECT_TRUE(
      error([](auto& m) { m.mutable_plan()->add_costs()->set_resource("beauty"); }).starts_with("plan.costs[2]"));
  EXPECT_TRUE(error([](auto& m) {
                m.mutable_layers(1)->mutable_option()->set_weight_bits(0);
              }).starts_with("layers[1].option.weight_bits: got 0"));
}

TEST(ConvertEvaluationOptions, WhatIsLeftOpenIsAsMeasured) {
  v1::MeasureConfig measured;
  EXPECT_EQ(ToEvaluationOptions({}, measured)->loss, "auto");
  EXPECT_EQ(ToEvaluationOptions({}, measured)->activation_range, "minmax");
  measured.set_loss("label_free_cross_entropy");
  measured.set_label_smoothing(0.1);
  measured.set_activation_range("percentile");
  EXPECT_FALSE(ToEvaluationOptions({}, measured)->quantize_activations);
  measured.set_quantize_activations(true);
  measured.set_max_samples(7);  // of the calibration data: not taken over
  auto options = ToEvaluationOptions({}, measured);
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->loss, "label_free_cross_entropy");
  EXPECT_EQ(options->label_smoothing, 0.1);
  EXPECT_EQ(options->activation_range, "percentile");
  EXPECT_TRUE(options->quantize_activations);
  EXPECT_EQ(options->max_samples, 0);

  v1::EvaluationSpec spec;
  spec.set_loss("cross_entropy");
  spec.set_label_smoothing(0);
  spec.set_activation_range("dynamic_token");
  spec.set_quantize_activations(false);
  spec.set_max_samples(3);
  spec.set_max_memory_bytes(1000);
  options = ToEvaluationOptions(spec, measured);
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->loss, "cross_entropy");
  EXPECT_EQ(options->label_smoothing, 0);
  EXPECT_EQ(options->activation_range, "dynamic_token");
  EXPECT_FALSE(options->quantize_activations);
  EXPECT_EQ(options->max_samples, 3);
  EXPECT_EQ(options->max_memory_bytes, 1000);
}

TEST(ConvertEvaluationOptions, ErrorsNameTheField) {
  const auto status = [](auto spoil) {
    v1::EvaluationSpec spec;
    spoil(spec);
    return ToEvaluationOptions(spec, {}).status();
  };
  EXPECT_TRUE(MessageOf(status([](auto& s) { s.set_max_samples(-1); })).starts_with("max_samples: got -1"));
  EXPECT_TRUE(MessageOf(status([](auto& s) { s.set_max_memory_bytes(-1); })).starts_with("max_memory_bytes: got -1"));
  EXPECT_TRUE(MessageOf(status([](auto& s) { s.set_label_smoothing(std::nan("")); })).starts_with("label_smoothing: "));
  EXPECT_TRUE(MessageOf(status([](auto& s) { s.set_activation_range("wide"); })).starts_with("activation_range"));
  EXPECT_FALSE(status([](auto& s) { s.set_loss("regret"); }).ok());
}

}  // namespace
}  // namespace bitplan::convert
