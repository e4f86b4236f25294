#include "client/job_watch.h"

#include <fmt/format.h>

#include "client/progress.h"
#include "client/render.h"
#include "client/rpc_error.h"
#include "search/base/status.h"

namespace bitplan::client {
namespace {

void ShowStateChange(Console& console, const v1::Job& job) {
  if (job.awaiting_worker()) {
    console.Note(
        fmt::format("The server took the job back into its queue; attempt {} waits for a worker", job.attempt()));
  } else if (job.state() == v1::JOB_STATE_QUEUED) {
    console.StatusLine("queued");
  }
}

void AskToCancel(Console& console, Channel& channel, const std::string& job) {
  console.Note(fmt::format("Asking the server to cancel {}; Ctrl-C again leaves without waiting", job));
  const absl::StatusOr<v1::Job> answer = channel.CancelJob(job);
  // A job that has finished meanwhile is no news: the watch tells how.
  if (!answer.ok() && !absl::IsFailedPrecondition(answer.status())) console.Error(answer.status());
}

}  // namespace

absl::StatusOr<v1::Job> WatchToEnd(Session& session, Channel& channel, const std::string& job,
                                   OnInterrupt on_interrupt) {
  Console& console = session.console;
  ProgressPrinter progress(console);
  std::stop_source leave;
  const std::stop_callback interrupted(session.stop, [&] {
    if (on_interrupt == OnInterrupt::kLeave) {
      leave.request_stop();
    } else {
      AskToCancel(console, channel, job);
    }
  });
  const std::string lost = fmt::format("Lost the connection to {}; trying again", channel.server());
  bool told_lost = false;
  auto finished = channel.WatchJob({.name = job,
                                    .on_event =
                                        [&](const v1::JobEvent& event) {
                                          told_lost = false;
                                          if (event.has_state_change()) ShowStateChange(console, event.state_change());
                                          if (event.has_progress()) progress.Show(ProgressView::Of(event.progress()));
                                        },
                                    .on_lost =
                                        [&] {
                                          if (!told_lost) console.Note(lost);
                                          told_lost = true;
                                        },
                                    .leave = leave.get_token()});
  console.ClearStatusLine();
  return finished;
}

absl::Status OutcomeOf(const v1::Job& job) {
  switch (job.state()) {
    case v1::JOB_STATE_FAILED:
      return WithContext(ToStatus(job.error()), fmt::format("{} failed", job.name()));
    case v1::JOB_STATE_CANCELLED:
      return absl::CancelledError(fmt::format("{} was cancelled", job.name()));
    default:
      return absl::OkStatus();
  }
}

}  // namespace bitplan::client
