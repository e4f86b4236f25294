#ifndef BITPLAN_CLIENT_PROGRESS_H_
#define BITPLAN_CLIENT_PROGRESS_H_

#include <chrono>
#include <optional>
#include <string>

#include "bitplan/v1/job.pb.h"
#include "client/console.h"
#include "search/base/run_context.h"

namespace bitplan::client {

// What a running search is doing, from a server or from this process.
struct ProgressView {
  Progress progress;
  std::optional<double> eta_seconds;  // until the stage is done; an estimate

  static ProgressView Of(const v1::JobProgress& message);
};

// For the status line: "traces  [#####.....]  48%  layer 3/8 block1.conv2  24 probes  error 12%  4.2 s left".
std::string ProgressBar(const ProgressView& view);
// For a log: "traces: 48%, layer 3 of 8, 24 probes, relative error 12%, about 4.2 s left"; the stage alone at its
// begin.
std::string ProgressSentence(const ProgressView& view);

// Shows progress: on a terminal the status line at every report, elsewhere a plain line when a stage begins and then
// every kPlainInterval, in a long stage more seldom (a tenth of its age, at most kLongestPlainInterval).
class ProgressPrinter {
 public:
  static constexpr std::chrono::seconds kPlainInterval{5};
  static constexpr std::chrono::seconds kLongestPlainInterval{60};

  // `console` must outlive the printer.
  explicit ProgressPrinter(Console& console) : console_(console) {}

  void Show(const ProgressView& view);
  // The same for a search in this process: the time left is estimated here, from how long the stage has run.
  void Show(const Progress& progress);

 private:
  using Clock = std::chrono::steady_clock;

  Console& console_;
  std::string stage_;
  Clock::time_point stage_begin_;
  Clock::time_point last_line_;
};

}  // namespace bitplan::client

#endif  // BITPLAN_CLIENT_PROGRESS_H_
