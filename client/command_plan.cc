#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "client/commands.h"
#include "client/files.h"
#include "client/list_options.h"
#include "client/paging.h"
#include "client/plan_output.h"
#include "client/plan_source.h"
#include "client/render.h"
#include "search/base/status.h"
#include "search/plan/exporter_table.h"

namespace bitplan::client {
namespace {

std::vector<std::string> FormatNames() {
  std::vector<std::string> names;
  for (const auto& exporter : plan::Exporters()) names.emplace_back(exporter.name);
  return names;
}

}  // namespace

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

Action DeclarePlanExport(CLI::App& app) {
  struct Options {
    std::string name;
    std::string format = "json";
    std::string file;
  };
  auto options = std::make_shared<Options>();
  app.add_option("plan", options->name, "Name or id")->required();
  app.add_option("--format", options->format, "Format of the file")
      ->check(CLI::IsMember(FormatNames()))
      ->capture_default_str();
  app.add_option("--file", options->file, "Where to write; else standard output")->type_name("FILE");
  return [options](Session& session) -> absl::StatusOr<ExitCode> {
    Channel channel = session.Connect();
    BITPLAN_ASSIGN_OR_RETURN(const v1::ExportPlanResponse document,
                             channel.ExportPlan(session.globals.NameOf("plans", options->name), options->format));
    if (options->file.empty()) {
      session.console.Answer(document.content());
      return ExitCode::kOk;
    }
    BITPLAN_RETURN_IF_ERROR(WriteFile(options->file, document.content()));
    session.console.Note(fmt::format("Saved as {}", options->file));
    return ExitCode::kOk;
  };
}

}  // namespace bitplan::client
