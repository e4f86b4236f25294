#ifndef BITPLAN_SERVER_JOBS_WATCH_HUB_H_
#define BITPLAN_SERVER_JOBS_WATCH_HUB_H_

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "server/jobs/watch.h"
#include "server/store/store.h"

// How workers tell watchers that a job has changed. Only the fact travels through memory: the newest sequence number
// and the newest progress. The changes themselves are read from the store, which has them in order and complete.

namespace bitplan::jobs {

// What is known in memory of one job. Any thread.
class Channel {
 public:
  enum class Wake { kState, kProgress, kTimeout, kStopped, kShutdown };

  // What a watcher has seen and how long it wants to wait.
  struct Wait {
    int64_t delivered = 0;         // sequence
    int64_t progress_version = 0;  // of the progress seen
    std::chrono::steady_clock::time_point progress_not_before;
    std::chrono::steady_clock::time_point deadline;
    std::function<bool()> stopped;  // asked under the channel's lock; call Poke after it became true
  };

  // The job has reached `sequence`; lower numbers than before are ignored.
  void NotifyState(int64_t sequence);
  void NotifyProgress(int64_t attempt, const Progress& progress);
  // Forgets progress of an attempt that is over.
  void ClearProgress();
  void ShutDown();
  // Makes waiters look at Wait::stopped.
  void Poke();

  // The first that holds: stopped, a state change beyond `delivered`, shut down, progress that is new and due,
  // deadline.
  Wake WaitFor(const Wait& wait);

  std::optional<ProgressView> progress() const;
  // With its version, for Wait.
  std::pair<std::optional<ProgressView>, int64_t> VersionedProgress() const;

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  int64_t sequence_ = 0;
  bool shut_down_ = false;
  int64_t progress_version_ = 0;
  std::optional<ProgressView> progress_;
  // First report of the current stage, for the ETA.
  std::chrono::steady_clock::time_point stage_start_;
  double stage_start_fraction_ = 0;
};

// The channels of all jobs that run or are watched. Any thread.
class WatchHub {
 public:
  // The job's channel, made if there is none. It lives as long as somebody holds it.
  std::shared_ptr<Channel> ChannelOf(const store::JobKey& key);
  // The same, null if there is none.
  std::shared_ptr<Channel> FindChannel(const store::JobKey& key) const;
  // To be called after the change is stored. Wakes those who watch.
  void NotifyState(const store::JobRecord& job);
  // Wakes all watchers, now and in future, with Wake::kShutdown.
  void ShutDown();

  // Follows `job`, whose record was read after `channel` was taken from ChannelOf, from after_sequence on.
  static std::unique_ptr<Watcher> MakeWatcher(store::Store* store, const store::JobRecord& job,
                                              std::shared_ptr<Channel> channel, int64_t after_sequence,
                                              std::chrono::milliseconds progress_interval);

 private:
  mutable std::mutex mutex_;
  std::map<store::JobKey, std::weak_ptr<Channel>> channels_;
  size_t prune_at_ = 64;  // expired entries are dropped when the map has grown to this
  bool shut_down_ = false;
};

}  // namespace bitplan::jobs

#endif  // BITPLAN_SERVER_JOBS_WATCH_HUB_H_
