#include "server/disk/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "search/base/status.h"

namespace bitplan::disk {
namespace {

absl::Status SystemError(std::string_view what, const std::filesystem::path& path) {
  const int code = errno;
  const std::string message =
      fmt::format("cannot {} {}: {}", what, path.string(), std::generic_category().message(code));
  if (code == ENOENT) return absl::NotFoundError(message);
  if (code == ENOSPC || code == EDQUOT) return absl::ResourceExhaustedError(message);
  return absl::InternalError(message);
}

// Repeats a system call that a signal interrupted.
template <typename Call>
auto Retried(const Call& call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

int OpenDescriptor(const std::filesystem::path& path, int flags) {
  return Retried([&] { return open(path.c_str(), flags | O_CLOEXEC, 0600); });
}

}  // namespace

File& File::operator=(File&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(path_, other.path_);
  return *this;
}

File::~File() {
  if (descriptor_ >= 0) close(descriptor_);
}

absl::StatusOr<File> File::OpenForReading(const std::filesystem::path& path) {
  const int descriptor = OpenDescriptor(path, O_RDONLY | O_NOFOLLOW);
  if (descriptor < 0) return SystemError("open", path);
  return File(descriptor, path);
}

absl::StatusOr<File> File::Create(const std::filesystem::path& path) {
  const int descriptor = OpenDescriptor(path, O_WRONLY | O_CREAT | O_EXCL);
  if (descriptor < 0) return SystemError("create", path);
  return File(descriptor, path);
}

absl::Status File::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = Retried([&] { return write(descriptor_, bytes.data(), bytes.size()); });
    if (written < 0) return SystemError("write", path_);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status File::Sync() {
  if (Retried([&] { return fsync(descriptor_); }) < 0) return SystemError("sync", path_);
  return absl::OkStatus();
}

absl::StatusOr<std::string> File::ReadAll() {
  struct stat info;
  if (fstat(descriptor_, &info) < 0) return SystemError("inspect", path_);
  std::string bytes(static_cast<size_t>(info.st_size), '\0');
  size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t got = Retried([&] { return read(descriptor_, bytes.data() + filled, bytes.size() - filled); });
    if (got < 0) return SystemError("read", path_);
    if (got == 0) break;  // shorter than it was: the caller's check of the digest will notice
    filled += static_cast<size_t>(got);
  }
  bytes.resize(filled);
  return bytes;
}

absl::Status SyncDirectory(const std::filesystem::path& directory) {
  const int descriptor = OpenDescriptor(directory, O_RDONLY | O_DIRECTORY);
  if (descriptor < 0) return SystemError("open", directory);
  const int result = Retried([&] { return fsync(descriptor); });
  absl::Status status = result < 0 ? SystemError("sync", directory) : absl::OkStatus();
  close(descriptor);
  return status;
}

absl::StatusOr<FileLock> FileLock::Acquire(const std::filesystem::path& path) {
  const int descriptor = OpenDescriptor(path, O_RDWR | O_CREAT);
  if (descriptor < 0) return SystemError("open", path);
  File file(descriptor, path);
  if (Retried([&] { return flock(descriptor, LOCK_EX | LOCK_NB); }) < 0) {
    if (errno != EWOULDBLOCK) return SystemError("lock", path);
    BITPLAN_ASSIGN_OR_RETURN(const std::string holder, file.ReadAll());
    return FailedPrecondition("{} is locked: another server (process {}) uses this data", path.string(), holder);
  }
  if (ftruncate(descriptor, 0) < 0) return SystemError("truncate", path);
  BITPLAN_RETURN_IF_ERROR(file.Write(fmt::format("{}", getpid())));
  return FileLock(std::move(file));
}

}  // namespace bitplan::disk
