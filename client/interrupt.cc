#include "client/interrupt.h"

#include <unistd.h>

#include <csignal>
#include <ctime>

#include "client/exit_code.h"
#include "search/base/stop_signals.h"

namespace bitplan::client {
namespace {

constexpr timespec kPollInterval = {.tv_sec = 0, .tv_nsec = 100'000'000};  // how soon the thread notices its own end

void WaitForSignals(const std::stop_token& end, const std::stop_source& source, const sigset_t& signals) {
  while (!end.stop_requested()) {
    if (sigtimedwait(&signals, nullptr, &kPollInterval) <= 0) continue;
    if (source.stop_requested()) _exit(static_cast<int>(ExitCode::kInterrupted));
    // Callbacks may take their time (they ask the server to cancel), and a second signal must still get through.
    std::thread([source = source]() mutable { source.request_stop(); }).detach();
    // Counts as requested from here on, also for the next turn of this loop.
    while (!source.stop_requested()) std::this_thread::yield();
  }
}

}  // namespace

Interrupt::Interrupt() {
  const sigset_t signals = BlockStopSignals();
  waiter_ =
      std::jthread([source = source_, signals](const std::stop_token& end) { WaitForSignals(end, source, signals); });
}

}  // namespace bitplan::client
