#include "search/allocation/merge_links.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

namespace bitplan::allocation {
namespace {

// A choice of the groups passed so far.
struct Label {
  Int128 value = 0;
  uint64_t key = 0;  // options of the frontier, mixed radix
  int parent = -1;   // label of the stage before
  int option = 0;    // of the group passed last
};

// Labels of one stage. Costs and frontier options lie side by side.
struct Stage {
  std::vector<Label> labels;
  std::vector<int64_t> cost;     // [label * num_rows + row]
  std::vector<int> frontier;     // groups
  std::vector<int> of_frontier;  // [label * frontier.size() + f]: option
};

struct Neighbour {
  int group;
  const InstanceLink* link;
};

// Option pair (of the group, of the neighbour) as an index into the link's tables.
size_t IndexOf(const Instance& instance, const InstanceLink& link, int group, int option, int other_option) {
  const size_t width = instance.groups[link.b].value.size();
  return link.a == group ? option * width + other_option : other_option * width + option;
}

class Merger {
 public:
  Merger(const Instance& instance, const MergeLimits& limits)
      : instance_(instance), limits_(limits), num_rows_(instance.num_rows()), neighbours_(instance.groups.size()) {
    if (limits_.most_options == 0) limits_.most_options = num_rows_ <= 1 ? kMostOptions : kMostOptionsOfRows;
    for (const InstanceLink& link : instance.links) {
      neighbours_[link.a].push_back({link.b, &link});
      neighbours_[link.b].push_back({link.a, &link});
    }
    spare_.assign(instance.limits.begin(), instance.limits.end());
    least_.resize(instance.groups.size() * num_rows_);
    for (int g = 0; g < std::ssize(instance.groups); ++g) {
      for (int r = 0; r < num_rows_; ++r) {
        least_[g * num_rows_ + r] = LeastCost(g, r);
        spare_[r] -= least_[g * num_rows_ + r];
      }
    }
  }

  // Sets of joined groups, each ascending, ordered by first group; groups without links are not listed.
  std::vector<std::vector<int>> JoinedSets() const {
    std::vector<std::vector<int>> sets;
    std::vector<bool> seen(neighbours_.size(), false);
    for (int g = 0; g < std::ssize(neighbours_); ++g) {
      if (seen[g] || neighbours_[g].empty()) continue;
      std::vector<int> set = {g};
      seen[g] = true;
      for (size_t next = 0; next < set.size(); ++next) {
        for (const Neighbour& neighbour : neighbours_[set[next]]) {
          if (!seen[neighbour.group]) set.push_back(neighbour.group);
          seen[neighbour.group] = true;
        }
      }
      std::ranges::sort(set);
      sets.push_back(std::move(set));
    }
    return sets;
  }

  // nullopt: beyond the limits. A group without options: no choice.
  std::optional<InstanceGroup> Merge(const std::vector<int>& set) {
    std::vector<Stage> stages(1);
    stages[0].labels.push_back({});
    stages[0].cost.assign(num_rows_, 0);
    int64_t looked_at = 0;
    const std::vector<int> order = OrderOf(set);
    std::vector<bool> passed(instance_.groups.size(), false);
    for (const int g : order) {
      passed[g] = true;
      looked_at += std::ssize(stages.back().labels) * std::ssize(instance_.groups[g].value);
      if (looked_at > limits_.most_looked_at) return std::nullopt;
      std::optional<Stage> next = Pass(stages.back(), g, passed);
      if (!next.has_value() || std::ssize(next->labels) > limits_.most_options) return std::nullopt;
      stages.push_back(*std::move(next));
    }
    return GroupOf(order, stages);
  }

 private:
  int64_t LeastCost(int g, int r) const {
    int64_t least = std::numeric_limits<int64_t>::max();
    const InstanceGroup& group = instance_.groups[g];
    for (size_t k = 0; k < group.value.size(); ++k) least = std::min(least, group.cost[k * num_rows_ + r]);
    return least;
  }

  bool HasLinkAhead(int g, const std::vector<bool>& passed) const {
    return std::ranges::any_of(neighbours_[g], [&](const Neighbour& n) { return !passed[n.group]; });
  }

  // Next comes the group that leaves the fewest frontier groups; of equal ones that with the fewest links ahead, then
  // the first.
  std::vector<int> OrderOf(const std::vector<int>& set) const {
    std::vector<int> order;
    std::vector<bool> passed(instance_.groups.size(), false);
    std::vector<int> frontier;
    while (order.size() < set.size()) {
      std::tuple<size_t, int64_t, int> best = {std::numeric_limits<size_t>::max(), 0, -1};
      for (const int g : set) {
        if (passed[g]) continue;
        // Groups are picked beside the frontier where there is one: others would only widen it.
        const bool beside = std::ranges::any_of(neighbours_[g], [&](const Neighbour& n) { return passed[n.group]; });
        if (!frontier.empty() && !beside) continue;
        passed[g] = true;
        size_t size = HasLinkAhead(g, passed) ? 1 : 0;
        for (const int f : frontier) size += HasLinkAhead(f, passed) ? 1 : 0;
        const auto ahead = std::ranges::count_if(neighbours_[g], [&](const Neighbour& n) { return !passed[n.group]; });
        passed[g] = false;
        best = std::min(best, {size, ahead, g});
      }
      const int g = std::get<2>(best);
      passed[g] = true;
      order.push_back(g);
      frontier.push_back(g);
      std::erase_if(frontier, [&](int f) { return !HasLinkAhead(f, passed); });
    }
    return order;
  }

  // What option k of group g adds to a label, links to frontier groups included; false: not allowed.
  bool Add(const Stage& stage, size_t at, int g, int k, Label& label, std::span<int64_t> cost) const {
    const InstanceGroup& group = instance_.groups[g];
    label.value += group.value[k];
    for (int r = 0; r < num_rows_; ++r) cost[r] += group.cost[k * num_rows_ + r] - least_[g * num_rows_ + r];
    for (const Neighbour& neighbour : neighbours_[g]) {
      const auto found = std::ranges::find(stage.frontier, neighbour.group);
      if (found == stage.frontier.end()) continue;
      const int other = stage.of_frontier[at * stage.frontier.size() + (found - stage.frontier.begin())];
      const size_t index = IndexOf(instance_, *neighbour.link, g, k, other);
      if (neighbour.link->value[index] == kInfiniteValue) return false;
      label.value += neighbour.link->value[index];
      for (int r = 0; r < num_rows_ && !neighbour.link->cost.empty(); ++r) {
        cost[r] += neighbour.link->cost[index * num_rows_ + r];
      }
    }
    for (int r = 0; r < num_rows_; ++r) {
      if (cost[r] > spare_[r]) return false;
    }
    return true;
  }

  // Costs of labels are above the groups' least ones. nullopt: the frontier has too many combinations to count.
  std::optional<Stage> Pass(const Stage& stage, int g, const std::vector<bool>& passed) {
    Stage next;
    next.frontier = stage.frontier;
    next.frontier.push_back(g);
    std::vector<size_t> kept;  // positions in the old frontier with the new group behind it
    std::vector<uint64_t> radix;
    uint64_t combinations = 1;
    for (size_t f = 0; f < next.frontier.size(); ++f) {
      if (!HasLinkAhead(next.frontier[f], passed)) continue;
      kept.push_back(f);
      radix.push_back(combinations);
      const uint64_t size = instance_.groups[next.frontier[f]].value.size();
      if (__builtin_mul_overflow(combinations, size, &combinations)) return std::nullopt;
    }
    std::vector<int64_t> cost(num_rows_);
    std::vector<int> options(next.frontier.size());
    for (size_t at = 0; at < stage.labels.size(); ++at) {
      for (int k = 0; k < instance_.groups[g].num_options(); ++k) {
        Label label{.value = stage.labels[at].value, .parent = static_cast<int>(at), .option = k};
        std::copy_n(stage.cost.begin() + static_cast<int64_t>(at) * num_rows_, num_rows_, cost.begin());
        if (!Add(stage, at, g, k, label, cost)) continue;
        std::copy_n(stage.of_frontier.begin() + static_cast<int64_t>(at * stage.frontier.size()), stage.frontier.size(),
                    options.begin());
        options.back() = k;
        for (size_t i = 0; i < kept.size(); ++i) {
          label.key += radix[i] * options[kept[i]];
          next.of_frontier.push_back(options[kept[i]]);
        }
        next.labels.push_back(label);
        next.cost.insert(next.cost.end(), cost.begin(), cost.end());
      }
    }
    std::vector<int> frontier;
    frontier.reserve(kept.size());
    for (const size_t f : kept) frontier.push_back(next.frontier[f]);
    next.frontier = std::move(frontier);
    return Undominated(next) ? std::optional(std::move(next)) : std::nullopt;
  }

  std::span<const int64_t> CostOf(const Stage& stage, int label) const {
    return {stage.cost.data() + static_cast<size_t>(label) * num_rows_, static_cast<size_t>(num_rows_)};
  }

  bool IsCovered(const Stage& stage, int label, std::span<const int> by) const {
    const std::span<const int64_t> cost = CostOf(stage, label);
    return std::ranges::any_of(by, [&](int other) {  // values of `by` are no larger
      return std::ranges::equal(CostOf(stage, other), cost, std::less_equal<>());
    });
  }

  // Keeps the labels that no other one of the same key covers (of equal ones the first), in their order. False: more
  // than the limits allow.
  bool Undominated(Stage& stage) const {
    std::vector<int> order(stage.labels.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::sort(order, [&](int a, int b) {
      const Label& x = stage.labels[a];
      const Label& y = stage.labels[b];
      if (x.key != y.key) return x.key < y.key;
      if (x.value != y.value) return x.value < y.value;
      const std::span<const int64_t> cost_a = CostOf(stage, a);
      const std::span<const int64_t> cost_b = CostOf(stage, b);
      if (std::ranges::equal(cost_a, cost_b)) return a < b;
      return std::ranges::lexicographical_compare(cost_a, cost_b);
    });
    std::vector<int> kept;
    size_t first = 0;  // of the labels kept with this key
    for (const int label : order) {
      if (!kept.empty() && stage.labels[kept.back()].key != stage.labels[label].key) first = kept.size();
      // With one row the last one kept is the cheapest so far.
      const size_t from = num_rows_ <= 1 && kept.size() > first ? kept.size() - 1 : first;
      if (IsCovered(stage, label, std::span(kept).subspan(from))) continue;
      kept.push_back(label);
      if (std::ssize(kept) > limits_.most_options) return false;
    }
    std::ranges::sort(kept);
    Select(stage, kept);
    return true;
  }

  void Select(Stage& stage, const std::vector<int>& kept) const {
    Stage selected{.labels = {}, .cost = {}, .frontier = stage.frontier, .of_frontier = {}};
    const size_t width = stage.frontier.size();
    for (const int label : kept) {
      selected.labels.push_back(stage.labels[label]);
      const std::span<const int64_t> cost = CostOf(stage, label);
      selected.cost.insert(selected.cost.end(), cost.begin(), cost.end());
      const auto options = stage.of_frontier.begin() + static_cast<int64_t>(label * width);
      selected.of_frontier.insert(selected.of_frontier.end(), options, options + static_cast<int64_t>(width));
    }
    stage = std::move(selected);
  }

  InstanceGroup GroupOf(const std::vector<int>& order, const std::vector<Stage>& stages) const {
    InstanceGroup merged;
    std::vector<int64_t> paid(num_rows_, 0);
    for (const int g : order) {
      const std::vector<int>& layers = instance_.groups[g].layers;
      merged.layers.insert(merged.layers.end(), layers.begin(), layers.end());
      for (int r = 0; r < num_rows_; ++r) paid[r] += least_[g * num_rows_ + r];
    }
    std::vector<int> option(order.size());
    const Stage& last = stages.back();
    for (int label = 0; label < std::ssize(last.labels); ++label) {
      merged.value.push_back(last.labels[label].value);
      for (int r = 0; r < num_rows_; ++r) merged.cost.push_back(paid[r] + CostOf(last, label)[r]);
      int at = label;
      for (size_t s = order.size(); s > 0; --s) {
        option[s - 1] = stages[s].labels[at].option;
        at = stages[s].labels[at].parent;
      }
      for (size_t s = 0; s < order.size(); ++s) {
        const InstanceGroup& group = instance_.groups[order[s]];
        for (size_t j = 0; j < group.layers.size(); ++j) merged.taken.push_back(group.OptionOf(option[s], j));
      }
    }
    return merged;
  }

  const Instance& instance_;
  MergeLimits limits_;
  int num_rows_;
  std::vector<std::vector<Neighbour>> neighbours_;
  std::vector<int64_t> spare_;  // of each row: what is left with every group at its cheapest
  std::vector<int64_t> least_;  // [group * num_rows + row]
};

// Replaces each merged set by its group, at the place of the first; links of merged sets go.
Instance Assemble(Instance instance, const std::vector<std::vector<int>>& sets, std::vector<InstanceGroup> merged) {
  std::vector<int> replaced_by(instance.groups.size(), -1);  // set
  for (size_t s = 0; s < sets.size(); ++s) {
    for (const int g : sets[s]) replaced_by[g] = static_cast<int>(s);
  }
  std::vector<InstanceGroup> groups;
  std::vector<int> new_index(instance.groups.size(), -1);
  for (int g = 0; g < std::ssize(instance.groups); ++g) {
    const int set = replaced_by[g];
    if (set >= 0 && sets[set].front() != g) continue;
    new_index[g] = static_cast<int>(groups.size());
    groups.push_back(std::move(set >= 0 ? merged[set] : instance.groups[g]));
    instance.no_choice |= groups.back().value.empty();
  }
  instance.groups = std::move(groups);
  std::erase_if(instance.links, [&](const InstanceLink& link) { return replaced_by[link.a] >= 0; });
  for (InstanceLink& link : instance.links) {
    link.a = new_index[link.a];
    link.b = new_index[link.b];
  }
  return instance;
}

}  // namespace

Instance MergeLinks(Instance instance, const MergeLimits& limits) {
  if (instance.links.empty() || instance.no_choice) return instance;
  Merger merger(instance, limits);
  std::vector<std::vector<int>> sets;
  std::vector<InstanceGroup> merged;
  for (std::vector<int>& set : merger.JoinedSets()) {
    if (std::optional<InstanceGroup> group = merger.Merge(set)) {
      sets.push_back(std::move(set));
      merged.push_back(*std::move(group));
    }
  }
  return Assemble(std::move(instance), sets, std::move(merged));
}

}  // namespace bitplan::allocation
