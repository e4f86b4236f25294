#ifndef BITPLAN_SERVER_STORE_SQLITE_DATABASE_H_
#define BITPLAN_SERVER_STORE_SQLITE_DATABASE_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct sqlite3;
struct sqlite3_stmt;

// SQLite's C calls with owners and statuses. Codes: SQLITE_CONSTRAINT kAlreadyExists (the caller words it), CORRUPT and
// NOTADB kDataLoss, FULL and NOMEM kResourceExhausted, TOOBIG kInvalidArgument, others kInternal.

namespace bitplan::store::sqlite {

// Bytes that are bound as a BLOB; std::string_view is bound as TEXT.
struct Blob {
  std::string_view bytes;
};

// A prepared statement. Bound views must outlive the last Step.
class Statement {
 public:
  // True: a row is there. False: done.
  absl::StatusOr<bool> Step();
  int64_t Int(int column) const;
  std::string Bytes(int column) const;  // of TEXT or BLOB

 private:
  friend class Connection;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  void Bind(int index, int64_t value);
  void Bind(int index, std::string_view value);
  void Bind(int index, Blob value);
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

// One connection; used by one thread at a time.
class Connection {
 public:
  enum class Mode { kWriter, kReader };
  // The writer creates the file if missing. Readers can neither change nor checkpoint.
  static absl::StatusOr<Connection> Open(const std::filesystem::path& path, Mode mode);

  // Binds the arguments (int64_t, std::string_view or Blob) to ?1, ?2, ...
  template <typename... Args>
  absl::StatusOr<Statement> Prepare(std::string_view sql, Args... args) {
    absl::StatusOr<Statement> statement = PrepareUnbound(sql);
    if (!statement.ok()) return statement;
    int index = 0;
    (statement->Bind(++index, args), ...);
    return statement;
  }
  // Prepare and Step of a statement that returns no rows.
  template <typename... Args>
  absl::Status Run(std::string_view sql, Args... args) {
    absl::StatusOr<Statement> statement = Prepare(sql, args...);
    return statement.ok() ? statement->Step().status() : statement.status();
  }
  // Several statements without arguments or rows.
  absl::Status RunScript(const std::string& sql);

  bool InTransaction() const;
  int64_t LastInsertedRow() const;
  int64_t ChangedRows() const;

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  absl::StatusOr<Statement> PrepareUnbound(std::string_view sql);
  std::unique_ptr<sqlite3, Close> database_;
};

}  // namespace bitplan::store::sqlite

#endif  // BITPLAN_SERVER_STORE_SQLITE_DATABASE_H_
