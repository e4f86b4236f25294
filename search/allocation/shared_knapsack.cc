#include "search/allocation/shared_knapsack.h"

#include <algorithm>
#include <compare>
#include <numeric>
#include <utility>

#include "search/allocation/knapsack_bound.h"
#include "search/allocation/knapsack_dp.h"

namespace bitplan::allocation {
namespace {

// States are numbered with 32 bits.
constexpr int64_t kMostStates = int64_t{1} << 31;

std::vector<int> AllOptionsOf(const InstanceGroup& group) {
  std::vector<int> options(group.value.size());
  std::iota(options.begin(), options.end(), 0);
  return options;
}

}  // namespace

SharedKnapsack::SharedKnapsack(const Instance& instance, int row) : instance_(instance), row_(row) {
  const int num_groups = static_cast<int>(instance.groups.size());
  is_restricted_.assign(num_groups, false);
  reduced_.value_unit = 0;
  for (int g = 0; g < num_groups; ++g) {
    Group group = Reduce(g, AllOptionsOf(instance.groups[g]));
    NoteUnits(group.items, cost_unit_, reduced_.value_unit);
    const std::vector<GroupStep> steps = StepsOfGroup(group.items, g);
    steps_.insert(steps_.end(), steps.begin(), steps.end());
    least_.push_back(group.least);
    paid_ += group.least;
    reduced_.knapsack.groups.push_back(std::move(group.items));
  }
  std::sort(steps_.begin(), steps_.end(), ComesFirst);
}

SharedKnapsack::Group SharedKnapsack::Reduce(int group, std::span<const int> options) const {
  const InstanceGroup& source = instance_.groups[group];
  const int num_rows = instance_.num_rows();
  std::vector<KnapsackItem> items;
  items.reserve(options.size());
  for (const int k : options) {
    items.push_back({row_ < 0 ? 0 : source.cost[static_cast<size_t>(k) * num_rows + row_], source.value[k], k});
  }
  Group reduced{.items = UndominatedItems(std::move(items))};
  reduced.least = reduced.items.front().cost;
  for (KnapsackItem& item : reduced.items) item.cost -= reduced.least;
  return reduced;
}

void SharedKnapsack::NoteUnits(std::span<const KnapsackItem> items, int64_t& cost_unit, Int128& value_unit) const {
  for (const KnapsackItem& item : items.subspan(1)) {
    cost_unit = std::gcd(cost_unit, item.cost);
    if (value_unit != 1) value_unit = Gcd(value_unit, items[0].value - item.value);
  }
}

int64_t SharedKnapsack::useful_cost() const {
  int64_t cost = paid_;
  for (const std::vector<KnapsackItem>& items : reduced_.knapsack.groups) cost += items.back().cost;
  return cost;
}

// The step at which `capacity` runs out, among those of unrestricted groups and `inserted`; nullptr if all fit.
const GroupStep* SharedKnapsack::BreakStep(std::span<const GroupStep> inserted, int64_t capacity) const {
  size_t i = 0;
  size_t j = 0;
  for (;;) {
    while (i < steps_.size() && is_restricted_[steps_[i].group]) ++i;
    if (i == steps_.size() && j == inserted.size()) return nullptr;
    const bool take_inserted = j < inserted.size() && (i == steps_.size() || ComesFirst(inserted[j], steps_[i]));
    const GroupStep& step = take_inserted ? inserted[j++] : steps_[i++];
    if (step.cost > capacity) return &step;
    capacity -= step.cost;
  }
}

// Items of the start, if each group still has its option and the capacity holds them.
bool SharedKnapsack::StartItems(std::span<const int> start, std::vector<int>& item) const {
  const Knapsack& knapsack = reduced_.knapsack;
  if (start.size() != knapsack.groups.size()) return false;
  item.clear();
  int64_t cost = 0;
  for (size_t g = 0; g < start.size(); ++g) {
    const std::vector<KnapsackItem>& items = knapsack.groups[g];
    const auto at = std::ranges::find(items, start[g], &KnapsackItem::option);
    if (at == items.end() || at->cost > knapsack.capacity - cost) return false;
    cost += at->cost;
    item.push_back(static_cast<int>(at - items.begin()));
  }
  return true;
}

ExactSolution SharedKnapsack::Search(int64_t limit, std::span<const GroupStep> inserted, std::span<const int> start,
                                     const SolverOptions& options, const RunContext& context) {
  if (paid_ > limit) return {.termination = Termination::kInfeasible};
  Knapsack& knapsack = reduced_.knapsack;
  knapsack.capacity = limit - paid_;
  knapsack.capacity -= knapsack.capacity % std::max<int64_t>(cost_unit_, 1);
  const GroupStep* step = BreakStep(inserted, knapsack.capacity);
  const Relaxation relaxation =
      step == nullptr ? RelaxAtSlope(knapsack, 0, 1) : RelaxAtSlope(knapsack, step->gain, step->cost);
  const auto value_of = [&](const std::vector<int>& item) {
    Int128 value = 0;
    for (size_t g = 0; g < item.size(); ++g) value += knapsack.groups[g][item[g]].value;
    return value;
  };
  std::vector<int> best = GreedyChoice(knapsack, relaxation);
  std::vector<int> given;
  if (StartItems(start, given) && value_of(given) < value_of(best)) best = std::move(given);
  const ListSearchLimits limits{.max_states = std::min(options.node_limit, kMostStates),
                                .relative_gap = options.relative_gap};
  const ListSearchResult found = SearchLists(reduced_, relaxation, std::move(best), limits, context);
  ExactSolution solution{.termination = found.termination,
                         .value = found.value,
                         .bound = found.bound,
                         .multiplier = FromFixedPoint(relaxation.multiplier, instance_.shift),
                         .nodes = found.states};
  for (size_t g = 0; g < found.item.size(); ++g) solution.option.push_back(knapsack.groups[g][found.item[g]].option);
  return solution;
}

// Puts restricted groups into a shared knapsack, and the whole ones back.
class SharedKnapsack::Restricted {
 public:
  Restricted(SharedKnapsack& shared, std::span<const GroupRestriction> restrictions)
      : shared_(shared), cost_unit_(shared.cost_unit_), value_unit_(shared.reduced_.value_unit), paid_(shared.paid_) {
    for (const GroupRestriction& restriction : restrictions) Put(restriction);
    std::sort(steps_.begin(), steps_.end(), ComesFirst);
    if (shared_.reduced_.value_unit == 0) shared_.reduced_.value_unit = 1;
  }
  Restricted(const Restricted&) = delete;
  Restricted& operator=(const Restricted&) = delete;
  ~Restricted() {
    for (auto& [group, items] : whole_) {
      shared_.reduced_.knapsack.groups[group] = std::move(items);
      shared_.is_restricted_[group] = false;
    }
    shared_.cost_unit_ = cost_unit_;
    shared_.reduced_.value_unit = value_unit_;
    shared_.paid_ = paid_;
  }

  std::span<const GroupStep> steps() const { return steps_; }

 private:
  void Put(const GroupRestriction& restriction) {
    const int g = restriction.group;
    Group group = shared_.Reduce(g, restriction.options);
    shared_.NoteUnits(group.items, shared_.cost_unit_, shared_.reduced_.value_unit);
    shared_.paid_ += group.least - shared_.least_[g];
    const std::vector<GroupStep> steps = StepsOfGroup(group.items, g);
    steps_.insert(steps_.end(), steps.begin(), steps.end());
    shared_.is_restricted_[g] = true;
    whole_.emplace_back(g, std::exchange(shared_.reduced_.knapsack.groups[g], std::move(group.items)));
  }

  SharedKnapsack& shared_;
  const int64_t cost_unit_;
  const Int128 value_unit_;
  const int64_t paid_;
  std::vector<std::pair<int, std::vector<KnapsackItem>>> whole_;
  std::vector<GroupStep> steps_;
};

ExactSolution SharedKnapsack::Solve(int64_t limit, std::span<const GroupRestriction> restrictions,
                                    std::span<const int> start, const SolverOptions& options,
                                    const RunContext& context) {
  const Restricted restricted(*this, restrictions);
  return Search(limit, restricted.steps(), start, options, context);
}

std::vector<SupportedPoint> SharedKnapsack::SupportedPoints() const {
  SupportedPoint point{.cost = paid_};
  for (const std::vector<KnapsackItem>& items : reduced_.knapsack.groups) point.value += items.front().value;
  std::vector<SupportedPoint> points = {point};
  for (const GroupStep& step : steps_) {
    const bool same_slope = point.steps > 0 && std::is_eq(CompareSlopes(steps_[point.steps - 1], step));
    point.cost += step.cost;
    point.value -= step.gain;
    point.slope = step.slope;
    ++point.steps;
    if (same_slope) {
      points.back() = point;
    } else {
      points.push_back(point);
    }
  }
  return points;
}

}  // namespace bitplan::allocation
