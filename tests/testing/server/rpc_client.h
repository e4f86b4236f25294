#ifndef BITPLAN_TESTS_TESTING_SERVER_RPC_CLIENT_H_
#define BITPLAN_TESTS_TESTING_SERVER_RPC_CLIENT_H_

#include <google/protobuf/message.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "bitplan/v1/dataset.pb.h"
#include "bitplan/v1/job.pb.h"
#include "bitplan/v1/model.pb.h"
#include "bitplan/v1/plan.pb.h"
#include "google/rpc/status.pb.h"

namespace bitplan::testing {

// How a call ended, google.rpc details decoded.
struct RpcStatus {
  absl::StatusCode code = absl::StatusCode::kOk;
  std::string message;
  google::rpc::Status details;

  bool ok() const { return code == absl::StatusCode::kOk; }
  std::string reason() const;  // of ErrorInfo; empty: none
  std::string field() const;   // of the first field violation; empty: none
  std::optional<double> retry_seconds() const;
};
std::ostream& operator<<(std::ostream& out, const RpcStatus& status);

// What an upload claims; by default the truth.
struct UploadSpec {
  std::string parent = "projects/p";
  std::string display_name;
  std::string request_id;
  std::optional<int64_t> size_bytes;
  std::optional<std::string> sha256;
  bool validate_only = false;
  size_t chunk_bytes = 1 << 20;
  // Cancel the call after so many bytes, as a client does that dies.
  std::optional<size_t> vanish_after;
};

// A plain client of bitplan.v1 without retries, over a real channel.
class RpcClient {
 public:
  explicit RpcClient(const std::string& address);
  ~RpcClient();

  // A unary call: Call("ModelService/GetModel", request, &response).
  RpcStatus Call(std::string_view method, const google::protobuf::Message& request,
                 google::protobuf::Message* response);
  // The same, cancelled after `delay` unless it has ended before.
  RpcStatus CallAndVanish(std::string_view method, const google::protobuf::Message& request,
                          std::chrono::milliseconds delay);

  RpcStatus UploadModel(std::string_view bytes, const UploadSpec& spec, v1::Model* response);
  RpcStatus UploadDataset(std::string_view bytes, const UploadSpec& spec, v1::Dataset* response);
  // Messages as they are.
  RpcStatus UploadModel(const std::vector<v1::UploadModelRequest>& messages, v1::Model* response);

  // Calls `on_event` for each event until it returns false (the call is then cancelled) or the stream ends.
  RpcStatus Watch(const v1::WatchJobRequest& request, const std::function<bool(const v1::JobEvent&)>& on_event);

  // The same for each update of a frontier, with a deadline if given.
  RpcStatus Frontier(const v1::ComputeFrontierRequest& request,
                     const std::function<bool(const v1::FrontierUpdate&)>& on_update,
                     std::optional<std::chrono::milliseconds> timeout = {});

  // FindTopPlans, its updates put together.
  RpcStatus TopPlans(const v1::FindTopPlansRequest& request, v1::TopPlans* top);

  // Compress what Call sends (gzip).
  void set_compress(bool compress);

  // The state of the health service: true for SERVING.
  bool IsServing();
  // What reflection answers to "list services", as it comes over the wire.
  std::string RawServiceList();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bitplan::testing

#endif  // BITPLAN_TESTS_TESTING_SERVER_RPC_CLIENT_H_
