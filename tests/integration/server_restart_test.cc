// Drain and restart within one process: nothing that was acknowledged is lost, and jobs go on.

#include <gmock/gmock.h>
#include <google/protobuf/empty.pb.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <thread>

#include "tests/testing/server/test_server.h"

namespace bitplan::testing {
namespace {

using absl::StatusCode;
using std::chrono::milliseconds;

// Long enough to be in the middle of, short enough to wait for: a fixed number of probes on the tiny network.
v1::CreateJobRequest LongSearch(const Uploaded& uploaded, int64_t probes) {
  v1::CreateJobRequest request = EndlessSearch(uploaded);
  request.mutable_job()->mutable_search()->mutable_measure()->mutable_config()->mutable_estimator()->set_max_probes(
      probes);
  return request;
}

v1::Measurement MeasurementOf(RpcClient& client, const v1::Job& job) {
  v1::GetMeasurementRequest request;
  request.set_name(job.measurement());
  v1::Measurement measurement;
  EXPECT_TRUE(client.Call("MeasurementService/GetMeasurement", request, &measurement).ok());
  return measurement;
}

TEST(Restart, KeepsResourcesAndFinishedJobs) {
  TestServer server;
  const Uploaded uploaded = UploadTiny(server.client());
  const v1::Job job = WaitForEnd(server.client(), CreateJob(server.client(), TinySearch(uploaded)).name());
  const v1::Measurement measurement = MeasurementOf(server.client(), job);
  server.Restart(milliseconds(0));
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(GetJob(server.client(), job.name()), job));
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(MeasurementOf(server.client(), job), measurement));
  v1::GetModelRequest get;
  get.set_name(uploaded.model.name());
  v1::Model model;
  ASSERT_TRUE(server.client().Call("ModelService/GetModel", get, &model).ok());
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(model, uploaded.model));
}

TEST(Restart, ARunningJobGoesOnAndGivesTheSameBits) {
  constexpr int64_t kProbes = 40'000;
  TestServer undisturbed;
  const v1::Job reference =
      WaitForEnd(undisturbed.client(),
                 CreateJob(undisturbed.client(), LongSearch(UploadTiny(undisturbed.client()), kProbes)).name());
  ASSERT_EQ(reference.state(), v1::JOB_STATE_SUCCEEDED) << reference.error().message();

  TestServer server;
  const Uploaded uploaded = UploadTiny(server.client());
  const v1::Job running = CreateJob(server.client(), LongSearch(uploaded, kProbes));
  const v1::Job queued = CreateJob(server.client(), TinySearch(uploaded));
  WaitForProbes(server.client(), running.name());
  server.Restart(milliseconds(0));
  const v1::Job finished = WaitForEnd(server.client(), running.name());
  ASSERT_EQ(finished.state(), v1::JOB_STATE_SUCCEEDED) << finished.error().message();
  EXPECT_EQ(finished.attempt(), 2);
  EXPECT_EQ(finished.measurement(), reference.measurement());
  EXPECT_EQ(finished.plan(), reference.plan());
  v1::Measurement resumed = MeasurementOf(server.client(), finished);
  v1::Measurement straight = MeasurementOf(undisturbed.client(), reference);
  resumed.clear_create_time();
  straight.clear_create_time();
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(resumed, straight));
  EXPECT_EQ(WaitForEnd(server.client(), queued.name()).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST(Restart, AWatcherResumesWithoutGapOrRepeat) {
  TestServer server;
  const v1::Job job = CreateJob(server.client(), LongSearch(UploadTiny(server.client()), 40'000));
  v1::WatchJobRequest request;
  request.set_name(job.name());
  std::vector<int64_t> sequences;
  RpcClient watcher(server.server().address());
  std::atomic<bool> saw_probes = false;
  RpcStatus status;
  std::thread thread([&] {
    status = watcher.Watch(request, [&](const v1::JobEvent& event) {
      if (event.has_state_change()) sequences.push_back(event.sequence());
      if (event.progress().probes() > 0) saw_probes = true;
      return true;
    });
  });
  while (!saw_probes) std::this_thread::sleep_for(milliseconds(5));
  server.Stop(milliseconds(0));
  thread.join();
  EXPECT_EQ(status.code, StatusCode::kUnavailable) << status;
  server.Start();
  ASSERT_FALSE(sequences.empty());
  request.set_after_sequence(sequences.back());
  v1::JobState last = v1::JOB_STATE_UNSPECIFIED;
  status = server.client().Watch(request, [&](const v1::JobEvent& event) {
    if (event.has_state_change()) {
      sequences.push_back(event.sequence());
      last = event.state_change().state();
    }
    return true;
  });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(last, v1::JOB_STATE_SUCCEEDED);
  for (size_t i = 0; i < sequences.size(); ++i) EXPECT_EQ(sequences[i], static_cast<int64_t>(i) + 1);
}

TEST(Drain, RefusesNewWorkAndFinishesTheOld) {
  TestServer server;
  const Uploaded uploaded = UploadTiny(server.client());
  const v1::Job job = CreateJob(server.client(), LongSearch(uploaded, 20'000));
  WaitForProbes(server.client(), job.name());
  std::thread drain([&] { server.server().Drain(std::chrono::minutes(5)); });
  while (server.client().IsServing()) std::this_thread::sleep_for(milliseconds(5));
  v1::Job refused;
  const RpcStatus create = server.client().Call("JobService/CreateJob", TinySearch(uploaded), &refused);
  v1::Model model;
  const RpcStatus upload = server.client().UploadModel("anything", {}, &model);
  drain.join();
  EXPECT_EQ(create.code, StatusCode::kUnavailable) << create;
  EXPECT_EQ(upload.code, StatusCode::kUnavailable) << upload;
  server.Restart(milliseconds(0));
  const v1::Job finished = GetJob(server.client(), job.name());
  EXPECT_EQ(finished.state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(finished.attempt(), 1);
}

TEST(Start, RefusesAFolderInUse) {
  TestServer server;
  server::Config second = server.config();
  const auto refused = server::Server::Start(second);
  EXPECT_EQ(refused.status().code(), StatusCode::kFailedPrecondition) << refused.status();
}

TEST(Start, RefusesAPortInUse) {
  TestServer server;
  TempFolder other;
  server::Config second = server.config();
  second.data_dir = other.path().string();
  second.listen_address = server.server().address();
  const auto refused = server::Server::Start(second);
  EXPECT_EQ(refused.status().code(), StatusCode::kUnavailable) << refused.status();
}

}  // namespace
}  // namespace bitplan::testing
