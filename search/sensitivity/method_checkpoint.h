#ifndef BITPLAN_SEARCH_SENSITIVITY_METHOD_CHECKPOINT_H_
#define BITPLAN_SEARCH_SENSITIVITY_METHOD_CHECKPOINT_H_

#include <string>
#include <string_view>

#include "search/sensitivity/method_table.h"

namespace bitplan::sensitivity {

// Where a method keeps what it has measured of the input's options; `what` names the method's part. The prefix names
// network and data; with the options and the seed of stochastic rounding the perturbations follow from it, with the
// range rule the activations. Empty if the prefix is: nothing is kept.
std::string MethodCheckpointKey(const MethodInput& input, std::string_view what);

}  // namespace bitplan::sensitivity

#endif  // BITPLAN_SEARCH_SENSITIVITY_METHOD_CHECKPOINT_H_
