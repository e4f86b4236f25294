#include "search/base/stop_signals.h"

#include <ucontext.h>
#include <unistd.h>

namespace bitplan {
namespace {

sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

// Runs in a thread that should not have been asked. Calls nothing but async-signal-safe functions.
void PassOn(int signal, siginfo_t* /*info*/, void* context) {
  auto* interrupted = static_cast<ucontext_t*>(context);  // its mask is the thread's again when this returns
  sigaddset(&interrupted->uc_sigmask, SIGINT);
  sigaddset(&interrupted->uc_sigmask, SIGTERM);
  kill(getpid(), signal);
}

}  // namespace

sigset_t BlockStopSignals() {
  const sigset_t signals = StopSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  struct sigaction action = {};
  action.sa_sigaction = &PassOn;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  action.sa_mask = signals;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  return signals;
}

}  // namespace bitplan
