#include "server/service/job_runner.h"

#include "proto/convert/field_path.h"
#include "proto/convert/measurement.h"
#include "search/base/status.h"
#include "search/pipeline/run_search.h"
#include "server/service/measurements.h"
#include "server/service/names.h"
#include "server/service/plans.h"
#include "server/service/resources.h"

namespace bitplan::service {
namespace {

absl::StatusOr<store::Resource> FindMeasurement(Backend& backend, std::string_view project, std::string_view name) {
  BITPLAN_ASSIGN_OR_RETURN(const store::ResourceKey key, ParseName("measurement", name, "measurements"));
  if (key.project != project) {
    return InvalidArgument("measurement: got one of projects/{}, want one of projects/{}", key.project, project);
  }
  auto resource = GetResource(backend, key);
  if (!resource.ok()) return WithContext(resource.status(), "measurement");
  return resource;
}

absl::Status CheckSource(Backend& backend, std::string_view project, const v1::SearchSpec& spec) {
  switch (spec.source_case()) {
    case v1::SearchSpec::kMeasurement:
      return FindMeasurement(backend, project, spec.measurement()).status();
    case v1::SearchSpec::kMeasure:
      return convert::AtField("measure", CheckMeasureSpec(backend, project, spec.measure()).status());
    case v1::SearchSpec::SOURCE_NOT_SET:
      break;
  }
  return InvalidArgument("source: got nothing, want measurement or measure");
}

absl::Status CheckSearchSpec(Backend& backend, std::string_view project, const v1::SearchSpec& spec) {
  BITPLAN_RETURN_IF_ERROR(CheckSource(backend, project, spec));
  const auto search = PrepareSearch(backend, project, spec.config(), kJobTimeLimitSeconds);
  if (!search.ok()) return convert::AtField("config", search.status());
  if (!spec.has_measure()) return absl::OkStatus();
  BITPLAN_ASSIGN_OR_RETURN(const auto quantization, convert::ToQuantizationOptions(spec.measure().config()));
  return convert::AtField("config", pipeline::ValidateProfileFor(quantization, search->request));
}

absl::StatusOr<store::Resource> MeasurementOf(Backend& backend, std::string_view project, const v1::Job& job,
                                              const RunContext& context) {
  if (job.has_measure()) return MeasureOnce(backend, project, job.measure(), context);
  if (job.search().has_measure()) return MeasureOnce(backend, project, job.search().measure(), context);
  return FindMeasurement(backend, project, job.search().measurement());
}

absl::StatusOr<store::Resource> Solve(Backend& backend, std::string_view project, const v1::Job& job,
                                      const store::Resource& measurement, const RunContext& context) {
  BITPLAN_ASSIGN_OR_RETURN(const PreparedSearch search,
                           PrepareSearch(backend, project, job.search().config(), kJobTimeLimitSeconds));
  BITPLAN_ASSIGN_OR_RETURN(SolvedPlan solved, SolveOn(backend, measurement, search, context));
  // A solver that was stopped has an answer all the same; the job must not keep it.
  if (context.stop.stop_requested()) return absl::CancelledError("stopped while solving");
  solved.message.set_display_name(job.display_name());
  return StorePlan(backend, project, solved);
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
  const std::string& project = record.key.project;
  v1::Job job;
  if (!job.ParseFromString(record.spec)) return DataLoss("spec of {} is unreadable", store::JobName(record.key));
  BITPLAN_ASSIGN_OR_RETURN(const store::Resource measurement, MeasurementOf(backend, project, job, context));
  v1::Job result;
  result.set_measurement(store::ResourceName(measurement.key));
  if (job.has_search()) {
    BITPLAN_ASSIGN_OR_RETURN(const store::Resource plan, Solve(backend, project, job, measurement, context));
    result.set_plan(store::ResourceName(plan.key));
  }
  return jobs::JobResult{.result = SerializeDeterministically(result)};
}

}  // namespace bitplan::service
