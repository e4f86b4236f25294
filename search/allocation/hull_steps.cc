#include "search/allocation/hull_steps.h"

#include <cmath>
#include <utility>

namespace bitplan::allocation {
namespace {

// Both slopes are quotients of doubles that are each off by 2^-53 at most.
constexpr double kSure = 0x1p-49;

// a / b against c / d; all > 0.
std::strong_ordering CompareFractions(Int128 a, Int128 b, Int128 c, Int128 d) {
  for (bool turned = false;; turned = !turned) {
    const Int128 whole_a = a / b;
    const Int128 whole_c = c / d;
    if (whole_a != whole_c)
      return (whole_a < whole_c) == turned ? std::strong_ordering::greater : std::strong_ordering::less;
    a -= whole_a * b;
    c -= whole_c * d;
    if (a == 0 && c == 0) return std::strong_ordering::equal;
    // The rest that is 0 is the smaller one.
    if (a == 0) return turned ? std::strong_ordering::greater : std::strong_ordering::less;
    if (c == 0) return turned ? std::strong_ordering::less : std::strong_ordering::greater;
    std::swap(a, b);  // a / b < c / d exactly if b / a > d / c
    std::swap(c, d);
  }
}

GroupStep MakeStep(std::span<const KnapsackItem> items, int from, int to, int group) {
  GroupStep step{.cost = items[to].cost - items[from].cost,
                 .gain = items[from].value - items[to].value,
                 .group = group,
                 .item = to};
  step.slope = static_cast<double>(step.gain) / static_cast<double>(step.cost);
  return step;
}

}  // namespace

std::strong_ordering CompareSlopes(const GroupStep& a, const GroupStep& b) {
  if (std::abs(a.slope - b.slope) > kSure * (a.slope + b.slope)) {
    return a.slope < b.slope ? std::strong_ordering::less : std::strong_ordering::greater;
  }
  return CompareFractions(a.gain, a.cost, b.gain, b.cost);
}

std::vector<GroupStep> StepsOfGroup(std::span<const KnapsackItem> items, int group) {
  std::vector<GroupStep> steps;
  std::vector<int> vertices = {0};
  for (int k = 1; k < std::ssize(items); ++k) {
    GroupStep step = MakeStep(items, vertices.back(), k, group);
    while (!steps.empty() && std::is_lteq(CompareSlopes(steps.back(), step))) {
      steps.pop_back();
      vertices.pop_back();
      step = MakeStep(items, vertices.back(), k, group);
    }
    steps.push_back(step);
    vertices.push_back(k);
  }
  return steps;
}

bool ComesFirst(const GroupStep& a, const GroupStep& b) {
  const std::strong_ordering order = CompareSlopes(a, b);
  if (std::is_neq(order)) return std::is_gt(order);
  return a.group < b.group;  // equal slopes are of different groups
}

}  // namespace bitplan::allocation
