#include "server/service/log.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cstdio>
#include <ctime>

namespace bitplan::service {

void Log(std::string_view line) {
  const std::string text = fmt::format("{:%Y-%m-%dT%H:%M:%SZ} {}\n", fmt::gmtime(std::time(nullptr)), line);
  std::fwrite(text.data(), 1, text.size(), stderr);  // one call: stdio locks the stream
}

}  // namespace bitplan::service
