#include "server/service/job_messages.h"

#include <algorithm>

#include "search/base/status.h"
#include "server/service/resources.h"
#include "server/service/status_map.h"

namespace bitplan::service {
namespace {

void SetDuration(int64_t time_us, google::protobuf::Duration* duration) {
  duration->set_seconds(time_us / 1'000'000);
  duration->set_nanos(static_cast<int32_t>(time_us % 1'000'000) * 1000);
}

google::rpc::Status ErrorOf(const store::JobRecord& record) {
  if (record.state == store::JobState::kCancelled) return ToRpcStatus(absl::CancelledError("cancelled by request"));
  // A fault of ours was logged when the job failed; its readers get where to look, and log nothing again.
  return ToRpcStatus(record.error, store::JobName(record.key));
}

absl::Status SetOutcome(const store::JobRecord& record, v1::Job& message) {
  if (record.state == store::JobState::kSucceeded) {
    v1::Job result;
    if (!result.ParseFromString(record.result)) {
      return DataLoss("result of {} is unreadable", store::JobName(record.key));
    }
    message.set_measurement(result.measurement());
    message.set_plan(result.plan());
    if (result.has_evaluation()) message.mutable_evaluation()->Swap(result.mutable_evaluation());
    if (result.has_evaluation_error()) message.mutable_evaluation_error()->Swap(result.mutable_evaluation_error());
  } else if (store::IsTerminal(record.state)) {
    *message.mutable_error() = ErrorOf(record);
  }
  return absl::OkStatus();
}

// `record` as it was right after `event`.
store::JobRecord AsOf(const store::JobEvent& event, store::JobRecord record) {
  record.state = event.state;
  record.attempt = event.attempt;
  record.awaiting_worker = event.awaiting_worker;
  record.cancel_requested = event.cancel_requested;
  record.sequence = event.sequence;
  if (event.state == store::JobState::kQueued) record.start_time_us = 0;
  if (!store::IsTerminal(event.state)) record.end_time_us = 0;
  return record;
}

}  // namespace

v1::JobState ToMessage(store::JobState state) {
  switch (state) {
    case store::JobState::kQueued:
      return v1::JOB_STATE_QUEUED;
    case store::JobState::kRunning:
      return v1::JOB_STATE_RUNNING;
    case store::JobState::kSucceeded:
      return v1::JOB_STATE_SUCCEEDED;
    case store::JobState::kFailed:
      return v1::JOB_STATE_FAILED;
    case store::JobState::kCancelled:
      return v1::JOB_STATE_CANCELLED;
  }
  return v1::JOB_STATE_UNSPECIFIED;
}

absl::StatusOr<v1::Job> ToMessage(const jobs::JobView& view) {
  const store::JobRecord& record = view.record;
  v1::Job message;
  if (!message.ParseFromString(record.spec)) return DataLoss("spec of {} is unreadable", store::JobName(record.key));
  message.set_name(store::JobName(record.key));
  SetTime(record.create_time_us, message.mutable_create_time());
  if (record.start_time_us > 0) SetTime(record.start_time_us, message.mutable_start_time());
  if (record.end_time_us > 0) SetTime(record.end_time_us, message.mutable_end_time());
  message.set_state(ToMessage(record.state));
  message.set_sequence(record.sequence);
  message.set_attempt(record.attempt);
  message.set_cancel_requested(record.cancel_requested);
  message.set_awaiting_worker(record.awaiting_worker);
  if (view.progress && record.state == store::JobState::kRunning) {
    *message.mutable_progress() = ToMessage(*view.progress, record.start_time_us);
  }
  BITPLAN_RETURN_IF_ERROR(SetOutcome(record, message));
  return message;
}

v1::JobProgress ToMessage(const jobs::ProgressView& view, int64_t start_time_us) {
  const Progress& progress = view.progress;
  v1::JobProgress message;
  message.set_stage(progress.stage);
  message.set_layer(progress.layer);
  message.set_num_layers(progress.num_layers);
  message.set_layer_name(progress.layer_name);
  message.set_probes(progress.probes);
  message.set_relative_standard_error(progress.relative_error);
  message.set_fraction(progress.fraction);
  if (progress.objective) message.set_objective(*progress.objective);
  if (progress.bound) message.set_bound(*progress.bound);
  if (view.stage_eta) SetDuration(view.stage_eta->count() * 1000, message.mutable_eta());
  SetDuration(std::max<int64_t>(0, view.time_us - start_time_us), message.mutable_elapsed());
  return message;
}

absl::StatusOr<v1::JobEvent> ToMessage(const jobs::WatchEvent& event) {
  v1::JobEvent message;
  message.set_sequence(event.sequence);
  switch (event.kind) {
    case jobs::WatchEvent::Kind::kState: {
      SetTime(event.event.time_us, message.mutable_time());
      BITPLAN_ASSIGN_OR_RETURN(*message.mutable_state_change(),
                               ToMessage(jobs::JobView{AsOf(event.event, event.record), {}}));
      break;
    }
    case jobs::WatchEvent::Kind::kProgress:
      SetTime(event.progress.time_us, message.mutable_time());
      *message.mutable_progress() = ToMessage(event.progress, event.record.start_time_us);
      break;
    case jobs::WatchEvent::Kind::kBookmark:
    case jobs::WatchEvent::Kind::kEnd:
      message.mutable_bookmark();
      break;
  }
  return message;
}

}  // namespace bitplan::service
