#ifndef BITPLAN_SERVER_SERVICE_FINISH_H_
#define BITPLAN_SERVER_SERVICE_FINISH_H_

#include <grpcpp/support/status.h>

#include <utility>

#include "absl/status/statusor.h"
#include "server/service/status_map.h"

namespace bitplan::service {

// How every handler ends: the value becomes the response, an error the RPC's status.
template <typename Message>
grpc::Status Finish(absl::StatusOr<Message> result, Message* response) {
  if (!result.ok()) return ToGrpcStatus(result.status());
  *response = *std::move(result);
  return grpc::Status::OK;
}

}  // namespace bitplan::service

#endif  // BITPLAN_SERVER_SERVICE_FINISH_H_
