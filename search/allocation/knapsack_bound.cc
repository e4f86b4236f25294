#include "search/allocation/knapsack_bound.h"

#include <algorithm>
#include <utility>

namespace bitplan::allocation {
namespace {

using Items = std::vector<KnapsackItem>;

// From one vertex of a group's lower convex hull to the next: costs more, is worth more.
struct HullStep {
  double slope = 0;  // value lost per cost; for ordering only
  int64_t cost = 0;
  Int128 gain = 0;
};

double Slope(const KnapsackItem& from, const KnapsackItem& to) {
  return static_cast<double>(from.value - to.value) / static_cast<double>(to.cost - from.cost);
}

// Indices of the vertices of the lower convex hull, ascending. Slopes in doubles: a vertex more or less changes how
// tight the multiplier is and nothing else.
void HullVertices(const Items& items, std::vector<int>& hull) {
  hull.clear();
  for (int k = 0; k < std::ssize(items); ++k) {
    while (hull.size() >= 2 &&
           Slope(items[hull[hull.size() - 2]], items[hull.back()]) <= Slope(items[hull.back()], items[k])) {
      hull.pop_back();
    }
    hull.push_back(k);
  }
}

std::vector<HullStep> HullSteps(const Knapsack& knapsack) {
  std::vector<HullStep> steps;
  std::vector<int> hull;
  for (const Items& items : knapsack.groups) {
    HullVertices(items, hull);
    for (size_t h = 1; h < hull.size(); ++h) {
      const KnapsackItem& from = items[hull[h - 1]];
      const KnapsackItem& to = items[hull[h]];
      steps.push_back({Slope(from, to), to.cost - from.cost, from.value - to.value});
    }
  }
  return steps;
}

// The step at which the capacity runs out when steps are taken by falling slope; nullptr if all fit. Selection by
// halves.
const HullStep* BreakStep(std::vector<HullStep>& steps, int64_t capacity) {
  auto first = steps.begin();
  auto last = steps.end();
  while (last - first > 1) {
    const auto middle = first + (last - first) / 2;
    std::nth_element(first, middle, last, [](const HullStep& a, const HullStep& b) { return a.slope > b.slope; });
    Int128 upper_cost = 0;
    for (auto step = first; step != middle; ++step) upper_cost += step->cost;
    if (upper_cost > capacity) {
      last = middle;
    } else {
      capacity -= static_cast<int64_t>(upper_cost);
      first = middle;
    }
  }
  return first != last && first->cost > capacity ? &*first : nullptr;
}

int BestItemAt(const Items& items, Int128 multiplier) {
  int best = 0;
  Int128 best_gain = 0;  // over item 0, whose cost is 0
  for (int k = 1; k < std::ssize(items); ++k) {
    const Int128 gain = items[0].value - items[k].value - SaturatingProduct(multiplier, items[k].cost);
    if (gain > best_gain) {
      best = k;
      best_gain = gain;
    }
  }
  return best;
}

Relaxation RelaxationAt(const Knapsack& knapsack, Int128 multiplier) {
  Relaxation relaxation;
  relaxation.multiplier = multiplier;
  relaxation.base.reserve(knapsack.groups.size());
  for (const Items& items : knapsack.groups) {
    relaxation.base.push_back(BestItemAt(items, multiplier));
    relaxation.cost += items[relaxation.base.back()].cost;
    relaxation.value += items[relaxation.base.back()].value;
  }
  return relaxation;
}

// Moves groups to dearer items that are exactly as good at the multiplier, as far as the capacity goes: the base stays
// best at that price and comes nearer to the capacity, so fewer groups have to change from it.
void TakeEqualItems(const Knapsack& knapsack, Relaxation& relaxation) {
  for (size_t g = 0; g < knapsack.groups.size(); ++g) {
    const Items& items = knapsack.groups[g];
    for (int k = relaxation.base[g] + 1; k < std::ssize(items); ++k) {
      const KnapsackItem& base = items[relaxation.base[g]];
      const int64_t extra = items[k].cost - base.cost;
      if (extra > knapsack.capacity - relaxation.cost) break;
      if (base.value - items[k].value != SaturatingProduct(relaxation.multiplier, extra)) continue;
      relaxation.cost += extra;
      relaxation.value += items[k].value - base.value;
      relaxation.base[g] = k;
    }
  }
}

// Hill climbing over a feasible choice.
class Greedy {
 public:
  Greedy(const Knapsack& knapsack, const Relaxation& relaxation)
      : knapsack_(knapsack), choice_(relaxation.base), slack_(knapsack.capacity - relaxation.cost) {}

  // Takes each group's best item that the slack allows, groups by falling slope of their next item.
  void Fill() {
    std::vector<std::pair<double, int>> order;
    for (int g = 0; g < std::ssize(choice_); ++g) {
      const Items& items = knapsack_.groups[g];
      if (choice_[g] + 1 < std::ssize(items)) order.emplace_back(-SteepestSlope(g), g);
    }
    std::sort(order.begin(), order.end());
    for (const auto& [slope, g] : order) {
      int k = choice_[g];
      while (k + 1 < std::ssize(knapsack_.groups[g]) && Extra(g, k + 1) <= slack_) ++k;
      Take(g, k);
    }
  }

  // One group takes an item that is too dear and another one pays for it, if that helps.
  void Exchange() {
    Int128 best_gain = 0;
    std::pair<int, int> best_up, best_down;
    const auto [up_group, up_item] = SteepestOverfill();
    if (up_group < 0) return;
    const int64_t debt = Extra(up_group, up_item) - slack_;
    const Int128 gain_up = Loss(up_group, up_item);
    for (int g = 0; g < std::ssize(choice_); ++g) {
      if (g == up_group) continue;
      for (int k = choice_[g] - 1; k >= 0; --k) {
        if (-Extra(g, k) < debt) continue;
        if (const Int128 gain = -gain_up - Loss(g, k); gain > best_gain) {
          best_gain = gain;
          best_up = {up_group, up_item};
          best_down = {g, k};
        }
        break;  // a cheaper item loses more
      }
    }
    if (best_gain == 0) return;
    Take(best_down.first, best_down.second);
    Take(best_up.first, best_up.second);
  }

  std::vector<int> Release() && { return std::move(choice_); }

 private:
  int64_t Extra(int g, int k) const { return knapsack_.groups[g][k].cost - knapsack_.groups[g][choice_[g]].cost; }
  Int128 Loss(int g, int k) const { return knapsack_.groups[g][k].value - knapsack_.groups[g][choice_[g]].value; }

  void Take(int g, int k) {
    slack_ -= Extra(g, k);
    choice_[g] = k;
  }

  double SteepestSlope(int g) const {
    const Items& items = knapsack_.groups[g];
    double steepest = 0;
    for (size_t k = choice_[g] + 1; k < items.size(); ++k)
      steepest = std::max(steepest, Slope(items[choice_[g]], items[k]));
    return steepest;
  }

  // The upward change with the steepest slope that the slack does not allow; {-1, 0} if there is none.
  std::pair<int, int> SteepestOverfill() const {
    std::pair<int, int> best{-1, 0};
    double best_slope = 0;
    for (int g = 0; g < std::ssize(choice_); ++g) {
      const Items& items = knapsack_.groups[g];
      for (int k = choice_[g] + 1; k < std::ssize(items); ++k) {
        if (Extra(g, k) <= slack_) continue;
        if (const double slope = Slope(items[choice_[g]], items[k]); slope > best_slope) {
          best_slope = slope;
          best = {g, k};
        }
      }
    }
    return best;
  }

  const Knapsack& knapsack_;
  std::vector<int> choice_;
  int64_t slack_;
};

}  // namespace

Relaxation Relax(const Knapsack& knapsack) {
  std::vector<HullStep> steps = HullSteps(knapsack);
  const HullStep* step = BreakStep(steps, knapsack.capacity);
  return step == nullptr ? RelaxAtSlope(knapsack, 0, 1) : RelaxAtSlope(knapsack, step->gain, step->cost);
}

Relaxation RelaxAtSlope(const Knapsack& knapsack, Int128 gain, int64_t cost) {
  Relaxation relaxation = RelaxationAt(knapsack, (gain + cost - 1) / cost);
  if (gain == 0) return relaxation;
  // Slopes that agree in double precision may have been taken in the wrong order; then the price is a little too low.
  for (Int128 raise = 1; relaxation.cost > knapsack.capacity; raise *= 2) {
    relaxation = RelaxationAt(knapsack, relaxation.multiplier + raise);
  }
  TakeEqualItems(knapsack, relaxation);
  return relaxation;
}

Int128 BoundAboveBase(const Knapsack& knapsack, const Relaxation& relaxation) {
  return -SaturatingProduct(relaxation.multiplier, knapsack.capacity - relaxation.cost);
}

std::vector<int> GreedyChoice(const Knapsack& knapsack, const Relaxation& relaxation) {
  Greedy greedy(knapsack, relaxation);
  greedy.Fill();
  greedy.Exchange();
  greedy.Fill();
  return std::move(greedy).Release();
}

}  // namespace bitplan::allocation
