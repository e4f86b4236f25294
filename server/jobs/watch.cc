#include "server/jobs/watch.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <utility>
#include <vector>

#include "search/base/status.h"
#include "server/jobs/watch_hub.h"

namespace bitplan::jobs {

using Clock = std::chrono::steady_clock;

struct Watcher::State {
  store::Store* store;
  store::JobKey key;
  std::shared_ptr<Channel> channel;
  std::chrono::milliseconds progress_interval;
  int64_t delivered;  // sequence of the newest state change handed out
  std::atomic<bool> closed = false;
  bool ended = false;                   // the terminal event was handed out
  std::deque<store::JobEvent> fetched;  // read from the store, not handed out yet
  store::JobRecord record;              // read at the start, and again after each `fetched`
  int64_t progress_version = 0;
  Clock::time_point progress_not_before;

  absl::Status Fetch();
  WatchEvent Deliver();
  absl::StatusOr<WatchEvent> AfterWake(Channel::Wake wake);
  WatchEvent TakeProgress();
};

// Reads the changes that a notification announced.
absl::Status Watcher::State::Fetch() {
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<store::JobEvent> events, store->ListJobEvents(key, delivered));
  BITPLAN_ASSIGN_OR_RETURN(record, store->GetJob(key));
  fetched.assign(events.begin(), events.end());
  if (fetched.empty()) return Internal("{}: no event after {} although one was announced", JobName(key), delivered);
  return absl::OkStatus();
}

WatchEvent Watcher::State::Deliver() {
  const store::JobEvent event = fetched.front();
  fetched.pop_front();
  delivered = event.sequence;
  ended = IsTerminal(event.state);
  return {.kind = WatchEvent::Kind::kState, .sequence = delivered, .event = event, .record = record};
}

WatchEvent Watcher::State::TakeProgress() {
  auto [progress, version] = channel->VersionedProgress();
  progress_version = version;
  progress_not_before = Clock::now() + progress_interval;
  if (!progress) return {.kind = WatchEvent::Kind::kBookmark, .sequence = delivered};  // the attempt has just ended
  return {
      .kind = WatchEvent::Kind::kProgress, .sequence = delivered, .record = record, .progress = *std::move(progress)};
}

absl::StatusOr<WatchEvent> Watcher::State::AfterWake(Channel::Wake wake) {
  switch (wake) {
    case Channel::Wake::kState:
      BITPLAN_RETURN_IF_ERROR(Fetch());
      return Deliver();
    case Channel::Wake::kProgress:
      return TakeProgress();
    case Channel::Wake::kTimeout:
      return WatchEvent{.kind = WatchEvent::Kind::kBookmark, .sequence = delivered};
    case Channel::Wake::kStopped:
      return absl::CancelledError("watch: the caller stopped");
    case Channel::Wake::kShutdown:
      return absl::UnavailableError(
          fmt::format("watch: the server is shutting down; resume after sequence {} when it is back", delivered));
  }
  return Internal("watch: unknown wake-up");
}

Watcher::Watcher(std::unique_ptr<State> state) : state_(std::move(state)) {}
Watcher::~Watcher() = default;

absl::StatusOr<WatchEvent> Watcher::Next(std::chrono::milliseconds timeout, std::stop_token stop) {
  if (state_->closed) return state_->AfterWake(Channel::Wake::kStopped);
  if (!state_->fetched.empty()) return state_->Deliver();
  if (state_->ended) return WatchEvent{.kind = WatchEvent::Kind::kEnd, .sequence = state_->delivered};
  const std::stop_callback wake_on_stop(stop, [this] { state_->channel->Poke(); });
  return state_->AfterWake(
      state_->channel->WaitFor({.delivered = state_->delivered,
                                .progress_version = state_->progress_version,
                                .progress_not_before = state_->progress_not_before,
                                .deadline = Clock::now() + timeout,
                                .stopped = [&] { return state_->closed || stop.stop_requested(); }}));
}

void Watcher::Close() {
  state_->closed = true;
  state_->channel->Poke();
}

std::unique_ptr<Watcher> WatchHub::MakeWatcher(store::Store* store, const store::JobRecord& job,
                                               std::shared_ptr<Channel> channel, int64_t after_sequence,
                                               std::chrono::milliseconds progress_interval) {
  channel->NotifyState(job.sequence);  // what happened before the channel was there
  auto state = std::make_unique<Watcher::State>();
  state->store = store;
  state->key = job.key;
  state->record = job;
  state->channel = std::move(channel);
  state->progress_interval = progress_interval;
  state->delivered = after_sequence;
  state->ended = IsTerminal(job.state) && after_sequence == job.sequence;
  return std::unique_ptr<Watcher>(new Watcher(std::move(state)));
}

}  // namespace bitplan::jobs
