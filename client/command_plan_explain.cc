#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "client/commands.h"
#include "client/local_run.h"
#include "client/plan_source.h"
#include "client/render.h"
#include "search/base/status.h"
#include "search/plan/explanation.h"

namespace bitplan::client {

Action DeclarePlanExplain(CLI::App& app) {
  struct Arguments {
    std::string plan;
    std::string layer;
    double seconds = 1;
  };
  auto arguments = std::make_shared<Arguments>();
  app.add_option("plan", arguments->plan, kPlanHelp)->required();
  app.add_option("--layer", arguments->layer, "Only this layer, with every option it could have")->type_name("NAME");
  app.add_option("--time-limit", arguments->seconds, "Seconds for each question; unproven answers are marked with ?")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  return [arguments](Session& session) -> absl::StatusOr<ExitCode> {
    BITPLAN_ASSIGN_OR_RETURN(const Plan plan, ReadPlan(session, arguments->plan));
    const LocalRun run(session, /*num_threads=*/1);
    const ExplainRequest request{.solver = {.time_limit_s = arguments->seconds}, .layer = arguments->layer};
    BITPLAN_ASSIGN_OR_RETURN(const Explanation explanation, plan::Explain(plan, request, run.context()));
    if (session.globals.is_json()) {
      session.console.Answer(plan::ToJson(explanation));
    } else if (arguments->layer.empty()) {
      session.console.Answer(RenderExplanation(plan, explanation));
    } else {
      session.console.Answer(RenderLayerExplanation(plan, explanation));
    }
    return ExitCode::kOk;
  };
}

}  // namespace bitplan::client
