#include "server/service/profiles.h"

#include "proto/convert/model.h"
#include "search/base/status.h"
#include "search/hardware/shipped_profiles.h"
#include "server/service/names.h"
#include "server/service/resources.h"

namespace bitplan::service {
namespace {

absl::StatusOr<HardwareProfile> FindProfile(Backend& backend, std::string_view project, std::string_view name) {
  if (name.empty()) return hardware::FindShippedProfile(hardware::kDefaultProfile);
  if (name.find('/') == std::string_view::npos) return hardware::FindShippedProfile(name);
  BITPLAN_ASSIGN_OR_RETURN(const store::ResourceKey key, ParseName("profile", name, "profiles"));
  if (key.project != project) {
    return InvalidArgument("profile: got one of projects/{}, want one of projects/{}", key.project, project);
  }
  const auto stored = backend.store->GetResource(key);
  if (absl::IsNotFound(stored.status())) return hardware::FindShippedProfile(key.id);
  BITPLAN_RETURN_IF_ERROR(stored.status());
  BITPLAN_ASSIGN_OR_RETURN(const auto message, Decode<v1::Profile>(*stored));
  return hardware::ParseProfile(message.json());
}

}  // namespace

absl::StatusOr<v1::Profile> BuiltInProfile(std::string_view project, std::string_view id) {
  BITPLAN_ASSIGN_OR_RETURN(const HardwareProfile profile, hardware::FindShippedProfile(id));
  v1::Profile message = convert::FromProfile(profile);
  message.set_name(fmt::format("projects/{}/profiles/{}", project, id));
  message.set_built_in(true);
  for (const hardware::ShippedProfile& shipped : hardware::ShippedProfiles()) {
    if (shipped.name == id) message.set_json(std::string(shipped.json));
  }
  return message;
}

absl::StatusOr<HardwareProfile> ResolveProfile(Backend& backend, std::string_view project,
                                               const v1::SearchConfig& config) {
  if (config.has_profile_json()) {
    auto profile = hardware::ParseProfile(config.profile_json());
    if (!profile.ok()) return WithContext(profile.status(), "profile_json");
    return profile;
  }
  return FindProfile(backend, project, config.profile());
}

}  // namespace bitplan::service
