#ifndef BITPLAN_SEARCH_HARDWARE_PROFILE_JSON_H_
#define BITPLAN_SEARCH_HARDWARE_PROFILE_JSON_H_

#include <string>

#include "search/hardware/profile.h"

namespace bitplan::hardware {

// The document of docs/formats/profile.md. ParseProfile reads it back; what is not known or the default is left out.
// The digest is not looked at: it is that of the document.
std::string ToJson(const HardwareProfile& profile);

}  // namespace bitplan::hardware

#endif  // BITPLAN_SEARCH_HARDWARE_PROFILE_JSON_H_
