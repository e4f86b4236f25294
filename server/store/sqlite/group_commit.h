#ifndef BITPLAN_SERVER_STORE_SQLITE_GROUP_COMMIT_H_
#define BITPLAN_SERVER_STORE_SQLITE_GROUP_COMMIT_H_

#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "server/store/sqlite/database.h"

namespace bitplan::store::sqlite {

// Whether a change must be on the disk before its caller goes on. kRelaxed survives kill -9, but power loss may take
// the newest.
enum class Durability { kSynced, kRelaxed };

// The one thread that writes. All changes that wait while a transaction is being synced go into the next one together,
// so a disk sync (5 ms measured) is paid once for all of them; a transaction of relaxed changes only is not synced.
// Each change runs in a savepoint: one that fails leaves nothing behind and does not disturb the others.
class GroupCommitter {
 public:
  using Change = std::function<absl::Status(Connection& writer)>;

  explicit GroupCommitter(Connection writer);
  ~GroupCommitter();  // commits what waits; no Run may be in progress

  // Blocks until `change` is committed, or has failed. Its status, or that of the commit. Any thread.
  absl::Status Run(Durability durability, const Change& change);

 private:
  struct Pending {
    const Change* change = nullptr;
    Durability durability = Durability::kSynced;
    absl::Status status;
    bool done = false;
  };
  using Batch = std::vector<Pending*>;

  void Loop(const std::stop_token& stop);
  Batch TakeBatch(const std::stop_token& stop);  // empty: stopped
  absl::Status Commit(const Batch& batch);
  absl::Status RunChanges(const Batch& batch);
  absl::Status RunInSavepoint(Pending& pending);
  absl::Status SetDurability(const Batch& batch);

  Connection writer_;
  Durability current_ = Durability::kSynced;  // of writer_
  std::mutex mutex_;
  std::condition_variable_any arrived_;
  std::condition_variable committed_;
  Batch waiting_;
  std::jthread thread_;  // last: it uses the members above
};

}  // namespace bitplan::store::sqlite

#endif  // BITPLAN_SERVER_STORE_SQLITE_GROUP_COMMIT_H_
