#ifndef BITPLAN_SERVER_SERVICE_LOG_H_
#define BITPLAN_SERVER_SERVICE_LOG_H_

#include <string_view>

namespace bitplan::service {

// Writes "2026-01-31T12:00:00Z <line>" to standard error. Any thread; lines do not mix.
void Log(std::string_view line);

}  // namespace bitplan::service

#endif  // BITPLAN_SERVER_SERVICE_LOG_H_
