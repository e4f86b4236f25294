#include "search/data/npz.h"

#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>
#include <utility>

#include "search/base/status.h"
#include "search/base/text.h"
#include "search/data/zip.h"

namespace bitplan::data {
namespace {

constexpr std::string_view kSuffix = ".npy";

absl::StatusOr<std::string> ArrayName(const ZipEntry& entry) {
  if (!entry.name.ends_with(kSuffix) || entry.name.size() == kSuffix.size()) {
    return InvalidArgument("npz: member '{}': want <name>.npy", Printable(entry.name));
  }
  if (!IsPlainText(entry.name)) {
    return InvalidArgument("npz: member '{}': the name is not plain UTF-8", Printable(entry.name));
  }
  return entry.name.substr(0, entry.name.size() - kSuffix.size());
}

absl::Status CheckDirectory(const std::vector<ZipEntry>& entries, const NpzLimits& limits) {
  int64_t total = 0;
  std::set<std::string_view> names;
  for (const ZipEntry& entry : entries) {
    if (!names.insert(entry.name).second) {
      return InvalidArgument("npz: member '{}' occurs twice", Printable(entry.name));
    }
    if (entry.size > limits.max_unpacked_bytes - total) {
      return InvalidArgument("npz: more than {} bytes once unpacked", limits.max_unpacked_bytes);
    }
    total += entry.size;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<NamedArray>> ReadNpz(std::string_view bytes, const NpzLimits& limits) {
  if (static_cast<int64_t>(bytes.size()) > limits.max_file_bytes) {
    return InvalidArgument("npz: the file has {} bytes, want at most {}", bytes.size(), limits.max_file_bytes);
  }
  BITPLAN_ASSIGN_OR_RETURN(const std::vector<ZipEntry> entries, ListZip(bytes, limits.max_arrays));
  BITPLAN_RETURN_IF_ERROR(CheckDirectory(entries, limits));
  NpyLimits npy_limits{.max_rank = limits.max_rank, .max_elements = limits.max_elements};
  std::vector<NamedArray> arrays;
  for (const ZipEntry& entry : entries) {
    BITPLAN_ASSIGN_OR_RETURN(std::string name, ArrayName(entry));
    const std::string where = fmt::format("npz: array '{}'", name);
    const absl::StatusOr<std::string> npy = Unpack(bytes, entry);
    if (!npy.ok()) return WithContext(npy.status(), where);
    absl::StatusOr<Array> array = ParseNpy(*npy, npy_limits);
    if (!array.ok()) return WithContext(array.status(), where);
    npy_limits.max_elements -= NumElements(array->shape);
    arrays.push_back({.name = std::move(name), .array = *std::move(array)});
  }
  return arrays;
}

absl::StatusOr<std::string> MakeNpz(std::span<const NpzMember> members) {
  if (members.empty()) return InvalidArgument("npz: no arrays to write");
  std::set<std::string_view> names;
  std::vector<ZipMember> zip;
  for (const NpzMember& member : members) {
    if (member.name.empty() || !IsPlainText(member.name) || member.name.find('/') != std::string::npos) {
      return InvalidArgument("npz: '{}' is not a name for an array", Printable(member.name));
    }
    if (!names.insert(member.name).second) return InvalidArgument("npz: array '{}' occurs twice", member.name);
    zip.push_back({.name = fmt::format("{}{}", member.name, kSuffix), .data = member.npy});
  }
  return MakeZip(zip);
}

}  // namespace bitplan::data
