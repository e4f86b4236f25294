#ifndef BITPLAN_SEARCH_PLAN_REBIND_H_
#define BITPLAN_SEARCH_PLAN_REBIND_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "search/layer/layer.h"
#include "search/plan/plan.h"

namespace bitplan {

// The model that a plan is to be bound to.
struct RebindRequest {
  const Plan& plan;         // both must outlive the call
  const LayerTable& model;  // its layers
  std::string model_digest;
  std::map<std::string, std::string> given;  // names of layers: of the plan, of the model
  std::string created;                       // as SearchRequest::created
};

// How a layer of the plan found its counterpart: told so, by its name, by what it is and where it stands.
enum class RebindWay { kGiven, kName, kStructure };
std::string_view ToString(RebindWay way);  // "given", "name", "structure"

struct RebindMatch {
  std::string old_name;
  std::string new_name;
  RebindWay way = RebindWay::kName;
  int64_t old_macs = 0;  // where these differ, costs are those of the old model
  int64_t new_macs = 0;

  bool operator==(const RebindMatch&) const = default;
};

struct Rebound {
  Plan plan;                         // layers in the order of the model
  std::vector<RebindMatch> matches;  // one a layer, likewise
};

namespace plan {

// The plan for another model with the same layers: fine-tuned, or exported anew under other names. A counterpart is of
// the same kind, weight shape and axis of output channels, and found in this order:
//   given      as told
//   name       the same name
//   structure  among what is left: also the same MACs, and between the counterparts of the matched layers before and
//              behind it; k such layers of the plan are matched with k of the model in execution order
// Sensitivities, costs and proof stay those of the old model; the plan's origin and warnings say so.
// Errors: kInvalidArgument naming every layer (up to 20) of the plan without one counterpart, with its candidates, and
//         every layer of the model that is nobody's; a given pair that is none. kNotFound: a given name. kDataLoss: the
//         result does not verify.
absl::StatusOr<Rebound> Rebind(const RebindRequest& request);

}  // namespace plan
}  // namespace bitplan

#endif  // BITPLAN_SEARCH_PLAN_REBIND_H_
