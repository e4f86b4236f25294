#ifndef BITPLAN_SEARCH_HARDWARE_RUNTIME_RULES_H_
#define BITPLAN_SEARCH_HARDWARE_RUNTIME_RULES_H_

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "search/layer/agreement.h"
#include "search/layer/structure.h"

namespace bitplan {

// One rule of a runtime: which layers stand together, and what their options must have in common.
struct RuntimeRule {
  std::string name;                      // [a-z0-9_]+, unique in its runtime
  std::string reason;                    // one clause, for people: why the layers stand together
  std::vector<Agreement> agree;          // ValidateAgreement
  std::vector<StructureKind> structure;  // groups of the graph; at least one of the two lists is not empty
  // Patterns (RE2 syntax) of whole layer names, each with a group "(...)" at least. Layers that one pattern matches
  // with equal texts in all its groups stand together: "(.*)[.](?:q_proj|k_proj|v_proj)".
  std::vector<std::string> names;
  std::string source;  // where the runtime says so
  std::string date;    // YYYY, YYYY-MM or YYYY-MM-DD: when that was read
};

// What a runtime, such as vLLM, demands of the layers of a plan. The file is documented in docs/formats/runtime.md.
struct RuntimeRules {
  std::string name;             // [a-z0-9]([a-z0-9-]{0,62})
  std::string version;          // of these rules: changes whenever they do
  std::string written_against;  // versions of the runtime that they were read off
  std::string description;
  std::vector<RuntimeRule> rules;
  std::string digest;  // SHA-256 of the document
};

// A runtime's rules applied to one network.
struct RuntimeGrouping {
  std::vector<RuntimeGroup> groups;  // in the order of the rules, then of the layers; no group is part of another one
                                     // of its rule
  std::vector<std::string> unseen;   // rules that look at the graph, where nothing is known of it
};

namespace hardware {

inline constexpr int64_t kMaxRuntimeBytes = int64_t{1} << 20;

// Reads a runtime document. Strict: unknown or repeated fields, rules that look at nothing or demand nothing, patterns
// that cannot be read or have no group are kInvalidArgument with the path of the field.
absl::StatusOr<RuntimeRules> ParseRuntime(std::string_view json);

// Groups of two or more of these layers. `structure`: of their graph; absent: not known, rules by structure then go by
// names alone. Matching takes time linear in the names (RE2).
RuntimeGrouping GroupLayers(const RuntimeRules& runtime, std::span<const std::string_view> layers,
                            const std::optional<LayerStructure>& structure);

}  // namespace hardware
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_HARDWARE_RUNTIME_RULES_H_
