#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "client/commands.h"
#include "client/list_options.h"
#include "client/paging.h"
#include "client/plan_output.h"
#include "client/plan_source.h"
#include "client/render.h"
#include "search/base/status.h"

namespace bitplan::client {
Action DeclarePlanList(CLI::App& app) {
  return [limit = AddLimit(app)](Session& session) -> absl::StatusOr<ExitCode> {
    Channel channel = session.Connect();
    v1::ListPlansRequest request;
    request.set_parent(session.globals.parent());
    BITPLAN_ASSIGN_OR_RETURN(
        const auto plans,
        ListUpTo<v1::ListPlansResponse>(
            *limit, request, session.console, [&](const v1::ListPlansRequest& page) { return channel.ListPlans(page); },
            [](v1::ListPlansResponse& response) { return response.mutable_plans(); }));
    session.console.Answer(session.globals.is_json() ? RenderJson(plans) : RenderPlans(plans));
    return ExitCode::kOk;
  };
}

Action DeclarePlanShow(CLI::App& app) {
  auto name = std::make_shared<std::string>();
  app.add_option("plan", *name, kPlanHelp)->required();
  return [name](Session& session) -> absl::StatusOr<ExitCode> {
    BITPLAN_ASSIGN_OR_RETURN(const Plan plan, ReadPlan(session, *name));
    return PrintPlan(session, plan, "");
  };
}

}  // namespace bitplan::client
