#include "server/store/store.h"

#include <fmt/format.h>

namespace bitplan::store {

std::string_view JobStateName(JobState state) {
  switch (state) {
    case JobState::kQueued:
      return "QUEUED";
    case JobState::kRunning:
      return "RUNNING";
    case JobState::kSucceeded:
      return "SUCCEEDED";
    case JobState::kFailed:
      return "FAILED";
    case JobState::kCancelled:
      return "CANCELLED";
  }
  return "UNKNOWN";  // not reached: the enum is closed and values from disk are checked
}

std::string ResourceName(const ResourceKey& key) {
  return fmt::format("projects/{}/{}/{}", key.project, key.collection, key.id);
}

std::string JobName(const JobKey& key) { return fmt::format("projects/{}/jobs/{}", key.project, key.id); }

}  // namespace bitplan::store
