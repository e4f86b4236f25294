#ifndef BITPLAN_SEARCH_LAYER_OPTION_JSON_H_
#define BITPLAN_SEARCH_LAYER_OPTION_JSON_H_

#include "search/base/json_reader.h"
#include "search/layer/layer.h"

namespace bitplan {

// The fields of an option that stands in a JSON object among other fields: weight_bits, activation_bits, scheme,
// granularity, and where they are not the default group_size, range, rounding. What is wrong is recorded in the
// document with its path.
Option ReadOptionFields(JsonObject& object);

}  // namespace bitplan

#endif  // BITPLAN_SEARCH_LAYER_OPTION_JSON_H_
