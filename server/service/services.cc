#include "server/service/services.h"

#include <grpcpp/impl/service_type.h>

namespace bitplan::service {

std::vector<std::unique_ptr<grpc::Service>> MakeServices(Backend& backend) {
  std::vector<std::unique_ptr<grpc::Service>> services;
  for (const auto make : {&MakeModelService, &MakeDatasetService, &MakeMeasurementService, &MakeJobService,
                          &MakeProfileService, &MakePlanService, &MakeSystemService}) {
    services.push_back(make(backend));
  }
  return services;
}

}  // namespace bitplan::service
