#include "bitplan/v1/measurement.grpc.pb.h"
#include "proto/convert/field_path.h"
#include "proto/convert/measurement.h"
#include "search/base/digest.h"
#include "search/sensitivity/given.h"
#include "server/service/finish.h"
#include "server/service/measurements.h"
#include "server/service/names.h"
#include "server/service/resources.h"
#include "server/service/services.h"

namespace bitplan::service {
namespace {

absl::StatusOr<GivenSensitivities> ReadGiven(const v1::ImportMeasurementRequest& request) {
  switch (request.source_case()) {
    case v1::ImportMeasurementRequest::kTable: {
      auto given = convert::ToGiven(request.table());
      if (!given.ok()) return convert::AtField("table", given.status());
      return given;
    }
    case v1::ImportMeasurementRequest::kJson: {
      auto given = sensitivity::ParseGiven(request.json());
      if (!given.ok()) return WithContext(given.status(), "json");
      return given;
    }
    case v1::ImportMeasurementRequest::SOURCE_NOT_SET:
      break;
  }
  return InvalidArgument("source: got nothing, want table or json");
}

// The message of a stored measurement with its layers and ties.
absl::StatusOr<v1::Measurement> Complete(Backend& backend, const store::Resource& resource) {
  BITPLAN_ASSIGN_OR_RETURN(v1::Measurement message, Decode<v1::Measurement>(resource));
  BITPLAN_ASSIGN_OR_RETURN(const Measurement measurement, LoadMeasurement(backend, resource));
  v1::Measurement document = convert::FromMeasurement(measurement);
  message.mutable_layers()->Swap(document.mutable_layers());
  message.mutable_ties()->Swap(document.mutable_ties());
  return message;
}

absl::StatusOr<v1::Measurement> Import(Backend& backend, const v1::ImportMeasurementRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const std::string project, ParseParent("parent", request.parent()));
  BITPLAN_RETURN_IF_ERROR(CheckDisplayName("display_name", request.display_name()));
  BITPLAN_RETURN_IF_ERROR(CheckRequestId("request_id", request.request_id()));
  BITPLAN_ASSIGN_OR_RETURN(const GivenSensitivities given, ReadGiven(request));
  BITPLAN_ASSIGN_OR_RETURN(const Measurement measurement, pipeline::FromGiven(given));
  v1::Measurement about;
  about.set_display_name(request.display_name());
  if (request.validate_only()) {
    v1::Measurement message = convert::FromMeasurement(measurement);
    message.MergeFrom(about);
    return message;
  }
  const store::RequestKey request_key{
      .method = "ImportMeasurement",
      .request_id = request.request_id(),
      .fingerprint = Sha256Hex(fmt::format("{}\n{}", measurement.digest, request.display_name()))};
  BITPLAN_ASSIGN_OR_RETURN(const store::Resource resource,
                           StoreMeasurement(backend, project, measurement, about, request_key));
  return Complete(backend, resource);
}

absl::StatusOr<v1::Measurement> Get(Backend& backend, const v1::GetMeasurementRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const store::ResourceKey key, ParseName("name", request.name(), "measurements"));
  BITPLAN_ASSIGN_OR_RETURN(const store::Resource resource, GetResource(backend, key));
  return Complete(backend, resource);
}

absl::StatusOr<v1::ListMeasurementsResponse> List(Backend& backend, const v1::ListMeasurementsRequest& request) {
  v1::ListMeasurementsResponse response;
  BITPLAN_ASSIGN_OR_RETURN(
      *response.mutable_next_page_token(),
      ListDecoded<v1::Measurement>(
          backend, request, "measurements", [](v1::Measurement*) {}, [&] { return response.add_measurements(); }));
  return response;
}

class MeasurementService final : public v1::MeasurementService::Service {
 public:
  explicit MeasurementService(Backend& backend) : backend_(backend) {}

  grpc::Status ImportMeasurement(grpc::ServerContext*, const v1::ImportMeasurementRequest* request,
                                 v1::Measurement* response) override {
    return Finish(Import(backend_, *request), response);
  }
  grpc::Status GetMeasurement(grpc::ServerContext*, const v1::GetMeasurementRequest* request,
                              v1::Measurement* response) override {
    return Finish(Get(backend_, *request), response);
  }
  grpc::Status ListMeasurements(grpc::ServerContext*, const v1::ListMeasurementsRequest* request,
                                v1::ListMeasurementsResponse* response) override {
    return Finish(List(backend_, *request), response);
  }
  grpc::Status DeleteMeasurement(grpc::ServerContext*, const v1::DeleteMeasurementRequest* request,
                                 google::protobuf::Empty*) override {
    return ToGrpcStatus(DeleteNamed(backend_, request->name(), "measurements"));
  }

 private:
  Backend& backend_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeMeasurementService(Backend& backend) {
  return std::make_unique<MeasurementService>(backend);
}

}  // namespace bitplan::service
