#include "search/onnx/unsupported.h"

#include <algorithm>

#include "search/base/status.h"

namespace bitplan::onnx {
namespace {

// Networks use a few dozen different operators; more groups than this come from generated nonsense.
constexpr size_t kMaxGroups = 100;

}  // namespace

void UnsupportedReport::Add(const std::string& what, const std::string& where) {
  const auto [found, is_new] = index_.try_emplace(what, groups_.size());
  if (is_new) groups_.push_back({.what = what, .first = where});
  ++groups_[found->second].count;
}

absl::Status UnsupportedReport::ToStatus() const {
  if (groups_.empty()) return absl::OkStatus();
  std::string list;
  for (size_t i = 0; i < std::min(groups_.size(), kMaxGroups); ++i) {
    const Group& group = groups_[i];
    list += fmt::format("{}{} ({}, first {})", i == 0 ? "" : "; ", group.what, group.count, group.first);
  }
  if (groups_.size() > kMaxGroups) list += fmt::format("; and {} more", groups_.size() - kMaxGroups);
  return Unimplemented("onnx: not supported: {}", list);
}

}  // namespace bitplan::onnx
