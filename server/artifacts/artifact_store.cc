#include "server/artifacts/artifact_store.h"

#include <algorithm>
#include <mutex>
#include <system_error>
#include <utility>

#include "search/base/digest.h"
#include "search/base/status.h"
#include "server/disk/file.h"

namespace bitplan::artifacts {
namespace fs = std::filesystem;
namespace {

bool IsDigest(std::string_view text) {
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return text.size() == 64 && std::ranges::all_of(text, is_hex);
}

absl::Status CheckDigest(std::string_view digest) {
  if (IsDigest(digest)) return absl::OkStatus();
  return InvalidArgument("sha256: got '{}', want 64 lower-case hexadecimal digits", digest.substr(0, 80));
}

absl::Status FileSystemError(std::string_view what, const fs::path& path, const std::error_code& error) {
  return Internal("cannot {} {}: {}", what, path.string(), error.message());
}

absl::Status CheckClaim(const UploadClaim& claim, std::string_view digest, int64_t size_bytes) {
  if (claim.size_bytes && *claim.size_bytes != size_bytes) {
    return InvalidArgument("size_bytes: {} bytes were announced, {} arrived", *claim.size_bytes, size_bytes);
  }
  if (claim.sha256.empty()) return absl::OkStatus();
  BITPLAN_RETURN_IF_ERROR(CheckDigest(claim.sha256));
  if (claim.sha256 != digest) {
    return InvalidArgument("sha256: {} was announced, the bytes that arrived have {}", claim.sha256, digest);
  }
  return absl::OkStatus();
}

absl::Status MakeDirectory(const fs::path& path) {
  std::error_code error;
  if (fs::create_directory(path, error)) fs::permissions(path, fs::perms::owner_all, error);
  return error ? FileSystemError("create", path, error) : absl::OkStatus();
}

absl::Status RemoveContents(const fs::path& directory) {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, error)) {
    fs::remove_all(entry.path(), error);
    if (error) break;
  }
  return error ? FileSystemError("clean", directory, error) : absl::OkStatus();
}

// Sum over the blobs; files that are not ours do not count.
absl::StatusOr<int64_t> SumSizes(const fs::path& directory) {
  std::error_code error;
  int64_t total = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, error)) {
    if (!IsDigest(entry.path().filename().string())) continue;
    total += static_cast<int64_t>(entry.file_size(error));
    if (error) break;
  }
  if (error) return FileSystemError("list", directory, error);
  return total;
}

}  // namespace

struct ArtifactStore::State {
  ArtifactOptions options;
  disk::FileLock lock;
  fs::path blobs;
  fs::path uploads;
  mutable std::mutex mutex;  // guards the two numbers and every rename or removal in `blobs`
  int64_t total_bytes = 0;
  int64_t next_upload = 0;

  explicit State(const ArtifactOptions& given, disk::FileLock held)
      : options(given), lock(std::move(held)), blobs(given.directory / "blobs"), uploads(given.directory / "uploads") {}

  absl::Status CheckSize(int64_t size_bytes) const {
    if (size_bytes <= options.max_artifact_bytes) return absl::OkStatus();
    return ResourceExhausted("upload: {} bytes so far, the limit for one is {}", size_bytes,
                             options.max_artifact_bytes);
  }

  absl::Status CheckQuota(int64_t added_bytes) const {
    if (added_bytes <= options.max_total_bytes - total_bytes) return absl::OkStatus();
    return ResourceExhausted(
        "artifact store: {} of {} bytes in use, no room for {} more; delete some or raise the quota", total_bytes,
        options.max_total_bytes, added_bytes);
  }

  absl::Status Reserve(int64_t bytes) {
    const std::scoped_lock guard(mutex);
    BITPLAN_RETURN_IF_ERROR(CheckQuota(bytes));
    total_bytes += bytes;
    return absl::OkStatus();
  }

  void Release(int64_t bytes) {
    const std::scoped_lock guard(mutex);
    total_bytes -= bytes;
  }

  // Moves a complete, synced file to its place. False: the blob was there already and `from` is still where it was.
  // A blob of another size is damaged, and replaced.
  absl::StatusOr<bool> Publish(const fs::path& from, const std::string& digest, int64_t size_bytes) {
    const std::scoped_lock guard(mutex);
    std::error_code error;
    const fs::path to = blobs / digest;
    const auto present = static_cast<int64_t>(fs::file_size(to, error));
    const bool exists = !error;
    if (exists && present == size_bytes) return false;
    fs::rename(from, to, error);
    if (error) return FileSystemError("rename", from, error);
    if (exists) total_bytes -= present;
    return true;
  }
};

struct Upload::State {
  ArtifactStore::State* store;
  fs::path path;
  disk::File file;
  Sha256 hash;
  int64_t size_bytes = 0;
  int64_t reserved_bytes = 0;
  bool usable = true;   // no Append has failed and Finish was not called
  bool on_disk = true;  // the temporary file exists
};

absl::StatusOr<std::unique_ptr<ArtifactStore>> ArtifactStore::Open(const ArtifactOptions& options) {
  BITPLAN_RETURN_IF_ERROR(MakeDirectory(options.directory));
  BITPLAN_ASSIGN_OR_RETURN(disk::FileLock lock, disk::FileLock::Acquire(options.directory / "lock"));
  auto state = std::make_unique<State>(options, std::move(lock));
  BITPLAN_RETURN_IF_ERROR(MakeDirectory(state->blobs));
  BITPLAN_RETURN_IF_ERROR(MakeDirectory(state->uploads));
  BITPLAN_RETURN_IF_ERROR(RemoveContents(state->uploads));
  BITPLAN_RETURN_IF_ERROR(disk::SyncDirectory(options.directory));
  BITPLAN_ASSIGN_OR_RETURN(state->total_bytes, SumSizes(state->blobs));
  return std::unique_ptr<ArtifactStore>(new ArtifactStore(std::move(state)));
}

ArtifactStore::ArtifactStore(std::unique_ptr<State> state) : state_(std::move(state)) {}
ArtifactStore::~ArtifactStore() = default;

absl::StatusOr<std::unique_ptr<Upload>> ArtifactStore::BeginUpload(std::optional<int64_t> declared_bytes) {
  const int64_t declared = declared_bytes.value_or(0);
  if (declared < 0) return InvalidArgument("size_bytes: got {}, want 0 or more", declared);
  BITPLAN_RETURN_IF_ERROR(state_->CheckSize(declared));
  fs::path path;
  {
    const std::scoped_lock guard(state_->mutex);
    BITPLAN_RETURN_IF_ERROR(state_->CheckQuota(declared));
    path = state_->uploads / std::to_string(state_->next_upload++);
  }
  BITPLAN_ASSIGN_OR_RETURN(disk::File file, disk::File::Create(path));
  return std::unique_ptr<Upload>(
      new Upload(std::make_unique<Upload::State>(Upload::State{state_.get(), path, std::move(file), Sha256()})));
}

absl::StatusOr<Artifact> ArtifactStore::Put(std::string_view bytes) {
  BITPLAN_ASSIGN_OR_RETURN(const std::unique_ptr<Upload> upload, BeginUpload(static_cast<int64_t>(bytes.size())));
  BITPLAN_RETURN_IF_ERROR(upload->Append(bytes));
  return upload->Finish({});
}

absl::StatusOr<std::string> ArtifactStore::Read(std::string_view digest) const {
  BITPLAN_RETURN_IF_ERROR(CheckDigest(digest));
  absl::StatusOr<disk::File> file = disk::File::OpenForReading(state_->blobs / digest);
  if (absl::IsNotFound(file.status())) return NotFound("artifact {}: not here", digest);
  BITPLAN_RETURN_IF_ERROR(file.status());
  BITPLAN_ASSIGN_OR_RETURN(std::string bytes, file->ReadAll());
  if (const std::string actual = Sha256Hex(bytes); actual != digest) {
    return DataLoss("artifact {}: damaged on disk, its {} bytes have SHA-256 {}", digest, bytes.size(), actual);
  }
  return bytes;
}

absl::StatusOr<int64_t> ArtifactStore::SizeOf(std::string_view digest) const {
  BITPLAN_RETURN_IF_ERROR(CheckDigest(digest));
  std::error_code error;
  const auto size = static_cast<int64_t>(fs::file_size(state_->blobs / digest, error));
  if (error == std::errc::no_such_file_or_directory) return NotFound("artifact {}: not here", digest);
  if (error) return FileSystemError("inspect", state_->blobs / digest, error);
  return size;
}

absl::Status ArtifactStore::Delete(std::string_view digest) {
  {
    const std::scoped_lock guard(state_->mutex);
    BITPLAN_ASSIGN_OR_RETURN(const int64_t size, SizeOf(digest));
    std::error_code error;
    fs::remove(state_->blobs / digest, error);
    if (error) return FileSystemError("remove", state_->blobs / digest, error);
    state_->total_bytes -= size;
  }
  return disk::SyncDirectory(state_->blobs);
}

int64_t ArtifactStore::total_bytes() const {
  const std::scoped_lock guard(state_->mutex);
  return state_->total_bytes;
}

const ArtifactOptions& ArtifactStore::options() const { return state_->options; }

Upload::Upload(std::unique_ptr<State> state) : state_(std::move(state)) {}

Upload::~Upload() {
  std::error_code ignored;  // what stays behind is removed at the next Open
  if (state_->on_disk) fs::remove(state_->path, ignored);
  state_->store->Release(state_->reserved_bytes);
}

absl::Status Upload::Append(std::string_view bytes) {
  if (!state_->usable) return FailedPrecondition("upload: it has failed or is finished");
  state_->usable = false;
  const auto added = static_cast<int64_t>(bytes.size());
  BITPLAN_RETURN_IF_ERROR(state_->store->CheckSize(state_->size_bytes + added));
  BITPLAN_RETURN_IF_ERROR(state_->store->Reserve(added));
  state_->reserved_bytes += added;
  BITPLAN_RETURN_IF_ERROR(state_->file.Write(bytes));
  state_->hash.Update(bytes);
  state_->size_bytes += added;
  state_->usable = true;
  return absl::OkStatus();
}

absl::StatusOr<Artifact> Upload::Finish(const UploadClaim& claim) {
  if (!state_->usable) return FailedPrecondition("upload: it has failed or is finished");
  state_->usable = false;
  Artifact artifact{.digest = state_->hash.FinishHex(), .size_bytes = state_->size_bytes};
  BITPLAN_RETURN_IF_ERROR(CheckClaim(claim, artifact.digest, artifact.size_bytes));
  BITPLAN_RETURN_IF_ERROR(state_->file.Sync());
  BITPLAN_ASSIGN_OR_RETURN(const bool moved,
                           state_->store->Publish(state_->path, artifact.digest, artifact.size_bytes));
  if (moved) {
    state_->on_disk = false;
    state_->reserved_bytes = 0;  // now the blob's
  }
  artifact.reused = !moved;
  // Also when reused: the upload that brought the blob may not have synced the folder yet.
  BITPLAN_RETURN_IF_ERROR(disk::SyncDirectory(state_->store->blobs));
  return artifact;
}

int64_t Upload::size_bytes() const { return state_->size_bytes; }

}  // namespace bitplan::artifacts
