#ifndef BITPLAN_CLIENT_RPC_ERROR_H_
#define BITPLAN_CLIENT_RPC_ERROR_H_

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "google/rpc/status.pb.h"

// Server errors as a person wants to read them.

namespace bitplan::client {

// The error of a call to `server`. `code`, `message` and `details` (a serialized google.rpc.Status) are those of the
// gRPC status. The message becomes: what the server said, then what its details add (field paths that the message does
// not begin with). Where the server said nothing, because nobody answered, the message says that and what to try.
absl::Status ToStatus(int code, std::string_view message, const std::string& details, std::string_view server);

// The same for the error that a job carries.
absl::Status ToStatus(const google::rpc::Status& error);

// How long the server asked to wait before the next try; nullopt if it did not.
std::optional<std::chrono::milliseconds> RetryDelay(const std::string& details);

}  // namespace bitplan::client

#endif  // BITPLAN_CLIENT_RPC_ERROR_H_
