#include "server/server.h"

#include <fmt/format.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/impl/service_type.h>
#include <grpcpp/resource_quota.h>

#include <filesystem>
#include <mutex>
#include <utility>
#include <vector>

#include "search/base/status.h"
#include "server/service/job_runner.h"
#include "server/service/log.h"
#include "server/service/services.h"
#include "server/store/store_table.h"

namespace bitplan::server {
namespace {

constexpr int kMaxMessageBytes = 4 << 20;
// Threads for short calls, besides one for each upload, watch and search.
constexpr int kShortCallThreads = 32;
// Calls at a time on one connection; further ones wait in the client.
constexpr int kMaxStreams = 128;
// How long open calls may take to end on their own once nothing is running any more.
constexpr std::chrono::milliseconds kCallGrace{1000};

service::ServiceLimits LimitsOf(const Config& config) {
  return {.max_model_bytes = config.max_model_bytes,
          .max_dataset_bytes = config.max_dataset_bytes,
          .max_message_bytes = kMaxMessageBytes,
          .max_queued_jobs = config.max_queued_jobs,
          .max_uploads = static_cast<int>(config.max_uploads),
          .max_watches = static_cast<int>(config.max_watches),
          .bookmark_interval = std::chrono::milliseconds(config.bookmark_interval_ms)};
}

jobs::JobManagerOptions ManagerOptions(const Config& config) {
  return {.num_workers = static_cast<int>(config.workers),
          .num_threads = ThreadsPerJob(config),
          .max_queued = config.max_queued_jobs,
          .log = service::Log};
}

bool IsOurFault(const absl::Status& status) {
  return absl::IsInternal(status) || absl::IsDataLoss(status) || absl::IsUnknown(status);
}

jobs::Runner MakeRunner(service::Backend& backend) {
  return [&backend](const store::JobRecord& job, const RunContext& context) {
    auto result = service::RunJob(backend, job, context);
    if (IsOurFault(result.status())) {
      service::Log(fmt::format("error {}: {}", store::JobName(job.key), result.status().ToString()));
    }
    return result;
  };
}

absl::Status MakeFolder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return FailedPrecondition("data_dir: cannot make '{}': {}", folder.string(), error.message());
  return absl::OkStatus();
}

void Harden(const Config& config, grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  // A receive limit counts compressed bytes only, so nothing compressed is taken.
  for (const auto algorithm : {GRPC_COMPRESS_DEFLATE, GRPC_COMPRESS_GZIP}) {
    builder.SetCompressionAlgorithmSupportStatus(algorithm, false);
  }
  grpc::ResourceQuota quota("bitpland");
  quota.Resize(static_cast<size_t>(config.max_memory_bytes));
  quota.SetMaxThreads(static_cast<int>(config.max_uploads + config.max_watches) + kShortCallThreads);
  builder.SetResourceQuota(quota);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreams);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // a second server on this port must fail, not share it
}

}  // namespace

// Members are destroyed last to first: what is below stands on what is above.
struct Server::State {
  std::unique_ptr<store::Store> store;
  std::unique_ptr<artifacts::ArtifactStore> artifacts;
  service::Backend backend;
  std::unique_ptr<jobs::JobManager> jobs;
  std::vector<std::unique_ptr<grpc::Service>> services;
  std::unique_ptr<grpc::Server> grpc;
  std::string host;
  int port = 0;
  std::once_flag drained;

  absl::Status Open(const Config& config);
  absl::Status Listen(const Config& config);
};

absl::Status Server::State::Open(const Config& config) {
  const std::filesystem::path folder = config.data_dir;
  BITPLAN_RETURN_IF_ERROR(MakeFolder(folder));
  BITPLAN_ASSIGN_OR_RETURN(store, store::OpenStore("sqlite", {.path = folder / "bitplan.db"}));
  BITPLAN_ASSIGN_OR_RETURN(
      artifacts,
      artifacts::ArtifactStore::Open({.directory = folder / "artifacts",
                                      .max_artifact_bytes = std::max(config.max_model_bytes, config.max_dataset_bytes),
                                      .max_total_bytes = config.max_artifact_bytes}));
  backend.store = store.get();
  backend.artifacts = artifacts.get();
  backend.limits = LimitsOf(config);
  BITPLAN_ASSIGN_OR_RETURN(jobs, jobs::JobManager::Start(ManagerOptions(config), store.get(), MakeRunner(backend)));
  backend.jobs = jobs.get();
  services = service::MakeServices(backend);
  return absl::OkStatus();
}

absl::Status Server::State::Listen(const Config& config) {
  grpc::ServerBuilder builder;
  Harden(config, builder);
  for (const auto& service : services) builder.RegisterService(service.get());
  builder.AddListeningPort(config.listen_address, grpc::InsecureServerCredentials(), &port);
  grpc = builder.BuildAndStart();
  if (grpc == nullptr || port == 0) {
    return absl::UnavailableError(fmt::format("listen_address: cannot listen on {}", config.listen_address));
  }
  host = config.listen_address.substr(0, config.listen_address.rfind(':'));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const Config& config) {
  BITPLAN_RETURN_IF_ERROR(Validate(config));
  static std::once_flag plugins;
  std::call_once(plugins, [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  });
  auto state = std::make_unique<State>();
  BITPLAN_RETURN_IF_ERROR(state->Open(config));
  BITPLAN_RETURN_IF_ERROR(state->Listen(config));
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}

Server::~Server() { Drain(std::chrono::milliseconds(0)); }

int Server::port() const { return state_->port; }

std::string Server::address() const { return fmt::format("{}:{}", state_->host, state_->port); }

void Server::Drain(std::chrono::milliseconds grace) {
  std::call_once(state_->drained, [&] {
    state_->backend.draining = true;
    if (auto* health = state_->grpc->GetHealthCheckService()) health->SetServingStatus(false);
    state_->jobs->Drain(grace);
    state_->grpc->Shutdown(std::chrono::system_clock::now() + kCallGrace);
    state_->grpc->Wait();
  });
}

}  // namespace bitplan::server
