#ifndef BITPLAN_SERVER_SERVICE_UPLOAD_H_
#define BITPLAN_SERVER_SERVICE_UPLOAD_H_

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/service/backend.h"

namespace bitplan::service {

// What the first message of an upload says.
struct UploadClaims {
  std::string parent;
  std::string display_name;
  std::string request_id;
  int64_t size_bytes = 0;
  std::string sha256;
  bool validate_only = false;
};

// What kind of thing is uploaded.
struct UploadKind {
  std::string_view collection;  // "models"
  std::string_view method;      // of the request id
  int64_t max_bytes = 0;
  std::string format;  // part of the identity of a request
  // Checks the bytes and makes the resource's payload of them. The claims have been checked.
  std::function<absl::StatusOr<std::string>(const UploadClaims& claims, std::string_view bytes)> make_payload;
};

// The longest chunk that is taken; clients send 1 MiB.
inline constexpr int64_t kMaxChunkBytes = int64_t{2} << 20;

// Sets `chunk` to the next bytes. False: the client is done. kCancelled: it is gone; kInvalidArgument: not a chunk.
using NextChunk = std::function<absl::StatusOr<bool>(std::string& chunk)>;

// Takes one upload: checks the claims, receives, checks size and digest, parses, stores. Whatever goes wrong, nothing
// stays.
//
// An earlier request with the same id answers at once, without reading chunks. With validate_only the resource has the
// payload only.
// Errors: kInvalidArgument (claims, size, digest, what parse refuses), kAlreadyExists (request id used for other
// content),
//         kResourceExhausted (uploads at a time, quota), kUnavailable (draining), kCancelled.
absl::StatusOr<store::Resource> ReceiveUpload(Backend& backend, const UploadKind& kind, UploadClaims claims,
                                              const NextChunk& next);

}  // namespace bitplan::service

#endif  // BITPLAN_SERVER_SERVICE_UPLOAD_H_
