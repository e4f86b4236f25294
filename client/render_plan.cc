#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "client/render.h"
#include "client/table.h"
#include "client/units.h"
#include "search/allocation/solution.h"

namespace bitplan::client {
namespace {

constexpr size_t kLeastNameWidth = 12;
constexpr double kFullPercent = 100;
constexpr size_t kIdDigits = 24;  // of the fingerprint: the plan's id on a server

std::string CostText(const Costs& costs, Resource resource) {
  const auto cost = costs.find(resource);
  return cost == costs.end() ? "-" : FormatAmount(resource, cost->second);
}

// Size, where it is known, and what the budgets are about.
std::vector<Resource> ShownResources(const Plan& plan) {
  std::set<Resource> shown;
  for (const PlanBudget& budget : plan.budgets) shown.insert(budget.resource);
  if (plan.totals.contains(Resource::kSize)) shown.insert(Resource::kSize);
  return {shown.begin(), shown.end()};
}

// An error of the predicted loss with the digits that mean something: "1.2e-04".
std::string ErrorText(double standard_error) { return standard_error > 0 ? fmt::format("{:.1e}", standard_error) : ""; }

int64_t TotalWeights(const Plan& plan) {
  int64_t total = 0;
  for (const PlanLayer& layer : plan.layers) total += layer.layer.num_weights;
  return total;
}

// Average weight bits of the choice, each weight counted once.
double AverageBits(const Plan& plan) {
  double bits = 0;
  for (const PlanLayer& layer : plan.layers) {
    bits += static_cast<double>(layer.layer.num_weights) * layer.chosen->option.weight_bits;
  }
  return bits / static_cast<double>(std::max<int64_t>(TotalWeights(plan), 1));
}

bool HasErrors(const Plan& plan) {
  return std::ranges::any_of(plan.layers, [](const PlanLayer& layer) { return layer.chosen->standard_error > 0; });
}

double SumOfSensitivities(const Plan& plan) {
  double sum = 0;
  for (const PlanLayer& layer : plan.layers) sum += layer.chosen->sensitivity;
  return sum;
}

// Neither exact nor measured.
bool IsEstimated(const PlanOption& option, Resource resource) {
  const auto source = option.cost_sources.find(resource);
  return source != option.cost_sources.end() && source->second > CostSource::kMeasured;
}

// "latency of layers: 12 measured, 3 roofline", for each resource that is shown and not exact; empty: all are exact.
std::string RenderCostSources(const Plan& plan) {
  std::string text;
  for (const Resource resource : ShownResources(plan)) {
    std::map<CostSource, int> counts;
    for (const PlanLayer& layer : plan.layers) {
      const auto source = layer.chosen->cost_sources.find(resource);
      if (source != layer.chosen->cost_sources.end()) ++counts[source->second];
    }
    if (counts.empty()) continue;
    std::vector<std::string> parts;
    parts.reserve(counts.size());
    for (const auto& [source, count] : counts) parts.push_back(fmt::format("{} {}", count, ToString(source)));
    const bool estimated = counts.rbegin()->first > CostSource::kMeasured;
    text += fmt::format("{} of layers: {}{}\n", ToString(resource), fmt::join(parts, ", "),
                        estimated ? " (~: an estimate)" : "");
  }
  return text;
}

// "latency between layers: 2.10 us in 3 conversions, in the total"; empty: nothing is converted.
std::string RenderBoundaries(const Plan& plan) {
  std::map<std::string, int> bits;
  for (const PlanLayer& layer : plan.layers) bits[layer.layer.name] = layer.chosen->option.activation_bits;
  std::string text;
  for (const Resource resource : ShownResources(plan)) {
    int64_t sum = 0;
    int count = 0;
    for (const BoundaryCost& boundary : plan.boundaries) {
      const int64_t cost = CostOfBoundary(boundary, bits[boundary.from], bits[boundary.to], resource);
      sum += cost;
      if (cost > 0) ++count;
    }
    if (count == 0) continue;
    text += fmt::format("{} between layers: {} in {} conversion{}, in the total\n", ToString(resource),
                        FormatAmount(resource, sum), count, count == 1 ? "" : "s");
  }
  return text;
}

// "memory is the most at any moment: while /conv1/Conv runs"; empty: memory is a sum, or not known.
std::string RenderPeak(const Plan& plan) {
  const auto peak = plan.totals.find(Resource::kMemory);
  if (!plan.peak_memory || peak == plan.totals.end()) return "";
  std::vector<MemoryCandidates> chosen;
  for (const PlanLayer& layer : plan.layers) {
    const auto size = layer.chosen->costs.find(Resource::kSize);
    chosen.push_back({.layer = layer.layer.name,
                      .options = {layer.chosen->option},
                      .size_bits = {size == layer.chosen->costs.end() ? std::nullopt : std::optional(size->second)}});
  }
  for (const MemoryStep& step : plan.peak_memory->steps) {
    const PeakMemory alone{.weights_resident = plan.peak_memory->weights_resident, .steps = {step}};
    if (PeakBytes(alone, chosen) != peak->second) continue;
    return fmt::format("memory: {} at the fullest moment, while {} runs\n",
                       FormatAmount(Resource::kMemory, peak->second), step.name);
  }
  return "";
}

std::string RenderLayers(const Plan& plan, size_t name_width) {
  const std::vector<Resource> resources = ShownResources(plan);
  const bool has_errors = HasErrors(plan);
  std::vector<Column> columns = {{.title = "layer", .max_width = name_width},
                                 {.title = "kind"},
                                 {.title = "weights", .right = true},
                                 {.title = "bits"},
                                 {.title = "scheme"},
                                 {.title = "granularity"}};
  for (const Resource resource : resources)
    columns.push_back({.title = std::string(ToString(resource)), .right = true});
  columns.push_back({.title = "sensitivity", .right = true});
  if (has_errors) columns.push_back({.title = "+- error", .right = true});
  if (plan.mean_regret) columns.push_back({.title = "kept", .right = true});

  Table table(std::move(columns));
  for (const PlanLayer& layer : plan.layers) {
    const PlanOption& chosen = *layer.chosen;
    std::vector<std::string> row = {layer.layer.name,
                                    std::string(ToString(layer.layer.kind)),
                                    FormatCount(layer.layer.num_weights),
                                    fmt::format("w{}a{}", chosen.option.weight_bits, chosen.option.activation_bits),
                                    chosen.option.scheme,
                                    DescribeGranularity(chosen.option)};
    for (const Resource resource : resources) {
      row.push_back(IsEstimated(chosen, resource) ? "~" + CostText(chosen.costs, resource)
                                                  : CostText(chosen.costs, resource));
    }
    row.push_back(FormatLoss(chosen.sensitivity));
    if (has_errors) row.push_back(ErrorText(chosen.standard_error));
    if (plan.mean_regret) row.push_back(fmt::format("{:.0f} %", 100 * layer.keep_probability.value_or(0)));
    table.AddRow(std::move(row));
  }
  std::vector<std::string> total = {fmt::format("total of {} layers", plan.layers.size()),
                                    "",
                                    FormatCount(TotalWeights(plan)),
                                    fmt::format("w{:.2f}", AverageBits(plan)),
                                    "",
                                    ""};
  for (const Resource resource : resources) total.push_back(CostText(plan.totals, resource));
  total.push_back(FormatLoss(SumOfSensitivities(plan)));
  table.AddFooter(std::move(total));
  return table.Render();
}

size_t LongestLine(const std::string& text) {
  size_t longest = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    longest = std::max(longest, DisplayWidth(std::string_view(text).substr(begin, end - begin)));
    begin = end + 1;
  }
  return longest;
}

// The names give way if the table would be too wide.
std::string RenderLayersToWidth(const Plan& plan) {
  std::string text = RenderLayers(plan, 0);
  const size_t width = LongestLine(text);
  if (width <= kLineWidth) return text;
  size_t names = 0;
  for (const PlanLayer& layer : plan.layers) names = std::max(names, DisplayWidth(layer.layer.name));
  const size_t excess = width - kLineWidth;
  return RenderLayers(plan, names > excess + kLeastNameWidth ? names - excess : kLeastNameWidth);
}

std::string Percent(int64_t part, int64_t whole) {
  if (whole == 0) return "-";
  // Rounded down: "100%" is a budget used up to the last unit.
  const double percent = std::floor(static_cast<double>(part) / static_cast<double>(whole) * kFullPercent * 10) / 10;
  return fmt::format("{:.1f}%", percent);
}

std::string UniformText(const Plan& plan, int bits, Resource resource) {
  const auto uniform = plan.uniform.find(bits);
  return uniform == plan.uniform.end() ? "-" : CostText(uniform->second, resource);
}

// How far the limit is beyond what can be reached with this budget alone; <= 0: it can be kept.
int64_t ShortageOf(const PlanBudget& budget) {
  return budget.sense == BudgetSense::kAtMost ? budget.least_achievable - budget.limit
                                              : budget.limit - budget.most_achievable;
}

std::string RenderBudgets(const Plan& plan) {
  const bool met = plan.has_choice();
  Table table(met ? std::vector<Column>{{.title = "budget"},
                                        {.title = "limit", .right = true},
                                        {.title = "used", .right = true},
                                        {.title = "of limit", .right = true},
                                        {.title = "slack", .right = true},
                                        {.title = "all 4 bit", .right = true},
                                        {.title = "all 8 bit", .right = true}}
                  : std::vector<Column>{{.title = "budget"},
                                        {.title = "limit", .right = true},
                                        {.title = "least achievable", .right = true},
                                        {.title = "short by", .right = true}});
  for (const PlanBudget& budget : plan.budgets) {
    const auto amount = [&](int64_t value) { return FormatAmount(budget.resource, value); };
    if (met) {
      table.AddRow({budget.spec, amount(budget.limit), amount(budget.used), Percent(budget.used, budget.limit),
                    amount(budget.slack), UniformText(plan, 4, budget.resource),
                    UniformText(plan, 8, budget.resource)});
    } else {
      const int64_t shortage = ShortageOf(budget);
      const std::string best = budget.sense == BudgetSense::kAtMost
                                   ? amount(budget.least_achievable)
                                   : fmt::format("at most {}", amount(budget.most_achievable));
      table.AddRow({budget.spec, amount(budget.limit), best, shortage > 0 ? amount(shortage) : "-"});
    }
  }
  return table.Render();
}

// A predictor's objective is not the sum of the column above it.
std::string PredictorText(const Plan& plan) {
  if (plan.predictor.empty()) return "";
  return fmt::format("predicted for the whole plan ({}): {} +- {}\n", plan.predictor, FormatLoss(plan.objective),
                     FormatLoss(plan.objective_standard_error));
}

std::string RenderProof(const Plan& plan) {
  const std::string numbers =
      fmt::format("objective {}, bound {}, gap {}", FormatLoss(plan.objective), FormatLoss(plan.bound),
                  plan.gap == 0 ? "0" : fmt::format("{:.2g}", plan.gap));
  switch (plan.termination) {
    case Termination::kOptimal:
      return fmt::format("optimal: {}\n         no plan within the budgets has a lower predicted loss\n", numbers);
    case Termination::kInfeasible:
      return "infeasible: proven, no plan obeys the budgets\n";
    case Termination::kFeasible:
    case Termination::kTimeLimit:
    case Termination::kCancelled:
      break;
  }
  const std::string name(allocation::TerminationName(plan.termination));
  if (!plan.has_choice()) return fmt::format("{}: no plan was found\n", name);
  return fmt::format("{}: {}\n{:{}}  obeys the budgets, but is not proven best\n", name, numbers, "", name.size());
}

// What the table of budgets does not say already: why budgets that can each be kept alone cannot be kept together, or
// why nothing is proven.
std::string RenderDiagnosis(const Plan& plan) {
  const auto is_short = [](const PlanBudget& budget) { return ShortageOf(budget) > 0; };
  if (plan.termination == Termination::kInfeasible && std::ranges::any_of(plan.budgets, is_short)) return "";
  std::string text;
  for (size_t begin = 0; begin < plan.diagnosis.size();) {
    const size_t end = std::min(plan.diagnosis.find("; ", begin), plan.diagnosis.size());
    text += plan.diagnosis.substr(begin, end - begin) + "\n";
    begin = end + 2;
  }
  return text;
}

std::string RenderWarnings(const Plan& plan) {
  std::string text;
  for (const std::string& warning : plan.warnings) text += fmt::format("note: {}\n", warning);
  return text;
}

std::string RenderOrigin(const Plan& plan) {
  const PlanProvenance& from = plan.provenance;
  const std::string loss = from.loss.empty() ? "" : fmt::format(" of {}", from.loss);
  std::string text =
      fmt::format("sensitivities {}{}, hardware {}, solver {}", from.method, loss, from.profile, plan.solver);
  if (!from.model_digest.empty()) text += fmt::format(", seed {}", from.seed);
  const std::string made =
      fmt::format("bitplan {}, plan {}\n", from.bitplan_version, plan.fingerprint.substr(0, kIdDigits));
  return text + (text.size() + made.size() + 1 > kLineWidth ? "\n" : ", ") + made;
}

}  // namespace

std::string RenderPlan(const Plan& plan) {
  std::string text;
  if (plan.has_choice()) text += RenderLayersToWidth(plan) + "\n";
  if (!plan.budgets.empty()) text += RenderBudgets(plan) + "\n";
  if (plan.has_choice()) text += RenderCostSources(plan) + RenderBoundaries(plan) + RenderPeak(plan);
  return text + PredictorText(plan) + RenderProof(plan) + RenderDiagnosis(plan) + RenderWarnings(plan) +
         RenderOrigin(plan);
}

}  // namespace bitplan::client
