#ifndef BITPLAN_CLIENT_CONSOLE_H_
#define BITPLAN_CLIENT_CONSOLE_H_

#include <mutex>
#include <ostream>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace bitplan::client {

// Where a command talks: answers go to `out`, everything else (progress, notes, errors) to `err`.
struct Streams {
  std::ostream& out;  // must outlive the console
  std::ostream& err;  // must outlive the console
  bool err_is_terminal = false;
  int err_width = 80;  // characters a line, if it is a terminal
};

// Standard output and standard error of this process.
Streams StandardStreams();

// Writes to the two streams and keeps them apart. On a terminal there may be one status line, rewritten in place; it is
// taken away before anything else is written. Threads: any.
class Console {
 public:
  explicit Console(Streams streams) : streams_(streams) {}
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;
  ~Console() { ClearStatusLine(); }

  // An answer, as it is.
  void Answer(std::string_view text);
  // Whether part of an answer could not be written: a full disk, a closed standard output.
  bool is_answer_lost() const { return !streams_.out; }
  // A line for the person.
  void Note(std::string_view line);
  // "bitplan: <message>".
  void Error(const absl::Status& status);
  // Rewrites the status line, cut to the width; only on a terminal.
  void StatusLine(std::string_view line);
  void ClearStatusLine();

  bool is_terminal() const { return streams_.err_is_terminal; }

 private:
  void ClearLocked();

  Streams streams_;
  std::mutex mutex_;
  bool has_status_line_ = false;
};

}  // namespace bitplan::client

#endif  // BITPLAN_CLIENT_CONSOLE_H_
