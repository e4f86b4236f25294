#include "search/base/run_context.h"

namespace bitplan {

absl::Status RunContext::CheckStop() const {
  if (stop.stop_requested()) return absl::CancelledError("stopped on request");
  if (deadline.has_value() && std::chrono::steady_clock::now() >= *deadline) {
    return absl::DeadlineExceededError("the time limit of the computation has passed");
  }
  return absl::OkStatus();
}

}  // namespace bitplan
