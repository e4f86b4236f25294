#include "search/pipeline/run_evaluation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "search/base/rng.h"
#include "search/base/status.h"
#include "search/hardware/shipped_profiles.h"
#include "search/pipeline/run_search.h"
#include "tests/testing/npz_builder.h"
#include "tests/testing/onnx_writer.h"

namespace bitplan::pipeline {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Samples(uint64_t seed) {
  data::Array images = testing::FilledArray({8, 1, 6, 6}, 0);
  Rng rng(seed, 0);
  for (float& pixel : std::get<FloatVector>(images.data)) pixel = static_cast<float>(rng.NextGaussian());
  return testing::MakeNpzOf({{"images", images}, {"labels", testing::CountingLabels(8, 3)}});
}

// The tiny classifier, calibration and held-out data, and a plan at half of uniform 8 bit.
class RunEvaluation : public ::testing::Test {
 protected:
  Plan SearchPlan(const SensitivityOptions& sensitivity) const {
    const auto measured = Measure({.onnx = model_,
                                   .dataset = calibration_,
                                   .quantization = {.weight_bits = {2, 4, 8}, .activation_bits = {4}},
                                   .sensitivity = sensitivity},
                                  {});
    EXPECT_TRUE(measured.ok()) << measured.status();
    const auto plan = Search(
        *measured,
        {.profile = hardware::FindShippedProfile("generic").value(), .budgets = {ParseBudget("size=0.5x").value()}},
        {});
    EXPECT_TRUE(plan.ok()) << plan.status();
    return *plan;
  }

  Evaluation EvaluateOn(const Plan& plan, const std::string& held_out, const std::string& calibration) const {
    const auto evaluation =
        Evaluate({.onnx = model_, .held_out = held_out, .calibration = calibration, .plan = plan}, {});
    EXPECT_TRUE(evaluation.ok()) << evaluation.status();
    return *evaluation;
  }

  std::string model_ = testing::TinyClassifier().Bytes();
  std::string calibration_ = Samples(1);
  std::string held_out_ = Samples(2);
};

TEST_F(RunEvaluation, SaysWhereOnlyOneOfPredictionAndMeasurementQuantizesActivations) {
  const Plan weights_only = SearchPlan({.method = "measured_loss"});
  EXPECT_EQ(weights_only.provenance.activations_scored, false);
  const Plan scored = SearchPlan({.method = "measured_loss", .quantize_activations = true});
  EXPECT_EQ(scored.provenance.activations_scored, true);

  const auto about_prediction = HasSubstr("the predicted increase");
  EXPECT_THAT(EvaluateOn(weights_only, held_out_, "").notes, Not(Contains(about_prediction)));
  EXPECT_THAT(EvaluateOn(scored, held_out_, calibration_).notes, Not(Contains(about_prediction)));
  EXPECT_THAT(EvaluateOn(weights_only, held_out_, calibration_).notes,
              Contains("activations are quantized in this evaluation, but the predicted increase does not count that"));
  EXPECT_THAT(EvaluateOn(scored, held_out_, "").notes,
              Contains("the predicted increase counts the quantization of activations, but they stay float in this "
                       "evaluation"));
  Plan unknown = weights_only;
  unknown.provenance.activations_scored.reset();
  EXPECT_THAT(EvaluateOn(unknown, held_out_, "").notes,
              Contains("whether the predicted increase counts the quantization of activations is not known"));
}

TEST_F(RunEvaluation, SaysWhatElseTheProvenanceTells) {
  const Plan plan = SearchPlan({.method = "measured_loss", .loss = "label_free_cross_entropy"});
  EXPECT_THAT(EvaluateOn(plan, held_out_, "").notes,
              Contains("the predicted increase is one of label_free_cross_entropy, the measured increase one of "
                       "cross_entropy"));
  EXPECT_THAT(EvaluateOn(plan, held_out_, "").notes, Each(Not(HasSubstr("not held-out data"))));
  EXPECT_THAT(EvaluateOn(plan, calibration_, "").notes, Contains(HasSubstr("not held-out data")));
}

TEST_F(RunEvaluation, NamesTheFileThatCannotBeRead) {
  const Plan plan = SearchPlan({.method = "measured_loss"});
  const auto error = [&](const std::string& held_out, const std::string& calibration) {
    return MessageOf(
        Evaluate({.onnx = model_, .held_out = held_out, .calibration = calibration, .plan = plan}, {}).status());
  };
  EXPECT_THAT(error("no archive", calibration_), HasSubstr("held-out data"));
  EXPECT_THAT(error(held_out_, "no archive"), HasSubstr("calibration"));
}

}  // namespace
}  // namespace bitplan::pipeline
