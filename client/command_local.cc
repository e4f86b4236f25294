#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <memory>
#include <string>
#include <utility>

#include "client/evaluation_output.h"
#include "client/files.h"
#include "client/forecast_output.h"
#include "client/frontier_output.h"
#include "client/local_run.h"
#include "client/model_file.h"
#include "client/plan_output.h"
#include "client/search_options.h"
#include "client/units.h"
#include "proto/convert/frontier.h"
#include "search/base/status.h"
#include "search/data/npz.h"
#include "search/hardware/shipped_profiles.h"
#include "search/pipeline/run_evaluation.h"
#include "search/pipeline/run_frontier.h"
#include "search/pipeline/run_search.h"
#include "search/sensitivity/given.h"
#include "search/sensitivity/importance.h"

namespace bitplan::client {
namespace {

constexpr double kDefaultTimeLimitSeconds = 60;  // of solving, as for a job on a server

std::string Now() { return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr))); }

// The largest resident set of this process so far.
int64_t PeakMemoryBytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} << 10;  // Linux counts KiB
}

absl::StatusOr<HardwareProfile> ReadProfile(const std::string& hardware) {
  if (!hardware.ends_with(".json")) return hardware::FindShippedProfile(hardware);
  BITPLAN_ASSIGN_OR_RETURN(const std::string json, ReadFile(hardware));
  return hardware::ParseProfile(json);
}

// The files of a network and how to measure it.
struct ModelFiles {
  std::string onnx;
  std::string npz;
  MeasureRequest request;  // of the two
};

absl::StatusOr<std::unique_ptr<ModelFiles>> ReadFiles(const SearchArguments& arguments) {
  auto files = std::make_unique<ModelFiles>();
  BITPLAN_ASSIGN_OR_RETURN(files->onnx, ReadModel(arguments.model));
  BITPLAN_ASSIGN_OR_RETURN(files->npz, ReadCalibration(arguments.calibration));
  files->request = {.onnx = files->onnx, .dataset = files->npz, .sensitivity = arguments.sensitivity};
  BITPLAN_ASSIGN_OR_RETURN(files->request.quantization, QuantizationOf(arguments));
  return files;
}

absl::StatusOr<ExitCode> PrintForecast(Session& session, const SearchArguments& arguments, const RunContext& context) {
  BITPLAN_ASSIGN_OR_RETURN(const std::unique_ptr<ModelFiles> files, ReadFiles(arguments));
  BITPLAN_ASSIGN_OR_RETURN(const CostForecast forecast, pipeline::ForecastMeasure(files->request, context));
  session.console.Answer(session.globals.is_json() ? ForecastJson(forecast) : RenderForecast(forecast));
  return ExitCode::kOk;
}

absl::StatusOr<Measurement> MeasureOrRead(const SearchArguments& arguments, const RunContext& context) {
  if (arguments.sensitivities.empty()) {
    BITPLAN_ASSIGN_OR_RETURN(const std::unique_ptr<ModelFiles> files, ReadFiles(arguments));
    return pipeline::Measure(files->request, context);
  }
  BITPLAN_ASSIGN_OR_RETURN(const std::string json, ReadFile(arguments.sensitivities));
  BITPLAN_ASSIGN_OR_RETURN(const GivenSensitivities given, sensitivity::ParseGiven(json));
  return pipeline::FromGiven(given);
}

// What is left open is as the sensitivities were scored, so that prediction and measurement speak of the same.
EvaluationOptions EvaluationOf(const SearchArguments& arguments) {
  const SensitivityOptions& scored = arguments.sensitivity;
  return {.loss = scored.loss,
          .label_smoothing = scored.label_smoothing,
          .max_samples = arguments.evaluation_samples,
          .max_memory_bytes = scored.max_memory_bytes,
          .activation_range = scored.activation_range,
          .quantize_activations = QuantizesActivations(arguments).value_or(scored.quantize_activations)};
}

// Whether the held-out data can be read at all: better known before a long measurement than after it.
absl::Status CheckHeldOut(const SearchArguments& arguments) {
  if (arguments.evaluation.empty()) return absl::OkStatus();
  BITPLAN_ASSIGN_OR_RETURN(const std::string npz, ReadCalibration(arguments.evaluation));
  const absl::Status status = data::ParseNpz(npz).status();
  return status.ok() ? status : WithContext(status, arguments.evaluation);
}

absl::StatusOr<Evaluation> EvaluatePlan(const Plan& plan, const SearchArguments& arguments, const RunContext& context) {
  BITPLAN_ASSIGN_OR_RETURN(const std::string onnx, ReadModel(arguments.model));
  BITPLAN_ASSIGN_OR_RETURN(const std::string held_out, ReadCalibration(arguments.evaluation));
  std::string calibration;
  const EvaluationOptions options = EvaluationOf(arguments);
  const bool weighs = std::ranges::any_of(
      arguments.quantization.schemes, [](const std::string& scheme) { return sensitivity::WantsImportance(scheme); });
  if (options.quantize_activations || weighs) {
    BITPLAN_ASSIGN_OR_RETURN(calibration, ReadCalibration(arguments.calibration));
  }
  return pipeline::Evaluate(
      {.onnx = onnx, .held_out = held_out, .calibration = calibration, .plan = plan, .options = options}, context);
}

// The plan is worth printing whatever comes of its evaluation, Ctrl-C included.
EvaluatedPlan Evaluate(Plan plan, const SearchArguments& arguments, const RunContext& context) {
  EvaluatedPlan evaluated{.plan = std::move(plan)};
  if (!evaluated.plan.has_choice()) return evaluated;
  absl::StatusOr<Evaluation> evaluation = EvaluatePlan(evaluated.plan, arguments, context);
  if (evaluation.ok()) {
    evaluated.evaluation = *std::move(evaluation);
  } else {
    evaluated.error = evaluation.status();
  }
  return evaluated;
}

// What a network will be measured with, checked before that is done.
absl::Status CheckMeasuring(const SearchArguments& arguments, const SearchRequest& request) {
  if (arguments.model.empty()) return absl::OkStatus();
  BITPLAN_ASSIGN_OR_RETURN(const QuantizationOptions quantization, QuantizationOf(arguments));
  BITPLAN_RETURN_IF_ERROR(pipeline::ValidateProfileFor(quantization, request));
  return pipeline::ValidateMethodFor(arguments.sensitivity, request);
}

// The messages that a server would have sent.
v1::Frontier ToMessage(const LossFrontier& found) {
  convert::FrontierMessages messages;
  v1::Frontier frontier;
  *frontier.mutable_terms() = messages.FromTerms(found.terms);
  for (size_t i = 0; i < found.frontier.points.size(); ++i) {
    *frontier.add_points() = messages.FromPoint(found.frontier.points[i], i, found.frontier.points.size());
  }
  *frontier.mutable_summary() = convert::FromSummary(found.frontier);
  return frontier;
}

absl::StatusOr<ExitCode> RunFrontier(Session& session, const FrontierArguments& arguments) {
  BITPLAN_ASSIGN_OR_RETURN(FrontierSearch request, FrontierOf(arguments));
  BITPLAN_ASSIGN_OR_RETURN(request.search.profile, ReadProfile(arguments.search.hardware));
  if (!request.search.solver.time_limit_s.has_value()) request.search.solver.time_limit_s = kDefaultTimeLimitSeconds;
  BITPLAN_RETURN_IF_ERROR(pipeline::ValidateFrontierSearch(request));
  BITPLAN_RETURN_IF_ERROR(CheckMeasuring(arguments.search, pipeline::SearchOfFrontier(request)));
  const LocalRun run(session, arguments.search.threads);
  BITPLAN_ASSIGN_OR_RETURN(const Measurement measured, MeasureOrRead(arguments.search, run.context()));
  BITPLAN_ASSIGN_OR_RETURN(const LossFrontier found, pipeline::ComputeFrontier(measured, request, run.context(), {}));
  return PrintFrontier(session, ToMessage(found), arguments.search.save);
}

absl::StatusOr<ExitCode> Run(Session& session, const SearchArguments& arguments) {
  SearchRequest request{.ties = TiesOf(arguments),
                        .leave_out_unpriced = arguments.leave_out_unpriced,
                        .repair_monotonicity = arguments.repair_monotonicity,
                        .robustness_resamples = arguments.robustness_resamples,
                        .solver = arguments.solver,
                        .untie_activations = arguments.untie_activations,
                        .created = Now()};
  BITPLAN_ASSIGN_OR_RETURN(request.rules, RulesOf(arguments));
  BITPLAN_ASSIGN_OR_RETURN(request.runtime, RuntimeOf(arguments));
  BITPLAN_ASSIGN_OR_RETURN(request.profile, ReadProfile(arguments.hardware));
  BITPLAN_ASSIGN_OR_RETURN(request.budgets, BudgetsOf(arguments));
  if (!request.solver.time_limit_s.has_value()) request.solver.time_limit_s = kDefaultTimeLimitSeconds;
  BITPLAN_RETURN_IF_ERROR(pipeline::ValidateSearchRequest(request));
  BITPLAN_RETURN_IF_ERROR(CheckMeasuring(arguments, request));
  BITPLAN_RETURN_IF_ERROR(CheckHeldOut(arguments));

  const auto begin = std::chrono::steady_clock::now();
  const LocalRun run(session, arguments.threads);
  const RunContext& context = run.context();
  if (arguments.forecast) return PrintForecast(session, arguments, context);
  BITPLAN_ASSIGN_OR_RETURN(const Measurement measured, MeasureOrRead(arguments, context));
  if (!arguments.model.empty()) {
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
    session.console.Note(
        fmt::format("measured in {}, peak memory {}", FormatSeconds(elapsed.count()), FormatBytes(PeakMemoryBytes())));
  }
  BITPLAN_ASSIGN_OR_RETURN(Plan plan, pipeline::Search(measured, request, context));
  if (arguments.evaluation.empty()) return PrintPlan(session, plan, arguments.save);
  return PrintEvaluatedPlan(session, Evaluate(std::move(plan), arguments, context), arguments.save);
}

}  // namespace

Action DeclareLocalFrontier(CLI::App& app) {
  return [arguments = AddFrontierOptions(app, /*on_server=*/false)](Session& session) {
    return RunFrontier(session, *arguments);
  };
}

Action DeclareLocalSearch(CLI::App& app) {
  return
      [arguments = AddSearchOptions(app, /*on_server=*/false)](Session& session) { return Run(session, *arguments); };
}

}  // namespace bitplan::client
