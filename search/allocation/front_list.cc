#include "search/allocation/front_list.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "search/allocation/run_limits.h"

namespace bitplan::allocation {
namespace {

// States are numbered with 32 bits.
constexpr int64_t kMostStates = int64_t{1} << 31;
constexpr size_t kStatesBetweenPolls = 1 << 16;

// A choice of the groups so far, beside the base.
struct State {
  Int128 value = 0;
  int64_t cost = 0;
  uint32_t parent = 0;  // state before the group
  int32_t option = 0;   // that the group took
};

// Appends to a list in which costs rise and values fall, unless the last entry is worth no more.
void Append(const State& state, std::vector<State>& list) {
  if (list.empty() || state.value < list.back().value) list.push_back(state);
}

bool Precedes(const State& a, const State& b) { return a.cost != b.cost ? a.cost < b.cost : a.value <= b.value; }

class FrontLister {
 public:
  FrontLister(const Knapsack& knapsack, const FrontLimits& limits, const RunContext& context)
      : knapsack_(knapsack), limits_(limits), context_(context) {
    limits_.max_states = std::min(limits.max_states, kMostStates);
  }

  ListedFront Run() {
    for (int g = 0; g < std::ssize(knapsack_.groups); ++g) {
      const KnapsackItem& base = knapsack_.groups[g].front();
      front_.base.push_back(base.option);
      base_value_ += base.value;
      if (knapsack_.groups[g].size() == 1) continue;
      if (const auto stopped = PassGroup(g)) return GiveUp(*stopped);
      KeepLevel(g);
    }
    for (const State& state : list_) front_.points.push_back({state.cost, base_value_ + state.value});
    return std::move(front_);
  }

 private:
  ListedFront GiveUp(Termination why) const {
    ListedFront none;
    none.termination = why;
    none.states = front_.states;
    return none;
  }

  // next_: list_ with every item of the group.
  std::optional<Termination> PassGroup(int g) {
    const std::vector<KnapsackItem>& items = knapsack_.groups[g];
    next_ = list_;
    for (size_t j = 0; j < next_.size(); ++j) {
      next_[j].parent = static_cast<uint32_t>(j);
      next_[j].option = items.front().option;
    }
    for (size_t k = 1; k < items.size(); ++k) {
      MergeShifted({items[k].cost, items[k].value - items.front().value, items[k].option});
      if (front_.states + std::ssize(next_) > limits_.max_states || std::ssize(next_) > limits_.max_points) {
        return Termination::kFeasible;
      }
      if (const auto stopped = PollEvery(next_.size())) return stopped;
    }
    return std::nullopt;
  }

  // Merges next_ with list_ shifted by an item, undominated entries only.
  void MergeShifted(const KnapsackItem& item) {
    merged_.clear();
    const auto shifted = [&](size_t j) {
      return State{list_[j].value + item.value, list_[j].cost + item.cost, static_cast<uint32_t>(j), item.option};
    };
    size_t i = 0;
    size_t j = 0;
    for (State state = shifted(0); i < next_.size();) {
      if (Precedes(next_[i], state)) {
        Append(next_[i++], merged_);
        continue;
      }
      Append(state, merged_);
      if (++j == list_.size()) break;
      state = shifted(j);
    }
    for (; i < next_.size(); ++i) Append(next_[i], merged_);
    for (; j < list_.size(); ++j) Append(shifted(j), merged_);
    next_.swap(merged_);
  }

  std::optional<Termination> PollEvery(size_t work) {
    since_poll_ += work;
    if (since_poll_ < kStatesBetweenPolls) return std::nullopt;
    since_poll_ = 0;
    return StopReason(context_);
  }

  void KeepLevel(int g) {
    ListedFront::Level& level = front_.levels.emplace_back();
    level.group = g;
    level.parent.reserve(next_.size());
    level.option.reserve(next_.size());
    for (const State& state : next_) {
      level.parent.push_back(state.parent);
      level.option.push_back(state.option);
    }
    front_.states += std::ssize(next_);
    list_.swap(next_);
  }

  const Knapsack& knapsack_;
  FrontLimits limits_;
  const RunContext& context_;
  ListedFront front_;
  Int128 base_value_ = 0;
  std::vector<State> list_ = {State{}};
  std::vector<State> next_, merged_;
  size_t since_poll_ = kStatesBetweenPolls;
};

}  // namespace

std::vector<int> ListedFront::OptionsOf(size_t point) const {
  std::vector<int> options = base;
  size_t state = point;
  for (size_t at = levels.size(); at-- > 0;) {
    options[levels[at].group] = levels[at].option[state];
    state = levels[at].parent[state];
  }
  return options;
}

ListedFront ListFront(const Knapsack& knapsack, const FrontLimits& limits, const RunContext& context) {
  return FrontLister(knapsack, limits, context).Run();
}

}  // namespace bitplan::allocation
