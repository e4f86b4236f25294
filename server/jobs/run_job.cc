#include "server/jobs/run_job.h"

#include <atomic>
#include <exception>
#include <new>
#include <utility>

#include "search/base/status.h"

namespace bitplan::jobs {

struct JobCheckpoints::State {
  store::Store* store;
  store::JobKey key;
  int64_t attempt;
  const std::function<void(std::string_view)>* log;
  std::atomic<bool> complained = false;

  void Complain(const absl::Status& status) {
    if (*log && !complained.exchange(true)) (*log)(fmt::format("{}: {}", JobName(key), status.ToString()));
  }
};

JobCheckpoints::JobCheckpoints(store::Store* store, const store::JobRecord& job,
                               const std::function<void(std::string_view)>* log)
    : state_(new State{.store = store, .key = job.key, .attempt = job.attempt, .log = log}) {}
JobCheckpoints::~JobCheckpoints() = default;

std::optional<std::string> JobCheckpoints::Load(std::string_view key) {
  absl::StatusOr<std::string> value = state_->store->LoadCheckpoint(state_->key, key);
  if (value.ok()) return *std::move(value);
  if (!absl::IsNotFound(value.status())) state_->Complain(value.status());
  return std::nullopt;
}

void JobCheckpoints::Save(std::string_view key, std::string value) {
  const absl::Status status = state_->store->SaveCheckpoint(state_->key, state_->attempt, key, value);
  if (!status.ok()) state_->Complain(status);
}

absl::Status Guarded(std::string_view what, const std::function<absl::Status()>& work) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return ResourceExhausted("{} ran out of memory", what);
  } catch (const std::exception& error) {
    return Internal("{} ended by an exception: {}", what, error.what());
  } catch (...) {
    return Internal("{} ended by an exception of unknown type", what);
  }
}

absl::StatusOr<JobResult> RunGuarded(const Runner& runner, const store::JobRecord& job, const RunContext& context) {
  absl::StatusOr<JobResult> result = absl::InternalError("the job did not run");
  const absl::Status status = Guarded("the job", [&] {
    result = runner(job, context);
    return result.status();
  });
  if (!status.ok()) return status;
  return result;
}

Verdict Judge(absl::StatusOr<JobResult> result, const StopReasons& reasons) {
  if (result.ok()) {
    return {.outcome = {.state = store::JobState::kSucceeded,
                        .result = std::move(result->result),
                        .resources = std::move(result->resources)}};
  }
  if (absl::IsCancelled(result.status())) {
    if (reasons.cancel) return {.outcome = {.state = store::JobState::kCancelled}};
    if (reasons.shutdown) return {.requeue = true};
    return {
        .outcome = {.state = store::JobState::kFailed,
                    .error = Internal("the job stopped although nobody asked it to: {}", MessageOf(result.status()))}};
  }
  return {.outcome = {.state = store::JobState::kFailed, .error = std::move(result).status()}};
}

}  // namespace bitplan::jobs
