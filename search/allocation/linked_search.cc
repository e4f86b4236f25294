#include "search/allocation/linked_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "search/allocation/run_limits.h"

namespace bitplan::allocation {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
// Scaled values nearer than this count as equal, or than so many roundings of each group if that is more.
constexpr double kTolerance = 0x1p-40;
constexpr double kRoundingsOfTolerance = 64;
// Steps between values below so many tolerances are no use.
constexpr double kLeastStep = 16;
// Each group adds at most so many roundings to a bound.
constexpr double kRoundings = 8;
constexpr int kStepsAtRoot = 150;
constexpr int kSteps = 12;
// Subgradient steps without progress after which they become shorter.
constexpr int kPatience = 3;
constexpr int64_t kNodesPerPoll = 16;

// A link as the search sees it from scaled values.
struct Table {
  int a = 0;
  int b = 0;
  std::vector<double> value;  // [k * options of b + l], >= 0; infinity: not allowed
  std::vector<double> cost;   // [(k * options of b + l) * num_rows + row], or empty
};

struct Node {
  std::vector<std::vector<int>> open;  // options of each group
  double bound = 0;                    // scaled
  std::vector<double> prices;          // of each row
};

class Lagrangian {
 public:
  explicit Lagrangian(const Instance& instance) : instance_(instance), rows_(instance.num_rows()) {
    ScaleRows();
    ScaleValues();
    MakeForest();
  }

  // What one evaluation of L(u) gives.
  struct Point {
    double bound = -kInfinity;  // L(u) less rounding
    double value = 0;           // L(u)
    std::vector<int> option;    // of each group; empty if no choice keeps the links of the forest
    std::vector<double> slope;  // of each row: cost of that choice less the capacity
  };

  Point Evaluate(const std::vector<std::vector<int>>& open, const std::vector<double>& prices) {
    FoldWeights(open, prices);
    Point point;
    for (size_t i = order_.size(); i > 0; --i) PassUp(order_[i - 1], open, prices);
    for (const int g : order_) {
      if (parent_[g] >= 0) continue;
      double least = kInfinity;
      for (const int k : open[g]) least = std::min(least, up_[g][k]);
      point.value += least;
    }
    if (point.value == kInfinity) {
      point.bound = kInfinity;
      return point;
    }
    double magnitude = 2 + std::abs(point.value);
    for (int r = 0; r < rows_; ++r) {
      point.value -= prices[r] * capacity_[r];
      magnitude += prices[r] * (most_[r] + capacity_[r]);
    }
    point.bound = point.value - magnitude * kEpsilon * (kRoundings * static_cast<double>(order_.size()) + 16);
    ReadChoice(open, point);
    return point;
  }

  // After Evaluate with the same arguments: for each open option the least L(u) of choices that take it, less rounding.
  std::vector<std::vector<double>> MinMarginals(const std::vector<std::vector<int>>& open,
                                                const std::vector<double>& prices, const Point& point) {
    std::vector<std::vector<double>> marginal(order_.size());
    for (const int g : order_) {
      marginal[g].assign(open[g].size(), kInfinity);
      if (parent_[g] < 0) {
        double least = kInfinity;
        for (const int k : open[g]) least = std::min(least, up_[g][k]);
        for (size_t i = 0; i < open[g].size(); ++i) marginal[g][i] = up_[g][open[g][i]] - least;
        continue;
      }
      const int p = parent_[g];
      for (size_t i = 0; i < open[p].size(); ++i) {
        const int kp = open[p][i];
        if (marginal[p][i] == kInfinity) continue;
        for (size_t j = 0; j < open[g].size(); ++j) {
          const int k = open[g][j];
          const double with = Weight(*parent_table_[g], g, k, kp, prices) + up_[g][k];
          if (with == kInfinity) continue;
          marginal[g][j] = std::min(marginal[g][j], marginal[p][i] + (with - message_[g][kp]));
        }
      }
    }
    for (std::vector<double>& of_group : marginal) {
      for (double& above : of_group) above = above == kInfinity ? kInfinity : point.bound + std::max(above, 0.0);
    }
    return marginal;
  }

  // The undecided group at whose ends links that L(u) does not count yet add most to a choice; of equal ones that with
  // fewer options. -1: L(u) counts everything.
  int MostIgnored(const std::vector<std::vector<int>>& open, const std::vector<int>& option,
                  const std::vector<double>& prices) const {
    std::vector<double> ignored(open.size(), 0);
    for (const Table* table : outside_) {
      if (open[table->a].size() == 1 || open[table->b].size() == 1) continue;
      const double weight = Weight(*table, table->a, option[table->a], option[table->b], prices);
      // A pair that is not allowed weighs more than all others.
      ignored[table->a] += std::min(weight, 2.0);
      ignored[table->b] += std::min(weight, 2.0);
    }
    int most = -1;
    for (int g = 0; g < std::ssize(open); ++g) {
      if (ignored[g] == 0) continue;
      const bool more =
          most < 0 || ignored[g] > ignored[most] || (ignored[g] == ignored[most] && open[g].size() < open[most].size());
      if (more) most = g;
    }
    return most;
  }

  // How different two options of a group are, in units of L(u).
  double Difference(int g, int k, int l, const std::vector<double>& prices) const {
    double difference = std::abs(value_[g][k] - value_[g][l]);
    for (int r = 0; r < rows_; ++r) difference += prices[r] * std::abs(Cost(g, k, r) - Cost(g, l, r));
    return difference;
  }

  double Scaled(Int128 value) const { return std::ldexp(static_cast<double>(value - least_), -exponent_); }
  double Unscaled(double scaled) const {
    return FromFixedPoint(least_, instance_.shift) + std::ldexp(scaled, exponent_ - instance_.shift);
  }
  double Units(double scaled) const { return std::ldexp(scaled, exponent_ - instance_.shift); }
  // A price in objective units per base unit of the row.
  double Multiplier(double price, int r) const { return Units(price * row_factor_[r]); }
  double step() const { return step_; }

 private:
  double Cost(int g, int k, int r) const { return cost_[g][static_cast<size_t>(k) * rows_ + r]; }

  void ScaleRows() {
    capacity_.assign(rows_, 0);
    most_.assign(rows_, 0);
    row_factor_.assign(rows_, 1);
    for (int r = 0; r < rows_; ++r) {
      int exponent = 0;
      std::frexp(static_cast<double>(std::max<int64_t>(instance_.limits[r], 1)), &exponent);
      row_factor_[r] = std::ldexp(1.0, -exponent);
      capacity_[r] = static_cast<double>(instance_.limits[r]) * row_factor_[r];
    }
    for (const InstanceGroup& group : instance_.groups) {
      cost_.push_back(ScaledCosts(group.cost));
      AddMost(cost_.back());
    }
  }

  std::vector<double> ScaledCosts(const std::vector<int64_t>& cost) const {
    std::vector<double> scaled(cost.size());
    for (size_t i = 0; i < cost.size(); ++i) scaled[i] = static_cast<double>(cost[i]) * row_factor_[i % rows_];
    return scaled;
  }

  void AddMost(const std::vector<double>& cost) {
    for (int r = 0; r < rows_; ++r) {
      double most = 0;
      for (size_t at = r; at < cost.size(); at += rows_) most = std::max(most, cost[at]);
      most_[r] += most;
    }
  }

  void ScaleValues() {
    Int128 range = 0;
    Int128 step = 0;
    const auto note = [&](const std::vector<Int128>& values) {
      Int128 least = kInfiniteValue;
      Int128 most = -kInfiniteValue;
      for (const Int128 value : values) {
        if (value == kInfiniteValue) continue;
        least = std::min(least, value);
        most = std::max(most, value);
      }
      if (least == kInfiniteValue) return Int128{0};  // nothing is allowed
      for (const Int128 value : values) {
        if (value != kInfiniteValue && step != 1) step = Gcd(step, value - least);
      }
      least_ += least;
      range += most - least;
      return least;
    };
    std::vector<Int128> of_groups;
    std::vector<Int128> of_links;
    of_groups.reserve(instance_.groups.size());
    of_links.reserve(instance_.links.size());
    for (const InstanceGroup& group : instance_.groups) of_groups.push_back(note(group.value));
    for (const InstanceLink& link : instance_.links) of_links.push_back(note(link.value));
    if (range > 0) std::frexp(static_cast<double>(range), &exponent_);
    step_ = std::ldexp(static_cast<double>(step), -exponent_);
    const auto scale = [&](const std::vector<Int128>& values, Int128 least) {
      std::vector<double> scaled;
      scaled.reserve(values.size());
      for (const Int128 value : values) {
        scaled.push_back(value == kInfiniteValue ? kInfinity
                                                 : std::ldexp(static_cast<double>(value - least), -exponent_));
      }
      return scaled;
    };
    for (size_t g = 0; g < of_groups.size(); ++g) value_.push_back(scale(instance_.groups[g].value, of_groups[g]));
    for (size_t l = 0; l < of_links.size(); ++l) {
      const InstanceLink& link = instance_.links[l];
      tables_.push_back({link.a, link.b, scale(link.value, of_links[l]), ScaledCosts(link.cost)});
      AddMost(tables_.back().cost);
    }
  }

  // The links of the forest: those to classes only where no others join the same groups, so that a chain stays in one
  // piece and a decided class leaves nothing ignored.
  std::vector<std::vector<const Table*>> ForestLinks() const {
    std::vector<std::vector<const Table*>> at(instance_.groups.size());
    std::vector<int> joined(instance_.groups.size());
    std::iota(joined.begin(), joined.end(), 0);
    const auto root = [&](int g) {
      while (joined[g] != g) g = joined[g] = joined[joined[g]];
      return g;
    };
    for (const bool to_class : {false, true}) {
      for (const Table& table : tables_) {
        const bool has_class = instance_.groups[table.a].layers.empty() || instance_.groups[table.b].layers.empty();
        if (has_class != to_class || root(table.a) == root(table.b)) continue;
        joined[root(table.a)] = root(table.b);
        at[table.a].push_back(&table);
        at[table.b].push_back(&table);
      }
    }
    return at;
  }

  // Breadth first from the first group of each set of joined groups.
  void MakeForest() {
    const size_t num_groups = instance_.groups.size();
    const std::vector<std::vector<const Table*>> at = ForestLinks();
    parent_.assign(num_groups, -1);
    parent_table_.assign(num_groups, nullptr);
    children_.resize(num_groups);
    std::vector<bool> seen(num_groups, false);
    for (size_t root = 0; root < num_groups; ++root) {
      if (seen[root]) continue;
      seen[root] = true;
      order_.push_back(static_cast<int>(root));
      for (size_t next = order_.size() - 1; next < order_.size(); ++next) {
        const int g = order_[next];
        for (const Table* table : at[g]) {
          const int other = table->a == g ? table->b : table->a;
          if (seen[other]) continue;
          seen[other] = true;
          parent_[other] = g;
          parent_table_[other] = table;
          children_[g].push_back(other);
          order_.push_back(other);
        }
      }
    }
    for (const Table& table : tables_) {
      if (parent_table_[table.a] != &table && parent_table_[table.b] != &table) outside_.push_back(&table);
    }
    up_.resize(num_groups);
    weight_.resize(num_groups);
    message_.resize(num_groups);
    best_.resize(num_groups);
    for (size_t g = 0; g < num_groups; ++g) {
      up_[g].resize(value_[g].size());
      weight_[g].resize(value_[g].size());
      if (parent_[g] >= 0) message_[g].resize(value_[parent_[g]].size());
      if (parent_[g] >= 0) best_[g].resize(value_[parent_[g]].size());
    }
  }

  size_t IndexOf(const Table& table, int g, int k, int other) const {
    const size_t width = value_[table.b].size();
    return table.a == g ? k * width + other : other * width + k;
  }

  double Weight(const Table& table, int g, int k, int other, const std::vector<double>& prices) const {
    const size_t index = IndexOf(table, g, k, other);
    double weight = table.value[index];
    for (int r = 0; r < rows_ && !table.cost.empty(); ++r) weight += prices[r] * table.cost[index * rows_ + r];
    return weight;
  }

  // Values at these prices, links outside the forest with one end decided included; both ends: at the first.
  void FoldWeights(const std::vector<std::vector<int>>& open, const std::vector<double>& prices) {
    for (size_t g = 0; g < open.size(); ++g) {
      for (const int k : open[g]) {
        double weight = value_[g][k];
        for (int r = 0; r < rows_; ++r) weight += prices[r] * Cost(static_cast<int>(g), k, r);
        weight_[g][k] = weight;
      }
    }
    for (const Table* table : outside_) {
      const bool fixed_a = open[table->a].size() == 1;
      if (!fixed_a && open[table->b].size() != 1) continue;
      const int g = fixed_a ? table->b : table->a;
      const int other = fixed_a ? open[table->a][0] : open[table->b][0];
      for (const int k : open[g]) weight_[g][k] += Weight(*table, g, k, other, prices);
    }
  }

  void PassUp(int g, const std::vector<std::vector<int>>& open, const std::vector<double>& prices) {
    for (const int k : open[g]) {
      double sum = weight_[g][k];
      for (const int child : children_[g]) sum += message_[child][k];
      up_[g][k] = sum;
    }
    const int p = parent_[g];
    if (p < 0) return;
    for (const int kp : open[p]) {
      double least = kInfinity;
      int best = open[g][0];
      for (const int k : open[g]) {
        const double with = Weight(*parent_table_[g], g, k, kp, prices) + up_[g][k];
        if (with < least) best = k;
        least = std::min(least, with);
      }
      message_[g][kp] = least;
      best_[g][kp] = best;
    }
  }

  void ReadChoice(const std::vector<std::vector<int>>& open, Point& point) const {
    point.option.resize(order_.size());
    point.slope.assign(rows_, 0);
    for (int r = 0; r < rows_; ++r) point.slope[r] = -capacity_[r];
    for (const int g : order_) {
      int& taken = point.option[g];
      const int p = parent_[g];
      taken = p >= 0 ? best_[g][point.option[p]] : open[g][0];
      for (const int k : open[g]) {
        if (p < 0 && up_[g][k] < up_[g][taken]) taken = k;
      }
      for (int r = 0; r < rows_; ++r) point.slope[r] += Cost(g, taken, r);
      if (p >= 0) AddSlope(*parent_table_[g], g, taken, point.option[p], point);
    }
    for (const Table* table : outside_) {
      if (open[table->a].size() != 1 && open[table->b].size() != 1) continue;
      AddSlope(*table, table->a, point.option[table->a], point.option[table->b], point);
    }
  }

  void AddSlope(const Table& table, int g, int k, int other, Point& point) const {
    const size_t index = IndexOf(table, g, k, other);
    for (int r = 0; r < rows_ && !table.cost.empty(); ++r) point.slope[r] += table.cost[index * rows_ + r];
  }

  const Instance& instance_;
  int rows_;
  int exponent_ = 0;
  Int128 least_ = 0;
  double step_ = 0;
  std::vector<std::vector<double>> value_;  // [group][option], >= 0
  std::vector<std::vector<double>> cost_;   // [group][option * num_rows + row]
  std::vector<double> capacity_;
  std::vector<double> most_;  // of each row: an upper bound on any sum
  std::vector<double> row_factor_;
  std::vector<Table> tables_;
  std::vector<int> order_;  // parents before children
  std::vector<int> parent_;
  std::vector<const Table*> parent_table_;
  std::vector<std::vector<int>> children_;
  std::vector<const Table*> outside_;  // links outside the forest
  // Of the last evaluation.
  std::vector<std::vector<double>> weight_;
  std::vector<std::vector<double>> up_;       // [group][option]: least of the subtree
  std::vector<std::vector<double>> message_;  // [group][option of parent]: the same with the link to the parent
  std::vector<std::vector<int>> best_;        // [group][option of parent]: option that attains it
};

class LinkedSearch {
 public:
  LinkedSearch(const Instance& instance, const SolverOptions& options, const RunContext& context)
      : instance_(instance),
        options_(options),
        context_(context),
        lagrangian_(instance),
        links_(instance.groups.size()) {
    tolerance_ = std::max(kTolerance, kRoundingsOfTolerance * kEpsilon * static_cast<double>(instance.groups.size()));
    for (const InstanceLink& link : instance.links) {
      links_[link.a].push_back(&link);
      links_[link.b].push_back(&link);
    }
  }

  InstanceSolution Solve() {
    Node root;
    for (const InstanceGroup& group : instance_.groups) {
      root.open.emplace_back(group.value.size());
      std::iota(root.open.back().begin(), root.open.back().end(), 0);
    }
    root.prices.assign(instance_.num_rows(), 0);
    root.bound = 0;
    std::vector<Node> stack = {std::move(root)};
    std::optional<Termination> end = StopReason(context_);
    while (!stack.empty() && !end.has_value()) {
      Node node = std::move(stack.back());
      stack.pop_back();
      if (node.bound > Cutoff()) continue;
      ++nodes_;
      Expand(std::move(node), stack);
      if (nodes_ % kNodesPerPoll == 0) end = StopReason(context_);
      if (nodes_ >= options_.node_limit || GapIsSmallEnough(stack)) end = end.value_or(Termination::kFeasible);
    }
    return Answer(stack.empty() ? Termination::kOptimal : *end, stack);
  }

 private:
  // Nothing above this is worth a look.
  double Cutoff() const {
    if (best_.empty()) return 1 + tolerance_;  // no choice is worth more than the sum of the ranges
    const double step = lagrangian_.step();
    return best_scaled_ - (step > kLeastStep * tolerance_ ? step - tolerance_ : tolerance_);
  }

  static double LeastBound(const std::vector<Node>& stack) {
    double least = kInfinity;
    for (const Node& node : stack) least = std::min(least, node.bound);
    return least;
  }

  bool GapIsSmallEnough(const std::vector<Node>& stack) const {
    if (options_.relative_gap <= 0 || best_.empty() || stack.empty()) return false;
    const double value = lagrangian_.Unscaled(best_scaled_);
    const double bound = lagrangian_.Unscaled(std::min(LeastBound(stack), best_scaled_));
    return RelativeGap(value, bound) <= options_.relative_gap;
  }

  void Expand(Node node, std::vector<Node>& stack) {
    Lagrangian::Point best;
    std::vector<int> other;  // another choice near the best prices
    if (!DropWhatCannotFit(node) || !RaiseBound(node, best, other)) return;
    if (nodes_ == 1) {
      root_prices_ = node.prices;
      if (!best.option.empty()) Repair(best.option);
    }
    best = lagrangian_.Evaluate(node.open, node.prices);
    node.bound = std::max(node.bound, best.bound);
    const std::vector<std::vector<double>> marginal = lagrangian_.MinMarginals(node.open, node.prices, best);
    for (size_t g = 0; g < marginal.size(); ++g) {
      std::vector<int> left;
      for (size_t i = 0; i < marginal[g].size(); ++i) {
        if (marginal[g][i] <= Cutoff()) left.push_back(node.open[g][i]);
      }
      if (left.empty()) return;
      left_.resize(marginal.size());
      left_[g] = std::move(left);
    }
    const int g = GroupToDecide(best.option, other, node.prices);
    if (g < 0) return TryLeaf();
    Branch(node, g, marginal[g], stack);
  }

  // Every group is decided.
  void TryLeaf() {
    std::vector<int> option;
    option.reserve(left_.size());
    for (const std::vector<int>& left : left_) option.push_back(left[0]);
    Try(option);
  }

  void Branch(const Node& node, int g, const std::vector<double>& marginal, std::vector<Node>& stack) {
    std::vector<std::pair<double, int>> children;
    for (size_t i = 0; i < marginal.size(); ++i) {
      if (marginal[i] <= Cutoff()) children.emplace_back(marginal[i], node.open[g][i]);
    }
    std::ranges::sort(children, std::greater<>());  // the last is taken first
    for (const auto& [bound, option] : children) {
      Node child{.open = left_, .bound = std::max(bound, node.bound), .prices = node.prices};
      child.open[g] = {option};
      stack.push_back(std::move(child));
    }
  }

  int64_t Cost(int g, int k, int r) const { return instance_.groups[g].cost[k * instance_.num_rows() + r]; }

  // In integers, links left aside: options that exceed a row with every other group at its cheapest go. False: the node
  // holds no choice.
  bool DropWhatCannotFit(Node& node) const {
    for (int r = 0; r < instance_.num_rows(); ++r) {
      int64_t spare = instance_.limits[r];
      std::vector<int64_t> least(node.open.size(), std::numeric_limits<int64_t>::max());
      for (size_t g = 0; g < node.open.size(); ++g) {
        for (const int k : node.open[g]) least[g] = std::min(least[g], Cost(static_cast<int>(g), k, r));
        spare -= least[g];
      }
      if (spare < 0) return false;
      for (size_t g = 0; g < node.open.size(); ++g) {
        std::erase_if(node.open[g], [&](int k) { return Cost(static_cast<int>(g), k, r) - least[g] > spare; });
      }
    }
    return true;
  }

  // Moves node.prices to better ones. False: the node holds nothing better than the best choice.
  bool RaiseBound(Node& node, Lagrangian::Point& best, std::vector<int>& other) {
    best = Look(node.open, node.prices);
    node.bound = std::max(node.bound, best.bound);
    if (best.bound > Cutoff()) return false;
    const int steps = nodes_ == 1 ? kStepsAtRoot : kSteps;
    if (instance_.num_rows() == 1) return RaiseAlongOneRow(node, best, other, steps);
    if (instance_.num_rows() > 1) return RaiseBySubgradients(node, best, other, steps);
    return true;
  }

  Lagrangian::Point Look(const std::vector<std::vector<int>>& open, const std::vector<double>& prices) {
    Lagrangian::Point point = lagrangian_.Evaluate(open, prices);
    if (!point.option.empty()) Try(point.option);
    return point;
  }

  // L(u) is concave and piecewise linear: the lines of a point on each side meet at the next one to look at.
  bool RaiseAlongOneRow(Node& node, Lagrangian::Point& best, std::vector<int>& other, int steps) {
    struct Line {
      double price, value, slope;
      double At(double u) const { return value + slope * (u - price); }
    };
    std::optional<Line> left;   // slope > 0
    std::optional<Line> right;  // slope <= 0
    Lagrangian::Point point = best;
    double price = node.prices[0];
    for (int step = 0; step < steps; ++step) {
      (point.slope[0] > 0 ? left : right) = Line{price, point.value, point.slope[0]};
      if (!right.has_value()) {
        price = std::max(2 * price, price + (Cutoff() + 1 - point.value) / point.slope[0]);
      } else if (!left.has_value()) {
        if (price == 0) break;
        price = 0;
      } else {
        price = (right->At(0) - left->At(0)) / (left->slope - right->slope);
        if (!(price > left->price && price < right->price)) break;
      }
      if (!std::isfinite(price)) break;
      point = Look(node.open, {price});
      node.bound = std::max(node.bound, point.bound);
      if (point.bound > Cutoff()) return false;
      if (point.bound > best.bound) {
        other = std::exchange(best, point).option;
        node.prices = {price};
      } else {
        other = point.option;
      }
      const bool met = left.has_value() && right.has_value() && point.value >= left->At(price) - kTolerance;
      if (met) break;
    }
    return true;
  }

  bool RaiseBySubgradients(Node& node, Lagrangian::Point& best, std::vector<int>& other, int steps) {
    Lagrangian::Point point = best;
    std::vector<double> prices = node.prices;
    double length = 1;
    int idle = 0;
    for (int step = 0; step < steps; ++step) {
      double square = 0;
      for (size_t r = 0; r < prices.size(); ++r) {
        if (point.slope[r] < 0 && prices[r] == 0) point.slope[r] = 0;
        square += point.slope[r] * point.slope[r];
      }
      if (square == 0) break;
      const double wanted = best_.empty() ? 1.5 * std::max(best.value, 0.0) + 0.01 : best_scaled_;
      const double gap = std::max(wanted - point.value, tolerance_);
      for (size_t r = 0; r < prices.size(); ++r) {
        prices[r] = std::max(0.0, prices[r] + length * gap / square * point.slope[r]);
      }
      point = Look(node.open, prices);
      node.bound = std::max(node.bound, point.bound);
      if (point.bound > Cutoff()) return false;
      if (point.bound > best.bound) {
        other = std::exchange(best, point).option;
        node.prices = prices;
        idle = 0;
        continue;
      }
      other = point.option;
      if (++idle == kPatience) {
        length /= 2;
        idle = 0;
        point = best;
        prices = node.prices;
      }
    }
    return true;
  }

  // The group whose links the bound ignores most; else where the two choices differ most; else one with
  // most options left. -1: all are decided.
  int GroupToDecide(const std::vector<int>& option, const std::vector<int>& other,
                    const std::vector<double>& prices) const {
    if (const int g = lagrangian_.MostIgnored(left_, option, prices); g >= 0) return g;
    int widest = -1;
    double most = 0;
    for (int g = 0; g < std::ssize(left_) && !other.empty(); ++g) {
      if (left_[g].size() < 2 || option[g] == other[g]) continue;
      const double difference = lagrangian_.Difference(g, option[g], other[g], prices);
      if (difference > most) widest = g;
      most = std::max(most, difference);
    }
    if (widest >= 0) return widest;
    size_t size = 1;
    for (int g = 0; g < std::ssize(left_); ++g) {
      if (left_[g].size() > size) widest = g;
      size = std::max(size, left_[g].size());
    }
    return widest;
  }

  // Sums of a choice in integers.
  struct Totals {
    Int128 value = 0;
    std::vector<int64_t> over;  // of each row: cost less limit
    bool allowed = true;        // keeps the links

    bool Keeps() const {
      return allowed && std::ranges::all_of(over, [](int64_t excess) { return excess <= 0; });
    }
    int64_t Excess() const {  // saturating
      int64_t sum = 0;
      for (const int64_t excess : over) {
        if (excess > 0 && __builtin_add_overflow(sum, excess, &sum)) return std::numeric_limits<int64_t>::max();
      }
      return sum;
    }
  };

  // `sign` -1 takes the link away again.
  void AddLink(const InstanceLink& link, int a, int b, int sign, Totals& totals) const {
    const size_t index = a * instance_.groups[link.b].value.size() + b;
    if (link.value[index] == kInfiniteValue) {
      totals.allowed = false;
      return;
    }
    totals.value += sign * link.value[index];
    for (int r = 0; r < instance_.num_rows() && !link.cost.empty(); ++r) {
      totals.over[r] += sign * link.cost[index * instance_.num_rows() + r];
    }
  }

  // The totals of an allowed choice after group g takes option k.
  Totals Changed(const std::vector<int>& option, Totals totals, int g, int k) const {
    totals.value += instance_.groups[g].value[k] - instance_.groups[g].value[option[g]];
    for (int r = 0; r < instance_.num_rows(); ++r) totals.over[r] += Cost(g, k, r) - Cost(g, option[g], r);
    for (const InstanceLink* link : links_[g]) {
      AddLink(*link, option[link->a], option[link->b], -1, totals);
      AddLink(*link, link->a == g ? k : option[link->a], link->b == g ? k : option[link->b], 1, totals);
    }
    return totals;
  }

  Totals AddUp(const std::vector<int>& option) const {
    Totals totals;
    totals.over.reserve(instance_.limits.size());
    for (const int64_t limit : instance_.limits) totals.over.push_back(-limit);
    for (int g = 0; g < std::ssize(option); ++g) {
      totals.value += instance_.groups[g].value[option[g]];
      for (int r = 0; r < instance_.num_rows(); ++r) totals.over[r] += Cost(g, option[g], r);
    }
    for (const InstanceLink& link : instance_.links) AddLink(link, option[link.a], option[link.b], 1, totals);
    return totals;
  }

  void Try(const std::vector<int>& option) {
    const Totals totals = AddUp(option);
    if (!totals.Keeps() || (!best_.empty() && totals.value >= best_value_)) return;
    best_ = option;
    best_value_ = totals.value;
    best_scaled_ = lagrangian_.Scaled(best_value_);
  }

  // Changes of one group while they help: first to break the rows less, then to lower the value.
  void Repair(std::vector<int> option) {
    for (size_t round = 0; round < 2 * option.size(); ++round) {
      Totals now = AddUp(option);
      if (!now.allowed) return;
      std::optional<std::pair<int, int>> best;
      const Totals start = now;
      for (int g = 0; g < std::ssize(option); ++g) {
        for (int k = 0; k < instance_.groups[g].num_options(); ++k) {
          Totals next = Changed(option, start, g, k);
          const bool helps = next.allowed && (next.Excess() < now.Excess() ||
                                              (next.Excess() == now.Excess() && next.value < now.value));
          if (!helps) continue;
          best = {g, k};
          now = std::move(next);
        }
      }
      if (!best.has_value()) break;
      option[best->first] = best->second;
      Try(option);
    }
  }

  InstanceSolution Answer(Termination end, const std::vector<Node>& stack) const {
    InstanceSolution solution{.termination = end, .option = best_, .nodes = nodes_};
    solution.optimality_tolerance = instance_.rounding + lagrangian_.Units(tolerance_);
    for (size_t r = 0; r < root_prices_.size(); ++r) {
      solution.multipliers.push_back(lagrangian_.Multiplier(root_prices_[r], static_cast<int>(r)));
    }
    if (end == Termination::kOptimal && best_.empty()) solution.termination = Termination::kInfeasible;
    if (end == Termination::kFeasible && best_.empty()) solution.termination = Termination::kTimeLimit;
    const double least = best_.empty() ? LeastBound(stack) : std::min(LeastBound(stack), best_scaled_);
    if (solution.termination != Termination::kInfeasible) solution.bound = lagrangian_.Unscaled(std::max(least, 0.0));
    return solution;
  }

  const Instance& instance_;
  const SolverOptions& options_;
  const RunContext& context_;
  Lagrangian lagrangian_;
  std::vector<std::vector<const InstanceLink*>> links_;  // of each group
  double tolerance_ = 0;
  std::vector<std::vector<int>> left_;  // of the node at hand: options that may hold something better
  std::vector<int> best_;               // option of each group; empty: none yet
  Int128 best_value_ = 0;
  double best_scaled_ = 0;
  std::vector<double> root_prices_;
  int64_t nodes_ = 0;
};

}  // namespace

absl::StatusOr<InstanceSolution> SolveLinked(const Instance& instance, const SolverOptions& options,
                                             const RunContext& context) {
  return LinkedSearch(instance, options, context).Solve();
}

}  // namespace bitplan::allocation
