#include "server/store/sqlite/database.h"

#include <sqlite3.h>

#include <climits>

#include "search/base/status.h"

namespace bitplan::store::sqlite {
namespace {

constexpr int kBusyTimeoutMs = 10000;  // readers meet a lock only while the writer recovers or resets the log

absl::StatusCode CodeOf(int sqlite_code) {
  switch (sqlite_code & 0xff) {
    case SQLITE_CONSTRAINT:
      return absl::StatusCode::kAlreadyExists;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::StatusCode::kDataLoss;
    case SQLITE_FULL:
    case SQLITE_NOMEM:
      return absl::StatusCode::kResourceExhausted;
    case SQLITE_TOOBIG:
      return absl::StatusCode::kInvalidArgument;
    default:
      return absl::StatusCode::kInternal;
  }
}

absl::Status StatusOf(sqlite3* database, std::string_view what) {
  const int code = database == nullptr ? SQLITE_NOMEM : sqlite3_extended_errcode(database);
  const char* reason = database == nullptr ? "out of memory" : sqlite3_errmsg(database);
  return absl::Status(CodeOf(code), fmt::format("store: {}: {} (SQLite code {})", what, reason, code));
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

void Statement::Bind(int index, int64_t value) { sqlite3_bind_int64(statement_.get(), index, value); }

void Statement::Bind(int index, std::string_view value) {
  const char* text = value.data() == nullptr ? "" : value.data();  // a null pointer would bind NULL
  sqlite3_bind_text64(statement_.get(), index, text, value.size(), SQLITE_STATIC, SQLITE_UTF8);
}

void Statement::Bind(int index, Blob value) {
  const char* bytes = value.bytes.data() == nullptr ? "" : value.bytes.data();
  // Too long a value fails here and leaves NULL, which the NOT NULL of every column then refuses.
  sqlite3_bind_blob64(statement_.get(), index, bytes, value.bytes.size(), SQLITE_STATIC);
}

absl::StatusOr<bool> Statement::Step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return StatusOf(sqlite3_db_handle(statement_.get()), "statement failed");
}

int64_t Statement::Int(int column) const { return sqlite3_column_int64(statement_.get(), column); }

std::string Statement::Bytes(int column) const {
  const void* bytes = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return bytes == nullptr ? std::string() : std::string(static_cast<const char*>(bytes), static_cast<size_t>(size));
}

void Connection::Close::operator()(sqlite3* database) const { sqlite3_close(database); }

absl::StatusOr<Connection> Connection::Open(const std::filesystem::path& path, Mode mode) {
  const int access = mode == Mode::kWriter ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
  sqlite3* database = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &database, access | SQLITE_OPEN_NOMUTEX, nullptr);
  Connection connection;
  connection.database_.reset(database);
  if (code != SQLITE_OK) return StatusOf(database, fmt::format("cannot open {}", path.string()));
  sqlite3_busy_timeout(database, kBusyTimeoutMs);
  if (mode == Mode::kReader) sqlite3_db_config(database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  return connection;
}

absl::StatusOr<Statement> Connection::PrepareUnbound(std::string_view sql) {
  Statement statement;
  sqlite3_stmt* prepared = nullptr;
  const int code = sqlite3_prepare_v2(database_.get(), sql.data(), static_cast<int>(sql.size()), &prepared, nullptr);
  statement.statement_.reset(prepared);
  if (code != SQLITE_OK) return StatusOf(database_.get(), "cannot prepare a statement");
  return statement;
}

absl::Status Connection::RunScript(const std::string& sql) {
  const int code = sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : StatusOf(database_.get(), "script failed");
}

bool Connection::InTransaction() const { return sqlite3_get_autocommit(database_.get()) == 0; }
int64_t Connection::LastInsertedRow() const { return sqlite3_last_insert_rowid(database_.get()); }
int64_t Connection::ChangedRows() const { return sqlite3_changes64(database_.get()); }

}  // namespace bitplan::store::sqlite
