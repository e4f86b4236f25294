#include "search/allocation/convex_branch.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <tuple>
#include <utility>

namespace bitplan::allocation {
namespace {

// From so many open options on a group is halved, not spread.
constexpr int kMostChildren = 4;
// Nodes whose rounded mixtures are improved by local search: the first, then one in so many.
constexpr int kFirstSearches = 24;
constexpr int kNodesBetweenSearches = 16;

}  // namespace

std::vector<int> ConvexBranch::OpenOf(const ConvexInstance& instance, std::span<const uint8_t> open, int group) {
  std::vector<int> entries;
  for (int j = instance.first(group); j < instance.first(group + 1); ++j) {
    if (open[j] != 0) entries.push_back(j);
  }
  return entries;
}

// False: no choice of what is open keeps the rows.
bool ConvexBranch::DropWhatExceeds(std::vector<uint8_t>& open) const {
  const int groups = instance_.num_groups();
  for (bool changed = true; changed;) {
    changed = false;
    for (int r = 0; r < instance_.num_rows(); ++r) {
      std::vector<int64_t> least(groups, std::numeric_limits<int64_t>::max());
      int64_t spare = instance_.limit(r);
      for (int g = 0; g < groups; ++g) {
        const std::vector<int> entries = OpenOf(instance_, open, g);
        if (entries.empty()) return false;
        for (const int j : entries) least[g] = std::min(least[g], instance_.cost(j, r));
        spare -= least[g];
      }
      if (spare < 0) return false;
      for (int j = 0; j < instance_.size(); ++j) {
        if (open[j] == 0 || instance_.cost(j, r) - least[instance_.group_of(j)] <= spare) continue;
        open[j] = 0;
        changed = true;
      }
    }
  }
  return true;
}

bool ConvexBranch::Run(std::vector<uint8_t> open, const ConvexRelaxation::Point& root, double best,
                       const Limits& limits, const RunContext& context) {
  limits_ = limits;
  best_ = best;
  bound_ = -std::numeric_limits<double>::infinity();
  queue_ = {};
  Enter({.open = std::move(open), .y = {root.y.begin(), root.y.end()}, .price = root.price}, context);
  while (!stopped_ && !queue_.empty()) {
    bound_ = std::max(bound_, std::min(queue_.top().bound, best_));
    const double scale = std::max(std::abs(best_), std::abs(bound_));
    if (queue_.top().bound >= cutoff()) break;
    if (limits_.relative_gap > 0 && best_ - bound_ <= limits_.relative_gap * scale) return false;
    if (nodes_ >= limits_.nodes || !context.CheckStop().ok()) return false;
    if (nodes_ % 16 == 0) context.Report({.stage = "solve", .probes = nodes_});
    const Node node = queue_.top();
    queue_.pop();
    Branch(node, context);
  }
  if (stopped_) return false;
  bound_ = best_;
  return true;
}

// Bounds a node and keeps it if something is left to look for.
void ConvexBranch::Enter(Node node, const RunContext& context) {
  if (!DropWhatExceeds(node.open)) return;
  ++nodes_;
  ConvexRelaxation::Point point{.y = std::vector<double>(instance_.size(), 0.0), .price = node.price};
  for (int g = 0; g < instance_.num_groups(); ++g) {
    const std::vector<int> entries = OpenOf(instance_, node.open, g);
    double sum = 0;
    for (const int j : entries) sum += point.y[j] = node.y[j];
    for (const int j : entries) point.y[j] = sum > 1e-3 ? point.y[j] / sum : 1.0 / static_cast<double>(entries.size());
  }
  const double bound = relaxation_.Solve(node.open, cutoff(), context, point);
  node.bound = std::max(node.bound, bound);
  TryRounded(node, point.y);
  if (!context.CheckStop().ok()) {
    // A bound that was cut short still holds; the node must stay for the overall bound.
    stopped_ = true;
  }
  if (node.bound >= cutoff()) return;
  bool is_leaf = true;
  for (int g = 0; g < instance_.num_groups() && is_leaf; ++g) is_leaf = OpenOf(instance_, node.open, g).size() == 1;
  if (is_leaf && !stopped_) return;  // tried above
  // With the bound they go with, not with the parent's.
  for (int j = 0; j < instance_.size(); ++j) {
    if (node.open[j] != 0 && bound + relaxation_.reduced_costs()[j] >= cutoff()) node.open[j] = 0;
  }
  if (!DropWhatExceeds(node.open)) return;
  node.y.assign(point.y.begin(), point.y.end());
  node.price = point.price;
  node.number = ++entered_;
  queue_.push(std::move(node));
}

int ConvexBranch::GroupToBranch(const Node& node) const {
  const std::vector<double> y(node.y.begin(), node.y.end());
  int chosen = -1;
  std::tuple<double, double> best;
  for (int g = 0; g < instance_.num_groups(); ++g) {
    const std::vector<int> entries = OpenOf(instance_, node.open, g);
    if (entries.size() < 2) continue;
    double largest = 0;
    for (const int j : entries) largest = std::max(largest, y[j]);
    const std::tuple<double, double> score(std::max(0.0, relaxation_.Slack(g, y)), 1 - largest);
    if (chosen >= 0 && score <= best) continue;
    chosen = g;
    best = score;
  }
  return chosen;
}

void ConvexBranch::Branch(const Node& node, const RunContext& context) {
  const int group = GroupToBranch(node);
  if (group < 0) {  // one option is left everywhere: fixing left it, so it may not have been tried
    TryRounded(node, std::vector<double>(node.y.begin(), node.y.end()));
    return;
  }
  std::vector<int> entries = OpenOf(instance_, node.open, group);
  std::vector<std::vector<int>> parts;
  std::ranges::sort(entries, {}, [&](int j) { return std::pair(-node.y[j], j); });
  if (std::ssize(entries) <= kMostChildren) {
    for (const int j : entries) parts.push_back({j});
  } else {
    const auto middle = entries.begin() + std::ssize(entries) / 2;
    const auto by_cost = [&](int j) { return std::pair(instance_.num_rows() > 0 ? instance_.cost(j, 0) : 0, j); };
    std::ranges::sort(entries, {}, by_cost);
    parts = {{entries.begin(), middle}, {middle, entries.end()}};
  }
  for (const std::vector<int>& part : parts) {
    Node child = node;
    for (const int j : entries) child.open[j] = 0;
    for (const int j : part) child.open[j] = 1;
    if (stopped_) {  // not looked at: it stays with its parent's bound
      queue_.push(std::move(child));
    } else {
      Enter(std::move(child), context);
    }
  }
}

void ConvexBranch::TryRounded(const Node& node, std::span<const double> y) {
  std::vector<int> option(instance_.num_groups());
  if (!Repair(node.open, y, option)) return;
  const bool searches = nodes_ <= kFirstSearches || nodes_ % kNodesBetweenSearches == 0;
  if (instance_.Keeps(option)) best_ = std::min(best_, offer_(option, searches));
}

// Largest shares first; then changes that free most of what is exceeded for the share they give up.
bool ConvexBranch::Repair(std::span<const uint8_t> open, std::span<const double> y, std::vector<int>& option) const {
  std::vector<int64_t> over(instance_.num_rows());
  for (int r = 0; r < instance_.num_rows(); ++r) over[r] = -instance_.limit(r);
  for (int g = 0; g < instance_.num_groups(); ++g) {
    const std::vector<int> entries = OpenOf(instance_, open, g);
    if (entries.empty()) return false;
    const int taken = *std::ranges::max_element(entries, {}, [&](int j) { return y[j]; });
    option[g] = taken - instance_.first(g);
    for (int r = 0; r < instance_.num_rows(); ++r) over[r] += instance_.cost(taken, r);
  }
  const auto excess = [&](int from, int to) {
    double sum = 0;
    for (int r = 0; r < instance_.num_rows(); ++r) {
      const int64_t left = over[r] + (from < 0 ? 0 : instance_.cost(to, r) - instance_.cost(from, r));
      if (left > 0) sum += static_cast<double>(left) / (1 + static_cast<double>(instance_.limit(r)));
    }
    return sum;
  };
  for (int turn = 0; turn < 4 * instance_.num_groups(); ++turn) {
    const double now = excess(-1, -1);
    if (now == 0) return true;
    int best = -1;
    double best_score = 0;
    for (int j = 0; j < instance_.size(); ++j) {
      if (open[j] == 0) continue;
      const int taken = instance_.first(instance_.group_of(j)) + option[instance_.group_of(j)];
      if (j == taken) continue;
      const double gain = now - excess(taken, j);
      const double score = gain / (0.01 + std::max(0.0, y[taken] - y[j]));
      if (gain > 0 && score > best_score) {
        best = j;
        best_score = score;
      }
    }
    if (best < 0) return false;
    const int g = instance_.group_of(best);
    const int taken = instance_.first(g) + option[g];
    for (int r = 0; r < instance_.num_rows(); ++r) over[r] += instance_.cost(best, r) - instance_.cost(taken, r);
    option[g] = best - instance_.first(g);
  }
  return excess(-1, -1) == 0;
}

}  // namespace bitplan::allocation
