// What is special about the SQLite store; the rest is in conformance_test.cc.

#include "server/store/sqlite/sqlite_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "search/base/status.h"
#include "server/store/sqlite/group_commit.h"
#include "server/store/sqlite/schema.h"

namespace bitplan::store {
namespace {

namespace fs = std::filesystem;
using sqlite::Connection;
using sqlite::Durability;
using sqlite::GroupCommitter;
using ::testing::HasSubstr;

class SqliteStoreTest : public ::testing::Test {
 protected:
  SqliteStoreTest() {
    std::string pattern = (fs::temp_directory_path() / "bitplan-sqlite-XXXXXX").string();
    root_ = mkdtemp(pattern.data());
  }
  ~SqliteStoreTest() override { fs::remove_all(root_); }

  fs::path path() const { return root_ / "store.db"; }
  absl::StatusOr<std::unique_ptr<Store>> Open() const { return OpenSqliteStore({.path = path()}); }

  Connection Connect(Connection::Mode mode = Connection::Mode::kWriter) const {
    absl::StatusOr<Connection> connection = Connection::Open(path(), mode);
    EXPECT_TRUE(connection.ok()) << connection.status();
    return *std::move(connection);
  }

  int64_t QueryInt(std::string_view sql) const {
    Connection connection = Connect();
    auto statement = connection.Prepare(sql);
    EXPECT_TRUE(statement.ok()) << statement.status();
    EXPECT_TRUE(statement->Step().ok());
    return statement->Int(0);
  }

  fs::path root_;
};

TEST_F(SqliteStoreTest, NotesItsSchemaVersionOnce) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(QueryInt("SELECT count(*) FROM schema_migrations"), sqlite::NewestSchemaVersion());
  EXPECT_EQ(QueryInt("SELECT max(version) FROM schema_migrations"), sqlite::NewestSchemaVersion());
}

TEST_F(SqliteStoreTest, FileOfANewerVersionIsRefused) {
  ASSERT_TRUE(Open().ok());
  ASSERT_TRUE(Connect().RunScript("INSERT INTO schema_migrations VALUES (99, 0)").ok());
  const absl::Status status = Open().status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(MessageOf(status), HasSubstr("schema version 99"));
}

TEST_F(SqliteStoreTest, FileOfAnotherProgramIsRefusedAndLeftAlone) {
  ASSERT_TRUE(Connect().RunScript("CREATE TABLE theirs (x)").ok());
  EXPECT_TRUE(absl::IsDataLoss(Open().status()));
  EXPECT_EQ(QueryInt("SELECT count(*) FROM sqlite_schema"), 1);
}

TEST_F(SqliteStoreTest, FileThatIsNoDatabaseIsDataLoss) {
  std::ofstream(path()) << std::string(5000, 'x');
  EXPECT_TRUE(absl::IsDataLoss(Open().status()));
}

TEST_F(SqliteStoreTest, DamagedCheckpointIsNeverReturned) {
  const JobKey key{.project = "p", .id = "j"};
  auto store = *Open();
  ASSERT_TRUE(store->CreateJob({.key = key}, {}).ok());
  ASSERT_TRUE(store->StartJob(key, 1).ok());
  ASSERT_TRUE(store->SaveCheckpoint(key, 1, "c", "value").ok());
  store.reset();
  ASSERT_TRUE(Connect().RunScript("UPDATE checkpoints SET value = x'00'").ok());
  store = *Open();
  EXPECT_TRUE(absl::IsDataLoss(store->LoadCheckpoint(key, "c").status()));
}

TEST_F(SqliteStoreTest, FileIsForTheOwnerOnly) {
  const auto store = Open();
  const fs::perms others = fs::perms::group_all | fs::perms::others_all;
  for (const char* suffix : {"", "-wal", "-shm", ".lock"}) {
    EXPECT_EQ(fs::status(path().string() + suffix).permissions() & others, fs::perms::none) << suffix;
  }
}

TEST_F(SqliteStoreTest, ReadersCannotWrite) {
  const auto store = Open();
  EXPECT_FALSE(Connect(Connection::Mode::kReader).RunScript("DELETE FROM jobs").ok());
}

// A committer on a file with one table; the first change of each test is committed alone.
class GroupCommitTest : public SqliteStoreTest {
 protected:
  GroupCommitTest() { EXPECT_TRUE(Connect().RunScript("PRAGMA journal_mode = WAL; CREATE TABLE t (x)").ok()); }

  static GroupCommitter::Change Insert(int64_t x) {
    return [x](Connection& writer) { return writer.Run("INSERT INTO t VALUES (?1)", x); };
  }
};

TEST_F(GroupCommitTest, FailedChangeLeavesNothingAndHarmsNoOther) {
  GroupCommitter committer(Connect());
  std::vector<std::jthread> clients;
  for (int client = 0; client < 4; ++client) {
    clients.emplace_back([&, client] {
      for (int i = 0; i < 25; ++i) {
        const bool fails = i % 5 == 0;
        const absl::Status status = committer.Run(Durability::kSynced, [&](Connection& writer) -> absl::Status {
          BITPLAN_RETURN_IF_ERROR(Insert(100 * client + i)(writer));
          return fails ? InvalidArgument("no") : absl::OkStatus();
        });
        EXPECT_EQ(status.ok(), !fails);
      }
    });
  }
  clients.clear();
  EXPECT_EQ(QueryInt("SELECT count(*) FROM t"), 4 * 20);
  EXPECT_EQ(QueryInt("SELECT count(*) FROM t WHERE x % 5 = 0"), 0);
}

TEST_F(GroupCommitTest, ExceptionInAChangeIsAnErrorOfThatChange) {
  GroupCommitter committer(Connect());
  const absl::Status status = committer.Run(Durability::kSynced, [](Connection& writer) -> absl::Status {
    EXPECT_TRUE(writer.RunScript("INSERT INTO t VALUES (1)").ok());
    throw std::bad_alloc();
  });
  EXPECT_TRUE(absl::IsResourceExhausted(status));
  EXPECT_TRUE(committer.Run(Durability::kSynced, Insert(2)).ok());
  EXPECT_EQ(QueryInt("SELECT sum(x) FROM t"), 2);
}

// SQLite rolls the whole transaction back by itself in some errors; a change that does so stands for them.
TEST_F(GroupCommitTest, LostTransactionIsReported) {
  GroupCommitter committer(Connect());
  const absl::Status status = committer.Run(Durability::kSynced, [](Connection& writer) -> absl::Status {
    EXPECT_TRUE(writer.RunScript("INSERT INTO t VALUES (1); ROLLBACK").ok());
    return absl::OkStatus();
  });
  EXPECT_TRUE(absl::IsInternal(status));
  EXPECT_TRUE(committer.Run(Durability::kSynced, Insert(2)).ok());
  EXPECT_EQ(QueryInt("SELECT sum(x) FROM t"), 2);
}

TEST_F(GroupCommitTest, SyncsOnlyWhatMustBe) {
  GroupCommitter committer(Connect());
  const auto synchronous = [](int64_t& value) {
    return [&value](Connection& writer) -> absl::Status {
      BITPLAN_ASSIGN_OR_RETURN(auto statement, writer.Prepare("PRAGMA synchronous"));
      BITPLAN_RETURN_IF_ERROR(statement.Step().status());
      value = statement.Int(0);
      return absl::OkStatus();
    };
  };
  int64_t level = 0;
  for (int round = 0; round < 2; ++round) {
    ASSERT_TRUE(committer.Run(Durability::kSynced, synchronous(level)).ok());
    EXPECT_EQ(level, 2) << "FULL";
    ASSERT_TRUE(committer.Run(Durability::kRelaxed, synchronous(level)).ok());
    EXPECT_EQ(level, 1) << "NORMAL";
  }
}

TEST_F(GroupCommitTest, FullDiskIsResourceExhaustedAndPasses) {
  GroupCommitter committer(Connect());
  const auto limit = [](int64_t pages) {
    return [pages](Connection& writer) { return writer.RunScript(fmt::format("PRAGMA max_page_count = {}", pages)); };
  };
  ASSERT_TRUE(committer.Run(Durability::kSynced, limit(2)).ok());
  const std::string large(100'000, 'x');
  const auto insert = [&](Connection& writer) {
    return writer.Run("INSERT INTO t VALUES (?1)", std::string_view(large));
  };
  EXPECT_TRUE(absl::IsResourceExhausted(committer.Run(Durability::kSynced, insert)));
  ASSERT_TRUE(committer.Run(Durability::kSynced, limit(1'000'000)).ok());
  EXPECT_TRUE(committer.Run(Durability::kSynced, insert).ok());
  EXPECT_EQ(QueryInt("SELECT count(*) FROM t"), 1);
}

}  // namespace
}  // namespace bitplan::store
