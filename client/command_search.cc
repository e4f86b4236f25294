#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "client/evaluation_output.h"
#include "client/files.h"
#include "client/frontier_output.h"
#include "client/job_watch.h"
#include "client/model_file.h"
#include "client/plan_output.h"
#include "client/plan_source.h"
#include "client/render.h"
#include "client/rpc_error.h"
#include "client/search_options.h"
#include "client/top_plans_output.h"
#include "client/upload.h"
#include "proto/convert/evaluation.h"
#include "proto/convert/measurement.h"
#include "proto/convert/plan.h"
#include "proto/convert/ties.h"
#include "search/base/status.h"

namespace bitplan::client {
namespace {

absl::Status SetHardware(const std::string& hardware, v1::SearchConfig& config) {
  if (!hardware.ends_with(".json")) {
    config.set_profile(hardware);
    return absl::OkStatus();
  }
  BITPLAN_ASSIGN_OR_RETURN(*config.mutable_profile_json(), ReadFile(hardware));
  return absl::OkStatus();
}

absl::Status SetRuntime(const std::string& runtime, v1::SearchConfig& config) {
  if (!runtime.ends_with(".json")) {
    config.set_runtime(runtime);
    return absl::OkStatus();
  }
  BITPLAN_ASSIGN_OR_RETURN(*config.mutable_runtime_json(), ReadFile(runtime));
  return absl::OkStatus();
}

void SetSolver(const SolverOptions& options, v1::SolverConfig& solver) {
  solver.set_solver(options.solver);
  solver.set_relative_gap(options.relative_gap);
  if (!options.time_limit_s.has_value()) return;
  double seconds = 0;
  const double part = std::modf(*options.time_limit_s, &seconds);
  solver.mutable_time_limit()->set_seconds(static_cast<int64_t>(seconds));
  solver.mutable_time_limit()->set_nanos(static_cast<int32_t>(part * 1e9));
}

absl::StatusOr<v1::SearchConfig> MakeConfig(const SearchArguments& arguments) {
  v1::SearchConfig config;
  BITPLAN_RETURN_IF_ERROR(SetHardware(arguments.hardware, config));
  BITPLAN_ASSIGN_OR_RETURN(const auto budgets, BudgetsOf(arguments));
  for (const BudgetSpec& budget : budgets) *config.add_budgets() = convert::FromBudget(budget);
  convert::FromTies(TiesOf(arguments), config.mutable_ties());
  SetSolver(arguments.solver, *config.mutable_solver());
  config.set_leave_out_unpriced(arguments.leave_out_unpriced);
  config.set_repair_monotonicity(arguments.repair_monotonicity);
  BITPLAN_ASSIGN_OR_RETURN(const auto rules, RulesOf(arguments));
  for (const WidthRule& rule : rules) *config.add_rules() = convert::FromWidthRule(rule);
  config.set_untie_activations(arguments.untie_activations);
  config.set_robustness_resamples(arguments.robustness_resamples);
  BITPLAN_RETURN_IF_ERROR(SetRuntime(arguments.runtime, config));
  return config;
}

// Lines to copy: the program and the server as they were called now.
void NoteNextSteps(Session& session, const v1::Job& job, bool has_choice) {
  const std::string where = session.globals.NonDefaults();
  session.console.Note("");
  session.console.Note("Next, without measuring again:");
  session.console.Note(fmt::format("  {} search --measurement {} --budget size=0.4x{}", session.program,
                                   IdOf(job.measurement()), where));
  if (!has_choice) return;
  session.console.Note(fmt::format("  {} plan export {} --format csv{}", session.program, IdOf(job.plan()), where));
}

// Uploads the held-out data.
absl::StatusOr<v1::EvaluationSpec> UploadEvaluation(Session& session, Channel& channel,
                                                    const SearchArguments& arguments) {
  BITPLAN_ASSIGN_OR_RETURN(const std::string npz, ReadCalibration(arguments.evaluation));
  BITPLAN_ASSIGN_OR_RETURN(const v1::Dataset dataset,
                           UploadDataset(session, channel, npz, CalibrationName(arguments.evaluation)));
  v1::EvaluationSpec spec;
  spec.set_dataset(dataset.name());
  if (const auto quantize = QuantizesActivations(arguments)) spec.set_quantize_activations(*quantize);
  spec.set_max_samples(arguments.evaluation_samples);
  spec.set_max_memory_bytes(arguments.sensitivity.max_memory_bytes);
  return spec;
}

// The plan of a job that has succeeded, and what came of its evaluation.
absl::StatusOr<EvaluatedPlan> FetchResult(Channel& channel, const v1::Job& job) {
  EvaluatedPlan result;
  BITPLAN_ASSIGN_OR_RETURN(result.plan, FetchPlan(channel, job.plan()));
  if (job.has_evaluation()) {
    BITPLAN_ASSIGN_OR_RETURN(result.evaluation, convert::ToEvaluation(job.evaluation()));
  }
  if (job.has_evaluation_error()) result.error = ToStatus(job.evaluation_error());
  return result;
}

// Queues the job, watches it and prints what it made.
absl::StatusOr<ExitCode> RunJob(Session& session, Channel& channel, const SearchArguments& arguments,
                                v1::SearchSpec search) {
  if (!arguments.evaluation.empty()) {
    BITPLAN_ASSIGN_OR_RETURN(*search.mutable_evaluation(), UploadEvaluation(session, channel, arguments));
  }
  v1::CreateJobRequest request;
  request.set_parent(session.globals.parent());
  request.set_request_id(NewRequestId());
  request.mutable_job()->set_display_name(BaseName(arguments.model));
  request.mutable_job()->mutable_search()->Swap(&search);
  BITPLAN_ASSIGN_OR_RETURN(const v1::Job queued, channel.CreateJob(request));
  session.console.Note(fmt::format("Queued {}", queued.name()));

  BITPLAN_ASSIGN_OR_RETURN(const v1::Job job, WatchToEnd(session, channel, queued.name(), OnInterrupt::kCancelJob));
  BITPLAN_RETURN_IF_ERROR(OutcomeOf(job));
  session.console.Note("");
  BITPLAN_ASSIGN_OR_RETURN(const EvaluatedPlan result, FetchResult(channel, job));
  absl::StatusOr<ExitCode> code = arguments.evaluation.empty() ? PrintPlan(session, result.plan, arguments.save)
                                                               : PrintEvaluatedPlan(session, result, arguments.save);
  NoteNextSteps(session, job, result.plan.has_choice());
  return code;
}

// Uploads, and has a job measure and solve.
absl::StatusOr<ExitCode> SearchModel(Session& session, Channel& channel, const SearchArguments& arguments) {
  BITPLAN_ASSIGN_OR_RETURN(const std::string onnx, ReadModel(arguments.model));
  BITPLAN_ASSIGN_OR_RETURN(const std::string npz, ReadCalibration(arguments.calibration));
  BITPLAN_ASSIGN_OR_RETURN(const QuantizationOptions quantization, QuantizationOf(arguments));
  v1::SearchSpec search;
  BITPLAN_ASSIGN_OR_RETURN(*search.mutable_config(), MakeConfig(arguments));
  BITPLAN_ASSIGN_OR_RETURN(const v1::Model model, UploadModel(session, channel, onnx, BaseName(arguments.model)));
  BITPLAN_ASSIGN_OR_RETURN(const v1::Dataset dataset,
                           UploadDataset(session, channel, npz, CalibrationName(arguments.calibration)));
  search.mutable_measure()->set_model(model.name());
  search.mutable_measure()->set_dataset(dataset.name());
  *search.mutable_measure()->mutable_config() = convert::FromOptions(quantization, arguments.sensitivity);
  return RunJob(session, channel, arguments, std::move(search));
}

// Answers at once; an evaluation takes a job.
absl::StatusOr<ExitCode> SearchMeasurement(Session& session, Channel& channel, const std::string& measurement,
                                           const SearchArguments& arguments) {
  if (!arguments.evaluation.empty()) {
    v1::SearchSpec search;
    search.set_measurement(measurement);
    BITPLAN_ASSIGN_OR_RETURN(*search.mutable_config(), MakeConfig(arguments));
    return RunJob(session, channel, arguments, std::move(search));
  }
  v1::SearchRequest request;
  request.set_measurement(measurement);
  request.set_store(true);
  BITPLAN_ASSIGN_OR_RETURN(*request.mutable_config(), MakeConfig(arguments));
  BITPLAN_ASSIGN_OR_RETURN(const v1::Plan stored, channel.Search(request));
  BITPLAN_ASSIGN_OR_RETURN(const Plan plan, FetchPlan(channel, stored.name()));
  return PrintPlan(session, plan, arguments.save);
}

absl::StatusOr<std::string> ImportGiven(Session& session, Channel& channel, const SearchArguments& arguments) {
  v1::ImportMeasurementRequest request;
  request.set_parent(session.globals.parent());
  request.set_request_id(NewRequestId());
  request.set_display_name(BaseName(arguments.sensitivities));
  BITPLAN_ASSIGN_OR_RETURN(*request.mutable_json(), ReadFile(arguments.sensitivities));
  BITPLAN_ASSIGN_OR_RETURN(const v1::Measurement measurement, channel.ImportMeasurement(request));
  session.console.Note(fmt::format("Imported {}", measurement.name()));
  return measurement.name();
}

// Of what is on the server, or of sensitivities that go there first.
absl::StatusOr<std::string> MeasurementOf(Session& session, Channel& channel, const SearchArguments& arguments) {
  if (!arguments.sensitivities.empty()) return ImportGiven(session, channel, arguments);
  return session.globals.NameOf("measurements", arguments.measurement);
}

absl::StatusOr<ExitCode> Run(Session& session, const SearchArguments& arguments) {
  Channel channel = session.Connect();
  if (!arguments.model.empty()) return SearchModel(session, channel, arguments);
  BITPLAN_ASSIGN_OR_RETURN(const std::string measurement, MeasurementOf(session, channel, arguments));
  return SearchMeasurement(session, channel, measurement, arguments);
}

absl::StatusOr<v1::ComputeFrontierRequest> MakeFrontierRequest(Session& session, Channel& channel,
                                                               const FrontierArguments& arguments) {
  v1::ComputeFrontierRequest request;
  BITPLAN_ASSIGN_OR_RETURN(const FrontierSearch search, FrontierOf(arguments));
  BITPLAN_ASSIGN_OR_RETURN(*request.mutable_config(), MakeConfig(arguments.search));
  request.set_resource(arguments.resource);
  request.set_num_points(arguments.num_points);
  for (const BudgetSpec& limit : search.limits) *request.add_limits() = convert::FromBudget(limit);
  request.set_complete(arguments.complete);
  BITPLAN_ASSIGN_OR_RETURN(*request.mutable_measurement(), MeasurementOf(session, channel, arguments.search));
  return request;
}

absl::StatusOr<ExitCode> RunFrontier(Session& session, const FrontierArguments& arguments) {
  Channel channel = session.Connect();
  BITPLAN_ASSIGN_OR_RETURN(const v1::ComputeFrontierRequest request, MakeFrontierRequest(session, channel, arguments));
  int found = 0;
  const auto on_update = [&](const v1::FrontierUpdate& update) {
    if (!update.has_point()) return;
    session.console.StatusLine(fmt::format("{} of {} points", ++found, update.point().count()));
  };
  BITPLAN_ASSIGN_OR_RETURN(const v1::Frontier frontier, channel.ComputeFrontier(request, on_update));
  return PrintFrontier(session, frontier, arguments.search.save);
}

absl::StatusOr<ExitCode> RunTopPlans(Session& session, const TopPlansArguments& arguments) {
  Channel channel = session.Connect();
  v1::FindTopPlansRequest request;
  BITPLAN_ASSIGN_OR_RETURN(*request.mutable_config(), MakeConfig(arguments.search));
  request.set_count(arguments.top.count);
  request.set_distance(arguments.top.distance);
  request.set_store(arguments.store);
  BITPLAN_ASSIGN_OR_RETURN(*request.mutable_measurement(), MeasurementOf(session, channel, arguments.search));
  BITPLAN_ASSIGN_OR_RETURN(const v1::TopPlans top, channel.FindTopPlans(request));
  return PrintTopPlans(session, top);
}

}  // namespace

Action DeclareTop(CLI::App& app) {
  return [arguments = AddTopPlansOptions(app, /*on_server=*/true)](Session& session) {
    return RunTopPlans(session, *arguments);
  };
}

Action DeclareFrontier(CLI::App& app) {
  return [arguments = AddFrontierOptions(app, /*on_server=*/true)](Session& session) {
    return RunFrontier(session, *arguments);
  };
}

Action DeclareSearch(CLI::App& app) {
  return [arguments = AddSearchOptions(app, /*on_server=*/true)](Session& session) { return Run(session, *arguments); };
}

}  // namespace bitplan::client
