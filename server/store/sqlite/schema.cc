#include "server/store/sqlite/schema.h"

#include <array>
#include <string>

#include "search/base/status.h"

namespace bitplan::store::sqlite {
namespace {

constexpr int64_t kApplicationId = 0x62706c6e;  // "bpln", in the file's header

// Row numbers are AUTOINCREMENT: never used twice, and in the order of commits, because there is one writer. Page
// tokens and the job queue rely on it. A released entry is never changed; a new version goes to the end.
constexpr auto kMigrations = std::to_array<const char*>({
    R"sql(
CREATE TABLE resources (
  row INTEGER PRIMARY KEY AUTOINCREMENT,
  project TEXT NOT NULL,
  collection TEXT NOT NULL,
  id TEXT NOT NULL,
  create_time_us INTEGER NOT NULL,
  digest TEXT NOT NULL,
  payload BLOB NOT NULL,
  UNIQUE (project, collection, id)
) STRICT;
CREATE INDEX resources_by_list ON resources (project, collection);
CREATE INDEX resources_by_digest ON resources (digest);

CREATE TABLE requests (
  project TEXT NOT NULL,
  method TEXT NOT NULL,
  request_id TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  name TEXT NOT NULL,
  create_time_us INTEGER NOT NULL,
  PRIMARY KEY (project, method, request_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE jobs (
  row INTEGER PRIMARY KEY AUTOINCREMENT,
  project TEXT NOT NULL,
  id TEXT NOT NULL,
  spec BLOB NOT NULL,
  time_limit_ms INTEGER NOT NULL,
  state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 5),
  attempt INTEGER NOT NULL,
  awaiting_worker INTEGER NOT NULL,
  cancel_requested INTEGER NOT NULL,
  crashes INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  create_time_us INTEGER NOT NULL,
  start_time_us INTEGER NOT NULL,
  end_time_us INTEGER NOT NULL,
  error_code INTEGER NOT NULL,
  error_message TEXT NOT NULL,
  result BLOB NOT NULL,
  UNIQUE (project, id)
) STRICT;
CREATE INDEX jobs_by_list ON jobs (project);
CREATE INDEX jobs_unfinished ON jobs (state) WHERE state < 3;

CREATE TABLE job_events (
  job INTEGER NOT NULL REFERENCES jobs (row),
  sequence INTEGER NOT NULL,
  state INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  awaiting_worker INTEGER NOT NULL,
  cancel_requested INTEGER NOT NULL,
  time_us INTEGER NOT NULL,
  PRIMARY KEY (job, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoints (
  job INTEGER NOT NULL REFERENCES jobs (row),
  name TEXT NOT NULL,
  digest TEXT NOT NULL,
  value BLOB NOT NULL,
  PRIMARY KEY (job, name)
) STRICT;
)sql",
});

absl::StatusOr<int64_t> QueryInt(Connection& database, std::string_view sql) {
  BITPLAN_ASSIGN_OR_RETURN(Statement statement, database.Prepare(sql));
  BITPLAN_ASSIGN_OR_RETURN(const bool found, statement.Step());
  return found ? statement.Int(0) : 0;
}

absl::Status CheckApplication(Connection& writer) {
  BITPLAN_ASSIGN_OR_RETURN(const int64_t id, QueryInt(writer, "PRAGMA application_id"));
  if (id == kApplicationId) return absl::OkStatus();
  BITPLAN_ASSIGN_OR_RETURN(const int64_t tables, QueryInt(writer, "SELECT count(*) FROM sqlite_schema"));
  if (id != 0 || tables != 0) return DataLoss("store: the file belongs to another program (application id {:#x})", id);
  return absl::OkStatus();
}

absl::Status Apply(Connection& writer, int64_t version, int64_t now_us) {
  BITPLAN_RETURN_IF_ERROR(writer.RunScript(kMigrations[static_cast<size_t>(version - 1)]));
  return writer.Run("INSERT INTO schema_migrations VALUES (?1, ?2)", version, now_us);
}

absl::Status InTransaction(Connection& writer, const auto& change) {
  BITPLAN_RETURN_IF_ERROR(writer.RunScript("BEGIN IMMEDIATE"));
  absl::Status status = change();
  if (status.ok()) status = writer.RunScript("COMMIT");
  if (!status.ok() && writer.InTransaction()) writer.RunScript("ROLLBACK").IgnoreError();
  return status;
}

absl::Status CreateMigrationTable(Connection& writer) {
  return InTransaction(writer, [&] {
    return writer.RunScript(
        fmt::format("PRAGMA application_id = {};"
                    "CREATE TABLE IF NOT EXISTS schema_migrations"
                    " (version INTEGER PRIMARY KEY, applied_time_us INTEGER NOT NULL) STRICT",
                    kApplicationId));
  });
}

}  // namespace

int64_t NewestSchemaVersion() { return static_cast<int64_t>(kMigrations.size()); }

absl::Status Migrate(Connection& writer, int64_t now_us) {
  BITPLAN_RETURN_IF_ERROR(CheckApplication(writer));
  BITPLAN_RETURN_IF_ERROR(CreateMigrationTable(writer));
  BITPLAN_ASSIGN_OR_RETURN(const int64_t found, QueryInt(writer, "SELECT max(version) FROM schema_migrations"));
  if (found > NewestSchemaVersion()) {
    return FailedPrecondition("store: the file has schema version {}, this program knows up to {}; use a newer one",
                              found, NewestSchemaVersion());
  }
  for (int64_t version = found + 1; version <= NewestSchemaVersion(); ++version) {
    BITPLAN_RETURN_IF_ERROR(InTransaction(writer, [&] { return Apply(writer, version, now_us); }));
  }
  return absl::OkStatus();
}

}  // namespace bitplan::store::sqlite
