#include "server/store/sqlite/sqlite_store.h"

#include <chrono>
#include <mutex>
#include <optional>
#include <utility>

#include "search/base/digest.h"
#include "search/base/status.h"
#include "server/disk/file.h"
#include "server/store/job_transition.h"
#include "server/store/sqlite/database.h"
#include "server/store/sqlite/group_commit.h"
#include "server/store/sqlite/rows.h"
#include "server/store/sqlite/schema.h"

namespace bitplan::store {
namespace {

using sqlite::Connection;
using sqlite::Durability;
using sqlite::GroupCommitter;

int64_t NowUs() {
  const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(since_1970).count();
}

// Read-only connections, made as needed and kept for the next reader.
class ReaderPool {
 public:
  explicit ReaderPool(std::filesystem::path path) : path_(std::move(path)) {}

  // Calls `read` with a connection that nobody else has meanwhile.
  template <typename Read>
  auto With(const Read& read) -> decltype(read(std::declval<Connection&>())) {
    BITPLAN_ASSIGN_OR_RETURN(Connection connection, Take());
    auto result = read(connection);
    GiveBack(std::move(connection));
    return result;
  }

 private:
  static constexpr size_t kKept = 8;  // more than read at once as a rule; each has a page cache of up to 2 MiB

  absl::StatusOr<Connection> Take() {
    {
      const std::scoped_lock lock(mutex_);
      if (!idle_.empty()) {
        Connection connection = std::move(idle_.back());
        idle_.pop_back();
        return connection;
      }
    }
    return Connection::Open(path_, Connection::Mode::kReader);
  }

  void GiveBack(Connection connection) {
    const std::scoped_lock lock(mutex_);
    if (idle_.size() < kKept) idle_.push_back(std::move(connection));
  }

  const std::filesystem::path path_;
  std::mutex mutex_;
  std::vector<Connection> idle_;
};

absl::Status CheckKeyPart(std::string_view field, std::string_view value) {
  return value.empty() ? InvalidArgument("{}: empty", field) : absl::OkStatus();
}

absl::Status CheckKey(const ResourceKey& key) {
  BITPLAN_RETURN_IF_ERROR(CheckKeyPart("project", key.project));
  BITPLAN_RETURN_IF_ERROR(CheckKeyPart("collection", key.collection));
  return CheckKeyPart("id", key.id);
}

class SqliteStore final : public Store {
 public:
  SqliteStore(disk::FileLock lock, const std::filesystem::path& path, Connection writer)
      : lock_(std::move(lock)), committer_(std::move(writer)), readers_(path) {}

  absl::StatusOr<Creation> CreateResource(const Resource& resource, const RequestKey& request) override {
    BITPLAN_RETURN_IF_ERROR(CheckKey(resource.key));
    return Create(resource.key.project, ResourceName(resource.key), request, [&](Connection& writer, int64_t now_us) {
      return sqlite::InsertResourceIfAbsent(writer, resource, now_us);
    });
  }

  absl::StatusOr<Resource> GetResource(const ResourceKey& key) override {
    return readers_.With([&](Connection& reader) { return sqlite::ReadResource(reader, key); });
  }

  absl::StatusOr<Page<Resource>> ListResources(std::string_view project, std::string_view collection,
                                               const ListOptions& options) override {
    return readers_.With(
        [&](Connection& reader) { return sqlite::ListResources(reader, project, collection, options); });
  }

  absl::Status DeleteResource(const ResourceKey& key) override {
    return committer_.Run(Durability::kSynced, [&](Connection& writer) { return sqlite::DeleteResource(writer, key); });
  }

  absl::StatusOr<int64_t> CountResourcesWithDigest(std::string_view digest) override {
    return readers_.With([&](Connection& reader) { return sqlite::CountResourcesWithDigest(reader, digest); });
  }

  absl::StatusOr<std::string> FindRequest(std::string_view project, const RequestKey& request) override {
    return readers_.With([&](Connection& reader) { return sqlite::FindRequest(reader, project, request); });
  }

  absl::StatusOr<Creation> CreateJob(const NewJob& job, const RequestKey& request) override {
    BITPLAN_RETURN_IF_ERROR(CheckKeyPart("project", job.key.project));
    BITPLAN_RETURN_IF_ERROR(CheckKeyPart("id", job.key.id));
    return Create(job.key.project, JobName(job.key), request,
                  [&](Connection& writer, int64_t now_us) -> absl::StatusOr<bool> {
                    BITPLAN_RETURN_IF_ERROR(sqlite::InsertJob(writer, job, now_us));
                    return true;
                  });
  }

  absl::StatusOr<JobRecord> GetJob(const JobKey& key) override {
    return readers_.With([&](Connection& reader) { return sqlite::ReadJob(reader, key); });
  }

  absl::StatusOr<Page<JobRecord>> ListJobs(std::string_view project, const std::vector<JobState>& states,
                                           const ListOptions& options) override {
    return readers_.With([&](Connection& reader) { return sqlite::ListJobs(reader, project, states, options); });
  }

  absl::StatusOr<std::vector<JobEvent>> ListJobEvents(const JobKey& key, int64_t after_sequence) override {
    return readers_.With([&](Connection& reader) -> absl::StatusOr<std::vector<JobEvent>> {
      BITPLAN_ASSIGN_OR_RETURN(const JobRecord job, sqlite::ReadJob(reader, key));
      return sqlite::ReadJobEvents(reader, job.order, after_sequence);
    });
  }

  absl::StatusOr<JobRecord> StartJob(const JobKey& key, int64_t attempt) override {
    return Change(key, [&](JobRecord& job, int64_t now_us) { return Start(job, attempt, now_us); });
  }

  absl::StatusOr<JobRecord> FinishJob(const JobKey& key, int64_t attempt, const JobOutcome& outcome) override {
    for (const Resource& resource : outcome.resources) BITPLAN_RETURN_IF_ERROR(CheckKey(resource.key));
    return Change(
        key, [&](JobRecord& job, int64_t now_us) { return Finish(job, attempt, outcome, now_us); }, outcome.resources);
  }

  absl::StatusOr<JobRecord> RequeueJob(const JobKey& key, int64_t attempt) override {
    return Change(key, [&](JobRecord& job, int64_t now_us) { return Requeue(job, attempt, now_us); });
  }

  absl::StatusOr<JobRecord> RequestCancel(const JobKey& key) override {
    return Change(key, [&](JobRecord& job, int64_t now_us) { return store::RequestCancel(job, now_us); });
  }

  absl::StatusOr<std::vector<JobRecord>> RecoverJobs(int64_t max_crashes) override {
    std::vector<JobRecord> waiting;
    BITPLAN_RETURN_IF_ERROR(committer_.Run(Durability::kSynced, [&](Connection& writer) -> absl::Status {
      BITPLAN_ASSIGN_OR_RETURN(std::vector<JobRecord> jobs, sqlite::ReadUnfinishedJobs(writer));
      for (JobRecord& job : jobs) {
        const int64_t now_us = NowUs();
        const int64_t old_sequence = job.sequence;
        BITPLAN_RETURN_IF_ERROR(Recover(job, max_crashes, now_us));
        BITPLAN_RETURN_IF_ERROR(sqlite::WriteJob(writer, job, old_sequence, now_us));
        if (!IsTerminal(job.state)) waiting.push_back(std::move(job));
      }
      return absl::OkStatus();
    }));
    return waiting;
  }

  absl::Status SaveCheckpoint(const JobKey& key, int64_t attempt, std::string_view name,
                              std::string_view value) override {
    if (value.size() > kMaxCheckpointBytes) {
      return ResourceExhausted("checkpoint '{}': {} bytes, the limit is {}", name, value.size(), kMaxCheckpointBytes);
    }
    const std::string digest = Sha256Hex(value);  // here, not on the writer's thread
    return committer_.Run(Durability::kRelaxed, [&](Connection& writer) -> absl::Status {
      BITPLAN_ASSIGN_OR_RETURN(const JobRecord job, sqlite::ReadJob(writer, key));
      BITPLAN_RETURN_IF_ERROR(CheckRunning(job, attempt));
      return sqlite::WriteCheckpoint(writer, job.order, name, digest, value);
    });
  }

  absl::StatusOr<std::string> LoadCheckpoint(const JobKey& key, std::string_view name) override {
    return readers_.With([&](Connection& reader) -> absl::StatusOr<std::string> {
      BITPLAN_ASSIGN_OR_RETURN(const JobRecord job, sqlite::ReadJob(reader, key));
      return sqlite::ReadCheckpoint(reader, job.order, name);
    });
  }

 private:
  // Looks the request up, inserts with insert(writer, now) -> whether it was new, notes the request: one transaction.
  absl::StatusOr<Creation> Create(std::string_view project, const std::string& name, const RequestKey& request,
                                  const auto& insert) {
    Creation creation{.name = name};
    BITPLAN_RETURN_IF_ERROR(committer_.Run(Durability::kSynced, [&](Connection& writer) -> absl::Status {
      const absl::StatusOr<std::string> earlier = sqlite::FindRequest(writer, project, request);
      if (earlier.ok()) {
        creation = {.name = *earlier, .reused = true};
        return absl::OkStatus();
      }
      if (!absl::IsNotFound(earlier.status())) return earlier.status();
      const int64_t now_us = NowUs();
      BITPLAN_ASSIGN_OR_RETURN(const bool is_new, insert(writer, now_us));
      creation.reused = !is_new;
      return sqlite::InsertRequest(writer, project, request, name, now_us);
    }));
    return creation;
  }

  // Applies a transition and creates resources: one transaction.
  absl::StatusOr<JobRecord> Change(const JobKey& key, const auto& transition,
                                   const std::vector<Resource>& created = {}) {
    JobRecord job;
    BITPLAN_RETURN_IF_ERROR(committer_.Run(Durability::kSynced, [&](Connection& writer) -> absl::Status {
      BITPLAN_ASSIGN_OR_RETURN(job, sqlite::ReadJob(writer, key));
      const int64_t now_us = NowUs();
      const int64_t old_sequence = job.sequence;
      BITPLAN_RETURN_IF_ERROR(transition(job, now_us));
      for (const Resource& resource : created) {
        BITPLAN_RETURN_IF_ERROR(sqlite::InsertResourceIfAbsent(writer, resource, now_us).status());
      }
      return sqlite::WriteJob(writer, job, old_sequence, now_us);
    }));
    return job;
  }

  // Destroyed from the last to the first: readers, then the writer (which checkpoints the log), then the lock.
  disk::FileLock lock_;
  GroupCommitter committer_;
  ReaderPool readers_;
};

absl::Status SetUpWriter(Connection& writer) {
  BITPLAN_ASSIGN_OR_RETURN(sqlite::Statement mode, writer.Prepare("PRAGMA journal_mode = WAL"));
  BITPLAN_RETURN_IF_ERROR(mode.Step().status());
  if (const std::string got = mode.Bytes(0); got != "wal") {
    return FailedPrecondition("store: this file system allows no write-ahead log (journal mode is '{}')", got);
  }
  // The log is cut back to 64 MiB after a checkpoint, so that one burst does not keep its disk space for ever.
  return writer.RunScript("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA journal_size_limit = 67108864");
}

// SQLite would create the file readable for all.
absl::Status CreatePrivately(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::exists(path, error)) return absl::OkStatus();
  return disk::File::Create(path).status();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> OpenSqliteStore(const StoreOptions& options) {
  std::filesystem::path lock_path = options.path;
  lock_path += ".lock";
  BITPLAN_ASSIGN_OR_RETURN(disk::FileLock lock, disk::FileLock::Acquire(lock_path));
  BITPLAN_RETURN_IF_ERROR(CreatePrivately(options.path));
  BITPLAN_ASSIGN_OR_RETURN(Connection writer, Connection::Open(options.path, Connection::Mode::kWriter));
  BITPLAN_RETURN_IF_ERROR(SetUpWriter(writer));
  BITPLAN_RETURN_IF_ERROR(sqlite::Migrate(writer, NowUs()));
  BITPLAN_RETURN_IF_ERROR(disk::SyncDirectory(std::filesystem::absolute(options.path).parent_path()));
  return std::make_unique<SqliteStore>(std::move(lock), options.path, std::move(writer));
}

}  // namespace bitplan::store
