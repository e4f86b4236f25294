#ifndef BITPLAN_SERVER_STORE_SQLITE_SCHEMA_H_
#define BITPLAN_SERVER_STORE_SQLITE_SCHEMA_H_

#include <cstdint>

#include "absl/status/status.h"
#include "server/store/sqlite/database.h"

namespace bitplan::store::sqlite {

// Brings the file to the newest schema, one transaction a version, and notes each in the table schema_migrations.
// Errors: kDataLoss: the file belongs to another program; kFailedPrecondition: its schema is newer than this program's.
absl::Status Migrate(Connection& writer, int64_t now_us);

// The newest version that Migrate knows.
int64_t NewestSchemaVersion();

}  // namespace bitplan::store::sqlite

#endif  // BITPLAN_SERVER_STORE_SQLITE_SCHEMA_H_
