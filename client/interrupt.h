#ifndef BITPLAN_CLIENT_INTERRUPT_H_
#define BITPLAN_CLIENT_INTERRUPT_H_

#include <stop_token>
#include <thread>

namespace bitplan::client {

// Ctrl-C (SIGINT) and SIGTERM as a stop token: the first one requests stop, callbacks of the token run on a thread of
// their own (not in a signal handler); the second one ends the process with ExitCode::kInterrupted.
//
// Make one at the start of main, before any other thread exists: it blocks both signals for all threads to come. At
// most one at a time.
class Interrupt {
 public:
  Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;
  // Ends the thread; the signals stay blocked.
  ~Interrupt() = default;

  std::stop_token token() const { return source_.get_token(); }

 private:
  std::stop_source source_;
  std::jthread waiter_;
};

}  // namespace bitplan::client

#endif  // BITPLAN_CLIENT_INTERRUPT_H_
