#include "search/hardware/shipped_runtimes.h"

#include "search/base/status.h"

namespace bitplan::hardware {

absl::StatusOr<RuntimeRules> FindShippedRuntime(std::string_view name) {
  std::string known;
  for (const ShippedRuntime& runtime : ShippedRuntimes()) {
    if (runtime.name == name) return ParseRuntime(runtime.json);
    known += fmt::format("{}{}", known.empty() ? "" : ", ", runtime.name);
  }
  return NotFound("runtime: got '{}', want one of {}", name, known);
}

}  // namespace bitplan::hardware
