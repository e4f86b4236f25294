#include "client/files.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "search/base/status.h"
#include "search/data/npz.h"

namespace bitplan::client {
namespace {

std::string SystemReason() { return std::generic_category().message(errno); }

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return FailedPrecondition("{} is a folder, want a file", path);
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) return NotFound("cannot open {}: {}", path, SystemReason());
  std::string bytes(std::istreambuf_iterator<char>(in), {});
  if (in.bad()) return FailedPrecondition("cannot read {}: {}", path, SystemReason());
  return bytes;
}

absl::Status WriteFile(const std::string& path, std::string_view bytes) {
  const std::string temporary = fmt::format("{}.{}.tmp", path, getpid());
  errno = 0;
  std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
  out << bytes;
  out.close();
  if (out && std::rename(temporary.c_str(), path.c_str()) == 0) return absl::OkStatus();
  const std::string reason = SystemReason();
  std::remove(temporary.c_str());
  return FailedPrecondition("cannot write {}: {}", path, reason);
}

absl::StatusOr<std::string> ReadCalibration(const std::string& text) {
  const size_t comma = text.find(',');
  if (comma == std::string::npos) return ReadFile(text);
  BITPLAN_ASSIGN_OR_RETURN(const std::string images, ReadFile(text.substr(0, comma)));
  BITPLAN_ASSIGN_OR_RETURN(const std::string labels, ReadFile(text.substr(comma + 1)));
  const std::array<data::NpzMember, 2> members = {
      {{.name = "images", .npy = images}, {.name = "labels", .npy = labels}}};
  return data::MakeNpz(members);
}

std::string CalibrationName(const std::string& text) {
  const size_t comma = text.find(',');
  if (comma == std::string::npos) return BaseName(text);
  return BaseName(text.substr(0, comma)) + "," + BaseName(text.substr(comma + 1));
}

std::string BaseName(const std::string& path) { return std::filesystem::path(path).filename().string(); }

}  // namespace bitplan::client
