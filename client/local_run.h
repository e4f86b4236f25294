#ifndef BITPLAN_CLIENT_LOCAL_RUN_H_
#define BITPLAN_CLIENT_LOCAL_RUN_H_

#include <functional>
#include <stop_token>

#include "client/commands.h"
#include "client/progress.h"
#include "search/base/run_context.h"

namespace CLI {
class App;
}  // namespace CLI

namespace bitplan::client {

// What a command that computes in this process runs with: progress on the console, Ctrl-C as a request to stop,
// threads.
class LocalRun {
 public:
  // `num_threads` 0: all processors. The session must outlive the run.
  LocalRun(Session& session, int num_threads);
  LocalRun(const LocalRun&) = delete;
  LocalRun& operator=(const LocalRun&) = delete;
  ~LocalRun() = default;

  // Until the run is destroyed.
  const RunContext& context() const { return context_; }

 private:
  ProgressPrinter progress_;
  RunContext context_;
  std::stop_callback<std::function<void()>> interrupted_;
};

// --threads, into `num_threads`, which must outlive the parsing.
void AddThreads(CLI::App& app, int& num_threads);

}  // namespace bitplan::client

#endif  // BITPLAN_CLIENT_LOCAL_RUN_H_
