#include "server/store/sqlite/rows.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "search/base/digest.h"
#include "search/base/status.h"
#include "server/store/job_transition.h"
#include "server/store/page_token.h"

namespace bitplan::store::sqlite {
namespace {

constexpr std::string_view kResourceColumns = "row, project, collection, id, create_time_us, digest, payload";
constexpr std::string_view kJobColumns =
    "row, project, id, spec, time_limit_ms, state, attempt, awaiting_worker, cancel_requested, crashes, sequence,"
    " create_time_us, start_time_us, end_time_us, error_code, error_message, result";

Resource ResourceFrom(const Statement& row) {
  return {.key = {.project = row.Bytes(1), .collection = row.Bytes(2), .id = row.Bytes(3)},
          .digest = row.Bytes(5),
          .payload = row.Bytes(6),
          .create_time_us = row.Int(4)};
}

JobRecord JobFrom(const Statement& row) {
  return {.key = {.project = row.Bytes(1), .id = row.Bytes(2)},
          .order = row.Int(0),
          .spec = row.Bytes(3),
          .time_limit_ms = row.Int(4),
          .state = static_cast<JobState>(row.Int(5)),  // 1..5 by the table's CHECK
          .attempt = row.Int(6),
          .awaiting_worker = row.Int(7) != 0,
          .cancel_requested = row.Int(8) != 0,
          .crashes = row.Int(9),
          .sequence = row.Int(10),
          .create_time_us = row.Int(11),
          .start_time_us = row.Int(12),
          .end_time_us = row.Int(13),
          .error = absl::Status(static_cast<absl::StatusCode>(row.Int(14)), row.Bytes(15)),
          .result = row.Bytes(16)};
}

absl::Status InsertEvent(Connection& database, int64_t job_row, const JobEvent& event) {
  return database.Run("INSERT INTO job_events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)", job_row, event.sequence,
                      static_cast<int64_t>(event.state), event.attempt, int64_t{event.awaiting_worker},
                      int64_t{event.cancel_requested}, event.time_us);
}

// A list in row order. `identity` says which list it is, for the token; `from` is the SQL between SELECT and the row
// limits.
struct ListQuery {
  std::string identity;
  std::string from;
  std::string_view project;
  std::string_view collection;  // ?2 in `from`; may be unused
};

struct Cursor {
  Statement statement;
  int64_t page_size;
  std::string identity;
};

absl::StatusOr<Cursor> BeginList(Connection& database, const ListQuery& query, const ListOptions& options) {
  BITPLAN_ASSIGN_OR_RETURN(const int64_t page_size, EffectivePageSize(options.page_size));
  const bool newest = options.newest_first;
  std::string identity = fmt::format("{}|{}", query.identity, newest ? "newest" : "oldest");
  int64_t last_row = newest ? std::numeric_limits<int64_t>::max() : 0;
  if (!options.page_token.empty()) {
    BITPLAN_ASSIGN_OR_RETURN(last_row, ParsePageToken(identity, options.page_token));
  }
  const std::string sql = fmt::format("SELECT {} AND row {} ?3 ORDER BY row {} LIMIT ?4", query.from,
                                      newest ? "<" : ">", newest ? "DESC" : "ASC");
  // One row more than asked for tells whether there is a next page.
  BITPLAN_ASSIGN_OR_RETURN(Statement statement,
                           database.Prepare(sql, query.project, query.collection, last_row, page_size + 1));
  return Cursor{std::move(statement), page_size, std::move(identity)};
}

// Fills a page until it is full by rows or by bytes.
template <typename T>
absl::StatusOr<Page<T>> ReadPage(Cursor cursor, T (*from_row)(const Statement&), int64_t (*bytes_of)(const T&)) {
  Page<T> page;
  int64_t bytes = 0;
  int64_t last_row = 0;
  while (true) {
    BITPLAN_ASSIGN_OR_RETURN(const bool found, cursor.statement.Step());
    if (!found) return page;
    T item = from_row(cursor.statement);
    bytes += bytes_of(item);
    const bool full = page.items.size() == cursor.page_size || (bytes > kMaxPageBytes && !page.items.empty());
    if (full) break;
    last_row = cursor.statement.Int(0);
    page.items.push_back(std::move(item));
  }
  page.next_page_token = MakePageToken(cursor.identity, last_row);
  return page;
}

std::string StateList(std::vector<JobState> states) {
  std::ranges::sort(states);
  std::string list;
  for (JobState state : states) list += fmt::format("{}{}", list.empty() ? "" : ",", static_cast<int>(state));
  return list;
}

absl::StatusOr<std::vector<JobRecord>> ReadJobs(Statement statement) {
  std::vector<JobRecord> jobs;
  while (true) {
    BITPLAN_ASSIGN_OR_RETURN(const bool found, statement.Step());
    if (!found) return jobs;
    jobs.push_back(JobFrom(statement));
  }
}

}  // namespace

absl::StatusOr<std::string> FindRequest(Connection& database, std::string_view project, const RequestKey& request) {
  if (request.request_id.empty()) return NotFound("request_id: empty");
  BITPLAN_ASSIGN_OR_RETURN(
      Statement row,
      database.Prepare("SELECT fingerprint, name FROM requests WHERE project = ?1 AND method = ?2 AND request_id = ?3",
                       project, std::string_view(request.method), std::string_view(request.request_id)));
  BITPLAN_ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) return NotFound("request_id: '{}' is new", request.request_id);
  if (row.Bytes(0) != request.fingerprint) {
    return AlreadyExists("request_id: '{}' was used before with other content and created {}", request.request_id,
                         row.Bytes(1));
  }
  return row.Bytes(1);
}

absl::Status InsertRequest(Connection& database, std::string_view project, const RequestKey& request,
                           std::string_view name, int64_t now_us) {
  if (request.request_id.empty()) return absl::OkStatus();
  return database.Run("INSERT INTO requests VALUES (?1, ?2, ?3, ?4, ?5, ?6)", project, std::string_view(request.method),
                      std::string_view(request.request_id), std::string_view(request.fingerprint), name, now_us);
}

absl::StatusOr<bool> InsertResourceIfAbsent(Connection& database, const Resource& resource, int64_t now_us) {
  BITPLAN_RETURN_IF_ERROR(database.Run(
      "INSERT INTO resources (project, collection, id, create_time_us, digest, payload) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
      " ON CONFLICT (project, collection, id) DO NOTHING",
      std::string_view(resource.key.project), std::string_view(resource.key.collection),
      std::string_view(resource.key.id), now_us, std::string_view(resource.digest), Blob{resource.payload}));
  return database.ChangedRows() == 1;
}

absl::StatusOr<Resource> ReadResource(Connection& database, const ResourceKey& key) {
  const std::string sql =
      fmt::format("SELECT {} FROM resources WHERE project = ?1 AND collection = ?2 AND id = ?3", kResourceColumns);
  BITPLAN_ASSIGN_OR_RETURN(Statement row, database.Prepare(sql, std::string_view(key.project),
                                                           std::string_view(key.collection), std::string_view(key.id)));
  BITPLAN_ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) return NotFound("{}: no such resource", ResourceName(key));
  return ResourceFrom(row);
}

absl::Status DeleteResource(Connection& database, const ResourceKey& key) {
  BITPLAN_RETURN_IF_ERROR(database.Run("DELETE FROM resources WHERE project = ?1 AND collection = ?2 AND id = ?3",
                                       std::string_view(key.project), std::string_view(key.collection),
                                       std::string_view(key.id)));
  if (database.ChangedRows() == 1) return absl::OkStatus();
  return NotFound("{}: no such resource", ResourceName(key));
}

absl::StatusOr<int64_t> CountResourcesWithDigest(Connection& database, std::string_view digest) {
  BITPLAN_ASSIGN_OR_RETURN(Statement row, database.Prepare("SELECT count(*) FROM resources WHERE digest = ?1", digest));
  BITPLAN_RETURN_IF_ERROR(row.Step().status());
  return row.Int(0);
}

absl::StatusOr<Page<Resource>> ListResources(Connection& database, std::string_view project,
                                             std::string_view collection, const ListOptions& options) {
  const ListQuery query{
      .identity = fmt::format("resources|{}|{}", project, collection),
      .from = fmt::format("{} FROM resources WHERE project = ?1 AND collection = ?2", kResourceColumns),
      .project = project,
      .collection = collection};
  BITPLAN_ASSIGN_OR_RETURN(Cursor cursor, BeginList(database, query, options));
  return ReadPage<Resource>(std::move(cursor), &ResourceFrom,
                            [](const Resource& r) { return static_cast<int64_t>(r.payload.size()); });
}

absl::Status InsertJob(Connection& database, const NewJob& job, int64_t now_us) {
  BITPLAN_RETURN_IF_ERROR(database.Run(
      "INSERT INTO jobs (project, id, spec, time_limit_ms, state, attempt, awaiting_worker, cancel_requested, crashes,"
      " sequence, create_time_us, start_time_us, end_time_us, error_code, error_message, result)"
      " VALUES (?1, ?2, ?3, ?4, 1, 1, 0, 0, 0, 1, ?5, 0, 0, 0, '', x'') ON CONFLICT (project, id) DO NOTHING",
      std::string_view(job.key.project), std::string_view(job.key.id), Blob{job.spec}, job.time_limit_ms, now_us));
  if (database.ChangedRows() == 0) return AlreadyExists("{}: it exists already", JobName(job.key));
  return InsertEvent(database, database.LastInsertedRow(), NewestEvent(JobRecord{}, now_us));
}

absl::StatusOr<JobRecord> ReadJob(Connection& database, const JobKey& key) {
  const std::string sql = fmt::format("SELECT {} FROM jobs WHERE project = ?1 AND id = ?2", kJobColumns);
  BITPLAN_ASSIGN_OR_RETURN(Statement row,
                           database.Prepare(sql, std::string_view(key.project), std::string_view(key.id)));
  BITPLAN_ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) return NotFound("{}: no such job", JobName(key));
  return JobFrom(row);
}

absl::Status WriteJob(Connection& database, const JobRecord& job, int64_t old_sequence, int64_t now_us) {
  if (job.sequence == old_sequence) return absl::OkStatus();
  const std::string error_message = MessageOf(job.error);
  BITPLAN_RETURN_IF_ERROR(database.Run(
      "UPDATE jobs SET state = ?2, attempt = ?3, awaiting_worker = ?4, cancel_requested = ?5, crashes = ?6,"
      " sequence = ?7, start_time_us = ?8, end_time_us = ?9, error_code = ?10, error_message = ?11, result = ?12"
      " WHERE row = ?1",
      job.order, static_cast<int64_t>(job.state), job.attempt, int64_t{job.awaiting_worker},
      int64_t{job.cancel_requested}, job.crashes, job.sequence, job.start_time_us, job.end_time_us,
      static_cast<int64_t>(job.error.code()), std::string_view(error_message), Blob{job.result}));
  BITPLAN_RETURN_IF_ERROR(InsertEvent(database, job.order, NewestEvent(job, now_us)));
  if (!IsTerminal(job.state)) return absl::OkStatus();
  return database.Run("DELETE FROM checkpoints WHERE job = ?1", job.order);
}

absl::StatusOr<Page<JobRecord>> ListJobs(Connection& database, std::string_view project,
                                         const std::vector<JobState>& states, const ListOptions& options) {
  const std::string list = StateList(states);
  const std::string filter = list.empty() ? "" : fmt::format(" AND state IN ({})", list);
  const ListQuery query{.identity = fmt::format("jobs|{}|{}", project, list),
                        // ?2 is the collection of resources; here it is bound to "" and must appear all the same.
                        .from = fmt::format("{} FROM jobs WHERE project = ?1 AND '' = ?2{}", kJobColumns, filter),
                        .project = project,
                        .collection = ""};
  BITPLAN_ASSIGN_OR_RETURN(Cursor cursor, BeginList(database, query, options));
  return ReadPage<JobRecord>(std::move(cursor), &JobFrom, [](const JobRecord& job) {
    return static_cast<int64_t>(job.spec.size() + job.result.size());
  });
}

absl::StatusOr<std::vector<JobRecord>> ReadUnfinishedJobs(Connection& database) {
  const std::string sql = fmt::format("SELECT {} FROM jobs WHERE state < 3 ORDER BY row", kJobColumns);
  BITPLAN_ASSIGN_OR_RETURN(Statement statement, database.Prepare(sql));
  return ReadJobs(std::move(statement));
}

absl::StatusOr<std::vector<JobEvent>> ReadJobEvents(Connection& database, int64_t job_row, int64_t after_sequence) {
  BITPLAN_ASSIGN_OR_RETURN(
      Statement row,
      database.Prepare("SELECT sequence, state, attempt, awaiting_worker, cancel_requested, time_us FROM job_events"
                       " WHERE job = ?1 AND sequence > ?2 ORDER BY sequence",
                       job_row, after_sequence));
  std::vector<JobEvent> events;
  while (true) {
    BITPLAN_ASSIGN_OR_RETURN(const bool found, row.Step());
    if (!found) return events;
    events.push_back({.sequence = row.Int(0),
                      .state = static_cast<JobState>(row.Int(1)),
                      .attempt = row.Int(2),
                      .awaiting_worker = row.Int(3) != 0,
                      .cancel_requested = row.Int(4) != 0,
                      .time_us = row.Int(5)});
  }
}

absl::Status WriteCheckpoint(Connection& database, int64_t job_row, std::string_view name, std::string_view digest,
                             std::string_view value) {
  return database.Run(
      "INSERT INTO checkpoints VALUES (?1, ?2, ?3, ?4)"
      " ON CONFLICT (job, name) DO UPDATE SET digest = excluded.digest, value = excluded.value",
      job_row, name, digest, Blob{value});
}

absl::StatusOr<std::string> ReadCheckpoint(Connection& database, int64_t job_row, std::string_view name) {
  BITPLAN_ASSIGN_OR_RETURN(
      Statement row,
      database.Prepare("SELECT digest, value FROM checkpoints WHERE job = ?1 AND name = ?2", job_row, name));
  BITPLAN_ASSIGN_OR_RETURN(const bool found, row.Step());
  if (!found) return NotFound("checkpoint '{}': none", name);
  std::string value = row.Bytes(1);
  if (Sha256Hex(value) != row.Bytes(0)) return DataLoss("checkpoint '{}': damaged", name);
  return value;
}

}  // namespace bitplan::store::sqlite
