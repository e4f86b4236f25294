#include "client/exit_code.h"

#include <array>

namespace bitplan::client {
namespace {

constexpr auto kExitCodes = std::to_array<ExitCodeEntry>({
    {ExitCode::kOk, "done; the answer is on standard output"},
    {ExitCode::kFailed, "an error, a job that failed, or a time limit that ended before any plan was found"},
    {ExitCode::kUsage, "the command line is wrong; nothing was done"},
    {ExitCode::kInfeasible,
     "proven: no plan obeys the budgets; the answer says which is short and the least achievable"},
    {ExitCode::kUnavailable, "no server can be reached, or it is going away"},
    {ExitCode::kCancelled, "the job was cancelled, by Ctrl-C or by somebody else"},
    {ExitCode::kInterrupted,
     "Ctrl-C twice (once in job watch): left without waiting; a job on the server may still run"},
});

}  // namespace

std::span<const ExitCodeEntry> ExitCodes() { return kExitCodes; }

ExitCode ExitCodeOf(const absl::Status& status) {
  if (status.ok()) return ExitCode::kOk;
  if (absl::IsCancelled(status)) return ExitCode::kCancelled;
  if (absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status)) return ExitCode::kUnavailable;
  return ExitCode::kFailed;
}

}  // namespace bitplan::client
