#include "search/layer/ties.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <unordered_map>

#include "search/base/status.h"

namespace bitplan {
namespace {

constexpr size_t kNamedLayers = 20;  // that a message lists

// Disjoint sets of layer indices; the smallest index stands for its set.
class Sets {
 public:
  explicit Sets(size_t size) : parent_(size) { std::iota(parent_.begin(), parent_.end(), 0); }

  int Find(int i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  void Join(int i, int j) {
    const int a = Find(i);
    const int b = Find(j);
    parent_[std::max(a, b)] = std::min(a, b);
  }

 private:
  std::vector<int> parent_;
};

absl::Status UnknownLayer(size_t tie, const std::string& name, std::span<const std::string_view> names) {
  const auto shown = names.first(std::min(names.size(), kNamedLayers));
  return NotFound("ties[{}]: there is no layer '{}', only {}{}", tie, name, fmt::join(shown, ", "),
                  shown.size() < names.size() ? fmt::format(" and {} more", names.size() - shown.size()) : "");
}

absl::Status CheckTie(size_t tie, const std::vector<std::string>& layers) {
  if (layers.size() < 2) return InvalidArgument("ties[{}]: got {} layers, want at least 2", tie, layers.size());
  std::set<std::string_view> seen;
  for (const std::string& name : layers) {
    if (!seen.insert(name).second) return InvalidArgument("ties[{}]: layer '{}' is listed twice", tie, name);
  }
  return absl::OkStatus();
}

std::vector<std::vector<int>> ToGroups(Sets& sets, size_t num_layers) {
  std::vector<std::vector<int>> groups;
  std::vector<int> group_of(num_layers, -1);
  for (int i = 0; i < std::ssize(group_of); ++i) {
    int& group = group_of[sets.Find(i)];
    if (group < 0) {
      group = static_cast<int>(groups.size());
      groups.emplace_back();
    }
    groups[group].push_back(i);
  }
  return groups;
}

}  // namespace

absl::StatusOr<std::vector<std::vector<int>>> GroupByTies(std::span<const std::string_view> names, const Ties& ties) {
  std::unordered_map<std::string_view, int> index;
  for (const std::string_view name : names) index.emplace(name, static_cast<int>(index.size()));
  Sets sets(names.size());
  for (size_t t = 0; t < ties.size(); ++t) {
    BITPLAN_RETURN_IF_ERROR(CheckTie(t, ties[t]));
    for (const std::string& name : ties[t]) {
      const auto found = index.find(name);
      if (found == index.end()) return UnknownLayer(t, name, names);
      sets.Join(found->second, index.find(ties[t].front())->second);
    }
  }
  return ToGroups(sets, names.size());
}

}  // namespace bitplan
