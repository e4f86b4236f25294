#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <ctime>
#include <thread>

#include "client/files.h"
#include "client/model_file.h"
#include "client/plan_output.h"
#include "client/progress.h"
#include "client/search_options.h"
#include "search/base/status.h"
#include "search/hardware/shipped_profiles.h"
#include "search/pipeline/run_search.h"
#include "search/sensitivity/given.h"

namespace bitplan::client {
namespace {

constexpr double kDefaultTimeLimitSeconds = 60;  // of solving, as for a job on a server

std::string Now() { return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr))); }

absl::StatusOr<HardwareProfile> ReadProfile(const std::string& hardware) {
  if (!hardware.ends_with(".json")) return hardware::FindShippedProfile(hardware);
  BITPLAN_ASSIGN_OR_RETURN(const std::string json, ReadFile(hardware));
  return hardware::ParseProfile(json);
}

absl::StatusOr<Measurement> MeasureModel(const SearchArguments& arguments, const RunContext& context) {
  BITPLAN_ASSIGN_OR_RETURN(const std::string onnx, ReadModel(arguments.model));
  BITPLAN_ASSIGN_OR_RETURN(const std::string npz, ReadCalibration(arguments.calibration));
  BITPLAN_ASSIGN_OR_RETURN(const QuantizationOptions quantization, QuantizationOf(arguments));
  return pipeline::Measure(
      {.onnx = onnx, .dataset = npz, .quantization = quantization, .sensitivity = arguments.sensitivity}, context);
}

absl::StatusOr<Measurement> MeasureOrRead(const SearchArguments& arguments, const RunContext& context) {
  if (arguments.sensitivities.empty()) return MeasureModel(arguments, context);
  BITPLAN_ASSIGN_OR_RETURN(const std::string json, ReadFile(arguments.sensitivities));
  BITPLAN_ASSIGN_OR_RETURN(const GivenSensitivities given, sensitivity::ParseGiven(json));
  return pipeline::FromGiven(given);
}

absl::StatusOr<ExitCode> Run(Session& session, const SearchArguments& arguments) {
  SearchRequest request{.ties = TiesOf(arguments),
                        .leave_out_unpriced = arguments.leave_out_unpriced,
                        .solver = arguments.solver,
                        .created = Now()};
  BITPLAN_ASSIGN_OR_RETURN(request.profile, ReadProfile(arguments.hardware));
  BITPLAN_ASSIGN_OR_RETURN(request.budgets, BudgetsOf(arguments));
  if (!request.solver.time_limit_s.has_value()) request.solver.time_limit_s = kDefaultTimeLimitSeconds;
  BITPLAN_RETURN_IF_ERROR(pipeline::ValidateSearchRequest(request));
  if (!arguments.model.empty()) {
    BITPLAN_ASSIGN_OR_RETURN(const QuantizationOptions quantization, QuantizationOf(arguments));
    BITPLAN_RETURN_IF_ERROR(pipeline::ValidateProfileFor(quantization, request));
  }

  ProgressPrinter progress(session.console);
  const int processors = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  const RunContext context{.stop = session.stop,
                           .progress = [&](const Progress& report) { progress.Show(report); },
                           .num_threads = arguments.threads > 0 ? arguments.threads : processors};
  const std::stop_callback interrupted(session.stop, [&] { session.console.Note("Stopping"); });
  BITPLAN_ASSIGN_OR_RETURN(const Measurement measured, MeasureOrRead(arguments, context));
  BITPLAN_ASSIGN_OR_RETURN(const Plan plan, pipeline::Search(measured, request, context));
  return PrintPlan(session, plan, arguments.save);
}

}  // namespace

Action DeclareLocalSearch(CLI::App& app) {
  return
      [arguments = AddSearchOptions(app, /*on_server=*/false)](Session& session) { return Run(session, *arguments); };
}

}  // namespace bitplan::client
