// bitpland: the server. Exit codes: 0 stopped as asked, 1 cannot start, 2 wrong arguments, 3 stopped by a second
// signal.

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "search/base/status.h"
#include "search/base/stop_signals.h"
#include "search/pipeline/version.h"
#include "server/config.h"
#include "server/server.h"

namespace bitplan::server {
namespace {

constexpr int kCannotStart = 1;
constexpr int kWrongArguments = 2;
constexpr int kSecondSignal = 3;

// A reader that has gone away must not end the server: SIGPIPE is ignored and so is a failed write.
void Say(std::FILE* file, const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), file);
  std::fflush(file);
}

int Fail(int exit_code, const absl::Status& status) {
  Say(stderr, fmt::format("bitpland: {}\n", MessageOf(status)));
  return exit_code;
}

void WaitForSignal(const sigset_t& signals) {
  int signal = 0;
  while (sigwait(&signals, &signal) != 0) {
  }
}

// Appears whole or not at all: who waits for the file must not read half a number.
absl::Status WritePortFile(const std::string& path, int port) {
  if (path.empty()) return absl::OkStatus();
  const std::string part = path + ".part";
  std::ofstream(part) << port << "\n";
  std::error_code error;
  std::filesystem::rename(part, path, error);
  if (error) return FailedPrecondition("port_file: cannot write '{}': {}", path, error.message());
  return absl::OkStatus();
}

int Run(const CommandLine& line) {
  const sigset_t signals = BlockStopSignals();
  signal(SIGPIPE, SIG_IGN);
  auto server = Server::Start(line.config);
  if (!server.ok()) return Fail(kCannotStart, server.status());
  const absl::Status written = WritePortFile(line.config.port_file, (*server)->port());
  if (!written.ok()) return Fail(kCannotStart, written);
  Say(stdout, fmt::format("bitpland {} listening on {}\n", pipeline::BitplanVersion(), (*server)->address()));

  WaitForSignal(signals);
  Say(stderr, fmt::format("bitpland: stopping; running jobs have {} s, a second signal stops at once\n",
                          line.config.grace_period_seconds));
  std::thread([&signals] {
    WaitForSignal(signals);
    _exit(kSecondSignal);  // everything acknowledged is on disk already
  }).detach();
  (*server)->Drain(std::chrono::seconds(line.config.grace_period_seconds));
  server->reset();
  Say(stderr, "bitpland: stopped\n");
  _exit(0);  // the thread above still waits; nothing is left to tear down
}

int Main(std::vector<std::string> arguments) {
  const auto line = ParseCommandLine(std::move(arguments));
  if (!line.ok()) return Fail(kWrongArguments, line.status());
  if (!line->exit_text.empty()) {
    Say(stdout, line->exit_text);
    return 0;
  }
  if (line->print_config) {
    Say(stdout, ToJson(line->config) + "\n");
    return 0;
  }
  return Run(*line);
}

}  // namespace
}  // namespace bitplan::server

int main(int argc, char** argv) { return bitplan::server::Main(std::vector<std::string>(argv + 1, argv + argc)); }
