#ifndef BITPLAN_SERVER_SERVICE_STATUS_MAP_H_
#define BITPLAN_SERVER_SERVICE_STATUS_MAP_H_

#include <grpcpp/support/status.h>

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "google/rpc/status.pb.h"

// The only place where an absl::Status becomes what a client sees. It lies in service/ because the services call it.

namespace bitplan::service {

// Longest message sent, in bytes; trailers beyond some kilobytes are dropped by proxies.
inline constexpr size_t kMaxMessageBytes = 1024;

// The error model of google.rpc: code and message, and as details
//   ErrorInfo    always: reason (the code's name), domain "bitplan"
//   BadRequest   if the message begins with a field path, as in "budgets[0].limit: got -1, want >= 0", or AboutField
//   has
//                named one, and the request is at fault (not for RESOURCE_EXHAUSTED, UNAVAILABLE, CANCELLED, ...);
//                names of elements are left out: "layers[3] 'conv2'.kind" is the field layers[3].kind
//   RetryInfo    for RESOURCE_EXHAUSTED and UNAVAILABLE: what the job manager advises, else one second
// Text is cut at kMaxMessageBytes and cleaned: invalid UTF-8 and control characters become '?'.
// INTERNAL, DATA_LOSS and UNKNOWN are logged under a random id and only the id is told. OK gives an empty message.
google::rpc::Status ToRpcStatus(const absl::Status& status);

// The same for an error that is in the log already, under `log_id`: nothing is logged.
google::rpc::Status ToRpcStatus(const absl::Status& status, std::string_view log_id);

// The same for a handler's return value; the google.rpc.Status travels as grpc-status-details-bin.
grpc::Status ToGrpcStatus(const absl::Status& status);

// `status`, its message as it is, with `field` as the one that BadRequest names: for messages that begin with a place
// in a file instead.
absl::Status AboutField(absl::Status status, std::string_view field);

// `text` cut to `max_bytes` at the end of a character, as valid UTF-8 without control characters (but newline and tab).
std::string CleanText(std::string_view text, size_t max_bytes);

}  // namespace bitplan::service

#endif  // BITPLAN_SERVER_SERVICE_STATUS_MAP_H_
