#include "tests/testing/server/test_server.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <cstdio>
#include <fstream>
#include <sstream>

#include "search/base/check.h"
#include "search/base/rng.h"
#include "tests/testing/npz_builder.h"
#include "tests/testing/onnx_writer.h"

namespace bitplan::testing {
namespace {

void OrDie(const RpcStatus& status, std::string_view what) {
  if (status.ok()) return;
  fmt::print(stderr, "{}: {}: {}\n", what, absl::StatusCodeToString(status.code), status.message);
  BITPLAN_CHECK(status.ok());
}

}  // namespace

TempFolder::TempFolder() {
  std::string path = (std::filesystem::temp_directory_path() / "bitplan_test_XXXXXX").string();
  BITPLAN_CHECK(mkdtemp(path.data()) != nullptr);
  path_ = path;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

TestServer::TestServer(const std::function<void(server::Config&)>& adjust) {
  config_.listen_address = "127.0.0.1:0";
  config_.data_dir = (folder_.path() / "data").string();
  config_.threads_per_job = 1;
  if (adjust) adjust(config_);
  Start();
}

void TestServer::Start() {
  auto server = server::Server::Start(config_);
  if (!server.ok()) fmt::print(stderr, "{}\n", server.status().ToString());
  BITPLAN_CHECK(server.ok());
  server_ = *std::move(server);
  client_ = std::make_unique<RpcClient>(server_->address());
}

void TestServer::Stop(std::chrono::milliseconds grace) {
  server_->Drain(grace);
  server_.reset();
}

void TestServer::Restart(std::chrono::milliseconds grace) {
  Stop(grace);
  Start();
}

std::string TinyModelBytes() { return TinyClassifier().Bytes(); }

std::string TinyDatasetBytes(int num_samples) {
  data::Array images = FilledArray({num_samples, 1, 6, 6}, 0);
  Rng rng(7, 0);
  for (float& pixel : std::get<FloatVector>(images.data)) pixel = static_cast<float>(rng.NextGaussian());
  return MakeNpzOf({{"images", images}, {"labels", CountingLabels(num_samples, 3)}});
}

std::string ReadTestData(const std::string& path) {
  std::ifstream file(std::filesystem::path(BITPLAN_TEST_DATA_DIR) / path, std::ios::binary);
  BITPLAN_CHECK(file.good());
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

Uploaded UploadTiny(RpcClient& client) {
  Uploaded uploaded;
  OrDie(client.UploadModel(TinyModelBytes(), {}, &uploaded.model), "UploadModel");
  OrDie(client.UploadDataset(TinyDatasetBytes(), {}, &uploaded.dataset), "UploadDataset");
  return uploaded;
}

v1::CreateJobRequest TinySearch(const Uploaded& uploaded) {
  v1::CreateJobRequest request;
  request.set_parent("projects/p");
  auto* search = request.mutable_job()->mutable_search();
  search->mutable_measure()->set_model(uploaded.model.name());
  search->mutable_measure()->set_dataset(uploaded.dataset.name());
  auto* budget = search->mutable_config()->add_budgets();
  budget->set_resource("size");
  budget->set_relative_to_uniform_8(0.5);
  return request;
}

v1::CreateJobRequest EndlessSearch(const Uploaded& uploaded) {
  v1::CreateJobRequest request = TinySearch(uploaded);
  auto* config = request.mutable_job()->mutable_search()->mutable_measure()->mutable_config();
  config->set_method("hawq_v2");
  auto* estimator = config->mutable_estimator();
  estimator->set_trace_estimator("hutchinson");
  estimator->set_trace_relative_error(1e-12);
  estimator->set_max_probes(int64_t{1} << 40);
  return request;
}

v1::Job CreateJob(RpcClient& client, const v1::CreateJobRequest& request) {
  v1::Job job;
  OrDie(client.Call("JobService/CreateJob", request, &job), "CreateJob");
  return job;
}

v1::Job GetJob(RpcClient& client, const std::string& name) {
  v1::GetJobRequest request;
  request.set_name(name);
  v1::Job job;
  OrDie(client.Call("JobService/GetJob", request, &job), "GetJob");
  return job;
}

v1::Job WaitForEnd(RpcClient& client, const std::string& name) {
  v1::WatchJobRequest request;
  request.set_name(name);
  OrDie(client.Watch(request, [](const v1::JobEvent&) { return true; }), "WatchJob");
  return GetJob(client, name);
}

void WaitForProbes(RpcClient& client, const std::string& name) {
  v1::WatchJobRequest request;
  request.set_name(name);
  client.Watch(request, [](const v1::JobEvent& event) { return event.progress().probes() == 0; });
}

v1::Measurement ImportResNet18(RpcClient& client) {
  v1::ImportMeasurementRequest request;
  request.set_parent("projects/p");
  request.set_json(ReadTestData("hawq/resnet18_t4.sensitivities.json"));
  v1::Measurement measurement;
  OrDie(client.Call("MeasurementService/ImportMeasurement", request, &measurement), "ImportMeasurement");
  return measurement;
}

v1::SearchRequest SizeSearch(const std::string& measurement, double factor) {
  v1::SearchRequest request;
  request.set_measurement(measurement);
  auto* budget = request.mutable_config()->add_budgets();
  budget->set_resource("size");
  budget->set_relative_to_uniform_8(factor);
  return request;
}

}  // namespace bitplan::testing
