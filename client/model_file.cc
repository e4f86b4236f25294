#include "client/model_file.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <system_error>
#include <vector>

#include "client/files.h"
#include "search/base/status.h"
#include "search/onnx/external_data.h"

namespace bitplan::client {
namespace {

namespace fs = std::filesystem;

// What protobuf can write; the limits for models proper are checked by whoever reads the result.
constexpr int64_t kMaxModelBytes = std::numeric_limits<int>::max();

bool IsInside(const fs::path& folder, const fs::path& file) {
  return std::ranges::mismatch(folder, file).in1 == folder.end();
}

// The file that `location` names, links resolved.
absl::StatusOr<fs::path> Resolve(const fs::path& folder, const std::string& location) {
  const fs::path relative(location);
  if (relative.is_absolute() || std::ranges::find(relative, "..") != relative.end()) {
    return InvalidArgument("want a path inside the model's folder");
  }
  std::error_code error;
  const fs::path home = fs::canonical(folder, error);
  fs::path file = error ? fs::path() : fs::canonical(home / relative, error);
  if (error) return NotFound("cannot open {}: {}", (folder / relative).string(), error.message());
  if (!IsInside(home, file)) return InvalidArgument("it leads out of the model's folder, to {}", file.string());
  if (!fs::is_regular_file(file, error)) return InvalidArgument("{} is not a file", file.string());
  return file;
}

absl::StatusOr<std::string> ReadSideFile(const fs::path& folder, const std::string& location) {
  BITPLAN_ASSIGN_OR_RETURN(const fs::path file, Resolve(folder, location));
  std::error_code error;
  if (const auto size = fs::file_size(file, error); !error && std::cmp_greater(size, kMaxModelBytes)) {
    return InvalidArgument("{} bytes, but one ONNX file can hold at most {}", size, kMaxModelBytes);
  }
  return ReadFile(file.string());
}

}  // namespace

absl::StatusOr<std::string> ReadModel(const std::string& path) {
  BITPLAN_ASSIGN_OR_RETURN(std::string onnx, ReadFile(path));
  const onnx::ParseLimits limits{.max_file_bytes = kMaxModelBytes, .max_parsed_bytes = 2 * kMaxModelBytes};
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<std::string> locations, onnx::ListExternalFiles(onnx, limits));
  if (locations.empty()) return onnx;
  const fs::path named = fs::path(path).parent_path();
  const fs::path folder = named.empty() ? fs::path(".") : named;
  std::vector<std::string> bytes;
  std::vector<onnx::ExternalFile> files;
  bytes.reserve(locations.size());  // files point into it
  for (const std::string& location : locations) {
    absl::StatusOr<std::string> read = ReadSideFile(folder, location);
    if (!read.ok()) return WithContext(read.status(), fmt::format("{}: external data '{}'", path, location));
    bytes.push_back(*std::move(read));
    files.push_back({.location = location, .bytes = bytes.back()});
  }
  return onnx::InlineExternalData(onnx, files, limits);
}

}  // namespace bitplan::client
