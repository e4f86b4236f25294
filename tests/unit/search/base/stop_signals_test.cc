#include "search/base/stop_signals.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace bitplan {
namespace {

// A thread that was there first must neither end the process nor keep the signal. Ends with 42 if both signals arrive.
void WaitBesideAnOlderThread() {
  std::atomic<bool> running = false;
  std::thread([&] {
    running = true;
    for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
  }).detach();
  while (!running) std::this_thread::yield();
  const sigset_t signals = BlockStopSignals();
  for (const int wanted : {SIGINT, SIGTERM, SIGINT}) {
    kill(getpid(), wanted);
    int got = 0;
    sigwait(&signals, &got);
    if (got != wanted) _exit(1);
  }
  _exit(42);
}

TEST(StopSignals, ReachTheWaiterThoughAnOlderThreadTakesThem) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(WaitBesideAnOlderThread(), ::testing::ExitedWithCode(42), "");
}

}  // namespace
}  // namespace bitplan
