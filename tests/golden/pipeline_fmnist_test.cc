// A real trained network through the whole path in one process: ONNX and npz bytes in, verified plans out.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "search/hardware/shipped_profiles.h"
#include "search/pipeline/run_search.h"
#include "search/plan/certificate.h"
#include "search/plan/plan_json.h"
#include "search/plan/verifier.h"
#include "search/sensitivity/plan_predictor.h"
#include "tests/testing/golden_file.h"

namespace bitplan {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class PipelineFmnist : public ::testing::Test {
 protected:
  // Measured once for all tests.
  static void SetUpTestSuite() {
    stages_ = new std::vector<std::string>;
    measured_ = new absl::StatusOr<Measurement>(Run(1, stages_));
  }
  static void TearDownTestSuite() {
    delete measured_;
    delete stages_;
  }

  // 32 samples and at most 16 probes: these tests are about the path, not about the accuracy of the traces.
  static absl::StatusOr<Measurement> Run(int num_threads, std::vector<std::string>* stages) {
    const std::string onnx = testing::ReadFile(BITPLAN_TEST_DATA_DIR "/models/fmnist_resnet8.onnx");
    const std::string data = testing::ReadFile(BITPLAN_TEST_DATA_DIR "/models/fmnist_calibration_128.npz");
    const MeasureRequest request{.onnx = onnx,
                                 .dataset = data,
                                 .sensitivity = {.method = "hawq_v2", .max_samples = 32, .seed = 7, .max_probes = 16}};
    RunContext context{.num_threads = num_threads};
    context.progress = [&](const Progress& progress) {
      if (stages != nullptr && (stages->empty() || stages->back() != progress.stage)) stages->push_back(progress.stage);
    };
    absl::StatusOr<Measurement> measured = pipeline::Measure(request, context);
    if (measured.ok()) {
      EXPECT_EQ(measured->digest, pipeline::MeasurementDigest(request));
    }
    return measured;
  }

  static absl::StatusOr<Plan> Search(const std::vector<std::string>& budgets, std::string_view profile = "generic") {
    SearchRequest request{.profile = hardware::FindShippedProfile(profile).value()};
    for (const std::string& budget : budgets) request.budgets.push_back(pipeline::ParseBudget(budget).value());
    return pipeline::Search(**measured_, request, {});
  }

  static absl::StatusOr<Measurement>* measured_;
  static std::vector<std::string>* stages_;
};

absl::StatusOr<Measurement>* PipelineFmnist::measured_ = nullptr;
std::vector<std::string>* PipelineFmnist::stages_ = nullptr;

// The default method: plans by what the network's outputs do, for the whole plan.
TEST(PipelineFmnistWholePlan, IsPredictedNoWorseThanTheUniformPlanOfItsSizeAndReadBackBitForBit) {
  const std::string onnx = testing::ReadFile(BITPLAN_TEST_DATA_DIR "/models/fmnist_resnet8.onnx");
  const std::string data = testing::ReadFile(BITPLAN_TEST_DATA_DIR "/models/fmnist_calibration_128.npz");
  const absl::StatusOr<Measurement> measured =
      pipeline::Measure({.onnx = onnx,
                         .dataset = data,
                         .quantization = {.weight_bits = {3, 4, 8},
                                          .schemes = {"symmetric"},
                                          .granularities = {Granularity::kPerChannel}},
                         .sensitivity = {.max_samples = 32}},
                        {.num_threads = 2});
  ASSERT_TRUE(measured.ok()) << measured.status();
  ASSERT_TRUE(measured->sensitivity.responses);
  SearchRequest request{.profile = hardware::FindShippedProfile("generic").value(),
                        .budgets = {pipeline::ParseBudget("size=39920B").value()}};  // uniform 4 bit
  const absl::StatusOr<Plan> plan = pipeline::Search(*measured, request, {});
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->predictor, "logit_superposition");
  EXPECT_GT(plan->objective_standard_error, 0);
  EXPECT_LE(plan->bound, plan->objective);
  const PlanPredictor predictor = *PlanPredictor::Create(*measured->sensitivity.responses);
  EXPECT_LT(plan->objective, predictor.Predict(std::vector<int>(10, 1)).mean);
  EXPECT_EQ(plan::ParsePlan(plan::ToJson(*plan)).value(), *plan);
  const std::string json = pipeline::MeasurementToJson(*measured);
  const absl::StatusOr<Measurement> read = pipeline::ParseMeasurement(json);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->sensitivity, measured->sensitivity);
  EXPECT_EQ(pipeline::MeasurementToJson(*read), json);
}

// A transformer through the same path: convolution, products with weights stored [in, out], shapes in pieces.
TEST(PipelineFmnistVit, MeasuresAndSearches) {
  const std::string onnx = testing::ReadFile(BITPLAN_TEST_DATA_DIR "/models/fmnist_vit.onnx");
  const std::string data = testing::ReadFile(BITPLAN_TEST_DATA_DIR "/models/fmnist_calibration_128.npz");
  const absl::StatusOr<Measurement> measured =
      pipeline::Measure({.onnx = onnx, .dataset = data, .sensitivity = {.max_samples = 16, .seed = 7, .max_probes = 8}},
                        {.num_threads = 2});
  ASSERT_TRUE(measured.ok()) << measured.status();
  EXPECT_EQ(measured->layers.layers.size(), 18);
  SearchRequest request{.profile = hardware::FindShippedProfile("generic").value()};
  request.budgets.push_back(pipeline::ParseBudget("size=0.5x").value());
  const absl::StatusOr<Plan> plan = pipeline::Search(*measured, request, {});
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->layers.size(), 18);
}

// The stem is 3 x 3 x 1: groups of 32 do not divide its 9 weights a channel. Other layers have 144, 288, ... or 64.
TEST_F(PipelineFmnist, ADeniedGroupSizeIsSaidInThePlan) {
  const std::string onnx = testing::ReadFile(BITPLAN_TEST_DATA_DIR "/models/fmnist_resnet8.onnx");
  const std::string data = testing::ReadFile(BITPLAN_TEST_DATA_DIR "/models/fmnist_calibration_128.npz");
  const MeasureRequest measure{.onnx = onnx,
                               .dataset = data,
                               .quantization = {.weight_bits = {4, 8},
                                                .schemes = {"symmetric"},
                                                .granularities = {Granularity::kPerGroup},
                                                .group_sizes = {32},
                                                .range_rules = {"mse"}},
                               .sensitivity = {.max_samples = 4, .max_probes = 2}};
  const absl::StatusOr<Measurement> measured = pipeline::Measure(measure, {});
  ASSERT_TRUE(measured.ok()) << measured.status();
  EXPECT_EQ(Label(measured->options.options[0][0]), "w4a8/symmetric/per_channel/mse");
  SearchRequest request{.profile = hardware::FindShippedProfile("generic").value(),
                        .budgets = {pipeline::ParseBudget("size=0.7x").value()}};
  const absl::StatusOr<Plan> plan = pipeline::Search(*measured, request, {});
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_TRUE(plan::Verify(*plan).ok());
  EXPECT_THAT(plan->warnings, ::testing::Contains(HasSubstr("per_group(32) became per_channel in")));
  const absl::StatusOr<Plan> back = plan::ParsePlan(plan::ToJson(*plan));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(*back, *plan);
}

// ResNet-8 adds a block's second convolution to the shortcut's projection and reads both from one tensor: with several
// activation widths those that meet take one, unless they are untied.
TEST_F(PipelineFmnist, LayersWhoseActivationsMeetShareTheirWidth) {
  const std::string onnx = testing::ReadFile(BITPLAN_TEST_DATA_DIR "/models/fmnist_resnet8.onnx");
  const std::string data = testing::ReadFile(BITPLAN_TEST_DATA_DIR "/models/fmnist_calibration_128.npz");
  const absl::StatusOr<Measurement> measured = pipeline::Measure(
      {.onnx = onnx,
       .dataset = data,
       .quantization = {.weight_bits = {4, 8}, .activation_bits = {4, 8}},
       .sensitivity = {.method = "gauss_newton_direct", .max_samples = 8, .quantize_activations = true}},
      {});
  ASSERT_TRUE(measured.ok()) << measured.status();
  ASSERT_FALSE(measured->activation_ties.empty());
  SearchRequest request{.profile = hardware::FindShippedProfile("generic").value()};
  const auto width_of = [](const Plan& plan, const std::string& name) {
    const auto layer = std::ranges::find(plan.layers, name, [](const PlanLayer& l) { return l.layer.name; });
    return layer->chosen->option.activation_bits;
  };
  int mixed = 0;
  for (const char* budget : {"bops=0.3x", "bops=0.35x", "bops=0.45x"}) {
    request.budgets = {pipeline::ParseBudget(budget).value()};
    request.untie_activations = false;
    const absl::StatusOr<Plan> tied = pipeline::Search(*measured, request, {});
    ASSERT_TRUE(tied.ok()) << tied.status();
    EXPECT_FALSE(tied->activation_ties.empty());
    for (const auto& tie : tied->activation_ties) {
      for (const std::string& name : tie) EXPECT_EQ(width_of(*tied, name), width_of(*tied, tie.front())) << name;
    }
    std::set<int> widths;
    for (const PlanLayer& layer : tied->layers) widths.insert(layer.chosen->option.activation_bits);
    mixed += widths.size() > 1 ? 1 : 0;
    EXPECT_EQ(plan::CheckProof(*tied, 100'000, {})->check, ProofCheck::kOptimal);

    request.untie_activations = true;
    const absl::StatusOr<Plan> free = pipeline::Search(*measured, request, {});
    ASSERT_TRUE(free.ok()) << free.status();
    EXPECT_TRUE(free->activation_ties.empty());
    EXPECT_LE(free->objective, tied->objective);
  }
  EXPECT_GT(mixed, 0);
}

TEST_F(PipelineFmnist, MeasuresEveryLayerAndOption) {
  ASSERT_TRUE(measured_->ok()) << measured_->status();
  const Measurement& measured = **measured_;
  EXPECT_EQ(measured.layers.layers.size(), 10);
  int64_t weights = 0;
  for (const Layer& layer : measured.layers.layers) weights += layer.num_weights;
  EXPECT_EQ(weights, 77'072);
  for (const auto& options : measured.options.options) EXPECT_EQ(options.size(), 24);
  EXPECT_EQ(measured.sensitivity.method, "hawq_v2");
  EXPECT_EQ(measured.sensitivity.seed, 7);
}

TEST_F(PipelineFmnist, ReportsItsStagesInOrder) {
  ASSERT_GE(stages_->size(), 4);
  EXPECT_EQ((*stages_)[0], "load");
  EXPECT_EQ((*stages_)[1], "options");
  EXPECT_EQ(std::ranges::count(*stages_, "traces"), 1);
}

TEST_F(PipelineFmnist, HalfOfUniform8IsSolvedToProvenOptimality) {
  ASSERT_TRUE(measured_->ok()) << measured_->status();
  const absl::StatusOr<Plan> plan = Search({"size=0.5x"});
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->termination, Termination::kOptimal);
  EXPECT_EQ(plan->budgets[0].limit, plan->uniform.at(8).at(Resource::kSize) / 2);
  EXPECT_LE(plan->budgets[0].used, plan->budgets[0].limit);
  EXPECT_TRUE(plan::Verify(*plan).ok()) << plan::Verify(*plan);
  EXPECT_EQ(plan::ParsePlan(plan::ToJson(*plan)).value(), *plan);
}

// One measurement, many answers: a looser budget never gives a worse plan.
TEST_F(PipelineFmnist, LooserBudgetsAreNeverWorse) {
  ASSERT_TRUE(measured_->ok()) << measured_->status();
  double before = std::numeric_limits<double>::infinity();
  for (const double factor : {0.3, 0.4, 0.5, 0.6, 0.75, 1.0}) {
    const absl::StatusOr<Plan> plan = Search({fmt::format("size={}x", factor)});
    ASSERT_TRUE(plan.ok()) << plan.status();
    EXPECT_EQ(plan->termination, Termination::kOptimal);
    EXPECT_LE(plan->objective, before + plan->optimality_tolerance);
    before = plan->objective;
  }
}

TEST_F(PipelineFmnist, SizeAndBopsTogether) {
  ASSERT_TRUE(measured_->ok()) << measured_->status();
  const absl::StatusOr<Plan> plan = Search({"size=0.5x", "bops=0.45x"});
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->termination, Termination::kOptimal);
  EXPECT_TRUE(plan::Verify(*plan).ok());
}

TEST_F(PipelineFmnist, ImpossibleBudgetIsAnAnswer) {
  ASSERT_TRUE(measured_->ok()) << measured_->status();
  const absl::StatusOr<Plan> plan = Search({"size=1kB"});
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->termination, Termination::kInfeasible);
  EXPECT_GT(plan->budgets[0].least_achievable, plan->budgets[0].limit);
}

TEST_F(PipelineFmnist, WidthsThatTheDeviceLacksAreLeftOut) {
  ASSERT_TRUE(measured_->ok()) << measured_->status();
  const absl::StatusOr<Plan> plan = Search({"latency=1x"}, "nvidia-t4");
  ASSERT_TRUE(plan.ok()) << plan.status();
  for (const PlanLayer& layer : plan->layers) EXPECT_EQ(layer.chosen->option.weight_bits, 8) << layer.layer.name;
  EXPECT_THAT(plan->warnings, Contains(HasSubstr("as nvidia-t4 does not run them")));
}

TEST_F(PipelineFmnist, SameBitsOnAnyNumberOfThreads) {
  ASSERT_TRUE(measured_->ok()) << measured_->status();
  for (const int threads : {2, 4}) {
    const absl::StatusOr<Measurement> again = Run(threads, nullptr);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(pipeline::MeasurementToJson(*again), pipeline::MeasurementToJson(**measured_)) << threads;
  }
}

TEST_F(PipelineFmnist, MeasurementIsReadBackBitForBit) {
  ASSERT_TRUE(measured_->ok()) << measured_->status();
  const std::string json = pipeline::MeasurementToJson(**measured_);
  const absl::StatusOr<Measurement> read = pipeline::ParseMeasurement(json);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->sensitivity, (*measured_)->sensitivity);
  EXPECT_EQ(pipeline::MeasurementToJson(*read), json);
}

}  // namespace
}  // namespace bitplan
