#include "search/allocation/knapsack_dp.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <span>
#include <tuple>
#include <utility>

#include "search/allocation/run_limits.h"

namespace bitplan::allocation {
namespace {

constexpr uint32_t kRoot = std::numeric_limits<uint32_t>::max();
constexpr size_t kStatesBetweenPolls = 1 << 16;
// Completions are tried whenever the list has grown by this factor, so their cost stays small beside that of the lists.
constexpr size_t kCompletionGrowth = 2;

// One item of a group, seen from the group's base item.
struct Deviation {
  int64_t cost = 0;
  Int128 value = 0;
  Int128 reduced = 0;  // value + multiplier * cost; >= 0
  int item = 0;
};

// A group some of whose items may yet be better than the base item.
struct CoreGroup {
  int group = 0;
  std::vector<Deviation> deviations;  // without the base item
  Int128 nearest = kInfiniteValue;    // least reduced cost of a deviation
};

// Prices between which no group from a place on wants to leave its base item; see the header.
struct PriceRange {
  Int128 up = 0;
  Int128 down = kInfiniteValue;
};

// cost and value are those of the choice less those of the base choice.
struct State {
  Int128 value = 0;
  int64_t cost = 0;
  uint32_t node = kRoot;  // how the choice came about
  int32_t item = -1;  // item of the group being passed, or -1: the base item; folded into `node` once the state stays
};

// A deviation taken by a state, and those before it.
struct Node {
  uint32_t parent;
  int32_t group;
  int32_t item;
};

// Int128{a} - b, at most kInfiniteValue: the reduced cost saturates like the product inside it.
Int128 ReducedCost(Int128 multiplier, int64_t cost, Int128 value) {
  return cost >= 0 ? value + SaturatingProduct(multiplier, cost) : value - SaturatingProduct(multiplier, -cost);
}

CoreGroup MakeCoreGroup(const std::vector<KnapsackItem>& items, int group, int base, Int128 multiplier, Int128 gap) {
  CoreGroup core{.group = group};
  for (int k = 0; k < std::ssize(items); ++k) {
    if (k == base) continue;
    Deviation deviation{items[k].cost - items[base].cost, items[k].value - items[base].value, 0, k};
    deviation.reduced = ReducedCost(multiplier, deviation.cost, deviation.value);
    if (deviation.reduced > gap) continue;
    core.nearest = std::min(core.nearest, deviation.reduced);
    core.deviations.push_back(deviation);
  }
  return core;
}

// Prices for the groups from each place on; one entry more than there are groups.
std::vector<PriceRange> PricesAhead(std::span<const CoreGroup> core) {
  std::vector<PriceRange> prices(core.size() + 1);
  for (size_t place = core.size(); place-- > 0;) {
    PriceRange& price = prices[place] = prices[place + 1];
    for (const Deviation& deviation : core[place].deviations) {
      if (deviation.cost > 0) {
        price.up = std::max(price.up, (-deviation.value + deviation.cost - 1) / deviation.cost);
      } else {
        price.down = std::min(price.down, deviation.value / -deviation.cost);
      }
    }
  }
  return prices;
}

bool Dominates(const State& a, const State& b) { return a.cost <= b.cost && a.value <= b.value; }

// Appends to a list in which costs rise and values fall, unless the last entry dominates.
void AppendUndominated(const State& state, std::vector<State>& list) {
  if (list.empty() || !Dominates(list.back(), state)) list.push_back(state);
}

// Merges two lists in which costs rise and values fall into one of that kind.
void MergeLists(std::span<const State> a, std::span<const State> b, std::vector<State>& out) {
  const auto before = [](const State& x, const State& y) {
    return std::tie(x.cost, x.value) < std::tie(y.cost, y.value);
  };
  out.clear();
  size_t i = 0;
  size_t j = 0;
  while (i < a.size() || j < b.size()) {
    const bool take_b = i == a.size() || (j < b.size() && before(b[j], a[i]));
    AppendUndominated(take_b ? b[j++] : a[i++], out);
  }
}

class ListSearch {
 public:
  ListSearch(const ReducedKnapsack& reduced, const Relaxation& relaxation, std::vector<int> start,
             const ListSearchLimits& limits, const RunContext& context)
      : knapsack_(reduced.knapsack),
        relaxation_(relaxation),
        limits_(limits),
        context_(context),
        value_unit_(reduced.value_unit),
        capacity_(reduced.knapsack.capacity - relaxation.cost),
        best_(std::move(start)) {
    for (size_t g = 0; g < best_.size(); ++g) {
      best_value_ += knapsack_.groups[g][best_[g]].value - knapsack_.groups[g][relaxation.base[g]].value;
    }
  }

  ListSearchResult Run() {
    BuildCore();
    list_ = {State{}};
    std::optional<Termination> stopped;
    for (place_ = 0; place_ < core_.size() && !list_.empty() && !stopped.has_value();) stopped = PassGroup();
    return Result(stopped);
  }

 private:
  // Beyond this value above the base no completion improves on the best choice by a whole unit.
  Int128 WorthLimit() const { return best_value_ - value_unit_; }

  void BuildCore() {
    const Int128 gap = WorthLimit() - BoundAboveBase(knapsack_, relaxation_);
    for (int g = 0; g < std::ssize(knapsack_.groups); ++g) {
      CoreGroup group = MakeCoreGroup(knapsack_.groups[g], g, relaxation_.base[g], relaxation_.multiplier, gap);
      if (!group.deviations.empty()) core_.push_back(std::move(group));
    }
    std::sort(core_.begin(), core_.end(), [](const CoreGroup& a, const CoreGroup& b) {
      return std::tie(a.nearest, a.group) < std::tie(b.nearest, b.group);
    });
    prices_ = PricesAhead(core_);
  }

  // Lower bound on the value of every completion that changes only groups priced by `price`.
  Int128 Bound(const State& state, const PriceRange& price) const {
    if (state.cost <= capacity_) return state.value - SaturatingProduct(price.up, capacity_ - state.cost);
    return state.value + SaturatingProduct(price.down, state.cost - capacity_);
  }

  Int128 LeastBound(const PriceRange& price) const {
    Int128 least = best_value_;
    for (const State& state : list_) least = std::min(least, Bound(state, price));
    return least;
  }

  bool GapIsSmallEnough() const {
    const auto gap = static_cast<double>(best_value_ - LeastBound(prices_[place_]));
    const auto value = static_cast<double>(relaxation_.value + best_value_);
    return gap <= limits_.relative_gap * std::abs(value);
  }

  // list_ shifted by one item of the group being passed (or by nothing), without the states that cannot win.
  void ShiftInto(const Deviation& deviation, std::vector<State>& out) const {
    const PriceRange& price = prices_[place_ + 1];
    const Int128 limit = WorthLimit();
    out.clear();
    for (State state : list_) {
      state.cost += deviation.cost;
      state.value += deviation.value;
      state.item = deviation.item;
      if (Bound(state, price) <= limit) out.push_back(state);
    }
  }

  // Replaces list_ by the list after the group at place_, or leaves all as it was and says why it stopped.
  std::optional<Termination> PassGroup() {
    if (limits_.relative_gap > 0 && GapIsSmallEnough()) return Termination::kFeasible;
    const Int128 gap = WorthLimit() - BoundAboveBase(knapsack_, relaxation_);
    ShiftInto(Deviation{.item = -1}, next_);
    for (const Deviation& deviation : core_[place_].deviations) {
      if (deviation.reduced > gap) continue;
      if (const auto stopped = PollEvery(next_.size())) return stopped;
      ShiftInto(deviation, shifted_);
      MergeLists(next_, shifted_, merged_);
      next_.swap(merged_);
      if (states_ + std::ssize(next_) > limits_.max_states) return Termination::kFeasible;
    }
    KeepNext();
    return std::nullopt;
  }

  std::optional<Termination> PollEvery(size_t work) {
    since_poll_ += work + 1;
    if (since_poll_ < kStatesBetweenPolls && polled_) return std::nullopt;
    since_poll_ = 0;
    polled_ = true;
    return StopReason(context_);
  }

  void KeepNext() {
    list_.swap(next_);
    states_ += std::ssize(list_);
    for (State& state : list_) {
      if (state.item < 0) continue;
      nodes_.push_back({state.node, core_[place_].group, state.item});
      state.node = static_cast<uint32_t>(nodes_.size() - 1);
    }
    ++place_;
    if (const State* state = BestWithin(capacity_)) OfferAsBest(*state, state->value);
    if (list_.size() < next_completion_) return;
    next_completion_ = kCompletionGrowth * list_.size();
    OfferCompletions();
  }

  // The state of least value that costs at most `cost`; nullptr if there is none.
  const State* BestWithin(int64_t cost) const {
    const auto over =
        std::partition_point(list_.begin(), list_.end(), [cost](const State& state) { return state.cost <= cost; });
    return over == list_.begin() ? nullptr : &*std::prev(over);
  }

  // Completes states by one deviation of one group ahead. Not needed for the proof, but a better choice known early
  // keeps the lists short where many sums of costs occur and few fill the capacity.
  void OfferCompletions() {
    for (size_t place = place_; place < core_.size(); ++place) {
      for (const Deviation& deviation : core_[place].deviations) {
        const State* state = BestWithin(capacity_ - deviation.cost);
        if (state == nullptr) continue;
        if (OfferAsBest(*state, state->value + deviation.value)) best_[core_[place].group] = deviation.item;
      }
    }
  }

  // Takes the choice of `state`, which is worth `value` after a change that the caller makes, if it is better.
  bool OfferAsBest(const State& state, Int128 value) {
    if (value >= best_value_) return false;
    best_value_ = value;
    best_ = relaxation_.base;
    for (uint32_t node = state.node; node != kRoot; node = nodes_[node].parent)
      best_[nodes_[node].group] = nodes_[node].item;
    return true;
  }

  ListSearchResult Result(std::optional<Termination> stopped) {
    const Int128 bound = stopped.has_value() ? LeastBound(prices_[place_]) : best_value_;
    // A bound that meets the value is a proof, whatever else was left to do.
    return {.termination = bound == best_value_ ? Termination::kOptimal : *stopped,
            .item = std::move(best_),
            .value = relaxation_.value + best_value_,
            .bound = relaxation_.value + bound,
            .states = states_};
  }

  const Knapsack& knapsack_;
  const Relaxation& relaxation_;
  const ListSearchLimits limits_;
  const RunContext& context_;
  const Int128 value_unit_;
  const int64_t capacity_;  // what the base choice leaves
  std::vector<int> best_;
  Int128 best_value_ = 0;  // above the base choice's
  std::vector<CoreGroup> core_;
  std::vector<PriceRange> prices_;
  size_t place_ = 0;
  std::vector<State> list_, next_, shifted_, merged_;
  std::vector<Node> nodes_;
  int64_t states_ = 0;
  size_t next_completion_ = kCompletionGrowth;
  size_t since_poll_ = 0;
  bool polled_ = false;
};

}  // namespace

ListSearchResult SearchLists(const ReducedKnapsack& reduced, const Relaxation& relaxation, std::vector<int> start,
                             const ListSearchLimits& limits, const RunContext& context) {
  return ListSearch(reduced, relaxation, std::move(start), limits, context).Run();
}

}  // namespace bitplan::allocation
