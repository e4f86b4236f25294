#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "client/commands.h"
#include "client/job_watch.h"
#include "client/list_options.h"
#include "client/paging.h"
#include "client/render.h"
#include "search/base/status.h"

namespace bitplan::client {
namespace {

const std::vector<std::string>& StateNames() {
  static const auto& names = *new std::vector<std::string>{"queued", "running", "succeeded", "failed", "cancelled"};
  return names;
}

v1::JobState ParseState(const std::string& name) {
  for (int state = v1::JobState_MIN; state <= v1::JobState_MAX; ++state) {
    if (StateName(static_cast<v1::JobState>(state)) == name) return static_cast<v1::JobState>(state);
  }
  return v1::JOB_STATE_UNSPECIFIED;
}

std::shared_ptr<std::string> AddName(CLI::App& app) {
  auto name = std::make_shared<std::string>();
  app.add_option("job", *name, "Name or id")->required();
  return name;
}

void Print(Session& session, const v1::Job& job) {
  session.console.Answer(session.globals.is_json() ? RenderJson(job) : RenderJob(job));
}

}  // namespace

Action DeclareJobList(CLI::App& app) {
  auto states = std::make_shared<std::vector<std::string>>();
  app.add_option("--state", *states, "Only jobs in these states")
      ->allow_extra_args(false)
      ->delimiter(',')
      ->check(CLI::IsMember(StateNames()))
      ->type_name("STATE,..");
  return [states, limit = AddLimit(app)](Session& session) -> absl::StatusOr<ExitCode> {
    Channel channel = session.Connect();
    v1::ListJobsRequest request;
    request.set_parent(session.globals.parent());
    for (const std::string& state : *states) request.add_states(ParseState(state));
    BITPLAN_ASSIGN_OR_RETURN(
        const auto jobs,
        ListUpTo<v1::ListJobsResponse>(
            *limit, request, session.console, [&](const v1::ListJobsRequest& page) { return channel.ListJobs(page); },
            [](v1::ListJobsResponse& response) { return response.mutable_jobs(); }));
    session.console.Answer(session.globals.is_json() ? RenderJson(jobs) : RenderJobs(jobs));
    return ExitCode::kOk;
  };
}

Action DeclareJobShow(CLI::App& app) {
  return [name = AddName(app)](Session& session) -> absl::StatusOr<ExitCode> {
    Channel channel = session.Connect();
    BITPLAN_ASSIGN_OR_RETURN(const v1::Job job, channel.GetJob(session.globals.NameOf("jobs", *name)));
    Print(session, job);
    return ExitCode::kOk;
  };
}

Action DeclareJobWatch(CLI::App& app) {
  return [name = AddName(app)](Session& session) -> absl::StatusOr<ExitCode> {
    Channel channel = session.Connect();
    const std::string job_name = session.globals.NameOf("jobs", *name);
    const auto job = WatchToEnd(session, channel, job_name, OnInterrupt::kLeave);
    if (absl::IsCancelled(job.status()) && session.stop.stop_requested()) {
      session.console.Note(fmt::format("Left; {} goes on", job_name));
      return ExitCode::kInterrupted;
    }
    BITPLAN_RETURN_IF_ERROR(job.status());
    Print(session, *job);
    BITPLAN_RETURN_IF_ERROR(OutcomeOf(*job));
    return ExitCode::kOk;
  };
}

Action DeclareJobCancel(CLI::App& app) {
  return [name = AddName(app)](Session& session) -> absl::StatusOr<ExitCode> {
    Channel channel = session.Connect();
    BITPLAN_ASSIGN_OR_RETURN(const v1::Job job, channel.CancelJob(session.globals.NameOf("jobs", *name)));
    Print(session, job);
    return ExitCode::kOk;
  };
}

}  // namespace bitplan::client
