#include "server/store/sqlite/group_commit.h"

#include <algorithm>
#include <new>
#include <utility>

#include "search/base/status.h"

namespace bitplan::store::sqlite {
namespace {

absl::Status RunGuarded(Connection& writer, const GroupCommitter::Change& change) {
  try {
    return change(writer);
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError("store: out of memory");
  }
}

}  // namespace

GroupCommitter::GroupCommitter(Connection writer)
    : writer_(std::move(writer)), thread_([this](const std::stop_token& stop) { Loop(stop); }) {}

GroupCommitter::~GroupCommitter() {
  thread_.request_stop();
  thread_.join();
}

absl::Status GroupCommitter::Run(Durability durability, const Change& change) {
  Pending pending{.change = &change, .durability = durability};
  std::unique_lock lock(mutex_);
  waiting_.push_back(&pending);
  arrived_.notify_one();
  committed_.wait(lock, [&] { return pending.done; });
  return pending.status;
}

void GroupCommitter::Loop(const std::stop_token& stop) {
  for (Batch batch = TakeBatch(stop); !batch.empty(); batch = TakeBatch(stop)) {
    const absl::Status commit = Commit(batch);
    const std::scoped_lock lock(mutex_);
    for (Pending* pending : batch) {
      if (!commit.ok() && pending->status.ok()) pending->status = commit;
      pending->done = true;
    }
    committed_.notify_all();
  }
}

GroupCommitter::Batch GroupCommitter::TakeBatch(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  arrived_.wait(lock, stop, [&] { return !waiting_.empty(); });
  return std::exchange(waiting_, {});
}

absl::Status GroupCommitter::Commit(const Batch& batch) {
  BITPLAN_RETURN_IF_ERROR(SetDurability(batch));
  BITPLAN_RETURN_IF_ERROR(writer_.RunScript("BEGIN IMMEDIATE"));
  absl::Status status = RunChanges(batch);
  if (status.ok()) status = writer_.RunScript("COMMIT");
  if (!status.ok() && writer_.InTransaction()) writer_.RunScript("ROLLBACK").IgnoreError();
  return status;
}

// Not OK if the transaction must not be committed; changes that merely failed have it in their own status.
absl::Status GroupCommitter::RunChanges(const Batch& batch) {
  for (Pending* pending : batch) BITPLAN_RETURN_IF_ERROR(RunInSavepoint(*pending));
  return absl::OkStatus();
}

absl::Status GroupCommitter::RunInSavepoint(Pending& pending) {
  BITPLAN_RETURN_IF_ERROR(writer_.RunScript("SAVEPOINT one"));
  pending.status = RunGuarded(writer_, *pending.change);
  if (!writer_.InTransaction()) {  // SQLite does this by itself after I/O errors and on a full disk
    return absl::Status(pending.status.ok() ? absl::StatusCode::kInternal : pending.status.code(),
                        fmt::format("the transaction was rolled back: {}", MessageOf(pending.status)));
  }
  if (!pending.status.ok()) BITPLAN_RETURN_IF_ERROR(writer_.RunScript("ROLLBACK TO one"));
  return writer_.RunScript("RELEASE one");
}

absl::Status GroupCommitter::SetDurability(const Batch& batch) {
  const bool synced = std::ranges::any_of(batch, [](const Pending* p) { return p->durability == Durability::kSynced; });
  const Durability wanted = synced ? Durability::kSynced : Durability::kRelaxed;
  if (wanted == current_) return absl::OkStatus();
  BITPLAN_RETURN_IF_ERROR(writer_.RunScript(synced ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL"));
  current_ = wanted;
  return absl::OkStatus();
}

}  // namespace bitplan::store::sqlite
