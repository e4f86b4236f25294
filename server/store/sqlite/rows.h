#ifndef BITPLAN_SERVER_STORE_SQLITE_ROWS_H_
#define BITPLAN_SERVER_STORE_SQLITE_ROWS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/store/sqlite/database.h"
#include "server/store/store.h"

// The SQL of the store: reads and writes of single rows and pages, on whatever connection and transaction the caller
// has.

namespace bitplan::store::sqlite {

// Requests. Find: kNotFound for an empty or unknown request id, kAlreadyExists for another fingerprint.
absl::StatusOr<std::string> FindRequest(Connection& database, std::string_view project, const RequestKey& request);
absl::Status InsertRequest(Connection& database, std::string_view project, const RequestKey& request,
                           std::string_view name, int64_t now_us);

// Resources. InsertResourceIfAbsent: false if the key is taken.
absl::StatusOr<bool> InsertResourceIfAbsent(Connection& database, const Resource& resource, int64_t now_us);
absl::StatusOr<Resource> ReadResource(Connection& database, const ResourceKey& key);
absl::Status DeleteResource(Connection& database, const ResourceKey& key);
absl::StatusOr<int64_t> CountResourcesWithDigest(Connection& database, std::string_view digest);
absl::StatusOr<Page<Resource>> ListResources(Connection& database, std::string_view project,
                                             std::string_view collection, const ListOptions& options);

// Jobs. InsertJob writes event 1 too; WriteJob writes the newest event if the record's sequence is not `old_sequence`,
// and deletes the checkpoints of a job that has ended.
absl::Status InsertJob(Connection& database, const NewJob& job, int64_t now_us);
absl::StatusOr<JobRecord> ReadJob(Connection& database, const JobKey& key);
absl::Status WriteJob(Connection& database, const JobRecord& job, int64_t old_sequence, int64_t now_us);
absl::StatusOr<Page<JobRecord>> ListJobs(Connection& database, std::string_view project,
                                         const std::vector<JobState>& states, const ListOptions& options);
absl::StatusOr<std::vector<JobRecord>> ReadUnfinishedJobs(Connection& database);  // in order of creation
absl::StatusOr<std::vector<JobEvent>> ReadJobEvents(Connection& database, int64_t job_row, int64_t after_sequence);

// Checkpoints, by the job's row (JobRecord::order).
absl::Status WriteCheckpoint(Connection& database, int64_t job_row, std::string_view name, std::string_view digest,
                             std::string_view value);
// kNotFound, or kDataLoss if the value does not have its digest.
absl::StatusOr<std::string> ReadCheckpoint(Connection& database, int64_t job_row, std::string_view name);

}  // namespace bitplan::store::sqlite

#endif  // BITPLAN_SERVER_STORE_SQLITE_ROWS_H_
