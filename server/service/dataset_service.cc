#include "bitplan/v1/dataset.grpc.pb.h"
#include "proto/convert/model.h"
#include "search/data/npz.h"
#include "server/service/chunk_reader.h"
#include "server/service/finish.h"
#include "server/service/resources.h"
#include "server/service/services.h"

namespace bitplan::service {
namespace {

constexpr std::string_view kFormat = "npz";

absl::StatusOr<std::string> DatasetPayload(const UploadClaims& claims, const ServiceLimits& limits,
                                           std::string_view bytes) {
  BITPLAN_ASSIGN_OR_RETURN(const Dataset data,
                           data::ParseNpz(bytes, data::NpzLimits{.max_file_bytes = limits.max_dataset_bytes}));
  v1::Dataset dataset = convert::FromDataset(data);
  dataset.set_display_name(claims.display_name);
  dataset.set_digest(claims.sha256);
  dataset.set_size_bytes(static_cast<int64_t>(bytes.size()));
  dataset.set_format(std::string(kFormat));
  return SerializeDeterministically(dataset);
}

absl::StatusOr<v1::Dataset> Upload(Backend& backend, const grpc::ServerContext& context,
                                   grpc::ServerReader<v1::UploadDatasetRequest>& reader) {
  v1::UploadDatasetRequest first;
  reader.Read(&first);
  BITPLAN_ASSIGN_OR_RETURN(const UploadClaims claims, ToClaims(first));
  const std::string& format = first.metadata().format();
  if (!format.empty() && format != kFormat) {
    return InvalidArgument("metadata.format: got '{}', want {}", format, kFormat);
  }
  const UploadKind kind{.collection = "datasets",
                        .method = "UploadDataset",
                        .max_bytes = backend.limits.max_dataset_bytes,
                        .format = std::string(kFormat),
                        .make_payload = [&](const UploadClaims& checked, std::string_view bytes) {
                          return DatasetPayload(checked, backend.limits, bytes);
                        }};
  BITPLAN_ASSIGN_OR_RETURN(const store::Resource resource,
                           ReceiveUpload(backend, kind, claims, ChunksOf<v1::UploadDatasetRequest>(context, reader)));
  return Decode<v1::Dataset>(resource);
}

absl::StatusOr<v1::ListDatasetsResponse> List(Backend& backend, const v1::ListDatasetsRequest& request) {
  v1::ListDatasetsResponse response;
  BITPLAN_ASSIGN_OR_RETURN(*response.mutable_next_page_token(), ListDecoded<v1::Dataset>(
                                                                    backend, request, "datasets", [](v1::Dataset*) {},
                                                                    [&] { return response.add_datasets(); }));
  return response;
}

class DatasetService final : public v1::DatasetService::Service {
 public:
  explicit DatasetService(Backend& backend) : backend_(backend) {}

  grpc::Status UploadDataset(grpc::ServerContext* context, grpc::ServerReader<v1::UploadDatasetRequest>* reader,
                             v1::Dataset* response) override {
    return Finish(Upload(backend_, *context, *reader), response);
  }
  grpc::Status GetDataset(grpc::ServerContext*, const v1::GetDatasetRequest* request, v1::Dataset* response) override {
    return Finish(GetDecoded<v1::Dataset>(backend_, request->name(), "datasets"), response);
  }
  grpc::Status ListDatasets(grpc::ServerContext*, const v1::ListDatasetsRequest* request,
                            v1::ListDatasetsResponse* response) override {
    return Finish(List(backend_, *request), response);
  }
  grpc::Status DeleteDataset(grpc::ServerContext*, const v1::DeleteDatasetRequest* request,
                             google::protobuf::Empty*) override {
    return ToGrpcStatus(DeleteNamed(backend_, request->name(), "datasets"));
  }

 private:
  Backend& backend_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeDatasetService(Backend& backend) {
  return std::make_unique<DatasetService>(backend);
}

}  // namespace bitplan::service
