#ifndef BITPLAN_CLIENT_EXIT_CODE_H_
#define BITPLAN_CLIENT_EXIT_CODE_H_

#include <span>
#include <string_view>

#include "absl/status/status.h"

namespace bitplan::client {

// What the process answers to its caller. The numbers are a promise to scripts (docs/cli.md).
enum class ExitCode {
  kOk = 0,
  kFailed = 1,
  kUsage = 2,
  kInfeasible = 3,
  kUnavailable = 4,
  kCancelled = 5,
  kInterrupted = 130,
};

struct ExitCodeEntry {
  ExitCode code;
  std::string_view meaning;
};

// The only list of exit codes; --help prints it.
std::span<const ExitCodeEntry> ExitCodes();

// What an error means for the caller: kUnavailable for a server that cannot be reached, is going away or too slow,
// kCancelled, else kFailed. OK is kOk.
ExitCode ExitCodeOf(const absl::Status& status);

}  // namespace bitplan::client

#endif  // BITPLAN_CLIENT_EXIT_CODE_H_
