#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "client/commands.h"
#include "client/files.h"
#include "client/local_run.h"
#include "client/loss_output.h"
#include "client/model_file.h"
#include "client/plan_source.h"
#include "client/table.h"
#include "search/base/status.h"
#include "search/exporters/exporter_table.h"

namespace bitplan::client {
namespace {

struct ExportArguments {
  std::string plan;
  std::string format = "json";
  std::string file;
  std::string model;
  std::string calibration;
  int threads = 0;
};

std::vector<std::string> FormatNames() {
  std::vector<std::string> names;
  for (const auto& exporter : exporters::Exporters()) names.emplace_back(exporter.name);
  return names;
}

bool IsLocal(const ExportArguments& arguments) {
  return arguments.plan.ends_with(".json") || !arguments.model.empty() || !arguments.calibration.empty();
}

absl::StatusOr<Exported> ExportHere(Session& session, const ExportArguments& arguments) {
  BITPLAN_ASSIGN_OR_RETURN(const auto exporter, exporters::FindExporter(arguments.format));
  BITPLAN_ASSIGN_OR_RETURN(const Plan plan, ReadPlan(session, arguments.plan));
  std::string onnx;
  std::string calibration;
  if (!arguments.model.empty()) {
    BITPLAN_ASSIGN_OR_RETURN(onnx, ReadModel(arguments.model));
  }
  if (!arguments.calibration.empty()) {
    BITPLAN_ASSIGN_OR_RETURN(calibration, ReadCalibration(arguments.calibration));
  }
  const LocalRun run(session, arguments.threads);
  return exporters::Write(exporter, {.plan = plan, .onnx = onnx, .calibration = calibration}, run.context());
}

absl::StatusOr<Exported> ExportThere(const Session& session, const ExportArguments& arguments) {
  Channel channel = session.Connect();
  BITPLAN_ASSIGN_OR_RETURN(const v1::ExportPlanResponse response,
                           channel.ExportPlan(session.globals.NameOf("plans", arguments.plan), arguments.format));
  Exported exported{.bytes = response.content(), .losses = {}};
  for (const v1::ExportLoss& loss : response.losses()) {
    exported.losses.push_back({.layer = loss.layer(),
                               .field = loss.field(),
                               .wanted = loss.wanted(),
                               .written = loss.written(),
                               .reason = loss.reason()});
  }
  return exported;
}

absl::StatusOr<ExitCode> Run(Session& session, const ExportArguments& arguments) {
  BITPLAN_ASSIGN_OR_RETURN(const Exported exported,
                           IsLocal(arguments) ? ExportHere(session, arguments) : ExportThere(session, arguments));
  if (arguments.file.empty()) {
    session.console.Answer(exported.bytes);
  } else {
    BITPLAN_RETURN_IF_ERROR(WriteFile(arguments.file, exported.bytes));
    session.console.Note(fmt::format("Saved as {}", arguments.file));
  }
  const std::string report = session.globals.is_json() ? LossesJson(exported.losses) : RenderLosses(exported.losses);
  if (!report.empty()) session.console.Note(report);
  return ExitCode::kOk;
}

std::string RenderFormats() {
  Table table({{.title = "format"}, {.title = "written against"}, {.title = "needs"}, {.title = "what it is"}});
  for (const auto& exporter : exporters::Exporters()) {
    table.AddRow({std::string(exporter.name), std::string(exporter.written_against),
                  exporter.needs_model ? "model" : "-", std::string(exporter.summary)});
  }
  return table.Render();
}

std::string FormatsJson() {
  nlohmann::ordered_json formats = nlohmann::ordered_json::array();
  for (const auto& exporter : exporters::Exporters()) {
    formats.push_back({{"name", exporter.name},
                       {"written_against", exporter.written_against},
                       {"media_type", exporter.media_type},
                       {"extension", exporter.extension},
                       {"needs_model", exporter.needs_model},
                       {"summary", exporter.summary}});
  }
  return nlohmann::ordered_json{{"formats", std::move(formats)}}.dump(2) + "\n";
}

}  // namespace

Action DeclarePlanExport(CLI::App& app) {
  auto arguments = std::make_shared<ExportArguments>();
  app.add_option("plan", arguments->plan, kPlanHelp)->required();
  app.add_option("--format", arguments->format, "Format of the file; 'plan formats' says what they are")
      ->check(CLI::IsMember(FormatNames()))
      ->capture_default_str();
  app.add_option("--file", arguments->file, "Where to write; else standard output")->type_name("FILE");
  app.add_option("--model", arguments->model,
                 "The ONNX network that the plan is of, for formats that need it; a plan of the server has its own")
      ->check(CLI::ExistingFile)
      ->type_name("FILE");
  app.add_option(
         "--calibration", arguments->calibration,
         "Calibration data, for formats that write the ranges of activations: data.npz, or images.npy,labels.npy")
      ->type_name("FILES");
  AddThreads(app, arguments->threads);
  return [arguments](Session& session) { return Run(session, *arguments); };
}

Action DeclarePlanFormats(CLI::App& /*app*/) {
  return [](Session& session) -> absl::StatusOr<ExitCode> {
    session.console.Answer(session.globals.is_json() ? FormatsJson() : RenderFormats());
    return ExitCode::kOk;
  };
}

}  // namespace bitplan::client
