#ifndef BITPLAN_SERVER_JOBS_WATCH_H_
#define BITPLAN_SERVER_JOBS_WATCH_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "search/base/run_context.h"
#include "server/store/store.h"

namespace bitplan::jobs {

// Newest report of a running job; kept in memory only.
struct ProgressView {
  Progress progress;
  int64_t attempt = 1;
  int64_t time_us = 0;  // of the report, microseconds since 1970 UTC
  // Time left in the current stage (Progress::fraction is per stage): with t0, f0 the first report of the stage and t,
  // f the newest,  eta = (t - t0) (1 - f) / (f - f0).  Absent until f > f0. Counting from f0 keeps work that came from
  // checkpoints out of the rate.
  std::optional<std::chrono::milliseconds> stage_eta;
};

struct WatchEvent {
  enum class Kind {
    kState,     // `event` and `record` hold a state change; record is the job as of now, possibly newer than event
    kProgress,  // `progress` is new; record as for kState
    kBookmark,  // nothing happened within the timeout; `sequence` says where the watcher stands
    kEnd,       // the terminal event has been delivered; nothing will follow
  };
  Kind kind = Kind::kBookmark;
  int64_t sequence = 0;  // of the newest state change delivered (the one in `event` for kState): resume after it
  store::JobEvent event;
  store::JobRecord record;
  ProgressView progress;
};

// Follows one job. State changes come ordered by sequence number, each once, without a gap, the terminal one last: they
// are read from the store, so a slow reader costs no memory and loses none. Of progress only the newest report is kept:
// a slow reader loses the older ones. Used by one thread; Close from any.
class Watcher {
 public:
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  // Blocks until there is something to tell, at most `timeout` (then kBookmark).
  // Errors: kCancelled after Close or a stop request; kUnavailable once the manager has shut down and all state changes
  //         are delivered (resume on the next server after `sequence`); those of Store::ListJobEvents.
  absl::StatusOr<WatchEvent> Next(std::chrono::milliseconds timeout, std::stop_token stop = {});
  // Wakes Next; for a client that went away.
  void Close();

 private:
  friend class JobManager;
  friend class WatchHub;
  struct State;
  explicit Watcher(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace bitplan::jobs

#endif  // BITPLAN_SERVER_JOBS_WATCH_H_
