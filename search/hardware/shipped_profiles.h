#ifndef BITPLAN_SEARCH_HARDWARE_SHIPPED_PROFILES_H_
#define BITPLAN_SEARCH_HARDWARE_SHIPPED_PROFILES_H_

#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "search/hardware/profile.h"

namespace bitplan::hardware {

inline constexpr std::string_view kDefaultProfile = "generic";

// A profile that is compiled in: each file of search/hardware/profiles becomes one, no table to edit.
struct ShippedProfile {
  std::string_view name;  // file name without .json; equals the name in the document
  std::string_view json;  // the document, byte for byte
};

// Ordered by name.
std::span<const ShippedProfile> ShippedProfiles();

// The parsed profile, or kNotFound listing the names.
absl::StatusOr<HardwareProfile> FindShippedProfile(std::string_view name);

}  // namespace bitplan::hardware

#endif  // BITPLAN_SEARCH_HARDWARE_SHIPPED_PROFILES_H_
