#include "client/local_run.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <thread>

namespace bitplan::client {
namespace {

int Processors() { return static_cast<int>(std::max(1U, std::thread::hardware_concurrency())); }

}  // namespace

LocalRun::LocalRun(Session& session, int num_threads)
    : progress_(session.console),
      context_{.stop = session.stop,
               .progress = [this](const Progress& report) { progress_.Show(report); },
               .num_threads = num_threads > 0 ? num_threads : Processors()},
      interrupted_(session.stop, [&session] { session.console.Note("Stopping"); }) {}

void AddThreads(CLI::App& app, int& num_threads) {
  app.add_option("--threads", num_threads, "Threads; changes no result bit; 0: all processors")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
}

}  // namespace bitplan::client
