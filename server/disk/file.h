#ifndef BITPLAN_SERVER_DISK_FILE_H_
#define BITPLAN_SERVER_DISK_FILE_H_

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Errors of this header: kNotFound (no such file), kResourceExhausted (disk or quota full), kInternal otherwise; the
// message names the path and the system's reason.

namespace bitplan::disk {

// Owns a file descriptor. Files are created for the owner only (mode 0600) and closed on exec.
class File {
 public:
  File() = default;
  File(File&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)), path_(std::move(other.path_)) {}
  File& operator=(File&& other) noexcept;
  ~File();

  static absl::StatusOr<File> OpenForReading(const std::filesystem::path& path);
  // kInternal if the file exists.
  static absl::StatusOr<File> Create(const std::filesystem::path& path);

  absl::Status Write(std::string_view bytes);  // all of them
  absl::Status Sync();
  absl::StatusOr<std::string> ReadAll();

 private:
  friend class FileLock;
  File(int descriptor, std::filesystem::path path) : descriptor_(descriptor), path_(std::move(path)) {}
  int descriptor_ = -1;
  std::filesystem::path path_;
};

// Makes renames, creations and removals in `directory` durable.
absl::Status SyncDirectory(const std::filesystem::path& directory);

// Held until destroyed or until the process ends, however it ends. A second lock of the same file, from this process or
// another, is refused.
class FileLock {
 public:
  // Creates the file if missing and writes the process id into it. kFailedPrecondition: held elsewhere (names the
  // holder).
  static absl::StatusOr<FileLock> Acquire(const std::filesystem::path& path);

 private:
  explicit FileLock(File file) : file_(std::move(file)) {}
  File file_;
};

}  // namespace bitplan::disk

#endif  // BITPLAN_SERVER_DISK_FILE_H_
