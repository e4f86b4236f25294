#include "client/plan_output.h"

#include <fmt/format.h>

#include "client/files.h"
#include "client/render.h"
#include "search/base/status.h"
#include "search/exporters/exporter_table.h"
#include "search/plan/plan_json.h"

namespace bitplan::client {
namespace {

absl::Status Write(const Plan& plan, const std::string& path) {
  BITPLAN_ASSIGN_OR_RETURN(const auto exporter, exporters::ExporterOfFile(path));
  BITPLAN_ASSIGN_OR_RETURN(const Exported exported, exporters::Write(exporter, {.plan = plan}, RunContext()));
  return WriteFile(path, exported.bytes);
}

}  // namespace

absl::StatusOr<ExitCode> PrintPlan(Session& session, const Plan& plan, const std::string& save) {
  session.console.Answer(session.globals.is_json() ? plan::ToJson(plan) : RenderPlan(plan));
  BITPLAN_RETURN_IF_ERROR(SavePlan(session, plan, save));
  return CodeOf(plan);
}

absl::Status SavePlan(Session& session, const Plan& plan, const std::string& save) {
  if (save.empty()) return absl::OkStatus();
  BITPLAN_RETURN_IF_ERROR(Write(plan, save));
  session.console.Note(fmt::format("Saved as {}", save));
  return absl::OkStatus();
}

ExitCode CodeOf(const Plan& plan) {
  if (plan.has_choice()) return ExitCode::kOk;
  switch (plan.termination) {
    case Termination::kInfeasible:
      return ExitCode::kInfeasible;
    case Termination::kCancelled:
      return ExitCode::kCancelled;
    case Termination::kOptimal:
    case Termination::kFeasible:
    case Termination::kTimeLimit:
      break;
  }
  return ExitCode::kFailed;
}

}  // namespace bitplan::client
