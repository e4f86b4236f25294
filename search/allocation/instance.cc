#include "search/allocation/instance.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

namespace bitplan::allocation {
namespace {

// Representative of i's set in a union-find forest whose roots are the smallest members.
int FindRoot(std::vector<int>& parent, int i) {
  while (parent[i] != i) {
    parent[i] = parent[parent[i]];
    i = parent[i];
  }
  return i;
}

// Shift for objectives: the sum over the layers of the largest magnitude becomes less than 2^kValueBits.
int ShiftOfObjectives(const Problem& problem) {
  double sum = 0;
  for (const ProblemLayer& layer : problem.layers) {
    double largest = 0;
    for (const ProblemOption& option : layer.options) largest = std::max(largest, std::abs(option.objective));
    sum += largest;
  }
  for (const ProblemPair& pair : problem.pairs) sum += std::abs(pair.objective);
  int exponent = 0;
  if (sum > 0) std::frexp(sum, &exponent);
  return kValueBits - 1 - exponent;
}

// Costs are below 2^63 in sum.
constexpr int kShiftOfCosts = kValueBits - 63;

struct ValueOf {
  std::optional<int> minimised;
  int shift;

  Int128 operator()(double objective, const std::vector<int64_t>& cost) const {
    if (!minimised.has_value()) return ToFixedPoint(objective, shift);
    return cost.empty() ? 0 : Int128{cost[*minimised]} * (Int128{1} << shift);
  }
};

// What the rows of an instance count.
struct Rows {
  const Problem& problem;
  const std::vector<int>& rows;
  std::vector<std::vector<int>> entry = {};  // of each row that is a step: of each layer its entry there, or -1

  Rows(const Problem& the_problem, const std::vector<int>& the_rows) : problem(the_problem), rows(the_rows) {
    for (const int row : rows) {
      std::vector<int>& here = entry.emplace_back();
      if (row < std::ssize(problem.budgets)) continue;
      here.assign(problem.layers.size(), -1);
      for (int j = 0; j < std::ssize(Step(row).layers); ++j) here[Step(row).layers[j]] = j;
    }
  }

  const ProblemStep& Step(int row) const { return problem.steps[row - problem.budgets.size()]; }
  bool IsStep(size_t r) const { return !entry[r].empty(); }
  bool IsLower(size_t r) const { return !IsStep(r) && problem.budgets[rows[r]].sense == BudgetSense::kAtLeast; }
  int64_t Limit(size_t r) const { return IsStep(r) ? Step(rows[r]).limit : problem.budgets[rows[r]].limit; }
  int Resource(size_t r) const { return problem.budgets[rows[r]].resource; }  // of a budget
  int64_t CostOf(size_t r, int layer, int option) const {
    if (!IsStep(r)) return problem.layers[layer].options[option].cost[Resource(r)];
    return entry[r][layer] < 0 ? 0 : Step(rows[r]).amounts[entry[r][layer]][option];
  }
  int64_t CostOf(size_t r, const ProblemPair& pair) const {
    return IsStep(r) || pair.cost.empty() ? 0 : pair.cost[Resource(r)];
  }
};

void AddLayer(const Problem& problem, int layer, const std::vector<int>& options, const Rows& rows,
              const ValueOf& value_of, InstanceGroup& group) {
  const size_t num_rows = rows.rows.size();
  for (size_t k = 0; k < options.size(); ++k) {
    const ProblemOption& option = problem.layers[layer].options[options[k]];
    group.value[k] += value_of(option.objective, option.cost);
    for (size_t r = 0; r < num_rows; ++r) group.cost[k * num_rows + r] += rows.CostOf(r, layer, options[k]);
  }
}

bool IsIdentity(const std::vector<int>& options, size_t num_options) {
  return options.size() == num_options;  // ascending and distinct
}

InstanceGroup BuildGroup(const Problem& problem, const std::vector<int>& layers, const std::vector<int>& options,
                         const Rows& rows, const ValueOf& value_of) {
  InstanceGroup group{.layers = layers,
                      .value = std::vector<Int128>(options.size()),
                      .cost = std::vector<int64_t>(options.size() * rows.rows.size()),
                      .taken = {}};
  for (const int layer : layers) AddLayer(problem, layer, options, rows, value_of, group);
  if (!IsIdentity(options, problem.layers[layers[0]].options.size())) {
    for (const int option : options) group.taken.insert(group.taken.end(), layers.size(), option);
  }
  return group;
}

// Builds the links of an instance whose groups are there.
class Linker {
 public:
  Linker(const Problem& problem, std::span<const std::vector<int>> groups, std::span<const std::vector<int>> options,
         const Rows& rows, const ValueOf& value_of, Instance& instance)
      : problem_(problem), options_(options), rows_(rows), value_of_(value_of), instance_(instance) {
    group_of_.resize(problem.layers.size());
    for (size_t g = 0; g < groups.size(); ++g) {
      for (const int layer : groups[g]) group_of_[layer] = static_cast<int>(g);
    }
  }

  void Run() {
    for (const ClassTie& tie : problem_.class_ties) AddClassTie(tie);
    for (const ProblemPair& pair : problem_.pairs) AddPair(pair);
    for (auto& [unused, link] : links_) instance_.links.push_back(std::move(link));
  }

 private:
  InstanceLink& LinkOf(int a, int b) {
    InstanceLink& link = links_[{a, b}];
    if (link.value.empty()) {
      const size_t size = instance_.groups[a].value.size() * instance_.groups[b].value.size();
      link = {.a = a, .b = b, .value = std::vector<Int128>(size), .cost = {}};
    }
    return link;
  }

  // Class of each option of the groups under the tie, each group once.
  std::map<int, std::vector<int>> ClassesOfGroups(const ClassTie& tie) const {
    std::map<int, std::vector<int>> classes;
    for (size_t j = 0; j < tie.layers.size(); ++j) {
      const int g = group_of_[tie.layers[j]];
      if (classes.contains(g)) continue;  // the others agree: see AllowedOptions
      for (const int k : options_[g]) classes[g].push_back(tie.classes[j][k]);
    }
    return classes;
  }

  void AddClassTie(const ClassTie& tie) {
    const std::map<int, std::vector<int>> classes = ClassesOfGroups(tie);
    if (classes.size() < 2) return;
    if (classes.size() == 2) {
      Forbid(classes.begin()->first, std::next(classes.begin())->first, classes.begin()->second,
             std::next(classes.begin())->second);
      return;
    }
    std::vector<int> all;
    for (const auto& [unused, of_group] : classes) all.insert(all.end(), of_group.begin(), of_group.end());
    std::ranges::sort(all);
    all.erase(std::ranges::unique(all).begin(), all.end());
    const auto hidden = static_cast<int>(instance_.groups.size());
    instance_.groups.push_back({.layers = {},
                                .value = std::vector<Int128>(all.size()),
                                .cost = std::vector<int64_t>(all.size() * instance_.num_rows()),
                                .taken = {}});
    for (const auto& [g, of_group] : classes) Forbid(g, hidden, of_group, all);
  }

  void Forbid(int a, int b, const std::vector<int>& class_a, const std::vector<int>& class_b) {
    InstanceLink& link = LinkOf(a, b);
    for (size_t k = 0; k < class_a.size(); ++k) {
      for (size_t l = 0; l < class_b.size(); ++l) {
        if (class_a[k] != class_b[l]) link.value[k * class_b.size() + l] = kInfiniteValue;
      }
    }
  }

  int Position(int g, int option) const {
    const auto found = std::ranges::find(options_[g], option);
    return found == options_[g].end() ? -1 : static_cast<int>(found - options_[g].begin());
  }

  void AddPair(const ProblemPair& pair) {
    int a = group_of_[pair.layer_a];
    int b = group_of_[pair.layer_b];
    int k = Position(a, pair.option_a);
    int l = Position(b, pair.option_b);
    if (k < 0 || l < 0) return;
    if (a == b) return AddWithin(pair, a, k, l);
    if (a > b) {
      std::swap(a, b);
      std::swap(k, l);
    }
    InstanceLink& link = LinkOf(a, b);
    const size_t at = k * instance_.groups[b].value.size() + l;
    const size_t num_rows = rows_.rows.size();
    if (pair.forbidden) link.value[at] = kInfiniteValue;
    if (link.value[at] != kInfiniteValue) link.value[at] += value_of_(pair.objective, pair.cost);
    for (size_t r = 0; r < num_rows; ++r) {
      const int64_t cost = rows_.CostOf(r, pair);
      if (cost > 0 && link.cost.empty()) link.cost.resize(link.value.size() * num_rows);
      if (cost > 0) link.cost[at * num_rows + r] += cost;
    }
  }

  // Both layers are in one group: its options are k or l for both.
  void AddWithin(const ProblemPair& pair, int g, int k, int l) {
    if (k != l) return;
    InstanceGroup& group = instance_.groups[g];
    group.value[k] += value_of_(pair.objective, pair.cost);
    const size_t num_rows = rows_.rows.size();
    for (size_t r = 0; r < num_rows; ++r) group.cost[k * num_rows + r] += rows_.CostOf(r, pair);
  }

  const Problem& problem_;
  std::span<const std::vector<int>> options_;
  const Rows& rows_;
  const ValueOf& value_of_;
  Instance& instance_;
  std::vector<int> group_of_;
  std::map<std::pair<int, int>, InstanceLink> links_;
};

// Turns row r of a group's or link's costs around: most - cost. Returns most.
int64_t TurnAround(std::vector<int64_t>& cost, size_t num_rows, size_t r) {
  int64_t most = 0;
  for (size_t at = r; at < cost.size(); at += num_rows) most = std::max(most, cost[at]);
  for (size_t at = r; at < cost.size(); at += num_rows) cost[at] = most - cost[at];
  return most;
}

int64_t TurnLowerRow(Instance& instance, size_t r, int64_t limit) {
  int64_t most = 0;
  for (InstanceGroup& group : instance.groups) most += TurnAround(group.cost, instance.num_rows(), r);
  for (InstanceLink& link : instance.links) most += TurnAround(link.cost, instance.num_rows(), r);
  return most - limit;
}

bool HasLostBits(const Problem& problem, int shift) {
  for (const ProblemLayer& layer : problem.layers) {
    for (const ProblemOption& option : layer.options) {
      const Int128 fixed = ToFixedPoint(option.objective, shift);
      if (FromFixedPoint(fixed, shift) != option.objective) return true;
    }
  }
  return std::ranges::any_of(problem.pairs, [&](const ProblemPair& pair) {
    return FromFixedPoint(ToFixedPoint(pair.objective, shift), shift) != pair.objective;
  });
}

}  // namespace

std::vector<std::vector<int>> TieGroups(const Problem& problem) {
  std::vector<int> parent(problem.layers.size());
  std::iota(parent.begin(), parent.end(), 0);
  for (const std::vector<int>& tied : problem.ties) {
    for (const int layer : tied) {
      const auto [low, high] = std::minmax({FindRoot(parent, tied[0]), FindRoot(parent, layer)});
      parent[high] = low;
    }
  }
  std::vector<std::vector<int>> groups;
  std::vector<int> group_of(parent.size(), -1);
  for (int i = 0; i < std::ssize(parent); ++i) {
    int& group = group_of[FindRoot(parent, i)];
    if (group < 0) {
      group = static_cast<int>(groups.size());
      groups.emplace_back();
    }
    groups[group].push_back(i);
  }
  return groups;
}

std::vector<CostRange> RangesOfResources(const Problem& problem, std::span<const std::vector<int>> groups) {
  const size_t num_resources = problem.resources.size();
  std::vector<CostRange> ranges(num_resources);
  std::vector<CostRange> of_group(num_resources);
  for (const std::vector<int>& layers : groups) {
    std::fill(of_group.begin(), of_group.end(), CostRange{INT64_MAX, 0});
    for (size_t k = 0; k < problem.layers[layers[0]].options.size(); ++k) {
      if (!std::ranges::all_of(layers, [&](int layer) { return problem.layers[layer].options[k].allowed; })) continue;
      for (size_t r = 0; r < num_resources; ++r) {
        int64_t cost = 0;
        for (const int layer : layers) cost += problem.layers[layer].options[k].cost[r];
        of_group[r] = {std::min(of_group[r].least, cost), std::max(of_group[r].most, cost)};
      }
    }
    for (size_t r = 0; r < num_resources; ++r) {
      if (of_group[r].least == INT64_MAX) continue;  // no option is left: AllowedOptions says so
      ranges[r] = {ranges[r].least + of_group[r].least, ranges[r].most + of_group[r].most};
    }
  }
  for (const ProblemPair& pair : problem.pairs) {
    for (size_t r = 0; r < pair.cost.size(); ++r) ranges[r].most += pair.cost[r];
  }
  return ranges;
}

std::vector<std::vector<int>> AllowedOptions(const Problem& problem, std::span<const std::vector<int>> groups) {
  std::vector<std::vector<int>> options(groups.size());
  std::vector<int> group_of(problem.layers.size());
  for (size_t g = 0; g < groups.size(); ++g) {
    for (int k = 0; k < std::ssize(problem.layers[groups[g][0]].options); ++k) {
      const auto allowed = [&](int layer) { return problem.layers[layer].options[k].allowed; };
      if (std::ranges::all_of(groups[g], allowed)) options[g].push_back(k);
    }
    for (const int layer : groups[g]) group_of[layer] = static_cast<int>(g);
  }
  for (const ClassTie& tie : problem.class_ties) {
    std::map<int, size_t> first;  // by group: the first of its layers here
    for (size_t j = 0; j < tie.layers.size(); ++j) {
      const int g = group_of[tie.layers[j]];
      const size_t i = first.emplace(g, j).first->second;
      std::erase_if(options[g], [&](int k) { return tie.classes[i][k] != tie.classes[j][k]; });
    }
  }
  for (const ProblemPair& pair : problem.pairs) {
    if (!pair.forbidden || pair.option_a != pair.option_b) continue;
    if (group_of[pair.layer_a] == group_of[pair.layer_b]) std::erase(options[group_of[pair.layer_a]], pair.option_a);
  }
  return options;
}

std::vector<int> BindingBudgets(const Problem& problem, std::span<const std::vector<int>> groups) {
  std::vector<int> tightest(problem.resources.size(), -1);
  std::vector<int> tightest_lower(problem.resources.size(), -1);
  const auto best_of = [&](const ProblemBudget& budget) -> int& {
    return budget.sense == BudgetSense::kAtMost ? tightest[budget.resource] : tightest_lower[budget.resource];
  };
  for (int b = 0; b < std::ssize(problem.budgets); ++b) {
    const ProblemBudget& budget = problem.budgets[b];
    int& best = best_of(budget);
    const int64_t tighter = budget.sense == BudgetSense::kAtMost ? -1 : 1;
    if (best < 0 || tighter * (budget.limit - problem.budgets[best].limit) > 0) best = b;
  }
  const std::vector<CostRange> ranges = RangesOfResources(problem, groups);
  std::vector<int> binding;
  for (int b = 0; b < std::ssize(problem.budgets); ++b) {
    const ProblemBudget& budget = problem.budgets[b];
    if (best_of(budget) != b) continue;
    const bool can_break = budget.sense == BudgetSense::kAtMost ? ranges[budget.resource].most > budget.limit
                                                                : ranges[budget.resource].least < budget.limit;
    if (can_break) binding.push_back(b);
  }
  return binding;
}

Instance BuildInstance(const Problem& problem, std::span<const std::vector<int>> groups, std::vector<int> rows,
                       std::optional<int> minimised) {
  Instance instance;
  instance.shift = minimised.has_value() ? kShiftOfCosts : ShiftOfObjectives(problem);
  instance.rows = std::move(rows);
  const Rows counted(problem, instance.rows);
  const ValueOf value_of{minimised, instance.shift};
  const std::vector<std::vector<int>> options = AllowedOptions(problem, groups);
  for (size_t g = 0; g < groups.size(); ++g) {
    instance.groups.push_back(BuildGroup(problem, groups[g], options[g], counted, value_of));
    instance.no_choice |= options[g].empty();
  }
  if (!problem.class_ties.empty() || !problem.pairs.empty()) {
    Linker(problem, groups, options, counted, value_of, instance).Run();
  }
  for (size_t r = 0; r < instance.rows.size(); ++r) {
    const int64_t limit = counted.Limit(r);
    instance.limits.push_back(counted.IsLower(r) ? TurnLowerRow(instance, r, limit) : limit);
  }
  // Each objective moves by half a unit at most, so a sum by half a unit a layer and a difference of sums by a unit.
  if (!minimised.has_value() && HasLostBits(problem, instance.shift)) {
    instance.rounding = std::ldexp(static_cast<double>(problem.layers.size() + problem.pairs.size()), -instance.shift);
  }
  return instance;
}

namespace {

// Moves column `position` of the costs into the values; the other columns stay.
void MoveRow(std::vector<int64_t>& cost, std::vector<Int128>& value, size_t num_rows, size_t position) {
  std::vector<int64_t> rest;
  for (size_t k = 0; k < value.size(); ++k) {
    if (value[k] != kInfiniteValue) {
      value[k] = cost.empty() ? 0 : Int128{cost[k * num_rows + position]} * (Int128{1} << kShiftOfCosts);
    }
    for (size_t r = 0; r < num_rows && !cost.empty(); ++r) {
      if (r != position) rest.push_back(cost[k * num_rows + r]);
    }
  }
  cost = std::move(rest);
}

}  // namespace

Instance MinimiseRow(Instance instance, int position) {
  const size_t num_rows = instance.rows.size();
  for (InstanceGroup& group : instance.groups) MoveRow(group.cost, group.value, num_rows, position);
  for (InstanceLink& link : instance.links) MoveRow(link.cost, link.value, num_rows, position);
  instance.rows.erase(instance.rows.begin() + position);
  instance.limits.erase(instance.limits.begin() + position);
  instance.shift = kShiftOfCosts;
  instance.rounding = 0;
  return instance;
}

std::vector<int> ChoiceOfLayers(const Instance& instance, std::span<const int> option, size_t num_layers) {
  std::vector<int> choice(num_layers);
  for (size_t g = 0; g < option.size(); ++g) {
    const InstanceGroup& group = instance.groups[g];
    for (size_t j = 0; j < group.layers.size(); ++j) choice[group.layers[j]] = group.OptionOf(option[g], j);
  }
  return choice;
}

}  // namespace bitplan::allocation
