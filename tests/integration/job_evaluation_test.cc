// Jobs that run their plan on held-out data: what they answer, when the evaluation fails, cancel, restart.

#include <gmock/gmock.h>
#include <google/protobuf/empty.pb.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <set>

#include "proto/convert/evaluation.h"
#include "search/base/rng.h"
#include "search/base/status.h"
#include "search/pipeline/run_evaluation.h"
#include "search/plan/plan_json.h"
#include "tests/testing/npz_builder.h"
#include "tests/testing/server/test_server.h"

namespace bitplan::testing {
namespace {

using absl::StatusCode;
using std::chrono::milliseconds;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

// Samples of the tiny network with images of `size` x `size`; 6 is what it takes.
std::string HeldOut(int num_samples, int size = 6) {
  data::Array images = FilledArray({num_samples, 1, size, size}, 0);
  Rng rng(11, 0);
  for (float& pixel : std::get<FloatVector>(images.data)) pixel = static_cast<float>(rng.NextGaussian());
  return MakeNpzOf({{"images", images}, {"labels", CountingLabels(num_samples, 3)}});
}

std::string Upload(RpcClient& client, const std::string& npz) {
  v1::Dataset dataset;
  const RpcStatus status = client.UploadDataset(npz, {}, &dataset);
  EXPECT_TRUE(status.ok()) << status;
  return dataset.name();
}

// TinySearch, its plan run on `held_out`.
v1::CreateJobRequest EvaluatedSearch(const Uploaded& uploaded, const std::string& held_out) {
  v1::CreateJobRequest request = TinySearch(uploaded);
  request.mutable_job()->mutable_search()->mutable_evaluation()->set_dataset(held_out);
  return request;
}

v1::EvaluationSpec& SpecOf(v1::CreateJobRequest& request) {
  return *request.mutable_job()->mutable_search()->mutable_evaluation();
}

// So many samples that an evaluation takes seconds: to be in the middle of.
constexpr int kManySamples = 400'000;

// Returns once the job reports that it runs networks.
void WaitForEvaluation(RpcClient& client, const std::string& name) {
  v1::WatchJobRequest request;
  request.set_name(name);
  client.Watch(request, [&](const v1::JobEvent& event) {
    EXPECT_LT(event.state_change().state(), v1::JOB_STATE_SUCCEEDED) << "ended before it could be interrupted";
    return event.progress().stage() != "evaluation";
  });
}

v1::Plan GetPlan(RpcClient& client, const std::string& name) {
  v1::GetPlanRequest request;
  request.set_name(name);
  v1::Plan plan;
  EXPECT_TRUE(client.Call("PlanService/GetPlan", request, &plan).ok());
  return plan;
}

Plan ExportPlan(RpcClient& client, const std::string& name) {
  v1::ExportPlanRequest request;
  request.set_name(name);
  v1::ExportPlanResponse response;
  EXPECT_TRUE(client.Call("PlanService/ExportPlan", request, &response).ok());
  return plan::ParsePlan(response.content()).value();
}

template <typename Response>
Response ListOf(RpcClient& client, const std::string& method) {
  v1::ListPlansRequest request;  // the same fields in every list request
  request.set_parent("projects/p");
  Response response;
  EXPECT_TRUE(client.Call(method, request, &response).ok());
  return response;
}

RpcStatus Refusal(RpcClient& client, const v1::CreateJobRequest& request) {
  google::protobuf::Empty ignored;
  return client.Call("JobService/CreateJob", request, &ignored);
}

TEST(JobEvaluation, IsWhatThePipelineGivesAndIsKept) {
  TestServer server;
  const Uploaded uploaded = UploadTiny(server.client());
  const std::string held_out = HeldOut(30);
  const v1::Job created = CreateJob(server.client(), EvaluatedSearch(uploaded, Upload(server.client(), held_out)));
  EXPECT_FALSE(created.has_evaluation());
  const v1::Job job = WaitForEnd(server.client(), created.name());
  ASSERT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.error().message();
  ASSERT_TRUE(job.has_evaluation()) << job.evaluation_error().message();

  // Bit for bit what the core gives for the same plan; activations stay float, as for the sensitivities.
  const Plan plan = ExportPlan(server.client(), job.plan());
  const std::string model = TinyModelBytes();
  const auto expected = pipeline::Evaluate({.onnx = model, .held_out = held_out, .calibration = "", .plan = plan}, {});
  ASSERT_TRUE(expected.ok()) << expected.status();
  const auto got = convert::ToEvaluation(job.evaluation());
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(*got, *expected);

  EXPECT_EQ(job.evaluation().plan_digest(), GetPlan(server.client(), job.plan()).digest());
  EXPECT_EQ(job.evaluation().num_samples(), 30);
  EXPECT_EQ(job.evaluation().layers_size(), 2);
  EXPECT_EQ(job.evaluation().uniform_size(), 6);  // 2, 3, 4, 5, 6, 8 bits
  EXPECT_TRUE(job.evaluation().has_reference_bits());
  EXPECT_THAT(job.evaluation().verdict(), HasSubstr("uniform"));
  EXPECT_THAT(job.evaluation().verdict(),
              HasSubstr(expected->loss_below_reference->mean > 0 ? "the plan beats" : "does not beat"));

  const v1::Job listed = ListOf<v1::ListJobsResponse>(server.client(), "JobService/ListJobs").jobs(0);
  EXPECT_EQ(listed.evaluation().verdict(), job.evaluation().verdict());
  EXPECT_EQ(listed.evaluation().layers_size(), 0);

  server.Restart(milliseconds(0));
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(GetJob(server.client(), job.name()), job));
}

TEST(JobEvaluation, QuantizesActivationsAsTheSensitivitiesDoUnlessTold) {
  TestServer server;
  RpcClient& client = server.client();
  const Uploaded uploaded = UploadTiny(client);
  v1::CreateJobRequest request = EvaluatedSearch(uploaded, Upload(client, HeldOut(30)));
  v1::MeasureConfig& config = *request.mutable_job()->mutable_search()->mutable_measure()->mutable_config();
  config.set_method("measured_loss");
  config.set_quantize_activations(true);
  config.set_activation_range("percentile");
  const v1::Job scored = WaitForEnd(client, CreateJob(client, request).name());
  ASSERT_TRUE(scored.has_evaluation()) << scored.evaluation_error().message();
  EXPECT_TRUE(GetPlan(client, scored.plan()).provenance().activations_scored());
  EXPECT_TRUE(scored.evaluation().quantized_activations());
  EXPECT_EQ(scored.evaluation().activation_range(), "percentile");
  EXPECT_THAT(scored.evaluation().notes(), Not(Contains(HasSubstr("the predicted increase"))));

  // On the measurement that is there, with activations left float: the result says that the prediction counts them.
  v1::CreateJobRequest again = request;
  again.mutable_job()->mutable_search()->set_measurement(scored.measurement());
  SpecOf(again).set_quantize_activations(false);
  SpecOf(again).set_max_samples(5);
  const v1::Job left_float = WaitForEnd(client, CreateJob(client, again).name());
  ASSERT_TRUE(left_float.has_evaluation()) << left_float.evaluation_error().message();
  EXPECT_EQ(left_float.plan(), scored.plan());
  EXPECT_EQ(left_float.evaluation().num_samples(), 5);
  EXPECT_FALSE(left_float.evaluation().quantized_activations());
  EXPECT_THAT(left_float.evaluation().notes(), Contains(HasSubstr("but they stay float in this evaluation")));
}

TEST(JobEvaluation, ThatFailsLeavesThePlanAndSaysWhy) {
  TestServer server;
  RpcClient& client = server.client();
  const Uploaded uploaded = UploadTiny(client);
  const v1::Job job =
      WaitForEnd(client, CreateJob(client, EvaluatedSearch(uploaded, Upload(client, HeldOut(4, 5)))).name());
  ASSERT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.error().message();
  EXPECT_TRUE(GetPlan(client, job.plan()).choices(0).has_option());
  EXPECT_FALSE(job.has_evaluation());
  EXPECT_EQ(job.evaluation_error().code(), static_cast<int>(StatusCode::kInvalidArgument));
  EXPECT_NE(job.evaluation_error().message(), "");
  EXPECT_GT(job.evaluation_error().details_size(), 0);
}

TEST(JobEvaluation, APlanWithoutAChoiceIsNotEvaluated) {
  TestServer server;
  RpcClient& client = server.client();
  v1::CreateJobRequest request = EvaluatedSearch(UploadTiny(client), Upload(client, HeldOut(4)));
  request.mutable_job()->mutable_search()->mutable_config()->mutable_budgets(0)->set_limit(1);
  const v1::Job job = WaitForEnd(client, CreateJob(client, request).name());
  ASSERT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.error().message();
  EXPECT_EQ(GetPlan(client, job.plan()).termination(), v1::TERMINATION_INFEASIBLE);
  EXPECT_EQ(job.evaluation_outcome_case(), v1::Job::EVALUATION_OUTCOME_NOT_SET);
}

TEST(JobEvaluation, WhatIsWrongIsRefusedBeforeMeasuring) {
  TestServer server;
  RpcClient& client = server.client();
  const v1::CreateJobRequest good = EvaluatedSearch(UploadTiny(client), Upload(client, HeldOut(4)));
  const auto refused_field = [&](auto spoil) {
    v1::CreateJobRequest bad = good;
    spoil(SpecOf(bad));
    return Refusal(client, bad).field();
  };
  const std::string path = "job.search.evaluation.";
  EXPECT_EQ(refused_field([](auto& spec) { spec.clear_dataset(); }), path + "dataset");
  EXPECT_EQ(refused_field([](auto& spec) { spec.set_dataset("projects/q/datasets/d"); }), path + "dataset");
  EXPECT_EQ(refused_field([](auto& spec) { spec.set_dataset("projects/p/datasets/none"); }), path + "dataset");
  EXPECT_EQ(refused_field([](auto& spec) { spec.set_model("projects/p/models/none"); }), path + "model");
  EXPECT_EQ(refused_field([](auto& spec) {
              spec.set_quantize_activations(true);
              spec.set_calibration("projects/p/datasets/none");
            }),
            path + "calibration");
  EXPECT_EQ(refused_field([](auto& spec) { spec.set_max_samples(-1); }), path + "max_samples");
  EXPECT_EQ(refused_field([](auto& spec) { spec.set_activation_range("wide"); }), path + "activation_range");
  EXPECT_FALSE(Refusal(client,
                       [&] {
                         v1::CreateJobRequest bad = good;
                         SpecOf(bad).set_loss("regret");
                         return bad;
                       }())
                   .ok());
}

TEST(JobEvaluation, AnImportedMeasurementNeedsAModelAndDataForActivations) {
  TestServer server;
  RpcClient& client = server.client();
  const Uploaded uploaded = UploadTiny(client);
  v1::ImportMeasurementRequest import;
  import.set_parent("projects/p");
  for (const auto& [name, kind, weights] : {std::tuple{"conv", "conv", 36}, std::tuple{"fc", "gemm", 432}}) {
    v1::MeasuredLayer& layer = *import.mutable_table()->add_layers();
    layer.mutable_layer()->set_name(name);
    layer.mutable_layer()->set_kind(kind);
    layer.mutable_layer()->set_num_weights(weights);
    for (const int bits : {4, 8}) {
      v1::MeasuredOption& option = *layer.add_options();
      option.mutable_option()->set_weight_bits(bits);
      option.mutable_option()->set_scheme("symmetric");
      option.mutable_option()->set_granularity("per_tensor");
      option.set_sensitivity(1.0 / bits);
    }
  }
  v1::Measurement measurement;
  const RpcStatus imported = client.Call("MeasurementService/ImportMeasurement", import, &measurement);
  ASSERT_TRUE(imported.ok()) << imported;

  v1::CreateJobRequest request = EvaluatedSearch(uploaded, Upload(client, HeldOut(30)));
  request.mutable_job()->mutable_search()->set_measurement(measurement.name());
  request.mutable_job()->mutable_search()->mutable_config()->mutable_budgets(0)->set_relative_to_uniform_8(0.9);
  EXPECT_EQ(Refusal(client, request).field(), "job.search.evaluation.model");
  SpecOf(request).set_model(uploaded.model.name());
  SpecOf(request).set_quantize_activations(true);
  EXPECT_EQ(Refusal(client, request).field(), "job.search.evaluation.calibration");
  SpecOf(request).set_calibration(uploaded.dataset.name());
  const v1::Job job = WaitForEnd(client, CreateJob(client, request).name());
  ASSERT_TRUE(job.has_evaluation()) << job.error().message() << job.evaluation_error().message();
  EXPECT_TRUE(job.evaluation().quantized_activations());
  EXPECT_FALSE(GetPlan(client, job.plan()).provenance().has_activations_scored());
  EXPECT_THAT(job.evaluation().notes(), Contains(HasSubstr("is not known")));
}

TEST(JobEvaluation, CancelReachesItAndThePlanStays) {
  TestServer server;
  RpcClient& client = server.client();
  const Uploaded uploaded = UploadTiny(client);
  const v1::Job job = CreateJob(client, EvaluatedSearch(uploaded, Upload(client, HeldOut(kManySamples))));
  WaitForEvaluation(client, job.name());
  v1::CancelJobRequest cancel;
  cancel.set_name(job.name());
  google::protobuf::Empty ignored;
  EXPECT_TRUE(client.Call("JobService/CancelJob", cancel, &ignored).ok());
  EXPECT_EQ(WaitForEnd(client, job.name()).state(), v1::JOB_STATE_CANCELLED);
  EXPECT_EQ(ListOf<v1::ListPlansResponse>(client, "PlanService/ListPlans").plans_size(), 1);
}

TEST(JobEvaluation, ARestartInItMeasuresAndSolvesNothingAgain) {
  TestServer server;
  const Uploaded uploaded = UploadTiny(server.client());
  // Traces that take a second, so that measuring again would be seen in the progress.
  v1::CreateJobRequest request = EndlessSearch(uploaded);
  request.mutable_job()->mutable_search()->mutable_measure()->mutable_config()->mutable_estimator()->set_max_probes(
      10'000);
  SpecOf(request).set_dataset(Upload(server.client(), HeldOut(kManySamples)));
  const v1::Job job = CreateJob(server.client(), request);
  WaitForEvaluation(server.client(), job.name());
  server.Restart(milliseconds(0));
  v1::WatchJobRequest watch;
  watch.set_name(job.name());
  watch.set_after_sequence(GetJob(server.client(), job.name()).sequence());
  std::set<std::string> stages;
  server.client().Watch(watch, [&](const v1::JobEvent& event) {
    if (event.has_progress()) stages.insert(event.progress().stage());
    return true;
  });
  EXPECT_THAT(stages, Contains("evaluation"));
  for (const std::string& stage : stages) EXPECT_THAT((std::set<std::string>{"load", "evaluation"}), Contains(stage));
  const v1::Job resumed = GetJob(server.client(), job.name());
  ASSERT_TRUE(resumed.has_evaluation()) << resumed.error().message() << resumed.evaluation_error().message();
  EXPECT_EQ(resumed.attempt(), 2);
  EXPECT_EQ(
      ListOf<v1::ListMeasurementsResponse>(server.client(), "MeasurementService/ListMeasurements").measurements_size(),
      1);
  EXPECT_EQ(resumed.evaluation().num_samples(), kManySamples);
  EXPECT_EQ(resumed.evaluation().plan_digest(), GetPlan(server.client(), resumed.plan()).digest());
}

}  // namespace
}  // namespace bitplan::testing
