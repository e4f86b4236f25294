#include <chrono>

#include "bitplan/v1/job.grpc.pb.h"
#include "proto/convert/field_path.h"
#include "search/base/digest.h"
#include "server/service/finish.h"
#include "server/service/job_messages.h"
#include "server/service/job_runner.h"
#include "server/service/names.h"
#include "server/service/resources.h"
#include "server/service/services.h"

namespace bitplan::service {
namespace {

// How often a quiet watch looks whether its client is still there.
constexpr std::chrono::milliseconds kWatchPoll{500};

absl::StatusOr<v1::Job> GetJobMessage(Backend& backend, const store::JobKey& key) {
  const auto view = backend.jobs->Get(key);
  if (absl::IsNotFound(view.status())) return NotFound("no such job: {}", store::JobName(key));
  BITPLAN_RETURN_IF_ERROR(view.status());
  return ToMessage(*view);
}

// What is stored of a request: nothing that the server sets itself.
v1::Job SpecOnly(v1::Job job) {
  v1::Job spec;
  spec.set_display_name(job.display_name());
  if (job.has_measure()) spec.mutable_measure()->Swap(job.mutable_measure());
  if (job.has_search()) spec.mutable_search()->Swap(job.mutable_search());
  return spec;
}

absl::StatusOr<v1::Job> Create(Backend& backend, const v1::CreateJobRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const std::string project, ParseParent("parent", request.parent()));
  BITPLAN_RETURN_IF_ERROR(CheckRequestId("request_id", request.request_id()));
  BITPLAN_RETURN_IF_ERROR(CheckDisplayName("job.display_name", request.job().display_name()));
  v1::Job job = SpecOnly(request.job());
  const std::string spec = SerializeDeterministically(job);
  const store::RequestKey request_key{
      .method = "CreateJob", .request_id = request.request_id(), .fingerprint = Sha256Hex(spec)};
  if (!request.request_id().empty() && !request.validate_only()) {
    const auto earlier = backend.store->FindRequest(project, request_key);
    if (!absl::IsNotFound(earlier.status())) {
      BITPLAN_RETURN_IF_ERROR(earlier.status());
      BITPLAN_ASSIGN_OR_RETURN(const store::JobKey key, ParseJobName("name", *earlier));
      return GetJobMessage(backend, key);
    }
  }
  BITPLAN_RETURN_IF_ERROR(convert::AtField("job", CheckJobSpec(backend, project, job)));
  if (request.validate_only()) return job;
  BITPLAN_ASSIGN_OR_RETURN(const store::Creation created,
                           backend.jobs->Submit({.key = {.project = project}, .spec = spec}, request_key));
  BITPLAN_ASSIGN_OR_RETURN(const store::JobKey key, ParseJobName("name", created.name));
  return GetJobMessage(backend, key);
}

absl::StatusOr<v1::Job> Get(Backend& backend, const v1::GetJobRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const store::JobKey key, ParseJobName("name", request.name()));
  return GetJobMessage(backend, key);
}

absl::StatusOr<std::vector<store::JobState>> ToStates(const v1::ListJobsRequest& request) {
  std::vector<store::JobState> states;
  for (int i = 0; i < request.states_size(); ++i) {
    const int value = request.states(i);
    if (value <= v1::JOB_STATE_UNSPECIFIED || value > v1::JobState_MAX) {
      return InvalidArgument("states[{}]: got {}, want a known state", i, value);
    }
    for (const auto state : {store::JobState::kQueued, store::JobState::kRunning, store::JobState::kSucceeded,
                             store::JobState::kFailed, store::JobState::kCancelled}) {
      if (ToMessage(state) == value) states.push_back(state);
    }
  }
  return states;
}

absl::StatusOr<v1::ListJobsResponse> List(Backend& backend, const v1::ListJobsRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const std::string project, ParseParent("parent", request.parent()));
  BITPLAN_ASSIGN_OR_RETURN(const auto states, ToStates(request));
  BITPLAN_ASSIGN_OR_RETURN(const auto options, ToListOptions(request.page_size(), request.page_token()));
  BITPLAN_ASSIGN_OR_RETURN(const auto page, backend.jobs->List(project, states, options));
  v1::ListJobsResponse response;
  for (const jobs::JobView& view : page.items) {
    BITPLAN_ASSIGN_OR_RETURN(v1::Job job, ToMessage(view));
    if (job.has_evaluation()) job.mutable_evaluation()->clear_layers();
    *response.add_jobs() = std::move(job);
  }
  response.set_next_page_token(page.next_page_token);
  return response;
}

absl::StatusOr<v1::Job> Cancel(Backend& backend, const v1::CancelJobRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const store::JobKey key, ParseJobName("name", request.name()));
  const auto view = backend.jobs->Cancel(key);
  if (absl::IsNotFound(view.status())) return NotFound("no such job: {}", store::JobName(key));
  if (!absl::IsFailedPrecondition(view.status())) {
    BITPLAN_RETURN_IF_ERROR(view.status());
    return ToMessage(*view);
  }
  BITPLAN_ASSIGN_OR_RETURN(v1::Job job, GetJobMessage(backend, key));
  if (job.state() == v1::JOB_STATE_CANCELLED) return job;  // asking again is fine
  return view.status();
}

// Passes events on until the job has ended or the client has gone.
absl::Status Relay(Backend& backend, const grpc::ServerContext& call, jobs::Watcher& watcher,
                   grpc::ServerWriter<v1::JobEvent>& writer) {
  auto last_sent = std::chrono::steady_clock::now();
  const auto poll = std::min(kWatchPoll, backend.limits.bookmark_interval);
  while (!call.IsCancelled()) {
    BITPLAN_ASSIGN_OR_RETURN(const jobs::WatchEvent event, watcher.Next(poll));
    if (event.kind == jobs::WatchEvent::Kind::kEnd) return absl::OkStatus();
    const auto now = std::chrono::steady_clock::now();
    const bool quiet = now - last_sent < backend.limits.bookmark_interval;
    if (event.kind == jobs::WatchEvent::Kind::kBookmark && quiet) continue;
    BITPLAN_ASSIGN_OR_RETURN(const v1::JobEvent message, ToMessage(event));
    if (!writer.Write(message)) break;
    last_sent = now;
  }
  return absl::CancelledError("the client went away");
}

absl::Status Watch(Backend& backend, const grpc::ServerContext& call, const v1::WatchJobRequest& request,
                   grpc::ServerWriter<v1::JobEvent>& writer) {
  BITPLAN_ASSIGN_OR_RETURN(const store::JobKey key, ParseJobName("name", request.name()));
  BITPLAN_ASSIGN_OR_RETURN(const Slot slot,
                           Slot::Take(backend.watches, backend.limits.max_watches, "watches at a time"));
  const auto watcher = backend.jobs->Watch(key, request.after_sequence());
  if (absl::IsNotFound(watcher.status())) return NotFound("no such job: {}", store::JobName(key));
  BITPLAN_RETURN_IF_ERROR(watcher.status());
  return Relay(backend, call, **watcher, writer);
}

class JobService final : public v1::JobService::Service {
 public:
  explicit JobService(Backend& backend) : backend_(backend) {}

  grpc::Status CreateJob(grpc::ServerContext*, const v1::CreateJobRequest* request, v1::Job* response) override {
    return Finish(Create(backend_, *request), response);
  }
  grpc::Status GetJob(grpc::ServerContext*, const v1::GetJobRequest* request, v1::Job* response) override {
    return Finish(Get(backend_, *request), response);
  }
  grpc::Status ListJobs(grpc::ServerContext*, const v1::ListJobsRequest* request,
                        v1::ListJobsResponse* response) override {
    return Finish(List(backend_, *request), response);
  }
  grpc::Status WatchJob(grpc::ServerContext* context, const v1::WatchJobRequest* request,
                        grpc::ServerWriter<v1::JobEvent>* writer) override {
    return ToGrpcStatus(Watch(backend_, *context, *request, *writer));
  }
  grpc::Status CancelJob(grpc::ServerContext*, const v1::CancelJobRequest* request, v1::Job* response) override {
    return Finish(Cancel(backend_, *request), response);
  }

 private:
  Backend& backend_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeJobService(Backend& backend) { return std::make_unique<JobService>(backend); }

}  // namespace bitplan::service
