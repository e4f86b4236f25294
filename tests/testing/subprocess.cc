#include "tests/testing/subprocess.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

namespace bitplan::testing {
namespace {

std::string ReadAll(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

std::string NewFolder() {
  std::string folder = (std::filesystem::temp_directory_path() / "bitplan-process-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) ADD_FAILURE() << "cannot make " << folder;
  return folder;
}

// The test's environment with `extra` in place of variables of the same name.
std::vector<std::string> Environment(const std::vector<std::string>& extra) {
  std::vector<std::string> environment = extra;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string text = *variable;
    const std::string name = text.substr(0, text.find('=') + 1);
    if (std::ranges::none_of(extra, [&](const std::string& given) { return given.starts_with(name); })) {
      environment.push_back(text);
    }
  }
  return environment;
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

int ExitCodeOf(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

}  // namespace

Subprocess::Subprocess(const std::vector<std::string>& argv, const std::vector<std::string>& environment)
    : folder_(NewFolder()) {
  std::vector<std::string> arguments = argv;
  std::vector<std::string> variables = Environment(environment);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, (folder_ + "/out").c_str(), O_WRONLY | O_CREAT, 0600);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, (folder_ + "/err").c_str(), O_WRONLY | O_CREAT, 0600);
  const int error =
      posix_spawn(&pid_, argv[0].c_str(), &actions, nullptr, Pointers(arguments).data(), Pointers(variables).data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    ADD_FAILURE() << "cannot start " << argv[0] << ": " << strerror(error);
    ended_ = true;
  }
}

Subprocess::~Subprocess() {
  if (!ended_) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void Subprocess::Signal(int signal) const {
  if (!ended_) kill(pid_, signal);
}

bool Subprocess::HasEnded() {
  int status = 0;
  if (!ended_ && waitpid(pid_, &status, WNOHANG) == pid_) {
    ended_ = true;
    exit_code_ = ExitCodeOf(status);
  }
  return ended_;
}

bool Subprocess::WaitForError(std::string_view text, std::chrono::seconds patience) {
  const auto give_up = std::chrono::steady_clock::now() + patience;
  while (true) {
    const bool ended = HasEnded();  // asked before reading, so that the last words count
    if (ReadAll(folder_ + "/err").find(text) != std::string::npos) return true;
    if (ended || std::chrono::steady_clock::now() > give_up) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

ProcessResult Subprocess::Wait() {
  int status = 0;
  if (!ended_ && waitpid(pid_, &status, 0) == pid_) exit_code_ = ExitCodeOf(status);
  ended_ = true;
  return {.exit_code = exit_code_, .out = ReadAll(folder_ + "/out"), .err = ReadAll(folder_ + "/err")};
}

ProcessResult RunProcess(const std::vector<std::string>& argv, const std::vector<std::string>& environment) {
  return Subprocess(argv, environment).Wait();
}

}  // namespace bitplan::testing
