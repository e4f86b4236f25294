#include "server/service/upload.h"

#include <algorithm>
#include <mutex>

#include "proto/convert/field_path.h"
#include "search/base/digest.h"
#include "search/base/status.h"
#include "server/service/names.h"
#include "server/service/resources.h"
#include "server/service/status_map.h"

namespace bitplan::service {
namespace {

bool IsHexDigit(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

char ToLower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

absl::Status CheckClaims(const UploadKind& kind, const UploadClaims& claims) {
  BITPLAN_RETURN_IF_ERROR(ParseParent("metadata.parent", claims.parent).status());
  BITPLAN_RETURN_IF_ERROR(CheckDisplayName("metadata.display_name", claims.display_name));
  BITPLAN_RETURN_IF_ERROR(CheckRequestId("metadata.request_id", claims.request_id));
  if (claims.size_bytes < 1 || claims.size_bytes > kind.max_bytes) {
    return InvalidArgument("metadata.size_bytes: got {}, want 1..{}", claims.size_bytes, kind.max_bytes);
  }
  if (claims.sha256.size() != 64 || !std::all_of(claims.sha256.begin(), claims.sha256.end(), IsHexDigit)) {
    return InvalidArgument("metadata.sha256: want 64 hexadecimal digits, got {} characters", claims.sha256.size());
  }
  return absl::OkStatus();
}

store::RequestKey RequestOf(const UploadKind& kind, const UploadClaims& claims) {
  return {.method = std::string(kind.method),
          .request_id = claims.request_id,
          .fingerprint = Sha256Hex(
              fmt::format("{}\n{}\n{}\n{}", claims.sha256, claims.size_bytes, kind.format, claims.display_name))};
}

absl::Status ReceiveChunks(const UploadClaims& claims, const NextChunk& next, artifacts::Upload& upload) {
  std::string chunk;
  while (true) {
    BITPLAN_ASSIGN_OR_RETURN(const bool more, next(chunk));
    if (!more) break;
    if (chunk.empty() || static_cast<int64_t>(chunk.size()) > kMaxChunkBytes) {
      return InvalidArgument("chunk: got {} bytes, want 1..{}", chunk.size(), kMaxChunkBytes);
    }
    if (upload.size_bytes() + static_cast<int64_t>(chunk.size()) > claims.size_bytes) {
      return InvalidArgument("metadata.size_bytes: got more than the {} bytes announced", claims.size_bytes);
    }
    BITPLAN_RETURN_IF_ERROR(upload.Append(chunk));
  }
  if (upload.size_bytes() != claims.size_bytes) {
    return InvalidArgument("metadata.size_bytes: {} bytes were announced, {} came", claims.size_bytes,
                           upload.size_bytes());
  }
  return absl::OkStatus();
}

// Makes the resource of a finished blob; stores it unless only validation was asked for. The caller holds blob_mutex.
absl::StatusOr<store::Resource> ParseAndStore(Backend& backend, const UploadKind& kind, const UploadClaims& claims) {
  store::Resource resource{.key = {.project = *ParseParent("metadata.parent", claims.parent),
                                   .collection = std::string(kind.collection),
                                   .id = IdOfDigest(claims.sha256)},
                           .digest = claims.sha256};
  BITPLAN_ASSIGN_OR_RETURN(const std::string bytes, backend.artifacts->Read(claims.sha256));
  absl::StatusOr<std::string> payload = kind.make_payload(claims, bytes);
  if (!payload.ok()) return AboutField(payload.status(), "chunk");
  resource.payload = *std::move(payload);
  if (claims.validate_only) return resource;
  return CreateOrGet(backend, resource, RequestOf(kind, claims));
}

}  // namespace

absl::StatusOr<store::Resource> ReceiveUpload(Backend& backend, const UploadKind& kind, UploadClaims claims,
                                              const NextChunk& next) {
  std::transform(claims.sha256.begin(), claims.sha256.end(), claims.sha256.begin(), ToLower);
  BITPLAN_RETURN_IF_ERROR(CheckClaims(kind, claims));
  if (!claims.validate_only) {
    auto earlier = FindEarlier(backend, *ParseParent("metadata.parent", claims.parent), RequestOf(kind, claims));
    if (!absl::IsNotFound(earlier.status())) return earlier;
  }
  if (backend.draining) return absl::UnavailableError("the server is stopping");
  BITPLAN_ASSIGN_OR_RETURN(const Slot slot,
                           Slot::Take(backend.uploads, backend.limits.max_uploads, "uploads at a time"));
  BITPLAN_ASSIGN_OR_RETURN(const auto upload, backend.artifacts->BeginUpload(claims.size_bytes));
  BITPLAN_RETURN_IF_ERROR(ReceiveChunks(claims, next, *upload));

  const std::lock_guard lock(backend.blob_mutex);
  const auto artifact = upload->Finish({.sha256 = claims.sha256, .size_bytes = claims.size_bytes});
  if (absl::IsInvalidArgument(artifact.status())) return convert::AtField("metadata", artifact.status());
  BITPLAN_RETURN_IF_ERROR(artifact.status());
  auto resource = ParseAndStore(backend, kind, claims);
  if (!resource.ok() || claims.validate_only) {
    BITPLAN_RETURN_IF_ERROR(DeleteBlobIfUnused(backend, claims.sha256));
  }
  return resource;
}

}  // namespace bitplan::service
