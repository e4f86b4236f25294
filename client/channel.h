#ifndef BITPLAN_CLIENT_CHANNEL_H_
#define BITPLAN_CLIENT_CHANNEL_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bitplan/v1/dataset.pb.h"
#include "bitplan/v1/job.pb.h"
#include "bitplan/v1/measurement.pb.h"
#include "bitplan/v1/model.pb.h"
#include "bitplan/v1/plan.pb.h"
#include "bitplan/v1/profile.pb.h"
#include "bitplan/v1/system.pb.h"

namespace bitplan::client {

inline constexpr std::string_view kDefaultServer = "127.0.0.1:8470";

struct ChannelOptions {
  std::string server = std::string(kDefaultServer);   // HOST:PORT
  std::chrono::milliseconds call_timeout{30'000};     // of one try; uploads get more with their size
  int max_tries = 4;                                  // of one call, while the answer is UNAVAILABLE
  std::chrono::milliseconds first_delay{100};         // before the second try; three times as long before each next
  std::chrono::milliseconds watch_patience{120'000};  // WatchJob goes on trying to reconnect for so long
  std::stop_token stop;                               // ends every call but CancelJob and WatchJob: kCancelled
};

// Bytes to send, and what is known of them.
struct Upload {
  std::string_view bytes;  // must outlive the call
  std::string digest;      // SHA-256 of bytes, 64 hexadecimal digits
  std::string display_name;
  std::function<void(int64_t sent)> progress;  // after each chunk; may be empty
};

// A connection to bitpland: one method for each call the commands make, with deadline, retries with back-off where a
// call may be repeated (all of these: creations carry a request_id or are content-addressed), and errors made readable
// (rpc_error.h). Connects on first use. Parents are "projects/{project}", names are full resource names.
//
// Threads: any.
class Channel {
 public:
  explicit Channel(ChannelOptions options);
  ~Channel();
  Channel(Channel&&) noexcept;
  Channel& operator=(Channel&&) noexcept;

  absl::StatusOr<v1::Version> GetVersion();

  // Sends the bytes unless the server has them (by digest).
  absl::StatusOr<v1::Model> UploadModel(const std::string& parent, const Upload& upload);
  absl::StatusOr<v1::Dataset> UploadDataset(const std::string& parent, const Upload& upload);
  absl::StatusOr<v1::Model> GetModel(const std::string& name);
  absl::StatusOr<v1::ListModelsResponse> ListModels(const v1::ListModelsRequest& request);

  absl::StatusOr<v1::Measurement> ImportMeasurement(const v1::ImportMeasurementRequest& request);

  absl::StatusOr<v1::Job> CreateJob(const v1::CreateJobRequest& request);
  absl::StatusOr<v1::Job> GetJob(const std::string& name);
  absl::StatusOr<v1::ListJobsResponse> ListJobs(const v1::ListJobsRequest& request);
  absl::StatusOr<v1::Job> CancelJob(const std::string& name);

  // Calls on_event for every event after `after_sequence` until the job is finished, and returns it then. A broken
  // connection is taken up again where it ended; on_lost, which may be empty, hears of it. Returns kCancelled soon
  // after `leave` is requested; the job goes on.
  struct Watch {
    std::string name;
    int64_t after_sequence = 0;
    std::function<void(const v1::JobEvent&)> on_event;
    std::function<void()> on_lost;
    std::stop_token leave;
  };
  absl::StatusOr<v1::Job> WatchJob(const Watch& watch);

  absl::StatusOr<v1::Plan> Search(const v1::SearchRequest& request);
  // Calls on_update for each update until the stream ends, and returns what they add up to. Begun anew, with updates
  // repeated, if the connection is lost.
  absl::StatusOr<v1::Frontier> ComputeFrontier(const v1::ComputeFrontierRequest& request,
                                               const std::function<void(const v1::FrontierUpdate&)>& on_update);
  absl::StatusOr<v1::TopPlans> FindTopPlans(const v1::FindTopPlansRequest& request);
  absl::StatusOr<v1::ListPlansResponse> ListPlans(const v1::ListPlansRequest& request);
  absl::StatusOr<v1::ExportPlanResponse> ExportPlan(const std::string& name, const std::string& format);

  absl::StatusOr<v1::Profile> GetProfile(const std::string& name);
  absl::StatusOr<v1::ListProfilesResponse> ListProfiles(const v1::ListProfilesRequest& request);

  const std::string& server() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// 128 random bits as hexadecimal digits: a request_id.
std::string NewRequestId();

}  // namespace bitplan::client

#endif  // BITPLAN_CLIENT_CHANNEL_H_
