#include "search/allocation/multi_knapsack.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "search/allocation/run_limits.h"

namespace bitplan::allocation {
namespace {

// Sums of up to some 10^4 scaled values carry rounding of about 10^-13; steps between values below this are no use.
constexpr double kTolerance = 0x1p-40;
constexpr int kGroupsPerPoll = 256;
constexpr double kLeastStep = 16 * kTolerance;

int64_t CostOf(const InstanceGroup& group, int num_rows, int option, int row) {
  return group.cost[static_cast<size_t>(option) * num_rows + row];
}

// The common unit of all differences of values within groups.
Int128 StepOfValues(const Instance& instance) {
  Int128 step = 0;
  for (const InstanceGroup& group : instance.groups) {
    for (const Int128 value : group.value) step = Gcd(step, value - group.value[0]);
    if (step == 1) return 1;
  }
  return step;
}

// The state of a reduction: options left, the rows that still matter, what the cheapest options leave of them.
class Reduction {
 public:
  Reduction(const Instance& instance, OpenOptions open, const RunContext& context)
      : instance_(instance), open_(std::move(open)), context_(context) {
    rows_.resize(instance.num_rows());
    std::iota(rows_.begin(), rows_.end(), 0);
  }

  // False: infeasible.
  bool Run() {
    for (bool changed = true; changed;) {
      if (!PayLeastCosts()) return false;
      changed = DropWhatCannotFit();
      changed |= DropIdleRows();
      if (!changed) changed = DropDominated();
    }
    return true;
  }

  MultiKnapsack Take(const ValueScale& scale) {
    MultiKnapsack out{.num_rows = static_cast<int>(rows_.size()), .row = rows_, .capacity = spare_};
    out.fixed_option.assign(open_.size(), -1);
    Int128 fixed = 0;
    for (int g = 0; g < std::ssize(open_); ++g) {
      const InstanceGroup& group = instance_.groups[g];
      const Int128 least = *std::min_element(group.value.begin(), group.value.end());
      if (open_[g].size() == 1) {
        out.fixed_option[g] = open_[g][0];
        fixed += group.value[open_[g][0]] - least;
      } else {
        AddGroup(g, least, scale, out);
      }
    }
    out.fixed_value = scale.Scaled(fixed);
    Tighten(out);
    return out;
  }

 private:
  int64_t Cost(int g, int option, int row) const {
    return CostOf(instance_.groups[g], instance_.num_rows(), option, row);
  }

  bool PayLeastCosts() {
    least_.assign(open_.size() * rows_.size(), 0);
    spare_.clear();
    for (const int row : rows_) spare_.push_back(instance_.limits[row]);
    for (size_t g = 0; g < open_.size(); ++g) {
      if (open_[g].empty()) return false;
      for (size_t r = 0; r < rows_.size(); ++r) {
        int64_t least = std::numeric_limits<int64_t>::max();
        for (const int k : open_[g]) least = std::min(least, Cost(g, k, rows_[r]));
        least_[g * rows_.size() + r] = least;
        if (least > spare_[r]) return false;
        spare_[r] -= least;
      }
    }
    return true;
  }

  int64_t Above(int g, int option, size_t r) const { return Cost(g, option, rows_[r]) - least_[g * rows_.size() + r]; }

  bool Fits(int g, int option) const {
    for (size_t r = 0; r < rows_.size(); ++r) {
      if (Above(g, option, r) > spare_[r]) return false;
    }
    return true;
  }

  bool DropWhatCannotFit() {
    size_t dropped = 0;
    for (int g = 0; g < std::ssize(open_); ++g) {
      dropped += std::erase_if(open_[g], [&](int option) { return !Fits(g, option); });
    }
    return dropped > 0;
  }

  // A row that even the dearest options keep binds nothing.
  bool DropIdleRows() {
    std::vector<int> binding;
    for (size_t r = 0; r < rows_.size(); ++r) {
      int64_t most = 0;
      for (int g = 0; g < std::ssize(open_); ++g) {
        int64_t dearest = 0;
        for (const int k : open_[g]) dearest = std::max(dearest, Above(g, k, r));
        most += dearest;
      }
      if (most > spare_[r]) binding.push_back(rows_[r]);
    }
    if (binding.size() == rows_.size()) return false;
    rows_ = std::move(binding);
    return true;
  }

  // Costs of the open options of a group, together: [position in open_[g]][row].
  void GatherCosts(int g) {
    gathered_.clear();
    for (const int option : open_[g]) {
      const int64_t* cost = &instance_.groups[g].cost[static_cast<size_t>(option) * instance_.num_rows()];
      for (const int row : rows_) gathered_.push_back(cost[row]);
    }
  }

  // By value, then costs, then index: an option that covers another comes first.
  bool Before(int g, int a, int b) const {
    const InstanceGroup& group = instance_.groups[g];
    const Int128 difference = group.value[open_[g][a]] - group.value[open_[g][b]];
    if (difference != 0) return difference < 0;
    const int64_t* cost = gathered_.data();
    for (size_t r = 0; r < rows_.size(); ++r) {
      if (cost[a * rows_.size() + r] != cost[b * rows_.size() + r]) {
        return cost[a * rows_.size() + r] < cost[b * rows_.size() + r];
      }
    }
    return a < b;
  }

  bool CostsNoMore(int a, int b) const {
    const int64_t* cost = gathered_.data();
    for (size_t r = 0; r < rows_.size(); ++r) {
      if (cost[a * rows_.size() + r] > cost[b * rows_.size() + r]) return false;
    }
    return true;
  }

  bool DropDominated() {
    bool dropped = false;
    std::vector<int> order;
    std::vector<int> kept;
    for (int g = 0; g < std::ssize(open_); ++g) {
      if (g % kGroupsPerPoll == 0 && StopReason(context_)) return false;
      GatherCosts(g);
      order.resize(open_[g].size());
      std::iota(order.begin(), order.end(), 0);
      std::sort(order.begin(), order.end(), [&](int a, int b) { return Before(g, a, b); });
      kept.clear();
      for (const int at : order) {
        const auto covers = [&](int other) { return CostsNoMore(other, at); };
        if (std::none_of(kept.rbegin(), kept.rend(), covers)) kept.push_back(at);
      }
      if (kept.size() == open_[g].size()) continue;
      dropped = true;
      std::sort(kept.begin(), kept.end());
      for (size_t k = 0; k < kept.size(); ++k) open_[g][k] = open_[g][kept[k]];
      open_[g].resize(kept.size());
    }
    return dropped;
  }

  void AddGroup(int g, Int128 least, const ValueScale& scale, MultiKnapsack& out) const {
    for (const int k : open_[g]) {
      out.option.push_back(k);
      out.group_of.push_back(out.num_groups());
      out.value.push_back(scale.Scaled(instance_.groups[g].value[k] - least));
      for (size_t r = 0; r < rows_.size(); ++r) out.cost.push_back(Above(g, k, r));
    }
    out.group.push_back(g);
    out.first.push_back(out.num_items());
  }

  static void Tighten(MultiKnapsack& out) {
    const size_t num_rows = out.capacity.size();
    out.scaled_cost.resize(out.cost.size());
    for (size_t r = 0; r < num_rows; ++r) {
      int64_t unit = 0;
      for (size_t at = r; at < out.cost.size(); at += num_rows) unit = std::gcd(unit, out.cost[at]);
      unit = std::max<int64_t>(unit, 1);
      out.row_divisor.push_back(unit);
      out.capacity[r] /= unit;
      int exponent = 0;
      std::frexp(static_cast<double>(std::max<int64_t>(out.capacity[r], 1)), &exponent);
      out.row_factor.push_back(std::ldexp(1.0, -exponent));
      for (size_t at = r; at < out.cost.size(); at += num_rows) {
        out.cost[at] /= unit;
        out.scaled_cost[at] = static_cast<double>(out.cost[at]) * out.row_factor[r];
      }
    }
  }

  const Instance& instance_;
  OpenOptions open_;
  const RunContext& context_;
  std::vector<int> rows_;
  std::vector<int64_t> least_;  // [group * rows_ + row]
  std::vector<int64_t> spare_;  // of each row
  std::vector<int64_t> gathered_;
};

}  // namespace

double ValueScale::Scaled(Int128 above_least) const { return FromFixedPoint(above_least, exponent); }

ValueScale ScaleOfValues(const Instance& instance) {
  ValueScale scale;
  Int128 range = 0;
  for (const InstanceGroup& group : instance.groups) {
    const auto [low, high] = std::minmax_element(group.value.begin(), group.value.end());
    scale.least += *low;
    range += *high - *low;
  }
  if (range > 0) std::frexp(static_cast<double>(range), &scale.exponent);
  scale.tolerance = kTolerance;
  const double step = scale.Scaled(StepOfValues(instance));
  if (step > kLeastStep) scale.step = step;
  return scale;
}

OpenOptions AllOptions(const Instance& instance) {
  OpenOptions open;
  open.reserve(instance.groups.size());
  for (const InstanceGroup& group : instance.groups) {
    open.emplace_back(group.value.size());
    std::iota(open.back().begin(), open.back().end(), 0);
  }
  return open;
}

MultiKnapsack Reduce(const Instance& instance, const ValueScale& scale, OpenOptions open, const RunContext& context) {
  Reduction reduction(instance, std::move(open), context);
  if (!reduction.Run()) return {.infeasible = true};
  return reduction.Take(scale);
}

OpenOptions OptionsKept(const MultiKnapsack& knapsack, const std::vector<bool>& kept) {
  OpenOptions open(knapsack.fixed_option.size());
  for (size_t g = 0; g < open.size(); ++g) {
    if (knapsack.fixed_option[g] >= 0) open[g] = {knapsack.fixed_option[g]};
  }
  for (int i = 0; i < knapsack.num_items(); ++i) {
    if (kept[i]) open[knapsack.group[knapsack.group_of[i]]].push_back(knapsack.option[i]);
  }
  return open;
}

}  // namespace bitplan::allocation
