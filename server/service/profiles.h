#ifndef BITPLAN_SERVER_SERVICE_PROFILES_H_
#define BITPLAN_SERVER_SERVICE_PROFILES_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "bitplan/v1/plan.pb.h"
#include "bitplan/v1/profile.pb.h"
#include "search/hardware/profile.h"
#include "server/service/backend.h"

namespace bitplan::service {

// A built-in profile as a resource of `project`, with its document.
absl::StatusOr<v1::Profile> BuiltInProfile(std::string_view project, std::string_view id);

// The profile that a search names: inline, built-in ("generic" or "projects/{project}/profiles/generic") or stored in
// `project`. Paths in errors are relative to the SearchConfig. kInvalidArgument, kNotFound (lists the built-in ones).
absl::StatusOr<HardwareProfile> ResolveProfile(Backend& backend, std::string_view project,
                                               const v1::SearchConfig& config);

}  // namespace bitplan::service

#endif  // BITPLAN_SERVER_SERVICE_PROFILES_H_
