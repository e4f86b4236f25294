#include "client/top_plans_output.h"

#include <fmt/format.h>

#include <filesystem>
#include <set>
#include <vector>

#include "client/plan_output.h"
#include "client/render.h"
#include "client/table.h"
#include "client/units.h"
#include "search/base/resource.h"
#include "search/base/status.h"

namespace bitplan::client {
namespace {

constexpr size_t kDifferencesWidth = 60;  // longer lists lose their middle; JSON has all
constexpr double kPercent = 100;

// Of the budgets, in their order, and the size.
std::vector<Resource> ShownResources(const v1::Plan& plan) {
  std::set<Resource> shown;
  for (const v1::Cost& total : plan.totals()) {
    const Resource resource = ParseResource(total.resource()).value_or(Resource::kSize);
    const auto is_budgeted = [&](const v1::BudgetReport& budget) { return budget.resource() == total.resource(); };
    if (resource == Resource::kSize || std::ranges::any_of(plan.budgets(), is_budgeted)) shown.insert(resource);
  }
  return {shown.begin(), shown.end()};
}

std::string UseOf(const v1::Plan& plan, Resource resource) {
  for (const v1::Cost& total : plan.totals()) {
    if (total.resource() == ToString(resource)) return FormatAmount(resource, total.amount());
  }
  return "-";
}

std::string BitsOf(const v1::Option& option, const v1::Option& other) {
  if (option.weight_bits() == other.weight_bits() && option.activation_bits() == other.activation_bits()) {
    return option.scheme() == other.scheme() ? option.granularity() : option.scheme();
  }
  if (option.activation_bits() == other.activation_bits()) return fmt::format("{}", option.weight_bits());
  return fmt::format("w{}a{}", option.weight_bits(), option.activation_bits());
}

struct Differences {
  int count = 0;
  std::string text;
};

Differences DifferencesOf(const v1::Plan& plan, const v1::Plan& best) {
  Differences found;
  for (int i = 0; i < plan.choices_size(); ++i) {
    const v1::Option& mine = plan.choices(i).option();
    const v1::Option& its = best.choices(i).option();
    if (mine.SerializeAsString() == its.SerializeAsString()) continue;
    ++found.count;
    found.text += fmt::format("{}{} {} ({})", found.text.empty() ? "" : ", ", plan.choices(i).layer(),
                              BitsOf(mine, its), BitsOf(its, mine));
  }
  return found;
}

std::string AboveBest(double objective, double best) {
  if (best == 0) return objective == 0 ? "0" : FormatLoss(objective - best);
  return fmt::format("{:.3g} %", kPercent * (objective - best) / std::abs(best));
}

ExitCode CodeOf(const v1::Plan& plan) {
  if (plan.choices_size() > 0 && plan.choices(0).has_option()) return ExitCode::kOk;
  if (plan.termination() == v1::TERMINATION_INFEASIBLE) return ExitCode::kInfeasible;
  return plan.termination() == v1::TERMINATION_CANCELLED ? ExitCode::kCancelled : ExitCode::kFailed;
}

std::string IdOf(const v1::Plan& plan) { return plan.name().substr(plan.name().rfind('/') + 1); }

}  // namespace

std::string RenderTopPlans(const v1::TopPlans& top) {
  if (top.plans().empty()) return top.summary().note() + "\n";
  const v1::Plan& best = top.plans(0);
  if (CodeOf(best) != ExitCode::kOk) return best.diagnosis() + "\n";
  const std::vector<Resource> resources = ShownResources(best);
  std::vector<Column> columns = {
      {.title = "place", .right = true}, {.title = "loss", .right = true}, {.title = "above best", .right = true}};
  for (const Resource resource : resources) {
    columns.push_back({.title = std::string(ToString(resource)), .right = true});
  }
  columns.push_back({.title = "layers", .right = true});
  columns.push_back({.title = "bits (of the best plan)", .max_width = kDifferencesWidth});
  if (!best.name().empty()) columns.push_back({.title = "plan"});
  Table table(std::move(columns));
  for (int p = 0; p < top.plans_size(); ++p) {
    const v1::Plan& plan = top.plans(p);
    const Differences differences = DifferencesOf(plan, best);
    std::vector<std::string> row = {fmt::format("{}", p + 1), FormatLoss(plan.objective()),
                                    AboveBest(plan.objective(), best.objective())};
    for (const Resource resource : resources) row.push_back(UseOf(plan, resource));
    row.push_back(fmt::format("{}", differences.count));
    row.push_back(differences.text);
    if (!best.name().empty()) row.push_back(IdOf(plan));
    table.AddRow(std::move(row));
  }
  std::string text = table.Render() + "\n";
  if (best.termination() != v1::TERMINATION_OPTIMAL)
    text += "The first plan is not proven best. " + best.diagnosis() + "\n";
  if (!top.summary().note().empty()) text += top.summary().note() + "\n";
  return text;
}

ExitCode PrintTopPlans(Session& session, const v1::TopPlans& top) {
  session.console.Answer(session.globals.is_json() ? RenderJson(top) : RenderTopPlans(top));
  return top.plans().empty() ? ExitCode::kFailed : CodeOf(top.plans(0));
}

absl::Status SaveEach(Session& session, std::span<const Plan> plans, const std::string& save) {
  if (save.empty()) return absl::OkStatus();
  const std::filesystem::path path(save);
  for (size_t i = 0; i < plans.size(); ++i) {
    const std::string name = fmt::format("{}-{}{}", path.stem().string(), i + 1, path.extension().string());
    BITPLAN_RETURN_IF_ERROR(SavePlan(session, plans[i], path.parent_path() / name));
  }
  return absl::OkStatus();
}

}  // namespace bitplan::client
