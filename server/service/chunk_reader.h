#ifndef BITPLAN_SERVER_SERVICE_CHUNK_READER_H_
#define BITPLAN_SERVER_SERVICE_CHUNK_READER_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/sync_stream.h>

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

// The chunks that follow. The arguments must outlive the result.
template <typename Request>
NextChunk ChunksOf(const grpc::ServerContext& context, grpc::ServerReader<Request>& reader) {
  return [&context, &reader, request = Request()](std::string& chunk) mutable -> absl::StatusOr<bool> {
    if (!reader.Read(&request)) {
      if (context.IsCancelled()) return absl::CancelledError("the client went away in the middle of the upload");
      return false;
    }
    if (request.has_metadata()) return InvalidArgument("metadata: must be the first message of an upload only");
    chunk = std::move(*request.mutable_chunk());
    return true;
  };
}

}  // namespace bitplan::service

#endif  // BITPLAN_SERVER_SERVICE_CHUNK_READER_H_
