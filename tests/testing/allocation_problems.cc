#include "tests/testing/allocation_problems.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "search/base/rng.h"

namespace bitplan::testing {
namespace {

int64_t Between(Rng& rng, int64_t low, int64_t high) {
  return low + static_cast<int64_t>(rng.NextBelow(static_cast<uint64_t>(high - low + 1)));
}

bool OneIn(Rng& rng, uint64_t n) { return rng.NextBelow(n) == 0; }

// How the objectives and costs of one problem are drawn.
struct Style {
  enum class Objective { kSmallWhole, kUniform, kWideRange };
  enum class Cost { kSmall, kLattice, kHuge };
  Objective objective = Objective::kUniform;
  Cost cost = Cost::kSmall;
  bool negative = false;
  int64_t unit = 1;
  int64_t most_huge = 0;
};

Style DrawStyle(const RandomProblemSpec& spec, Rng& rng) {
  Style style;
  style.objective = spec.whole_objectives ? Style::Objective::kSmallWhole : Style::Objective(rng.NextBelow(3));
  style.cost = Style::Cost(rng.NextBelow(3));
  style.negative = OneIn(rng, 3);
  style.unit = Between(rng, 2, 1000);
  style.most_huge = (int64_t{1} << 62) / spec.max_layers;
  return style;
}

double DrawObjective(const Style& style, Rng& rng) {
  double value = 0;
  switch (style.objective) {
    case Style::Objective::kSmallWhole:
      value = static_cast<double>(Between(rng, 0, 9));
      break;
    case Style::Objective::kUniform:
      value = rng.NextUniform();
      break;
    case Style::Objective::kWideRange:
      value = std::pow(10.0, 15 * rng.NextUniform() - 12);
      break;
  }
  return style.negative && OneIn(rng, 2) ? -value : value;
}

int64_t DrawCost(const Style& style, Rng& rng) {
  if (OneIn(rng, 8)) return 0;
  switch (style.cost) {
    case Style::Cost::kSmall:
      return Between(rng, 0, 12);
    case Style::Cost::kLattice:
      return style.unit * Between(rng, 0, 8);
    case Style::Cost::kHuge:
      return Between(rng, 0, style.most_huge);
  }
  return 0;
}

ProblemLayer DrawLayer(int num_options, int num_resources, const Style& style, Rng& rng) {
  ProblemLayer layer;
  for (int k = 0; k < num_options; ++k) {
    if (k > 0 && OneIn(rng, 10)) {  // a twin of the option before
      layer.options.push_back(layer.options.back());
      continue;
    }
    ProblemOption& option = layer.options.emplace_back();
    option.objective = DrawObjective(style, rng);
    for (int r = 0; r < num_resources; ++r) option.cost.push_back(DrawCost(style, rng));
  }
  return layer;
}

// A random choice that keeps the ties: layers of one group of ties follow its first layer, group after group.
std::vector<int> DrawChoice(const Problem& problem, Rng& rng) {
  std::vector<int> choice;
  choice.reserve(problem.layers.size());
  for (const ProblemLayer& layer : problem.layers) {
    choice.push_back(static_cast<int>(rng.NextBelow(layer.options.size())));
  }
  for (size_t pass = 0; pass < problem.ties.size(); ++pass) {
    for (const std::vector<int>& tied : problem.ties) {
      for (const int layer : tied) choice[layer] = choice[tied[0]];
    }
  }
  return choice;
}

// Mostly the exact cost of some choice, sometimes one less, sometimes anything in the range.
int64_t DrawLimit(const Problem& problem, int resource, Rng& rng) {
  const std::vector<int> choice = DrawChoice(problem, rng);
  int64_t sum = 0;
  int64_t most = 0;
  for (size_t i = 0; i < choice.size(); ++i) {
    sum += problem.layers[i].options[choice[i]].cost[resource];
    int64_t largest = 0;
    for (const ProblemOption& option : problem.layers[i].options) largest = std::max(largest, option.cost[resource]);
    most += largest;
  }
  switch (rng.NextBelow(4)) {
    case 0:
      return std::max<int64_t>(sum - 1, 0);
    case 1:
      return Between(rng, 0, most);
    default:
      return sum;
  }
}

void DrawTies(Problem& problem, Rng& rng) {
  const int64_t last = std::ssize(problem.layers) - 1;
  for (int64_t t = Between(rng, 0, 2); t > 0; --t) {
    std::vector<int> tied = {static_cast<int>(Between(rng, 0, last))};
    for (int64_t more = Between(rng, 0, 2); more > 0; --more) {
      const int layer = static_cast<int>(Between(rng, 0, last));
      const bool new_one = std::find(tied.begin(), tied.end(), layer) == tied.end();
      const bool fits = problem.layers[layer].options.size() == problem.layers[tied[0]].options.size();
      if (new_one && fits) tied.push_back(layer);
    }
    problem.ties.push_back(tied);
  }
}

std::vector<int> DrawLayers(const Problem& problem, int64_t most, Rng& rng) {
  std::vector<int> layers;
  for (int64_t more = Between(rng, 1, most); more > 0; --more) {
    const auto layer = static_cast<int>(rng.NextBelow(problem.layers.size()));
    if (std::find(layers.begin(), layers.end(), layer) == layers.end()) layers.push_back(layer);
  }
  return layers;
}

void DrawAllowed(Problem& problem, Rng& rng) {
  for (ProblemLayer& layer : problem.layers) {
    const size_t kept = rng.NextBelow(layer.options.size());
    for (size_t k = 0; k < layer.options.size(); ++k) layer.options[k].allowed = k == kept || !OneIn(rng, 4);
  }
}

void DrawClassTies(Problem& problem, Rng& rng) {
  for (int64_t t = Between(rng, 1, 2); t > 0; --t) {
    ClassTie tie{.layers = DrawLayers(problem, 5, rng), .classes = {}};
    for (const int layer : tie.layers) {
      std::vector<int>& classes = tie.classes.emplace_back();
      for (size_t k = 0; k < problem.layers[layer].options.size(); ++k) {
        classes.push_back(static_cast<int>(Between(rng, 4, OneIn(rng, 3) ? 6 : 5)));
      }
    }
    problem.class_ties.push_back(std::move(tie));
  }
}

void DrawPairs(Problem& problem, const Style& style, Rng& rng) {
  const int64_t last = std::ssize(problem.layers) - 1;
  for (int64_t p = last > 0 ? Between(rng, 1, 12) : 0; p > 0; --p) {
    ProblemPair pair{.layer_a = static_cast<int>(Between(rng, 0, last))};
    pair.layer_b = OneIn(rng, 3) ? static_cast<int>(Between(rng, 0, last)) : (pair.layer_a + 1) % (last + 1);
    if (pair.layer_a == pair.layer_b) continue;
    pair.option_a = static_cast<int>(rng.NextBelow(problem.layers[pair.layer_a].options.size()));
    pair.option_b = static_cast<int>(rng.NextBelow(problem.layers[pair.layer_b].options.size()));
    pair.forbidden = OneIn(rng, 3);
    pair.objective = DrawObjective(style, rng);
    if (OneIn(rng, 3)) {
      for (size_t r = 0; r < problem.resources.size(); ++r) {
        pair.cost.push_back(style.cost == Style::Cost::kHuge ? DrawCost(style, rng) / 16 : DrawCost(style, rng));
      }
    }
    problem.pairs.push_back(std::move(pair));
  }
}

void DrawSteps(Problem& problem, Rng& rng) {
  for (int64_t s = problem.resources.empty() ? 0 : Between(rng, 1, 4); s > 0; --s) {
    const auto resource = static_cast<int>(rng.NextBelow(problem.resources.size()));
    ProblemStep step = StepOn(problem, resource, DrawLayers(problem, 4, rng));
    if (OneIn(rng, 2)) {  // amounts of its own
      for (std::vector<int64_t>& amounts : step.amounts) {
        for (int64_t& amount : amounts) amount = Between(rng, 0, 20);
      }
    }
    step.limit = allocation::UsedInStep(step, DrawChoice(problem, rng));
    if (OneIn(rng, 6)) step.limit = std::max<int64_t>(step.limit - 1, 0);
    problem.steps.push_back(std::move(step));
  }
}

void DrawRules(Problem& problem, const Style& style, Rng& rng) {
  if (OneIn(rng, 4)) DrawAllowed(problem, rng);
  if (OneIn(rng, 2)) DrawClassTies(problem, rng);
  if (OneIn(rng, 2)) DrawPairs(problem, style, rng);
  if (OneIn(rng, 3)) DrawSteps(problem, rng);
  for (ProblemBudget& budget : problem.budgets) {
    if (OneIn(rng, 3)) budget.sense = BudgetSense::kAtLeast;
  }
}

}  // namespace

Problem RandomProblem(const RandomProblemSpec& spec) {
  Rng rng(spec.seed, 0);
  const Style style = DrawStyle(spec, rng);
  Problem problem;
  const int64_t num_budgets = Between(rng, spec.min_budgets, spec.max_budgets);
  const int num_resources = static_cast<int>(num_budgets) + (OneIn(rng, 4) ? 1 : 0);
  for (int r = 0; r < num_resources; ++r) problem.resources.push_back(fmt::format("resource{}", r));
  const bool same_count = OneIn(rng, 2);
  const int64_t count = Between(rng, 1, spec.max_options);
  for (int64_t i = Between(rng, spec.min_layers, spec.max_layers); i > 0; --i) {
    const auto num_options = static_cast<int>(same_count ? count : Between(rng, 1, spec.max_options));
    problem.layers.push_back(DrawLayer(num_options, num_resources, style, rng));
  }
  if (OneIn(rng, 3)) DrawTies(problem, rng);
  for (int b = 0; b < num_budgets; ++b) problem.budgets.push_back({b, DrawLimit(problem, b, rng)});
  if (spec.rules) DrawRules(problem, style, rng);
  return problem;
}

Problem CorrelatedProblem(uint64_t seed, int num_layers, int num_options, int64_t max_cost, double noise) {
  constexpr double kBonus = 10;
  Rng rng(seed, 1);
  Problem problem{.resources = {"cost"}};
  int64_t least = 0;
  int64_t most = 0;
  for (int i = 0; i < num_layers; ++i) {
    std::vector<int64_t> costs(num_options);
    for (int64_t& cost : costs) cost = Between(rng, 1, max_cost);
    std::sort(costs.begin(), costs.end());
    ProblemLayer& layer = problem.layers.emplace_back();
    for (int k = 0; k < num_options; ++k) {
      const auto saved = static_cast<double>(max_cost - costs[k]) + kBonus * (num_options - k);
      layer.options.push_back({saved + noise * rng.NextGaussian(), {costs[k]}});
    }
    least += costs.front();
    most += costs.back();
  }
  problem.budgets.push_back({0, (least + most) / 2});
  return problem;
}

Problem HardProblem(uint64_t seed, int num_layers, int num_options, int num_budgets) {
  constexpr double kMostCost = 1000;
  Rng rng(seed, 3);
  Problem problem;
  std::vector<int64_t> middle(num_budgets, 0);
  for (int r = 0; r < num_budgets; ++r) problem.resources.push_back(fmt::format("resource{}", r));
  for (int i = 0; i < num_layers; ++i) {
    std::vector<std::vector<int64_t>> costs(num_budgets);
    for (int r = 0; r < num_budgets; ++r) {
      for (int k = 0; k < num_options; ++k) costs[r].push_back(Between(rng, 1, static_cast<int64_t>(kMostCost)));
      std::sort(costs[r].begin(), costs[r].end());
      middle[r] += costs[r][num_options / 2];
    }
    ProblemLayer& layer = problem.layers.emplace_back();
    for (int k = 0; k < num_options; ++k) {
      ProblemOption& option = layer.options.emplace_back();
      double mean = 0;
      for (int r = 0; r < num_budgets; ++r) {
        option.cost.push_back(costs[r][k]);
        mean += static_cast<double>(costs[r][k]) / num_budgets;
      }
      option.objective = kMostCost - mean * (0.995 + 0.01 * rng.NextUniform());
    }
  }
  for (int r = 0; r < num_budgets; ++r) problem.budgets.push_back({r, middle[r]});
  return problem;
}

Problem NetworkLikeProblem(uint64_t seed, int num_layers, int num_options, int num_budgets, double level) {
  Rng rng(seed, 2);
  Problem problem{.resources = {"size_bits", "bops", "latency_ns"}};
  std::vector<int64_t> least(3, 0);
  std::vector<int64_t> most(3, 0);
  for (int i = 0; i < num_layers; ++i) {
    const int64_t parameters = 9 << Between(rng, 10, 19);
    const int64_t macs = parameters << Between(rng, 5, 12);
    const double layer_scale = std::exp(2 * rng.NextGaussian());
    ProblemLayer& layer = problem.layers.emplace_back();
    for (int k = 0; k < num_options; ++k) {
      const int bits = 2 + k;
      const double sensitivity = layer_scale * std::pow(4.0, -bits) * std::exp(0.2 * rng.NextGaussian());
      const auto latency = static_cast<int64_t>(1e-4 * static_cast<double>(macs) * (1 + bits + rng.NextUniform()));
      layer.options.push_back({sensitivity, {parameters * bits, macs * bits * bits, latency}});
    }
    for (int r = 0; r < 3; ++r) {
      const auto [low, high] = std::minmax_element(layer.options.begin(), layer.options.end(),
                                                   [r](const auto& a, const auto& b) { return a.cost[r] < b.cost[r]; });
      least[r] += low->cost[r];
      most[r] += high->cost[r];
    }
  }
  for (int r = 0; r < num_budgets; ++r) {
    problem.budgets.push_back({r, least[r] + static_cast<int64_t>(level * static_cast<double>(most[r] - least[r]))});
  }
  return problem;
}

ProblemStep StepOn(const Problem& problem, int resource, std::vector<int> layers) {
  ProblemStep step{.name = "", .layers = std::move(layers), .amounts = {}};
  for (const int layer : step.layers) {
    std::vector<int64_t>& amounts = step.amounts.emplace_back();
    for (const ProblemOption& option : problem.layers[layer].options) amounts.push_back(option.cost[resource]);
  }
  return step;
}

std::string Describe(const Problem& problem) {
  std::string text;
  for (const ProblemLayer& layer : problem.layers) {
    text += "layer:";
    for (const ProblemOption& option : layer.options) {
      text += fmt::format(" {}@({}){}", option.objective, fmt::join(option.cost, ","), option.allowed ? "" : "!");
    }
    text += "\n";
  }
  for (const ProblemBudget& budget : problem.budgets) {
    text += fmt::format("budget: resource {} {} {}\n", budget.resource,
                        budget.sense == BudgetSense::kAtMost ? "<=" : ">=", budget.limit);
  }
  for (const ClassTie& tie : problem.class_ties) {
    text += "class tie:";
    for (size_t j = 0; j < tie.layers.size(); ++j) {
      text += fmt::format(" {}:({})", tie.layers[j], fmt::join(tie.classes[j], ","));
    }
    text += "\n";
  }
  for (const ProblemStep& step : problem.steps) {
    text += "step:";
    for (size_t j = 0; j < step.layers.size(); ++j) {
      text += fmt::format(" {}:({})", step.layers[j], fmt::join(step.amounts[j], ","));
    }
    text += fmt::format(" <= {}\n", step.limit);
  }
  for (const ProblemPair& pair : problem.pairs) {
    text += fmt::format("pair: {}.{} {}.{} {} {}@({})\n", pair.layer_a, pair.option_a, pair.layer_b, pair.option_b,
                        pair.forbidden ? "forbidden" : "priced", pair.objective, fmt::join(pair.cost, ","));
  }
  for (const std::vector<int>& tied : problem.ties) text += fmt::format("tied: {}\n", fmt::join(tied, ","));
  return text;
}

}  // namespace bitplan::testing
