#ifndef BITPLAN_SEARCH_EXPORTERS_CHECK_RUNTIME_H_
#define BITPLAN_SEARCH_EXPORTERS_CHECK_RUNTIME_H_

#include <optional>
#include <string>
#include <vector>

#include "search/hardware/runtime_rules.h"
#include "search/layer/structure.h"
#include "search/plan/plan.h"

namespace bitplan {

// Layers that a runtime wants to agree and whose chosen options do not.
struct RuntimeViolation {
  RuntimeGroup group;
  std::string message;  // "qkv: 'q' has w8a8/.., 'k' has w4a8/..; packed into qkv_proj, .."
};

struct RuntimeCheck {
  std::vector<RuntimeGroup> groups;  // that were looked at
  std::vector<RuntimeViolation> violations;
  std::vector<std::string> unseen;  // rules on the graph that nothing is known of: only names were looked at
};

namespace exporters {

// Whether a runtime can load a plan, whatever the plan was searched for: groups the plan's layers by the runtime's
// rules and compares their chosen options. A plan without a choice breaks nothing.
//
// The graph: `structure` where it is there (FindStructure of the model); else the groups that the plan itself recorded,
// if it was searched for this runtime by these very rules; else rules on the graph count as unseen.
RuntimeCheck CheckRuntime(const Plan& plan, const RuntimeRules& runtime,
                          const std::optional<LayerStructure>& structure = std::nullopt);

}  // namespace exporters
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_EXPORTERS_CHECK_RUNTIME_H_
