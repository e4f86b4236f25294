#ifndef BITPLAN_SERVER_SERVICE_BACKEND_H_
#define BITPLAN_SERVER_SERVICE_BACKEND_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/artifacts/artifact_store.h"
#include "server/jobs/job_manager.h"
#include "server/store/store.h"

namespace bitplan::service {

struct ServiceLimits {
  int64_t max_model_bytes = int64_t{512} << 20;
  int64_t max_dataset_bytes = int64_t{512} << 20;
  int64_t max_message_bytes = int64_t{4} << 20;  // of one gRPC message, received
  int64_t max_queued_jobs = 64;                  // told by GetCapabilities; the job manager holds to it
  int max_uploads = 4;                           // at a time
  int max_watches = 256;                         // at a time
  std::chrono::milliseconds bookmark_interval{10'000};
};

// One of a limited number of places, given back on destruction.
class Slot {
 public:
  // kResourceExhausted with `what` if all `limit` places are taken. `used` must outlive the slot.
  static absl::StatusOr<Slot> Take(std::atomic<int>& used, int limit, std::string_view what);
  ~Slot();
  Slot(Slot&& other) noexcept;
  Slot& operator=(Slot&&) = delete;

 private:
  explicit Slot(std::atomic<int>* used) : used_(used) {}
  std::atomic<int>* used_;
};

// What the services stand on. Made once a server; everything it points to must outlive it.
struct Backend {
  store::Store* store = nullptr;
  artifacts::ArtifactStore* artifacts = nullptr;
  jobs::JobManager* jobs = nullptr;
  ServiceLimits limits;

  std::atomic<int> uploads{0};
  std::atomic<int> watches{0};
  std::atomic<int> searches{0};
  std::atomic<bool> draining{false};
  // Held from the moment a blob is written until a resource refers to it, and while unreferenced blobs are deleted, so
  // that neither can come between the other's steps. It also keeps the parsing of uploads to one at a time, which
  // bounds memory.
  std::mutex blob_mutex;
};

}  // namespace bitplan::service

#endif  // BITPLAN_SERVER_SERVICE_BACKEND_H_
