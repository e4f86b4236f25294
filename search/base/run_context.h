#ifndef BITPLAN_SEARCH_BASE_RUN_CONTEXT_H_
#define BITPLAN_SEARCH_BASE_RUN_CONTEXT_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace bitplan {

// One report from a running stage. Zero and empty mean "does not apply".
struct Progress {
  std::string stage;          // what runs: "trace", "eigenvalues", "solve", ...
  double fraction = 0;        // done share of this stage, 0..1; an estimate where the stage stops on an error target
  int64_t layer = 0;          // layers finished or current layer, 1-based
  int64_t num_layers = 0;     // layers in all
  std::string layer_name;     // current layer
  int64_t probes = 0;         // probes or iterations so far
  double relative_error = 0;  // worst relative standard error (or residual) so far
  // Of a search for a plan, units of loss: the best choice found so far, and what no choice can be below.
  std::optional<double> objective = {};
  std::optional<double> bound = {};
};

// Keeps finished pieces of a long computation so that a restart does not redo them. Keys are chosen by the computation,
// values are opaque bytes. A store may lose the newest values, never return wrong ones. Implementations are
// thread-safe.
class CheckpointStore {
 public:
  virtual ~CheckpointStore() = default;
  virtual std::optional<std::string> Load(std::string_view key) = 0;
  virtual void Save(std::string_view key, std::string value) = 0;
};

// What a long computation gets from whoever runs it. Cheap to copy.
struct RunContext {
  std::stop_token stop;                                           // asked once a probe, an iteration or a node batch
  std::optional<std::chrono::steady_clock::time_point> deadline;  // none: runs until done
  std::function<void(const Progress&)> progress;  // called from the computing thread; must return quickly
  CheckpointStore* checkpoints = nullptr;         // null: nothing is kept; must outlive the run
  int num_threads = 1;                            // workers of ParallelShards; changes no result bit

  // OK, kCancelled after a stop request, or kDeadlineExceeded.
  absl::Status CheckStop() const;
  void Report(const Progress& report) const {
    if (progress) progress(report);
  }
};

}  // namespace bitplan

#endif  // BITPLAN_SEARCH_BASE_RUN_CONTEXT_H_
