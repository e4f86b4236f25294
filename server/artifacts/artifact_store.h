#ifndef BITPLAN_SERVER_ARTIFACTS_ARTIFACT_STORE_H_
#define BITPLAN_SERVER_ARTIFACTS_ARTIFACT_STORE_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace bitplan::artifacts {

struct ArtifactOptions {
  std::filesystem::path directory;                // created if missing; its parent must exist
  int64_t max_artifact_bytes = int64_t{1} << 30;  // of one upload
  int64_t max_total_bytes = int64_t{16} << 30;    // of all blobs and unfinished uploads together
};

// What an uploader says it sends; both are checked by Finish. An empty digest or absent size is not checked.
struct UploadClaim {
  std::string sha256;  // 64 hexadecimal digits, lower case
  std::optional<int64_t> size_bytes;
};

// A finished blob.
struct Artifact {
  std::string digest;  // SHA-256, 64 lower-case hexadecimal digits
  int64_t size_bytes = 0;
  bool reused = false;  // the same bytes were here already
};

class Upload;

// Blobs on disk, named by the SHA-256 of their bytes and never changed.
//
// Layout:     <directory>/blobs/<64 digits>, <directory>/uploads/<number> while they arrive. Names from outside are
//             never paths: a digest that is not 64 lower-case hexadecimal digits is refused (kInvalidArgument).
// Durability: Finish returns after file and folder are synced; an unfinished upload vanishes with its Upload object, or
// at
//             the next Open.
// Threads:    all calls from any thread. One process a directory (kFailedPrecondition for the second).
class ArtifactStore {
 public:
  static absl::StatusOr<std::unique_ptr<ArtifactStore>> Open(const ArtifactOptions& options);
  ~ArtifactStore();

  // `declared_bytes`, if known, lets a hopeless upload fail before its first byte. kResourceExhausted: over a limit.
  // The store must outlive the upload.
  absl::StatusOr<std::unique_ptr<Upload>> BeginUpload(std::optional<int64_t> declared_bytes = std::nullopt);
  // BeginUpload, Append and Finish in one.
  absl::StatusOr<Artifact> Put(std::string_view bytes);

  // All bytes, checked against the digest. kNotFound; kDataLoss: the file on disk has other bytes.
  absl::StatusOr<std::string> Read(std::string_view digest) const;
  // kNotFound. Size from the file system; the bytes are not checked.
  absl::StatusOr<int64_t> SizeOf(std::string_view digest) const;
  // kNotFound. The caller makes sure that nothing refers to the blob.
  absl::Status Delete(std::string_view digest);

  // Blobs and unfinished uploads.
  int64_t total_bytes() const;
  const ArtifactOptions& options() const;

 private:
  friend class Upload;
  struct State;
  explicit ArtifactStore(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// One upload in progress; used by one thread at a time. Destroyed without Finish, it removes what has arrived.
class Upload {
 public:
  ~Upload();
  Upload(const Upload&) = delete;
  Upload& operator=(const Upload&) = delete;

  // kResourceExhausted: over max_artifact_bytes or the total quota. After an error only destruction is useful.
  absl::Status Append(std::string_view bytes);
  // Makes the blob readable under its digest. kInvalidArgument: digest or size differ from the claim (says both), or
  // the claim's digest is no SHA-256. kFailedPrecondition: Finish was called or an Append has failed. Call once.
  absl::StatusOr<Artifact> Finish(const UploadClaim& claim);

  int64_t size_bytes() const;

 private:
  friend class ArtifactStore;
  struct State;
  explicit Upload(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace bitplan::artifacts

#endif  // BITPLAN_SERVER_ARTIFACTS_ARTIFACT_STORE_H_
