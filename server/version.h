#ifndef BITPLAN_SERVER_VERSION_H_
#define BITPLAN_SERVER_VERSION_H_

#include <string_view>

namespace bitplan::server {

// Of the server and of what it computes with; equals the project version in CMakeLists.txt (a test compares them).
inline constexpr std::string_view kVersion = "0.1.0";

}  // namespace bitplan::server

#endif  // BITPLAN_SERVER_VERSION_H_
