#include "server/service/job_runner.h"

#include "proto/convert/evaluation.h"
#include "proto/convert/field_path.h"
#include "proto/convert/measurement.h"
#include "search/base/status.h"
#include "search/pipeline/run_search.h"
#include "server/jobs/run_job.h"
#include "server/service/evaluations.h"
#include "server/service/measurements.h"
#include "server/service/names.h"
#include "server/service/plans.h"
#include "server/service/resources.h"
#include "server/service/status_map.h"

namespace bitplan::service {
namespace {

// Where the finished plan's name is kept, so that a run that follows a stopped one evaluates the plan that it found.
constexpr std::string_view kPlanCheckpoint = "job/plan";

absl::StatusOr<store::Resource> FindMeasurement(Backend& backend, std::string_view project, std::string_view name) {
  return FindInProject(backend, project, "measurement", name, "measurements");
}

// What a search has measured: where it lists no widths those of its device.
v1::MeasureSpec MeasureSpecOf(const v1::SearchSpec& spec, const HardwareProfile& profile) {
  v1::MeasureSpec measure = spec.measure();
  const v1::OptionSpace& listed = measure.config().options();
  if (listed.weight_bits_size() > 0 || listed.activation_bits() != 0 || listed.activation_widths_size() > 0) {
    return measure;
  }
  const QuantizationOptions defaults;
  const QuantizationOptions options = pipeline::DefaultWidthsFor(profile, defaults);
  if (options.weight_bits == defaults.weight_bits && options.activation_bits == defaults.activation_bits) {
    return measure;
  }
  v1::OptionSpace& space = *measure.mutable_config()->mutable_options();
  space.mutable_weight_bits()->Add(options.weight_bits.begin(), options.weight_bits.end());
  space.mutable_activation_widths()->Add(options.activation_bits.begin(), options.activation_bits.end());
  return measure;
}

// How the measurement of a search is or will be made; empty for an imported one.
absl::StatusOr<v1::MeasureSpec> CheckSource(Backend& backend, std::string_view project, const v1::SearchSpec& spec) {
  switch (spec.source_case()) {
    case v1::SearchSpec::kMeasurement: {
      BITPLAN_ASSIGN_OR_RETURN(const store::Resource measurement,
                               FindMeasurement(backend, project, spec.measurement()));
      return SpecOf(measurement);
    }
    case v1::SearchSpec::kMeasure:
      BITPLAN_RETURN_IF_ERROR(convert::AtField("measure", CheckMeasureSpec(backend, project, spec.measure()).status()));
      return spec.measure();
    case v1::SearchSpec::SOURCE_NOT_SET:
      break;
  }
  return InvalidArgument("source: got nothing, want measurement or measure");
}

absl::Status CheckSearchSpec(Backend& backend, std::string_view project, const v1::SearchSpec& spec) {
  BITPLAN_ASSIGN_OR_RETURN(const v1::MeasureSpec measured, CheckSource(backend, project, spec));
  if (spec.has_evaluation()) {
    BITPLAN_RETURN_IF_ERROR(
        convert::AtField("evaluation", PrepareEvaluation(backend, project, spec.evaluation(), measured).status()));
  }
  const auto search = PrepareSearch(backend, project, spec.config(), kJobTimeLimitSeconds);
  if (!search.ok()) return convert::AtField("config", search.status());
  if (!spec.has_measure()) return absl::OkStatus();
  const v1::MeasureSpec measure = MeasureSpecOf(spec, search->request.profile);
  BITPLAN_ASSIGN_OR_RETURN(const auto quantization, convert::ToQuantizationOptions(measure.config()));
  BITPLAN_RETURN_IF_ERROR(convert::AtField("config", pipeline::ValidateProfileFor(quantization, search->request)));
  BITPLAN_ASSIGN_OR_RETURN(const auto sensitivity, convert::ToSensitivityOptions(measure.config()));
  return convert::AtField("config", pipeline::ValidateMethodFor(sensitivity, search->request));
}

// A job at work. What it points to must outlive it.
struct Work {
  Backend& backend;
  const store::JobRecord& record;
  const v1::Job& job;  // with display_name and spec
  const RunContext& context;

  const std::string& project() const { return record.key.project; }
};

absl::StatusOr<store::Resource> MeasurementOf(const Work& work) {
  const v1::Job& job = work.job;
  if (job.has_measure()) return MeasureOnce(work.backend, work.project(), job.measure(), work.context);
  if (job.search().has_measure()) {
    BITPLAN_ASSIGN_OR_RETURN(const PreparedSearch search,
                             PrepareSearch(work.backend, work.project(), job.search().config(), kJobTimeLimitSeconds));
    return MeasureOnce(work.backend, work.project(), MeasureSpecOf(job.search(), search.request.profile), work.context);
  }
  return FindMeasurement(work.backend, work.project(), job.search().measurement());
}

absl::StatusOr<store::Resource> Solve(const Work& work, const store::Resource& measurement) {
  BITPLAN_ASSIGN_OR_RETURN(
      const PreparedSearch search,
      PrepareSearch(work.backend, work.project(), work.job.search().config(), kJobTimeLimitSeconds));
  BITPLAN_ASSIGN_OR_RETURN(SolvedPlan solved, SolveOn(work.backend, measurement, search, work.context));
  // A solver that was stopped has an answer all the same; the job must not keep it.
  if (work.context.stop.stop_requested()) return absl::CancelledError("stopped while solving");
  solved.message.set_display_name(work.job.display_name());
  return StorePlan(work.backend, work.project(), solved);
}

// The plan that an earlier attempt of this job found. kNotFound.
absl::StatusOr<store::Resource> FindSolved(const Work& work) {
  CheckpointStore* const checkpoints = work.context.checkpoints;
  const std::optional<std::string> name = checkpoints == nullptr ? std::nullopt : checkpoints->Load(kPlanCheckpoint);
  if (!name) return NotFound("no earlier attempt of {} has found a plan", store::JobName(work.record.key));
  BITPLAN_ASSIGN_OR_RETURN(const store::ResourceKey key, ParseName("plan", *name, "plans"));
  return GetResource(work.backend, key);
}

absl::StatusOr<Evaluation> Evaluate(const Work& work, const store::Resource& measurement, const Plan& plan) {
  BITPLAN_ASSIGN_OR_RETURN(const v1::MeasureSpec measured, SpecOf(measurement));
  BITPLAN_ASSIGN_OR_RETURN(const PreparedEvaluation prepared,
                           PrepareEvaluation(work.backend, work.project(), work.job.search().evaluation(), measured));
  return EvaluateNow(work.backend, prepared, plan, work.context);
}

// Runs the plan on held-out data and puts what comes of it into `result`. The plan is worth keeping whatever happens
// here, so only a request to stop is an error.
absl::Status AddEvaluation(const Work& work, const store::Resource& measurement, const store::Resource& stored_plan,
                           v1::Job& result) {
  BITPLAN_ASSIGN_OR_RETURN(const Plan plan, LoadPlan(work.backend, stored_plan));
  if (!plan.has_choice()) return absl::OkStatus();
  const absl::Status status = jobs::Guarded("the evaluation", [&]() -> absl::Status {
    BITPLAN_ASSIGN_OR_RETURN(const Evaluation evaluation, Evaluate(work, measurement, plan));
    *result.mutable_evaluation() = convert::FromEvaluation(evaluation);
    return absl::OkStatus();
  });
  if (status.ok()) return absl::OkStatus();
  if (work.context.stop.stop_requested()) return absl::CancelledError("stopped while evaluating");
  *result.mutable_evaluation_error() = ToRpcStatus(status);
  return absl::OkStatus();
}

// A process that ended in the evaluation (out of memory, as a rule) is likely to end in the next one too, until the job
// is given up together with its plan: so the last attempt leaves the evaluation out.
absl::Status EvaluationGivenUp(const store::JobRecord& record) {
  if (record.crashes + 1 < jobs::JobManagerOptions().max_crashes) return absl::OkStatus();
  return absl::AbortedError(fmt::format(
      "the server process ended during {} attempts of this job; the plan is kept, but not evaluated", record.crashes));
}

absl::Status RunSearch(const Work& work, const store::Resource& measurement, v1::Job& result) {
  absl::StatusOr<store::Resource> plan = FindSolved(work);
  const bool was_evaluating = plan.ok();
  if (absl::IsNotFound(plan.status())) plan = Solve(work, measurement);
  BITPLAN_RETURN_IF_ERROR(plan.status());
  result.set_plan(store::ResourceName(plan->key));
  if (!work.job.search().has_evaluation()) return absl::OkStatus();
  if (work.context.checkpoints != nullptr) work.context.checkpoints->Save(kPlanCheckpoint, result.plan());
  if (const absl::Status given_up = EvaluationGivenUp(work.record); was_evaluating && !given_up.ok()) {
    *result.mutable_evaluation_error() = ToRpcStatus(given_up);
    return absl::OkStatus();
  }
  return AddEvaluation(work, measurement, *plan, result);
}

}  // namespace

absl::Status CheckJobSpec(Backend& backend, std::string_view project, const v1::Job& job) {
  switch (job.spec_case()) {
    case v1::Job::kMeasure:
      return convert::AtField("measure", CheckMeasureSpec(backend, project, job.measure()).status());
    case v1::Job::kSearch:
      return convert::AtField("search", CheckSearchSpec(backend, project, job.search()));
    case v1::Job::SPEC_NOT_SET:
      break;
  }
  return InvalidArgument("spec: got nothing, want measure or search");
}

absl::StatusOr<jobs::JobResult> RunJob(Backend& backend, const store::JobRecord& record, const RunContext& context) {
  v1::Job job;
  if (!job.ParseFromString(record.spec)) return DataLoss("spec of {} is unreadable", store::JobName(record.key));
  const Work work{.backend = backend, .record = record, .job = job, .context = context};
  BITPLAN_ASSIGN_OR_RETURN(const store::Resource measurement, MeasurementOf(work));
  v1::Job result;
  result.set_measurement(store::ResourceName(measurement.key));
  if (job.has_search()) BITPLAN_RETURN_IF_ERROR(RunSearch(work, measurement, result));
  return jobs::JobResult{.result = SerializeDeterministically(result)};
}

}  // namespace bitplan::service
