#ifndef BITPLAN_SERVER_SERVICE_CHUNK_READER_H_
#define BITPLAN_SERVER_SERVICE_CHUNK_READER_H_

#include <string>
#include <utility>

#include "search/base/status.h"
#include "server/service/upload.h"

namespace bitplan::service {

// Claims of the first message of an upload. Request is UploadModelRequest or UploadDatasetRequest.
template <typename Request>
absl::StatusOr<UploadClaims> ToClaims(const Request& first) {
  if (!first.has_metadata()) return InvalidArgument("metadata: must be the first message of an upload");
  const auto& metadata = first.metadata();
  return UploadClaims{.parent = metadata.parent(),
                      .display_name = metadata.display_name(),
                      .request_id = metadata.request_id(),
                      .size_bytes = metadata.size_bytes(),
                      .sha256 = metadata.sha256(),
                      .validate_only = metadata.validate_only()};
}

// The chunks that follow, from a grpc::ServerReader<Request> and its ServerContext (templates: gRPC stays out of
// headers). The arguments must outlive the result.
template <typename Request, typename Call, typename Reader>
NextChunk ChunksOf(const Call& call, Reader& reader) {
  return [&call, &reader, request = Request()](std::string& chunk) mutable -> absl::StatusOr<bool> {
    if (!reader.Read(&request)) {
      if (call.IsCancelled()) return absl::CancelledError("the client went away in the middle of the upload");
      return false;
    }
    if (request.has_metadata()) return InvalidArgument("metadata: must be the first message of an upload only");
    chunk = std::move(*request.mutable_chunk());
    return true;
  };
}

}  // namespace bitplan::service

#endif  // BITPLAN_SERVER_SERVICE_CHUNK_READER_H_
