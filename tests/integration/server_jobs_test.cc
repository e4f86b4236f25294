// Jobs over real gRPC: run, watch, cancel, list, refuse.

#include <gmock/gmock.h>
#include <google/protobuf/empty.pb.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <thread>

#include "search/sensitivity/estimate.h"
#include "tests/testing/server/test_server.h"

namespace bitplan::testing {
namespace {

using absl::StatusCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

MATCHER(IsOk, "") { return arg.ok(); }
MATCHER_P(HasCode, code, "") { return arg.code == code && arg.reason() == absl::StatusCodeToString(code); }

template <typename Response, typename Request>
Response MustCall(RpcClient& client, std::string_view method, const Request& request) {
  Response response;
  const RpcStatus status = client.Call(method, request, &response);
  EXPECT_TRUE(status.ok()) << method << ": " << status;
  return response;
}

template <typename Request>
RpcStatus CallForStatus(RpcClient& client, std::string_view method, const Request& request) {
  google::protobuf::Empty ignored;
  return client.Call(method, request, &ignored);
}

v1::ListJobsResponse ListJobs(RpcClient& client, const std::vector<v1::JobState>& states = {}, int page_size = 0,
                              const std::string& token = "") {
  v1::ListJobsRequest request;
  request.set_parent("projects/p");
  request.set_page_size(page_size);
  request.set_page_token(token);
  for (const v1::JobState state : states) request.add_states(state);
  return MustCall<v1::ListJobsResponse>(client, "JobService/ListJobs", request);
}

v1::Job Cancel(RpcClient& client, const std::string& name) {
  v1::CancelJobRequest request;
  request.set_name(name);
  return MustCall<v1::Job>(client, "JobService/CancelJob", request);
}

// All events of a job from after_sequence on, until the stream ends.
std::vector<v1::JobEvent> EventsOf(RpcClient& client, const std::string& name, int64_t after_sequence = 0) {
  v1::WatchJobRequest request;
  request.set_name(name);
  request.set_after_sequence(after_sequence);
  std::vector<v1::JobEvent> events;
  const RpcStatus status = client.Watch(request, [&](const v1::JobEvent& event) {
    events.push_back(event);
    return true;
  });
  EXPECT_TRUE(status.ok()) << status;
  return events;
}

std::vector<v1::JobState> StatesOf(const std::vector<v1::JobEvent>& events) {
  std::vector<v1::JobState> states;
  for (const auto& event : events) {
    if (event.has_state_change()) states.push_back(event.state_change().state());
  }
  return states;
}

TEST(Jobs, ASearchMeasuresSolvesAndStores) {
  TestServer server;
  RpcClient& client = server.client();
  const Uploaded uploaded = UploadTiny(client);
  v1::CreateJobRequest request = TinySearch(uploaded);
  request.mutable_job()->set_display_name("first light");
  const v1::Job created = CreateJob(client, request);
  EXPECT_THAT(created.name(), HasSubstr("projects/p/jobs/"));
  EXPECT_EQ(created.display_name(), "first light");
  EXPECT_EQ(created.search().measure().model(), uploaded.model.name());

  const v1::Job job = WaitForEnd(client, created.name());
  ASSERT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.error().message();
  EXPECT_EQ(job.attempt(), 1);
  EXPECT_FALSE(job.has_error());
  EXPECT_GT(job.end_time().seconds(), 0);

  v1::GetMeasurementRequest get_measurement;
  get_measurement.set_name(job.measurement());
  const auto measurement = MustCall<v1::Measurement>(client, "MeasurementService/GetMeasurement", get_measurement);
  EXPECT_EQ(measurement.method(), "logit_superposition");
  EXPECT_EQ(measurement.loss(), "label_free_cross_entropy");
  EXPECT_EQ(measurement.model(), uploaded.model.name());
  EXPECT_EQ(measurement.dataset(), uploaded.dataset.name());
  EXPECT_EQ(measurement.provenance().model_digest(), uploaded.model.digest());
  EXPECT_EQ(measurement.config().estimator().max_probes(), SensitivityOptions().max_probes);
  EXPECT_EQ(measurement.num_samples(), 8);
  ASSERT_EQ(measurement.layers_size(), 2);
  EXPECT_EQ(measurement.layers(0).options_size(), 6 * 2 * 2);
  v1::GetPlanRequest get_plan;
  get_plan.set_name(job.plan());
  const auto plan = MustCall<v1::Plan>(client, "PlanService/GetPlan", get_plan);
  EXPECT_EQ(plan.predictor(), "logit_superposition");
  EXPECT_GT(plan.objective_standard_error(), 0);
  EXPECT_LE(plan.bound(), plan.objective());
  EXPECT_EQ(plan.measurement(), job.measurement());
  EXPECT_EQ(plan.display_name(), "first light");
  EXPECT_EQ(plan.choices_size(), 2);
  EXPECT_LE(plan.budgets(0).used(), plan.budgets(0).limit());
}

// A search that lists no widths has those of its device measured.
TEST(Jobs, WidthsAreTheDevicesWhereNoneAreListed) {
  TestServer server;
  RpcClient& client = server.client();
  v1::CreateJobRequest request = TinySearch(UploadTiny(client));
  request.mutable_job()->mutable_search()->mutable_config()->set_profile("nvidia-t4");
  request.mutable_job()->mutable_search()->mutable_measure()->mutable_config()->clear_options();
  const v1::Job job = WaitForEnd(client, CreateJob(client, request).name());
  ASSERT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.error().message();
  v1::GetMeasurementRequest get_measurement;
  get_measurement.set_name(job.measurement());
  const auto measurement = MustCall<v1::Measurement>(client, "MeasurementService/GetMeasurement", get_measurement);
  EXPECT_THAT(measurement.config().options().weight_bits(), ElementsAre(4, 8));
  EXPECT_EQ(measurement.layers(0).options_size(), 2 * 2 * 2);
  for (const auto& option : measurement.layers(0).options()) {
    EXPECT_EQ(option.option().activation_bits(), option.option().weight_bits());
  }
}

TEST(Jobs, HawqsMeasurementsCarryTracesAndItsPlansAreProvenOptimal) {
  TestServer server;
  RpcClient& client = server.client();
  v1::CreateJobRequest request = TinySearch(UploadTiny(client));
  request.mutable_job()->mutable_search()->mutable_measure()->mutable_config()->set_method("hawq_v2");
  const v1::Job job = WaitForEnd(client, CreateJob(client, request).name());
  ASSERT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.error().message();
  v1::GetMeasurementRequest get_measurement;
  get_measurement.set_name(job.measurement());
  const auto measurement = MustCall<v1::Measurement>(client, "MeasurementService/GetMeasurement", get_measurement);
  const auto& curvature = measurement.layers(0).curvature();
  EXPECT_GT(curvature.trace().num_probes(), 0);
  EXPECT_EQ(curvature.average_trace(), curvature.trace().trace() / 36);
  v1::GetPlanRequest get_plan;
  get_plan.set_name(job.plan());
  const auto plan = MustCall<v1::Plan>(client, "PlanService/GetPlan", get_plan);
  EXPECT_EQ(plan.termination(), v1::TERMINATION_OPTIMAL);
  EXPECT_EQ(plan.predictor(), "");
}

TEST(Jobs, MeasureOnceSolveMany) {
  TestServer server;
  RpcClient& client = server.client();
  const Uploaded uploaded = UploadTiny(client);
  const v1::Job first = WaitForEnd(client, CreateJob(client, TinySearch(uploaded)).name());
  v1::CreateJobRequest tighter = TinySearch(uploaded);
  tighter.mutable_job()->mutable_search()->mutable_config()->mutable_budgets(0)->set_relative_to_uniform_8(0.4);
  const v1::Job second = WaitForEnd(client, CreateJob(client, tighter).name());
  ASSERT_EQ(second.state(), v1::JOB_STATE_SUCCEEDED) << second.error().message();
  EXPECT_EQ(second.measurement(), first.measurement());
  EXPECT_NE(second.plan(), first.plan());
  v1::ListMeasurementsRequest list;
  list.set_parent("projects/p");
  EXPECT_EQ(
      MustCall<v1::ListMeasurementsResponse>(client, "MeasurementService/ListMeasurements", list).measurements_size(),
      1);
  // The unary Search on that measurement gives the plan that the job gave.
  const auto plan = MustCall<v1::Plan>(client, "PlanService/Search", SizeSearch(first.measurement(), 0.4));
  v1::GetPlanRequest get;
  get.set_name(second.plan());
  EXPECT_EQ(plan.digest(), MustCall<v1::Plan>(client, "PlanService/GetPlan", get).digest());
  // A job on the measurement itself needs no model.
  v1::CreateJobRequest solve;
  solve.set_parent("projects/p");
  solve.mutable_job()->mutable_search()->set_measurement(first.measurement());
  *solve.mutable_job()->mutable_search()->mutable_config() = tighter.job().search().config();
  EXPECT_EQ(WaitForEnd(client, CreateJob(client, solve).name()).plan(), second.plan());
}

TEST(Jobs, AnotherSeedIsAnotherMeasurement) {
  TestServer server;
  RpcClient& client = server.client();
  const Uploaded uploaded = UploadTiny(client);
  v1::CreateJobRequest request;
  request.set_parent("projects/p");
  *request.mutable_job()->mutable_measure() = TinySearch(uploaded).job().search().measure();
  const v1::Job first = WaitForEnd(client, CreateJob(client, request).name());
  ASSERT_EQ(first.state(), v1::JOB_STATE_SUCCEEDED) << first.error().message();
  EXPECT_EQ(first.plan(), "");
  request.mutable_job()->mutable_measure()->mutable_config()->set_seed(5);
  EXPECT_NE(WaitForEnd(client, CreateJob(client, request).name()).measurement(), first.measurement());
}

TEST(Jobs, AnInfeasibleBudgetIsASuccess) {
  TestServer server;
  RpcClient& client = server.client();
  v1::CreateJobRequest request = TinySearch(UploadTiny(client));
  request.mutable_job()->mutable_search()->mutable_config()->mutable_budgets(0)->set_limit(1);
  const v1::Job job = WaitForEnd(client, CreateJob(client, request).name());
  ASSERT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.error().message();
  v1::GetPlanRequest get;
  get.set_name(job.plan());
  EXPECT_EQ(MustCall<v1::Plan>(client, "PlanService/GetPlan", get).termination(), v1::TERMINATION_INFEASIBLE);
}

TEST(Jobs, AFailedJobIsAnOkAnswerWithAStatus) {
  TestServer server;
  RpcClient& client = server.client();
  const Uploaded uploaded = UploadTiny(client);
  v1::CreateJobRequest request = TinySearch(uploaded);
  request.mutable_job()->mutable_search()->mutable_measure()->mutable_config()->set_loss("mean_squared_error");
  const v1::Job job = WaitForEnd(client, CreateJob(client, request).name());
  EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(job.error().code(), static_cast<int>(StatusCode::kInvalidArgument)) << job.error().message();
  EXPECT_GT(job.error().details_size(), 0);
  EXPECT_EQ(job.plan(), "");
}

TEST(Watch, TellsEveryStateOnceAndEndsWithTheLast) {
  TestServer server;
  RpcClient& client = server.client();
  const v1::Job created = CreateJob(client, TinySearch(UploadTiny(client)));
  const auto events = EventsOf(client, created.name());
  EXPECT_THAT(StatesOf(events), ElementsAre(v1::JOB_STATE_QUEUED, v1::JOB_STATE_RUNNING, v1::JOB_STATE_SUCCEEDED));
  ASSERT_FALSE(events.empty());
  EXPECT_TRUE(events.back().has_state_change());
  EXPECT_NE(events.back().state_change().plan(), "");
  int64_t last = 0;
  for (const auto& event : events) {
    if (event.has_state_change()) {
      EXPECT_EQ(event.sequence(), last + 1);
      EXPECT_EQ(event.state_change().sequence(), event.sequence());
    }
    last = event.sequence();
  }
  // Each state change shows the job as it was then.
  for (const auto& event : events) {
    if (!event.has_state_change()) continue;
    const v1::Job& job = event.state_change();
    EXPECT_EQ(job.has_end_time(), job.state() >= v1::JOB_STATE_SUCCEEDED);
  }
}

TEST(Watch, ResumesAfterASequence) {
  TestServer server;
  RpcClient& client = server.client();
  const v1::Job job = WaitForEnd(client, CreateJob(client, TinySearch(UploadTiny(client))).name());
  EXPECT_EQ(job.sequence(), 3);
  EXPECT_THAT(StatesOf(EventsOf(client, job.name(), 1)), ElementsAre(v1::JOB_STATE_RUNNING, v1::JOB_STATE_SUCCEEDED));
  EXPECT_THAT(StatesOf(EventsOf(client, job.name(), 3)), ElementsAre());
  v1::WatchJobRequest beyond;
  beyond.set_name(job.name());
  beyond.set_after_sequence(4);
  const RpcStatus status = client.Watch(beyond, [](const v1::JobEvent&) { return true; });
  EXPECT_THAT(status, HasCode(StatusCode::kInvalidArgument));
  EXPECT_EQ(status.field(), "after_sequence");
}

TEST(Watch, CarriesTypedProgress) {
  TestServer server;
  RpcClient& client = server.client();
  const v1::Job created = CreateJob(client, EndlessSearch(UploadTiny(client)));
  v1::WatchJobRequest request;
  request.set_name(created.name());
  for (const int after_sequence : {0, 2}) {  // from the beginning; from RUNNING on, which the watcher then does not see
    request.set_after_sequence(after_sequence);
    v1::JobProgress progress;
    const RpcStatus status = client.Watch(request, [&](const v1::JobEvent& event) {
      if (event.progress().probes() > 0) progress = event.progress();
      return progress.probes() == 0;
    });
    EXPECT_EQ(status.code, StatusCode::kCancelled);
    EXPECT_EQ(progress.stage(), "traces");
    EXPECT_GT(progress.relative_standard_error(), 0);
    // Since the job began, not since 1970.
    EXPECT_TRUE(progress.has_elapsed());
    EXPECT_LT(progress.elapsed().seconds(), 24 * 3600);
  }
  EXPECT_GT(GetJob(client, created.name()).progress().probes(), 0);
}

TEST(Watch, QuietJobsGetBookmarks) {
  TestServer server([](server::Config& config) { config.bookmark_interval_ms = 20; });
  RpcClient& client = server.client();
  const Uploaded uploaded = UploadTiny(client);
  CreateJob(client, EndlessSearch(uploaded));                          // keeps the worker
  const v1::Job waiting = CreateJob(client, EndlessSearch(uploaded));  // stays QUEUED
  v1::WatchJobRequest request;
  request.set_name(waiting.name());
  request.set_after_sequence(1);
  int bookmarks = 0;
  client.Watch(request, [&](const v1::JobEvent& event) {
    EXPECT_TRUE(event.has_bookmark());
    EXPECT_EQ(event.sequence(), 1);
    return ++bookmarks < 3;
  });
  EXPECT_EQ(bookmarks, 3);
}

TEST(Watch, ManyAtATimeAreRefused) {
  TestServer server([](server::Config& config) { config.max_watches = 1; });
  RpcClient& client = server.client();
  const v1::Job job = CreateJob(client, EndlessSearch(UploadTiny(client)));
  v1::WatchJobRequest request;
  request.set_name(job.name());
  RpcStatus second;
  client.Watch(request, [&](const v1::JobEvent&) {
    second = RpcClient(server.server().address()).Watch(request, [](const v1::JobEvent&) { return true; });
    return false;
  });
  EXPECT_THAT(second, HasCode(StatusCode::kResourceExhausted));
  EXPECT_TRUE(second.retry_seconds().has_value());
}

TEST(Cancel, AQueuedJobAtOnce) {
  TestServer server;
  RpcClient& client = server.client();
  const Uploaded uploaded = UploadTiny(client);
  CreateJob(client, EndlessSearch(uploaded));
  const v1::Job waiting = CreateJob(client, EndlessSearch(uploaded));
  const v1::Job cancelled = Cancel(client, waiting.name());
  EXPECT_EQ(cancelled.state(), v1::JOB_STATE_CANCELLED);
  EXPECT_EQ(cancelled.error().code(), static_cast<int>(StatusCode::kCancelled));
  EXPECT_EQ(Cancel(client, waiting.name()).state(), v1::JOB_STATE_CANCELLED);  // asking again is fine
  EXPECT_THAT(StatesOf(EventsOf(client, waiting.name())), ElementsAre(v1::JOB_STATE_QUEUED, v1::JOB_STATE_CANCELLED));
}

TEST(Cancel, ARunningJobReachesTheCompute) {
  TestServer server;
  RpcClient& client = server.client();
  const Uploaded uploaded = UploadTiny(client);
  const v1::Job job = CreateJob(client, EndlessSearch(uploaded));
  WaitForProbes(client, job.name());
  Cancel(client, job.name());
  EXPECT_EQ(WaitForEnd(client, job.name()).state(), v1::JOB_STATE_CANCELLED);
  // The worker is free again.
  EXPECT_EQ(WaitForEnd(client, CreateJob(client, TinySearch(uploaded)).name()).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST(Cancel, AFinishedJobIsRefused) {
  TestServer server;
  RpcClient& client = server.client();
  const v1::Job job = WaitForEnd(client, CreateJob(client, TinySearch(UploadTiny(client))).name());
  v1::CancelJobRequest request;
  request.set_name(job.name());
  EXPECT_THAT(CallForStatus(client, "JobService/CancelJob", request), HasCode(StatusCode::kFailedPrecondition));
}

TEST(Create, RequestIdMakesItIdempotent) {
  TestServer server;
  RpcClient& client = server.client();
  v1::CreateJobRequest request = TinySearch(UploadTiny(client));
  request.set_request_id("again");
  const v1::Job first = CreateJob(client, request);
  EXPECT_EQ(CreateJob(client, request).name(), first.name());
  EXPECT_EQ(ListJobs(client).jobs_size(), 1);
  request.mutable_job()->mutable_search()->mutable_config()->mutable_budgets(0)->set_relative_to_uniform_8(0.3);
  EXPECT_THAT(CallForStatus(client, "JobService/CreateJob", request), HasCode(StatusCode::kAlreadyExists));
  request.clear_request_id();
  EXPECT_NE(CreateJob(client, request).name(), first.name());
}

TEST(Create, ValidateOnlyStoresNothing) {
  TestServer server;
  RpcClient& client = server.client();
  v1::CreateJobRequest request = TinySearch(UploadTiny(client));
  request.set_validate_only(true);
  request.set_request_id("r");
  const v1::Job job = CreateJob(client, request);
  EXPECT_EQ(job.name(), "");
  EXPECT_EQ(job.search().measure().model(), request.job().search().measure().model());
  EXPECT_EQ(ListJobs(client).jobs_size(), 0);
}

TEST(Create, AFullQueueSaysWhenToComeBack) {
  TestServer server([](server::Config& config) { config.max_queued_jobs = 1; });
  RpcClient& client = server.client();
  const v1::CreateJobRequest endless = EndlessSearch(UploadTiny(client));
  WaitForProbes(client, CreateJob(client, endless).name());  // is with the worker, not in the queue
  CreateJob(client, endless);
  const RpcStatus status = CallForStatus(client, "JobService/CreateJob", endless);
  EXPECT_THAT(status, HasCode(StatusCode::kResourceExhausted));
  ASSERT_TRUE(status.retry_seconds().has_value());
  EXPECT_GE(*status.retry_seconds(), 1);
}

struct BadJob {
  std::string title;
  std::function<void(v1::CreateJobRequest&)> spoil;
  StatusCode code;
  std::string field;
};

class BadJobs : public ::testing::TestWithParam<BadJob> {};

TEST_P(BadJobs, NameTheField) {
  TestServer server;
  v1::CreateJobRequest request = TinySearch(UploadTiny(server.client()));
  GetParam().spoil(request);
  const RpcStatus status = CallForStatus(server.client(), "JobService/CreateJob", request);
  EXPECT_THAT(status, HasCode(GetParam().code)) << status;
  EXPECT_EQ(status.field(), GetParam().field) << status;
  EXPECT_EQ(ListJobs(server.client()).jobs_size(), 0);
}

v1::MeasureSpec& MeasureOf(v1::CreateJobRequest& request) {
  return *request.mutable_job()->mutable_search()->mutable_measure();
}

INSTANTIATE_TEST_SUITE_P(
    Create, BadJobs,
    ::testing::Values(
        BadJob{"NoParent", [](auto& r) { r.clear_parent(); }, StatusCode::kInvalidArgument, "parent"},
        BadJob{"NoSpec", [](auto& r) { r.clear_job(); }, StatusCode::kInvalidArgument, "job.spec"},
        BadJob{"NoSource", [](auto& r) { r.mutable_job()->mutable_search()->clear_source(); },
               StatusCode::kInvalidArgument, "job.search.source"},
        BadJob{"NoModel", [](auto& r) { MeasureOf(r).clear_model(); }, StatusCode::kInvalidArgument,
               "job.search.measure.model"},
        BadJob{"UnknownModel", [](auto& r) { MeasureOf(r).set_model("projects/p/models/0"); }, StatusCode::kNotFound,
               "job.search.measure.model"},
        BadJob{"DatasetOfAnotherProject", [](auto& r) { MeasureOf(r).set_dataset("projects/q/datasets/0"); },
               StatusCode::kInvalidArgument, "job.search.measure.dataset"},
        BadJob{"UnknownMethod", [](auto& r) { MeasureOf(r).mutable_config()->set_method("magic"); },
               StatusCode::kNotFound, "job.search.measure.config.method"},
        BadJob{"GivenIsNotMeasured", [](auto& r) { MeasureOf(r).mutable_config()->set_method("given"); },
               StatusCode::kInvalidArgument, "job.search.measure.config.method"},
        BadJob{"UnknownLoss", [](auto& r) { MeasureOf(r).mutable_config()->set_loss("hinge"); },
               StatusCode::kUnimplemented, "job.search.measure.config.loss"},
        BadJob{"WeightBits", [](auto& r) { MeasureOf(r).mutable_config()->mutable_options()->add_weight_bits(9); },
               StatusCode::kInvalidArgument, "job.search.measure.config.options.weight_bits[0]"},
        BadJob{"Scheme", [](auto& r) { MeasureOf(r).mutable_config()->mutable_options()->add_schemes("nonary"); },
               StatusCode::kNotFound, "job.search.measure.config.options.schemes[0]"},
        BadJob{"Granularity",
               [](auto& r) { MeasureOf(r).mutable_config()->mutable_options()->add_granularities("per_atom"); },
               StatusCode::kInvalidArgument, "job.search.measure.config.options.granularities[0]"},
        BadJob{"Probes", [](auto& r) { MeasureOf(r).mutable_config()->mutable_estimator()->set_max_probes(1); },
               StatusCode::kInvalidArgument, "job.search.measure.config.estimator.max_probes"},
        BadJob{"Budget",
               [](auto& r) { r.mutable_job()->mutable_search()->mutable_config()->mutable_budgets(0)->set_limit(-5); },
               StatusCode::kInvalidArgument, "job.search.config.budgets[0].limit"},
        BadJob{"RequestId", [](auto& r) { r.set_request_id(std::string(65, 'r')); }, StatusCode::kInvalidArgument,
               "request_id"},
        BadJob{"DisplayName", [](auto& r) { r.mutable_job()->set_display_name("\x01"); }, StatusCode::kInvalidArgument,
               "job.display_name"}),
    [](const auto& info) { return info.param.title; });

TEST(List, FiltersAndPages) {
  TestServer server;
  RpcClient& client = server.client();
  const Uploaded uploaded = UploadTiny(client);
  const v1::Job done = WaitForEnd(client, CreateJob(client, TinySearch(uploaded)).name());
  const v1::Job running = CreateJob(client, EndlessSearch(uploaded));
  WaitForProbes(client, running.name());
  std::vector<std::string> queued;
  for (int i = 0; i < 3; ++i) queued.insert(queued.begin(), CreateJob(client, EndlessSearch(uploaded)).name());

  EXPECT_EQ(ListJobs(client).jobs_size(), 5);
  EXPECT_EQ(ListJobs(client, {v1::JOB_STATE_SUCCEEDED}).jobs(0).name(), done.name());
  EXPECT_EQ(ListJobs(client, {v1::JOB_STATE_RUNNING}).jobs(0).name(), running.name());
  EXPECT_EQ(ListJobs(client, {v1::JOB_STATE_RUNNING, v1::JOB_STATE_SUCCEEDED}).jobs_size(), 2);
  std::vector<std::string> paged;
  std::string token;
  do {
    const auto page = ListJobs(client, {v1::JOB_STATE_QUEUED}, 2, token);
    EXPECT_LE(page.jobs_size(), 2);
    for (const auto& job : page.jobs()) paged.push_back(job.name());
    token = page.next_page_token();
  } while (!token.empty());
  EXPECT_EQ(paged, queued);

  v1::ListJobsRequest bad;
  bad.set_parent("projects/p");
  bad.add_states(static_cast<v1::JobState>(99));
  EXPECT_EQ(CallForStatus(client, "JobService/ListJobs", bad).field(), "states[0]");
}

TEST(Jobs, UnknownOnesAreNotFound) {
  TestServer server;
  RpcClient& client = server.client();
  v1::GetJobRequest get;
  get.set_name("projects/p/jobs/nobody");
  EXPECT_THAT(CallForStatus(client, "JobService/GetJob", get), HasCode(StatusCode::kNotFound));
  v1::CancelJobRequest cancel;
  cancel.set_name(get.name());
  EXPECT_THAT(CallForStatus(client, "JobService/CancelJob", cancel), HasCode(StatusCode::kNotFound));
  v1::WatchJobRequest watch;
  watch.set_name(get.name());
  EXPECT_THAT(client.Watch(watch, [](const v1::JobEvent&) { return true; }), HasCode(StatusCode::kNotFound));
  watch.set_name("nonsense");
  EXPECT_EQ(client.Watch(watch, [](const v1::JobEvent&) { return true; }).field(), "name");
}

}  // namespace
}  // namespace bitplan::testing
