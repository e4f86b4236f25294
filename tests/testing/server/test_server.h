#ifndef BITPLAN_TESTS_TESTING_SERVER_TEST_SERVER_H_
#define BITPLAN_TESTS_TESTING_SERVER_TEST_SERVER_H_

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "bitplan/v1/job.pb.h"
#include "bitplan/v1/measurement.pb.h"
#include "bitplan/v1/plan.pb.h"
#include "server/config.h"
#include "server/server.h"
#include "tests/testing/server/rpc_client.h"

namespace bitplan::testing {

// A folder that goes away with its owner.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// A real server in this process on a free loopback port, with its own data folder. Ends the test program if it cannot
// start.
class TestServer {
 public:
  explicit TestServer(const std::function<void(server::Config&)>& adjust = {});

  RpcClient& client() { return *client_; }
  server::Server& server() { return *server_; }
  const server::Config& config() const { return config_; }
  std::filesystem::path data_dir() const { return config_.data_dir; }

  // Drains with this grace, then starts another server on the same folder.
  void Restart(std::chrono::milliseconds grace);
  void Stop(std::chrono::milliseconds grace);
  void Start();

 private:
  TempFolder folder_;
  server::Config config_;
  std::unique_ptr<server::Server> server_;
  std::unique_ptr<RpcClient> client_;
};

// testing::TinyClassifier and data that fits it: `num_samples` samples of seeded noise.
std::string TinyModelBytes();
std::string TinyDatasetBytes(int num_samples = 8);

// Contents of tests/data/<path>.
std::string ReadTestData(const std::string& path);

// Uploads the tiny model and its data to projects/p.
struct Uploaded {
  v1::Model model;
  v1::Dataset dataset;
};
Uploaded UploadTiny(RpcClient& client);

// A search job on them: a budget of half of uniform 8 bit.
v1::CreateJobRequest TinySearch(const Uploaded& uploaded);
// The same with probes without end, so that it runs until it is stopped.
v1::CreateJobRequest EndlessSearch(const Uploaded& uploaded);

// Creates the job; ends the test program on an error.
v1::Job CreateJob(RpcClient& client, const v1::CreateJobRequest& request);
v1::Job GetJob(RpcClient& client, const std::string& name);
// The job once it has ended.
v1::Job WaitForEnd(RpcClient& client, const std::string& name);
// Returns once the job has reported probes.
void WaitForProbes(RpcClient& client, const std::string& name);

// HAWQ-v3's figures for ResNet18 as an imported measurement of projects/p.
v1::Measurement ImportResNet18(RpcClient& client);

// A search on `measurement` with one budget of `factor` x uniform 8 bit.
v1::SearchRequest SizeSearch(const std::string& measurement, double factor);

}  // namespace bitplan::testing

#endif  // BITPLAN_TESTS_TESTING_SERVER_TEST_SERVER_H_
