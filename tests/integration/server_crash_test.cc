// The real bitpland as a process: kill -9 in the middle of a job, signals, exit codes, what it prints.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include "tests/testing/server/test_server.h"

extern char** environ;

namespace bitplan::testing {
namespace {

using ::testing::HasSubstr;

std::string Contents(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// A bitpland with its output in files.
class Process {
 public:
  Process(const std::filesystem::path& folder, const std::vector<std::string>& arguments) : folder_(folder) {
    std::filesystem::remove(PortFile());
    std::vector<std::string> all = {std::string(BITPLAN_BIN_DIR) + "/bitpland"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& argument : all) argv.push_back(argument.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    const std::string out = (folder / "out").string();
    const std::string err = (folder / "err").string();
    posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&actions, 2, err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    EXPECT_EQ(posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ), 0);
    posix_spawn_file_actions_destroy(&actions);
  }
  ~Process() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      Wait();
    }
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  std::filesystem::path PortFile() const { return folder_ / "port"; }

  // The address, once it listens.
  std::string WaitForAddress() {
    while (!std::filesystem::exists(PortFile())) {
      if (waitpid(pid_, nullptr, WNOHANG) == pid_) {
        pid_ = 0;
        ADD_FAILURE() << "bitpland ended: " << err();
        return "";
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    std::string port = Contents(PortFile());
    port.pop_back();
    return "127.0.0.1:" + port;
  }

  void Signal(int signal) { kill(pid_, signal); }

  // Exit code, or 128 + signal.
  int Wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  std::string out() const { return Contents(folder_ / "out"); }
  std::string err() const { return Contents(folder_ / "err"); }

 private:
  std::filesystem::path folder_;
  pid_t pid_ = 0;
};

std::vector<std::string> Arguments(const TempFolder& folder) {
  return {"--listen-address",  "127.0.0.1:0",
          "--data-dir",        (folder.path() / "data").string(),
          "--port-file",       (folder.path() / "port").string(),
          "--threads-per-job", "1"};
}

// Some seconds: long enough to be still running when the first progress report has come and the process is killed.
v1::CreateJobRequest LongSearch(const Uploaded& uploaded) {
  v1::CreateJobRequest request = EndlessSearch(uploaded);
  request.mutable_job()->mutable_search()->mutable_measure()->mutable_config()->mutable_estimator()->set_max_probes(
      30'000);
  return request;
}

TEST(Bitpland, KillInTheMiddleOfAJobLosesNothing) {
  TempFolder folder;
  v1::Job running, queued, finished;
  Uploaded uploaded;
  {
    Process process(folder.path(), Arguments(folder));
    RpcClient client(process.WaitForAddress());
    uploaded = UploadTiny(client);
    finished = WaitForEnd(client, CreateJob(client, TinySearch(uploaded)).name());
    running = CreateJob(client, LongSearch(uploaded));
    queued = CreateJob(client, TinySearch(uploaded));
    WaitForProbes(client, running.name());
    process.Signal(SIGKILL);
    EXPECT_EQ(process.Wait(), 128 + SIGKILL);
  }
  Process process(folder.path(), Arguments(folder));
  RpcClient client(process.WaitForAddress());
  EXPECT_EQ(GetJob(client, finished.name()).plan(), finished.plan());
  const v1::Job again = WaitForEnd(client, running.name());
  EXPECT_EQ(again.state(), v1::JOB_STATE_SUCCEEDED) << again.error().message();
  EXPECT_EQ(again.attempt(), 2);
  EXPECT_EQ(WaitForEnd(client, queued.name()).state(), v1::JOB_STATE_SUCCEEDED);
  // The same job on an undisturbed server gives the same plan.
  TestServer undisturbed;
  EXPECT_EQ(WaitForEnd(undisturbed.client(),
                       CreateJob(undisturbed.client(), LongSearch(UploadTiny(undisturbed.client()))).name())
                .plan(),
            again.plan());
  process.Signal(SIGTERM);
  EXPECT_EQ(process.Wait(), 0);
}

// What ends the process twice in an evaluation would do so again, and take the plan along: the third attempt leaves the
// evaluation out.
TEST(Bitpland, KilledTwiceInAnEvaluationKeepsThePlan) {
  TempFolder folder;
  v1::Job job;
  for (int attempt = 1; attempt <= 2; ++attempt) {
    Process process(folder.path(), Arguments(folder));
    RpcClient client(process.WaitForAddress());
    if (attempt == 1) {
      const Uploaded uploaded = UploadTiny(client);
      v1::Dataset held_out;
      ASSERT_TRUE(client.UploadDataset(TinyDatasetBytes(400'000), {}, &held_out).ok());
      v1::CreateJobRequest request = TinySearch(uploaded);
      request.mutable_job()->mutable_search()->mutable_evaluation()->set_dataset(held_out.name());
      job = CreateJob(client, request);
    }
    v1::WatchJobRequest watch;
    watch.set_name(job.name());
    client.Watch(watch, [](const v1::JobEvent& event) { return event.progress().stage() != "evaluation"; });
    ASSERT_EQ(GetJob(client, job.name()).state(), v1::JOB_STATE_RUNNING) << "ended before it could be killed";
    process.Signal(SIGKILL);
    EXPECT_EQ(process.Wait(), 128 + SIGKILL);
  }
  Process process(folder.path(), Arguments(folder));
  RpcClient client(process.WaitForAddress());
  job = WaitForEnd(client, job.name());
  ASSERT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.error().message();
  EXPECT_EQ(job.attempt(), 3);
  EXPECT_NE(job.plan(), "");
  EXPECT_FALSE(job.has_evaluation());
  EXPECT_THAT(job.evaluation_error().message(), HasSubstr("ended during 2 attempts"));
}

TEST(Bitpland, SaysWhereItListensAndStopsOnSigterm) {
  TempFolder folder;
  Process process(folder.path(), Arguments(folder));
  const std::string address = process.WaitForAddress();
  EXPECT_TRUE(RpcClient(address).IsServing());
  process.Signal(SIGTERM);
  EXPECT_EQ(process.Wait(), 0);
  EXPECT_EQ(process.out(), "bitpland 0.1.0 listening on " + address + "\n");
  EXPECT_THAT(process.err(), HasSubstr("stopped"));
}

TEST(Bitpland, ASecondSignalStopsAtOnceAndLosesNothing) {
  TempFolder folder;
  std::vector<std::string> arguments = Arguments(folder);
  arguments.insert(arguments.end(), {"--grace-period-seconds", "3600"});
  std::string name;
  {
    Process process(folder.path(), arguments);
    RpcClient client(process.WaitForAddress());
    name = CreateJob(client, EndlessSearch(UploadTiny(client))).name();
    WaitForProbes(client, name);
    process.Signal(SIGINT);
    while (client.IsServing()) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    process.Signal(SIGINT);
    EXPECT_EQ(process.Wait(), 3);
  }
  Process process(folder.path(), arguments);
  RpcClient client(process.WaitForAddress());
  EXPECT_EQ(GetJob(client, name).state(), v1::JOB_STATE_RUNNING);
}

TEST(Bitpland, WrongArgumentsAndAddressesHaveTheirExitCodes) {
  TempFolder folder;
  const auto run = [&](const std::vector<std::string>& arguments) {
    Process process(folder.path(), arguments);
    const int code = process.Wait();
    return std::to_string(code) + " " + process.err() + process.out();
  };
  EXPECT_THAT(run({"--workers", "0"}), HasSubstr("2 bitpland: workers: got 0, want 1..64"));
  EXPECT_THAT(run({"--listen-address", "0.0.0.0:0"}),
              HasSubstr("2 bitpland: listen_address: '0.0.0.0:0' is reachable"));
  EXPECT_THAT(run({"--version"}), HasSubstr("0 bitpland 0.1.0"));
  EXPECT_THAT(run({"--workers", "3", "--print-config"}), HasSubstr("\"workers\": 3"));
  EXPECT_THAT(run({"--help"}), HasSubstr("Exit codes"));
  EXPECT_THAT(run({"--listen-address", "127.0.0.1:0", "--data-dir", "/proc/nowhere"}),
              HasSubstr("1 bitpland: data_dir"));
}

}  // namespace
}  // namespace bitplan::testing
