#ifndef BITPLAN_SEARCH_HARDWARE_SHIPPED_RUNTIMES_H_
#define BITPLAN_SEARCH_HARDWARE_SHIPPED_RUNTIMES_H_

#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "search/hardware/runtime_rules.h"

namespace bitplan::hardware {

// Rules of a runtime that are compiled in: each file of search/hardware/runtimes becomes one, no table to edit.
struct ShippedRuntime {
  std::string_view name;  // file name without .json; equals the name in the document
  std::string_view json;  // the document, byte for byte
};

// Ordered by name.
std::span<const ShippedRuntime> ShippedRuntimes();

// The parsed rules, or kNotFound listing the names.
absl::StatusOr<RuntimeRules> FindShippedRuntime(std::string_view name);

}  // namespace bitplan::hardware

#endif  // BITPLAN_SEARCH_HARDWARE_SHIPPED_RUNTIMES_H_
