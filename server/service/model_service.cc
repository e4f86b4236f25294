#include "bitplan/v1/model.grpc.pb.h"
#include "proto/convert/model.h"
#include "search/onnx/parse_model.h"
#include "server/service/chunk_reader.h"
#include "server/service/finish.h"
#include "server/service/resources.h"
#include "server/service/services.h"

namespace bitplan::service {
namespace {

absl::StatusOr<std::string> ModelPayload(const UploadClaims& claims, const ServiceLimits& limits,
                                         std::string_view bytes) {
  BITPLAN_ASSIGN_OR_RETURN(const Graph graph,
                           onnx::ParseModel(bytes, onnx::ParseLimits{.max_file_bytes = limits.max_model_bytes}));
  v1::Model model = convert::FromGraph(graph);
  model.set_display_name(claims.display_name);
  model.set_digest(claims.sha256);
  model.set_size_bytes(static_cast<int64_t>(bytes.size()));
  return SerializeDeterministically(model);
}

absl::StatusOr<v1::Model> Upload(Backend& backend, const grpc::ServerContext& context,
                                 grpc::ServerReader<v1::UploadModelRequest>& reader) {
  v1::UploadModelRequest first;
  reader.Read(&first);
  BITPLAN_ASSIGN_OR_RETURN(const UploadClaims claims, ToClaims(first));
  const UploadKind kind{.collection = "models",
                        .method = "UploadModel",
                        .max_bytes = backend.limits.max_model_bytes,
                        .format = "onnx",
                        .make_payload = [&](const UploadClaims& checked, std::string_view bytes) {
                          return ModelPayload(checked, backend.limits, bytes);
                        }};
  BITPLAN_ASSIGN_OR_RETURN(const store::Resource resource,
                           ReceiveUpload(backend, kind, claims, ChunksOf<v1::UploadModelRequest>(context, reader)));
  return Decode<v1::Model>(resource);
}

void TrimForList(v1::Model* model) {
  model->clear_layers();
  model->clear_inputs();
  model->clear_outputs();
}

absl::StatusOr<v1::ListModelsResponse> List(Backend& backend, const v1::ListModelsRequest& request) {
  v1::ListModelsResponse response;
  BITPLAN_ASSIGN_OR_RETURN(
      *response.mutable_next_page_token(),
      ListDecoded<v1::Model>(backend, request, "models", TrimForList, [&] { return response.add_models(); }));
  return response;
}

class ModelService final : public v1::ModelService::Service {
 public:
  explicit ModelService(Backend& backend) : backend_(backend) {}

  grpc::Status UploadModel(grpc::ServerContext* context, grpc::ServerReader<v1::UploadModelRequest>* reader,
                           v1::Model* response) override {
    return Finish(Upload(backend_, *context, *reader), response);
  }
  grpc::Status GetModel(grpc::ServerContext*, const v1::GetModelRequest* request, v1::Model* response) override {
    return Finish(GetDecoded<v1::Model>(backend_, request->name(), "models"), response);
  }
  grpc::Status ListModels(grpc::ServerContext*, const v1::ListModelsRequest* request,
                          v1::ListModelsResponse* response) override {
    return Finish(List(backend_, *request), response);
  }
  grpc::Status DeleteModel(grpc::ServerContext*, const v1::DeleteModelRequest* request,
                           google::protobuf::Empty*) override {
    return ToGrpcStatus(DeleteNamed(backend_, request->name(), "models"));
  }

 private:
  Backend& backend_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeModelService(Backend& backend) { return std::make_unique<ModelService>(backend); }

}  // namespace bitplan::service
