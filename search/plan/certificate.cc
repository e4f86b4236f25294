#include "search/plan/certificate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <ranges>
#include <string_view>
#include <utility>

#include "search/base/status.h"
#include "search/plan/plan_table.h"

namespace bitplan::plan {
namespace {

using Real = long double;
using Item = PlanTableItem;
using Group = PlanTableGroup;
using Table = PlanTable;

// Sums of n terms in long double are off by less than n * 2^-63 of the sum of magnitudes; the rest is margin.
constexpr Real kRounding = 0x1p-60L;
constexpr int kSubgradientSteps = 300;
constexpr int kPatience = 12;             // steps without gain before they are halved
constexpr size_t kPairwiseStates = 4096;  // so many states are compared each with each
constexpr size_t kStatesBetweenStops = 1 << 16;
constexpr size_t kMostCombined = 4096;  // items that stand for layers of one activation width
constexpr size_t kNamedLayers = 3;      // of a better choice, in a message

// The largest double that is not above x.
double RoundDown(Real x) {
  const auto nearest = static_cast<double>(x);
  return nearest > x ? std::nextafter(nearest, -std::numeric_limits<double>::infinity()) : nearest;
}

Real Priced(const Item& item, std::span<const Real> u) {
  Real sum = item.value;
  for (size_t r = 0; r < u.size(); ++r) sum += u[r] * static_cast<Real>(item.cost[r]);
  return sum;
}

// The Lagrangian relaxation at some multipliers.
struct Relaxation {
  std::vector<Real> u;
  Real bound = -std::numeric_limits<Real>::infinity();  // L(u) less what rounding may have added
  Real rounding = 0;                                    // of L(u) and of reduced costs
  std::vector<Real> least;                              // of each group: min (s + u'c)
  std::vector<Real> excess;                             // of each row: cost of the minimisers less the limit
};

Relaxation Relax(const Table& table, std::vector<Real> u) {
  Relaxation relaxed{.u = std::move(u)};
  Real sum = 0;
  Real magnitude = 0;
  for (const int64_t limit : table.limits) relaxed.excess.push_back(-static_cast<Real>(limit));
  for (const Group& group : table.groups) {
    const Item* best = nullptr;
    Real least = 0;
    Real largest = 0;
    for (const Item& item : group.items) {
      largest = std::max(largest, std::abs(item.value));
      const Real priced = Priced(item, relaxed.u);
      if (best != nullptr && priced >= least) continue;
      best = &item;
      least = priced;
    }
    for (size_t r = 0; r < table.num_rows(); ++r) {
      relaxed.excess[r] += static_cast<Real>(best->cost[r]);
      magnitude += relaxed.u[r] * static_cast<Real>(best->cost[r]);
    }
    relaxed.least.push_back(least);
    magnitude += largest;
    sum += least;
  }
  for (size_t r = 0; r < table.num_rows(); ++r) {
    sum -= relaxed.u[r] * static_cast<Real>(table.limits[r]);
    magnitude += relaxed.u[r] * static_cast<Real>(table.limits[r]);
  }
  relaxed.rounding = kRounding * static_cast<Real>(table.groups.size() + table.num_rows() + 1) * magnitude;
  relaxed.bound = sum - relaxed.rounding;
  return relaxed;
}

// Subgradient steps of Polyak's length towards `target` from the relaxation given, on rows scaled by their limits.
Relaxation Improve(const Table& table, Relaxation best, Real target) {
  std::vector<Real> at = best.u;
  std::vector<Real> excess = best.excess;
  Real bound = best.bound;
  Real length = 1;
  int without_gain = 0;
  for (int step = 0; step < kSubgradientSteps && best.bound < target; ++step) {
    Real norm = 0;
    for (size_t r = 0; r < at.size(); ++r) {
      const Real scaled = excess[r] / std::max<Real>(1, static_cast<Real>(table.limits[r]));
      norm += scaled * scaled;
    }
    if (norm == 0) break;
    for (size_t r = 0; r < at.size(); ++r) {
      const Real scale = std::max<Real>(1, static_cast<Real>(table.limits[r]));
      at[r] = std::max<Real>(0, at[r] + length * (target - bound) / norm * excess[r] / scale / scale);
    }
    Relaxation next = Relax(table, at);
    excess = next.excess;
    bound = next.bound;
    if (next.bound > best.bound) {
      best = std::move(next);
      without_gain = 0;
    } else if (++without_gain == kPatience) {
      length /= 2;
      without_gain = 0;
      at = best.u;
      excess = best.excess;
      bound = best.bound;
    }
  }
  return best;
}

// The group that stands for linked groups: items are their combinations that agree, without those that another one of
// the same keys is nowhere worse than. The plan's own combination always stays. nullopt: more than kMostCombined.
std::optional<Group> Combine(const Table& table, const PlanLinkedSet& set) {
  Group joined{.name = "", .layers = {}, .items = {{.option = {}, .label = "", .cost = {}}}, .chosen = 0};
  joined.items.front().cost.assign(table.num_rows(), 0);
  std::vector<LinkKeys> keys = {LinkKeys(set.links.size())};  // of each item
  for (const int g : set.groups) {
    const Group& next = table.groups[g];
    Group wider{.name = joined.name.empty() ? next.name : joined.name + " + " + next.name};
    std::vector<LinkKeys> wider_keys;
    for (int a = 0; a < std::ssize(joined.items); ++a) {
      for (int b = 0; b < std::ssize(next.items); ++b) {
        const Item& first = joined.items[a];
        const Item& second = next.items[b];
        std::optional<LinkKeys> agreed = AgreedKeys(set, g, keys[a], KeysOf(set, g, second.option));
        if (!agreed) continue;
        Item both = second;
        if (!first.label.empty()) both.label = first.label + " + " + second.label;
        both.value += first.value;
        for (size_t r = 0; r < table.num_rows(); ++r) both.cost[r] += first.cost[r];
        const auto covers = [&](int other) {
          const Item& item = wider.items[other];
          if (wider_keys[other] != *agreed || item.value > both.value) return false;
          return std::ranges::equal(item.cost, both.cost, std::less_equal());
        };
        const bool is_chosen = a == joined.chosen && b == next.chosen;
        const auto others = std::views::iota(0, static_cast<int>(wider.items.size()));
        if (!is_chosen && std::ranges::any_of(others, covers)) continue;
        if (is_chosen) wider.chosen = static_cast<int>(wider.items.size());
        wider.items.push_back(std::move(both));
        wider_keys.push_back(*std::move(agreed));
        if (wider.items.size() > kMostCombined) return std::nullopt;
      }
    }
    joined = std::move(wider);
    keys = std::move(wider_keys);
  }
  return joined;
}

// The table with one group for each linked set; nullopt: too large.
std::optional<Table> CombineLinkedSets(const Table& table) {
  Table combined{.limits = table.limits, .budget_of = table.budget_of, .offsets = table.offsets};
  std::vector<bool> is_joined(table.groups.size(), false);
  for (const PlanLinkedSet& set : table.linked_sets) {
    std::optional<Group> group = Combine(table, set);
    if (!group) return std::nullopt;
    combined.groups.push_back(*std::move(group));
    for (const int g : set.groups) is_joined[g] = true;
  }
  for (size_t g = 0; g < table.groups.size(); ++g) {
    if (!is_joined[g]) combined.groups.push_back(table.groups[g]);
  }
  return combined;
}

// What is left between a bound and an objective, looked at completely or up to a number of states.
class Enumeration {
 public:
  // Choices with an objective of at most `most` are wanted.
  Enumeration(const Table& table, const Relaxation& relaxed, Real most)
      : table_(table), relaxed_(relaxed), gap_(most - relaxed.bound + 2 * relaxed.rounding) {
    fixed_cost_.assign(table.num_rows(), 0);
    for (int g = 0; g < std::ssize(table.groups); ++g) Sort(g);
    std::ranges::stable_sort(open_, std::ranges::greater(), &Open::second_least);
    SumRest();
  }

  int64_t num_open() const { return std::ssize(open_); }
  int64_t states() const { return looked_at_; }
  // The least objective among what was looked at; nullopt: nothing is left.
  std::optional<Real> best() const { return best_; }
  const std::vector<int>& best_choice() const { return best_choice_; }  // item of each group

  // False: more than max_states.
  absl::StatusOr<bool> Run(int64_t max_states, const RunContext& context) {
    for (const Open& open : open_) {
      if (open.items.empty()) return true;  // nothing reaches so low an objective
    }
    States states;
    states.used = fixed_cost_;
    states.value = {fixed_value_};
    states.reduced = {0};
    for (size_t depth = 0; depth < open_.size(); ++depth) {
      BITPLAN_ASSIGN_OR_RETURN(states, Extend(states, depth, max_states - looked_at_, context));
      looked_at_ += std::ssize(states.value);
      if (looked_at_ > max_states) return false;
      steps_.push_back({.parent = states.parent, .item = states.item});
    }
    SetBest(states);
    return true;
  }

 private:
  struct Left {
    int item = 0;
    Real reduced = 0;
  };
  struct Open {
    int group = 0;
    std::vector<Left> items;
    Real second_least = 0;
  };
  // Partial choices; `used` has num_rows entries each.
  struct States {
    std::vector<int64_t> used;
    std::vector<Real> value;
    std::vector<Real> reduced;
    std::vector<int> parent;
    std::vector<int> item;
  };
  struct Step {
    std::vector<int> parent;
    std::vector<int> item;
  };

  const Item& ItemAt(int group, int item) const { return table_.groups[group].items[item]; }

  void Sort(int g) {
    const Group& group = table_.groups[g];
    Open open{.group = g};
    std::vector<Real> reduced;
    for (int k = 0; k < std::ssize(group.items); ++k) {
      reduced.push_back(Priced(group.items[k], relaxed_.u) - relaxed_.least[g]);
      if (reduced.back() <= gap_) open.items.push_back({.item = k, .reduced = reduced.back()});
    }
    if (open.items.size() == 1) {
      const Item& item = group.items[open.items[0].item];
      fixed_value_ += item.value;
      for (size_t r = 0; r < table_.num_rows(); ++r) fixed_cost_[r] += item.cost[r];
      fixed_.emplace_back(g, open.items[0].item);
      return;
    }
    std::ranges::sort(reduced);
    open.second_least = reduced.size() > 1 ? reduced[1] : 0;
    open_.push_back(std::move(open));
  }

  // Least and largest costs of the groups from each depth on.
  void SumRest() {
    const size_t rows = table_.num_rows();
    least_rest_.assign((open_.size() + 1) * rows, 0);
    most_rest_ = least_rest_;
    for (size_t d = open_.size(); d-- > 0;) {
      for (size_t r = 0; r < rows; ++r) {
        int64_t least = std::numeric_limits<int64_t>::max();
        int64_t most = 0;
        for (const Left& left : open_[d].items) {
          const int64_t cost = ItemAt(open_[d].group, left.item).cost[r];
          least = std::min(least, cost);
          most = std::max(most, cost);
        }
        if (open_[d].items.empty()) least = 0;
        least_rest_[d * rows + r] = least_rest_[(d + 1) * rows + r] + least;
        most_rest_[d * rows + r] = most_rest_[(d + 1) * rows + r] + most;
      }
    }
  }

  // Whether something can still come of a state before `depth`: limits, and reduced costs with the slack that is sure
  // to be left, at its price.
  bool IsAlive(std::span<const int64_t> used, Real reduced, size_t depth) const {
    const size_t rows = table_.num_rows();
    for (size_t r = 0; r < rows; ++r) {
      const int64_t left = table_.limits[r] - used[r];
      if (least_rest_[depth * rows + r] > left) return false;
      const int64_t slack = left - most_rest_[depth * rows + r];
      if (slack > 0) reduced += relaxed_.u[r] * static_cast<Real>(slack);
    }
    return reduced <= gap_;
  }

  // The states of the next depth; or more than `most` of them, without the rest.
  absl::StatusOr<States> Extend(const States& from, size_t depth, int64_t most, const RunContext& context) const {
    const size_t rows = table_.num_rows();
    States to;
    std::vector<int64_t> used(rows);
    for (size_t s = 0; s < from.value.size(); ++s) {
      if (s % kStatesBetweenStops == 0) BITPLAN_RETURN_IF_ERROR(context.CheckStop());
      if (std::ssize(to.value) > most) return to;
      for (const Left& left : open_[depth].items) {
        const Item& item = ItemAt(open_[depth].group, left.item);
        for (size_t r = 0; r < rows; ++r) used[r] = from.used[s * rows + r] + item.cost[r];
        const Real reduced = from.reduced[s] + left.reduced;
        if (!IsAlive(used, reduced, depth + 1)) continue;
        to.used.insert(to.used.end(), used.begin(), used.end());
        to.value.push_back(from.value[s] + item.value);
        to.reduced.push_back(reduced);
        to.parent.push_back(static_cast<int>(s));
        to.item.push_back(left.item);
      }
    }
    return Undominated(to);
  }

  bool Covers(const States& states, int a, int b) const {
    const size_t rows = table_.num_rows();
    if (states.value[a] > states.value[b]) return false;
    for (size_t r = 0; r < rows; ++r) {
      if (states.used[a * rows + r] > states.used[b * rows + r]) return false;
    }
    return true;
  }

  // Without states that another one is nowhere worse than: all of them with at most one budget, some with more.
  States Undominated(const States& states) const {
    const size_t rows = table_.num_rows();
    std::vector<int> order(states.value.size());
    std::iota(order.begin(), order.end(), 0);
    const auto used_of = [&](int s) { return std::span(states.used).subspan(s * rows, rows); };
    std::ranges::sort(order, [&](int a, int b) {
      const auto used_a = used_of(a);
      const auto used_b = used_of(b);
      if (!std::ranges::equal(used_a, used_b)) return std::ranges::lexicographical_compare(used_a, used_b);
      return std::pair(states.value[a], a) < std::pair(states.value[b], b);
    });
    // In this order only an earlier state can cover a later one; with one budget the last one kept is the best of them.
    const bool compares_all = rows > 1 && order.size() <= kPairwiseStates;
    std::vector<int> kept;
    for (const int s : order) {
      const auto covers = [&](int earlier) { return Covers(states, earlier, s); };
      const bool is_covered = compares_all ? std::ranges::any_of(kept, covers) : !kept.empty() && covers(kept.back());
      if (!is_covered) kept.push_back(s);
    }
    States rest;
    for (const int s : kept) {
      rest.used.insert(rest.used.end(), used_of(s).begin(), used_of(s).end());
      rest.value.push_back(states.value[s]);
      rest.reduced.push_back(states.reduced[s]);
      rest.parent.push_back(states.parent[s]);
      rest.item.push_back(states.item[s]);
    }
    return rest;
  }

  void SetBest(const States& states) {
    if (states.value.empty()) return;
    auto state = static_cast<int>(std::ranges::min_element(states.value) - states.value.begin());
    if (!IsAlive(std::span(states.used).subspan(state * table_.num_rows(), table_.num_rows()), 0, open_.size())) return;
    best_ = states.value[state];
    best_choice_.assign(table_.groups.size(), 0);
    for (const auto& [group, item] : fixed_) best_choice_[group] = item;
    for (size_t depth = open_.size(); depth-- > 0;) {
      best_choice_[open_[depth].group] = steps_[depth].item[state];
      state = steps_[depth].parent[state];
    }
  }

  const Table& table_;
  const Relaxation& relaxed_;
  Real gap_;
  Real fixed_value_ = 0;
  std::vector<int64_t> fixed_cost_;
  std::vector<std::pair<int, int>> fixed_;  // group, item
  std::vector<Open> open_;
  std::vector<int64_t> least_rest_;  // [depth * rows + row]
  std::vector<int64_t> most_rest_;
  std::vector<Step> steps_;
  int64_t looked_at_ = 0;
  std::optional<Real> best_;
  std::vector<int> best_choice_;
};

// "'conv1' w4a8/symmetric/per_channel, 'fc' ..": where a choice differs from the plan's, or simply what it is.
std::string Describe(const Table& table, const std::vector<int>& choice) {
  std::vector<std::string> names;
  for (size_t g = 0; g < choice.size(); ++g) {
    const Group& group = table.groups[g];
    if (choice[g] != group.chosen) names.push_back(fmt::format("'{}' {}", group.name, group.items[choice[g]].label));
  }
  const size_t num_more = names.size() - std::min(names.size(), kNamedLayers);
  names.resize(names.size() - num_more);
  return fmt::format("{}{}", fmt::join(names, ", "), num_more > 0 ? fmt::format(" and {} more", num_more) : "");
}

// Of each row: those of the budgets; the steps of a maximum begin at 0.
std::vector<Real> PlannedMultipliers(const Plan& plan, const Table& table) {
  std::vector<Real> u;
  u.reserve(table.num_rows());
  for (const int b : table.budget_of) u.push_back(std::abs(plan.budgets[b].multiplier.value_or(0)));
  return u;
}

// Of each budget: steps of a maximum together.
std::vector<double> OfBudgets(const Plan& plan, const Table& table, std::span<const Real> u) {
  std::vector<double> multipliers(plan.budgets.size(), 0);
  for (size_t r = 0; r < u.size(); ++r) multipliers[table.budget_of[r]] += static_cast<double>(u[r]);
  return multipliers;
}

// What a plan with a choice is worth.
absl::StatusOr<Certificate> CheckChoice(const Plan& plan, const Table& table, int64_t max_states,
                                        const RunContext& context) {
  Certificate certificate{.check = ProofCheck::kBound};
  const Real objective = plan.objective;
  const Relaxation relaxed = Improve(table, Relax(table, PlannedMultipliers(plan, table)), objective);
  certificate.multipliers = OfBudgets(plan, table, relaxed.u);
  // Choices that are nearer than this to the plan's are as good.
  const Real tolerance = plan.optimality_tolerance + 4 * relaxed.rounding;
  Enumeration enumeration(table, relaxed, objective - tolerance);
  BITPLAN_ASSIGN_OR_RETURN(const bool complete, enumeration.Run(max_states, context));
  certificate.open_layers = enumeration.num_open();
  certificate.states = enumeration.states();
  Real bound = std::min(relaxed.bound, objective);
  if (complete) {
    // Nothing is left but what the plan has, or something better is.
    const Real best = std::min(enumeration.best().value_or(objective), objective);
    const bool beats = best < objective - tolerance;
    if (beats && (plan.termination == Termination::kOptimal || best < plan.bound - tolerance)) {
      return DataLoss("result: {} {}, but a choice within the budgets has {}: {}",
                      plan.termination == Termination::kOptimal ? "optimal with" : "a bound of",
                      plan.termination == Termination::kOptimal ? plan.objective : plan.bound,
                      static_cast<double>(best), Describe(table, enumeration.best_choice()));
    }
    if (beats) certificate.better = static_cast<double>(best);
    if (!beats) certificate.check = ProofCheck::kOptimal;
    bound = best;
  }
  certificate.bound = RoundDown(bound);
  certificate.gap = allocation::RelativeGap(plan.objective, *certificate.bound);
  if (certificate.check == ProofCheck::kOptimal) {
    certificate.summary = fmt::format(
        "optimal: proven again; of {} layers the prices leave {} open, {} partial choices of these were looked at",
        table.groups.size(), certificate.open_layers, certificate.states);
  } else if (certificate.better) {
    certificate.summary = fmt::format("not optimal: a choice within the budgets has the objective {:.4e}, the least",
                                      *certificate.better);
  } else {
    certificate.summary = fmt::format(
        "bound: no choice within the budgets is below {:.4e} (gap {:.2g}); of {} layers the prices leave {} open, too "
        "many to look at every choice",
        *certificate.bound, certificate.gap, table.groups.size(), certificate.open_layers);
  }
  return certificate;
}

// A table whose values are zero: only the budgets matter.
Table WithoutValues(Table table) {
  for (Group& group : table.groups) {
    for (Item& item : group.items) item.value = 0;
  }
  return table;
}

// That nothing keeps the budgets: prices at which every choice costs more than the limits are worth, or by looking.
absl::StatusOr<Certificate> CheckInfeasible(const Plan& plan, const Table& with_values, int64_t max_states,
                                            const RunContext& context) {
  const Table table = WithoutValues(with_values);
  std::vector<Real> weights;
  weights.reserve(table.num_rows());
  for (const int64_t limit : table.limits) weights.push_back(1 / std::max<Real>(1, static_cast<Real>(limit)));
  Relaxation best = Relax(table, weights);
  for (size_t r = 0; r < weights.size(); ++r) {
    std::vector<Real> alone(weights.size(), 0);
    alone[r] = weights[r];
    Relaxation of_one = Relax(table, alone);
    if (of_one.bound > best.bound) best = std::move(of_one);
  }
  best = Improve(table, std::move(best), 1);
  Certificate certificate{.check = ProofCheck::kInfeasible};
  if (best.bound > 0) {
    certificate.multipliers = OfBudgets(plan, table, best.u);
    certificate.summary = "infeasible: proven again; at the weights found every choice exceeds the limits together";
    return certificate;
  }
  const Relaxation free = Relax(table, std::vector<Real>(weights.size(), 0));
  Enumeration enumeration(table, free, 0);
  BITPLAN_ASSIGN_OR_RETURN(const bool complete, enumeration.Run(max_states, context));
  certificate.states = enumeration.states();
  certificate.open_layers = enumeration.num_open();
  if (complete && enumeration.best()) {
    return DataLoss("result: infeasible, but a choice keeps the budgets: {}",
                    Describe(with_values, enumeration.best_choice()));
  }
  certificate.check = complete ? ProofCheck::kInfeasible : ProofCheck::kUnchecked;
  certificate.summary =
      complete ? fmt::format("infeasible: proven again; {} partial choices were looked at", certificate.states)
               : "infeasible: not proven again; no weights were found, and there are too many choices to look at all";
  return certificate;
}

}  // namespace

absl::StatusOr<Certificate> CheckProof(const Plan& plan, int64_t max_states, const RunContext& context) {
  if (!plan.predictor.empty()) {
    return Certificate{.summary = fmt::format("the bound rests on the outputs' changes of {}, which are in the "
                                              "measurement, not in the plan: not checked",
                                              plan.predictor)};
  }
  BITPLAN_ASSIGN_OR_RETURN(const Table separate, TableOf(plan));
  const std::optional<Table> combined = CombineLinkedSets(separate);
  // Without activation ties choices are more and bounds lower, but there is nothing to look at.
  // Without what layers cost together sums are lower: bounds hold, choices do not.
  if (!combined || !separate.pairs.empty()) max_states = 0;
  const Table& table = combined ? *combined : separate;
  for (const Group& group : table.groups) {
    if (!group.items.empty()) continue;
    if (plan.termination != Termination::kInfeasible) return DataLoss("layer '{}': no option is left", group.name);
    return Certificate{.check = ProofCheck::kInfeasible,
                       .summary = fmt::format("infeasible: ties and rules leave no option for '{}'", group.name)};
  }
  if (plan.has_choice()) return CheckChoice(plan, table, max_states, context);
  if (plan.termination == Termination::kInfeasible) return CheckInfeasible(plan, table, max_states, context);
  return Certificate{.summary = "no choice and no proof: nothing to check"};
}

std::string_view ToString(ProofCheck check) {
  switch (check) {
    case ProofCheck::kOptimal:
      return "optimal";
    case ProofCheck::kBound:
      return "bound";
    case ProofCheck::kInfeasible:
      return "infeasible";
    case ProofCheck::kUnchecked:
      return "unchecked";
  }
  return "";
}

std::string ToJson(const Certificate& certificate, const Plan& plan) {
  using Json = nlohmann::json;
  Json json = {{"format", "bitplan.certificate/1"},
               {"plan_fingerprint", plan.fingerprint},
               {"check", ToString(certificate.check)},
               {"bound", certificate.bound ? Json(*certificate.bound) : Json()},
               {"gap", certificate.bound ? Json(certificate.gap) : Json()},
               {"better", certificate.better ? Json(*certificate.better) : Json()},
               {"open_layers", certificate.open_layers},
               {"states", certificate.states},
               {"summary", certificate.summary}};
  for (size_t b = 0; b < certificate.multipliers.size(); ++b) {
    json["multipliers"][std::string(bitplan::ToString(plan.budgets[b].resource))] = certificate.multipliers[b];
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace bitplan::plan
