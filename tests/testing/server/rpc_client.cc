#include "tests/testing/server/rpc_client.h"

#include <google/protobuf/empty.pb.h>
#include <google/protobuf/wrappers.pb.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/client_unary_call.h>
#include <grpcpp/support/sync_stream.h>

#include <algorithm>
#include <thread>

#include "bitplan/v1/dataset.grpc.pb.h"
#include "bitplan/v1/job.grpc.pb.h"
#include "bitplan/v1/model.grpc.pb.h"
#include "bitplan/v1/plan.grpc.pb.h"
#include "google/rpc/error_details.pb.h"
#include "search/base/digest.h"

namespace bitplan::testing {
namespace {

template <typename Detail>
std::optional<Detail> DetailOf(const google::rpc::Status& status) {
  for (const auto& any : status.details()) {
    Detail detail;
    if (any.UnpackTo(&detail)) return detail;
  }
  return std::nullopt;
}

RpcStatus ToRpcStatus(const grpc::Status& status) {
  RpcStatus out{.code = static_cast<absl::StatusCode>(status.error_code()), .message = status.error_message()};
  out.details.ParseFromString(status.error_details());
  return out;
}

// Metadata of the first message and the chunks after it. Returns false if the server stopped reading.
template <typename Request, typename Writer>
bool SendAll(std::string_view bytes, const UploadSpec& spec, Request first, Writer& writer, grpc::ClientContext& call) {
  auto* metadata = first.mutable_metadata();
  metadata->set_parent(spec.parent);
  metadata->set_display_name(spec.display_name);
  metadata->set_request_id(spec.request_id);
  metadata->set_size_bytes(spec.size_bytes.value_or(static_cast<int64_t>(bytes.size())));
  metadata->set_sha256(spec.sha256.value_or(Sha256Hex(bytes)));
  metadata->set_validate_only(spec.validate_only);
  if (!writer.Write(first)) return false;
  for (size_t at = 0; at < bytes.size(); at += spec.chunk_bytes) {
    if (spec.vanish_after && at >= *spec.vanish_after) {
      call.TryCancel();
      return false;
    }
    Request chunk;
    chunk.set_chunk(std::string(bytes.substr(at, spec.chunk_bytes)));
    if (!writer.Write(chunk)) return false;
  }
  return true;
}

}  // namespace

std::string RpcStatus::reason() const {
  const auto info = DetailOf<google::rpc::ErrorInfo>(details);
  return info ? info->reason() : "";
}

std::string RpcStatus::field() const {
  const auto bad = DetailOf<google::rpc::BadRequest>(details);
  return bad && bad->field_violations_size() > 0 ? bad->field_violations(0).field() : "";
}

std::optional<double> RpcStatus::retry_seconds() const {
  const auto retry = DetailOf<google::rpc::RetryInfo>(details);
  if (!retry) return std::nullopt;
  return static_cast<double>(retry->retry_delay().seconds()) + 1e-9 * retry->retry_delay().nanos();
}

std::ostream& operator<<(std::ostream& out, const RpcStatus& status) {
  return out << absl::StatusCodeToString(status.code) << ": " << status.message;
}

struct RpcClient::State {
  std::shared_ptr<grpc::Channel> channel;
  bool compress = false;

  RpcStatus Call(grpc::ClientContext& call, std::string_view method, const google::protobuf::Message& request,
                 google::protobuf::Message* response) const;
};

RpcClient::RpcClient(const std::string& address) : state_(std::make_unique<State>()) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a new client has a new connection
  state_->channel = grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

RpcClient::~RpcClient() = default;

RpcStatus RpcClient::State::Call(grpc::ClientContext& call, std::string_view method,
                                 const google::protobuf::Message& request, google::protobuf::Message* response) const {
  const bool is_full_path = !method.empty() && method.front() == '/';
  const std::string path = is_full_path ? std::string(method) : "/bitplan.v1." + std::string(method);
  const grpc::internal::RpcMethod rpc(path.c_str(), grpc::internal::RpcMethod::NORMAL_RPC, channel);
  if (compress) call.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  return ToRpcStatus(grpc::internal::BlockingUnaryCall<google::protobuf::Message, google::protobuf::Message,
                                                       grpc::protobuf::MessageLite, grpc::protobuf::MessageLite>(
      channel.get(), rpc, &call, request, response));
}

RpcStatus RpcClient::Call(std::string_view method, const google::protobuf::Message& request,
                          google::protobuf::Message* response) {
  grpc::ClientContext call;
  return state_->Call(call, method, request, response);
}

RpcStatus RpcClient::CallAndVanish(std::string_view method, const google::protobuf::Message& request,
                                   std::chrono::milliseconds delay) {
  grpc::ClientContext call;
  google::protobuf::Empty ignored;
  const std::jthread vanish([&call, delay] {
    std::this_thread::sleep_for(delay);
    call.TryCancel();
  });
  return state_->Call(call, method, request, &ignored);
}

RpcStatus RpcClient::UploadModel(std::string_view bytes, const UploadSpec& spec, v1::Model* response) {
  grpc::ClientContext call;
  const auto writer = v1::ModelService::NewStub(state_->channel)->UploadModel(&call, response);
  if (SendAll(bytes, spec, v1::UploadModelRequest(), *writer, call)) writer->WritesDone();
  return ToRpcStatus(writer->Finish());
}

RpcStatus RpcClient::UploadDataset(std::string_view bytes, const UploadSpec& spec, v1::Dataset* response) {
  grpc::ClientContext call;
  const auto writer = v1::DatasetService::NewStub(state_->channel)->UploadDataset(&call, response);
  if (SendAll(bytes, spec, v1::UploadDatasetRequest(), *writer, call)) writer->WritesDone();
  return ToRpcStatus(writer->Finish());
}

RpcStatus RpcClient::UploadModel(const std::vector<v1::UploadModelRequest>& messages, v1::Model* response) {
  grpc::ClientContext call;
  const auto writer = v1::ModelService::NewStub(state_->channel)->UploadModel(&call, response);
  if (std::all_of(messages.begin(), messages.end(), [&](const auto& message) { return writer->Write(message); })) {
    writer->WritesDone();
  }
  return ToRpcStatus(writer->Finish());
}

RpcStatus RpcClient::Watch(const v1::WatchJobRequest& request,
                           const std::function<bool(const v1::JobEvent&)>& on_event) {
  grpc::ClientContext call;
  const auto reader = v1::JobService::NewStub(state_->channel)->WatchJob(&call, request);
  v1::JobEvent event;
  while (reader->Read(&event)) {
    if (!on_event(event)) call.TryCancel();
  }
  return ToRpcStatus(reader->Finish());
}

RpcStatus RpcClient::Frontier(const v1::ComputeFrontierRequest& request,
                              const std::function<bool(const v1::FrontierUpdate&)>& on_update,
                              std::optional<std::chrono::milliseconds> timeout) {
  grpc::ClientContext call;
  if (timeout.has_value()) call.set_deadline(std::chrono::system_clock::now() + *timeout);
  const auto reader = v1::PlanService::NewStub(state_->channel)->ComputeFrontier(&call, request);
  v1::FrontierUpdate update;
  while (reader->Read(&update)) {
    if (!on_update(update)) call.TryCancel();
  }
  return ToRpcStatus(reader->Finish());
}

RpcStatus RpcClient::TopPlans(const v1::FindTopPlansRequest& request, v1::TopPlans* top) {
  grpc::ClientContext call;
  const auto reader = v1::PlanService::NewStub(state_->channel)->FindTopPlans(&call, request);
  v1::TopPlansUpdate update;
  while (reader->Read(&update)) {
    if (update.has_plan()) *top->add_plans() = update.plan();
    if (update.has_summary()) *top->mutable_summary() = update.summary();
  }
  return ToRpcStatus(reader->Finish());
}

void RpcClient::set_compress(bool compress) { state_->compress = compress; }

bool RpcClient::IsServing() {
  // Int32Value has the same wire form as HealthCheckResponse (field 1, an enum), whose SERVING is 1.
  google::protobuf::Int32Value status;
  return Call("/grpc.health.v1.Health/Check", google::protobuf::Empty(), &status).ok() && status.value() == 1;
}

std::string RpcClient::RawServiceList() {
  const grpc::internal::RpcMethod rpc("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                                      grpc::internal::RpcMethod::BIDI_STREAMING, state_->channel);
  grpc::ClientContext call;
  using Stream = grpc::internal::ClientReaderWriterFactory<grpc::ByteBuffer, grpc::ByteBuffer>;
  const std::unique_ptr<grpc::ClientReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>> stream(
      Stream::Create(state_->channel.get(), rpc, &call));
  const grpc::Slice list_services("\x3a\x01*");  // field 7, a string: list_services = "*"
  stream->Write(grpc::ByteBuffer(&list_services, 1));
  stream->WritesDone();
  grpc::ByteBuffer answer;
  std::string text;
  while (stream->Read(&answer)) {
    grpc::Slice slice;
    if (answer.DumpToSingleSlice(&slice).ok()) text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return stream->Finish().ok() ? text : "";
}

}  // namespace bitplan::testing
