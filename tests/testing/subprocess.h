#ifndef BITPLAN_TESTS_TESTING_SUBPROCESS_H_
#define BITPLAN_TESTS_TESTING_SUBPROCESS_H_

#include <sys/types.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace bitplan::testing {

// How a process ended and what it wrote.
struct ProcessResult {
  int exit_code = -1;  // 128 + the signal's number if a signal ended it
  std::string out;
  std::string err;
};

// A program of ours, running beside the test. Both outputs go to files, so a chatty program never blocks.
class Subprocess {
 public:
  // Starts argv[0] (a path) with the environment of the test and `environment` ("NAME=value") on top. Standard input is
  // empty. CHECK-fails the test if the program cannot be started.
  explicit Subprocess(const std::vector<std::string>& argv, const std::vector<std::string>& environment = {});
  Subprocess(const Subprocess&) = delete;
  Subprocess& operator=(const Subprocess&) = delete;
  // Kills what still runs.
  ~Subprocess();

  void Signal(int signal) const;
  // Waits until standard error holds `text`; false if the program ended without it or `patience` is over.
  bool WaitForError(std::string_view text, std::chrono::seconds patience = std::chrono::seconds(120));
  // Waits for the end.
  ProcessResult Wait();

 private:
  bool HasEnded();

  std::string folder_;
  pid_t pid_ = -1;
  bool ended_ = false;
  int exit_code_ = -1;
};

// Runs a program to its end.
ProcessResult RunProcess(const std::vector<std::string>& argv, const std::vector<std::string>& environment = {});

}  // namespace bitplan::testing

#endif  // BITPLAN_TESTS_TESTING_SUBPROCESS_H_
