#include "client/channel.h"

#include <fmt/format.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <random>
#include <thread>
#include <utility>

#include "bitplan/v1/dataset.grpc.pb.h"
#include "bitplan/v1/job.grpc.pb.h"
#include "bitplan/v1/measurement.grpc.pb.h"
#include "bitplan/v1/model.grpc.pb.h"
#include "bitplan/v1/plan.grpc.pb.h"
#include "bitplan/v1/profile.grpc.pb.h"
#include "bitplan/v1/system.grpc.pb.h"
#include "client/rpc_error.h"
#include "proto/convert/frontier.h"
#include "search/base/status.h"

namespace bitplan::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using std::chrono::system_clock;

constexpr size_t kChunkBytes = size_t{1} << 20;
constexpr int kMaxReceivedBytes = 256 << 20;  // a plan of thousands of layers with all alternatives
constexpr int kIdDigits = 24;                 // an id is so many digits of the digest
constexpr milliseconds kLongestDelay{5'000};  // between two tries, whatever the server asks for
constexpr milliseconds kWatchTurn{300'000};   // a watch is opened anew so often: a dead peer goes unnoticed no longer
constexpr milliseconds kUploadTimePerMebibyte{1'000};  // a slow line: 8 Mbit/s
constexpr milliseconds kReconnectDelay{100};           // gRPC's own, between attempts to connect
constexpr milliseconds kLongestReconnectDelay{2'000};

bool IsFinished(v1::JobState state) {
  return state == v1::JOB_STATE_SUCCEEDED || state == v1::JOB_STATE_FAILED || state == v1::JOB_STATE_CANCELLED;
}

// How a stream ends that the server did not end for a reason of ours: cut off by a server that stops, a proxy, the
// line. Our services send details with every error.
bool IsLost(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::OK:  // without the terminal event
    case grpc::StatusCode::UNAVAILABLE:
      return true;
    case grpc::StatusCode::CANCELLED:
    case grpc::StatusCode::INTERNAL:
    case grpc::StatusCode::UNKNOWN:
      return status.error_details().empty();
    default:
      return false;
  }
}

// Sleeps for `delay`, less if `stop` is requested.
void Sleep(milliseconds delay, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock(mutex);
  wake.wait_for(lock, stop, delay, [] { return false; });
}

// Cancels a call as soon as `stop` is requested.
class CancelOnStop {
 public:
  CancelOnStop(grpc::ClientContext& context, const std::stop_token& stop)
      : callback_(stop, [&context] { context.TryCancel(); }) {}

 private:
  std::stop_callback<std::function<void()>> callback_;
};

std::shared_ptr<grpc::Channel> Connect(const std::string& server) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxReceivedBytes);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, static_cast<int>(kReconnectDelay.count()));
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, static_cast<int>(kReconnectDelay.count()));
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, static_cast<int>(kLongestReconnectDelay.count()));
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(server, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

struct Channel::Impl {
  explicit Impl(ChannelOptions given)
      : options(std::move(given)),
        channel(Connect(options.server)),
        models(channel),
        datasets(channel),
        measurements(channel),
        jobs(channel),
        plans(channel),
        profiles(channel),
        system(channel) {}

  absl::Status StatusOf(const grpc::Status& status) const {
    return ToStatus(static_cast<int>(status.error_code()), status.error_message(), status.error_details(),
                    options.server);
  }

  // Runs `attempt`, a try of one call, until it answers something else than UNAVAILABLE or the tries are used up.
  template <typename Attempt>
  absl::Status Retry(milliseconds timeout, const std::stop_token& stop, const Attempt& attempt) {
    milliseconds delay = options.first_delay;
    for (int tries = 1;; ++tries) {
      grpc::ClientContext context;
      context.set_deadline(system_clock::now() + timeout);
      const CancelOnStop cancel(context, stop);
      const grpc::Status status = attempt(context);
      if (status.error_code() != grpc::StatusCode::UNAVAILABLE || tries >= options.max_tries || stop.stop_requested()) {
        return StatusOf(status);
      }
      Sleep(std::min(RetryDelay(status.error_details()).value_or(delay), kLongestDelay), stop);
      delay *= 3;
    }
  }

  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Call(Stub& stub,
                                grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                                const Request& request) {
    return Call(stub, method, request, options.call_timeout, options.stop);
  }
  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Call(Stub& stub,
                                grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                                const Request& request, milliseconds timeout, const std::stop_token& stop) {
    Response response;
    BITPLAN_RETURN_IF_ERROR(Retry(
        timeout, stop, [&](grpc::ClientContext& context) { return (stub.*method)(&context, request, &response); }));
    return response;
  }

  template <typename Request, typename Response, typename Open>
  absl::StatusOr<Response> Send(const std::string& parent, const Upload& upload, const Open& open) {
    const auto timeout = options.call_timeout + kUploadTimePerMebibyte * (upload.bytes.size() >> 20);
    const std::string request_id = NewRequestId();
    Response response;
    BITPLAN_RETURN_IF_ERROR(Retry(timeout, options.stop, [&](grpc::ClientContext& context) {
      Request request;
      auto* metadata = request.mutable_metadata();
      metadata->set_parent(parent);
      metadata->set_display_name(upload.display_name);
      metadata->set_request_id(request_id);
      metadata->set_size_bytes(static_cast<int64_t>(upload.bytes.size()));
      metadata->set_sha256(upload.digest);
      const auto writer = open(context, response);
      bool open_still = writer->Write(request);
      for (size_t sent = 0; open_still && sent < upload.bytes.size();) {
        const std::string_view chunk = upload.bytes.substr(sent, kChunkBytes);
        request.set_chunk(std::string(chunk));
        open_still = writer->Write(request);
        sent += chunk.size();
        if (open_still && upload.progress) upload.progress(static_cast<int64_t>(sent));
      }
      writer->WritesDone();
      return writer->Finish();
    }));
    return response;
  }

  // One watch from `sequence` on until it breaks or the job is finished.
  grpc::Status WatchOnce(const Watch& watch, int64_t& sequence, std::optional<v1::Job>& finished, bool& heard) {
    grpc::ClientContext context;
    context.set_deadline(system_clock::now() + kWatchTurn);
    const CancelOnStop cancel(context, watch.leave);
    v1::WatchJobRequest request;
    request.set_name(watch.name);
    request.set_after_sequence(sequence);
    const auto reader = jobs.WatchJob(&context, request);
    v1::JobEvent event;
    while (reader->Read(&event)) {
      heard = true;
      sequence = std::max(sequence, event.sequence());
      if (event.has_state_change() && IsFinished(event.state_change().state())) finished = event.state_change();
      watch.on_event(event);
    }
    return reader->Finish();
  }

  ChannelOptions options;
  std::shared_ptr<grpc::Channel> channel;
  v1::ModelService::Stub models;
  v1::DatasetService::Stub datasets;
  v1::MeasurementService::Stub measurements;
  v1::JobService::Stub jobs;
  v1::PlanService::Stub plans;
  v1::ProfileService::Stub profiles;
  v1::SystemService::Stub system;
};

Channel::Channel(ChannelOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Channel::~Channel() = default;
Channel::Channel(Channel&&) noexcept = default;
Channel& Channel::operator=(Channel&&) noexcept = default;

const std::string& Channel::server() const { return impl_->options.server; }

absl::StatusOr<v1::Version> Channel::GetVersion() {
  return impl_->Call(impl_->system, &v1::SystemService::Stub::GetVersion, v1::GetVersionRequest());
}

absl::StatusOr<v1::Model> Channel::UploadModel(const std::string& parent, const Upload& upload) {
  v1::GetModelRequest known;
  known.set_name(fmt::format("{}/models/{}", parent, upload.digest.substr(0, kIdDigits)));
  auto model = impl_->Call(impl_->models, &v1::ModelService::Stub::GetModel, known);
  if (model.ok() ? model->digest() == upload.digest : !absl::IsNotFound(model.status())) return model;
  return impl_->Send<v1::UploadModelRequest, v1::Model>(parent, upload,
                                                        [&](grpc::ClientContext& context, v1::Model& response) {
                                                          return impl_->models.UploadModel(&context, &response);
                                                        });
}

absl::StatusOr<v1::Dataset> Channel::UploadDataset(const std::string& parent, const Upload& upload) {
  v1::GetDatasetRequest known;
  known.set_name(fmt::format("{}/datasets/{}", parent, upload.digest.substr(0, kIdDigits)));
  auto dataset = impl_->Call(impl_->datasets, &v1::DatasetService::Stub::GetDataset, known);
  if (dataset.ok() ? dataset->digest() == upload.digest : !absl::IsNotFound(dataset.status())) return dataset;
  return impl_->Send<v1::UploadDatasetRequest, v1::Dataset>(parent, upload,
                                                            [&](grpc::ClientContext& context, v1::Dataset& response) {
                                                              return impl_->datasets.UploadDataset(&context, &response);
                                                            });
}

absl::StatusOr<v1::Model> Channel::GetModel(const std::string& name) {
  v1::GetModelRequest request;
  request.set_name(name);
  return impl_->Call(impl_->models, &v1::ModelService::Stub::GetModel, request);
}

absl::StatusOr<v1::ListModelsResponse> Channel::ListModels(const v1::ListModelsRequest& request) {
  return impl_->Call(impl_->models, &v1::ModelService::Stub::ListModels, request);
}

absl::StatusOr<v1::Measurement> Channel::ImportMeasurement(const v1::ImportMeasurementRequest& request) {
  return impl_->Call(impl_->measurements, &v1::MeasurementService::Stub::ImportMeasurement, request);
}

absl::StatusOr<v1::Job> Channel::CreateJob(const v1::CreateJobRequest& request) {
  return impl_->Call(impl_->jobs, &v1::JobService::Stub::CreateJob, request);
}

absl::StatusOr<v1::Job> Channel::GetJob(const std::string& name) {
  v1::GetJobRequest request;
  request.set_name(name);
  return impl_->Call(impl_->jobs, &v1::JobService::Stub::GetJob, request);
}

absl::StatusOr<v1::ListJobsResponse> Channel::ListJobs(const v1::ListJobsRequest& request) {
  return impl_->Call(impl_->jobs, &v1::JobService::Stub::ListJobs, request);
}

absl::StatusOr<v1::Job> Channel::CancelJob(const std::string& name) {
  v1::CancelJobRequest request;
  request.set_name(name);
  return impl_->Call(impl_->jobs, &v1::JobService::Stub::CancelJob, request, impl_->options.call_timeout, {});
}

absl::StatusOr<v1::Job> Channel::WatchJob(const Watch& watch) {
  int64_t sequence = watch.after_sequence;
  auto give_up = steady_clock::now() + impl_->options.watch_patience;
  milliseconds delay = impl_->options.first_delay;
  while (true) {
    std::optional<v1::Job> finished;
    bool heard = false;
    const grpc::Status status = impl_->WatchOnce(watch, sequence, finished, heard);
    if (finished.has_value()) return *std::move(finished);
    if (watch.leave.stop_requested()) return absl::CancelledError("left");
    const bool turn_is_over = status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
    const bool lost = IsLost(status);
    if (!turn_is_over && !lost) return impl_->StatusOf(status);
    if (heard || turn_is_over) {
      give_up = steady_clock::now() + impl_->options.watch_patience;
      delay = impl_->options.first_delay;
    }
    if (turn_is_over) continue;
    const absl::Status reason =
        status.ok() ? absl::UnavailableError("the server ended the stream before the job") : impl_->StatusOf(status);
    if (steady_clock::now() >= give_up) return reason;
    if (watch.on_lost) watch.on_lost();
    Sleep(delay, watch.leave);
    delay = std::min(delay * 3, kLongestDelay);
  }
}

absl::StatusOr<v1::Plan> Channel::Search(const v1::SearchRequest& request) {
  const milliseconds solving{request.config().solver().time_limit().seconds() * 1000};
  return impl_->Call(impl_->plans, &v1::PlanService::Stub::Search, request, impl_->options.call_timeout + solving,
                     impl_->options.stop);
}

absl::StatusOr<v1::Frontier> Channel::ComputeFrontier(const v1::ComputeFrontierRequest& request,
                                                      const std::function<void(const v1::FrontierUpdate&)>& on_update) {
  const milliseconds solving{request.config().solver().time_limit().seconds() * 1000};
  convert::FrontierGatherer gatherer;
  BITPLAN_RETURN_IF_ERROR(
      impl_->Retry(impl_->options.call_timeout + solving, impl_->options.stop, [&](grpc::ClientContext& context) {
        gatherer = {};
        const auto reader = impl_->plans.ComputeFrontier(&context, request);
        for (v1::FrontierUpdate update; reader->Read(&update);) {
          on_update(update);
          gatherer.Add(std::move(update));
        }
        return reader->Finish();
      }));
  if (!gatherer.is_complete()) return absl::UnavailableError("the server ended the stream before its summary");
  return gatherer.Take();
}

absl::StatusOr<v1::TopPlans> Channel::FindTopPlans(const v1::FindTopPlansRequest& request) {
  const milliseconds solving{request.config().solver().time_limit().seconds() * 1000};
  v1::TopPlans top;
  BITPLAN_RETURN_IF_ERROR(
      impl_->Retry(impl_->options.call_timeout + solving, impl_->options.stop, [&](grpc::ClientContext& context) {
        top.Clear();
        const auto reader = impl_->plans.FindTopPlans(&context, request);
        for (v1::TopPlansUpdate update; reader->Read(&update);) {
          if (update.has_plan()) top.add_plans()->Swap(update.mutable_plan());
          if (update.has_summary()) *top.mutable_summary() = update.summary();
        }
        return reader->Finish();
      }));
  if (!top.has_summary()) return absl::UnavailableError("the server ended the stream before its summary");
  return top;
}

absl::StatusOr<v1::ListPlansResponse> Channel::ListPlans(const v1::ListPlansRequest& request) {
  return impl_->Call(impl_->plans, &v1::PlanService::Stub::ListPlans, request);
}

absl::StatusOr<v1::ExportPlanResponse> Channel::ExportPlan(const std::string& name, const std::string& format) {
  v1::ExportPlanRequest request;
  request.set_name(name);
  request.set_format(format);
  return impl_->Call(impl_->plans, &v1::PlanService::Stub::ExportPlan, request);
}

absl::StatusOr<v1::Profile> Channel::GetProfile(const std::string& name) {
  v1::GetProfileRequest request;
  request.set_name(name);
  return impl_->Call(impl_->profiles, &v1::ProfileService::Stub::GetProfile, request);
}

absl::StatusOr<v1::ListProfilesResponse> Channel::ListProfiles(const v1::ListProfilesRequest& request) {
  return impl_->Call(impl_->profiles, &v1::ProfileService::Stub::ListProfiles, request);
}

std::string NewRequestId() {
  std::random_device device;
  return fmt::format("{:08x}{:08x}{:08x}{:08x}", device(), device(), device(), device());
}

}  // namespace bitplan::client
