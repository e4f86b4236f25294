#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "client/commands.h"
#include "client/local_run.h"
#include "client/model_file.h"
#include "client/plan_source.h"
#include "client/search_options.h"
#include "client/units.h"
#include "search/base/status.h"
#include "search/exporters/check_runtime.h"
#include "search/graph/layer_structure.h"
#include "search/onnx/parse_model.h"
#include "search/plan/certificate.h"
#include "search/plan/verifier.h"

namespace bitplan::client {
namespace {

constexpr int64_t kDefaultStates = 5'000'000;

std::string Render(const Certificate& certificate, const Plan& plan) {
  std::string text = "consistent: sums, budgets, ties and the fingerprint hold\n" + certificate.summary + "\n";
  for (size_t b = 0; b < certificate.multipliers.size(); ++b) {
    text += fmt::format("price of {}: {}\n", plan.budgets[b].spec,
                        FormatPrice(plan.budgets[b].resource, certificate.multipliers[b]));
  }
  return text;
}

absl::StatusOr<std::optional<LayerStructure>> StructureOf(const std::string& model) {
  if (model.empty()) return std::nullopt;
  BITPLAN_ASSIGN_OR_RETURN(const std::string onnx, ReadModel(model));
  BITPLAN_ASSIGN_OR_RETURN(const Graph graph, onnx::ParseModel(onnx));
  return std::optional(FindStructure(graph));
}

// Notes, beside the answer: what the runtime's rules say.
absl::StatusOr<ExitCode> CheckFor(Session& session, const Plan& plan, const std::string& runtime,
                                  const std::string& model) {
  BITPLAN_ASSIGN_OR_RETURN(const RuntimeRules rules, ReadRuntime(runtime));
  BITPLAN_ASSIGN_OR_RETURN(const std::optional<LayerStructure> structure, StructureOf(model));
  const RuntimeCheck check = exporters::CheckRuntime(plan, rules, structure);
  for (const std::string& rule : check.unseen) {
    session.console.Note(
        fmt::format("rule {} looks at the graph: only names were looked at, --model shows the graph", rule));
  }
  if (check.violations.empty()) {
    session.console.Note(fmt::format("{}: {} groups of layers agree", rules.name, check.groups.size()));
    return ExitCode::kOk;
  }
  std::string message = fmt::format("{} cannot load the plan", rules.name);
  for (const RuntimeViolation& violation : check.violations) message += "\n  " + violation.message;
  return FailedPrecondition("{}", message);
}

}  // namespace

Action DeclarePlanVerify(CLI::App& app) {
  struct Arguments {
    std::string plan;
    int64_t max_states = kDefaultStates;
    std::string runtime;
    std::string model;
  };
  auto arguments = std::make_shared<Arguments>();
  app.add_option("plan", arguments->plan, kPlanHelp)->required();
  app.add_option("--max-states", arguments->max_states,
                 "Partial choices to look at for a proof of optimality; then the bound is all that is checked")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  CLI::Option* runtime =
      app.add_option("--runtime", arguments->runtime,
                     "Also check that this runtime can load it: a name ('runtime list') or FILE.json")
          ->type_name("NAME");
  app.add_option("--model", arguments->model, "The plan's ONNX network, for rules that look at the graph")
      ->check(CLI::ExistingFile)
      ->type_name("FILE")
      ->needs(runtime);
  return [arguments](Session& session) -> absl::StatusOr<ExitCode> {
    BITPLAN_ASSIGN_OR_RETURN(const Plan plan, ReadPlan(session, arguments->plan));
    BITPLAN_RETURN_IF_ERROR(plan::Verify(plan));
    const LocalRun run(session, /*num_threads=*/1);
    BITPLAN_ASSIGN_OR_RETURN(const Certificate certificate,
                             plan::CheckProof(plan, arguments->max_states, run.context()));
    session.console.Answer(session.globals.is_json() ? plan::ToJson(certificate, plan) : Render(certificate, plan));
    return arguments->runtime.empty() ? ExitCode::kOk : CheckFor(session, plan, arguments->runtime, arguments->model);
  };
}

}  // namespace bitplan::client
