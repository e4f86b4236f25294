#ifndef BITPLAN_SERVER_SERVICE_SERVICES_H_
#define BITPLAN_SERVER_SERVICE_SERVICES_H_

#include <memory>
#include <vector>

#include "server/service/backend.h"

namespace grpc {
class Service;
}

// One factory for each service of bitplan.v1. A handler converts, calls and converts back; nothing else. `backend` must
// outlive the service.

namespace bitplan::service {

std::unique_ptr<grpc::Service> MakeModelService(Backend& backend);
std::unique_ptr<grpc::Service> MakeDatasetService(Backend& backend);
std::unique_ptr<grpc::Service> MakeMeasurementService(Backend& backend);
std::unique_ptr<grpc::Service> MakeJobService(Backend& backend);
std::unique_ptr<grpc::Service> MakeProfileService(Backend& backend);
std::unique_ptr<grpc::Service> MakePlanService(Backend& backend);
std::unique_ptr<grpc::Service> MakeSystemService(Backend& backend);

// All of them.
std::vector<std::unique_ptr<grpc::Service>> MakeServices(Backend& backend);

}  // namespace bitplan::service

#endif  // BITPLAN_SERVER_SERVICE_SERVICES_H_
