#include "client/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <iostream>

#include "client/table.h"
#include "search/base/status.h"

namespace bitplan::client {
namespace {

constexpr std::string_view kEraseLine = "\r\033[K";

int TerminalWidth() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

Streams StandardStreams() {
  return {
      .out = std::cout, .err = std::cerr, .err_is_terminal = isatty(STDERR_FILENO) != 0, .err_width = TerminalWidth()};
}

void Console::Answer(std::string_view text) {
  const std::lock_guard lock(mutex_);
  ClearLocked();
  streams_.out << text << std::flush;
}

void Console::Note(std::string_view line) {
  const std::lock_guard lock(mutex_);
  ClearLocked();
  streams_.err << line << std::endl;
}

void Console::Error(const absl::Status& status) { Note(fmt::format("bitplan: {}", MessageOf(status))); }

void Console::StatusLine(std::string_view line) {
  if (!streams_.err_is_terminal) return;
  const std::lock_guard lock(mutex_);
  // The last column stays free: writing there makes some terminals wrap.
  const auto width = static_cast<size_t>(std::max(streams_.err_width - 1, 8));
  streams_.err << kEraseLine << CutMiddle(line, width) << std::flush;
  has_status_line_ = true;
}

void Console::ClearStatusLine() {
  const std::lock_guard lock(mutex_);
  ClearLocked();
}

void Console::ClearLocked() {
  if (has_status_line_) streams_.err << kEraseLine << std::flush;
  has_status_line_ = false;
}

}  // namespace bitplan::client
