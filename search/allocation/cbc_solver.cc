#include "search/allocation/cbc_solver.h"

#include <CbcEventHandler.hpp>
#include <CbcHeuristic.hpp>
#include <CbcHeuristicDiveCoefficient.hpp>
#include <CbcHeuristicRINS.hpp>
#include <CbcModel.hpp>
#include <CglClique.hpp>
#include <CglGomory.hpp>
#include <CglKnapsackCover.hpp>
#include <CglMixedIntegerRounding2.hpp>
#include <CglProbing.hpp>
#include <ClpEventHandler.hpp>
#include <OsiClpSolverInterface.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "search/allocation/run_limits.h"
#include "search/base/status.h"

namespace bitplan::allocation {
namespace {

// Share of the objective range up to which CBC's proofs are taken at their word. With the range scaled to
// kObjectiveRange its own tolerances (1e-9 on reduced costs and on pruning) are well below.
constexpr double kTolerance = 1e-10;
constexpr double kObjectiveRange = 1e5;
// Rows are scaled so that capacities lie between this and half of it.
constexpr int kCapacityExponent = 10;
constexpr double kFeasibilityTolerance = 1e-9;
constexpr double kIntegerTolerance = 1e-9;
// Every round cuts off at least one choice that broke a budget; more rounds than this mean a bug.
constexpr int kMaxRounds = 10'000;
constexpr int kCutPassesAtRoot = 20;

// The 0-1 program CBC gets: undominated options, rows with offsets and common divisors taken out.
struct Model {
  struct Column {
    int group;
    int option;
    double objective;           // scaled
    std::vector<int64_t> cost;  // of each row, reduced
  };
  std::vector<Column> columns;    // by group
  std::vector<int> first_column;  // of each group, and one past the last
  // One continuous variable for each pair of columns that a link allows; they come behind the columns.
  struct LinkColumn {
    int link;
    int a, b;          // columns
    double objective;  // scaled
  };
  std::vector<LinkColumn> link_columns;
  struct LinkEnds {
    int link;
    int a, b;  // groups
  };
  std::vector<LinkEnds> link_ends;
  std::vector<int64_t> capacity;         // of each row, reduced
  std::vector<int> row_shift;            // each row goes to CBC times 2^row_shift
  double scale = 1;                      // scaled objective units per value unit
  double tolerance = 0;                  // value units
  Int128 least_value = 0;                // sum of the groups' least values
  std::vector<std::vector<int>> covers;  // sets of columns of which not all groups may take one
  bool infeasible = false;

  int num_groups() const { return static_cast<int>(first_column.size()) - 1; }
};

bool IsDominated(const InstanceGroup& group, int num_rows, int k) {
  const auto covers = [&](int a, int b) {
    for (int r = 0; r < num_rows; ++r) {
      if (group.cost[a * num_rows + r] > group.cost[b * num_rows + r]) return false;
    }
    return group.value[a] <= group.value[b];
  };
  for (int other = 0; other < std::ssize(group.value); ++other) {
    if (other == k || !covers(other, k)) continue;
    if (!covers(k, other) || other < k) return true;  // of equal ones the first stays
  }
  return false;
}

int64_t LeastCost(const InstanceGroup& group, int num_rows, int row) {
  int64_t least = std::numeric_limits<int64_t>::max();
  for (size_t k = 0; k < group.value.size(); ++k) least = std::min(least, group.cost[k * num_rows + row]);
  return least;
}

// Subtracts every group's least cost of each row; false if a capacity is exceeded by them.
bool TakeOffsets(const Instance& instance, Model& model) {
  for (int r = 0; r < instance.num_rows(); ++r) {
    for (const InstanceGroup& group : instance.groups) {
      const int64_t least = LeastCost(group, instance.num_rows(), r);
      if (least > model.capacity[r]) return false;
      model.capacity[r] -= least;
    }
  }
  return true;
}

bool Fits(const std::vector<int64_t>& cost, const std::vector<int64_t>& capacity) {
  for (size_t r = 0; r < cost.size(); ++r) {
    if (cost[r] > capacity[r]) return false;
  }
  return true;
}

void AddColumns(const Instance& instance, int g, Model& model) {
  const InstanceGroup& group = instance.groups[g];
  const int num_rows = instance.num_rows();
  std::vector<int64_t> least(num_rows);
  for (int r = 0; r < num_rows; ++r) least[r] = LeastCost(group, num_rows, r);
  for (int k = 0; k < std::ssize(group.value); ++k) {
    Model::Column column{.group = g, .option = k, .objective = 0, .cost = {}};
    for (int r = 0; r < num_rows; ++r) column.cost.push_back(group.cost[k * num_rows + r] - least[r]);
    // With links an option that another covers may still be the one they want.
    if (Fits(column.cost, model.capacity) && (!instance.links.empty() || !IsDominated(group, num_rows, k)))
      model.columns.push_back(std::move(column));
  }
}

Int128 LeastOf(const InstanceLink& link) {
  Int128 least = kInfiniteValue;
  for (const Int128 value : link.value) least = std::min(least, value);
  return least == kInfiniteValue ? 0 : least;
}

// After ScaleObjective of the columns: adds the links' ranges. Objectives are scaled later.
void AddLinkColumns(const Instance& instance, Model& model) {
  for (int l = 0; l < std::ssize(instance.links); ++l) {
    const InstanceLink& link = instance.links[l];
    model.link_ends.push_back({l, link.a, link.b});
    for (int a = model.first_column[link.a]; a < model.first_column[link.a + 1]; ++a) {
      for (int b = model.first_column[link.b]; b < model.first_column[link.b + 1]; ++b) {
        const Int128 value =
            link.value[model.columns[a].option * instance.groups[link.b].value.size() + model.columns[b].option];
        if (value == kInfiniteValue) continue;
        model.link_columns.push_back(
            {.link = l, .a = a, .b = b, .objective = static_cast<double>(value - LeastOf(link))});
      }
    }
  }
}

double RangeOf(const InstanceLink& link) {
  Int128 most = LeastOf(link);
  for (const Int128 value : link.value) {
    if (value != kInfiniteValue) most = std::max(most, value);
  }
  return static_cast<double>(most - LeastOf(link));
}

void TightenRows(Model& model) {
  for (size_t r = 0; r < model.capacity.size(); ++r) {
    int64_t unit = 0;
    for (const Model::Column& column : model.columns) unit = std::gcd(unit, column.cost[r]);
    if (unit > 1) {
      for (Model::Column& column : model.columns) column.cost[r] /= unit;
      model.capacity[r] /= unit;
    }
    int exponent = 0;
    std::frexp(static_cast<double>(std::max<int64_t>(model.capacity[r], 1)), &exponent);
    model.row_shift.push_back(kCapacityExponent - exponent);
  }
}

void ScaleObjective(const Instance& instance, Model& model) {
  double range = 0;
  std::vector<Int128> least(instance.groups.size());
  for (int g = 0; g < std::ssize(least); ++g) {
    const auto [low, high] = std::minmax_element(instance.groups[g].value.begin(), instance.groups[g].value.end());
    least[g] = *low;
    model.least_value += *low;
    range += static_cast<double>(*high - *low);
  }
  for (const InstanceLink& link : instance.links) {
    model.least_value += LeastOf(link);
    range += RangeOf(link);
  }
  if (range > 0) model.scale = kObjectiveRange / range;
  model.tolerance = range * kTolerance;
  for (Model::Column& column : model.columns) {
    const Int128 above = instance.groups[column.group].value[column.option] - least[column.group];
    column.objective = static_cast<double>(above) * model.scale;
  }
  for (Model::LinkColumn& column : model.link_columns) column.objective *= model.scale;
}

Model BuildModel(const Instance& instance) {
  Model model{.capacity = instance.limits};
  if (!TakeOffsets(instance, model)) {
    model.infeasible = true;
    return model;
  }
  for (int g = 0; g < std::ssize(instance.groups); ++g) {
    model.first_column.push_back(static_cast<int>(model.columns.size()));
    AddColumns(instance, g, model);
    model.infeasible |= model.first_column.back() == std::ssize(model.columns);
  }
  model.first_column.push_back(static_cast<int>(model.columns.size()));
  TightenRows(model);
  AddLinkColumns(instance, model);
  ScaleObjective(instance, model);
  return model;
}

// Told CBC and Clp to stop, and why. Shared by the copies they make of their event handlers.
struct StopFlag {
  const RunContext* context;
  std::optional<Termination> reason;

  bool Raised() {
    if (!reason.has_value()) reason = StopReason(*context);
    return reason.has_value();
  }
};

class StopBranching : public CbcEventHandler {
 public:
  explicit StopBranching(StopFlag* flag) : flag_(flag) {}
  CbcAction event(CbcEvent /*what*/) override { return flag_->Raised() ? stop : noAction; }
  CbcEventHandler* clone() const override { return new StopBranching(*this); }

 private:
  StopFlag* flag_;
};

class StopSimplex : public ClpEventHandler {
 public:
  explicit StopSimplex(StopFlag* flag) : flag_(flag) {}
  int event(Event what) override { return what == endOfFactorization && flag_->Raised() ? 0 : -1; }
  ClpEventHandler* clone() const override { return new StopSimplex(*this); }

 private:
  StopFlag* flag_;
};

// For each link and each column at one end: the pairs with it add up to it. Transportation rows, which describe the
// pairs of two one-hot choices exactly.
std::vector<CoinPackedVector> LinkRows(const Model& model) {
  std::map<std::pair<int, int>, CoinPackedVector> rows;  // by link and column
  for (int j = 0; j < std::ssize(model.link_columns); ++j) {
    const Model::LinkColumn& column = model.link_columns[j];
    const auto variable = static_cast<int>(model.columns.size()) + j;
    rows[{column.link, column.a}].insert(variable, 1);
    rows[{column.link, column.b}].insert(variable, 1);
  }
  for (const auto& [link, a, b] : model.link_ends) {
    for (const int end : {a, b}) {
      for (int j = model.first_column[end]; j < model.first_column[end + 1]; ++j) rows[{link, j}].insert(j, -1);
    }
  }
  std::vector<CoinPackedVector> all;
  all.reserve(rows.size());
  for (auto& [unused, row] : rows) all.push_back(std::move(row));
  return all;
}

CoinPackedMatrix Matrix(const Model& model, const std::vector<CoinPackedVector>& link_rows) {
  CoinPackedMatrix matrix(false, 0, 0);
  matrix.setDimensions(0, static_cast<int>(model.columns.size() + model.link_columns.size()));
  for (int g = 0; g < model.num_groups(); ++g) {
    CoinPackedVector row;
    for (int j = model.first_column[g]; j < model.first_column[g + 1]; ++j) row.insert(j, 1);
    matrix.appendRow(row);
  }
  for (size_t r = 0; r < model.capacity.size(); ++r) {
    CoinPackedVector row;
    for (int j = 0; j < std::ssize(model.columns); ++j) {
      const int64_t cost = model.columns[j].cost[r];
      if (cost > 0) row.insert(j, std::ldexp(static_cast<double>(cost), model.row_shift[r]));
    }
    matrix.appendRow(row);
  }
  for (const std::vector<int>& cover : model.covers) {
    CoinPackedVector row;
    for (const int j : cover) row.insert(j, 1);
    matrix.appendRow(row);
  }
  for (const CoinPackedVector& row : link_rows) matrix.appendRow(row);
  return matrix;
}

void Load(const Model& model, OsiClpSolverInterface& lp) {
  const size_t num_columns = model.columns.size() + model.link_columns.size();
  std::vector<double> objective;
  objective.reserve(num_columns);
  for (const Model::Column& column : model.columns) objective.push_back(column.objective);
  for (const Model::LinkColumn& column : model.link_columns) objective.push_back(column.objective);
  std::vector<double> row_lower(model.num_groups(), 1);
  std::vector<double> row_upper(model.num_groups(), 1);
  for (size_t r = 0; r < model.capacity.size(); ++r) {
    row_lower.push_back(-COIN_DBL_MAX);
    row_upper.push_back(std::ldexp(static_cast<double>(model.capacity[r]) + 0.5, model.row_shift[r]));
  }
  row_lower.resize(row_lower.size() + model.covers.size(), -COIN_DBL_MAX);
  row_upper.resize(row_upper.size() + model.covers.size(), model.num_groups() - 1);
  const std::vector<CoinPackedVector> link_rows = LinkRows(model);
  row_lower.resize(row_lower.size() + link_rows.size(), 0);
  row_upper.resize(row_upper.size() + link_rows.size(), 0);
  const std::vector<double> lower(num_columns, 0);
  const std::vector<double> upper(num_columns, 1);
  lp.loadProblem(Matrix(model, link_rows), lower.data(), upper.data(), objective.data(), row_lower.data(),
                 row_upper.data());
  for (int j = 0; j < std::ssize(model.columns); ++j) lp.setInteger(j);
}

void SetUpLp(OsiClpSolverInterface& lp, StopFlag& flag) {
  lp.setHintParam(OsiDoReducePrint, true, OsiHintTry);
  lp.messageHandler()->setLogLevel(0);
  lp.getModelPtr()->setLogLevel(0);
  lp.setDblParam(OsiPrimalTolerance, kFeasibilityTolerance);
  lp.setDblParam(OsiDualTolerance, kFeasibilityTolerance);
  StopSimplex stop_simplex(&flag);
  lp.getModelPtr()->passInEventHandler(&stop_simplex);  // copies it
}

void AddCutsAndHeuristics(CbcModel& cbc) {
  constexpr int kWhileTheyHelp = -1;
  CglProbing probing;
  probing.setUsingObjective(1);
  probing.setMaxPass(3);
  probing.setMaxProbe(100);
  probing.setMaxLook(50);
  probing.setRowCuts(3);
  cbc.addCutGenerator(&probing, kWhileTheyHelp, "probing");
  CglGomory gomory;
  gomory.setLimit(300);
  cbc.addCutGenerator(&gomory, kWhileTheyHelp, "gomory");
  CglKnapsackCover cover;
  cbc.addCutGenerator(&cover, kWhileTheyHelp, "cover");
  CglMixedIntegerRounding2 rounding;
  cbc.addCutGenerator(&rounding, kWhileTheyHelp, "rounding");
  CbcRounding round(cbc);
  cbc.addHeuristic(&round, "round");
  CbcHeuristicDiveCoefficient dive(cbc);
  cbc.addHeuristic(&dive, "dive");
  CbcHeuristicRINS rins(cbc);
  rins.setHowOften(100);
  cbc.addHeuristic(&rins, "rins");
}

// CBC's gap is relative to the objective above least_value; that is never looser than asked while least_value is >= 0.
double AllowedFraction(const Model& model, const SolverOptions& options) {
  return model.least_value >= 0 ? options.relative_gap : 0;
}

void SetLimits(const Model& model, const SolverOptions& options, const RunContext& context, CbcModel& cbc) {
  cbc.setAllowableGap(0);
  cbc.setAllowableFractionGap(AllowedFraction(model, options));
  cbc.setDblParam(CbcModel::CbcCutoffIncrement, kFeasibilityTolerance);
  cbc.setIntegerTolerance(kIntegerTolerance);
  cbc.setMaximumNodes(static_cast<int>(std::min<int64_t>(options.node_limit, std::numeric_limits<int>::max())));
  cbc.setMaximumCutPassesAtRoot(kCutPassesAtRoot);
  if (context.deadline.has_value()) {
    const std::chrono::duration<double> left = *context.deadline - std::chrono::steady_clock::now();
    cbc.setUseElapsedTime(true);
    cbc.setMaximumSeconds(std::max(left.count(), 0.0));
  }
}

// What one run of CBC said.
struct CbcAnswer {
  Termination termination = Termination::kFeasible;
  std::vector<int> column;                                  // of each group; empty: none
  double bound = -std::numeric_limits<double>::infinity();  // scaled
  int64_t nodes = 0;
};

std::vector<int> LargestOfEachGroup(const Model& model, const double* x) {
  std::vector<int> column;
  for (int g = 0; g < model.num_groups(); ++g) {
    const double* first = x + model.first_column[g];
    column.push_back(static_cast<int>(std::max_element(first, x + model.first_column[g + 1]) - x));
  }
  return column;
}

Termination TerminationOf(const CbcModel& cbc, const StopFlag& flag) {
  if (flag.reason.has_value()) return *flag.reason;
  if (cbc.isProvenInfeasible()) return Termination::kInfeasible;
  if (cbc.isSecondsLimitReached()) return Termination::kTimeLimit;
  if (cbc.isProvenOptimal()) return Termination::kOptimal;
  return cbc.bestSolution() != nullptr ? Termination::kFeasible : Termination::kTimeLimit;
}

CbcAnswer RunCbc(const Model& model, const SolverOptions& options, const RunContext& context) {
  StopFlag flag{.context = &context};
  OsiClpSolverInterface lp;
  SetUpLp(lp, flag);
  Load(model, lp);
  CbcModel cbc(lp);
  cbc.setLogLevel(0);
  cbc.messageHandler()->setLogLevel(0);
  StopBranching stop_branching(&flag);
  cbc.passInEventHandler(&stop_branching);  // copies it
  SetLimits(model, options, context, cbc);
  AddCutsAndHeuristics(cbc);
  cbc.initialSolve();
  CbcAnswer answer;
  if (!flag.Raised()) cbc.branchAndBound();
  answer.termination = TerminationOf(cbc, flag);
  if (cbc.bestSolution() != nullptr) answer.column = LargestOfEachGroup(model, cbc.bestSolution());
  answer.bound = cbc.getBestPossibleObjValue();
  if (const double fraction = AllowedFraction(model, options); fraction > 0 && cbc.bestSolution() != nullptr) {
    // CBC drops nodes inside the gap and may then report the incumbent as its bound.
    answer.bound = std::min(answer.bound, cbc.getObjValue() * (1 - fraction));
    if (answer.termination == Termination::kOptimal) answer.termination = Termination::kFeasible;
  }
  answer.nodes = cbc.getNodeCount();
  return answer;
}

// The first row a choice breaks, in int64; -1 if it keeps all.
int BrokenRow(const Model& model, const std::vector<int>& column) {
  for (int r = 0; r < std::ssize(model.capacity); ++r) {
    int64_t sum = 0;
    for (const int j : column) sum += model.columns[j].cost[r];
    if (sum > model.capacity[r]) return r;
  }
  return -1;
}

// All columns that cost at least as much of `row` as the one their group took: taking one in every group breaks it too.
std::vector<int> Cover(const Model& model, const std::vector<int>& column, int row) {
  std::vector<int> cover;
  for (int j = 0; j < std::ssize(model.columns); ++j) {
    const Model::Column& taken = model.columns[column[model.columns[j].group]];
    if (model.columns[j].cost[row] >= taken.cost[row]) cover.push_back(j);
  }
  return cover;
}

double Unscale(const Instance& instance, const Model& model, double scaled) {
  return FromFixedPoint(model.least_value, instance.shift) + std::ldexp(scaled / model.scale, -instance.shift);
}

InstanceSolution Translate(const Instance& instance, const Model& model, const CbcAnswer& answer, int64_t nodes) {
  InstanceSolution solution{.termination = answer.termination, .nodes = nodes};
  solution.optimality_tolerance = instance.rounding + std::ldexp(model.tolerance, -instance.shift);
  for (const int j : answer.column) solution.option.push_back(model.columns[j].option);
  solution.bound = Unscale(instance, model, answer.bound) - solution.optimality_tolerance;
  return solution;
}

}  // namespace

absl::StatusOr<InstanceSolution> SolveWithCbc(const Instance& instance, const SolverOptions& options,
                                              const RunContext& context) {
  if (std::ranges::any_of(instance.links, [](const InstanceLink& link) { return !link.cost.empty(); })) {
    return Unimplemented("solver: 'cbc' does not take pairs with costs; 'linked' does");
  }
  Model model = BuildModel(instance);
  if (model.infeasible) return InstanceSolution{.termination = Termination::kInfeasible};
  int64_t nodes = 0;
  for (int round = 0; round < kMaxRounds; ++round) {
    const CbcAnswer answer = RunCbc(model, options, context);
    nodes += answer.nodes;
    const int broken = answer.column.empty() ? -1 : BrokenRow(model, answer.column);
    if (broken < 0) return Translate(instance, model, answer, nodes);
    model.covers.push_back(Cover(model, answer.column, broken));
    if (const auto stopped = StopReason(context)) {
      return Translate(instance, model, {.termination = *stopped, .bound = answer.bound}, nodes);
    }
  }
  return Internal("cbc: {} choices in a row broke a budget within the tolerance", kMaxRounds);
}

}  // namespace bitplan::allocation
