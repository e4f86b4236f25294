#include "search/hardware/shipped_profiles.h"

#include "search/base/status.h"

namespace bitplan::hardware {

absl::StatusOr<HardwareProfile> FindShippedProfile(std::string_view name) {
  std::string known;
  for (const ShippedProfile& profile : ShippedProfiles()) {
    if (profile.name == name) return ParseProfile(profile.json);
    known += fmt::format("{}{}", known.empty() ? "" : ", ", profile.name);
  }
  return NotFound("profile: got '{}', want one of {}", name, known);
}

}  // namespace bitplan::hardware
